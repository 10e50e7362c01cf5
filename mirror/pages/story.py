"""An article as lists and feeds show it, and what its own signed page says of it."""

import html
import re
from dataclasses import dataclass
from functools import lru_cache

from mirror.article.lang import Direction
from mirror.article.render.readback import body_of
from mirror.article.text import plain, plain_of_html, shortened

SUMMARY_CHARS = 200
_PARAGRAPH = re.compile(r"^<p(?: [^>]*)?>(.*)</p>$", re.MULTILINE)
_AUTHOR = re.compile(r'<span itemprop="author">([^<]*)</span>')
_ORIGINAL = re.compile(r'<a itemprop="url" href="(https?://[^"]*)">')


@dataclass(frozen=True, slots=True)
class Told:
    """What an article's page says beside its title; `original` is "" where it has none."""

    summary: str
    original: str
    authors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """An article's first part: what it tells, its body as HTML, and how many parts there are."""

    told: Told
    body: str
    parts: int


@dataclass(frozen=True, slots=True)
class Story:
    """Article number `n` in its newest revision; `first` and `time` are the records'.

    `told` and `text` are None where its page is not at hand: it is then shown without.
    """

    short: str
    n: int
    rev: int
    first: int
    time: int
    title: str
    lang: str
    dir: Direction
    told: Told | None = None
    text: Text | None = None


@lru_cache(maxsize=64)  # of a round: a new article is in three feeds and on the front page
def read_page(page: bytes) -> Text | None:
    """Return what the first part of an article says, or None if no template of ours made it."""
    body = body_of(page)
    if body is None:
        return None
    paragraph = _PARAGRAPH.search(body.html)
    summary = plain_of_html(paragraph[1]) if paragraph else ""
    original = _ORIGINAL.search(body.tail)
    told = Told(
        plain(shortened(summary, max_chars=SUMMARY_CHARS)),  # the cut may leave an isolate open
        html.unescape(original[1]) if original else "",
        tuple(plain(html.unescape(name)) for name in _AUTHOR.findall(body.head)),
    )
    return Text(told, body.html, body.parts)
