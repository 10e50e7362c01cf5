"""What runs in the box: the jobs that meet hostile bytes, and their rehearsal."""

from contextlib import suppress

from mirror.article import pixels
from mirror.article.article import Article
from mirror.article.entry import Entry
from mirror.article.extraction import extract
from mirror.article.extraction.extract import Told
from mirror.article.extraction.siterules import SiteRules
from mirror.article.feeds import feed
from mirror.article.feeds.chosen import Choice, Chosen, chosen
from mirror.article.feeds.discover import feeds_in
from mirror.article.feeds.feed import Feed
from mirror.article.feeds.fields import AS_IT_SAYS, Reading
from mirror.article.feeds.sitemap import parse_sitemap
from mirror.article.picture import Picture
from mirror.errors import FormatError

_TEXT = "".join(
    f"<p>Paragraph number {number} of the rehearsal is long enough to be taken for real text.</p>"
    for number in range(30)
)
_FEED = (
    '<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/'
    'content/"><channel><title>Rehearsal</title><link>https://example.org/</link><item>'
    "<title>One</title><link>https://example.org/1</link><pubDate>Mon, 16 Nov 2026 06:30:00 GMT"
    f"</pubDate><content:encoded><![CDATA[{_TEXT}]]></content:encoded></item></channel></rss>"
)
_PAGE = (
    '<!doctype html><html lang="en"><head><title>One</title><meta name="date" content="2026-11-16">'
    f"</head><body><article><h1>One</h1>{_TEXT}</article></body></html>"
)
_EMPTY_PAGE = "<html><body><form><p>Log in</p></form></body></html>"


def read_feed(body: bytes, *, url: str, content_type: str, reading: Reading = AS_IT_SAYS) -> Feed:
    """See `mirror.article.feeds.feed.parse_feed`."""
    return feed.parse_feed(body, url=url, content_type=content_type, reading=reading)


def read_entry(body: bytes, *, entry: Entry, lang: str) -> Article:
    """See `mirror.article.extraction.extract.from_entry`; the hostile bytes are in `entry`."""
    return extract.from_entry(entry, lang=lang)


def read_entries(
    body: bytes, *, entries: tuple[Entry, ...], lang: str
) -> tuple[Article | str, ...]:
    """Return for each entry what `read_entry` does, or the sentence why it is refused."""
    return tuple(_article_or_reason(entry, lang) for entry in entries)


def _article_or_reason(entry: Entry, lang: str) -> Article | str:
    try:
        return extract.from_entry(entry, lang=lang)
    except FormatError as e:
        return str(e)


def read_page(
    body: bytes,
    *,
    entry: Entry,
    url: str,
    content_type: str,
    lang: str,
    rules: SiteRules | None = None,
) -> Told:
    """See `mirror.article.extraction.extract.read_page`."""
    return extract.read_page(
        body, entry=entry, url=url, content_type=content_type, lang=lang, rules=rules
    )


def read_picture(body: bytes, *, url: str, large_px: int = 0) -> Picture:
    """See `mirror.article.pixels.encode`."""
    return pixels.encode(body, url=url, large_px=large_px)


def read_sitemap(body: bytes, *, url: str, choice: Choice) -> Chosen:
    """See `mirror.article.feeds.sitemap.parse_sitemap` and `mirror.article.feeds.chosen`."""
    return chosen(parse_sitemap(body, url=url), choice)


def find_feeds(body: bytes, *, url: str, content_type: str) -> tuple[str, ...]:
    """See `mirror.article.feeds.discover.feeds_in`."""
    return feeds_in(body, url=url, content_type=content_type)


def warm_up() -> None:
    """Run what jobs do at first, so that every parser has loaded what it loads on first use.

    Afterwards the worker can open no file.
    """
    url = "https://example.org/1"
    [entry] = read_feed(_FEED.encode(), url=url, content_type="application/rss+xml").entries
    read_entries(b"", entries=(entry,), lang="en")
    for page in (_PAGE, _EMPTY_PAGE):  # on short ones the library takes other ways
        with suppress(FormatError):
            read_page(page.encode(), entry=entry, url=url, content_type="text/html", lang="en")
