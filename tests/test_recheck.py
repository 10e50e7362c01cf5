"""Pages that are asked again: when, how often in all, and when one counts as removed."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror import recheck
from mirror.article.feeds.feed import Entry
from mirror.database import Database
from mirror.recheck import MAX_HTML_CHARS, STEPS, Recheck, Rechecks, gap_s

FEED, LINK = "https://news.example/feed", "https://news.example/1"
NOW, MINUTE_S, HOUR_S, DAY_S = 1_795_000_000, 60, 3600, 24 * 3600
ENTRY = Entry("g", LINK, "Title", ("A", "B"), "2026-11-20T00:00:00Z", "<p>Teaser</p>", False, "en")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ENTRIES = st.builds(
    *(Entry, TEXT, st.just(LINK), TEXT, st.lists(TEXT).map(tuple), TEXT, TEXT, st.booleans(), TEXT)
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = Database.open(tmp_path / "state.db", origin="test")
    yield db
    db.close()


Came = Callable[[Rechecks, int], object]

CAME: dict[str, Came] = {
    "checked": lambda pages, now: pages.checked(
        "1", now=now, etag='"e"', last_modified="yesterday"
    ),
    "edited": lambda pages, now: pages.plan("1", FEED, ENTRY, now=now),
    "failed": lambda pages, now: pages.failed("1", now=now),
    "missing": lambda pages, now: pages.missing("1", now=now),
}


def plan(db: Database, n: int = 1, *, now: int = NOW, entry: Entry = ENTRY, step: int = 0) -> None:
    with db.transaction():
        Rechecks(db).plan(n, FEED, entry, now=now, step=step)


def came(db: Database, what: str, now: int) -> object:
    with db.transaction():
        return CAME[what](Rechecks(db), now)


def miss(db: Database, *hours: float) -> list[object]:
    return [came(db, "missing", NOW + round(each * HOUR_S)) for each in hours]


def forget(db: Database) -> None:
    with db.transaction():
        Rechecks(db).forget(1)


def row(db: Database) -> Recheck:
    [found] = Rechecks(db).due(now=NOW + 10**9, most=9)
    return found


def asks(db: Database, what: str = "checked", *, until: int = NOW + 10**9) -> list[int]:
    """Return when the page is asked, if each time the same comes of it."""
    found: list[int] = []
    while (due := Rechecks(db).next_due()) is not None and due <= until:
        found.append(due - NOW)
        came(db, what, due)
    return found


# How often.


def test_a_page_is_asked_after_ten_minutes_and_then_ever_more_rarely(db: Database):
    plan(db)
    found = asks(db)
    gaps = [b - a for a, b in pairwise([0, *found])]

    assert gaps[:4] == [10 * MINUTE_S, 15 * MINUTE_S, 22.5 * MINUTE_S, 2025]
    assert all(1.49 < b / a < 1.51 for a, b in pairwise(gaps[:-1]))


def test_a_page_that_is_not_edited_is_asked_about_twenty_times_in_thirty_days(db: Database):
    plan(db)
    found = asks(db)

    assert len(found) == STEPS == 19
    assert 29 * DAY_S < found[-1] <= 30 * DAY_S
    assert Rechecks(db).count() == 0


def test_an_edit_lets_the_days_begin_anew(db: Database):
    plan(db)
    before = asks(db, until=NOW + 10 * DAY_S)
    plan(db, now=NOW + 10 * DAY_S)
    later = asks(db)

    assert (len(before), len(later)) == (16, 18)
    assert later[0] == 10 * DAY_S + 15 * MINUTE_S
    assert 39 * DAY_S < later[-1] <= 40 * DAY_S


def test_a_page_that_is_edited_at_every_ask_is_asked_no_more_often_than_one_that_never_is(
    db: Database,
):
    plan(db)
    found = asks(db, "edited", until=NOW + 365 * DAY_S)

    assert sum(each <= 30 * DAY_S for each in found) == STEPS
    assert {b - a for a, b in pairwise(found[STEPS:])} == {9 * DAY_S}


def test_a_page_that_cannot_be_had_is_asked_at_least_each_six_hours_and_given_up_in_the_end(
    db: Database,
):
    plan(db)
    found = asks(db, "failed")
    gaps = [b - a for a, b in pairwise([0, *found])]

    assert gaps[:2] == [10 * MINUTE_S, 10 * MINUTE_S]
    assert max(gaps) == 6 * HOUR_S
    assert 30 * DAY_S <= found[-1] < 31 * DAY_S
    assert Rechecks(db).count() == 0


def test_a_page_that_could_not_be_had_for_once_loses_no_ask(db: Database):
    plan(db)
    came(db, "failed", NOW + 600)
    found = asks(db)

    assert len(found) == STEPS


def test_a_daemon_that_slept_for_a_month_asks_once_and_is_done(db: Database):
    plan(db)
    came(db, "checked", NOW + 31 * DAY_S)

    assert Rechecks(db).count() == 0


@given(st.lists(st.sampled_from(list(CAME)), max_size=60))
def test_whatever_comes_of_it_no_page_is_asked_within_ten_minutes_or_left_for_nine_days(
    tmp_path_factory: pytest.TempPathFactory, some: list[str]
):
    db = Database.open(tmp_path_factory.getbasetemp() / "recheck.db", origin="test")
    pages, now = Rechecks(db), NOW
    with db.transaction():
        pages.forget("1")
        pages.plan("1", FEED, ENTRY, now=now)
        for each in some:
            if (due := pages.next_due()) is None:
                break

            assert now + 10 * MINUTE_S <= due <= now + 9 * DAY_S

            now = due
            CAME[each](pages, now)
    db.close()


def test_an_old_article_may_begin_later(db: Database):
    plan(db, step=15)
    found = asks(db)

    assert len(found) == STEPS - 15


# Removal.


def test_a_page_counts_as_removed_when_it_was_not_there_three_times_in_a_day(db: Database):
    plan(db)

    assert miss(db, 1, 13, 25) == [False, False, True]


def test_three_looks_within_a_day_are_too_few(db: Database):
    plan(db)

    assert miss(db, 1, 2, 3, 24, 25) == [False, False, False, False, True]


def test_two_looks_however_far_apart_are_too_few(db: Database):
    plan(db)

    assert miss(db, 0, 99 * 24) == [False, False]


def test_a_page_that_is_not_there_is_looked_for_until_that_is_certain(db: Database):
    plan(db)
    found = asks(db, "missing", until=NOW + 2 * DAY_S)

    assert [b - a for a, b in pairwise(found[:3])] == [12 * HOUR_S] * 2


def test_a_page_that_came_back_is_missing_no_more(db: Database):
    plan(db)
    miss(db, 0, 12)
    came(db, "checked", NOW + 18 * HOUR_S)

    assert row(db).missing is None
    assert miss(db, 24, 36, 48) == [False, False, True]


def test_a_removed_page_is_looked_for_until_its_days_are_over(db: Database):
    plan(db)
    found = asks(db, "missing")

    assert 20 * DAY_S < found[-1] < 40 * DAY_S
    assert Rechecks(db).count() == 0


def test_a_clock_that_ran_ahead_removes_nothing(db: Database):
    plan(db)
    miss(db, 10**5)

    assert miss(db, 0, 12, 24) == [False, False, True]


# The rows.


def test_what_is_due_longest_comes_first_and_no_more_than_wanted(db: Database):
    for n in range(5):
        plan(db, n, now=NOW - n)

    assert [int(each.short) for each in Rechecks(db).due(now=NOW + 599, most=9)] == [4, 3, 2, 1]
    assert [int(each.short) for each in Rechecks(db).due(now=NOW + 600, most=3)] == [4, 3, 2]
    assert Rechecks(db).next_due() == NOW + 596
    assert Rechecks(db).count() == 5


def test_what_a_clock_that_ran_ahead_planned_is_due(db: Database):
    plan(db, now=NOW + 10 * DAY_S)

    assert len(Rechecks(db).due(now=NOW, most=9)) == 1
    assert Rechecks(db).due(now=NOW, most=0) == []


def test_a_row_keeps_where_the_page_is_and_its_validators(db: Database):
    plan(db)
    came(db, "checked", NOW + 600)

    assert row(db) == Recheck(
        *("1", FEED, LINK, ENTRY, '"e"', "yesterday", 1, NOW + 1500, None), since=NOW
    )

    plan(db, now=NOW + 601)

    assert (row(db).etag, row(db).last_modified, row(db).step) == ("", "", 1)


def test_an_entry_without_a_page_is_not_planned(db: Database):
    plan(db)
    plan(db, entry=replace(ENTRY, link=""))

    assert Rechecks(db).count() == 0


def test_what_is_no_longer_there_is_noted_nowhere(db: Database):
    plan(db)
    forget(db)
    came(db, "checked", NOW)
    came(db, "failed", NOW)

    assert miss(db, 0, 12, 24) == [False, False, False]
    assert Rechecks(db).count() == 0


@given(ENTRIES)
def test_an_entry_is_read_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, entry: Entry):
    db = Database.open(tmp_path_factory.getbasetemp() / "entries.db", origin="test")
    plan(db, entry=entry)

    assert row(db).entry == entry
    db.close()


@pytest.mark.parametrize("text", ["<p>" + "x" * 10**6, "\ud800" * 10**5])
def test_of_a_long_text_a_teaser_is_kept(db: Database, text: str):
    plan(db, entry=replace(ENTRY, html=text, full=True))
    kept = row(db).entry

    assert len(kept.html) == MAX_HTML_CHARS
    assert not kept.full
    assert len(db.row("SELECT entry FROM recheck")[0]) < 1000


def bomb() -> bytes:
    return zlib.compress(b'"' + bytes(10**8))


@pytest.mark.parametrize(
    "value", [b"", b"x", 1, "text", zlib.compress(b"{}"), zlib.compress(b"\xff"), bomb()]
)
def test_a_damaged_row_is_dropped_and_no_other(db: Database, value: object):
    plan(db, 1)
    plan(db, 2)
    with db.transaction():
        db.execute("UPDATE recheck SET entry=? WHERE short='1'", (value,))

    assert [int(each.short) for each in Rechecks(db).due(now=NOW + 600, most=9)] == [2]
    assert Rechecks(db).count() == 1


def test_of_too_many_those_to_be_asked_last_go(db: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recheck, "MAX_ROWS", 3)
    for n in range(5):
        plan(db, n, now=NOW - n)

    assert [int(each.short) for each in Rechecks(db).due(now=NOW + 600, most=9)] == [4, 3, 2]


def test_no_step_is_longer_than_nine_days():
    assert [gap_s(step) for step in (0, 1, STEPS, 10**9)] == [600, 900, 9 * DAY_S, 9 * DAY_S]
