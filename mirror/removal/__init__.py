"""Whether a withdrawn article is gone from all places of a mirror: each is asked, all at once.

A place outside is asked only once our own records say that it has followed: before, it is known
what it would say. One that can not be asked is not confirmed, whatever the records say.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from mirror.errors import StoreError
from mirror.fetch import Fetcher
from mirror.removal.ask import Answer, Seen, ask_address
from mirror.removal.case import Case
from mirror.removal.looks import LOG, Look, looks_of
from mirror.threads import in_thread

__all__ = ["LOG", "Case", "Place", "confirmed"]

ASK_S = 10.0  # for what one place is asked: a slower one is asked again
LEAST_S = 5.0  # the same, where hardly any time is left: each is asked once at least
LOOK_S = 0.5  # between two looks at our own records
AGAIN_S = 3.0  # between two questions to a place, each of which may cost the operator money


@dataclass(frozen=True, slots=True)
class Place:
    """Whether the article is gone from a place, and what was seen there.

    A copy that is not the operator's `decides` nothing: it follows by itself.
    """

    place: str
    answer: Answer
    detail: str
    decides: bool = True


async def confirmed(
    case: Case, *, most_s: float, progress: Callable[[str], None] = lambda _: None
) -> list[Place]:
    """Ask all places, again and again until each says that the article is gone, or time is over.

    Each is asked once at least; a slow one delays no other. Copies that are not the operator's
    are asked once, at the end.
    """
    end = time.monotonic() + most_s
    hosts = [*case.settings.fetch.allow_hosts, *case.allow_hosts]
    fetcher = Fetcher(allow_hosts=hosts, proxy=case.settings.fetch.proxy, timeout_s=ASK_S)
    with ExitStack() as stack:
        async with fetcher:
            looks = await in_thread(looks_of, case, fetcher, stack)
            count = _Count(len(looks), progress)
            async with asyncio.TaskGroup() as group:
                own = [group.create_task(_watched(each, end, count)) for each in looks]
            async with asyncio.TaskGroup() as group:
                urls = [each.url for each in case.settings.mirrors]
                others = [group.create_task(_copy(each, case, fetcher)) for each in urls]
        seen = list(zip(looks, [task.result() for task in own], strict=True))
        await in_thread(_remove, seen)
    found = [Place(look.place, each.answer, each.detail) for look, each in seen]
    return [*found, *(task.result() for task in others)]


def _remove(seen: Sequence[tuple[Look, Seen]]) -> None:
    """Have what places list, although it was removed there, be removed once more."""
    with suppress(StoreError):  # a daemon writes for long: whoever asks again, orders it again
        for look, each in seen:
            if each.left:
                look.remove(each.left)


class _Count:
    """Shows how many places have confirmed it."""

    def __init__(self, places: int, progress: Callable[[str], None]) -> None:
        self._places, self._gone, self._progress = places, 0, progress

    def add(self, *, gone: bool) -> None:
        self._gone += gone
        self._progress(f"gone from {self._gone} of {self._places} places")


async def _watched(look: Look, end: float, count: _Count) -> Seen:
    """Ask a place until it says that the article is gone, or until the `end`."""
    while True:
        left = end - time.monotonic()
        seen, wait = await _seen(look, max(min(ASK_S, left), LEAST_S))
        count.add(gone=seen.answer == "removed")
        if seen.answer == "removed" or left <= 0:
            return seen
        await asyncio.sleep(min(wait, max(end - time.monotonic(), 0)))


async def _seen(look: Look, limit_s: float) -> tuple[Seen, float]:
    """Return what a place says, or what it waits for, and how long to leave it alone."""
    try:
        missing = await in_thread(look.missing)
    except StoreError as e:  # the database is locked, or there is no tree yet
        missing = str(e)
    if missing:
        return Seen("not yet", missing), LOOK_S
    return await _asked(look.ask, limit_s), AGAIN_S


async def _asked(ask: Callable[[], Awaitable[Seen]], limit_s: float) -> Seen:
    try:
        async with asyncio.timeout(limit_s):
            return await ask()
    except TimeoutError:
        return Seen("not confirmed", f"no whole answer in {limit_s:.0f} s")
    except StoreError as e:  # of the place, or of our own database
        return Seen("not confirmed", str(e))


async def _copy(url: str, case: Case, fetcher: Fetcher) -> Place:
    async def ask() -> Seen:
        return await ask_address(fetcher, url, await in_thread(case.gone))

    seen = await _asked(ask, ASK_S)
    return Place(url, seen.answer, seen.detail, decides=False)
