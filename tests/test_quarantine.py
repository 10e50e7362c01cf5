"""Entries in trouble: how long each is left out, what ends that, that no feed fills the disk."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror import quarantine
from mirror.database import Database
from mirror.quarantine import CLOCK_S, Quarantine, Trouble
from tests.cost import within

FEED = "https://news.example/feed"
NOW, HOUR_S = 1_795_000_000, 3600
LINK = "https://news.example/1"
REFUSED = Trouble("k1", FEED, LINK, b"d1", "refused", "page: no text")
HELD = replace(REFUSED, kind="held", reason="status 500")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = Database.open(tmp_path / "state.db", origin="test")
    yield db
    db.close()


def put(db: Database, *troubles: Trouble, now: int = NOW) -> list[Trouble]:
    with db.transaction():
        Quarantine(db).put(troubles, now=now)
    return Quarantine(db).rows()


def drop(db: Database, *keys: str) -> None:
    with db.transaction():
        Quarantine(db).drop(keys)


def retry(db: Database, *keys: str, now: int = NOW) -> None:
    with db.transaction():
        Quarantine(db).retry(keys, now=now)


def waits(db: Database, trouble: Trouble, times: int) -> list[int | None]:
    """Return how long is waited after each of some failures in a row."""
    now, found = NOW, list[int | None]()
    for _ in range(times):
        [row] = put(db, trouble, now=now)
        found.append(None if row.due is None else row.due - now)
        now = row.due or now
    return found


def blocked(db: Database, digest: bytes = b"d1", *, now: int = NOW) -> bool:
    return Quarantine(db).blocks("k1", digest, now=now)


# How long.


def test_what_was_refused_is_tried_after_an_hour_six_and_a_day_and_then_on_the_operators_word(
    db: Database,
):
    assert waits(db, REFUSED, 5) == [HOUR_S, 6 * HOUR_S, 24 * HOUR_S, None, None]
    assert blocked(db, now=NOW + 10**9)


def test_a_page_that_could_not_be_had_is_tried_for_ever_and_ever_more_rarely(db: Database):
    found = waits(db, HELD, 30)

    assert found[:4] == [300, 600, 1200, 2400]
    assert set(found[8:]) == {6 * HOUR_S}


def test_an_entry_is_left_out_until_it_is_due(db: Database):
    assert not blocked(db)

    put(db, REFUSED)

    assert [blocked(db, now=NOW + s) for s in (0, HOUR_S - 1, HOUR_S)] == [True, True, False]


def test_an_edited_entry_is_tried_at_once_and_counts_anew(db: Database):
    put(db, REFUSED)
    put(db, REFUSED, now=NOW + HOUR_S)

    assert not blocked(db, b"other", now=NOW + HOUR_S)

    edited = replace(REFUSED, digest=b"other")
    [row] = put(db, edited, now=NOW + 2 * HOUR_S)

    assert row == replace(edited, since=NOW + 2 * HOUR_S, tries=1, due=NOW + 3 * HOUR_S)


def test_another_reason_of_one_kind_is_shown_and_counts_on(db: Database):
    put(db, REFUSED)
    [row] = put(db, replace(REFUSED, reason="killed"), now=NOW + HOUR_S)

    assert (row.reason, row.since, row.tries) == ("killed", NOW, 2)


def test_a_page_that_comes_at_last_and_is_refused_has_its_three_tries(db: Database):
    waits(db, HELD, 9)
    [row] = put(db, REFUSED, now=NOW + 10**6)

    assert (row.since, row.tries, row.due) == (NOW, 1, NOW + 10**6 + HOUR_S)


def test_a_clock_that_ran_ahead_leaves_nothing_out(db: Database):
    put(db, REFUSED, now=NOW + 2 * CLOCK_S)

    assert not blocked(db)
    assert Quarantine(db).due_sources(now=NOW) == {FEED}
    [row] = put(db, REFUSED)

    assert (row.since, row.due) == (NOW, NOW + 6 * HOUR_S)


def test_the_feeds_with_something_to_try_are_told(db: Database):
    assert Quarantine(db).next_due() is None

    other = replace(HELD, key="k2", source="https://other.example/")
    put(db, REFUSED, other)

    assert Quarantine(db).next_due() == NOW + 300
    assert Quarantine(db).due_sources(now=NOW + 299) == set()
    assert Quarantine(db).due_sources(now=NOW + 300) == {other.source}
    assert Quarantine(db).due_sources(now=NOW + HOUR_S) == {FEED, other.source}


def test_what_became_an_article_is_forgotten(db: Database):
    put(db, REFUSED, replace(REFUSED, key="k2"))
    with db.transaction():
        Quarantine(db).clear(["k1", "unknown"])

    assert [each.key for each in Quarantine(db).rows()] == ["k2"]


# The operator's word.


def test_what_is_dropped_is_left_out_for_ever_until_it_is_edited(db: Database):
    put(db, REFUSED)
    drop(db, "k1")
    put(db, REFUSED)  # a poll was under way

    assert blocked(db, now=NOW + 10**9)
    assert not blocked(db, b"other")
    assert [each.kind for each in Quarantine(db).rows()] == ["dropped"]
    assert Quarantine(db).count() == 0

    edited = replace(REFUSED, digest=b"other")

    assert [each.kind for each in put(db, edited)] == ["refused"]
    assert Quarantine(db).count() == 1


@pytest.mark.parametrize("dropped", [False, True])
def test_what_an_operator_wants_tried_is_due_at_once(db: Database, dropped: bool):
    waits(db, REFUSED, 5)
    if dropped:
        drop(db, "k1")
    retry(db, "k1")

    assert not blocked(db)
    assert Quarantine(db).due_sources(now=NOW) == {FEED}
    assert waits(db, REFUSED, 1) == [None]


# Many.


ROW = st.tuples(st.sampled_from("abcdef"), st.sampled_from([b"1", b"2"]))


@given(
    rows=st.lists(ROW),
    asked=st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([b"1", b"2"])),
)
def test_many_are_asked_for_as_one_is(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, bytes]],
    asked: dict[str, bytes],
):
    db = Database.open(tmp_path_factory.getbasetemp() / "many.db", origin="test")
    with db.transaction():
        db.execute("DELETE FROM trouble")
    put(db, *(replace(REFUSED, key=key, digest=digest) for key, digest in rows))
    found = Quarantine(db).blocks_many(asked, now=NOW)

    assert found == {key for key in asked if Quarantine(db).blocks(key, asked[key], now=NOW)}
    assert found == {key for key in asked if dict(rows).get(key) == asked[key]}
    db.close()


def test_a_whole_archive_is_asked_for_in_pieces(db: Database):
    some = [replace(REFUSED, key=f"guid {n}") for n in range(1700)]
    put(db, *some)

    assert (
        len(Quarantine(db).blocks_many({f"guid {n}": b"d1" for n in range(2000)}, now=NOW)) == 1700
    )


def test_a_feeds_entries_are_looked_up_within_a_millisecond(db: Database):
    put(db, *(replace(REFUSED, key=f"{FEED} guid {'x' * 80} {n}") for n in range(2000)))
    asked = {f"{FEED} guid {'x' * 80} {n}": b"d1" for n in range(1800, 2300)}

    with within(0.2):
        for _ in range(20):
            Quarantine(db).blocks_many(asked, now=NOW)


def test_one_feed_pushes_out_its_own_oldest_and_no_others(
    db: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(quarantine, "MAX_OF_SOURCE", 5)
    monkeypatch.setattr(quarantine, "MAX_ROWS", 8)
    put(db, *(replace(REFUSED, key=f"a{n}", source="a") for n in range(3)))
    for n in range(9):
        put(db, replace(REFUSED, key=f"b{n}", source="b"), now=NOW + 1 + n)

    assert [each.key for each in Quarantine(db).rows()] == [
        *("a0", "a1", "a2"),
        *("b4", "b5", "b6", "b7", "b8"),
    ]

    put(db, replace(REFUSED, key="c", source="c"), now=NOW + 99)

    assert len(Quarantine(db).rows()) == 8
    assert Quarantine(db).rows()[-1].key == "c"


def test_the_operators_verdicts_are_pushed_out_last(db: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(quarantine, "MAX_OF_SOURCE", 5)
    put(db, replace(REFUSED, key="first"))
    drop(db, "first")
    for n in range(9):
        put(db, replace(REFUSED, key=f"k{n}"), now=NOW + 1 + n)

    assert [each.key for each in Quarantine(db).rows()] == ["first", "k5", "k6", "k7", "k8"]


def test_a_reason_is_no_longer_than_a_sentence(db: Database):
    [row] = put(db, replace(REFUSED, reason="x" * 10**5, name="y" * 10**5))

    assert (row.reason, row.name) == ("x" * 500, "y" * 500)
