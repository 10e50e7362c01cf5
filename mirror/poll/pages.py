"""The pages that articles are in: asked for, and asked again when the plan says so."""

import asyncio
from dataclasses import dataclass
from typing import Self

from mirror.article.entry import Entry
from mirror.errors import FetchError
from mirror.fetch import Fetched, Validators
from mirror.poll.values import Poller

MAX_PAGE_BYTES = 5 * 1024 * 1024  # real news pages are under 2 MB
PAGE_TYPES = "text/html, */*"


@dataclass(frozen=True, slots=True)
class Turn:
    """One look at all that is due: when it is, and how much may be under way at the same time."""

    now: int
    parallel: int
    feeds: asyncio.Semaphore
    pictures: asyncio.Semaphore

    @classmethod
    def of(cls, parallel: int, *, now: int) -> Self:
        """Return a turn with as many of each."""
        return cls(now, parallel, asyncio.Semaphore(parallel), asyncio.Semaphore(parallel))


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
