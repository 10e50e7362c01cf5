"""The daemon: a cycle whenever a feed is due, the clock's word every hour, until told to stop.

Time comes in from outside, and is what tests squeeze. What is due is in the database, so a
daemon that was killed goes on where it was.
"""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import asdict, dataclass

from mirror.cycle import run_cycle
from mirror.desk import Desk, Summary, to_do
from mirror.errors import MirrorError, StateError, StoreError

logger = logging.getLogger(__name__)

GRACE_S = 5.0  # for a cycle to end by itself: people wait ten seconds, systemd ninety
RETRY_S = 60.0  # after a cycle that failed as a whole; doubled each time, up to MAX_RETRY_S
MAX_RETRY_S = 1800.0  # a full disk that was cleared is noticed within half an hour
JUMP_S = 600.0  # of the machine's clock against the time that passed: no drift is that large
SETTLE_S = 900.0  # a clock that was set forward must stay so this long before it is signed with
REST_S = 120.0  # without work, after which the workers end: each holds 100 MB


@dataclass(frozen=True, slots=True)
class Time:
    """The clock of the machine, in Unix seconds, and one that nobody sets, in seconds."""

    now: Callable[[], int]
    steady: Callable[[], float]


class Orders:
    """What the operator asks of a running daemon."""

    def __init__(self) -> None:
        self.given = asyncio.Event()
        self.stopping = False

    def stop(self) -> None:
        """End, when the present cycle has ended or a few seconds are over."""
        self.stopping = True
        self.given.set()

    def reload(self) -> None:
        """Read the settings again, and go on with them."""
        self.given.set()


class Watch:
    """Looks at the machine's clock: one that jumps ahead is not signed with at once.

    What is signed with a time in the future is believed by no reader, and the clock's word
    can then not be renewed before that time has come.
    """

    def __init__(self, time: Time) -> None:
        self._time = time
        self._ahead = time.now() - time.steady()
        self._since: float | None = None

    def settled(self) -> bool:
        """Return whether the clock may be signed with."""
        steady = self._time.steady()
        jump = self._time.now() - steady - self._ahead
        if abs(jump) <= JUMP_S:
            self._ahead += jump  # a drift: small each time, large in the end
        else:
            self._ahead += jump
            self._since = steady if jump > 0 else None
            what = (
                f"nothing is signed for {SETTLE_S:.0f} s" if jump > 0 else "no time is signed twice"
            )
            logger.warning("the machine's clock was set by %+.0f s: %s", jump, what)
        return self._since is None or steady - self._since >= SETTLE_S

    def now(self) -> int:
        """Return the time, to be signed with.

        Raises:
            StoreError: the clock was set while a cycle ran; to be tried again.
        """
        if not self.settled():
            raise StoreError("the machine's clock: set ahead: nothing is signed with it yet")
        return self._time.now()


async def run(
    desks: Callable[[], AbstractAsyncContextManager[Desk]],
    *,
    time: Time,
    ticks: Callable[[], AsyncIterator[None]],
    orders: Orders,
    beside: Sequence[Callable[[], Awaitable[None]]] = (),
) -> None:
    """Open a desk and run its cycles until the operator says stop; on reload, another desk.

    What is `beside` runs along with each desk, and is cancelled with it.

    Raises:
        StateError: to go on could sign a fork, or another daemon runs on the database.
        SettingsError: what the settings name is not usable.
    """
    watch = Watch(time)
    while not orders.stopping:
        orders.given.clear()
        async with desks() as desk:
            set_apart()
            cycles = _Cycles(desk, time, watch)
            try:
                async with asyncio.TaskGroup() as group:
                    works = [group.create_task(_awaited(work())) for work in beside]
                    works.append(group.create_task(cycles.run(ticks)))
                    group.create_task(_end(orders, cycles, works))
            except ExceptionGroup as e:  # one is enough to end it, and to tell why
                raise _gravest(e.exceptions) from e


def set_apart() -> None:
    """Have the collector look no more at what stays: code, settings, rules.

    Each of its whole looks at them held up all else for 19 to 50 ms. A desk before is let go.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _gravest(errors: Sequence[Exception]) -> Exception:
    """Return what the operator must know first: of a fork, then of a bug, then of the rest."""
    forks = [each for each in errors if isinstance(each, StateError)]
    bugs = [each for each in errors if not isinstance(each, MirrorError)]
    return [*forks, *bugs, *errors][0]


async def _awaited(work: Awaitable[None]) -> None:
    await work


async def _end(orders: Orders, cycles: "_Cycles", works: Sequence[asyncio.Task[None]]) -> None:
    """Wait for an order, then let the present cycle end, then cancel what runs."""
    await orders.given.wait()
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE_S):
            await cycles.busy.acquire()  # and never released: no cycle begins any more
    for work in works:
        work.cancel()


class _Cycles:
    """The cycles of one desk, one after another."""

    def __init__(self, desk: Desk, time: Time, watch: Watch) -> None:
        self.busy = asyncio.Lock()
        self._desk, self._time, self._watch = desk, time, watch
        self._failures = 0
        self._not_before = self._worked = time.steady()

    async def run(self, ticks: Callable[[], AsyncIterator[None]]) -> None:
        async with aclosing(ticks()) as strokes:  # type: ignore[type-var]
            async for _ in strokes:
                async with self.busy:
                    await self._tick()

    async def _tick(self) -> None:
        steady = self._time.steady()
        if not self._watch.settled() or steady < self._not_before:
            return
        try:
            summary = await self._cycle(steady)
        except StateError:
            raise
        except MirrorError as e:
            wait = min(RETRY_S * 2**self._failures, MAX_RETRY_S)
            self._failures += 1
            self._not_before = self._time.steady() + wait
            logger.warning("a cycle failed, tried again in %.0f s: %s", wait, e)
            return
        self._failures = 0
        if summary is not None:
            _tell(summary)

    async def _cycle(self, steady: float) -> Summary | None:
        """Run a cycle if there is something to do; else let the workers rest."""
        self._desk.state.db.check_in_place()
        due = to_do(self._desk, now=self._time.now())
        if due is not None:
            self._worked = steady
            return await run_cycle(self._desk, now=self._watch.now, due=due)
        if steady - self._worked > REST_S:
            await self._desk.poller.box.rest()
        return None


def _tell(summary: Summary) -> None:
    for problem in (*summary.warnings, *summary.problems):
        logger.warning("%s", problem)
    logger.info(
        "a cycle ended: %d new, %d revised, %d held, %d refused",
        *(summary.new, summary.revised, summary.held, summary.refused),
        extra={"summary": asdict(summary)},
    )
