"""What would be mirrored from an address, before anything is signed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mirror.article.feeds.cap import newest
from mirror.article.feeds.feed import MAX_FEED_BYTES, Feed
from mirror.article.jobs import find_feeds
from mirror.box import Refused
from mirror.errors import FormatError
from mirror.fetch import Fetched
from mirror.poll import Found, Poller, Source
from mirror.poll.entries import is_held
from mirror.poll.feeds import FEED_TYPES, entries, parse
from mirror.poll.pages import Turn


@dataclass(frozen=True, slots=True)
class Looked:
    """A feed, and what its newest entries would become."""

    url: str
    feed: Feed
    whole: int
    """How many of its entries have the whole text in the feed itself."""
    found: Sequence[Found]
    others: Sequence[str] = ()
    """Other feeds that the page named, where the address was a page's."""


async def look(poller: Poller, source: Source, *, most: int) -> Looked:
    """Return what the feed at an address, or the first that its page names, would bring.

    Raises:
        FetchError: the address gives nothing.
        FormatError: it is neither a feed nor a page that names one.
    """
    fetched = await _get(poller, source.url)
    parsed = await parse(poller, source, fetched)
    if isinstance(parsed, Feed):
        return await _looked(poller, source, parsed, most=most)
    named = await poller.box.run(
        find_feeds, fetched.body, url=fetched.url, content_type=fetched.content_type
    )
    if isinstance(named, Refused) or not named:
        raise FormatError(f"{source.url}: {parsed.reason}; it names no feed either")
    for url in named:
        other = replace(source, url=url)
        parsed = await parse(poller, other, await _get(poller, url))
        if isinstance(parsed, Feed):
            looked = await _looked(poller, other, parsed, most=most)
            return replace(looked, others=[each for each in named if each != url])
    raise FormatError(f"{source.url}: none of the feeds that it names is one: {', '.join(named)}")


async def _get(poller: Poller, url: str) -> Fetched:
    fetched = await poller.fetcher.get(url, max_bytes=MAX_FEED_BYTES, accept=FEED_TYPES)
    if fetched is None:  # nobody asked whether it had changed
        raise FormatError(f"{url}: status 304 unasked")
    return fetched


async def _looked(poller: Poller, source: Source, feed: Feed, *, most: int) -> Looked:
    whole = sum(is_held(poller, source, entry) for entry in feed.entries)
    some = newest(feed.entries, lambda entry: entry.published, most=most)
    part = replace(feed, entries=tuple(some))
    found, *_ = await entries(poller, source, part, Turn.of(poller.parallel, now=0))
    return Looked(source.url, feed, whole, found[::-1])
