"""RSS 0.9 to 2.0 and Atom, read by feedparser: the document and what it says of itself."""

import io
import re
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

import feedparser
from feedparser.encodings import convert_to_utf8

from mirror.article.cleaning.limits import LIBRARY_ERRORS
from mirror.article.entry import Feed, older_of
from mirror.article.feeds import faster
from mirror.article.feeds.cap import MAX_ENTRIES, capped
from mirror.article.feeds.prolog import check_elements, check_prolog
from mirror.article.feeds.rssentry import Around, entry_of, line_in
from mirror.article.feeds.rssvalues import dicts_in, text_in, value_in
from mirror.article.feeds.xmlbytes import sound
from mirror.article.lang import normalised
from mirror.article.links import absolute
from mirror.errors import FormatError

MIN_NOT_ASCII = 8
"""Bytes above 127: two Chinese characters in GBK can look like UTF-8, four hardly."""
MAX_TTL_S = 7 * 86400
"""A newsroom that is not asked for longer could as well be gone."""

_DECLARATION = re.compile(rb"<\?xml[^<>]*?\?>")
_NOT_ASCII = bytes(range(128, 256))
_NUMBER = re.compile(r"[0-9]{1,9}")
_PERIODS_S = {
    "hourly": 3600,
    "daily": 86400,
    "weekly": 7 * 86400,
    "monthly": 30 * 86400,
    "yearly": 365 * 86400,
}

faster.install()
# It guesses an encoding or not by what else is installed, with tables that are files: a worker
# has none.
feedparser.encodings.lazy_chardet_encoding = None


def parse_rss(body: bytes, *, url: str, content_type: str, lang: str, zone: tzinfo) -> Feed:
    """Return what an RSS or Atom feed says; `lang` goes before its own word, if not "".

    Raises:
        FormatError: not such a feed, or it would hurt the parser.
    """
    parsed = _parsed(body, content_type)
    if not parsed.version and not parsed.entries:
        raise FormatError("feed: wrong kind: no RSS or Atom element in it")
    head = parsed.feed
    said = normalised(text_in(head, "language"))
    # What the outermost elements say is repeated at every text inside of them.
    inherited = normalised(text_in(value_in(head, "title_detail", dict), "language"))
    around = Around(
        version=parsed.version,
        base=absolute(text_in(head, "link"), url) or url,
        lang=lang or said or inherited,
        inherited=frozenset({said, inherited}),
        zone=zone,
    )
    entries = (entry_of(item, around) for item in parsed.entries)
    return Feed(
        title=line_in(head, "title", parsed.version),
        lang=around.lang,
        entries=tuple(entry for entry in entries if entry)[:MAX_ENTRIES],
        older=older_of(_pages(head), url=url),
        ttl_s=_ttl_s(head),
    )


def _parsed(body: bytes, content_type: str) -> Any:  # noqa: ANN401 - feedparser has no types
    if _is_utf8(body):
        content_type = "application/xml; charset=utf-8"
    headers = {"content-type": content_type} if content_type else {}
    if declaration := _DECLARATION.match(body):
        # feedparser looks for the encoding in the whole first line, from its end backwards:
        # slow where all the feed is one, and an article's `encoding="…"` would be taken for it.
        # Four of them: what is no UTF-16 for the number of its bytes must not become any.
        body = body[: declaration.end()] + b"\n" * 4 + body[declaration.end() :]
    try:
        # Decoded first: an entity definition in UTF-16 or UTF-7 is one too.
        xml = convert_to_utf8(headers, body, feedparser.FeedParserDict(headers=headers))
        xml = capped(xml)
        check_prolog(xml)
        check_elements(xml)
        return feedparser.parse(
            io.BytesIO(sound(xml)),
            # Without a location: it would resolve links against the feed's address at once,
            # but without xml:base they are relative to the site that the feed names.
            response_headers={"content-type": "application/xml; charset=utf-8"},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except FormatError:
        raise
    except LIBRARY_ERRORS as e:
        raise FormatError(f"feed: unreadable: {type(e).__name__}: {e!s:.100}") from e


def _is_utf8(body: bytes) -> bool:
    """Return whether the bytes are UTF-8, whatever header and declaration say.

    Text in another encoding of eight bits is not by accident, once there is some of it.
    """
    if len(body) - len(body.translate(None, _NOT_ASCII)) < MIN_NOT_ASCII:
        return False
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _pages(head: Any) -> Iterator[str]:  # noqa: ANN401
    """Yield the addresses of older entries: an archive's (RFC 5005) stays, a next page moves."""
    links = dicts_in(head, "links")
    for rel in ("prev-archive", "next"):
        yield from (text_in(link, "href") for link in links if text_in(link, "rel") == rel)


def _ttl_s(head: Any) -> int:  # noqa: ANN401
    """Return RSS's `ttl`, in minutes there, or else a period of RSS 1.0's syndication module."""
    if ttl := _number(head, "ttl"):
        return min(60 * ttl, MAX_TTL_S)
    period_s = _PERIODS_S.get(text_in(head, "sy_updateperiod").strip().lower(), 0)
    return min(period_s // (_number(head, "sy_updatefrequency") or 1), MAX_TTL_S)


def _number(head: Any, name: str) -> int:  # noqa: ANN401
    text = text_in(head, name).strip()
    return int(text) if _NUMBER.fullmatch(text) else 0
