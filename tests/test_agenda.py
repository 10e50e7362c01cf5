"""When feeds are due, and what was noted: also after the clock was wrong, and in a new process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.agenda import Agenda, Asked
from mirror.database import Database

URL = "https://news.example/feed"
NOW, INTERVAL_S = 1_795_000_000, 900


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = Database.open(tmp_path / "state.db", origin="test")
    yield db
    db.close()


def ask(db: Database, *, now: int, problem: str = "") -> None:
    with db.transaction():
        Agenda(db).put_asked(URL, now=now, interval_s=INTERVAL_S, problem=problem)


def due(db: Database, now: int) -> bool:
    return Agenda(db).due([URL], now=now, interval_s=INTERVAL_S) == [URL]


def test_a_feed_is_due_at_once_and_then_an_interval_after_it_was_asked(db: Database):
    assert due(db, NOW)
    ask(db, now=NOW)

    assert [due(db, NOW + s) for s in (0, 1, INTERVAL_S - 1, INTERVAL_S)] == [0, 0, 0, 1]


def test_a_feed_asked_by_a_clock_that_ran_ahead_is_due(db: Database):
    ask(db, now=NOW + 10**8)

    assert due(db, NOW)


def test_a_failure_keeps_when_the_feed_answered_last(db: Database):
    ask(db, now=NOW)
    ask(db, now=NOW + 900, problem="gone")

    assert Agenda(db).asked(URL) == Asked(NOW + 1800, NOW + 900, NOW, "gone")


def test_what_was_noted_is_there_for_another_process(db: Database):
    with db.transaction():
        Agenda(db).note("cycle", {"new": 1}, now=NOW)
        Agenda(db).note("place", "корень", now=NOW)
    beside = Database.beside(db.path, origin="test")

    assert Agenda(beside).noted("cycle") == (NOW, {"new": 1})
    assert Agenda(beside).notes() == {"place": "корень"}
    assert Agenda(beside).noted("nothing") is None
    beside.close()
