"""How long an event loop is away from those that wait for it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bench.table import Row

PULSE_S = 0.001
TARGET = "≤ 50 ms"
_SCHEDSTAT = Path("/proc/thread-self/schedstat")


class Away:
    """The longest that the event loop of this thread was away: by the clock, and by what was done.

    It waits for its own work, and for a thread that has the interpreter. By the clock it also waits
    while another program has the core that such a thread needs.
    """

    def __init__(self) -> None:
        self.clock_s = self.work_s = 0.0
        self.begin()

    def begin(self) -> None:
        """Forget what was before this moment."""
        self._on = True
        self._clock_s, self._work_s = _clock_s(), time.process_time()

    def end(self) -> None:
        """Note nothing more, until it begins anew."""
        self.beat()
        self._on = False

    def beat(self) -> None:
        """Note how long it was away until this moment."""
        if not self._on:
            return
        clock_s, work_s = self._clock_s, self._work_s
        self.begin()
        away_s = self._clock_s - clock_s - PULSE_S
        self.clock_s = max(self.clock_s, away_s)
        self.work_s = max(self.work_s, min(away_s, self._work_s - work_s))

    def rows(self, what: str) -> list[Row]:
        """Return it as rows of a table."""
        return [
            Row(f"{what}: event loop away", f"{self.clock_s * 1000:.0f} ms"),
            Row("  for work of this process", f"{self.work_s * 1000:.0f} ms", TARGET),
        ]


@asynccontextmanager
async def watched() -> AsyncIterator[Away]:
    """Yield what is noted while it is open."""
    away = Away()
    watch = asyncio.create_task(_watch(away))
    try:
        await asyncio.sleep(PULSE_S)
        yield away
    finally:
        await asyncio.sleep(PULSE_S)
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch


async def _watch(away: Away) -> None:
    while True:
        await asyncio.sleep(PULSE_S)
        away.beat()


def _clock_s() -> float:
    """Return the time without that for which this thread could have run and had no core."""
    queued_s = int(_SCHEDSTAT.read_text().split()[1]) / 1e9 if _SCHEDSTAT.exists() else 0.0
    return time.monotonic() - queued_s
