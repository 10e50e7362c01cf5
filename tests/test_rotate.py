"""What is done about mirrors: decided purely, kept at once, and told until it is known."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from fakes import NOW, ORIGIN, Clock, MemoryStore, audited, draft, open_signer, quiet_desk
from fetch_servers import site
from hypothesis import given
from hypothesis import strategies as st

from mirror import build
from mirror.agenda import Agenda
from mirror.build.mirrors import look_after
from mirror.cycle import publish, run_cycle
from mirror.database import Database
from mirror.desk import relist, to_do
from mirror.errors import StoreError
from mirror.formats.index import Index
from mirror.init import Wishes, make
from mirror.mirrors import UNFIT, Mirror, Mirrors, Role
from mirror.mirrors import State as Standing
from mirror.rotate import GAP_S, Outlets, rotate, rotate_always
from mirror.rotate.plan import (
    BLIND,
    DAY_S,
    HARM,
    LONG_S,
    NONE,
    READ,
    SHORT,
    SPENT,
    Change,
    Done,
    plan,
)
from mirror.settings import Settings
from mirror.settings.outside import MirrorSettings, Watch
from mirror.signer import Signer, listing
from mirror.state import State
from mirror.trial import verdicts
from mirror.trial.verdicts import Tried

BUDGET = 8
HELD, HARMS = "held back", "adds cookies"
LONG_AGO = NOW - 40 * DAY_S


def mirror(
    name: str,
    role: Role = "public",
    state: Standing = "healthy",
    *,
    since: int = LONG_AGO,
    listed: bool | None = None,
    blocked_in: tuple[str, ...] = (),
) -> Mirror:
    """Return a mirror; a public one is listed unless that is said."""
    announced = LONG_AGO if (role == "public" if listed is None else listed) else None
    url = f"https://{name}.example/"
    return Mirror(url, role, state, since, announced, "seen", 0, blocked_in)


def planned(
    *mirrors: Mirror,
    past: Sequence[Done] = (),
    private: Collection[str] = (),
    budget: int = BUDGET,
) -> list[Change]:
    return plan(mirrors, past, private=private, now=NOW, changes_per_day=budget)


def told(changes: Sequence[Change]) -> list[tuple[str, str]]:
    """Return what is done to whom, by its name."""
    return [(c.did, c.url.removeprefix("https://").removesuffix(".example/")) for c in changes]


def done(did: str, name: str, *, ago: int, reason: str = "") -> Done:
    return Done(NOW - ago, did, f"https://{name}.example/", reason)


# What is listed.


def test_a_public_mirror_is_listed_once_it_works():
    new = mirror("a", state="new", listed=False)
    works = mirror("b", since=NOW - 60, listed=False)

    [change] = planned(new, works)

    assert told([change]) == [("added", "b")]
    assert change.mirror == replace(works, announced=NOW)


@pytest.mark.parametrize("state", ["new", "suspect", "blocked", "down", "lying"])
def test_no_mirror_that_does_not_work_is_ever_put_on_the_list(state: Standing):
    lost = mirror("a", state="blocked", since=NOW - 60)
    others = mirror("b", "spare", state), mirror("c", "public", state, listed=False)

    lacks = [] if state in ("new", "suspect") else [NONE]
    assert [c.reason for c in planned(lost, *others)] == lacks


def test_a_private_mirror_is_never_listed_and_taken_off_where_it_was():
    lost = mirror("a", state="blocked", since=NOW - 60)
    private, listed = mirror("b", "private"), mirror("c", "private", listed=True)

    assert told(planned(lost, private, listed)) == [("removed", "c")]


@pytest.mark.parametrize(("did", "made"), [("added", "public"), ("announced", "spare")])
def test_one_that_a_trial_found_to_harm_readers_is_taken_off_with_the_reason_and_replaced(
    did: str, made: str
):
    unfit = mirror("a", "private", listed=True)
    past = done(did, "a", ago=DAY_S), done(UNFIT, "a", ago=0, reason="adds cookies: switch")
    others = mirror("b"), mirror("s", "spare")

    first = planned(unfit, *others, past=past)

    assert first[0].reason == "adds cookies: switch"
    assert told(first) == [("removed", "a"), ("announced", "s")][: 2 if made == "public" else 1]
    assert told(planned(unfit, *others, past=past[:1])) == [("removed", "a")]


def test_what_would_take_most_mirrors_off_within_a_day_takes_none_and_is_told_once():
    rows = {n: mirror(n, "private", listed=True) for n in "abc"}
    sound = mirror("d"), mirror("e"), mirror("f")
    past = [done(did, n, ago=60, reason=HARMS) for n in "abc" for did in ("added", UNFIT)]

    three = planned(*rows.values(), *sound, past=past)
    assert told(three) == [("removed", n) for n in "abc"]

    many = planned(*rows.values(), *sound[:2], mirror("s", "spare"), past=past)
    assert [(c.did, c.url, c.reason) for c in many] == [(HELD, "", HARM)]
    assert planned(*rows.values(), *sound[:2], past=[*past, Done(NOW, HELD, "", HARM)]) == []

    gone = [done("removed", n, ago=DAY_S - 1) for n in "ab"]
    taken = [replace(rows[n], announced=None) for n in "ab"]
    slow = planned(*taken, rows["c"], *sound[:2], past=[*past, *gone])
    assert [(c.did, c.url, c.reason) for c in slow] == [(HELD, "", HARM)]
    gone = [done("removed", n, ago=DAY_S + 1) for n in "ab"]
    assert told(planned(*taken, rows["c"], *sound[:2], past=[*past, *gone])) == [("removed", "c")]


def test_what_the_operator_makes_private_goes_however_many_they_are():
    rows = [mirror(n, "private", listed=True) for n in "abc"]

    assert told(planned(*rows, mirror("d"))) == [("removed", n) for n in "abc"]


def test_what_the_operator_makes_private_goes_unreplaced_whatever_a_trial_found_of_it():
    rows = [mirror(n, "private", listed=True) for n in "abc"]
    past = [done(did, n, ago=60, reason=HARMS) for n in "abc" for did in ("added", UNFIT)]
    others, own = (mirror("d"), mirror("s", "spare")), {each.url for each in rows}

    assert told(planned(*rows, *others, past=past)) == [(HELD, "")]
    changes = planned(*rows, *others, past=past, private=own)

    assert told(changes) == [("removed", n) for n in "abc"]
    assert {each.reason for each in changes} == {"it is private"}
    assert told(planned(*[c.mirror for c in changes], *others, past=past, private=own)) == []


def test_spares_wait_while_all_is_well():
    assert planned(mirror("a"), mirror("b", state="suspect"), mirror("s", "spare")) == []


@pytest.mark.parametrize("state", ["new", "suspect", "down", "lying"])
def test_no_spare_stands_in_for_a_public_mirror_that_was_never_listed(state: Standing):
    assert planned(mirror("a", state=state, listed=False), mirror("s", "spare")) == []


# What is done about one that fails.


def test_for_a_blocked_mirror_a_spare_is_announced_and_it_stays_listed():
    blocked = mirror("a", state="blocked", since=NOW - 60, blocked_in=("RU",))

    [change] = planned(blocked, mirror("s", "spare"))

    assert told([change]) == [("announced", "s")]
    assert change.reason == "in place of https://a.example/"


def test_what_is_done_is_not_done_again():
    mirrors = {
        each.url: each
        for each in (
            *(mirror("a", state="blocked", since=NOW - 60), mirror("b", state="lying")),
            *(mirror("c", state="down", since=NOW - LONG_S), mirror("d", listed=False)),
            *(mirror(f"s{n}", "spare") for n in range(5)),
        )
    }
    first = planned(*mirrors.values())
    mirrors |= {each.url: each.mirror for each in first if each.mirror}
    past = [Done(NOW, each.did, each.url, each.reason) for each in first]

    assert {"added", "announced", "distrusted", "removed"} == {c.did for c in first}
    assert planned(*mirrors.values(), past=past) == []


def test_a_lying_mirror_is_removed_at_once_and_replaced():
    changes = planned(mirror("a", state="lying"), mirror("b"), mirror("s", "spare"))

    assert told(changes) == [("distrusted", "a"), ("announced", "s")]
    assert changes[0].mirror is not None
    assert changes[0].mirror.announced is None


def test_one_that_is_down_for_a_short_time_costs_no_spare():
    down = mirror("a", state="down", since=NOW - LONG_S + 1)

    assert planned(down, mirror("b"), mirror("s", "spare")) == []


def test_one_that_is_down_for_long_is_removed_once_it_is_replaced():
    down = mirror("a", state="down", since=NOW - LONG_S)

    assert told(planned(down, mirror("b"))) == []
    assert told(planned(down, mirror("b"), mirror("s", "spare"))) == [
        ("announced", "s"),
        ("removed", "a"),
    ]


def test_where_none_is_left_that_works_one_is_announced_at_once():
    down = mirror("a", state="down", since=NOW - 60), mirror("b", state="down", since=NOW - 60)

    [change] = planned(*down, *(mirror(n, "spare") for n in "st"))

    assert told([change]) == [("announced", "s")]
    assert change.reason == "in place of https://a.example/"


# In which order.


def test_the_spare_that_works_for_longest_is_announced_first():
    spares = mirror("s", "spare", since=NOW - 60), mirror("t", "spare", since=NOW - 900)

    [change] = planned(mirror("a", state="blocked", since=NOW - 60), *spares)

    assert told([change]) == [("announced", "t")]


def test_a_spare_that_no_censor_knows_is_announced_before_one_that_was_listed():
    old, fresh = mirror("s", "spare"), mirror("t", "spare", since=NOW - 60)
    past = [done("announced", "s", ago=9 * DAY_S), done("removed", "s", ago=5 * DAY_S)]

    [change] = planned(mirror("a", state="blocked", since=NOW - 60), old, fresh, past=past)

    assert told([change]) == [("announced", "t")]


def test_a_spare_on_the_host_of_one_that_fails_is_announced_last():
    beside = replace(mirror("a", "spare"), url="https://a.example/other/")

    [change] = planned(
        mirror("a", state="blocked", since=NOW - 60), beside, mirror("t", "spare", since=NOW)
    )

    assert told([change]) == [("announced", "t")]


# A mirror that comes back.


@pytest.mark.parametrize(
    ("healthy_s", "ago", "comes_back"),
    [(DAY_S, DAY_S + 1, True), (DAY_S - 1, 9 * DAY_S, False), (9 * DAY_S, DAY_S - 1, False)],
)
def test_one_that_was_removed_comes_back_after_a_day_of_success_and_not_twice_a_day(
    healthy_s: int, ago: int, comes_back: bool
):
    back = mirror("a", since=NOW - healthy_s, listed=False)
    past = [done("added", "a", ago=30 * DAY_S), done("removed", "a", ago=ago)]

    assert told(planned(back, mirror("b"), past=past)) == [("added", "a")] * comes_back


def test_one_that_lied_does_not_come_back_by_itself():
    back = mirror("a", listed=False)
    past = [done("added", "a", ago=30 * DAY_S), done("distrusted", "a", ago=9 * DAY_S)]

    assert planned(back, mirror("b"), past=past) == []


# The budget.


def test_no_more_than_the_budget_is_done_in_a_day_and_the_operator_is_told_once():
    blocked = [mirror(f"a{n}", state="blocked", since=NOW - 60) for n in range(6)]
    spares = [mirror(f"s{n}", "spare") for n in range(6)]
    past = [done("announced", "x", ago=DAY_S - 1), done("announced", "y", ago=DAY_S)]
    past += [done("added", "z", ago=5)]

    changes = planned(*blocked, *spares, past=past, budget=4)
    again = [Done(NOW, each.did, each.url, each.reason) for each in changes]

    assert [did for did, _ in told(changes)] == ["announced"] * 3 + ["held back"]
    assert changes[-1].reason == SHORT
    assert [c.did for c in planned(*blocked, *spares, past=[*past, *again], budget=4)] == []


def test_of_spares_that_are_blocked_on_their_first_day_a_person_hears_once():
    first, second = (mirror(n, "spare", "blocked", listed=True) for n in "st")
    listed = [
        mirror("a", state="blocked"),
        mirror("b"),
        first,
        second,
        mirror("u", "spare", listed=True),
    ]
    past = [done("announced", "s", ago=1200), done("announced", "t", ago=600)]

    assert [c.reason for c in planned(*listed, past=past)] == [READ]
    assert planned(*listed, past=[*past, Done(NOW - 60, "held back", "", READ)]) == []
    assert planned(*listed, past=past[1:]) == []


def test_where_no_spare_is_left_a_person_hears_once():
    listed = [mirror("a", state="blocked"), mirror("b"), mirror("s", "spare", "down")]

    assert [c.reason for c in planned(*listed)] == [NONE]
    assert planned(*listed, past=[Done(NOW - 60, "held back", "", NONE)]) == []


def test_lies_are_answered_first():
    mirrors = [mirror("a", state="blocked", since=NOW - 60), mirror("b", state="lying")]

    changes = planned(*mirrors, *(mirror(n, "spare") for n in "st"), budget=1)

    assert told(changes) == [("distrusted", "b"), ("held back", "")]


@pytest.mark.parametrize("state", ["down", "lying"])
def test_where_nothing_works_as_seen_from_here_nothing_is_done_and_the_operator_is_told(
    state: Standing,
):
    listed = [mirror(f"a{n}", state=state, since=LONG_AGO) for n in range(3)]

    changes = planned(*listed, mirror("s", "spare", state))

    assert told(changes) == [("held back", "")]
    assert changes[0].reason == BLIND


STATES = st.sampled_from(["new", "healthy", "suspect", "blocked", "down", "lying"])
ROLES = st.sampled_from(["public", "spare", "private"])
SINCE = st.sampled_from([NOW - s for s in (0, 60, LONG_S, DAY_S, 3 * DAY_S)])
ROWS = st.lists(
    st.builds(
        Mirror,
        st.sampled_from([f"https://m{n}.example/" for n in range(12)]),
        *(ROLES, STATES, SINCE, st.none() | SINCE, st.just("seen"), st.just(0)),
        st.sampled_from([(), ("RU",)]),
    ),
    unique_by=lambda each: each.url,
)
PAST = st.lists(
    st.builds(
        Done,
        st.sampled_from([NOW - s for s in (0, 60, DAY_S - 1, DAY_S, 5 * DAY_S)]),
        st.sampled_from(["added", "announced", "removed", "distrusted", "held back", UNFIT]),
        st.sampled_from([f"https://m{n}.example/" for n in range(12)]),
        st.sampled_from(["", HARMS]),
    )
)


@given(ROWS, PAST, st.integers(0, 5))
def test_whatever_happens_a_plan_keeps_its_promises(
    rows: list[Mirror], past: list[Done], budget: int
):
    changes = plan(rows, past, now=NOW, changes_per_day=budget)
    before = {each.url: each for each in rows}
    listed = [c for c in changes if c.did in ("added", "announced") and c.mirror]
    spent = sum(c.did in SPENT and c.reason not in ("it is private", HARMS) for c in changes)
    spent_before = sum(e.did in SPENT and e.at > NOW - DAY_S for e in past)

    assert spent <= max(0, budget - spent_before)
    assert all(before[c.url].state == "healthy" for c in listed)
    assert all(before[c.url].announced is None for c in listed)
    assert not {c.url for c in listed if before[c.url].role == "private"}
    assert len({c.url for c in listed}) == len(listed)
    recently = {e.url for e in past if e.at >= NOW - DAY_S and e.did in ("added", "announced")}
    assert not recently & {c.url for c in listed}

    after = before | {c.url: c.mirror for c in changes if c.mirror}
    now_past = [*past, *(Done(NOW, c.did, c.url, c.reason) for c in changes)]

    assert plan(after.values(), now_past, now=NOW, changes_per_day=budget) == []


# What is kept, and who is told.


class CrashError(BaseException):
    """The machine's end: nothing catches it."""


class Steps:
    """Counts what is done, and crashes before step number `crash_at`."""

    def __init__(self) -> None:
        self.count, self.crash_at = 0, -1

    def take(self, _: object = None) -> bool:
        self.count += 1
        if self.count - 1 == self.crash_at:
            raise CrashError
        return False


class Outside:
    """The DNS and a person, who may not be reached; a crash comes before, or after, they heard."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.heard: list[tuple[str, tuple[str, ...]]] = []
        self.fails = False
        self.steps = Steps()

    async def publish(self, addresses: Sequence[str]) -> None:
        self._reach()
        self.names = list(addresses)
        self.steps.take()

    async def tell(self, title: str, lines: Sequence[str]) -> bool:
        self._reach()
        self.heard.append((title, tuple(lines)))
        self.steps.take()
        return True

    def _reach(self) -> None:
        self.steps.take()
        if self.fails:
            raise StoreError("told to fail")

    @property
    def outlets(self) -> Outlets:
        return Outlets(self.publish, self.tell)


def keep(signer: Signer, *mirrors: Mirror) -> None:
    with signer.state.transaction():
        for each in mirrors:
            Mirrors(signer.state.db).put(each)


async def turn(db: Database, outside: Outside, *, now: int = NOW, budget: int = 8) -> list[Change]:
    return await rotate(db, outside.outlets, now=lambda: now, changes_per_day=budget)


async def test_a_change_is_kept_and_told_and_makes_a_new_index_due(signer: Signer):
    outside, store = Outside(), MemoryStore()
    desk = quiet_desk(signer, store)
    keep(signer, mirror("a"))
    signer.append([draft(signer, 1)], now=NOW)
    await run_cycle(desk, now=Clock())
    keep(signer, mirror("a", state="blocked", since=NOW, blocked_in=("RU",)), mirror("s", "spare"))
    with signer.state.transaction():  # as who looks notes it
        Mirrors(signer.state.db).note("is suspect", "https://a.example/", "one says so", now=NOW)
        Mirrors(signer.state.db).note("is blocked", "https://a.example/", "two say so", now=NOW)

    await turn(signer.state.db, outside, now=NOW + 5)

    assert to_do(desk, now=NOW + 5) == []
    assert outside.names == ["https://s.example/"]
    assert outside.heard == [
        (
            "mirrors: 2 changed",
            (
                "is blocked https://a.example/: two say so",
                "announced https://s.example/: in place of https://a.example/",
            ),
        )
    ]

    assert await relist(desk, now=lambda: NOW + 6)
    found = Index.parse(store.kept[signer.state.log().index_ref]).mirrors

    assert [(each.url, each.blocked_in) for each in found] == [
        ("https://a.example/", ("RU",)),
        ("https://s.example/", ()),
    ]
    assert to_do(desk, now=NOW + 6) is None


async def test_a_look_at_mirrors_that_are_well_writes_and_tells_nothing(signer: Signer):
    outside = Outside()
    keep(signer, mirror("a"), mirror("s", "spare"))
    await turn(signer.state.db, outside)
    before = signer.state.db.rows("PRAGMA data_version"), outside.names, list(outside.heard)
    statements: list[str] = []
    signer.state.db._db.set_trace_callback(statements.append)
    await turn(signer.state.db, outside, now=NOW + 300)

    assert (signer.state.db.rows("PRAGMA data_version"), outside.names, outside.heard) == before
    assert statements == []


async def test_no_mirrors_cost_nothing(signer: Signer):
    outside = Outside()

    assert await turn(signer.state.db, outside) == []
    assert (outside.names, outside.heard) == ([], [])
    assert signer.state.db.rows("SELECT * FROM status") == []


async def test_whoever_was_not_reached_is_told_by_the_next_turn(
    signer: Signer, caplog: pytest.LogCaptureFixture
):
    outside = Outside()
    outside.fails = True
    keep(signer, mirror("a", listed=False))
    await turn(signer.state.db, outside)

    assert Mirrors(signer.state.db).rows()[0].announced == NOW
    assert "the mirrors are not in the DNS yet: told to fail" in caplog.text
    assert "nobody was told of the mirrors yet: told to fail" in caplog.text

    outside.fails = False
    for later in (5, GAP_S, GAP_S + 5):
        assert await turn(signer.state.db, outside, now=NOW + later) == []

    assert outside.names == ["https://a.example/"]
    assert outside.heard == [("mirrors: 1 changed", ("added https://a.example/: it works",))]


async def test_a_name_is_never_left_without_an_address(signer: Signer):
    outside = Outside()
    keep(signer, mirror("a"))
    await turn(signer.state.db, outside)
    keep(signer, mirror("a", state="down", since=NOW))
    await turn(signer.state.db, outside)

    assert outside.names == ["https://a.example/"]


async def test_a_loss_that_is_not_signed_is_told_once_a_day(signer: Signer):
    outside, store = Outside(), MemoryStore()
    desk = quiet_desk(signer, store)
    keep(signer, *(mirror(name) for name in "abc"))
    signer.append([draft(signer, 1)], now=NOW)
    await run_cycle(desk, now=Clock())
    keep(signer, mirror("a", state="lying"), mirror("b", state="lying"))
    dids: list[str] = []
    for hour in range(26):
        dids += [c.did for c in await turn(signer.state.db, outside, now=NOW + hour * 3600)]

    assert dids == ["distrusted", "distrusted", "kept", "kept"]
    assert to_do(desk, now=NOW + 60) is None
    assert "`mirror mirrors shrink --to 1` signs the shorter one" in outside.heard[1][1][0]
    assert any("shrink --to 1" in line for _, line in Agenda(signer.state.db).alerts(now=NOW + 9))


async def test_of_mirrors_that_have_no_room_in_the_signed_list_a_person_hears_once_a_day(
    signer: Signer,
):
    outside, db = Outside(), signer.state.db
    names = [f"{'m' * 60}{n:03}" for n in range(220)]
    lost = [mirror(each, state="blocked", since=NOW, blocked_in=("RU",)) for each in names]
    keep(signer, *(replace(each, announced=NOW + n) for n, each in enumerate(lost)))
    signer.append([draft(signer, 1)], now=NOW)
    listed = {each.url for each in listing.signed(db).mirrors}
    dids = [
        (hour, change.did)
        for hour in range(26)
        for change in await turn(db, outside, now=NOW + hour * 3600)
    ]
    left = listing.left_out(db, now=NOW)

    assert dids == [(0, "left out"), (24, "left out")]
    assert left == [each.url for each in lost if each.url not in listed]
    assert 50 < len(left) < 100
    [said] = outside.heard[0][1]
    assert said.startswith(f"left out: {len(left)} of 220 announced mirrors have no room in the ")
    assert f"{', '.join(left[:3])} and {len(left) - 3} more: let the settings name fewer" in said
    assert any("have no room" in line for _, line in Agenda(db).alerts(now=NOW + 9))

    with signer.state.transaction():  # the operator does
        for url in left:
            Mirrors(db).forget(url)

    assert listing.shortage(db, now=NOW) == ""
    assert await turn(db, outside, now=NOW + 3 * DAY_S) == []


async def test_a_mirror_that_was_taken_out_of_the_settings_comes_back_as_a_new_one(signer: Signer):
    outside = Outside()
    keep(signer, mirror("a", state="lying"), mirror("b"))
    await turn(signer.state.db, outside)
    keep(signer, mirror("a", listed=False))
    refused = await turn(signer.state.db, outside, now=NOW + 9)
    with signer.state.transaction():
        Mirrors(signer.state.db).note("forgotten", "https://a.example/", "so you say", now=NOW + 20)
    taken = await turn(signer.state.db, outside, now=NOW + 30)

    assert (refused, told(taken)) == ([], [("added", "a")])


# A crash at any point.


async def _scene(signer: Signer, store: MemoryStore, outside: Outside) -> None:
    """Have one of two mirrors blocked and one down for long; all before is told."""
    keep(signer, mirror("a"), mirror("b"))
    signer.append([draft(signer, 1)], now=NOW - 60)
    await run_cycle(quiet_desk(signer, store), now=lambda: NOW - 60)
    await turn(signer.state.db, outside, now=NOW - 2 * GAP_S)
    keep(
        signer,
        mirror("a", state="blocked", since=NOW, blocked_in=("RU",)),
        mirror("b", state="down", since=NOW - LONG_S),
        *(mirror(name, "spare") for name in "st"),
    )


async def _all(signer: Signer, store: MemoryStore, outside: Outside, now: int) -> None:
    await turn(signer.state.db, outside, now=now)
    desk = quiet_desk(signer, store)
    await relist(desk, now=lambda: now)
    await run_cycle(desk, now=lambda: now)


def _end(signer: Signer, store: MemoryStore, outside: Outside) -> tuple[object, ...]:
    db = signer.state.db
    past = [(did, url) for _, did, url, _ in Mirrors(db).changes()]
    signed_ = [(e.url, e.blocked_in) for e in listing.signed(db).mirrors]
    shown = [e.url for e in Index.parse(store.kept[signer.state.log().index_ref]).mirrors]
    heard = {line for _, lines in outside.heard for line in lines}
    return past, signed_, shown, outside.names, heard


class BreakingDatabase(Database):
    """A database before each of whose transactions a crash may come."""

    steps = Steps()

    def transaction(self) -> AbstractContextManager[None]:
        self.steps.take()
        return super().transaction()


async def test_after_a_crash_at_any_point_the_end_is_the_same(tmp_path: Path):
    expected, steps = await _crashed(tmp_path / "whole", -1)

    assert expected[0] == [
        *(("removed", "https://b.example/"), ("announced", "https://t.example/")),
        ("announced", "https://s.example/"),
    ]
    assert steps > 20

    for at in range(steps):
        found, _ = await _crashed(tmp_path / str(at), at)
        assert (at, found) == (at, expected)


async def _crashed(folder: Path, at: int) -> tuple[tuple[object, ...], int]:
    """Crash once before step `at`, then go on; return how it ends, and the number of steps.

    A step is a word to somebody outside, a transaction, or a file that is written.
    """
    signer, store, outside = open_signer(folder), MemoryStore(), Outside()
    signer.state.close()
    db = BreakingDatabase.open(signer.state.path, origin=ORIGIN)
    signer = replace(signer, state=State(db))
    await _scene(signer, store, outside)
    outside.steps = db.steps = Steps()
    db.steps.crash_at, store.fails = at, db.steps.take
    try:
        await _all(signer, store, outside, NOW + 1)
    except CrashError:
        await store.flush()
        await _all(signer, store, outside, NOW + GAP_S)
    assert await audited(store.kept, signer.root, now=NOW + GAP_S) == []
    signer.state.close()
    again = State(Database.open(signer.state.path, origin=ORIGIN))
    found = _end(replace(signer, state=again), store, outside)
    again.close()
    return found, db.steps.count


# The task beside the cycles.


async def test_a_look_that_fails_is_tried_again():
    looks, turns, slept = [], [], []

    async def look() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise StoreError("the disk is full")

    async def take() -> None:
        turns.append(len(looks))

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await rotate_always(look, take, every_s=300, sleep=sleep)

    assert (turns, slept) == ([2, 3], [300, 300, 300])


async def test_publication_goes_on_while_nobody_can_be_told(signer: Signer):
    outside, store = Outside(), MemoryStore()
    outside.fails = True
    keep(signer, mirror("a", listed=False))
    signer.append([draft(signer, 1)], now=NOW)
    await publish(quiet_desk(signer, store), now=Clock())
    await turn(signer.state.db, outside)

    assert await relist(quiet_desk(signer, store), now=Clock())
    assert [each.url for each in listing.signed(signer.state.db).mirrors] == ["https://a.example/"]


async def test_what_happens_within_minutes_is_told_in_one_message(signer: Signer):
    outside = Outside()
    for second in (0, 10, 20):
        keep(signer, mirror(f"a{second}", listed=False))
        await turn(signer.state.db, outside, now=NOW + second)
    await turn(signer.state.db, outside, now=NOW + GAP_S)

    assert [len(lines) for _, lines in outside.heard] == [1, 2]


# From settings.


async def test_the_operator_hears_of_a_change_over_what_the_settings_name(tmp_path: Path):
    heard: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def hear(request: web.Request) -> web.Response:
        heard.put_nowait(await request.json())
        return web.Response()

    wishes = Wishes(name="A newsroom", origin=ORIGIN, feeds=["https://news.example/a"], lang="en")
    make(tmp_path / "m", wishes, now=NOW)
    path = tmp_path / "m" / "mirror.toml"
    settings = Settings.load(path).model_copy(
        update={
            "mirrors": [MirrorSettings(url="https://a.example/")],
            "watch": Watch(notify="tell"),
        }
    )
    async with site(hear) as host, build.desk(path) as desk:
        (tmp_path / "m" / "tell").write_text(f"json://{host}\n")
        with desk.state.transaction():  # what was seen lately is not looked at again
            row = Mirror("https://a.example/", "public", "healthy", NOW, due=NOW + DAY_S)
            Mirrors(desk.state.db).put(row)
            verdicts.keep(desk.state.db, Tried(row.url), now=NOW, jitter=0)  # nor tried again
        task = asyncio.create_task(look_after(path, settings, now=Clock()))
        async with asyncio.timeout(30):
            message = await heard.get()
        task.cancel()
        await asyncio.wait([task])

    assert message["title"] == "mirrors: 1 changed"
    assert message["message"] == "added a.example/: it works"
