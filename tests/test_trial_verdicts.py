"""What is thought of an address after each trial, and when it is tried again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import NOW

from mirror.database import Database
from mirror.trial import Finding
from mirror.trial.verdicts import (
    FIT_S,
    JITTER,
    MAX_REASON,
    UNFIT_S,
    UNKNOWN_S,
    Tried,
    Verdict,
    after,
    forget_others,
    keep,
    verdict,
    verdicts,
)

URL = "https://copy.example/"
GOOD = Finding("cookies", "good", "no cookies")
POOR = Finding("server", "poor", "says: nginx", "switch it off")
BAD = Finding("cookies", "bad", "adds cookies to .html", "switch off cookies")
STALE = Finding("fresh", "bad", "stale: the old page still after 300 s", "switch off the cache")
UNKNOWN = Verdict(URL)


def tried(*findings: Finding, problem: str = "") -> Tried:
    return Tried(URL, findings, problem)


def then(old: Verdict, *findings: Finding, problem: str = "", jitter: float = 0) -> Verdict:
    return after(old, tried(*findings, problem=problem), now=NOW, jitter=jitter)


def test_what_harms_no_reader_is_fit_for_a_week():
    assert then(UNKNOWN, GOOD, POOR) == Verdict(URL, fit=True, due=NOW + FIT_S)


def test_what_harms_readers_is_unfit_and_tried_again_the_same_day():
    found = then(UNKNOWN, BAD, POOR)

    assert (found.fit, found.faults, found.due) == (False, (BAD,), NOW + UNFIT_S)
    assert found.reason == "adds cookies to .html: switch off cookies"


@pytest.mark.parametrize(
    "old", [UNKNOWN, Verdict(URL, fit=True), Verdict(URL, fit=False, faults=(BAD,))]
)
def test_who_does_not_answer_is_what_he_was(old: Verdict):
    found = then(old, problem="connection lost")

    assert found == replace(old, problem="connection lost", due=NOW + UNKNOWN_S)


def test_the_reason_says_whether_it_was_tried():
    assert UNKNOWN.reason == "not found fit yet"
    assert then(UNKNOWN, problem="no answer").reason == "not found fit yet: no answer"
    assert then(UNKNOWN, GOOD).reason == ""
    assert len(then(UNKNOWN, replace(BAD, saw="x" * 9999)).reason) == MAX_REASON


def test_a_mended_mirror_is_fit_again():
    assert then(then(UNKNOWN, BAD), GOOD).fit


def test_what_only_a_writer_sees_is_taken_back_by_a_writer_only():
    stale = then(UNKNOWN, GOOD, STALE)
    again = then(stale, GOOD)

    assert (again.fit, again.faults) == (False, (STALE,))
    assert then(again, GOOD, replace(STALE, level="good")).fit


def again(old: Verdict, *findings: Finding, problem: str = "") -> Verdict:
    """Return what a daemon thinks, who may be refused for a while."""
    return after(old, tried(*findings, problem=problem), now=NOW, jitter=0, twice=True)


def test_who_was_fit_is_unfit_when_two_trials_in_a_row_find_faults():
    once = again(Verdict(URL, fit=True), BAD)

    assert (once.fit, once.faults, once.due) == (True, (BAD,), NOW + UNKNOWN_S)
    assert once.reason.startswith("seen once, and is tried again: adds cookies")
    assert again(once, BAD) == Verdict(URL, fit=False, faults=(BAD,), due=NOW + UNFIT_S)
    assert again(again(once, problem="connection lost"), BAD).fit is False
    assert again(once, GOOD) == Verdict(URL, fit=True, due=NOW + FIT_S)


def test_who_was_never_fit_or_is_tried_by_his_operator_is_unfit_at_once():
    assert again(UNKNOWN, BAD).fit is False
    assert again(then(UNKNOWN, BAD), BAD).due == NOW + UNFIT_S
    assert then(Verdict(URL, fit=True), BAD).fit is False


@pytest.mark.parametrize("jitter", [-1.0, 1.0])
def test_those_set_up_together_are_not_tried_together_for_ever(jitter: float):
    assert then(UNKNOWN, GOOD, jitter=jitter).due == NOW + round(FIT_S * (1 + JITTER * jitter))


def test_a_trial_is_due_when_it_is_and_when_a_clock_ran_ahead():
    found = then(UNKNOWN, GOOD)

    assert UNKNOWN.is_due(NOW)
    assert not found.is_due(NOW)
    assert not found.is_due(NOW + FIT_S - 1)
    assert found.is_due(NOW + FIT_S)
    assert found.is_due(NOW - FIT_S)


# Kept.


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = Database.open(tmp_path / "kept.db", origin="test")
    yield db
    db.close()


def test_what_is_thought_is_kept_until_the_settings_name_it_no_longer(db: Database):
    with db.transaction():
        pair = keep(db, tried(BAD, POOR), now=NOW, jitter=0)
        keep(db, Tried("https://other.example/", (GOOD,)), now=NOW, jitter=0)

    assert pair == (UNKNOWN, then(UNKNOWN, BAD))
    assert verdict(db, URL) == pair[1]
    assert set(verdicts(db)) == {URL, "https://other.example/"}

    with db.transaction():
        forget_others(db, ["https://other.example/"])

    assert verdict(db, URL) == UNKNOWN
    assert set(verdicts(db)) == {"https://other.example/"}
