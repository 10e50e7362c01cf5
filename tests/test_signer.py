"""The one writer of the log: what it appends follows, and no crash or old copy makes a fork."""

import itertools
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from fakes import (
    NOW,
    ORIGIN,
    Clock,
    MemoryStore,
    audited,
    catalogue_from_scratch,
    docs_of,
    draft,
    embedded,
    fill,
    flaws,
    identity,
    keys,
    log_from_scratch,
    open_signer,
    quiet_desk,
    records_of,
    root_from_scratch,
    story,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.article.identity import Identity
from mirror.cycle import publish, run_cycle
from mirror.desk import relist
from mirror.edition import REFRESH_S, refreshed_files, signed_files, unsigned_files
from mirror.errors import SettingsError, StateError, StoreError
from mirror.formats import tlog
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.index import Index
from mirror.formats.note import Note, timestamp
from mirror.formats.paths import CHECKPOINT, INDEX_PROOF, article_folder, short_id
from mirror.mirrors import Mirror, Mirrors
from mirror.mirrors import State as Standing
from mirror.pages.archive import last_written
from mirror.signer import Draft, Signer, listing
from mirror.site import KEEP_INDEX_S, KEEP_PARTIAL_S

DAY = 24 * 3600


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


async def round_(signer: Signer, store: MemoryStore, *numbers: int, now: int = NOW, text: str = ""):
    """Publish these stories, new or revised, as a cycle does."""
    drafts = [draft(signer, number, text=text) for number in numbers]
    refused = signer.append(drafts, now=now)
    await publish(quiet_desk(signer, store), now=lambda: now)
    return refused


def time_of(checkpoint: bytes) -> int:
    """Return when the clock signed."""
    [clock] = [line for line in Note.parse(checkpoint).signatures if line.name == f"{ORIGIN}/clock"]
    return timestamp(clock.blob)


def newest_index(signer: Signer, store: MemoryStore) -> Index:
    return Index.parse(store.kept[signer.state.log().index_ref])


# What is appended.


async def test_a_round_is_its_articles_and_one_index(signer: Signer, store: MemoryStore):
    await round_(signer, store, 1, 2, 3)
    docs = docs_of(signer)

    assert [(doc.t, doc.n, doc.rev, doc.prev) for doc in docs] == [
        *(("doc", 0, 1, None), ("doc", 1, 1, None), ("doc", 2, 1, None)),
        ("index", 0, 1, None),
    ]
    assert {doc.time for doc in docs} == {doc.first for doc in docs} == {NOW}
    assert flaws(store.kept, signer.root) == []
    assert await audited(store.kept, signer.root) == []


async def test_a_revision_follows_the_one_before(signer: Signer, store: MemoryStore):
    await round_(signer, store, 1, 2)
    await round_(signer, store, 2, now=NOW + 60, text="corrected")
    await round_(signer, store, 2, 3, now=NOW + 120, text="once more")
    chain = [(d.rev, d.prev, d.first, d.time) for d in docs_of(signer) if d.t == "doc" and d.n == 1]
    indexes = [(d.rev, d.prev, d.first, d.time) for d in docs_of(signer) if d.t == "index"]

    assert chain == [(1, None, NOW, NOW), (2, 1, NOW, NOW + 60), (3, 3, NOW, NOW + 120)]
    assert indexes == [(1, None, NOW, NOW), (2, 2, NOW, NOW + 60), (3, 4, NOW, NOW + 120)]
    assert await audited(store.kept, signer.root, now=NOW + 120) == []


async def test_time_never_falls_although_the_clock_does(signer: Signer, store: MemoryStore):
    await round_(signer, store, 1)
    await round_(signer, store, 2, now=NOW - DAY)
    await round_(signer, store, 1, now=NOW - 3, text="corrected")
    await round_(signer, store, 3, now=NOW + 5)
    times = [doc.time for doc in docs_of(signer)]

    assert times == [NOW] * 6 + [NOW + 5] * 2
    assert time_of(store.kept[CHECKPOINT]) == NOW + 5
    assert await audited(store.kept, signer.root, now=NOW + 5) == []


async def test_the_clocks_word_never_falls_either(signer: Signer, store: MemoryStore):
    await round_(signer, store, 1)
    store.kept |= refreshed_files(signer, now=NOW + DAY)
    await round_(signer, store, 2, now=NOW + 60)

    assert time_of(store.kept[CHECKPOINT]) == NOW + DAY


async def test_the_index_shows_the_newest_thirty_and_counts_all(signer: Signer, store: MemoryStore):
    await round_(signer, store, *range(40))
    await round_(signer, store, 39, 2, now=NOW + 1, text="corrected")
    index = newest_index(signer, store)

    assert index.count == 40
    assert [each.n for each in index.newest] == list(range(39, 9, -1))
    assert [each.rev for each in index.newest] == [2, *[1] * 29]
    assert (index.name, index.origin, index.root) == ("A newsroom", ORIGIN, 1)
    assert index.issued == NOW + 1
    assert await audited(store.kept, signer.root, now=NOW + 1) == []


async def test_an_article_that_cannot_be_made_stops_no_other(signer: Signer, store: MemoryStore):
    twin = twin_of(1)
    refused = signer.append([draft(signer, 1), twin, draft(signer, 3)], now=NOW)
    await publish(quiet_desk(signer, store), now=Clock())

    assert list(refused) == [twin.identity.id]
    assert "https://news.example/9: a/" in refused[twin.identity.id]
    assert "another article has this path" in refused[twin.identity.id]
    assert [(doc.t, doc.n) for doc in docs_of(signer)] == [("doc", 0), ("doc", 1), ("index", 0)]
    assert await audited(store.kept, signer.root) == []


async def test_a_round_in_which_all_are_refused_appends_nothing(signer: Signer, store: MemoryStore):
    await round_(signer, store, 1)
    store.order.clear()
    refused = signer.append([twin_of(1)], now=NOW)
    await publish(quiet_desk(signer, store), now=Clock())

    assert len(refused) == 1
    assert signer.state.log().size == 2
    assert signer.state.count() == 1
    assert store.order == []


def twin_of(number: int) -> Draft:
    """Return another article whose id begins with the same 100 bits."""
    id_ = identity(number).id[:13] + bytes(19)
    return Draft(story(9), Identity(("guid other",), id_), "https://news.example/feed", None)


async def test_two_rounds_at_once_cannot_both_append(signer: Signer):
    signer.append([draft(signer, 1)], now=NOW)
    with pytest.raises(StateError, match="moved on"):
        signer.append([draft(signer, 2)], now=NOW)

    assert signer.state.log().size == 2
    assert signer.state.count() == 1


# The list of mirrors.


def announce(signer: Signer, *numbers: int) -> None:
    """Have these, and no others, be announced."""
    mirrors = Mirrors(signer.state.db)
    with signer.state.transaction():
        for each in mirrors.rows():
            mirrors.put(replace(each, announced=None))
        for number in numbers:
            url = f"https://m{number}.example/"
            mirrors.put(Mirror(url, "public", "healthy", announced=NOW + number))


def listed(signer: Signer, store: MemoryStore) -> list[str]:
    return [each.url for each in newest_index(signer, store).mirrors]


async def relisted(signer: Signer, store: MemoryStore, *, now: int) -> bool:
    return await relist(quiet_desk(signer, store), now=lambda: now)


async def test_the_index_lists_the_announced_mirrors_in_their_order(
    signer: Signer, store: MemoryStore
):
    with signer.state.transaction():
        for n, url in enumerate(
            ("https://z.example/", "http://a.onion/", "https://g.example/ipns/k/")
        ):
            row = Mirror(url, "public", "healthy", announced=NOW + n, blocked_in=("BY", "RU")[n:])
            Mirrors(signer.state.db).put(row)
        Mirrors(signer.state.db).put(Mirror("https://spare.example/", "spare", "healthy"))
    await round_(signer, store, 1)
    found = newest_index(signer, store).mirrors
    page = store.kept["mirrors.html"].decode()

    assert [(each.url, each.kind, each.since, each.blocked_in) for each in found] == [
        ("https://z.example/", "https", NOW, ("BY", "RU")),
        ("http://a.onion/", "onion", NOW + 1, ("RU",)),
        ("https://g.example/ipns/k/", "gateway", NOW + 2, ()),
    ]
    assert page.index("https://z.example/") < page.index("http://a.onion/")
    assert "blocked in" in page
    assert "spare" not in page
    assert await audited(store.kept, signer.root) == []


async def test_a_change_of_the_list_alone_is_a_round_of_one_index(
    signer: Signer, store: MemoryStore
):
    await round_(signer, store, 1, 2)
    announce(signer, 1)
    before = dict(store.kept)
    first = await relisted(signer, store, now=NOW + 60)
    again = await relisted(signer, store, now=NOW + 61)
    changed = {path for path, data in store.kept.items() if before.get(path) != data}

    assert (first, again) == (True, False)
    assert [doc.t for doc in docs_of(signer)] == ["doc", "doc", "index", "index"]
    assert listed(signer, store) == ["https://m1.example/"]
    assert "https://m1.example/" in store.kept["mirrors.html"].decode()
    assert not [path for path in changed if path.startswith("a/")]
    assert len(changed) < 16
    assert await audited(store.kept, signer.root, now=NOW + 60) == []


async def test_a_country_leaves_the_list_after_a_good_day(signer: Signer, store: MemoryStore):
    def seen(state: Standing, since: int, *countries: str) -> None:
        row = Mirror("https://m.example/", "public", state, since, NOW, "", 0, countries)
        with signer.state.transaction():
            Mirrors(signer.state.db).put(row)

    told = []
    seen("blocked", NOW, "RU")
    await round_(signer, store, 1)
    for state, since, countries, now in (
        ("suspect", NOW + 60, (), NOW + 60),
        ("blocked", NOW + 90, ("BY",), NOW + 90),
        ("healthy", NOW + 100, (), NOW + 100 + DAY - 1),
        ("healthy", NOW + 100, (), NOW + 100 + DAY),
    ):
        seen(state, since, *countries)
        await relisted(signer, store, now=now)
        told += [each.blocked_in for each in newest_index(signer, store).mirrors]

    assert told == [("RU",), ("BY", "RU"), ("BY", "RU"), ()]


async def test_no_list_is_signed_before_there_is_an_article(signer: Signer, store: MemoryStore):
    announce(signer, 1)

    assert not await relisted(signer, store, now=NOW)
    assert store.kept == {}

    await round_(signer, store, 1)

    assert listed(signer, store) == ["https://m1.example/"]


async def test_a_list_that_comes_back_is_not_removed_with_its_older_twin(
    signer: Signer, store: MemoryStore
):
    await round_(signer, store, 1)
    for numbers in ((1,), (1, 2), (1,), (1, 2)):
        announce(signer, *numbers)
        assert await relisted(signer, store, now=NOW - DAY)  # the clock was set back
    await run_cycle(quiet_desk(signer, store), now=lambda: NOW + KEEP_INDEX_S + DAY)

    assert listed(signer, store) == ["https://m1.example/", "https://m2.example/"]
    assert await audited(store.kept, signer.root, now=NOW + KEEP_INDEX_S + DAY) == []


async def test_a_list_too_long_for_an_index_is_cut_and_stops_nothing(
    signer: Signer, store: MemoryStore
):
    with signer.state.transaction():
        for n in range(300):
            url = f"https://{'m' * 60}{n}.example/"
            Mirrors(signer.state.db).put(Mirror(url, "public", "healthy", announced=NOW + n))
    signer.append([draft(signer, n, text="x") for n in range(30)], now=NOW)
    await publish(quiet_desk(signer, store), now=Clock())

    assert 100 < len(listed(signer, store)) < 256
    assert await audited(store.kept, signer.root) == []


def announce_all(signer: Signer, numbers: range, state: Standing, *countries: str) -> list[str]:
    """Have these be announced too, or anew, in this state; a list of 200 of them is too long."""
    urls = [f"https://{'m' * 60}{n}.example/" for n in numbers]
    with signer.state.transaction():
        for n, url in zip(numbers, urls, strict=True):
            row = Mirror(url, "spare", state, NOW, NOW + n, "", 0, countries)
            Mirrors(signer.state.db).put(row)
    return urls


async def test_a_new_mirror_that_works_is_not_cut_off_by_two_hundred_that_are_blocked(
    signer: Signer, store: MemoryStore
):
    blocked = announce_all(signer, range(200), "blocked", "RU")
    await round_(signer, store, 1)
    before = listed(signer, store)
    [works] = announce_all(signer, range(200, 201), "healthy")
    assert await relisted(signer, store, now=NOW + 300)
    after = listed(signer, store)

    assert 100 < len(before) < 200
    assert before == blocked[-len(before) :]
    assert after == [*blocked[-len(after) + 1 :], works]
    assert await audited(store.kept, signer.root, now=NOW + 300) == []


@pytest.mark.parametrize("state", ["healthy", "suspect", "new"])
async def test_what_stands_is_listed_before_what_is_blocked_and_that_before_what_is_down(
    signer: Signer, store: MemoryStore, state: Standing
):
    stands = announce_all(signer, range(100, 120), state)
    blocked = announce_all(signer, range(150, 270), "blocked", "RU")
    half = announce_all(signer, range(100), "suspect", "RU")  # blocked, and fails elsewhere too
    announce_all(signer, range(300, 350), "down")
    await round_(signer, store, 1)
    found = listed(signer, store)
    more = len(found) - 140

    assert 0 < more < 50
    assert found == [*half[-more:], *stands, *blocked]


async def test_when_all_seem_down_those_that_are_blocked_too_are_cut_off(
    signer: Signer, store: MemoryStore
):
    down = announce_all(signer, range(20), "down")
    announce_all(signer, range(20, 220), "down", "RU")
    await round_(signer, store, 1)

    assert listed(signer, store)[:20] == down


async def test_a_list_that_is_cut_changes_once_for_what_changed(signer: Signer, store: MemoryStore):
    urls = announce_all(signer, range(300), "blocked", "RU")
    await round_(signer, store, 1)
    told = []
    changes: tuple[tuple[int, Standing], ...]
    changes = (298, "healthy"), (0, "healthy"), (1, "suspect"), (299, "down"), (0, "blocked")
    for at, (n, state) in enumerate(changes, 1):
        announce_all(signer, range(n, n + 1), state, *(["RU"] if state == "blocked" else []))
        now = NOW + 300 * at
        done = [await relisted(signer, store, now=now + after) for after in range(3)]
        has = listed(signer, store)
        told.append((sum(done), *(urls[number] in has for number in (0, 1, 2, 298, 299))))

    assert told == [
        (0, False, False, False, True, True),  # readers are told of the block for a day longer
        (1, True, False, False, True, True),
        (1, True, True, False, True, True),
        (1, True, True, False, True, False),
        (1, False, True, False, True, False),
    ]


async def test_a_list_that_fits_is_in_the_order_of_announcement_whatever_the_states(
    signer: Signer, store: MemoryStore
):
    urls = announce_all(signer, range(2), "down")
    urls += announce_all(signer, range(2, 4), "blocked", "BY", "RU")
    urls += announce_all(signer, range(4, 6), "healthy")
    await round_(signer, store, 1)

    assert listed(signer, store) == urls


async def test_mirrors_that_do_not_fit_any_more_are_not_a_loss_to_refuse(
    signer: Signer, store: MemoryStore
):
    announce(signer, *range(256))
    await round_(signer, store, 1)
    countries = tuple(f"{a}{b}" for a in "ABC" for b in "ABCDEFGHIJ")
    with signer.state.transaction():
        for each in Mirrors(signer.state.db).rows():
            Mirrors(signer.state.db).put(replace(each, state="blocked", blocked_in=countries))
    before = len(listed(signer, store))

    assert await relisted(signer, store, now=NOW + 300)
    assert listing.refusal(signer.state.db, now=NOW + 300) == ""
    assert (before, len(listed(signer, store)) < 128) == (256, True)

    announce(signer, 1, 2)  # and that is one

    assert not await relisted(signer, store, now=NOW + 600)
    assert "mirrors would be left" in listing.refusal(signer.state.db, now=NOW + 600)


async def test_a_list_that_lost_most_is_not_signed_and_articles_are(
    signer: Signer, store: MemoryStore
):
    announce(signer, 1, 2, 3)
    await round_(signer, store, 1)
    announce(signer, 3)
    assert not await relisted(signer, store, now=NOW + 5)
    await round_(signer, store, 2, now=NOW + 10)

    assert len(listed(signer, store)) == 3
    assert newest_index(signer, store).count == 2
    assert "1 of 3 mirrors would be left" in listing.refusal(signer.state.db, now=NOW)
    assert "`mirror mirrors shrink --to 1`" in listing.refusal(signer.state.db, now=NOW)

    announce(signer, 3, 4)  # one was replaced

    assert listing.refusal(signer.state.db, now=NOW) == ""
    assert await relisted(signer, store, now=NOW + 20)
    assert listed(signer, store) == ["https://m3.example/", "https://m4.example/"]


@pytest.mark.parametrize(
    ("to", "after_s", "signs"), [(1, 60, True), (2, 60, False), (1, DAY, False)]
)
async def test_a_loss_is_signed_when_the_operator_says_to_how_few_and_lately(
    signer: Signer, store: MemoryStore, to: int, after_s: int, signs: bool
):
    announce(signer, 1, 2, 3, 4)
    await round_(signer, store, 1)
    announce(signer, 4)
    with signer.state.transaction():
        listing.permit(signer.state.db, to=to, now=NOW)
    done = await relisted(signer, store, now=NOW + after_s)

    assert done == signs
    assert len(listed(signer, store)) == (1 if signs else 4)


async def test_a_permission_is_for_one_loss(signer: Signer, store: MemoryStore):
    announce(signer, *range(8))
    await round_(signer, store, 1)
    with signer.state.transaction():
        listing.permit(signer.state.db, to=0, now=NOW)
    announce(signer, 1, 2, 3)
    assert await relisted(signer, store, now=NOW + 1)
    announce(signer)

    assert not await relisted(signer, store, now=NOW + 2)
    assert len(listed(signer, store)) == 3


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sets(st.integers(0, 9)), st.booleans()), max_size=12))
def test_no_list_ever_loses_more_than_half_unasked(steps: list[tuple[set[int], bool]]):
    with TemporaryDirectory() as folder:
        signer = open_signer(Path(folder))
        before = 0
        for at, (numbers, article) in enumerate([({1}, True), *steps], 1):
            announce(signer, *numbers)
            now = NOW + at
            if article:
                signer.append([draft(signer, at)], now=now)
            else:
                signer.relist(now=now)
            with signer.state.transaction():
                signer.state.mark_published(signer.state.log().size, now=now)
            after = listing.signed(signer.state.db).mirrors
            wanted = {f"https://m{number}.example/" for number in numbers}

            assert 2 * len(after) >= before
            assert {each.url for each in after} == wanted or 2 * len(wanted) < before
            before = len(after)
        signer.state.close()


async def test_an_index_that_counts_fewer_articles_is_not_signed(
    signer: Signer, store: MemoryStore
):
    await round_(signer, store, 1, 2, 3)
    with signer.state.transaction():
        signer.state.db.execute("DELETE FROM article WHERE n=2")
    announce(signer, 1)

    with pytest.raises(StateError, match="2 articles, and the last index counts 3"):
        signer.relist(now=NOW + 1)
    assert signer.state.log().size == 4


# Boundaries.


@pytest.mark.parametrize("start", [250, 65_530], ids=["256", "65,536"])
async def test_the_log_grows_across_a_boundary_as_if_made_from_scratch(
    signer: Signer, store: MemoryStore, start: int
):
    fill(signer.state, 3)
    _fill_log(signer, start)
    store.kept |= log_from_scratch(records_of(signer))
    for step in range(6):
        await round_(signer, store, step, now=NOW + step)
    records = records_of(signer)
    expected = log_from_scratch(records)
    checkpoint = Checkpoint.parse(Note.parse(store.kept[CHECKPOINT]).text)

    assert len(records) == start + 12
    assert {path: store.kept.get(path) for path in expected} == expected
    assert checkpoint.root == root_from_scratch(records)

    await run_cycle(quiet_desk(signer, store), now=lambda: NOW + KEEP_PARTIAL_S + 99)
    left = {path: data for path, data in store.kept.items() if path.startswith("tile/")}

    assert {path for path in left if ".p/" in path} >= {p for p in expected if ".p/" in p}
    assert len({path for path in left if ".p/" in path} - set(expected)) <= 3  # of the filling


def _fill_log(signer: Signer, size: int) -> None:
    state, log = signer.state, signer.state.log()
    records = [b"filled %d" % leaf for leaf in range(log.size, size)]
    with state.transaction():
        leaves = list(map(tlog.leaf_hash, records))
        state.put_tiles(tlog.append(state.read_tile, log.size, leaves))
        state.add_leaves(log.size, records)
        root = tlog.range_root(state.read_tile, 0, size)
        state.swap(log, replace(log, size=size, root=root))
        state.mark_published(size, now=NOW)


@pytest.mark.parametrize("start", [62, 4_094])
async def test_the_catalogue_grows_across_a_boundary_as_if_made_from_scratch(
    signer: Signer, store: MemoryStore, start: int
):
    fill(signer.state, start)
    before, _ = catalogue_from_scratch([each.item for each in signer.state.articles(0, start)])
    store.kept |= before
    for step in range(4):
        await round_(signer, store, step, now=NOW + step)
        items = [each.item for each in signer.state.articles(0, 10**6)]
        nodes, top = catalogue_from_scratch(items)
        index = newest_index(signer, store)

        assert (index.count, index.catalogue) == (start + step + 1, top)
        assert {path: store.kept.get(path) for path in nodes} == nodes


async def test_one_article_among_many_costs_what_it_costs_among_ten(tmp_path: Path):
    costs = {}
    for size in (10, 1_034, 10_250):  # all as far into their last tile and node
        signer, store = open_signer(tmp_path / str(size)), MemoryStore()
        fill(signer.state, size)
        # An archive page that a site lacks is made once; here none is missing.
        store.kept |= dict.fromkeys(last_written(size).values(), b"an archive page")
        await round_(signer, store, 1)
        costs[size] = len(store.order), sum(len(store.kept[path]) for path in store.order)
        signer.state.close()
    paths, written = zip(*costs.values(), strict=True)

    assert max(paths) - min(paths) <= 5  # a tile, a node, an archive page; full pages of the feed
    assert max(written) - min(written) <= 35_000  # the front page, the index, the feeds are full
    assert max(written) < 80_000


# The heads.


async def test_the_clock_says_hourly_that_nothing_is_new(signer: Signer, store: MemoryStore):
    await round_(signer, store, 1)
    before = dict(store.kept)

    assert refreshed_files(signer, now=NOW + REFRESH_S - 1, shown=before[INDEX_PROOF]) == {}
    assert refreshed_files(signer, now=NOW - DAY, shown=before[INDEX_PROOF]) == {}

    heads = refreshed_files(signer, now=NOW + REFRESH_S, shown=before[INDEX_PROOF])

    assert set(heads) == {CHECKPOINT, INDEX_PROOF}
    assert time_of(heads[CHECKPOINT]) == NOW + REFRESH_S
    assert embedded(heads[INDEX_PROOF]) == embedded(before[INDEX_PROOF])
    assert heads[INDEX_PROOF].endswith(heads[CHECKPOINT])
    assert await audited({**before, **heads}, signer.root, now=NOW + REFRESH_S) == []


async def test_an_empty_log_has_no_heads(signer: Signer, store: MemoryStore):
    await run_cycle(quiet_desk(signer, store), now=Clock())

    assert refreshed_files(signer, now=NOW + DAY) == {}
    assert store.kept == {}


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("failing", [CHECKPOINT, INDEX_PROOF])
async def test_a_refresh_that_fails_is_done_again_by_the_next_cycle(
    signer: Signer, store: MemoryStore, failing: str, kept: bool
):
    await round_(signer, store, 1)
    clock = Clock(NOW + REFRESH_S)
    store.fails, store.keeps_when_failing = (lambda path: path == failing), kept
    with pytest.raises(StoreError):
        await run_cycle(quiet_desk(signer, store), now=clock)

    assert flaws(store.kept, signer.root, now=clock.now) == []

    store.fails = lambda _: False
    clock.now += 1
    await run_cycle(quiet_desk(signer, store), now=clock)

    assert time_of(store.kept[CHECKPOINT]) == NOW + REFRESH_S
    assert store.kept[INDEX_PROOF].endswith(store.kept[CHECKPOINT])
    assert await audited(store.kept, signer.root, now=clock.now) == []


async def test_a_cycle_with_nothing_new_writes_nothing(signer: Signer, store: MemoryStore):
    await round_(signer, store, 1)
    store.order.clear()
    await run_cycle(quiet_desk(signer, store), now=lambda: NOW + REFRESH_S - 1)

    assert (store.order, store.deleted) == ([], [])


# Garbage.


async def test_old_indexes_and_partial_tiles_go_when_nobody_can_ask_for_them(
    signer: Signer, store: MemoryStore
):
    clock = Clock()
    desk = quiet_desk(signer, store)
    for step in range(8):
        await round_(signer, store, step % 3, step + 10, now=clock.now, text=f"as of {step}")
        clock.now += 600
    end = clock.now
    everything = set(store.kept)

    clock.now = NOW + KEEP_PARTIAL_S - 1
    await run_cycle(desk, now=clock)

    assert store.deleted == []

    clock.now = end + KEEP_PARTIAL_S
    await run_cycle(desk, now=clock)
    gone = {path for path in everything if path not in store.kept}

    assert gone == {path for path in everything if ".p/" in path and not path.endswith(".p/24")}
    assert flaws(store.kept, signer.root, now=clock.now) == []

    clock.now = end + KEEP_INDEX_S
    await run_cycle(desk, now=clock)
    left = {path for path in store.kept if path.startswith("index/")}

    assert len(left) == 2  # the document and the one node
    assert await audited(store.kept, signer.root, now=clock.now) == []

    store.deleted.clear()
    clock.now += KEEP_INDEX_S
    await run_cycle(desk, now=clock)

    assert store.deleted == []


async def test_nothing_that_is_referred_to_is_ever_deleted(signer: Signer, store: MemoryStore):
    clock = Clock()
    desk = quiet_desk(signer, store)
    for step in range(12):
        await round_(signer, store, step % 7, 100 + step, now=clock.now, text=f"as of {step}")
        clock.now += KEEP_PARTIAL_S // 2
        await run_cycle(desk, now=clock)

        assert flaws(store.kept, signer.root, now=clock.now) == []

    assert await audited(store.kept, signer.root, now=clock.now) == []
    assert len([path for path in store.kept if path.startswith("index/")]) < 2 * 16


@pytest.mark.parametrize("kept", [False, True])
async def test_a_deletion_that_fails_is_done_again(signer: Signer, store: MemoryStore, kept: bool):
    await round_(signer, store, 1)
    await round_(signer, store, 2)
    clock = Clock(NOW + KEEP_INDEX_S + 1)
    store.fails, store.keeps_when_failing = (lambda path: path.startswith("index/")), kept
    with pytest.raises(StoreError):
        await run_cycle(quiet_desk(signer, store), now=clock)
    store.fails = lambda _: False
    await run_cycle(quiet_desk(signer, store), now=clock)

    assert len([path for path in store.kept if path.startswith("index/")]) == 2
    assert signer.state.garbage(clock.now) == []


# Faults at every path.


async def test_a_fault_at_any_path_breaks_no_promise_and_the_next_cycle_heals_it(tmp_path: Path):
    signer, store = open_signer(tmp_path / "first"), MemoryStore()
    await round_(signer, store, *range(3))
    before = dict(store.kept)
    signer.state.close()
    store.order.clear()
    signer = _copied(tmp_path, "whole")
    await round_(signer, store, 1, 7, now=NOW + 60, text="corrected")
    order, whole = list(store.order), dict(store.kept)
    signer.state.close()

    assert len(order) > 15
    assert order[-2:] == [CHECKPOINT, INDEX_PROOF]

    for at, (failing, kept) in enumerate(itertools.product(order, [False, True])):
        signer, store = _copied(tmp_path, str(at)), MemoryStore(before)
        store.fails, store.keeps_when_failing = failing.__eq__, kept
        with pytest.raises(StoreError):
            await round_(signer, store, 1, 7, now=NOW + 60, text="corrected")

        assert (failing, kept, flaws(store.kept, signer.root, now=NOW + 60)) == (failing, kept, [])
        assert store.kept[CHECKPOINT] == before[CHECKPOINT] or failing in order[-2:]

        store.fails = lambda _: False
        await run_cycle(quiet_desk(signer, store), now=lambda: NOW + 90)

        assert (failing, set(store.kept)) == (failing, set(whole))
        assert await audited(store.kept, signer.root, now=NOW + 90) == []

        signer.state.close()


async def test_a_fault_at_any_path_of_the_first_round_shows_no_half_site(tmp_path: Path):
    signer, store = open_signer(tmp_path / "first"), MemoryStore()
    signer.state.close()
    signer = _copied(tmp_path, "whole")
    await round_(signer, store, 1)
    order, whole = list(store.order), dict(store.kept)
    signer.state.close()
    for at, (failing, kept) in enumerate(itertools.product(order, [False, True])):
        signer, store = _copied(tmp_path, str(at)), MemoryStore()
        store.fails, store.keeps_when_failing = failing.__eq__, kept
        with pytest.raises(StoreError):
            await round_(signer, store, 1)

        assert flaws(store.kept, signer.root) == []
        assert CHECKPOINT not in store.kept or failing in order[-2:]

        store.fails = lambda _: False
        await run_cycle(quiet_desk(signer, store), now=lambda: NOW + 30)

        assert set(store.kept) == set(whole)
        assert await audited(store.kept, signer.root, now=NOW + 30) == []

        signer.state.close()


def _copied(tmp_path: Path, name: str) -> Signer:
    (tmp_path / name).mkdir()
    shutil.copy(tmp_path / "first" / "state.db", tmp_path / name / "state.db")
    return open_signer(tmp_path / name)


async def test_a_crash_between_any_two_steps_is_followed_by_the_same_checkpoint(
    signer: Signer, store: MemoryStore
):
    """What was signed once for a size is the only tree that is ever signed for it."""
    signer.append([draft(signer, 1)], now=NOW)
    files = unsigned_files(signer)
    signer.sign_checkpoint(now=NOW)
    first = signer.state.log().checkpoint
    again = unsigned_files(signer)
    signer.sign_checkpoint(now=NOW + 99)

    assert again == files
    assert signer.state.log().checkpoint == first
    assert signed_files(signer) == signed_files(signer)

    await publish(quiet_desk(signer, store), now=lambda: NOW + 200)

    assert store.kept[CHECKPOINT] == first


# A store that is not the database's.


async def test_a_store_that_is_ahead_of_the_database_stops_it(tmp_path: Path):
    signer, store = open_signer(tmp_path / "first"), MemoryStore()
    await round_(signer, store, 1)
    signer.state.close()
    old = _copied(tmp_path, "old")
    newer = _copied(tmp_path, "newer")
    await round_(newer, store, 2, now=NOW + 60)
    newer.state.close()
    shown = dict(store.kept)
    with pytest.raises(StateError, match=r"it has 2 leaves .*, but memory shows 4"):
        await run_cycle(quiet_desk(old, store), now=lambda: NOW + 120)
    old.state.close()

    assert store.kept == shown


async def test_a_store_that_is_behind_what_was_published_stops_it(
    signer: Signer, store: MemoryStore
):
    """Its newer files are gone and in no outbox: to go on would sign an index of holes."""
    await round_(signer, store, 1)
    backup = dict(store.kept)
    await round_(signer, store, 2)
    store.kept = backup
    with pytest.raises(StateError, match="memory"):
        await run_cycle(quiet_desk(signer, store), now=Clock())

    assert store.kept == backup


async def test_an_emptied_store_stops_it(signer: Signer, store: MemoryStore):
    await round_(signer, store, 1)
    store.kept.clear()
    with pytest.raises(StateError, match="memory: empty, but 2 leaves were published"):
        await run_cycle(quiet_desk(signer, store), now=Clock())

    assert store.kept == {}


@pytest.mark.parametrize(
    ("checkpoint", "reason"),
    [
        (b"", "not readable"),
        (b"\xff\x00", "not readable"),
        (b"not a note\n", "not readable"),
        (keys().sign_checkpoint(Checkpoint("other/log", 1, bytes(32)), time=NOW), "1 of other/log"),
        (keys().sign_checkpoint(Checkpoint(ORIGIN, 2, bytes(32)), time=NOW), "another tree of 2"),
        (keys().sign_checkpoint(Checkpoint(ORIGIN, 99, bytes(32)), time=NOW), "shows 99"),
    ],
)
async def test_a_foreign_checkpoint_stops_it(
    signer: Signer, store: MemoryStore, checkpoint: bytes, reason: str
):
    await round_(signer, store, 1)
    store.kept[CHECKPOINT] = checkpoint
    shown = dict(store.kept)
    with pytest.raises(StateError, match=reason):
        await run_cycle(quiet_desk(signer, store), now=Clock())

    assert store.kept == shown


async def test_a_new_database_does_not_take_over_a_published_site(
    tmp_path: Path, signer: Signer, store: MemoryStore
):
    await round_(signer, store, 1)
    new = open_signer(tmp_path / "new")
    with pytest.raises(StateError, match="restore the newest database"):
        await run_cycle(quiet_desk(new, store), now=Clock())
    new.state.close()


async def test_a_database_whose_disk_is_full_appends_nothing(signer: Signer, store: MemoryStore):
    await round_(signer, store, 1)
    shown = dict(store.kept)
    db = signer.state.db._db
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match="not written"):
        await round_(signer, store, *range(2, 40))

    assert signer.state.log().size == 2
    assert store.kept == shown

    db.execute("PRAGMA max_page_count=100000")
    await round_(signer, store, *range(2, 40))

    assert await audited(store.kept, signer.root) == []


async def test_people_find_the_newest_revision_under_the_articles_own_name(
    signer: Signer, store: MemoryStore
):
    await round_(signer, store, 1)
    await round_(signer, store, 1, now=NOW + 1, text="corrected")
    folder = article_folder(short_id(identity(1).id))

    assert store.kept[f"{folder}/index.html"] == store.kept[f"{folder}/2.html"]
    assert b"corrected" in store.kept[f"{folder}/index.html"]
    assert b"corrected" not in store.kept[f"{folder}/1.html"]
    assert folder.encode() in store.kept["index.html"]


def test_an_old_database_is_refused_where_only_proofs_carry_the_newest_checkpoint(tmp_path: Path):
    """As after a crash between the proofs and `checkpoint`, and a backup put back."""
    signer = open_signer(tmp_path)
    signer.append([draft(signer, 1)], now=NOW)
    signer.sign_checkpoint(now=NOW)
    shown = signed_files(signer)[CHECKPOINT]
    signer.mark_published(now=NOW)
    signer.state.close()
    old = (tmp_path / "state.db").read_bytes()
    signer = open_signer(tmp_path)
    signer.append([draft(signer, 2)], now=NOW)
    signer.sign_checkpoint(now=NOW)
    signer.state.close()
    (tmp_path / "state.db").write_bytes(old)
    signer = open_signer(tmp_path)

    with pytest.raises(StateError, match=r"signed shows 4 of .*: restore the newest database"):
        signer.check_not_behind("site", shown)
    signer.state.close()


def test_a_lost_database_is_refused_even_before_anything_was_published(tmp_path: Path):
    signer = open_signer(tmp_path)
    signer.append([draft(signer, 1)], now=NOW)
    signer.sign_checkpoint(now=NOW)
    signer.state.close()
    for file in tmp_path.glob("state.db*"):
        if not file.name.endswith(".signed"):
            file.unlink()
    signer = open_signer(tmp_path)

    with pytest.raises(StateError, match="restore the newest database"):
        signer.check_not_behind("site", None)
    signer.state.close()


def test_a_root_that_ended_signs_nothing_and_one_that_ends_soon_warns(tmp_path: Path):
    signer = open_signer(tmp_path)
    expires, day_s = signer.root.expires, 24 * 3600

    assert signer.check_root(now=expires - 31 * day_s) == []
    assert "have a new one signed" in signer.check_root(now=expires - 29 * day_s)[0]
    with pytest.raises(SettingsError, match="or this machine's clock set right"):
        signer.check_root(now=expires)
    signer.state.close()
