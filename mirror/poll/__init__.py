"""One poll of a feed: fetch it, parse it, and find the articles of its new entries.

Everything that parses runs in the box. An entry or a feed that fails is a value with the
sentence why; nothing here writes.
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    Callable,
    Collection,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from typing import TypeVar

from mirror.backfill import Order
from mirror.poll.again import look_again
from mirror.poll.archive import go_on
from mirror.poll.feeds import poll_feed
from mirror.poll.gallery import complete
from mirror.poll.pages import Turn
from mirror.poll.values import Found, Poll, Poller, Source
from mirror.recheck import Recheck
from mirror.recheck.pictures import Pictures, Shown
from mirror.threads import in_thread

__all__ = ["Found", "Poll", "Poller", "Source", "polls"]

T = TypeVar("T")

PICTURES = 32  # articles whose pictures are asked for again in one look at all that is due


async def polls(
    poller: Poller,
    due: Sequence[Source],
    progress: Callable[[str], None],
    *,
    now: int,
    rechecks: Sequence[Recheck] = (),
    orders: Sequence[Order] = (),
) -> AsyncGenerator[list[Poll]]:
    """Yield the outcomes of what is due as they come, those that came meanwhile at once.

    So one round publishes what many feeds brought, and none waits for the slowest. The
    caller closes the generator; polls under way are then cancelled.
    """
    turn = Turn.of(poller.parallel, now=now)
    pictures = Pictures(poller.state.db)
    # In a thread: 32 texts are unpacked and checked. Before any task begins, that none is left.
    any_due = poller.pictures and pictures.any_due(now=now)
    owed = await in_thread(pictures.due, now=now, most=PICTURES) if any_due else []

    async def gated(source: Source) -> Poll:
        async with turn.feeds:
            progress(source.url)
            return await poll_feed(poller, source, turn)

    # No task group: it would turn the closing of this generator into an error of its own.
    begun = {asyncio.create_task(gated(source)): source.url for source in due}
    for source, some in _by_source(poller, rechecks):
        begun[asyncio.create_task(look_again(poller, source, some, turn))] = source.url
    tasks = [*begun, *(asyncio.create_task(go_on(poller, order, turn)) for order in orders)]
    tasks += [asyncio.create_task(each) for each in _completions(poller, turn, owed, begun)]
    async with aclosing(_as_they_end(tasks)) as ended:
        async for done in ended:
            yield [_result(task) for task in tasks if task in done]


def _by_source(
    poller: Poller, rechecks: Sequence[Recheck]
) -> Iterator[tuple[Source, list[Recheck]]]:
    """Yield the pages that are due of each feed; the first speaks for feeds that are no more."""
    configured = {source.url for source in poller.sources}
    for source in poller.sources:
        orphans = source is poller.sources[0]  # else their pages stay due for ever
        some = [
            each
            for each in rechecks
            if each.source == source.url or (orphans and each.source not in configured)
        ]
        if some:
            yield source, some


async def _as_they_end(tasks: Collection[asyncio.Task[T]]) -> AsyncGenerator[set[asyncio.Task[T]]]:
    """Yield the tasks that ended meanwhile, until all have; those left when it is closed end."""
    left = set(tasks)
    try:
        while left:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            yield done
    finally:
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)


def _result(task: asyncio.Task[Poll]) -> Poll:
    """Return what came of a look; of errors that came together, the first is told as itself."""
    try:
        return task.result()
    except ExceptionGroup as e:
        error: Exception = e
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        raise error from e


def _completions(
    poller: Poller, turn: Turn, owed: Sequence[Shown], begun: Mapping[asyncio.Task[Poll], str]
) -> Iterator[Coroutine[None, None, Poll]]:
    """Yield what asks for the pictures that some articles lack, of each feed's together.

    After what has `begun` to look at that feed: an edit goes before.
    """
    known = {source.url: source for source in poller.sources}
    for url in dict.fromkeys(each.source for each in owed):
        some = [each for each in owed if each.source == url]
        before = [task for task, of in begun.items() if of == url]
        source = known.get(url) or Source(url, "auto")
        yield complete(poller, source, some, turn, before=before)
