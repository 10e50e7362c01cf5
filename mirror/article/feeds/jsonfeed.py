"""JSON Feed, of versions 1.0 and 1.1.

Format: https://www.jsonfeed.org/version/1.1/ (1.0 has one `author`, for each `authors`)::

    {"version": "https://jsonfeed.org/version/1.1", "title": "The Harbour", "items": [
      {"id": "101", "url": "https://h.example/101", "content_html": "<p>The ferry …"}]}
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from html import unescape
from typing import Any

from mirror.article.dates import utc
from mirror.article.entry import (
    Entry,
    Feed,
    change_of,
    guid_of,
    markup_of,
    names_of,
    older_of,
    paragraphs,
    tags_of,
    title_of,
)
from mirror.article.feeds.cap import MAX_LISTED, newest
from mirror.article.feeds.fulltext import Body, best_body
from mirror.article.feeds.prolog import MAX_TAGS
from mirror.article.feeds.xmlbytes import MAX_REFERENCES
from mirror.article.lang import normalised
from mirror.article.links import absolute
from mirror.article.text import plain, without_controls
from mirror.errors import FormatError

MAX_GROUPS = 100_000
"""Objects and lists: 8 MiB of `[],` would take 300 MB; the most in a capture are 222."""
MAX_VALUES = 1_000_000
"""Counted as commas, with those in texts: 80 bytes each where all are values of one list."""

_Object = dict[str, Any]


class _Number(str):
    """A number as it is written: an id may be one, and a long one is slow to read."""

    __slots__ = ()


def is_json(body: bytes) -> bool:
    """Return whether a feed's bytes begin as those of a JSON object."""
    return body[:100].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def parse_json(body: bytes, *, url: str, lang: str, zone: tzinfo) -> Feed:
    """Return what a JSON Feed says; `lang` goes before its own word, if not "".

    Raises:
        FormatError: not JSON, no JSON Feed, or too crowded or deep for a parser.
    """
    head = _loaded(body)
    items = head.get("items")
    if not isinstance(items, list):
        raise FormatError("feed: wrong kind: a JSON document, but no JSON Feed: no list of items")
    base = _address(head, "home_page_url", url) or url
    around = _Around(base, lang or normalised(_text(head, "language")), zone, _names(head))
    kept = newest(items[:MAX_LISTED], lambda item: _dates(item, zone)[0])
    entries = (_entry(item, around) for item in kept)
    title = _text(head, "title")
    return Feed(
        title=title_of(plain(unescape(title)), ""),
        lang=around.lang,
        entries=tuple(entry for entry in entries if entry),
        older=older_of([_text(head, "next_url")], url=url),
    )


@dataclass(frozen=True, slots=True)
class _Around:
    """What an item takes from the feed that it is in."""

    base: str
    lang: str
    zone: tzinfo
    authors: tuple[str, ...]


def _loaded(body: bytes) -> _Object:
    if body.count(b"{") + body.count(b"[") > MAX_GROUPS:
        raise FormatError(f"feed: too large: more than {MAX_GROUPS} objects and lists")
    if body.count(b",") > MAX_VALUES:
        raise FormatError(f"feed: too large: more than {MAX_VALUES} values")
    if body.count(b"<") > MAX_TAGS:
        raise FormatError(f"feed: too large: more than {MAX_TAGS} tags")
    if body.count(b"&") > MAX_REFERENCES:
        raise FormatError(f"feed: too large: more than {MAX_REFERENCES} references (&)")
    try:
        # Not strict: some feeds have line breaks in their strings.
        head = json.loads(
            body.decode("utf-8-sig"),
            strict=False,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=lambda _: None,
        )
    except RecursionError as e:
        raise FormatError("feed: refused: nested too deep") from e
    except ValueError as e:
        raise FormatError(f"feed: not JSON: {e!s:.100}") from e
    return head if isinstance(head, dict) else {}


def _entry(item: object, around: _Around) -> Entry | None:
    if not isinstance(item, dict):
        return None
    body, full = best_body(_bodies(item))
    guid = guid_of(_text(item, "id"))
    link = _address(item, "url", around.base)
    # Plain text, says the specification; entities in it are seen none the less, tags hardly.
    title = title_of(plain(unescape(_text(item, "title"))), body.html)
    if not (guid or link or title):
        return None
    published, updated = _dates(item, around.zone)
    pictures = (_address(item, name, around.base) for name in ("image", "banner_image"))
    return Entry(
        guid=guid,
        link=link,
        title=title,
        authors=_names(item) or around.authors,
        published=published,
        html=body.html,
        full=full,
        lang=normalised(_text(item, "language")) or around.lang,
        updated=change_of(updated, published),
        tags=tags_of(_tags(item)),
        picture=next((picture for picture in pictures if picture), ""),
    )


def _dates(item: object, zone: tzinfo) -> tuple[str, str]:
    """Return when an item was published, as near as it says it, and when modified."""
    if not isinstance(item, dict):
        return "", ""
    updated = utc(_text(item, "date_modified"), zone)
    return utc(_text(item, "date_published"), zone) or updated, updated


def _bodies(item: _Object) -> Iterator[Body]:
    if html := without_controls(_text(item, "content_html")):
        yield Body(markup_of(html), kind="content")
    elif text := without_controls(_text(item, "content_text")):
        yield Body(paragraphs(text), kind="content")
    if summary := without_controls(_text(item, "summary")):
        yield Body(paragraphs(summary), kind="summary")


def _names(holder: _Object) -> tuple[str, ...]:
    """Return the authors of an item or a feed, in either version's form."""
    authors = _list(holder, "authors") or [holder.get("author")]
    return names_of(
        _text(author, "name") if isinstance(author, dict) else author
        for author in authors
        if isinstance(author, dict | str)
    )


def _tags(item: _Object) -> list[str]:
    """Return the tags; some write them as one text with commas."""
    tags = [tag for tag in _list(item, "tags") if isinstance(tag, str)]
    return tags or _text(item, "tags").split(",")


def _address(holder: _Object, name: str, base: str) -> str:
    value = holder.get(name)
    return "" if isinstance(value, _Number) else absolute(_text(holder, name), base)


def _list(holder: _Object, name: str) -> list[object]:
    value = holder.get(name)
    return value if isinstance(value, list) else []


def _text(holder: _Object, name: str) -> str:
    value = holder.get(name)
    return value if isinstance(value, str) else ""
