"""A place that follows the site: it is tried again later and later, and stops nothing else."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from copier_site import making
from fakes import MemoryStore

from mirror.agenda import Agenda
from mirror.dag import Dag
from mirror.database import Database
from mirror.errors import StoreError
from mirror.follow import AGAIN_S, LOOK_S, MAX_RETRY_S, RETRY_S, follow_always, follow_once


class Place:
    """A place that does as it is told, and counts what is asked of it."""

    name = "place"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = self.untidy = ""
        self.due: list[int | None] = []

    async def follow(self) -> str:
        self.asked.append("follow")
        if self.fails:
            raise StoreError(self.fails)
        return "root"

    async def collect(self) -> int | None:
        self.asked.append("collect")
        if self.untidy:
            raise StoreError(self.untidy)
        return self.due.pop(0) if self.due else None


class Sleep:
    """Days go by at once; after `most` naps it is cancelled, as at the end of a daemon."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.slept: list[float] = []
        self.before: dict[int, object] = {}

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) in self.before:
            self.before[len(self.slept)]()  # type: ignore[operator]
        if len(self.slept) == self.most:
            raise asyncio.CancelledError


class Site:
    def __init__(self, folder: Path) -> None:
        self.db = Database.open(folder / "state.db", origin="test")
        self.dag = Dag(self.db, folder / "site")
        self.dag.rebuild()
        self.place = Place()

    def change(self) -> None:
        with self.db.transaction():
            self.dag.apply({"checkpoint": b"%d" % self.dag.generation()})

    async def follow(
        self, sleep: Sleep, *, now: Callable[[], int] = lambda: 7, beside: Dag | None = None
    ) -> list[float]:
        with pytest.raises(asyncio.CancelledError):
            await follow_always(self.place, self.db, beside or self.dag, now=now, sleep=sleep)
        return sleep.slept


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.db.close()


async def test_a_change_is_followed_at_the_next_look_and_only_then(site: Site):
    sleep = Sleep(10)
    sleep.before[5] = site.change
    await site.follow(sleep)

    assert site.place.asked == ["follow", "collect"] * 2
    assert set(sleep.slept) == {LOOK_S}


async def test_an_unchanged_site_is_looked_at_again_after_an_hour(site: Site):
    await site.follow(Sleep(int(2 * AGAIN_S / LOOK_S) + 2))

    assert site.place.asked.count("follow") == 3


async def test_a_failure_is_tried_again_later_and_later_up_to_a_limit(site: Site):
    site.place.fails = "it is gone"
    slept = await site.follow(Sleep(10))

    assert slept[:4] == [RETRY_S, 2 * RETRY_S, 4 * RETRY_S, 8 * RETRY_S]
    assert slept[-1] == MAX_RETRY_S == max(slept)


async def test_after_a_success_the_next_failure_is_tried_again_soon(site: Site):
    sleep = Sleep(8)
    site.place.fails = "it is gone"
    sleep.before[3] = lambda: setattr(site.place, "fails", "")

    def fail_again() -> None:
        site.place.fails = "it is gone again"
        site.change()

    sleep.before[5] = fail_again
    slept = await site.follow(sleep)

    assert slept == [RETRY_S, 2 * RETRY_S, 4 * RETRY_S, LOOK_S, LOOK_S, RETRY_S, 20.0, 40.0]


async def test_one_failure_is_said_once_and_its_end_too(
    site: Site, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    sleep = Sleep(9)
    site.place.fails = "it is gone"
    sleep.before[4] = lambda: setattr(site.place, "fails", "")
    await site.follow(sleep)

    assert caplog.messages == ["place: failed: it is gone", "place: root"]


async def test_what_came_of_it_is_noted(site: Site):
    await follow_once(site.place, site.db, now=lambda: 7)
    assert Agenda(site.db).noted("place") == (7, "root")
    site.place.fails = "it is gone"
    await follow_once(site.place, site.db, now=lambda: 8)

    assert Agenda(site.db).noted("place") == (8, "failed: it is gone")


async def test_a_place_that_can_not_be_tidied_has_the_site_all_the_same(
    site: Site, caplog: pytest.LogCaptureFixture
):
    site.place.untidy = "no answer in 3600 s"
    await site.follow(Sleep(5))

    assert site.place.asked == ["follow", "collect"]
    assert Agenda(site.db).noted("place") == (7, "root")
    assert "place: not tidied: no answer in 3600 s" in caplog.messages


async def test_a_database_that_is_locked_or_full_ends_no_follower(
    site: Site, caplog: pytest.LogCaptureFixture
):
    beside = Database.beside(site.db.path, origin="test")
    beside.execute("PRAGMA busy_timeout=50")
    with site.db.transaction():
        assert await follow_once(site.place, beside, now=lambda: 7) == "root"

    assert "place: not noted:" in caplog.text
    assert Agenda(site.db).noted("place") is None
    beside.close()


async def test_what_is_due_to_be_removed_waits_for_no_hour(site: Site):
    """Five minutes after the heads, and not at the next look at whether all is still there."""
    sleep = Sleep(int(310 / LOOK_S))
    site.place.due = [300, None]
    await site.follow(sleep, now=lambda: int(sum(sleep.slept)))

    assert site.place.asked == ["follow", "collect", "collect"]


async def test_what_can_not_be_removed_is_tried_again_in_a_while(site: Site):
    sleep = Sleep(int(2.5 * MAX_RETRY_S / LOOK_S))
    site.place.untidy = "it refuses"
    await site.follow(sleep, now=lambda: int(sum(sleep.slept)))

    assert site.place.asked == ["follow", "collect", "collect", "collect"]


async def test_nothing_is_removed_where_following_failed(site: Site):
    sleep = Sleep(5)
    site.place.due = [0] * 9
    site.place.fails = "it is gone"
    await site.follow(sleep)

    assert set(site.place.asked) == {"follow"}


async def test_a_database_that_can_not_be_read_for_a_while_ends_no_follower(site: Site):
    class Locked(Dag):
        left = 3

        def generation(self) -> int:
            self.left -= 1
            if 0 <= self.left < 2:
                raise StoreError("not read: database is locked")
            return super().generation()

    await site.follow(Sleep(6), beside=Locked(site.db, site.dag.site))

    assert site.place.asked.count("follow") >= 2


async def test_a_tree_that_the_disk_damaged_ends_no_follower_and_is_built_by_the_next_cycle(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    async with making(tmp_path) as site:
        db, store = site.signer.state.db, MemoryStore()
        rows = db.rows("SELECT place, first, piece FROM dag WHERE place>'a/'")
        with db.transaction():
            for place, first, piece in rows:
                flipped = piece.replace(b"1.html", b"\xb1.html")
                values = flipped, place, first
                db.execute("UPDATE dag SET piece=? WHERE place=? AND first=?", values)
        naps = 0

        async def sleep(_: float) -> None:
            nonlocal naps
            naps += 1
            if naps == 2:
                await site.press.settle()  # as each cycle does
            if naps == 4:
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            dag = Dag(site.beside, site.folder)
            await follow_always(
                *(site.copier(store), site.beside, dag), now=site.clock, sleep=sleep
            )

        first, *_, last = [line for line in caplog.messages if line.startswith(store.name)]
        assert "site: the tree of its blocks: damaged: 'utf-8' codec" in first
        assert last == f"{store.name}: {site.dag.root()}"
        assert site.differs(store.kept.get) == []
