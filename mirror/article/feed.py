"""A feed's bytes to its entries: RSS 0.9 to 2.0 and Atom, as real newsrooms write them.

Nothing here believes a feed: texts come out as plain lines, addresses as absolute http(s)
ones, and a body as the hostile HTML it is (`clean` makes it harmless).
"""

import hashlib
import html
import io
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import feedparser
from feedparser.encodings import convert_to_utf8

from mirror.article.fields import AS_IT_SAYS, Reading
from mirror.article.fulltext import Body, best_body
from mirror.article.lang import normalised
from mirror.article.limits import LIBRARY_ERRORS
from mirror.article.links import absolute
from mirror.article.prolog import MAX_ENTRIES, capped, check_prolog
from mirror.article.text import plain, plain_of_html, shortened, visible_text, without_controls
from mirror.errors import FormatError

MAX_FEED_BYTES = 8 * 1024 * 1024
"""The fetcher's cap, once more: bytes may come from elsewhere."""
MAX_GUID_CHARS = 1000
"""Longer ones are known by their SHA-256: a cut could make two alike."""
MAX_TITLE_CHARS = 500
"""Titles are copied into the index document, where 30 share 64 kB with all else."""
MAX_NAME_CHARS = 100
MIN_NOT_ASCII = 8
"""Bytes above 127: two Chinese characters in GBK can look like UTF-8, four hardly."""
MAX_AUTHORS = 20
"""All parts of an article repeat title and names, in a head that must leave room for text."""

_VOLATILE = re.compile(
    rb"<(lastBuildDate|pubDate|generator|docs|ttl|updated)\b[^<>]*(?:/>|>[^<]*</\1\s*>)"
)
_DECLARATION = re.compile(rb"<\?xml[^<>]*?\?>")
_TAG = re.compile(r"<[a-zA-Z]+[^<>]*>")
_NOT_ASCII = bytes(range(128, 256))
_FIRST_ENTRY = re.compile(rb"<(?:item|entry)[\s>]")


_REPLACED: dict[int, str] = getattr(feedparser.mixin, "_cp1252", {})
for _code in (*range(0x80, 0x3000), *range(0x4E00, 0xA000)):
    # feedparser maps each character of a text through this table, and one that is not in it
    # costs an exception: a tenth of the time that a Russian feed takes. So what is left as it
    # is, is in it too.
    _REPLACED.setdefault(_code, chr(_code))


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


def parse_feed(body: bytes, *, url: str, content_type: str, reading: Reading = AS_IT_SAYS) -> Feed:
    """Return what the feed says; `content_type` as in the answer's header, or "".

    A feed that breaks XML's rules is read as far as it goes: 30 of 293 good ones do.
    An entry with neither guid nor link nor title nor text is left out.

    Raises:
        FormatError: not a feed, too large, or it defines entities.
    """
    if not body.strip():
        raise FormatError("feed: empty: no byte in it")
    if len(body) > MAX_FEED_BYTES:
        raise FormatError(f"feed: too large: more than {MAX_FEED_BYTES} bytes")
    parsed = _parse(body, content_type)
    if not parsed.version and not parsed.entries:
        raise FormatError("feed: wrong kind: no RSS or Atom element in it")
    head = parsed.feed
    lang = normalised(_text(head, "language"))
    base = absolute(_text(head, "link"), url) or url
    entries = (_entry(item, parsed.version, base=base, lang=lang) for item in parsed.entries)
    return Feed(
        title=_line(head, "title", parsed.version),
        lang=lang,
        entries=tuple(entry for entry in entries if entry)[:MAX_ENTRIES],
    )


def fingerprint(body: bytes) -> bytes:
    """Return SHA-256 of the feed without what moves when nothing happened.

    Left out, before the first entry only: lastBuildDate, pubDate, updated, generator, docs
    and ttl. Equal fingerprints mean that nothing changed; the reverse does not hold.
    """
    first = _FIRST_ENTRY.search(body)
    cut = first.start() if first else len(body)
    sha256 = hashlib.sha256(_VOLATILE.sub(b"", body[:cut]))
    sha256.update(memoryview(body)[cut:])
    return sha256.digest()


def _parse(body: bytes, content_type: str) -> Any:  # noqa: ANN401 - feedparser has no types
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
        check_prolog(xml)
        return feedparser.parse(
            io.BytesIO(capped(xml)),
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


def _entry(item: Any, version: str, *, base: str, lang: str) -> Entry | None:  # noqa: ANN401
    own = _text(_get(item, "title_detail", {}), "base")
    base = absolute(own, base) or base
    body, full = best_body(_bodies(item, version))
    guid = _guid(plain(_text(item, "id")))
    link = _link(item, base)
    title = _line(item, "title", version) or shortened(
        plain(visible_text(body.html[:4000])), max_chars=100
    )
    if not (guid or link or title):
        return None
    return Entry(
        guid=guid,
        link=link,
        title=title,
        authors=tuple(_authors(item)),
        published=_date(item),
        html=body.html,
        full=full,
        lang=normalised(body.lang) or lang,
    )


def _bodies(item: Any, version: str) -> Iterator[Body]:  # noqa: ANN401
    """Yield every text that the entry has, the most promising kinds first."""
    for name in ("yandex_full-text", "turbo_content"):
        if text := _text(item, name):
            yield Body(_markup(without_controls(text)), kind="content")
    for detail in _get(item, "content", []):
        yield _body(detail, "content", version)
    detail = _get(item, "summary_detail", {})
    if detail:
        yield _body(detail, "summary", version)


def _body(detail: Any, kind: str, version: str) -> Body:  # noqa: ANN401
    media_type = _text(detail, "type")
    if media_type and not media_type.startswith(("text/", "application/xhtml")):
        return Body("", kind=kind)
    text = without_controls(_text(detail, "value"))
    # Atom means it when it says that a text is plain; RSS says it of HTML too.
    if media_type == "text/plain" and version.startswith("atom"):
        return Body(_paragraphs(text), kind=kind, lang=_text(detail, "language"))
    return Body(_markup(text), kind=kind, lang=_text(detail, "language"))


def _markup(text: str) -> str:
    """Return `text` as HTML: what has no tag in it is plain text, with HTML's entities maybe."""
    return text if _TAG.search(text) else _paragraphs(html.unescape(text))


def _paragraphs(text: str) -> str:
    parts = re.split(r"\n\s*\n" if "\n\n" in text else r"\n", text)
    return "".join(f"<p>{html.escape(part.strip())}</p>" for part in parts if part.strip())


def _link(item: Any, base: str) -> str:  # noqa: ANN401
    """Return the original's address; feedburner's own links are redirects that count readers."""
    candidates = [_text(item, "feedburner_origlink"), _text(item, "link")]
    for link in _get(item, "links", []):
        if _text(link, "rel") == "alternate":
            candidates.append(_text(link, "href"))
    links = (absolute(candidate, base) for candidate in candidates)
    return next((link for link in links if link), "")


def _authors(item: Any) -> list[str]:  # noqa: ANN401
    names: Iterable[str] = [_text(author, "name") for author in _get(item, "authors", [])]
    lines = [
        shortened(plain_of_html(name), max_chars=MAX_NAME_CHARS)
        for name in (*names, _text(item, "author"))
    ]
    kept = [line for line in dict.fromkeys(lines) if line and "@" not in line]
    # feedparser repeats the first of several names as `author`, and mail addresses beside names.
    return kept[:MAX_AUTHORS]


def _guid(guid: str) -> str:
    if len(guid) <= MAX_GUID_CHARS:
        return guid
    return f"sha256:{hashlib.sha256(guid.encode()).hexdigest()}"


def _date(item: Any) -> str:  # noqa: ANN401
    for name in ("published_parsed", "updated_parsed", "created_parsed"):
        when = _get(item, name, None)
        if isinstance(when, time.struct_time) and 1970 <= when.tm_year <= 9999:
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", when)
    return ""


def _line(item: Any, name: str, version: str) -> str:  # noqa: ANN401
    text = _text(item, name)
    detail = _get(item, f"{name}_detail", {})
    # Atom says of a title whether it is HTML; in RSS it often is, without a word.
    if version.startswith("atom") and _text(detail, "type") == "text/plain":
        return shortened(plain(text), max_chars=MAX_TITLE_CHARS)
    return shortened(plain_of_html(text), max_chars=MAX_TITLE_CHARS)


def _text(item: Any, name: str) -> str:  # noqa: ANN401
    value = _get(item, name, "")
    return value if isinstance(value, str) else ""


def _get(item: Any, name: str, default: Any) -> Any:  # noqa: ANN401
    """Return the value itself: `item.get` would warn and guess `updated` from `published`."""
    value = dict.get(item, name, default)
    return default if value is None else value
