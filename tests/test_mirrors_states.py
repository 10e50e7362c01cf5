"""What is thought of a mirror: on a simulated clock, with every outcome that a look can have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.mirrors import Mirror, Outcome, Probe, State
from mirror.mirrors.states import CLEARS, LIAR_S, WORDS, deaf, judge, sights
from mirror.mirrors.vantage import Vantage

URL = "https://copy.example/"
EVERY_S = 300
START = 1_795_000_000
DETECTED_S = 15 * 60

CONTROL = Vantage("control", control=True)
RELAY = Vantage("relay", "RU", proxy="socks5h://203.0.113.5:1080")
HOME = Vantage("home", "RU", ssh="me@198.51.100.7")
SAME = Vantage("same", "RU", proxy="socks5h://203.0.113.5:9050")  # another port of one machine
KAZAN = Vantage("almaty", "KZ", proxy="http://192.0.2.9:3128")
ALL = (CONTROL, RELAY, HOME)

RESET: Outcome = "tls-sni-reset"
OUTCOMES = get_args(Outcome)
FILTERED = [each for each in OUTCOMES if each not in ("ok", "stale", "content-tampered")]


@dataclass
class Watcher:
    """Looks at one mirror whenever it is due, as a daemon does."""

    vantages: Sequence[Vantage] = ALL
    mirror: Mirror = field(default_factory=lambda: Mirror(URL, "public"))
    now: int = START
    probes: list[Probe] = field(default_factory=list)
    states: list[State] = field(default_factory=list)

    def look(self, seen: Mapping[Vantage, Outcome] | None = None) -> State:
        """Look once, from all places; where nothing is said, it works."""
        self.now = max(self.now + 1, self.mirror.due)
        for place in sorted(self.vantages, key=lambda each: each.control):
            outcome = (seen or {}).get(place, "ok")
            self.probes.insert(0, Probe(URL, place.name, self.now, outcome))
        self.mirror = judge(
            self.mirror, self.probes, vantages=self.vantages, now=self.now, every_s=EVERY_S
        )
        self.states.append(self.mirror.state)
        return self.mirror.state

    def looks(self, *seen: Mapping[Vantage, Outcome]) -> list[State]:
        return [self.look(each) for each in seen]


def everywhere(outcome: Outcome, *places: Vantage) -> dict[Vantage, Outcome]:
    return dict.fromkeys(places, outcome)


def in_russia(outcome: Outcome) -> dict[Vantage, Outcome]:
    return everywhere(outcome, RELAY, HOME)


@pytest.fixture
def healthy() -> Watcher:
    watcher = Watcher()
    assert watcher.looks({}, {}) == ["healthy", "healthy"]
    return watcher


# How it goes.


def test_a_mirror_that_works_from_everywhere_is_healthy_at_once():
    watcher = Watcher()

    assert watcher.look() == "healthy"
    assert watcher.mirror.reason == "works from control, relay (RU), home (RU)"
    assert watcher.mirror.due == watcher.now + EVERY_S


def test_the_first_failure_makes_a_suspect_that_is_looked_at_again_sooner(healthy: Watcher):
    assert healthy.look(in_russia(RESET)) == "suspect"
    assert healthy.mirror.due == healthy.now + EVERY_S // 5


def test_what_fails_twice_in_a_country_and_works_outside_is_blocked_there(healthy: Watcher):
    assert healthy.looks(in_russia(RESET), in_russia(RESET)) == ["suspect", "blocked"]
    assert healthy.mirror.blocked_in == ("RU",)
    assert healthy.mirror.reason.startswith("blocked in RU: tls-sni-reset from relay (RU)")
    assert healthy.mirror.reason.endswith("works from control")


@pytest.mark.parametrize("outcome", FILTERED)
def test_every_way_to_block_is_one_and_is_named(outcome: Outcome):
    watcher = Watcher()
    watcher.looks({}, in_russia(outcome), in_russia(outcome))

    assert watcher.mirror.state == "blocked"
    assert outcome in watcher.mirror.reason
    assert WORDS[outcome] in watcher.mirror.reason


def test_a_block_is_known_within_a_quarter_of_an_hour(healthy: Watcher):
    blocked_at = healthy.now + 1
    while healthy.look(in_russia(RESET)) != "blocked":
        pass

    assert healthy.now - blocked_at <= DETECTED_S


@pytest.mark.parametrize("outcome", [*FILTERED, "stale"])
def test_what_fails_everywhere_is_down_and_never_blocked(healthy: Watcher, outcome: Outcome):
    dead = everywhere(outcome, *ALL)

    assert healthy.looks(dead, dead, dead) == ["suspect", "down", "down"]
    assert healthy.mirror.blocked_in == ()


def test_a_mirror_that_dies_between_two_looks_is_not_blocked(healthy: Watcher):
    dead = everywhere("tcp_ip", *ALL)
    # The control looked first, when it still worked.
    healthy.probes[:0] = [
        Probe(URL, place.name, healthy.now + at, outcome)
        for at, place, outcome in (
            (30, HOME, "tcp_ip"),
            (30, RELAY, "tcp_ip"),
            (20, HOME, "tcp_ip"),
            (20, RELAY, "tcp_ip"),
        )
    ]
    healthy.now += 40
    healthy.mirror = judge(
        healthy.mirror, healthy.probes, vantages=ALL, now=healthy.now, every_s=EVERY_S
    )

    assert healthy.mirror.state == "suspect"
    assert healthy.looks(dead, dead)[-1] == "down"


@pytest.mark.parametrize(
    "inside",
    [
        everywhere(RESET, RELAY),  # one place
        everywhere(RESET, RELAY, SAME),  # two names of one machine
        everywhere(RESET, RELAY, KAZAN),  # two countries
    ],
)
def test_one_place_alone_never_makes_a_block(inside: dict[Vantage, Outcome]):
    watcher = Watcher(vantages=(CONTROL, *inside))
    watcher.look()

    assert set(watcher.looks(*[inside] * 10)) == {"suspect"}


def test_without_a_control_nothing_is_blocked():
    watcher = Watcher(vantages=(RELAY, HOME, KAZAN))
    watcher.look()

    assert set(watcher.looks(*[in_russia(RESET)] * 10)) == {"suspect"}
    assert watcher.looks(*[everywhere(RESET, RELAY, HOME, KAZAN)] * 3)[-1] == "down"


def test_with_this_machine_alone_a_mirror_is_down_at_most():
    here = Vantage("here")
    watcher = Watcher(vantages=(here,))
    states = watcher.looks({}, {here: RESET}, {here: RESET}, {here: "content-tampered"}, {})

    assert states == ["healthy", "suspect", "down", "down", "down"]
    assert watcher.looks({}, {}) == ["down", "healthy"]


def test_a_stale_mirror_is_a_suspect_then_down(healthy: Watcher):
    stale = everywhere("stale", *ALL)

    assert healthy.looks(stale, stale) == ["suspect", "down"]


def test_a_stale_copy_seen_inside_only_is_no_block(healthy: Watcher):
    assert set(healthy.looks(*[in_russia("stale")] * 5)) == {"suspect"}


def test_what_works_inside_but_not_for_the_control_is_neither_down_nor_blocked(healthy: Watcher):
    assert set(healthy.looks(*[everywhere("tcp_ip", CONTROL)] * 5)) == {"suspect"}


# A liar, and a man in the middle.


def test_a_control_that_sees_a_forgery_looks_again_within_a_minute_and_makes_a_liar(
    healthy: Watcher,
):
    forged = everywhere("content-tampered", CONTROL)

    assert healthy.looks(forged, forged) == ["suspect", "lying"]
    assert healthy.probes[0].at - healthy.probes[len(ALL)].at <= 60


def test_a_file_that_was_damaged_once_makes_no_liar(healthy: Watcher):
    damaged = everywhere("content-tampered", CONTROL)

    assert "lying" not in healthy.looks(damaged, {}, {}, {}, damaged, {}, {}, {})
    assert healthy.mirror.state == "healthy"


@pytest.mark.parametrize(
    ("seen", "lies"),
    [
        (["stale", "stale", "content-tampered"], False),
        (["tcp_ip", "content-tampered"], False),
        (["content-tampered", "ok", "content-tampered"], True),
        (["content-tampered", "ok", "ok", "content-tampered"], True),
        (["content-tampered", "tcp_ip", "content-tampered"], True),
    ],
)
def test_forgeries_are_counted_and_not_other_failures(
    healthy: Watcher, seen: list[Outcome], *, lies: bool
):
    states = healthy.looks(*(everywhere(each, CONTROL) for each in seen))

    assert (states[-1] == "lying") == lies
    assert "lying" not in states[:-1]


def test_a_forgery_before_a_control_and_another_place_makes_a_liar_at_once(healthy: Watcher):
    assert healthy.look(everywhere("content-tampered", CONTROL, RELAY)) == "lying"


def test_a_forgery_before_two_places_that_are_not_one_countrys_makes_a_liar():
    watcher = Watcher(vantages=(CONTROL, RELAY, KAZAN))

    assert watcher.look(everywhere("content-tampered", RELAY, KAZAN)) == "lying"


def test_a_forgery_before_two_places_of_a_country_makes_a_liar_where_no_control_vouches():
    watcher = Watcher(vantages=(RELAY, HOME))

    assert watcher.look(in_russia("content-tampered")) == "lying"


def test_a_man_in_the_middle_of_one_place_is_no_lie(healthy: Watcher):
    assert set(healthy.looks(*[everywhere("content-tampered", RELAY)] * 4)) == {"suspect"}


def test_a_country_whose_places_all_see_forgeries_blocks(healthy: Watcher):
    forged = in_russia("content-tampered")

    assert healthy.looks(forged, forged) == ["suspect", "blocked"]


def test_a_liar_is_not_believed_for_a_day(healthy: Watcher):
    healthy.looks(*[everywhere("content-tampered", CONTROL)] * 2)
    since, reason = healthy.mirror.since, healthy.mirror.reason
    while healthy.mirror.state == "lying":
        assert healthy.mirror.reason == reason
        healthy.look()

    assert healthy.now - since >= LIAR_S
    assert healthy.mirror.state == "healthy"


# Back again, and to and fro.


def test_a_block_ends_when_all_places_of_the_country_have_seen_it_work_for_a_while(
    healthy: Watcher,
):
    healthy.looks(*[in_russia(RESET)] * 2)
    one = everywhere(RESET, HOME)

    assert set(healthy.looks(*[one] * 10)) == {"blocked"}
    assert healthy.looks(*[{}] * CLEARS)[-2:] == ["blocked", "healthy"]
    assert healthy.mirror.blocked_in == ()


def test_a_blocked_mirror_that_dies_is_down_and_is_blocked_when_it_is_back(healthy: Watcher):
    healthy.looks(*[in_russia(RESET)] * 2)
    dead = everywhere("tcp_ip", *ALL)

    assert healthy.looks(dead, dead)[-1] == "down"
    assert healthy.mirror.blocked_in == ("RU",)
    assert healthy.look(in_russia(RESET)) == "blocked"


def test_a_mirror_that_is_down_is_healthy_after_it_worked_three_times(healthy: Watcher):
    healthy.looks(*[everywhere("tcp_ip", *ALL)] * 2)

    assert healthy.looks({}, {}, {}) == ["down", "down", "healthy"]


@pytest.mark.parametrize("period", [2, 3, 4])
def test_to_and_fro_does_not_flip_at_every_look(period: int):
    watcher = Watcher()
    watcher.looks({}, {})
    for step in range(60):
        watcher.look(everywhere("tcp_ip", *ALL) if step % period == 0 else {})

    flips = sum(before != after for before, after in pairwise(watcher.states))
    assert flips <= 60 // 2
    assert flips <= 1 or period > CLEARS


def test_what_was_seen_before_a_pause_says_nothing_of_now(healthy: Watcher):
    healthy.look(in_russia(RESET))
    healthy.now += 24 * 3600

    assert healthy.look(in_russia(RESET)) == "suspect"
    assert healthy.look(in_russia(RESET)) == "blocked"


def test_where_nobody_could_look_nothing_changes(healthy: Watcher):
    before = healthy.mirror
    after = judge(before, [], vantages=ALL, now=healthy.now, every_s=EVERY_S)

    assert after == replace(before, due=healthy.now + EVERY_S)


def test_the_word_of_a_place_that_is_not_heard_does_not_count(healthy: Watcher):
    healthy.looks(*[in_russia(RESET)])
    heard = (CONTROL, HOME)
    for _ in range(5):
        healthy.look(in_russia(RESET))
    judged = judge(
        Mirror(URL, "public"), healthy.probes, vantages=heard, now=healthy.now, every_s=EVERY_S
    )

    assert judged.state == "suspect"


# Whatever is seen.

PLACES = (CONTROL, RELAY, HOME, SAME, KAZAN, Vantage("here"))
LOOKS = st.lists(
    st.fixed_dictionaries({place: st.sampled_from(OUTCOMES) for place in PLACES}), max_size=25
)


@given(LOOKS, st.sets(st.sampled_from(PLACES), min_size=1))
def test_nothing_is_blocked_without_two_places_inside_and_a_control_that_sees_it_work(
    looks: list[dict[Vantage, Outcome]], places: set[Vantage]
):
    watcher = Watcher(vantages=tuple(each for each in PLACES if each in places))
    before: tuple[str, ...] = ()
    for number, look in enumerate(looks):
        watcher.look(look)
        for country in set(watcher.mirror.blocked_in) - set(before):
            ways = {
                place.way
                for place in places
                if place.country == country
                and all(each[place] != "ok" for each in looks[number - 1 : number + 1])
            }

            assert CONTROL in places
            assert look[CONTROL] == "ok"
            assert number > 0
            assert len(ways) > 1
        before = watcher.mirror.blocked_in


@given(LOOKS)
def test_what_no_place_sees_work_is_never_newly_blocked(looks: list[dict[Vantage, Outcome]]):
    watcher = Watcher(vantages=PLACES)
    for look in looks:
        before = watcher.mirror.state
        watcher.look({place: "tcp_ip" if o == "ok" else o for place, o in look.items()})

        assert watcher.mirror.state != "blocked" or before == "blocked"


@given(LOOKS)
def test_a_state_that_stays_keeps_its_time_and_one_that_changes_has_a_new_one(
    looks: list[dict[Vantage, Outcome]],
):
    watcher = Watcher(vantages=PLACES)
    for look in looks:
        before = watcher.mirror
        watcher.look(look)
        after = watcher.mirror

        assert after.since == (before.since if after.state == before.state else watcher.now)
        assert watcher.now < after.due <= watcher.now + EVERY_S
        assert after.state == "lying" or after.reason
        assert (after.role, after.announced) == (before.role, before.announced)


# Places that do not work.


def seen_of(*looks: tuple[str, Mapping[Vantage, Outcome]]):
    """Return what was seen of several mirrors, in one look each."""
    return {
        url: sights(
            [Probe(url, place.name, START, outcome) for place, outcome in seen.items()],
            seen,
            now=START,
            every_s=EVERY_S,
        )
        for url, seen in looks
    }


def test_a_place_that_sees_no_mirror_work_not_even_a_spare_is_deaf():
    mirrors = [Mirror("a", "public", announced=1), Mirror("b", "spare")]
    seen = seen_of(*((url, {CONTROL: "ok", RELAY: "tcp_ip", HOME: "tcp_ip"}) for url in "ab"))

    assert set(deaf(seen, mirrors)) == {"relay", "home"}
    assert deaf(seen, mirrors)["relay"] == "sees none of 2 mirrors, of which 2 work"


def test_places_that_see_no_announced_mirror_work_are_before_a_filter():
    mirrors = [Mirror(url, "public", announced=1) for url in "ab"]
    seen = seen_of(*((url, {CONTROL: "ok", RELAY: RESET, HOME: RESET}) for url in "ab"))

    assert deaf(seen, mirrors) == {}


def test_a_place_whose_neighbour_sees_mirrors_work_is_deaf():
    mirrors = [Mirror(url, "public", announced=1) for url in "ab"]
    seen = seen_of(*((url, {CONTROL: "ok", RELAY: "tcp_ip", HOME: "ok"}) for url in "ab"))

    assert set(deaf(seen, mirrors)) == {"relay"}


def test_a_control_without_a_line_is_deaf_and_makes_nothing_down():
    mirrors = [Mirror("a", "public"), Mirror("b", "spare")]
    seen = seen_of(*((url, {CONTROL: "tcp_ip", RELAY: "ok", HOME: "ok"}) for url in "ab"))

    assert set(deaf(seen, mirrors)) == {"control"}


def test_a_place_is_not_deaf_to_one_mirror_or_to_mirrors_that_nobody_sees_work():
    mirrors = [Mirror(url, "spare") for url in "ab"]
    one = seen_of(("a", {CONTROL: "ok", RELAY: RESET}))
    dead = seen_of(*((url, {CONTROL: "tcp_ip", RELAY: "tcp_ip"}) for url in "ab"))

    assert deaf(one, mirrors) == deaf(dead, mirrors) == {}
