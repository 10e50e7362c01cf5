"""The pictures of articles: fetched through the guard, and made anew in the box."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from mirror.article.jobs import read_picture
from mirror.article.picture import (
    MAX_BYTES,
    MAX_LARGE_BYTES,
    Picture,
    lacking,
    name,
    picture_addresses,
)
from mirror.errors import FetchError
from mirror.formats.paths import article_folder
from mirror.poll.pages import Turn
from mirror.poll.values import Found, Poll, Poller, Source
from mirror.recheck.pictures import Known, Pictures, Shown, Visit, server_of

MAX_PICTURE_BYTES = 15 * 1024 * 1024  # a photographer's own file
PICTURES_S = 60.0  # for all of an article: it is not held up by a server that is slow with each
GALLERY_S = 60.0  # for those of one feed in one poll: an article that is left comes with the next
MAX_FAILURES = 3  # of one host in one poll: one that is down would take half a minute each time
PICTURE_TYPES = "image/webp, image/png, image/jpeg, image/gif;q=0.9, */*;q=0.1"


@dataclass(frozen=True, slots=True)
class _Look:
    """What came of asking for some pictures; of those in neither, some may come."""

    got: dict[str, Picture] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)


class Gallery:
    """Fetches the pictures of one feed's articles, as long as there is time in this poll."""

    def __init__(self, poller: Poller, source: Source, turn: Turn) -> None:
        self._poller, self._source, self._now = poller, source.url, turn.now
        # A feed's own: the slow pictures of another take none of its places.
        self._articles = asyncio.Semaphore(turn.parallel)
        self._pictures = asyncio.Semaphore(turn.parallel)
        self._until = asyncio.get_running_loop().time() + GALLERY_S
        self._failures: Counter[str] = Counter()
        self._busy = Pictures(poller.state.db).busy(now=turn.now)
        self._new: dict[str, int] = {}
        """Of these, what was said in this poll: another feed's may have been told more since."""

    async def add_to(self, found: Found, known: Shown | None = None) -> Found:
        """Return `found` with its pictures; `late`, without, if its time has not come.

        A picture of its last revision, as far as that is `known`, stays where it is not to be had
        any more.
        """
        article = found.article
        addresses = picture_addresses(article.blocks) if article and self._poller.pictures else ()
        if article is None or not addresses:
            return found
        async with self._articles:  # the time of one that waits does not run
            if asyncio.get_running_loop().time() > self._until:
                return replace(found, article=None, late=True)
            look = await self._fetched(addresses)
        left = [each for each in addresses if each not in look.got]
        kept = await self._kept(known, left) if known else {}
        may_come = {each: lacking(each) for each in left if each not in look.refused}
        pictures = _in_order(addresses, may_come | kept | look.got)
        visit = Visit(tuple(self._new.items())) if may_come and self._new else None
        return replace(found, article=replace(article, pictures=pictures), visit=visit)

    async def complete(self, plan: Shown) -> Found:
        """Return an article as it was published, with more of its pictures; without, if none came.

        As long as the site has those that it was published with.
        """
        key = f"{plan.source} {plan.identity.keys[0]}"
        found = Found(key, b"", plan.identity)
        async with self._articles:
            if plan.article is None or asyncio.get_running_loop().time() > self._until:
                return replace(found, late=True)
            asked = any(self._server(each) not in self._busy for each in plan.lacks)
            look = await self._fetched(plan.lacks)
        visit = Visit(tuple(self._new.items()), plan, tuple(look.refused), asked)
        kept = await self._kept(plan, [each.url for each in plan.had]) if look.got else {}
        if not look.got or len(kept) < len(plan.had):
            return replace(found, visit=visit)
        may_come = {each: lacking(each) for each in plan.lacks if each not in look.refused}
        addresses = picture_addresses(plan.article.blocks)
        pictures = _in_order(addresses, may_come | kept | look.got)
        return replace(found, article=replace(plan.article, pictures=pictures), visit=visit)

    async def _fetched(self, addresses: Sequence[str]) -> _Look:
        look = _Look()
        try:
            async with asyncio.timeout(PICTURES_S), asyncio.TaskGroup() as group:
                for address in addresses:
                    group.create_task(self._add(address, look))
        except TimeoutError:
            pass  # those that came are published; a link leads to the others
        return look

    async def _add(self, address: str, look: _Look) -> None:
        server, poller = self._server(address), self._poller
        async with self._pictures:
            if self._failures[server] >= MAX_FAILURES or server in self._busy:
                return
            try:
                fetched = await poller.fetcher.get(
                    address, max_bytes=MAX_PICTURE_BYTES, accept=PICTURE_TYPES
                )
            except FetchError as e:
                self._failed(server, e)
                if not _may_pass(e):
                    look.refused.add(address)
                return  # a link to the original stands for it
            if fetched is None:
                return
            made = await poller.box.run(
                read_picture, fetched.body, url=address, large_px=poller.large_px
            )
        if isinstance(made, Picture) and made.url == address and _is_sound(made):
            look.got[address] = made
        else:
            look.refused.add(address)

    def _server(self, address: str) -> str:
        return server_of(address, source=self._source)

    def _failed(self, server: str, e: FetchError) -> None:
        self._failures[server] += 1
        if e.retry_s:
            self._busy[server] = self._new[server] = self._now + e.retry_s

    async def _kept(self, known: Shown, addresses: Sequence[str]) -> dict[str, Picture]:
        """Return the pictures that were had before and are in the site."""
        some = [each for each in known.had if each.url in addresses]
        found = [await self._restored(known.short, each) for each in some]
        return {each.url: each for each in found if each}

    async def _restored(self, short: str, known: Known) -> Picture | None:
        kept = self._poller.kept
        if kept is None:
            return None
        folder = article_folder(short)
        webp = await kept(f"{folder}/{known.name}") or b""
        large = (await kept(f"{folder}/{known.large}") or b"") if known.large else b""
        if name(webp) != known.name or (large and name(large) != known.large):
            return None
        return Picture(known.url, webp, known.width, known.height, large)


async def complete(
    poller: Poller,
    source: Source,
    some: Sequence[Shown],
    turn: Turn,
    *,
    before: Collection[asyncio.Task[Poll]] = (),
) -> Poll:
    """Return what came of asking again for the pictures that some of a feed's articles lack.

    `before` it are other looks at that feed: what they find edited has its pictures from them.
    """
    if before:
        await asyncio.wait(before)
    gallery = Gallery(poller, source, turn)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(gallery.complete(each)) for each in some]
    return Poll(source, tuple(task.result() for task in tasks))


def _in_order(addresses: Sequence[str], found: dict[str, Picture]) -> tuple[Picture, ...]:
    return tuple(found[each] for each in addresses if each in found)


def _may_pass(e: FetchError) -> bool:
    """Return whether a picture may be had later: its server is down, or busy, or was cut off."""
    return e.kind in ("failed", "later", "challenge")


def _is_sound(picture: Picture) -> bool:
    """Return whether these are pictures as promised: a captured worker may say anything."""
    sizes = ((picture.webp, MAX_BYTES), (picture.large, MAX_LARGE_BYTES))
    return bool(picture.webp) and all(
        not data or (len(data) <= most and data[:4] == b"RIFF" and data[8:12] == b"WEBP")
        for data, most in sizes
    )
