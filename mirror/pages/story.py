"""An article as lists and feeds show it, and what its own signed page says of it."""

import html
import re
from dataclasses import dataclass
from functools import lru_cache

from mirror.article.lang import Direction
from mirror.article.text import plain, plain_of_html, shortened

SUMMARY_CHARS = 200
_BODY = '<div itemprop="articleBody">\n'
_BODY_END = "\n</div>"  # no cleaned body holds a div, and its text no `<`
_PARAGRAPH = re.compile(r"^<p(?: [^>]*)?>(.*)</p>$", re.MULTILINE)
_AUTHOR = re.compile(r'<span itemprop="author">([^<]*)</span>')
_ORIGINAL = re.compile(r'<a itemprop="url" href="(https?://[^"]*)">')
_LISTED = re.compile(r'<bdi dir="ltr">SHA-256 [0-9a-f]{64}</bdi>')


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
    """Return what the first part of an article says, or None if no template of ours made it.

    All templates, old ones too, have the body between the same two lines.
    """
    try:
        head, found, rest = page.decode().partition(_BODY)
    except UnicodeDecodeError:
        return None
    body, ended, tail = rest.partition(_BODY_END)
    if not (found and ended):
        return None
    paragraph = _PARAGRAPH.search(body)
    summary = plain_of_html(paragraph[1]) if paragraph else ""
    original = _ORIGINAL.search(tail)
    told = Told(
        plain(shortened(summary, max_chars=SUMMARY_CHARS)),  # the cut may leave an isolate open
        html.unescape(original[1]) if original else "",
        tuple(plain(html.unescape(name)) for name in _AUTHOR.findall(head)),
    )
    return Text(told, body, 1 + len(_LISTED.findall(tail)))
