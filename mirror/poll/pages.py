"""The pages that articles are in: asked for, and asked again when the plan says so."""

import asyncio
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from mirror.article.entry import Entry
from mirror.errors import FetchError, FormatError
from mirror.fetch import Fetched, Validators
from mirror.formats.url import canonical_url
from mirror.poll.values import Poller

MAX_PAGE_BYTES = 5 * 1024 * 1024  # real news pages are under 2 MB
SECTION_PARTS = 2
"""Of a section's path, all words: an article's has a number, a date or a headline with dashes."""
PAGE_TYPES = "text/html, */*"


@dataclass(frozen=True, slots=True)
class Turn:
    """One look at all that is due: when it is, and how many feeds, and pages of each, at once."""

    now: int
    parallel: int
    feeds: asyncio.Semaphore

    @classmethod
    def of(cls, parallel: int, *, now: int) -> Self:
        """Return a turn with as many of each."""
        return cls(now, parallel, asyncio.Semaphore(parallel))


def leads_elsewhere(poller: Poller, entry: Entry, page: Fetched, *, short: str = "") -> bool:
    """Return whether an article's address leads to a front page, or to another article's page.

    So sites answer for what they removed: its text would be signed as this article's, which is
    known as `short` if it is known.
    """
    try:
        own, there = canonical_url(entry.link), canonical_url(page.url)
    except FormatError:
        return False
    here, to = urlsplit(own), urlsplit(there)
    if not _is_home(poller, here.hostname or "", to.hostname or ""):
        return True  # a filter's page, or whoever owns the name now
    if _is_section(to.path) and _last_part(to.path) != _last_part(here.path):
        return True
    held = poller.state.find([f"link {there}"]) if short else None
    return held is not None and held.short != short


def _is_home(poller: Poller, here: str, to: str) -> bool:
    """Return whether `to` is a host of those who own `here`, as far as anybody can tell."""
    if here not in poller.hosts:
        return True  # a counter of clicks, say: it leads where it wants
    hosts = [host.removeprefix("www.") for host in poller.hosts]
    return any(to == host or to.endswith(f".{host}") for host in hosts)


def _is_section(path: str) -> bool:
    """Return whether a path is a front page's or a section's: `/`, `/news/`, `/en/opinion`."""
    parts = [part for part in path.split("/") if part]
    return len(parts) <= SECTION_PARTS and all(part.isalpha() for part in parts)


def _last_part(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


async def page_of(poller: Poller, entry: Entry, known: Validators | None = None) -> Fetched | None:
    """Return the page that an entry links to; None if it is what it was when it was `known`.

    Raises:
        FetchError: it is not to be had now.
    """
    if not entry.link:
        raise FetchError("only a teaser, and no link to its page")
    return await poller.fetcher.get(
        entry.link, max_bytes=MAX_PAGE_BYTES, validators=known, accept=PAGE_TYPES
    )
