"""No way to an article is lost past any technique of the censor that it got past before."""

from dataclasses import replace

import pytest

from lab.compare import LATER_S, SLOWER, changed, lost
from lab.matrix import TECHNIQUES, TRANSPORTS, Matrix, kept, measure
from lab.table import PAGE, README, WHY, page, with_table

FAILED_OVER_S = 10.0
SURVIVED = ("16 kB curtain", "throttle, 128 kbit/s", "loss, 10 %", "handshake policing")


@pytest.fixture(scope="module")
def found() -> Matrix:
    return measure()


def test_no_cell_is_worse_than_the_kept_one(found: Matrix, capsys: pytest.CaptureFixture[str]):
    worse, better = lost(kept(), found), lost(found, kept())
    with capsys.disabled():
        for line in better:
            print(f"\nbetter than kept (`make lab` keeps it): {line}")
        for line in changed(kept(), found):  # no way is lost: a busy machine names some otherwise
            print(f"\nfails as it did not before: {line}")

    assert worse == []


def test_where_the_first_mirror_is_blocked_the_second_wins_in_seconds(found: Matrix):
    rows = [row for row in found.values() if row["two"].ok and not row["one"].ok]

    assert len(rows) > 5
    assert [row["list"] for row in rows if not row["list"].ok] == []
    assert max(row["list"].seconds for row in rows) < FAILED_OVER_S


def test_small_pages_on_connections_of_their_own_survive_what_counts_and_what_slows(found: Matrix):
    cells = {name: [found[name][key].outcome for key in ("one", "two")] for name in SURVIVED}

    assert cells == {name: ["ok", "ok"] for name in SURVIVED}


def test_what_another_server_says_is_refused_with_its_reason(found: Matrix):
    poisoned, blocked, forged = (
        found[name]["one"] for name in ("DNS poisoning", "block page", "man in the middle")
    )

    assert (poisoned.outcome, blocked.outcome) == ("http-diff", "http-diff")
    assert (forged.outcome, forged.verdict) == ("content-tampered", "tampered")


def test_a_folder_in_a_pocket_needs_no_network(found: Matrix):
    assert [row["folder"].outcome for row in found.values() if not row["folder"].ok] == []


def test_the_kept_matrix_is_whole_and_says_of_each_cell_why_it_cannot_work():
    rows = kept()

    assert list(rows) == [each.name for each in TECHNIQUES]
    assert {tuple(row) for row in rows.values()} == {tuple(each.key for each in TRANSPORTS)}
    assert {name for name, row in rows.items() if any(not c.ok for c in row.values())} == set(WHY)


def test_the_page_about_the_lab_is_of_the_kept_matrix():
    readme = README.read_text()

    assert PAGE.read_text() == page(kept())
    assert with_table(readme, kept()) == readme


def test_a_cell_that_is_lost_is_told():
    before = kept()
    after = {name: dict(row) for name, row in before.items()}
    after["SNI reset"]["two"] = before["SNI reset"]["one"]

    assert lost(before, after) == ["SNI reset: two: tls-sni-reset, was ok"]
    assert lost(after, before) == []
    assert lost(before, before) == []


def test_a_cell_that_comes_far_later_is_told_and_a_busy_machine_is_not():
    before = kept()
    after = {name: dict(row) for name, row in before.items()}
    cell = after["no censor"]["one"]
    busy, late = cell.seconds * SLOWER + LATER_S, cell.seconds * SLOWER + LATER_S + 1
    for seconds in (busy, late):
        after["no censor"]["one"] = replace(cell, seconds=seconds)
        after["loss, 10 %"]["one"] = replace(before["loss, 10 %"]["one"], seconds=90.0, tries=5)

        told = [f"no censor: one: {late:.1f} s, was {cell.seconds:.1f} s"]
        assert lost(before, after) == (told if seconds == late else [])


def test_a_cell_that_fails_for_another_reason_is_told():
    before = kept()
    after = {name: dict(row) for name, row in before.items()}
    after["NXDOMAIN"]["one"] = before["SNI reset"]["one"]
    after["SNI reset"]["two"] = before["SNI reset"]["one"]

    assert changed(before, after) == ["NXDOMAIN: one: tls-sni-reset, was dns"]
    assert changed(before, before) == []
