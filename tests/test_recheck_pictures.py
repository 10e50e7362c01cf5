"""What is known of the pictures of articles: its bounds, and what a database outlives."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import NOW, ORIGIN, identity, open_signer, story

from mirror.article.entry import Entry
from mirror.article.picture import Picture, lacking, name
from mirror.database import _STEPS
from mirror.recheck import Rechecks
from mirror.recheck.pictures import TRIES, Pictures, Visit, gap_s, server_of
from mirror.signer import Draft, Signer
from mirror.state import State

HOUR_S, DAY_S = 3600, 24 * 3600
URL = "https://i.example/1"
ENTRY = Entry("g", "", "Title", (), "", "", full=False, lang="en")
PHOTO = Picture(URL, b"webp", 9, 9)


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[Signer]:
    signer = open_signer(tmp_path)
    yield signer
    signer.state.close()


def publish(signer: Signer, *numbers: int, had: bool = False, source: str = "feed") -> None:
    """Append articles that lack a picture, or have it."""
    shown = (PHOTO if had else lacking(URL),)
    drafts = [Draft(replace(story(n), pictures=shown), identity(n), source, None) for n in numbers]
    signer.append(drafts, now=NOW)
    with signer.state.transaction():
        signer.state.mark_published(signer.state.log().size, now=NOW)


def test_one_feeds_missing_pictures_take_no_other_feeds_place(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.recheck.pictures.MAX_LACKING", 3)
    publish(signer, *range(5))
    publish(signer, 5, source="another")
    due = Pictures(signer.state.db).due(now=NOW + DAY_S, most=99)

    assert [each.n for each in due] == [0, 5, 1, 2]


def test_feeds_take_turns(signer: Signer):
    publish(signer, *range(5))
    publish(signer, 5, 6, source="another")
    with signer.state.transaction():
        signer.state.db.execute("UPDATE picture SET due=due+n")
    due = Pictures(signer.state.db).due(now=NOW + DAY_S, most=5)

    assert [each.n for each in due] == [0, 5, 1, 6, 2]


def test_of_a_long_archive_the_newest_articles_pictures_are_known(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.recheck.pictures.MAX_ROWS", 3)
    publish(signer, *range(5), had=True)
    known = [Pictures(signer.state.db).find(n) for n in range(5)]

    assert [each is not None for each in known] == [False, False, True, True, True]
    assert known[4] is not None
    assert [each.name for each in known[4].had] == [name(b"webp")]


def test_a_damaged_row_costs_its_own_pictures_alone(signer: Signer):
    publish(signer, 1, 2)
    with signer.state.transaction():
        signer.state.db.execute("UPDATE picture SET value=x'00' WHERE n=0")
    due = Pictures(signer.state.db).due(now=NOW + DAY_S, most=1)

    assert [each.n for each in due] == [1]


def test_a_clock_that_ran_ahead_puts_nothing_off(signer: Signer):
    publish(signer, 1)
    with signer.state.transaction():
        signer.state.db.execute("UPDATE picture SET due=?", (NOW + 999 * DAY_S,))

    assert len(Pictures(signer.state.db).due(now=NOW, most=9)) == 1


def test_a_visit_to_a_busy_host_is_no_try(signer: Signer):
    publish(signer, 1)
    pictures = Pictures(signer.state.db)
    [plan] = pictures.due(now=NOW + DAY_S, most=9)
    with signer.state.transaction():
        busy = ((server_of(URL, source="feed"), NOW + HOUR_S),)
        pictures.came(Visit(busy=busy, plan=plan, asked=False), now=NOW)
    after = pictures.find(0)

    assert after is not None
    assert (after.tries, after.due) == (0, NOW + HOUR_S)
    assert pictures.busy(now=NOW) == dict(busy)
    assert pictures.busy(now=NOW + HOUR_S) == {}


def test_a_page_that_is_looked_at_no_more_forgets_no_picture(signer: Signer):
    publish(signer, 1)
    short = signer.state.articles(0, 1)[0].short
    rechecks = Rechecks(signer.state.db)
    with signer.state.transaction():
        rechecks.plan(short, "feed", ENTRY, now=NOW)
    kept = Pictures(signer.state.db).find(0)
    with signer.state.transaction():
        rechecks.forget(short)

    assert kept is not None
    assert Pictures(signer.state.db).find(0) is None


def test_the_gaps_end_within_three_days():
    assert sum(map(gap_s, range(TRIES))) == 218_400 < 3 * DAY_S


@pytest.mark.parametrize("steps", range(1, len(_STEPS)))
def test_an_older_database_is_moved_on_and_keeps_what_it_had(tmp_path: Path, steps: int):
    file = tmp_path / "state.db"
    db = sqlite3.connect(file)
    db.executescript("".join(_STEPS[:steps]))
    db.execute("UPDATE log SET origin=?", (ORIGIN,))
    db.execute("INSERT INTO seen VALUES('entry', x'01')")
    db.execute(f"PRAGMA user_version={steps}")
    db.commit()
    db.close()
    state = State.open(file, origin=ORIGIN)
    found = state.seen("entry"), Pictures(state.db).due(now=1, most=1)
    state.close()

    assert found == (b"\1", [])
