"""The clock of the daemon: it ticks, and decides nothing.

APScheduler, which is used for this alone: what is due is in the database.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

logger = logging.getLogger(__name__)

PATIENCE = 4  # intervals without a tick before the scheduler is told the time again


async def ticks(interval_s: float) -> AsyncIterator[None]:
    """Yield now, and about every `interval_s` seconds from then on; the caller closes it.

    A tick that comes while the caller is busy is kept, ten of them are one. The scheduler goes
    by the machine's clock: where that is set back by an hour, it would be silent for an hour.
    """
    tick = asyncio.Event()

    async def strike() -> None:
        tick.set()

    scheduler = AsyncIOScheduler(timezone=UTC)
    # Its own default skips a job that is a second late, without a word.
    late = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    trigger = IntervalTrigger(seconds=interval_s, timezone=UTC)
    job = scheduler.add_job(strike, trigger, next_run_time=datetime.now(UTC), **late)
    scheduler.start()
    try:
        while True:
            try:
                async with asyncio.timeout(PATIENCE * interval_s):
                    await tick.wait()
            except TimeoutError:
                logger.warning("the scheduler fell silent: the clock was set back")
                job.modify(next_run_time=datetime.now(UTC))
                continue
            tick.clear()
            yield
    finally:
        scheduler.shutdown(wait=False)
