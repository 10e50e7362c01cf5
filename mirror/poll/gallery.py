"""The pictures of articles: fetched through the guard, and made anew in the box."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from mirror.article.jobs import read_picture
from mirror.article.picture import MAX_BYTES, MAX_LARGE_BYTES, Picture, picture_addresses
from mirror.errors import FetchError
from mirror.poll.pages import Turn
from mirror.poll.values import Found, Poller

MAX_PICTURE_BYTES = 15 * 1024 * 1024  # a photographer's own file
PICTURES_S = 60.0  # for all of an article: it is not held up by a server that is slow with each
GALLERY_S = 60.0  # for those of one feed in one poll: an article that is left comes with the next
MAX_FAILURES = 3  # of one host in one poll: one that is down would take half a minute each time
PICTURE_TYPES = "image/webp, image/png, image/jpeg, image/gif;q=0.9, */*;q=0.1"


class Gallery:
    """Fetches the pictures of one feed's articles, as long as there is time in this poll."""

    def __init__(self, poller: Poller, turn: Turn) -> None:
        self._poller = poller
        # A feed's own: the slow pictures of another take none of its places.
        self._articles = asyncio.Semaphore(turn.parallel)
        self._pictures = asyncio.Semaphore(turn.parallel)
        self._until = asyncio.get_running_loop().time() + GALLERY_S
        self._failures: Counter[str] = Counter()

    async def add_to(self, found: Found) -> Found:
        """Return `found` with its pictures; `late`, without, if its time has not come."""
        article = found.article
        addresses = picture_addresses(article.blocks) if article and self._poller.pictures else ()
        if article is None or not addresses:
            return found
        async with self._articles:  # the time of one that waits does not run
            if asyncio.get_running_loop().time() > self._until:
                return replace(found, article=None, late=True)
            got = await self._fetched(addresses)
        pictures = tuple(got[address] for address in addresses if address in got)
        return replace(found, article=replace(article, pictures=pictures))

    async def _fetched(self, addresses: Sequence[str]) -> dict[str, Picture]:
        got: dict[str, Picture] = {}
        try:
            async with asyncio.timeout(PICTURES_S), asyncio.TaskGroup() as group:
                for address in addresses:
                    group.create_task(self._add(address, got))
        except TimeoutError:
            pass  # those that came are published; a link leads to the others
        return got

    async def _add(self, address: str, got: dict[str, Picture]) -> None:
        host, poller = urlsplit(address).hostname or "", self._poller
        async with self._pictures:
            if self._failures[host] >= MAX_FAILURES:
                return
            try:
                fetched = await poller.fetcher.get(
                    address, max_bytes=MAX_PICTURE_BYTES, accept=PICTURE_TYPES
                )
            except FetchError:
                self._failures[host] += 1
                return  # a link to the original stands for it
            if fetched is None:
                return
            made = await poller.box.run(
                read_picture, fetched.body, url=address, large_px=poller.large_px
            )
        if isinstance(made, Picture) and made.url == address and _is_sound(made):
            got[address] = made


def _is_sound(picture: Picture) -> bool:
    """Return whether these are pictures as promised: a captured worker may say anything."""
    sizes = ((picture.webp, MAX_BYTES), (picture.large, MAX_LARGE_BYTES))
    return bool(picture.webp) and all(
        not data or (len(data) <= most and data[:4] == b"RIFF" and data[8:12] == b"WEBP")
        for data, most in sizes
    )
