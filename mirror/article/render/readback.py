"""A revision's signed pages back to the article that they show.

What `page` writes, and what it wrote before: in all templates the body stands between the same
two lines, one block a line. What a page does not show (the day that the source's own page states,
the addresses of pictures that were had) is not there to be read.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape

from mirror.article.article import Article
from mirror.article.lang import Direction
from mirror.article.text import plain

_BODY = '<div itemprop="articleBody">\n'
_BODY_END = "\n</div>"  # no cleaned body holds a div, and its text no `<`
_ROOT = re.compile(r'<html lang="([^"]*)" dir="([^"]*)">')
_TITLE = re.compile(r'<h1 itemprop="headline">([^<]*)</h1>')
_AUTHOR = re.compile(r'<span itemprop="author">([^<]*)</span>')
_TAG = re.compile(r'<span itemprop="keywords">([^<]*)</span>')
_PUBLISHED = re.compile(r'<time itemprop="datePublished" datetime="([^"]*)">')
_MODIFIED = re.compile(r'<time itemprop="dateModified" datetime="([^"]*)">')
_ORIGINAL = re.compile(r'<a itemprop="url" href="(https?://[^"]*)">')
_NOTE = re.compile(r"<p[^>]*><strong>(.*?)</strong></p>", re.DOTALL)
_DAY = re.compile(r'<bdi dir="ltr">([0-9-]{10})</bdi>')
_LISTED = re.compile(r'<bdi dir="ltr">SHA-256 [0-9a-f]{64}</bdi>')
_DIRECTIONS: Mapping[str, Direction] = {"ltr": "ltr", "rtl": "rtl"}


@dataclass(frozen=True, slots=True)
class Body:
    """What a part of an article's page holds: `html`, between its `head` and its `tail`."""

    head: str
    html: str
    tail: str

    @property
    def parts(self) -> int:
        """How many parts there are, if this is the first of them."""
        return 1 + len(_LISTED.findall(self.tail))

    @property
    def blocks(self) -> tuple[str, ...]:
        """The blocks: lines, but for code, which has lines of its own."""
        return tuple(_blocks(self.html))


def body_of(page: bytes) -> Body | None:
    """Return what a part of an article holds, or None if no template of ours made it."""
    try:
        head, found, rest = page.decode().partition(_BODY)
    except UnicodeDecodeError:
        return None
    html, ended, tail = rest.partition(_BODY_END)
    return Body(head, html, tail) if found and ended else None


def read_back(parts: Sequence[bytes]) -> Article | None:
    """Return the article in all the parts of a revision, the first one first.

    A block that was cut between two parts is two blocks. A picture's link leads where it leads
    in the page: to the file beside it, if it was had.
    None if no template of ours made them, or some are missing. Not checked here: the signature,
    and the SHA-256 of the later parts.
    """
    bodies = [body for part in parts if (body := body_of(part))]
    if not bodies or len(bodies) < len(parts) or bodies[0].parts != len(parts):
        return None
    root, title = _ROOT.search(bodies[0].head), _TITLE.search(bodies[0].head)
    if not root or not title or root[2] not in _DIRECTIONS:
        return None
    head, tail = bodies[0].head[title.end() :], bodies[0].tail
    notes = _NOTE.findall(head)
    return Article(
        url=_first(_ORIGINAL, tail),
        title=unescape(title[1]),
        authors=tuple(plain(unescape(name)) for name in _AUTHOR.findall(head)),
        published=_first(_PUBLISHED, head),
        lang=unescape(root[1]),
        dir=_DIRECTIONS[root[2]],
        blocks=tuple(block for body in bodies for block in body.blocks),
        partial=any(not _DAY.search(note) for note in notes),
        tags=tuple(unescape(tag) for tag in _TAG.findall(tail)),
        modified=_first(_MODIFIED, head),
        gone=next((day[1] for note in notes if (day := _DAY.search(note))), ""),
    )


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return unescape(match[1]) if match else ""


def _blocks(html: str) -> Iterator[str]:
    held: list[str] = []
    unclosed = 0
    for line in html.split("\n"):
        unclosed += line.count("<pre") - line.count("</pre>")
        held.append(line)
        if unclosed <= 0:
            block = "\n".join(held)
            held = []
            if block:
                yield block
