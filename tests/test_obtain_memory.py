"""What a reader remembers of mirrors: whom it asks first, whom it learns of, whom it forgets."""

import json
from dataclasses import replace
from pathlib import Path

import liars
from liars import black_hole, serving
from readers import ONE, fetched, newsroom

from mirror.formats.index import MAX_MIRRORS
from mirror.formats.index import Mirror as Listed
from mirror.obtain import Web
from mirror.obtain.memory import Run, in_turn, keep_mirrors, known_mirrors, learnt
from tests.sites import NOW, Newsroom


def addresses(word: str, count: int) -> list[str]:
    return [f"https://{word}{i}.example/" for i in range(count)]


GOOD = "https://good.example/"
SILENT = addresses("silent", 50)
FULL = dict.fromkeys(addresses("stale", MAX_MIRRORS), NOW - 9)


def run(listed: list[str] | None, *, worked: object = (), failed: object = ()) -> Run:
    return Run(listed, [], worked, failed)


class Listing(Newsroom):
    """A newsroom whose index names mirrors."""

    mirrors: tuple[str, ...] = ()

    def index_document(self, time: int) -> object:
        listed = tuple(Listed(url, "https", NOW) for url in self.mirrors)
        return replace(super().index_document(time), mirrors=listed)


def kept(folder: Path) -> dict[str, int]:
    return dict(json.loads((folder / "memory.mirrors").read_bytes())["mirrors"])


def keep(folder: Path, known: dict[str, int]) -> Path:
    keep_mirrors(folder / "memory", known)
    return folder / "memory"


# The order.


def test_a_mirror_never_asked_comes_third_however_many_worked_once():
    known = dict.fromkeys(SILENT, NOW - 9)

    assert in_turn([*SILENT, GOOD], known) == [*SILENT[:2], GOOD, *SILENT[2:]]
    assert in_turn([*SILENT, GOOD], {**known, GOOD: 0}) == [*SILENT[:2], GOOD, *SILENT[2:]]


def test_those_never_asked_and_those_that_worked_take_turns():
    a, b, c, d = addresses("worked", 4)
    x, y, z = addresses("new", 3)

    assert in_turn([x, y, z, d, c, b, a], {a: 9, b: 8, c: 7, d: 6, x: 0}) == [a, b, y, c, z, d, x]
    assert in_turn([x, y], {x: 0}) == [y, x]
    assert in_turn([b], {a: 9, b: 8}) == [b]


def test_who_failed_last_is_asked_last_of_its_kind_the_next_time():
    a, b, c = addresses("worked", 3)
    x, y, z = addresses("new", 3)
    known = {a: 9, b: 8, c: 7, x: 0, y: 0}

    then = learnt(known, run([*known, z], worked={c}, failed={a, x}), 10)

    assert list(then.items()) == [(c, 10), (b, 8), (a, 9), (z, 0), (y, 0), (x, 0)]


def test_every_listed_mirror_has_its_turn_in_some_run_where_all_fail():
    listed, known, asked = addresses("new", 20), dict[str, int](), set[str]()

    for _ in range(5):
        first = in_turn(listed, known)[:4]
        asked |= set(first)
        known = learnt(known, run(listed, failed=set(first)), NOW)

    assert asked == set(listed)


# What is kept.


def test_those_that_the_last_list_does_not_name_are_forgotten_unless_they_worked():
    a, b, c = addresses("old", 3)
    seen = Run([GOOD], ["https://root.example/"], {b, "https://named.example/"}, {c})

    then = learnt({a: 9, b: 8, c: 0}, seen, 10)

    assert then == {b: 10, GOOD: 0, "https://root.example/": 0}


def test_where_no_list_was_believed_nobody_is_forgotten():
    then = learnt({SILENT[0]: 9, GOOD: 0}, run(None, failed={SILENT[0], GOOD}), 10)

    assert then == {SILENT[0]: 9, GOOD: 0}


def test_a_new_list_is_kept_whole_where_as_many_were_known_as_can_be():
    listed = addresses("new", MAX_MIRRORS)

    assert set(learnt(FULL, run(listed), NOW)) == set(listed)
    assert set(learnt(FULL, run(listed, worked=set(FULL)), NOW)) == set(listed)


def test_what_is_kept_reads_back_in_its_order(tmp_path: Path):
    known = {SILENT[1]: 3, SILENT[0]: 9, GOOD: 0}

    assert list(known_mirrors(keep(tmp_path, known)).items()) == list(known.items())


# The whole way.


async def test_one_good_new_mirror_is_found_among_fifty_silent_ones_which_are_forgotten(
    tmp_path: Path,
):
    room = Listing()
    with black_hole() as silent:
        async with serving(room.files) as good:
            room.mirrors = (good.url,)
            room.publish({ONE: "one"}, time=NOW)
            holes = {f"{silent}{i}/": NOW - 9 for i in range(50)}
            memory = keep(tmp_path, {**holes, good.url: 0})
            web = Web([silent.split("/")[2], good.host])
            found = await fetched(tmp_path, room, ONE, web=web, remember=memory)

    assert found.ok
    assert found.took_s < 8
    assert kept(tmp_path) == {good.url: NOW}


async def test_a_new_mirror_of_the_list_is_asked_before_those_it_does_not_name(tmp_path: Path):
    """Also for the article, where those who showed the list do not have it."""
    room = Listing()
    with black_hole() as silent:
        async with serving(room.files) as good:
            room.mirrors = (good.url,)
            room.publish({ONE: "one"}, time=NOW)
            files = {path: data for path, data in room.files.items() if path[:2] != "a/"}
            async with serving(files) as one, serving(files) as two:
                memory = keep(tmp_path, {f"{silent}{i}/": NOW - 9 for i in range(50)})
                web = Web([silent.split("/")[2], good.host, one.host, two.host])
                found = await fetched(tmp_path, room, ONE, one, two, web=web, remember=memory)

    assert (found.ok, found.mirror) == (True, good.url)
    assert found.took_s < 8


async def test_a_new_list_is_learnt_where_256_are_known(tmp_path: Path):
    room = Listing()
    listed = addresses("new", 9)
    room.mirrors = tuple(listed)
    room.publish({ONE: "one"}, time=NOW)

    async with serving(room.files) as good:
        memory = keep(tmp_path, FULL)
        await fetched(tmp_path, room, ONE, good, remember=memory, only_via=True)

    assert set(kept(tmp_path)) == set(listed)


async def test_a_mirror_that_lied_is_forgotten_where_no_list_names_it(tmp_path: Path):
    """Although it showed a true index."""
    room = newsroom()
    lie = liars.only_for(lambda path: path.startswith("a/"), liars.tampers)

    async with serving(room.files, lie) as liar, serving(room.files) as good:
        memory = keep(tmp_path, {liar.url: NOW - 9, good.url: NOW - 9})
        web = Web([liar.host, good.host])
        found = await fetched(tmp_path, room, ONE, liar, good, web=web, remember=memory)

    assert found.ok
    assert kept(tmp_path) == {good.url: NOW}


async def test_nobody_is_forgotten_for_the_sake_of_one_of_two_histories(tmp_path: Path):
    """Whoever has the newsroom's key could leave its readers nowhere else to ask."""
    room, other = Listing(), Newsroom()
    other.publish({ONE: "one, for you alone"}, time=NOW)

    async with serving(other.files) as two:
        room.mirrors = (two.url,)
        room.publish({ONE: "one"}, time=NOW)
        async with serving(room.files) as one:
            memory = keep(tmp_path, {GOOD: 0})
            web = Web([one.host, two.host])
            found = await fetched(tmp_path, room, ONE, one, web=web, remember=memory)

    assert found.verdict == "fork"
    assert GOOD in kept(tmp_path)
