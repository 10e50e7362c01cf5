"""One poll of a feed: fetch it, parse it, and find the articles of its new entries.

Everything that parses runs in the box. An entry or a feed that fails is a value with the
sentence why; nothing here writes.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from mirror.backfill import Order
from mirror.poll.again import look_again
from mirror.poll.archive import go_on
from mirror.poll.feeds import poll_feed
from mirror.poll.pages import Turn
from mirror.poll.values import Found, Poll, Poller, Source
from mirror.recheck import Recheck

__all__ = ["Found", "Poll", "Poller", "Source", "polls"]


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

    async def gated(source: Source) -> Poll:
        async with turn.feeds:
            progress(source.url)
            return await poll_feed(poller, source, turn)

    # No task group: it would turn the closing of this generator into an error of its own.
    tasks = [asyncio.create_task(gated(source)) for source in due]
    configured = {source.url for source in poller.sources}
    for source in poller.sources:
        # The first speaks for feeds that are no more: else their pages stay due for ever.
        orphans = source is poller.sources[0]
        some = [
            each
            for each in rechecks
            if each.source == source.url or (orphans and each.source not in configured)
        ]
        if some:
            tasks.append(asyncio.create_task(look_again(poller, source, some, turn)))
    tasks += [asyncio.create_task(go_on(poller, order, turn)) for order in orders]
    left = set(tasks)
    try:
        while left:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            yield [task.result() for task in tasks if task in done]
    finally:
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
