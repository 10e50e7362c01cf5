"""When feeds are due, and what was noted: also after the clock was wrong, and in a new process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.agenda import DAY_S, SIGHTINGS, Agenda, Answer, Asked, Pace, after
from mirror.database import Database
from mirror.errors import Failure

URL = "https://news.example/feed"
MOVED = "https://www.news.example/rss"
HOSTS = {"news.example", "www.news.example"}
NOW = 1_795_000_000
PACE = Pace(120, 900)
SAME, NEW = Answer(), Answer(changed=True)
FAILED = Answer(problem="status 500", kind="failed")
GONE = Answer(problem="status 410", kind="gone")
LATER = Answer(problem="status 503", kind="later", retry_s=7200)

KINDS = st.sampled_from(["", "failed", "later", "challenge", "robots", "missing"])
ANSWERS = st.builds(
    Answer,
    problem=st.sampled_from(["", "no"]),
    kind=KINDS,
    retry_s=st.integers(0, 10**12),
    changed=st.booleans(),
    fresh_s=st.integers(0, 10**12),
    moved=st.sampled_from(["", MOVED, "https://else.example/"]),
)
PACES = st.builds(Pace, st.integers(10, DAY_S), st.integers(10, 7 * DAY_S))
JITTERS = st.floats(-1, 1)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = Database.open(tmp_path / "state.db", origin="test")
    yield db
    db.close()


def ask(db: Database, answer: Answer = NEW, *, now: int = NOW) -> Asked:
    with db.transaction():
        Agenda(db).put_asked(URL, answer, now=now, pace=PACE, jitter=0)
    return Agenda(db).asked(URL)


def due(db: Database, now: int) -> bool:
    return Agenda(db).due([URL], now=now) == [URL]


def waits(*answers: Answer, pace: Pace = PACE) -> list[int]:
    """Return how long is waited after each of these answers."""
    asked, found = Asked(), []
    for answer in answers:
        asked = after(asked, answer, now=NOW, pace=pace, jitter=0)
        found.append(asked.due - NOW)
    return found


def address(db: Database, *answers: Answer) -> str:
    for answer in answers:
        ask(db, answer)
    return Agenda(db).address(URL, HOSTS)


# When.


def test_a_feed_is_due_at_once_and_then_a_gap_after_it_was_asked(db: Database):
    assert due(db, NOW)
    ask(db)

    assert [due(db, NOW + s) for s in (0, 1, 119, 120)] == [0, 0, 0, 1]


def test_a_feed_asked_by_a_clock_that_ran_ahead_is_due(db: Database):
    ask(db, now=NOW + 600)

    assert due(db, NOW)


def test_a_clock_that_is_set_back_by_seconds_makes_no_feed_due(db: Database):
    ask(db, now=NOW + 5)

    assert not due(db, NOW)


def test_a_feed_that_does_not_change_is_asked_less_often_and_one_that_does_more_often():
    assert waits(NEW, SAME, SAME, SAME, SAME, SAME, SAME) == [120, 180, 270, 405, 608, 900, 900]
    assert waits(*[SAME] * 9, NEW, NEW, NEW, NEW)[-4:] == [450, 225, 120, 120]


def test_what_a_feed_says_of_its_freshness_lengthens_a_gap_and_no_further_than_the_longest():
    ten_hours = Answer(changed=True, fresh_s=36_000)

    assert waits(Answer(changed=True, fresh_s=60), Answer(changed=True, fresh_s=300)) == [120, 300]
    assert waits(ten_hours, NEW) == [900, 120]


def test_a_site_that_was_down_for_ten_minutes_is_asked_within_the_next_ten():
    now, asked = NOW, after(Asked(), FAILED, now=NOW, pace=PACE, jitter=0)
    while (now := asked.due) < NOW + 600:
        asked = after(asked, FAILED, now=now, pace=PACE, jitter=0)

    assert now < NOW + 1200


def test_one_that_fails_for_long_is_asked_no_more_rarely_than_one_without_news():
    missing = Answer(problem="status 404", kind="missing")

    assert waits(*[FAILED] * 6) == [120, 240, 480, 900, 900, 900]
    assert waits(*[missing] * 6) == [120, 240, 480, 900, 900, 900]


def test_one_that_says_no_is_asked_ever_more_rarely_up_to_half_an_hour():
    challenge = Answer(problem="anti-bot", kind="challenge")

    assert waits(*[challenge] * 10) == [*(120 * 2**n for n in range(4)), *[1800] * 6]


def test_one_that_asks_to_be_left_alone_is_for_a_day_at_most():
    def later(retry_s: int) -> Answer:
        return Answer(problem="status 503", kind="later", retry_s=retry_s)

    assert waits(later(0), later(7200), later(10**9)) == [120, 7200, DAY_S]
    assert after(Asked(), later(7200), now=0, pace=PACE, jitter=-1).due >= 7200


def test_one_whose_robots_txt_says_no_is_asked_daily():
    assert waits(Answer(problem="robots.txt", kind="robots")) == [DAY_S]


def test_an_answer_after_failures_goes_on_at_the_pace_before():
    assert waits(*[SAME] * 4, FAILED, FAILED, FAILED, SAME)[-1] == 900
    assert after(Asked(failures=3), SAME, now=NOW, pace=PACE, jitter=0).failures == 0


@given(st.lists(st.tuples(ANSWERS, JITTERS), min_size=1, max_size=40), PACES)
def test_no_feed_is_left_alone_for_longer_than_a_day_or_the_operator_says(
    some: list[tuple[Answer, float]], pace: Pace
):
    asked = Asked()
    for answer, jitter in some:
        asked = after(asked, answer, now=NOW, pace=pace, jitter=jitter)

        assert NOW < asked.due <= NOW + 1.1 * max(DAY_S, pace.longest_s) + 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10**6), JITTERS), min_size=1), PACES)
def test_a_feed_that_answers_is_asked_within_the_operators_range(
    some: list[tuple[bool, int, float]], pace: Pace
):
    shortest_s, asked = min(pace.shortest_s, pace.longest_s), Asked()
    for changed, fresh_s, jitter in some:
        answer = Answer(changed=changed, fresh_s=fresh_s)
        asked = after(asked, answer, now=NOW, pace=pace, jitter=jitter)

        assert shortest_s <= asked.gap_s <= pace.longest_s
        assert 0.9 * shortest_s - 1 <= asked.due - NOW <= 1.1 * pace.longest_s + 1


def test_jitter_is_a_tenth_of_the_wait():
    found = [after(Asked(), NEW, now=0, pace=PACE, jitter=each).due for each in (-1, 0, 1)]

    assert found == [108, 120, 132]


def test_the_first_that_is_due_is_told(db: Database):
    agenda = Agenda(db)
    ask(db)

    assert agenda.next_due([URL]) == NOW + 120
    assert agenda.next_due([URL, "https://other.example/"]) == 0
    assert agenda.next_due([]) is None


def test_a_daemon_that_dies_of_an_answer_asks_for_it_after_its_lease(db: Database):
    other = "https://other.example/feed"
    before = ask(db, FAILED)
    with db.transaction():
        Agenda(db).lease([URL, other], now=NOW + 500, lease_s=300)

    assert Agenda(db).due([URL, other], now=NOW + 799) == []
    assert Agenda(db).due([URL, other], now=NOW + 800) == [URL, other]
    assert Agenda(db).asked(URL).problem == before.problem
    assert ask(db, now=NOW + 501).due == NOW + 621


@pytest.mark.parametrize("before", [(), (FAILED,), (LATER,), (GONE,)])
def test_what_was_not_asked_after_all_is_due_when_it_was_before(
    db: Database, before: tuple[Answer, ...]
):
    for answer in before:
        ask(db, answer)
    known = Agenda(db).asked(URL)
    with db.transaction():
        leases = Agenda(db).lease([URL], now=NOW + 60, lease_s=300)
    leased = Agenda(db).asked(URL)
    with db.transaction():
        Agenda(db).release(leases)

    assert leased.asked == NOW + 60
    assert Agenda(db).asked(URL) == known


def test_a_daemon_that_dies_asks_nobody_sooner_than_its_server_asked_for(db: Database):
    ask(db, LATER)
    with db.transaction():
        Agenda(db).lease([URL], now=NOW + 60, lease_s=300)

    assert [due(db, NOW + s) for s in (360, 7199, 7200)] == [False, False, True]


def test_a_lease_of_what_was_noted_by_a_clock_that_ran_ahead_ends_with_it(db: Database):
    ask(db, LATER, now=NOW + 10**6)
    with db.transaction():
        Agenda(db).lease([URL], now=NOW, lease_s=300)

    assert [due(db, NOW + s) for s in (0, 299, 300)] == [False, False, True]


def test_a_lease_of_a_clock_that_ran_ahead_holds_nothing(db: Database):
    with db.transaction():
        Agenda(db).lease([URL], now=NOW + 10**6, lease_s=300)

    assert due(db, NOW)


# What came of it.


def test_a_failure_keeps_when_the_feed_answered_last(db: Database):
    ask(db, SAME)
    asked = ask(db, FAILED, now=NOW + 900)

    assert asked == Asked(NOW + 1020, NOW + 900, NOW, "status 500", "failed", 180, 1)


@pytest.mark.parametrize("kind", ["failed", "later", "challenge", "robots", "gone"])
def test_each_refusal_is_a_state_and_an_answer_ends_it(db: Database, kind: Failure):
    refused = ask(db, Answer(problem="no", kind=kind))
    answered = ask(db)

    assert (refused.state, refused.problem) == (kind, "no")
    assert (answered.state, answered.problem, answered.answered) == ("", "", NOW)


def test_what_is_gone_is_never_due_until_an_operators_own_asking_is_answered(db: Database):
    ask(db, GONE)

    assert not due(db, NOW + 10**9)
    assert Agenda(db).next_due([URL]) is None

    ask(db, FAILED)

    assert not due(db, NOW + 10**9)

    ask(db)

    assert due(db, NOW + 120)


# Where.


def moved(to: str) -> Answer:
    return Answer(moved=to)


def test_a_permanent_redirect_is_followed_for_good_after_three_sightings(db: Database):
    found = [address(db, moved(MOVED)) for _ in range(SIGHTINGS)]

    assert found == [URL, URL, MOVED]


@pytest.mark.parametrize("between", ["", "https://news.example/elsewhere"])
def test_sightings_of_one_address_count_in_a_row(db: Database, between: str):
    twice = [moved(MOVED)] * 2

    assert address(db, *twice, moved(between), *twice) == URL
    assert address(db, moved(MOVED)) == MOVED


def test_a_failure_which_says_nothing_of_redirects_interrupts_no_row(db: Database):
    assert address(db, *[moved(MOVED), FAILED] * SIGHTINGS) == MOVED


def test_where_a_feed_moved_to_it_stays_though_no_redirect_is_seen_there(db: Database):
    assert address(db, *[moved(MOVED)] * SIGHTINGS, moved(""), moved("")) == MOVED


def test_a_feed_that_moves_on_is_asked_at_its_own_address_until_that_is_seen(db: Database):
    on = "https://news.example/third"

    assert address(db, *[moved(MOVED)] * SIGHTINGS, moved(on)) == URL
    assert address(db, moved(on), moved(on)) == on


@pytest.mark.parametrize(
    "to", ["https://else.example/rss", "http://www.news.example/rss", "https://[::1", "//x"]
)
def test_no_redirect_makes_anothers_or_a_weaker_address_the_feeds(db: Database, to: str):
    assert address(db, *[moved(to)] * 9) == URL


def test_where_it_moved_to_is_left_when_nothing_is_there(db: Database):
    assert address(db, *[moved(MOVED)] * SIGHTINGS, FAILED, FAILED) == MOVED
    assert address(db, FAILED) == URL


def test_what_is_gone_where_it_moved_to_is_asked_at_its_own_address_first(db: Database):
    assert address(db, *[moved(MOVED)] * SIGHTINGS, GONE) == URL
    assert due(db, NOW + 120)
    assert ask(db, GONE).state == "gone"


# What was noted.


def test_what_was_noted_is_there_for_another_process(db: Database):
    with db.transaction():
        Agenda(db).note("cycle", {"new": 1}, now=NOW)
        Agenda(db).note("place", "корень", now=NOW)
    beside = Database.beside(db.path, origin="test")

    assert Agenda(beside).noted("cycle") == (NOW, {"new": 1})
    assert Agenda(beside).notes() == {"place": "корень"}
    assert Agenda(beside).noted("nothing") is None
    beside.close()


def test_what_was_published_with_a_doubt_is_seen_for_a_week(db: Database):
    agenda = Agenda(db)
    with db.transaction():
        agenda.alert(["one", "two"], now=NOW)
    with db.transaction():
        agenda.alert(["two"], now=NOW + 60)
        agenda.alert([], now=NOW + 120)

    assert agenda.alerts(now=NOW + 180) == [(NOW, "one"), (NOW + 60, "two")]
    assert agenda.alerts(now=NOW + 8 * 24 * 3600) == []
    assert agenda.notes() == {}
