"""How a mirror is: what makes it well, and what may be told to strangers."""

from dataclasses import replace
from pathlib import Path

import pytest
from fakes import NOW, ORIGIN, Clock, MemoryStore, draft, open_signer, quiet_desk

from mirror.agenda import Agenda, Answer, Pace
from mirror.backfill import Backfills, Document
from mirror.cli.status import told
from mirror.cycle import run_cycle
from mirror.database import Database
from mirror.errors import Failure
from mirror.health import LATE_S, Health, look
from mirror.mirrors import Mirror, Mirrors
from mirror.quarantine import Quarantine, Trouble
from mirror.signer import Signer, listing

FEED = "https://news.example/feed"
YEAR = 366 * 24 * 3600


def ask(signer: Signer, answer: Answer, *, now: int = NOW) -> None:
    """Note what came of asking the feed."""
    Agenda(signer.state.db).put_asked(FEED, answer, now=now, pace=Pace(120, 900), jitter=0)


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
        ask(signer, Answer(), now=NOW - 60)
        ask(signer, Answer(f"{FEED}: status 500", "failed"))
    health = seen(signer)

    assert health.ok
    [feed] = health.feeds
    assert (feed.url, feed.problem, feed.state) == (FEED, f"{FEED}: status 500", "failed")
    assert feed.answered < feed.asked < feed.due


@pytest.mark.parametrize(
    ("kind", "line", "problem"),
    [
        ("gone", "asked no more; GONE; FAILED: status 410", "asked no more but by `mirror once`"),
        (
            "challenge",
            "due 2026-11-18T11:08:40Z; CHALLENGE; FAILED: status 410",
            "ask the newsroom",
        ),
    ],
)
async def test_what_the_operator_has_to_mend_is_a_problem_also_later(
    signer: Signer, kind: Failure, line: str, problem: str
):
    await published(signer)
    with signer.state.transaction():
        ask(signer, Answer("status 410", kind))
    health = seen(signer)
    lines = told(health)

    assert health.ok
    assert [each.startswith(f"{FEED}: ") and problem in each for each in health.problems] == [True]
    assert f"    answered never, {line}" in lines
    assert health.to_json()["feeds"][0]["state"] == kind


@pytest.mark.parametrize(
    ("kind", "state"), [("later", "Z; LATER"), ("robots", "Z; ROBOTS"), ("failed", "Z")]
)
async def test_what_passes_by_itself_is_shown_beside_its_feed(
    signer: Signer, kind: Failure, state: str
):
    with signer.state.transaction():
        ask(signer, Answer("no", kind))
    health = seen(signer)

    assert health.problems == []
    assert any(line.endswith(f"{state}; FAILED: no") for line in told(health))


async def test_entries_in_quarantine_are_counted(signer: Signer):
    assert "quarantine" not in "".join(told(seen(signer)))

    with signer.state.transaction():
        trouble = Trouble("key", FEED, "name", b"d", "refused", "no text")
        Quarantine(signer.state.db).put([trouble], now=NOW)
    health = seen(signer)

    assert health.quarantined == 1
    assert any("1 in quarantine: `mirror quarantine list`" in e for e in told(health))


def test_an_archive_that_is_being_mirrored_is_shown_with_how_far_it_is(signer: Signer):
    orders = Backfills(signer.state.db)
    with signer.state.transaction():
        orders.ask("https://news.example/old", FEED, now=NOW)
        orders.ask("https://news.example/sitemap", FEED, now=NOW)
        done = replace(orders.rows()[0], ahead=(), done=NOW)
        orders.put(done)
    shown = [line for line in told(seen(signer)) if line.startswith("  archive")]
    found = next(order for order in orders.rows() if not order.done)
    read = replace(found, ahead=(), behind=(Document("u"),), total=9, entries=4, new=2, problem="x")
    with signer.state.transaction():
        orders.put(read)
    later = [line for line in told(seen(signer)) if line.startswith("  archive")]

    assert shown == [f"  archive   {found.url}: 0 pages looked through"]
    assert later == [f"  archive   {found.url}: 4 of 9 entries, 2 new; x"]


async def test_strangers_are_told_no_feed_no_path_and_no_problem(signer: Signer):
    await published(signer)
    with signer.state.transaction():
        ask(signer, Answer("/srv/mirror: full"))
    brief = str(seen(signer).brief())

    assert "/" not in brief
    assert "news.example" not in brief


async def test_a_daemon_that_has_ended_is_not_called_running(tmp_path: Path):
    signer = open_signer(tmp_path)
    await published(signer)
    running = seen(signer).running
    signer.state.close()

    assert (running, seen(signer).running) == (True, False)


async def test_mirrors_that_do_not_work_are_shown_and_why(signer: Signer):
    await published(signer)
    rows = (
        Mirror("https://a.example/", "public", "healthy", NOW, announced=NOW),
        Mirror("https://b.example/", "public", "blocked", NOW, announced=NOW, reason="two say so"),
        Mirror("https://s.example/", "spare", "healthy", NOW),
        Mirror("https://t.example/", "spare"),
    )
    with signer.state.transaction():
        for each in rows:
            Mirrors(signer.state.db).put(each)
        listing.permit(signer.state.db, to=9, now=NOW)
    health = seen(signer)
    lines = told(health)

    assert health.ok
    assert "  mirrors   2 listed, of which 1 work; 1 of 2 spares would" in lines
    assert "    https://b.example/  blocked since 2026-11-18T11:06:40Z: two say so" in lines
    assert "    https://t.example/  new: not seen yet" in lines
    assert not [line for line in lines if "//a.example" in line or "//s.example" in line]
    assert health.notes == {}


async def test_a_list_that_is_not_signed_for_its_loss_is_named_with_what_to_do(signer: Signer):
    rows = [Mirror(f"https://{n}.example/", "public", "healthy", announced=NOW) for n in range(3)]
    with signer.state.transaction():
        for each in rows:
            Mirrors(signer.state.db).put(each)
    await published(signer)
    with signer.state.transaction():
        for each in rows:
            Mirrors(signer.state.db).put(replace(each, announced=None, state="lying"))

    assert any("NOT SIGNED: 0 of 3 mirrors would be left" in line for line in told(seen(signer)))
