"""Sitemaps: the addresses of a site's pages, or of more sitemaps, with when each changed.

Format: https://www.sitemaps.org/protocol.html and, for titles and dates of news,
https://developers.google.com/search/docs/crawling-indexing/sitemaps/news-sitemap::

    <urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
      <url><loc>https://h.example/news/101</loc><lastmod>2026-11-16</lastmod></url></urlset>
"""

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from mirror.article.dates import utc
from mirror.article.entry import MAX_TITLE_CHARS, Entry, line_of, tags_of
from mirror.article.feeds.xmlbytes import OPTIONS, check_xml, local_name, mended, utf8_xml
from mirror.article.lang import normalised
from mirror.article.links import absolute
from mirror.article.text import plain_of_html
from mirror.errors import FormatError

MAX_SITEMAP_BYTES = 8 * 1024 * 1024
"""Unpacked. The standard's 50 MB would not fit a worker's memory; those of news sites, which
list pages by month or by the thousand, are under 1 MB."""
MAX_TAGS = 1_000_000
"""Some 100 bytes of memory each where they are in no `<url>`; 50,000 pages take 500,000."""
MAX_PAGES = 50_000
"""The standard's own limit, for either kind."""
MAX_ADDRESS_CHARS = 8 * 1024 * 1024
"""Of all pages together: `%D0%B9` for each Russian letter makes three times of what was read,
and a worker's answer is limited too."""
MAX_MEMBERS = 64
"""Of a gzip file; an honest one has one, and each costs a new decompressor."""

_GZIP = b"\x1f\x8b"
_ROOTS = frozenset({"urlset", "sitemapindex"})


@dataclass(frozen=True, slots=True)
class Sitemap:
    """The pages that a sitemap lists, as entries with no text, and the sitemaps of an index."""

    pages: tuple[Entry, ...]
    sitemaps: tuple[str, ...]
    """Absolute http(s) addresses."""


def parse_sitemap(body: bytes, *, url: str) -> Sitemap:
    """Return what a sitemap lists, in its order; `body` may be a gzip file.

    Beyond 50,000 pages or sitemaps the rest is left out. Not checked here: whose addresses
    these are; a sitemap may list any site's.

    Raises:
        FormatError: neither a sitemap nor an index of them, too large, or it would hurt the parser.
    """
    xml = utf8_xml(_unpacked(body), "")
    check_xml(xml, subject="sitemap", max_tags=MAX_TAGS)
    pages: list[Entry] = []
    sitemaps: list[str] = []
    left = MAX_ADDRESS_CHARS
    for element in _listed(mended(xml)):
        link = absolute(_text(element, "loc"), url)
        left -= len(link)
        if left < 0 or len(pages) + len(sitemaps) == MAX_PAGES:
            break
        if link and local_name(element.tag) == "sitemap":
            sitemaps.append(link)
        elif link:
            pages.append(_page(element, link))
    return Sitemap(tuple(pages), tuple(sitemaps))


def _unpacked(body: bytes) -> bytes:
    """Return what is in a gzip file, member after member; other bytes as they are."""
    kept = b""
    for _ in range(MAX_MEMBERS):
        if not body.startswith(_GZIP):
            break
        stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            kept += stream.decompress(body, MAX_SITEMAP_BYTES + 1 - len(kept))
        except zlib.error as e:
            raise FormatError("sitemap: not valid gzip") from e
        if len(kept) > MAX_SITEMAP_BYTES:
            break
        if not stream.eof:
            raise FormatError("sitemap: not valid gzip: it was cut")
        body = stream.unused_data
    kept = kept or body  # what follows a gzip file is padding
    if len(kept) > MAX_SITEMAP_BYTES:
        raise FormatError(f"sitemap: too large: more than {MAX_SITEMAP_BYTES} bytes")
    return kept


def _listed(xml: bytes) -> Iterator[etree._Element]:
    """Yield each `<url>` and `<sitemap>`, which is empty after that: memory for one suffices."""
    walk = etree.iterparse(
        io.BytesIO(xml), events=("end",), tag=("{*}url", "{*}sitemap"), encoding="utf-8", **OPTIONS
    )
    root: etree._Element | None = None
    try:
        for _, element in walk:
            if root is None:
                root = _checked(element.getroottree().getroot())
            yield element
            element.clear()
            parent = element.getparent()
            while parent is not None and (before := element.getprevious()) is not None:
                parent.remove(before)
    except etree.XMLSyntaxError as e:
        raise FormatError(f"sitemap: unreadable: {e!s:.100}") from e
    if root is None:
        _checked(walk.root)


def _checked(root: etree._Element | None) -> etree._Element:
    if root is None or local_name(str(root.tag)) not in _ROOTS:
        raise FormatError("sitemap: wrong kind: no <urlset> or <sitemapindex> element in it")
    return root


def _page(element: etree._Element, link: str) -> Entry:
    return Entry(
        guid="",
        link=link,
        title=line_of(plain_of_html(_text(element, "news/title")), max_chars=MAX_TITLE_CHARS),
        authors=(),
        published=utc(_text(element, "news/publication_date")),
        html="",
        full=False,
        lang=normalised(_text(element, "news/publication/language")),
        updated=utc(_text(element, "lastmod")),
        tags=tags_of(_text(element, "news/keywords").split(",")),
    )


def _text(element: etree._Element, path: str) -> str:
    """Return the text of the first element that a path leads to, or ""."""
    for name in path.split("/"):
        found = next((each for each in element if local_name(str(each.tag)) == name), None)
        if found is None:
            return ""
        element = found
    return (element.text or "").strip()
