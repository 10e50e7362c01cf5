"""The pure part of the site: exactly what changes, and the same as if made anew."""

import hashlib
import itertools
from collections.abc import Iterator, Mapping

import pytest
from fakes import NOW, catalogue_from_scratch, keys, log_from_scratch, ref_of

from mirror.formats import tlog
from mirror.formats.index import Item, Ref, VoidItem, levels, position
from mirror.formats.paths import PROOF, revision_path
from mirror.formats.record import Doc, Void
from mirror.site import Catalogue, log_files, proof_files, replaced_partials

RECORDS = [b"record %d" % leaf for leaf in range(66_100)]
SMALL = (0, 1, 2, 255, 256, 257, 300, 511, 512, 513, 1000)
LARGE = (0, 65_279, 65_280, 65_500, 65_535, 65_536, 65_537, 65_792, 65_793, 66_048, 66_100)


class Tiles:
    """A log's tiles as the database keeps them."""

    def __init__(self) -> None:
        self.held: dict[tuple[int, int], bytes] = {}

    def read(self, level: int, n: int) -> bytes:
        return self.held[level, n]

    def grow(self, old: int, new: int) -> Mapping[str, bytes]:
        leaves = [tlog.leaf_hash(record) for record in RECORDS[old:new]]
        self.held |= tlog.append(self.read, old, leaves)
        return log_files(self.read, lambda a, b: RECORDS[a : min(b, new)], old=old, new=new)


def steps(sizes: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    return itertools.pairwise(sizes)


@pytest.mark.parametrize("sizes", [SMALL, LARGE], ids=["across 256", "across 65,536"])
def test_the_files_of_a_growing_log_are_those_made_from_scratch(sizes: tuple[int, ...]):
    tiles = Tiles()
    site: dict[str, bytes] = {}
    for old, new in steps(sizes):
        files = tiles.grow(old, new)
        immutable = [path for path in files if site.get(path, files[path]) != files[path]]
        for path in replaced_partials(old=old, new=new):
            del site[path]  # KeyError: it was never published
        site |= files

        assert immutable == []
        assert site == log_from_scratch(RECORDS[:new])


def test_each_single_leaf_across_a_tile_gives_what_is_made_from_scratch():
    tiles = Tiles()
    site: dict[str, bytes] = {}
    tiles.grow(0, 250)
    site |= log_from_scratch(RECORDS[:250])
    for new in range(251, 262):
        site |= tiles.grow(new - 1, new)
        for path in replaced_partials(old=new - 1, new=new):
            del site[path]

        assert site == log_from_scratch(RECORDS[:new])


def test_one_leaf_more_writes_one_bundle_and_a_tile_a_level_at_most():
    tiles = Tiles()
    tiles.grow(0, 65_535)
    grown = [set(tiles.grow(size, size + 1)) for size in range(65_535, 65_538)]

    assert grown == [
        {"tile/entries/255", "tile/0/255", "tile/1/000", "tile/2/000.p/1"},
        {"tile/entries/256.p/1", "tile/0/256.p/1"},
        {"tile/entries/256.p/2", "tile/0/256.p/2"},
    ]


def test_a_log_that_does_not_grow_writes_and_replaces_nothing():
    tiles = Tiles()
    tiles.grow(0, 300)

    assert log_files(tiles.read, lambda a, b: RECORDS[a:b], old=300, new=300) == {}
    assert replaced_partials(old=300, new=300) == []


def test_a_full_tile_is_never_replaced():
    assert replaced_partials(old=65_536, new=65_800) == []
    assert replaced_partials(old=256, new=300) == []
    assert replaced_partials(old=257, new=300) == ["tile/entries/001.p/1", "tile/0/001.p/1"]


# The catalogue.


def item(n: int, rev: int = 1) -> Item:
    sha256 = hashlib.sha256(b"%d %d" % (n, rev)).digest()
    return Item(f"{'a' * 20}", n, rev, n * 2 + rev, 1, 9, sha256, f"Title {n}", "en", "ltr")


class Articles:
    """A catalogue as the database keeps it."""

    def __init__(self) -> None:
        self.items: list[Item | VoidItem] = []
        self.held: dict[tuple[int, int], Ref] = {}
        self.files: dict[str, bytes] = {}

    def nodes(self, level: int, start: int, end: int) -> list[Ref]:
        found = range(start, end)
        return [self.held[level, k] for k in found if (level, k) in self.held]

    def change(self, numbers: list[int]) -> list[str]:
        """Return what a round that made or revised `numbers` writes."""
        written = []
        read = lambda a, b: self.items[a:b]  # noqa: E731
        catalogue = Catalogue(len(self.items), read, self.nodes)
        for level in range(levels(len(self.items))):
            for k, node in catalogue.changed(level, numbers):
                old = self.held.get((level, k))
                if old:
                    del self.files[old.path]
                self.held[level, k] = ref = ref_of(bytes(node))
                self.files[ref.path] = bytes(node)
                written.append(ref.path)
        self.top = catalogue.top
        return written

    def add(self, count: int) -> list[str]:
        start = len(self.items)
        self.items += [item(n) for n in range(start, start + count)]
        return self.change(list(range(start, start + count)))


@pytest.mark.parametrize(
    "sizes",
    [
        (1, 2, 63, 64, 65, 128, 129, 200),
        (4_000, 4_095, 4_096, 4_097, 4_098, 4_160, 4_161, 4_400),
        (4_090, 4_346),
        (8_191, 8_192, 8_193, 8_257),
    ],
)
def test_a_growing_catalogue_is_the_one_made_from_scratch(sizes: tuple[int, ...]):
    articles = Articles()
    for size in sizes:
        articles.add(size - len(articles.items))
        files, top = catalogue_from_scratch(articles.items)

        assert (articles.top, articles.files) == (top, files)


@pytest.mark.parametrize("revised", [0, 63, 64, 2_000, 4_095, 4_096, 4_099])
def test_a_revision_rewrites_one_node_a_level(revised: int):
    articles = Articles()
    articles.add(4_100)
    articles.items[revised] = item(revised, rev=2)
    written = articles.change([revised])
    files, top = catalogue_from_scratch(articles.items)

    assert len(written) == 2
    assert (articles.top, articles.files) == (top, files)


def test_a_withdrawn_article_stays_in_its_place():
    articles = Articles()
    articles.add(130)
    articles.items[70] = VoidItem("a" * 20, 70, 1, 999, "legal")
    articles.change([70])

    assert (articles.files, articles.top) == catalogue_from_scratch(articles.items)


def test_one_article_more_writes_as_many_nodes_as_there_are_levels():
    articles = Articles()

    assert [len(articles.add(1)) for _ in range(3)] == [1, 1, 1]

    articles.add(4_096 - 3)

    assert len(articles.add(1)) == 1 + 2  # the level that is new is built whole
    assert len(articles.add(1)) == 2


def test_the_position_of_an_article_leads_to_it():
    articles = Articles()
    articles.add(4_097)

    assert [position(4_096, level) for level in (0, 1)] == [64, 1]
    assert [position(4_095, level) for level in (0, 1)] == [63, 0]


def test_a_withdrawal_has_no_proof_file_and_the_document_before_it_has():
    sealed = keys().seal
    doc = Doc("doc", bytes(32), 0, 1, NOW, NOW, "text/html", 9, bytes(32))
    records = [sealed(doc), sealed(Void(bytes(32), 0, 1, NOW, NOW, "legal", 0))]
    tiles = tlog.append(lambda _level, _n: b"", 0, [tlog.leaf_hash(each) for each in records])
    files = proof_files(
        lambda level, n: tiles[level, n], records, first=0, size=2, checkpoint=b"note"
    )

    assert list(files) == [revision_path("a" * 20, 1) + PROOF]
