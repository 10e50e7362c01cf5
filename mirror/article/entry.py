"""An entry of a feed, whatever the feed's format, and how its fields are made safe to keep."""

import hashlib
import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

from mirror.article.links import absolute
from mirror.article.text import plain, plain_of_html, shortened, unescaped, visible_text

MAX_GUID_CHARS = 1000
"""Longer ones are known by their SHA-256: a cut could make two alike."""
MAX_TITLE_CHARS = 500
"""Titles are copied into the index document, where 30 share 64 kB with all else."""
MAX_NAME_CHARS = 100
MAX_AUTHORS = 20
"""All parts of an article repeat title and names, in a head that must leave room for text."""
MAX_TAGS = 20
"""Of an entry; some blogs list every word they know, for search engines."""

_TAG = re.compile(r"<[a-zA-Z][^<>]*+>")


@dataclass(frozen=True, slots=True)
class Entry:
    """One `<item>` or `<entry>`, told apart from others by guid, link or title (never all "")."""

    guid: str
    link: str
    """Absolute http(s) address, or ""."""
    title: str
    authors: tuple[str, ...]
    published: str
    """`YYYY-MM-DDTHH:MM:SSZ`, or "" for undated."""
    html: str
    """The best body that the feed has, as the source wrote it: hostile."""
    full: bool
    """`html` looks like the whole text (`fulltext` says on what evidence)."""
    lang: str
    """BCP 47, or ""."""
    updated: str = ""
    """As `published`: when the source says that it changed the entry, or ""."""
    tags: tuple[str, ...] = ()
    """Its subjects, as plain lines."""
    picture: str = ""
    """The absolute address of the lead picture that the feed names, or ""."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed's own words and at most 500 entries, in its order."""

    title: str
    lang: str
    entries: tuple[Entry, ...]
    older: str = ""
    """The absolute address of the page with older entries (RFC 5005), or ""."""
    ttl_s: int = 0
    """How long the feed says that it need not be asked again, in seconds; 0 if it does not."""


def guid_of(text: str) -> str:
    """Return what an entry is known by, as a line of limited length."""
    guid = plain(text)
    if len(guid) <= MAX_GUID_CHARS:
        return guid
    return f"sha256:{hashlib.sha256(guid.encode()).hexdigest()}"


def line_of(text: str, *, max_chars: int) -> str:
    """Return a plain `text` cut to a limit; the cut leaves no direction of writing open."""
    short = shortened(text, max_chars=max_chars)
    return short if short is text else plain(short)


def title_of(text: str, body: str) -> str:
    """Return a plain `text` as a title; where it is "", the beginning of the body's HTML."""
    if text:
        return line_of(text, max_chars=MAX_TITLE_CHARS)
    return line_of(plain(visible_text(body[:4000])), max_chars=100)


def names_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return authors' names as plain lines, each once; mail addresses are no names."""
    lines = (line_of(plain_of_html(name), max_chars=MAX_NAME_CHARS) for name in names)
    return tuple(dict.fromkeys(line for line in lines if line and "@" not in line))[:MAX_AUTHORS]


def tags_of(words: Iterable[str]) -> tuple[str, ...]:
    """Return subjects as plain lines, each once; an address names a scheme and no subject."""
    kept: dict[str, None] = {}
    for word in words:
        line = line_of(plain_of_html(word), max_chars=MAX_NAME_CHARS)
        if line and "://" not in line:
            kept[line] = None
        if len(kept) == MAX_TAGS:
            break
    return tuple(kept)


def change_of(updated: str, published: str) -> str:
    """Return when an entry changed: nothing where it is only its own date once more."""
    return "" if updated == published else updated


def older_of(candidates: Iterable[str], *, url: str) -> str:
    """Return the first of some addresses that is another page than `url`, absolute, or ""."""
    own = absolute(url, "").partition("#")[0]
    pages = (absolute(each, url).partition("#")[0] for each in candidates)
    return next((page for page in pages if page and page != own), "")


def markup_of(text: str) -> str:
    """Return `text` as HTML: what has no tag in it is plain text, with HTML's entities maybe."""
    return text if _TAG.search(text) else paragraphs(unescaped(text))


def paragraphs(text: str) -> str:
    """Return plain text as HTML, a paragraph for each line, or for each part between empty ones."""
    parts = re.split(r"\n\s*\n" if "\n\n" in text else r"\n", text)
    return "".join(f"<p>{html.escape(part.strip())}</p>" for part in parts if part.strip())
