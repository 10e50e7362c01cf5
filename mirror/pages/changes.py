"""What a revision changed, for people: the old words struck out, the new ones underlined.

Made once, when the revision is published, of the pages of both. No record names it: its signatures
tell it from a forged one, and whoever doubts it has both revisions.

The comparison is by words that either side has once ("patience diff"): n log n, whatever a source
writes. `difflib` takes 90 s for two texts of 1,500 words of which half are one word.
"""

import html
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from mirror.article.lang import Direction
from mirror.article.render.readback import read_back
from mirror.article.render.shell import TO_ROOT, in_line
from mirror.article.text import plain
from mirror.pages.fit import MAX_PAGE, fitting
from mirror.pages.frame import Frame, day
from mirror.pages.front import own_language

MAX_DEPTH = 12  # of a comparison within a comparison: a text made for it would go on for ever
MAX_LINES, MAX_CHARS = 2000, 200_000
"""Of paragraphs that are not the same: far more has no room on a page, and takes a second."""
AHEAD = 3  # paragraphs that one is looked for among, where an edit has put in or taken out others
_STEPS = sorted(((i, j) for i in range(AHEAD) for j in range(AHEAD)), key=sum)
ALIKE = 0.4  # of the longer one's words are also in the other: it was edited, and not replaced
AROUND = 12  # words that are shown around an edit where the whole paragraph has no room
_TAG = re.compile(r'<(?:"[^"]*"|[^">])*>')
_PICTURE = re.compile(r'<a (?:itemprop="contentUrl"[^>]*|href="[0-9a-f]{64}\.webp")>.*?</a>')
_ENDS = re.compile(r"<br ?/?>|</(?:p|h[1-6]|li|dt|dd|tr|caption|figcaption|blockquote|pre)>")
_IDEOGRAPH = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_WORD = re.compile(f"[{_IDEOGRAPH}]|[^\\s{_IDEOGRAPH}]+|\\s+")
"""Chinese writes no spaces: there, a character is a word."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One revision: number `rev`, signed at `time`, and its pages, the first part first.

    `pages` are not all there where the site lacks some.
    """

    rev: int
    time: int
    pages: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class _Span:
    """These of the one are these of the other; `same`, or changed."""

    same: bool
    old: Sequence[str]
    new: Sequence[str]


def lines(blocks: str) -> list[str]:
    """Return the text of clean blocks, a line for each paragraph, item, cell row or caption.

    Without the words of a picture's link, which are the program's and change with it.
    """
    ended = _ENDS.sub("\n", _PICTURE.sub("", blocks))
    found = (" ".join(html.unescape(_TAG.sub("", line)).split()) for line in ended.split("\n"))
    return [line for line in found if line]


def changes_page(frame: Frame, old: Edition, new: Edition, *, lang: str, dir_: Direction) -> bytes:
    """Return the page that shows what `new` changed; the articles are in `lang`.

    What can not be compared, or has no room, is said to be so.
    """
    sides = [_read(each) for each in (old, new)]
    if not all(sides):
        return _page(frame, old, new, f"<p>{frame.words.too_long}</p>")
    (was, before), (now, after) = (side for side in sides if side)
    spans = [each for each in compared(before, after) if not each.same]
    changed = [line for each in spans for line in (*each.old, *each.new)]
    short = len(changed) <= MAX_LINES and sum(map(len, changed)) <= MAX_CHARS
    pairs = list(_paired(spans)) if short else []
    heading = _edited(was, now, 1 << 20)
    about = own_language(frame, lang, dir_)

    def page(around: int | None) -> bytes:
        if around is None:
            text = f"<p>{frame.words.too_long}</p>"
        else:
            text = "".join(_shown(frame, each, about, around) for each in pairs)
            text = text or ("" if was != now else f"<p>{frame.words.same_words}</p>")
        return _page(frame, old, new, f"<h2{about}>{heading}</h2>{text}")

    rooms = (1 << 20, AROUND, 3, None) if short else (None,)
    return fitting(page, rooms, max_bytes=MAX_PAGE)


def _read(edition: Edition) -> tuple[str, list[str]] | None:
    article = read_back(edition.pages)
    if article is None:
        return None
    return plain(article.title), [plain(line) for line in lines("\n".join(article.blocks))]


def _page(frame: Frame, old: Edition, new: Edition, text: str) -> bytes:
    words = frame.words
    links = (
        f'<a href="{each.rev}.html">{words.revision.format(rev=each.rev)}</a> {day(each.time)}'
        for each in (old, new)
    )
    by = f'<p class="by">{" · ".join(links)}</p>'
    body = f'<main class="t"><h1>{words.changes}</h1>{by}{text}</main>'
    return frame.page(words.changes, body, top=TO_ROOT)


# How it is shown.


def _shown(frame: Frame, span: _Span, about: str, around: int) -> str:
    """Return one paragraph that changed, or those that came or went, each with a word for it."""
    words = frame.words
    if span.old and span.new:
        return _labelled(words.was_changed, about, _edited(span.old[0], span.new[0], around))
    gone = (_labelled(words.was_removed, about, f"<del>{_html(line)}</del>") for line in span.old)
    come = (_labelled(words.was_added, about, f"<ins>{_html(line)}</ins>") for line in span.new)
    return "".join((*gone, *come))


def _labelled(label: str, about: str, text: str) -> str:
    return f"<p><small>{label}</small></p><p{about}>{text}</p>"


def _edited(old: str, new: str, around: int) -> str:
    """Return a text with what is gone and what came, and `around` words on both sides of it."""
    spans = compared(_WORD.findall(old), _WORD.findall(new))
    pieces = []
    for place, span in enumerate(spans):
        if span.same:
            pieces.append(_html(_elided(span.new, around, place == 0, place == len(spans) - 1)))
        else:
            pieces.append(f"<del>{_html(''.join(span.old))}</del>" if span.old else "")
            pieces.append(f"<ins>{_html(''.join(span.new))}</ins>" if span.new else "")
    return "".join(pieces)


def _elided(words: Sequence[str], around: int, first: bool, last: bool) -> str:
    before, after = (0 if first else around), (0 if last else around)
    if len(words) <= before + after or len(words) <= around:
        return "".join(words)
    return f"{''.join(words[:before])} … {''.join(words[len(words) - after :])}"


def _html(text: str) -> str:
    return escape(in_line(text), quote=False)


# How it is found.


def _paired(spans: Iterable[_Span]) -> Iterator[_Span]:
    """Yield what changed: a paragraph with what it became, or those that came or went."""
    for span in spans:
        if span.same:
            continue
        at = (0, 0)
        for left, right in _pairs(span):
            yield _Span(False, span.old[at[0] : left], ())
            yield _Span(False, (), span.new[at[1] : right])
            yield _Span(False, span.old[left : left + 1], span.new[right : right + 1])
            at = (left + 1, right + 1)
        yield _Span(False, span.old[at[0] :], ())
        yield _Span(False, (), span.new[at[1] :])


def _pairs(span: _Span) -> Iterator[tuple[int, int]]:
    """Yield the places of paragraphs that are alike, in order, looking only a little ahead."""
    bags = {line: Counter(_WORD.findall(line)) for line in (*span.old, *span.new)}
    left, right = 0, 0
    while left < len(span.old) and right < len(span.new):
        ahead = ((left + i, right + j) for i, j in _STEPS)
        near = ((i, j) for i, j in ahead if i < len(span.old) and j < len(span.new))
        found = next(
            (at for at in near if _alike(bags[span.old[at[0]]], bags[span.new[at[1]]])), None
        )
        if found:
            yield found
        left, right = ((found or (left, right))[0] + 1, (found or (left, right))[1] + 1)


def _alike(one: Counter[str], other: Counter[str]) -> bool:
    return (one & other).total() >= ALIKE * max(one.total(), other.total())


def compared(old: Sequence[str], new: Sequence[str], depth: int = MAX_DEPTH) -> list[_Span]:
    """Return what became of `old`, in order; spans that are the same and others take turns."""
    return _joined(_compared(old, new, depth))


def _compared(old: Sequence[str], new: Sequence[str], depth: int) -> Iterator[_Span]:
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    yield _Span(True, old[:head], new[:head])
    middle = old[head : len(old) - tail], new[head : len(new) - tail]
    anchors = _anchors(*middle) if depth else []
    if anchors:
        start = (0, 0)
        for at in anchors:
            yield from _compared(
                middle[0][start[0] : at[0]], middle[1][start[1] : at[1]], depth - 1
            )
            start = at
        yield from _compared(middle[0][start[0] :], middle[1][start[1] :], depth - 1)
    else:
        yield _Span(False, *middle)
    yield _Span(True, old[len(old) - tail :], new[len(new) - tail :])


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many at their beginnings are the same."""
    found = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        found += 1
    return found


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places of what each side has once, as many as are in the same order in both."""
    once, counts = Counter(old), Counter(new)
    places = {each: at for at, each in enumerate(new)}
    pairs = [(at, places[each]) for at, each in enumerate(old) if once[each] == 1 == counts[each]]
    # The longest rising run of the second places, by its smallest ends.
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for number, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        before.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [place]
        last[length : length + 1] = [number]
    found, number = [], last[-1] if last else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]


def _joined(spans: Iterator[_Span]) -> list[_Span]:
    found: list[tuple[bool, list[str], list[str]]] = []
    for span in spans:
        if span.old or span.new:
            if not found or found[-1][0] != span.same:
                found.append((span.same, [], []))
            found[-1][1].extend(span.old)
            found[-1][2].extend(span.new)
    return [_Span(*each) for each in found]
