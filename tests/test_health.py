"""How a mirror is: what makes it well, and what may be told to strangers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import NOW, ORIGIN, Clock, MemoryStore, draft, open_signer, quiet_desk

from mirror.agenda import Agenda
from mirror.cycle import run_cycle
from mirror.database import Database
from mirror.health import LATE_S, Health, look
from mirror.signer import Signer

FEED = "https://news.example/feed"
YEAR = 366 * 24 * 3600


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[Signer]:
    signer = open_signer(tmp_path)
    yield signer
    signer.state.close()


async def published(signer: Signer) -> None:
    signer.append([draft(signer, 1)], now=NOW)
    await run_cycle(quiet_desk(signer, MemoryStore()), now=Clock())


def seen(signer: Signer, *, now: int = NOW, ends: int = NOW + YEAR) -> Health:
    """Return what somebody beside the daemon sees."""
    beside = Database.beside(signer.state.path, origin=ORIGIN)
    try:
        return look(beside, feeds=[FEED], root=(1, ends), now=now)
    finally:
        beside.close()


def test_a_mirror_that_never_published_is_not_well(signer: Signer):
    health = seen(signer)

    assert not health.ok
    assert (health.leaves, health.spoken, health.cycle) == (0, "", "")
    assert health.running


async def test_one_whose_readers_have_the_newest_word_is_well(signer: Signer):
    await published(signer)
    health = seen(signer, now=NOW + 60)

    assert health.ok
    assert (health.leaves, health.published, health.articles) == (2, 2, 1)
    assert health.spoken_s == 60


async def test_one_whose_clock_is_silent_for_two_hours_is_not(signer: Signer):
    await published(signer)

    assert seen(signer, now=NOW + LATE_S - 1).ok
    assert not seen(signer, now=NOW + LATE_S).ok


async def test_one_whose_root_has_ended_is_not(signer: Signer):
    await published(signer)

    assert seen(signer, ends=NOW + 1).ok
    assert not seen(signer, ends=NOW).ok


async def test_one_that_has_not_published_what_it_appended_is_not(signer: Signer):
    await published(signer)
    signer.append([draft(signer, 2)], now=NOW)
    health = seen(signer)

    assert not health.ok
    assert (health.leaves, health.published) == (4, 2)


async def test_a_feed_that_fails_is_named_and_readers_are_well_all_the_same(signer: Signer):
    await published(signer)
    with signer.state.transaction():
        agenda = Agenda(signer.state.db)
        agenda.put_asked(FEED, now=NOW - 60, interval_s=900, problem="")
        agenda.put_asked(FEED, now=NOW, interval_s=900, problem=f"{FEED}: status 503")
    health = seen(signer)

    assert health.ok
    [feed] = health.feeds
    assert (feed.url, feed.problem) == (FEED, f"{FEED}: status 503")
    assert feed.answered < feed.asked < feed.due


async def test_strangers_are_told_no_feed_no_path_and_no_problem(signer: Signer):
    await published(signer)
    with signer.state.transaction():
        Agenda(signer.state.db).put_asked(FEED, now=NOW, interval_s=9, problem="/srv/mirror: full")
    told = str(seen(signer).brief())

    assert "/" not in told
    assert "news.example" not in told


async def test_a_daemon_that_has_ended_is_not_called_running(tmp_path: Path):
    signer = open_signer(tmp_path)
    await published(signer)
    running = seen(signer).running
    signer.state.close()

    assert (running, seen(signer).running) == (True, False)
