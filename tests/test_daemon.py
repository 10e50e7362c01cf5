"""The daemon on a simulated clock: what it does when, and what ends it."""

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fakes import NOW, Clock, MemoryStore, audited, docs_of
from newsroom import Answer, Newsroom, feed, item, numbered

from mirror.box import Box
from mirror.daemon import (
    JUMP_S,
    MAX_RETRY_S,
    RETRY_S,
    SETTLE_S,
    Orders,
    Time,
    Watch,
    run,
    set_apart,
)
from mirror.desk import Desk
from mirror.errors import SettingsError, StateError
from mirror.fetch import Fetcher
from mirror.formats.paths import CHECKPOINT, INDEX_PROOF
from mirror.poll import Poller, Source
from mirror.signer import Signer

pytestmark = pytest.mark.asyncio(loop_scope="module")

RSS = "application/rss+xml"
INTERVAL_S = 900
HOUR = 3600


class Mirror:
    """A daemon whose time passes only when a tick comes."""

    def __init__(self, signer: Signer, fetcher: Fetcher, box: Box) -> None:
        self.signer, self.fetcher, self.box = signer, fetcher, box
        self.store, self.clock, self.steady = MemoryStore(), Clock(), 0.0
        self.sources: list[Source] = []
        self.orders = Orders()
        self.opened = 0

    @asynccontextmanager
    async def desks(self) -> AsyncIterator[Desk]:
        self.opened += 1
        poller = Poller(self.sources, "en", self.signer.state, self.fetcher, self.box, 4)
        yield Desk(poller, self.signer, self.store, INTERVAL_S)

    async def run(self, *steps: int | Callable[[], object]) -> None:
        """Let so many seconds pass before each tick, or let something happen; then stop."""

        async def ticks() -> AsyncIterator[None]:
            for step in steps:
                if callable(step):
                    step()
                    continue
                self.clock.now += step
                self.steady += step
                yield
            self.orders.stop()
            await asyncio.Event().wait()

        self.orders = Orders()
        time = Time(self.clock, lambda: self.steady)
        await run(self.desks, time=time, ticks=ticks, orders=self.orders)

    def reads(self, url: str) -> None:
        self.sources = [*self.sources, Source(url, "auto")]

    def turn(self, seconds: int) -> Callable[[], None]:
        """Return what sets the machine's clock, without time passing."""

        def turned() -> None:
            self.clock.now += seconds

        return turned


@pytest_asyncio.fixture(loop_scope="module")
async def mirror(signer: Signer, newsroom: Newsroom, box: Box) -> AsyncIterator[Mirror]:
    async with Fetcher(allow_hosts=[newsroom.address], timeout_s=5) as fetcher:
        yield Mirror(signer, fetcher, box)


# When feeds are asked.


async def test_a_feed_is_asked_at_once_and_then_once_an_interval(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.reads(newsroom.says("/feed", feed(*numbered(2)), content_type=RSS))
    await mirror.run(5, *[INTERVAL_S // 9] * 27)

    assert newsroom.asked == ["/feed"] * 4


async def test_a_daemon_started_again_asks_nobody_too_early(mirror: Mirror, newsroom: Newsroom):
    mirror.reads(newsroom.says("/feed", feed(*numbered(2)), content_type=RSS))
    await mirror.run(5)
    await mirror.run(5, INTERVAL_S // 2)
    before = len(newsroom.asked)
    await mirror.run(INTERVAL_S // 2)

    assert (before, len(newsroom.asked)) == (1, 2)


async def test_each_feed_has_its_own_time(mirror: Mirror, newsroom: Newsroom):
    mirror.reads(newsroom.says("/a", feed(item(1)), content_type=RSS))
    await mirror.run(5)
    mirror.reads(newsroom.says("/b", feed(item(2)), content_type=RSS))
    await mirror.run(5, INTERVAL_S - 5)

    assert newsroom.asked == ["/a", "/b", "/a"]


async def test_a_feed_that_fails_is_asked_again_after_the_interval(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.reads(newsroom.fails("/feed", 503))
    await mirror.run(5, 5, 5, INTERVAL_S)
    asked = mirror.signer.state.db.rows("SELECT answered, problem FROM poll")

    assert newsroom.asked == ["/feed"] * 2
    assert asked == [(0, f"{newsroom.url('/feed')}: status 503: service unavailable")]


async def test_what_is_new_is_published_when_its_feed_is_due(mirror: Mirror, newsroom: Newsroom):
    url = newsroom.says("/feed", feed(*numbered(2)), content_type=RSS)
    mirror.reads(url)
    await mirror.run(
        5, lambda: newsroom.says("/feed", feed(*numbered(3)), content_type=RSS), 5, INTERVAL_S
    )

    assert [doc.n for doc in docs_of(mirror.signer) if doc.t == "doc"] == [0, 1, 2]
    assert await audited(mirror.store.kept, mirror.signer.root, now=mirror.clock.now) == []


async def test_the_clock_speaks_every_hour_though_no_feed_is_due(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.reads(newsroom.says("/feed", feed(*numbered(2)), content_type=RSS))
    await mirror.run(5)
    mirror.sources = []
    mirror.store.order.clear()
    await mirror.run(*[600] * 18)

    assert mirror.store.order == [CHECKPOINT, INDEX_PROOF] * 3


async def test_a_tick_with_nothing_to_do_touches_no_store(mirror: Mirror, newsroom: Newsroom):
    mirror.reads(newsroom.says("/feed", feed(*numbered(2)), content_type=RSS))
    await mirror.run(5)
    mirror.store.fails = lambda _: True
    mirror.store.order.clear()
    await mirror.run(5, 5, 5)

    assert mirror.store.order == []


# What the collector looks at.


@pytest.fixture
def unfrozen() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("unfrozen")
async def test_the_collector_looks_no_more_at_what_stays(mirror: Mirror):
    seen: list[int] = []
    await mirror.run(lambda: seen.append(gc.get_freeze_count()))

    assert seen[0] > 0


@pytest.mark.usefixtures("unfrozen")
async def test_what_only_a_desk_before_needed_is_let_go():
    class Part:
        whole: object

    part = Part()
    part.whole = part  # counting references never frees it
    seen = weakref.ref(part)
    set_apart()
    del part
    set_apart()

    assert seen() is None


# What goes wrong.


async def test_a_cycle_that_fails_is_tried_again_later_and_later(
    mirror: Mirror, newsroom: Newsroom, caplog: pytest.LogCaptureFixture
):
    mirror.reads(newsroom.says("/feed", feed(*numbered(2)), content_type=RSS))
    mirror.store.fails = lambda path: path.startswith("tile/")
    with caplog.at_level(logging.WARNING, "mirror"):
        await mirror.run(5, *[10] * 100)

    waits = [RETRY_S * 2**n for n in range(5)]
    assert sum(waits[:4]) < 1000 < sum(waits)
    assert len([line for line in caplog.messages if "a cycle failed" in line]) == 5

    mirror.store.fails = lambda _: False
    await mirror.run(int(MAX_RETRY_S))

    assert await audited(mirror.store.kept, mirror.signer.root, now=mirror.clock.now) == []


async def test_a_root_that_has_ended_stops_the_signing_and_not_the_daemon(
    mirror: Mirror, newsroom: Newsroom, caplog: pytest.LogCaptureFixture
):
    mirror.reads(newsroom.says("/feed", feed(*numbered(2)), content_type=RSS))
    mirror.signer = replace(mirror.signer, root=replace(mirror.signer.root, expires=NOW + 60))
    await mirror.run(90, 10)

    assert "root 1 ended" in caplog.text
    assert mirror.store.kept == {}


async def test_a_fork_ends_the_daemon(mirror: Mirror, newsroom: Newsroom):
    mirror.reads(newsroom.says("/feed", feed(*numbered(2)), content_type=RSS))
    await mirror.run(5)
    mirror.store.kept.pop(CHECKPOINT)

    with pytest.raises(StateError, match="empty, but 3 leaves were published there"):
        await mirror.run(INTERVAL_S)


async def test_what_runs_beside_the_cycles_ends_the_daemon_when_it_cannot_go_on(mirror: Mirror):
    async def cannot() -> None:
        raise SettingsError("the port is taken")

    async def ticks() -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    time = Time(mirror.clock, lambda: 0.0)
    with pytest.raises(SettingsError, match="the port is taken"):
        await run(mirror.desks, time=time, ticks=ticks, orders=Orders(), beside=[cannot])


# Orders.


async def test_a_reload_opens_another_desk_and_loses_nothing(mirror: Mirror, newsroom: Newsroom):
    mirror.reads(newsroom.says("/a", feed(item(1)), content_type=RSS))
    turns = iter([5, None, 5])

    async def ticks() -> AsyncIterator[None]:
        for turn in turns:
            if turn is None:
                mirror.reads(newsroom.says("/b", feed(item(2)), content_type=RSS))
                orders.reload()
                await asyncio.Event().wait()
            mirror.clock.now += turn or 0
            yield
        orders.stop()
        await asyncio.Event().wait()

    orders = Orders()
    await run(mirror.desks, time=Time(mirror.clock, lambda: 0.0), ticks=ticks, orders=orders)

    assert newsroom.asked == ["/a", "/b"]
    assert mirror.opened == 2


async def test_a_cycle_under_way_is_let_finish_when_the_daemon_stops(
    mirror: Mirror, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.daemon.GRACE_S", 60)  # a busy machine takes seconds for it
    mirror.reads(newsroom.says("/feed", feed(item(1)), content_type=RSS))
    slow = newsroom.answers["/feed"]
    newsroom.answers["/feed"] = replace(slow, pause_s=0.0002)

    async def ticks() -> AsyncIterator[None]:
        loop.call_soon(when_asked)
        yield
        await asyncio.Event().wait()

    def when_asked() -> None:
        """Stop as soon as the feed is being read."""
        if newsroom.asked:
            orders.stop()
        else:
            loop.call_later(0.005, when_asked)

    loop = asyncio.get_running_loop()

    orders = Orders()
    await run(mirror.desks, time=Time(mirror.clock, lambda: 0.0), ticks=ticks, orders=orders)

    assert [doc.n for doc in docs_of(mirror.signer) if doc.t == "doc"] == [0]
    assert await audited(mirror.store.kept, mirror.signer.root, now=mirror.clock.now) == []


async def test_a_cycle_that_hangs_is_cancelled_and_goes_on_after_a_restart(
    mirror: Mirror, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.daemon.GRACE_S", 0.1)
    mirror.reads(newsroom.url("/feed"))
    newsroom.answers["/feed"] = Answer(b"x" * 99, pause_s=60)

    async def ticks() -> AsyncIterator[None]:
        asyncio.get_running_loop().call_later(0.2, orders.stop)
        yield
        await asyncio.Event().wait()

    orders = Orders()
    async with asyncio.timeout(4):
        await run(mirror.desks, time=Time(mirror.clock, lambda: 0.0), ticks=ticks, orders=orders)
    newsroom.says("/feed", feed(item(1)), content_type=RSS)
    await mirror.run(5)

    assert [doc.n for doc in docs_of(mirror.signer) if doc.t == "doc"] == [0]


# A clock that jumps.


async def test_a_clock_set_far_ahead_is_not_signed_with(mirror: Mirror, newsroom: Newsroom):
    mirror.reads(newsroom.says("/feed", feed(*numbered(2)), content_type=RSS))
    await mirror.run(5, mirror.turn(24 * HOUR), *[60] * 5, mirror.turn(-24 * HOUR), 60)
    times = [doc.time for doc in docs_of(mirror.signer)]

    assert max(times) < NOW + HOUR
    assert mirror.signer.state.log().cosigned < NOW + HOUR


async def test_a_clock_that_stays_ahead_is_believed_in_the_end(mirror: Mirror, newsroom: Newsroom):
    mirror.reads(newsroom.says("/feed", feed(*numbered(2)), content_type=RSS))
    await mirror.run(5, mirror.turn(24 * HOUR), *[60] * (int(SETTLE_S) // 60 + 2))

    assert mirror.signer.state.log().cosigned > NOW + 24 * HOUR


async def test_a_clock_set_back_loses_no_poll_and_signs_no_time_twice(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.reads(newsroom.says("/feed", feed(*numbered(2)), content_type=RSS))
    await mirror.run(
        5,
        mirror.turn(-24 * HOUR),
        lambda: newsroom.says("/feed", feed(*numbered(3)), content_type=RSS),
        60,
        INTERVAL_S,
    )
    times = [doc.time for doc in docs_of(mirror.signer)]

    assert times == sorted(times)
    assert [doc.n for doc in docs_of(mirror.signer) if doc.t == "doc"] == [0, 1, 2]
    assert len(newsroom.asked) == 3


async def test_a_clock_that_drifts_is_not_one_that_was_set():
    now, steady, settled = 0.0, 0.0, []
    watch = Watch(Time(lambda: int(now), lambda: steady))
    for _ in range(1000):
        now, steady = now + 6, steady + 5
        settled.append(watch.settled())

    assert now - steady > JUMP_S
    assert all(settled)


async def test_a_clock_set_ahead_while_a_cycle_runs_is_not_signed_with(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.reads(newsroom.says("/feed", feed(*numbered(2)), content_type=RSS))
    read = mirror.fetcher.get

    async def slow(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        found = await read(*arguments, **options)
        mirror.clock.now += 24 * HOUR
        return found

    mirror.fetcher.get = slow  # type: ignore[method-assign]
    await mirror.run(5)

    assert docs_of(mirror.signer) == []

    mirror.fetcher.get = read  # type: ignore[method-assign]
    mirror.clock.now -= 24 * HOUR
    await mirror.run(int(RETRY_S))

    assert [doc.n for doc in docs_of(mirror.signer) if doc.t == "doc"] == [0, 1]
    assert max(doc.time for doc in docs_of(mirror.signer)) < NOW + HOUR


@pytest.mark.parametrize("name", ["state.db", "state.db.lock"])
async def test_a_database_that_was_removed_under_the_daemon_ends_it(
    mirror: Mirror, newsroom: Newsroom, tmp_path: Path, name: str
):
    mirror.reads(newsroom.says("/feed", feed(*numbered(2)), content_type=RSS))

    with pytest.raises(StateError, match=rf"{name}: removed or replaced while in use"):
        await mirror.run(5, (tmp_path / name).unlink, 5)


async def test_of_two_ends_at_once_the_gravest_is_told(mirror: Mirror):
    async def cannot() -> None:
        raise SettingsError("the port is taken")

    async def forks() -> None:
        raise StateError("to go on would sign a fork")

    async def ticks() -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    time = Time(mirror.clock, lambda: 0.0)
    with pytest.raises(StateError, match="a fork"):
        await run(mirror.desks, time=time, ticks=ticks, orders=Orders(), beside=[cannot, forks])
