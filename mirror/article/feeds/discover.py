"""The feeds that a page of a newsroom names."""

from lxml import etree

from mirror.article.charset import decoded
from mirror.article.cleaning.clean import parse_page
from mirror.article.cleaning.limits import MAX_PAGE_BYTES, MAX_PAGE_TAGS, check_depth, check_markup
from mirror.article.links import absolute
from mirror.article.text import without_controls
from mirror.errors import FormatError

MAX_FEEDS = 20
"""Sections and languages; a page that names more names comments of each article, too."""
_TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json")
_ENDINGS = ("/rss", "/feed", ".rss", "rss.xml", "feed.xml", "atom.xml", "feed.json")


def feeds_in(page: bytes, *, url: str, content_type: str) -> tuple[str, ...]:
    """Return the addresses of the feeds that a page links to, those it declares first.

    Raises:
        FormatError: too large or too deep for a parser.
    """
    if len(page) > MAX_PAGE_BYTES:
        raise FormatError(f"page: too large: more than {MAX_PAGE_BYTES} bytes")
    markup = without_controls(decoded(page, content_type))
    check_markup(markup, subject="page", max_tags=MAX_PAGE_TAGS)
    root = parse_page(markup)
    if root is None:
        return ()
    check_depth(root, subject="page")
    named = [_href(each) for each in root.iter("link") if _declares(each)]
    named += [href for each in root.iter("a") if (href := _href(each)).endswith(_ENDINGS)]
    found = (absolute(href, url) for href in named)
    return tuple(dict.fromkeys(address for address in found if address))[:MAX_FEEDS]


def _declares(link: etree._Element) -> bool:
    kind = link.get("type", "").partition(";")[0].strip().lower()
    return kind in _TYPES and "alternate" in link.get("rel", "").lower().split()


def _href(element: etree._Element) -> str:
    return element.get("href", "").strip().rstrip("/")
