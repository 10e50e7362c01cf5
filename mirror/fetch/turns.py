"""Whose turn it is to ask a host: so many at a time, and no sooner than it wishes."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

MAX_PACED = 256  # hosts whose last request is remembered once nobody asks them any more
LONG_AGO = float("-inf")

T = TypeVar("T")


@dataclass(slots=True)
class _Line:
    places: asyncio.Semaphore
    gate: asyncio.Lock = field(default_factory=asyncio.Lock)
    people: int = 0
    ready_at: float = LONG_AGO

    async def pace(self, delay_s: float) -> None:
        async with self.gate:  # one after the other, or all would wake together
            await asyncio.sleep(max(self.ready_at - _clock(), 0))
            self.ready_at = _clock() + delay_s

    def is_idle(self) -> bool:
        return not self.people and self.ready_at <= _clock()


class Turns:
    """At most `per_host` (0: any number) requests are under way to a host; one line for each."""

    def __init__(self, per_host: int) -> None:
        self._per_host = per_host or sys.maxsize
        self._lines: dict[str, _Line] = {}

    async def take(
        self,
        host: str,
        limit: asyncio.Timeout,
        act: Callable[[], Coroutine[None, None, T]],
        *,
        delay_s: float,
    ) -> T:
        """Return `act()`, done in its turn, `delay_s` after the turn before; the wait is no time.

        Whoever is cancelled leaves the line.
        """
        line = self._lines.get(host)
        if line is None:
            line = self._lines[host] = _Line(asyncio.Semaphore(self._per_host))
        line.people += 1
        try:
            with paused(limit) if line.places.locked() else nullcontext():
                await line.places.acquire()
            try:
                if delay_s:
                    with paused(limit):
                        await line.pace(delay_s)
                return await act()
            finally:
                line.places.release()
        finally:
            line.people -= 1
            self._forget(host)

    def _forget(self, host: str) -> None:
        if self._lines[host].is_idle():
            del self._lines[host]
        if len(self._lines) > MAX_PACED:
            for name in [name for name, line in self._lines.items() if line.is_idle()]:
                del self._lines[name]


@contextmanager
def paused(limit: asyncio.Timeout) -> Iterator[None]:
    """Stop the clock of `limit`: it is for what servers do, not for what waits here."""
    end = limit.when()
    if end is None:
        yield
        return
    left_s = max(end - _clock(), 0)
    limit.reschedule(None)
    try:
        yield
    finally:
        limit.reschedule(_clock() + left_s)


def _clock() -> float:
    return asyncio.get_running_loop().time()
