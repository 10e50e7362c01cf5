"""Of a feed with more entries than anyone reads, its newest."""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

from mirror.article.dates import utc
from mirror.errors import FormatError

MAX_ENTRIES = 500
"""Readers' feeds hold 10 to 100; 200,000 entries kept feedparser busy for 45 s."""
MAX_LISTED = 20_000
"""As many are looked at for their dates, which takes 0.6 s; of 8 MiB, each has 400 bytes."""
MAX_MENTIONS = 5_000
"""Of entries inside texts and comments: articles about RSS have some. A feed that is broken on
purpose has what this module takes for character data and feedparser, in its own way of mending,
for 5,000 entries: 1.3 s. One with more is refused; it may not be cut there, where what an author
wrote would become entries in the newsroom's name."""

_NAME = rb"(?i:(?:[\w.-]{1,40}:)?(?:item|entry))"
_ENTRY = re.compile(rb"<%b[\s>/]" % _NAME)
# A comment ends where either of feedparser's two parsers, the strict and the loose one, ends it.
_CLOSINGS = {
    b"![CDATA[": re.compile(rb"\]\]>"),
    b"!--": re.compile(rb"--\s*>"),
    b"?": re.compile(rb"\?>"),
}
_TAG = re.compile(
    rb"<(?:(?P<section>%b)|%b[\s>/]|(?P<end>/)%b\s*>)"
    % (b"|".join(map(re.escape, _CLOSINGS)), _NAME, _NAME)
)
_DATE = re.compile(
    rb"(?i)<(?:[\w.-]{1,40}:)?(?:pubDate|published|updated|date|issued|modified)(?:\s[^<>]{0,200})?>"
    rb"\s*+(?:<!\[CDATA\[\s*+)?([^<>\]]{6,80})"
)

T = TypeVar("T")


def newest(some: Sequence[T], when: Callable[[T], str], *, most: int = MAX_ENTRIES) -> list[T]:
    """Return at most `most` of a feed's entries, in its order: the newest, by their own dates.

    One without a date is as new as the one before it. Of equals the first are kept, and of those
    without any date: in a feed the newest come first, as a rule.
    """
    if len(some) <= most:
        return list(some)
    dates: list[str] = []
    for each in some:
        dates.append(when(each) or (dates[-1] if dates else ""))
    first = next(filter(None, dates), "")
    by_date = sorted(range(len(some)), key=lambda number: dates[number] or first, reverse=True)
    return [some[number] for number in sorted(by_date[:most])]


def capped(xml: bytes) -> bytes:
    """Return `xml` with its `MAX_ENTRIES` newest entries, still well-formed.

    The cut is made on bytes, because the parser is what a long feed makes slow.

    Raises:
        FormatError: more than `MAX_MENTIONS` entries stand inside its texts and comments.
    """
    count = sum(1 for _ in _ENTRY.finditer(xml))
    if count <= MAX_ENTRIES:
        return xml
    starts, outside, end = _entries(xml)
    if count - outside > MAX_MENTIONS:
        raise FormatError(f"feed: refused: more than {MAX_MENTIONS} entries inside its texts")
    spans = list(pairwise([*starts, end]))[:MAX_LISTED]
    kept = newest(spans, lambda span: _date(xml, span))
    if len(kept) == len(spans):
        return xml
    return b"".join([xml[: starts[0]], *(xml[start:stop] for start, stop in kept), xml[end:]])


def _entries(xml: bytes) -> tuple[list[int], int, int]:
    """Return where entries begin, how many there are, and where the last ends.

    Of the first, one more than are looked at if there are. Not those in comments, character data
    and instructions (`<?`): one that is not closed has all the rest.
    """
    starts: list[int] = []
    count = end = at = 0
    while found := _TAG.search(xml, at):
        at = found.end()
        if section := found["section"]:
            close = _CLOSINGS[section].search(xml, at)
            at = close.end() if close else len(xml)
        elif found["end"]:
            end = at
        else:
            end = found.start()  # if it is cut off
            count += 1
            if count <= MAX_LISTED + 1:
                starts.append(end)
    return starts, count, end


def _date(xml: bytes, span: tuple[int, int]) -> str:
    found = _DATE.search(xml, *span)
    return utc(found[1].decode(errors="replace")) if found else ""
