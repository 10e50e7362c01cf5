"""The site's tree in the database: what it holds after any changes, and what a node lacks."""

import os
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirror import dag as dag_module
from mirror.dag import ChangedError, Dag, DamagedError, tree
from mirror.dag.contents import Contents
from mirror.database import Database
from mirror.errors import FormatError, StoreError
from mirror.formats import folders
from mirror.formats.cid import DAG_PB, Buffer, Cid
from mirror.formats.folders import update
from mirror.formats.paths import Stage
from mirror.formats.places import leads_to
from mirror.formats.unixfs import CHUNK, chunked, file_blocks, file_link

PAGE = "a/b/c/d/efghijklmnopqrstu/1.html"
LARGE = bytes(range(256)) * 9000  # 2.3 MB: three chunks and a node
SITE = {PAGE: b"page", f"{PAGE}.sig": b"sig", "checkpoint": b"c", "trust/large": LARGE}


class Site:
    """A folder, its tree, and all that it ought to be, in plain dicts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "site"
        self.path = folder / "state.db"
        self.db = Database.open(self.path, origin="test")
        self.dag = Dag(self.db, self.folder)
        self.files: dict[str, bytes] = {}

    def write(self, changes: Mapping[str, bytes | None]) -> None:
        for path, data in changes.items():
            file = self.folder / path
            if data is None:
                file.unlink(missing_ok=True)
                self.files.pop(path, None)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
                self.files[path] = data

    def put(self, changes: Mapping[str, bytes | None]) -> None:
        self.write(changes)
        with self.db.transaction():
            self.dag.apply(changes)

    def blocks(self) -> dict[Cid, bytes]:
        """Return all blocks, computed from the files alone."""
        links = {path: file_link(data) for path, data in self.files.items()}
        found = {
            block.link.cid: bytes(block.data)
            for data in self.files.values()
            for block in file_blocks(chunked(data))
        }
        return found | update({}.get, links).blocks

    def root(self) -> Cid:
        links = {path: file_link(data) for path, data in self.files.items()}
        return update({}.get, links).root.cid


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    made.dag.rebuild()
    yield made
    made.db.close()


def whole(blocks: Mapping[Cid, Buffer], root: Cid) -> set[Cid]:
    """Return the CIDs of folders below a root, all of whose blocks are there."""
    found, ahead = set(), [root]
    while ahead:
        cid = ahead.pop()
        block = bytes(blocks[cid])
        assert Cid.of(block, codec=cid.codec) == cid
        found.add(cid)
        if cid.codec == DAG_PB and block.endswith((folders.FOLDER, b"\x28\x22\x30\x80\x02")):
            ahead += [link.cid for _, link in leads_to("", block)]
    return found


def test_every_block_of_a_site_is_found_by_its_cid(site: Site):
    site.put(SITE)
    site.put({f"index/{n:064}.json": b"%d" % n for n in range(200)})

    assert site.dag.root() == site.root()
    for cid, block in site.blocks().items():
        assert site.dag.block(cid) == block
    assert site.dag.block(Cid.of(b"strange")) is None
    assert site.dag.block(Cid.of(b"strange", codec=DAG_PB)) is None


NAMES = st.sampled_from(["a", "b", "c"])
DEEP = st.builds(lambda *parts: "a/" + "/".join(parts), NAMES, NAMES, NAMES, NAMES)
FILES = st.builds(lambda folder, n: f"{folder}/{n}.html", DEEP | NAMES, st.integers(0, 40))
CHANGES = st.dictionaries(FILES, st.none() | st.binary(max_size=3), max_size=40)


@given(st.lists(CHANGES, max_size=5), st.booleans())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changes_lead_to_the_tree_of_the_files(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[dict[str, bytes | None]], small: bool
):
    site = Site(tmp_path_factory.mktemp("site"))
    held: dict[Cid, Buffer] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "_WHOLE", 60)
        if small:
            patch.setattr(folders, "SHARD_ABOVE", 400)
        site.dag.rebuild()
        generation = 0
        for changes in rounds:
            site.put(changes)
            held |= dict(site.dag.blocks_since(generation))
            generation = site.dag.generation()

            assert site.dag.root() == site.root()
            whole(held, site.root())
            for cid, block in site.blocks().items():
                assert site.dag.block(cid) == block
        kept = rows(site)
        site.dag.rebuild()
        assert rows(site) == kept
    site.db.close()


def rows(site: Site) -> list[object]:
    found: list[object] = []
    for table in ("dag", "dag_key", "dag_large"):
        found += site.db.rows(f"SELECT * FROM {table} ORDER BY 1, 2")
    return found


def test_what_was_removed_leaves_no_trace(site: Site):
    site.put({"checkpoint": b"c"})
    before = rows(site)
    site.put(SITE)
    site.put(dict.fromkeys(SITE.keys() - {"checkpoint"}))

    assert rows(site) == before
    assert site.dag.block(Cid.of(b"page")) is None


def test_a_delta_holds_what_changed_and_the_folders_above(site: Site):
    site.put(SITE)
    generation = site.dag.generation()
    site.put({"checkpoint": b"newer"})

    assert {bytes(block) for _, block in site.dag.blocks_since(generation)} == {
        b"newer",
        site.dag.block(site.root()),
    }
    assert list(site.dag.blocks_since(site.dag.generation())) == [
        (site.root(), site.dag.block(site.root()))
    ]


def test_a_generation_grows_with_each_change_and_not_without_one(site: Site):
    first = site.dag.generation()
    site.put(SITE)
    second = site.dag.generation()
    site.put(SITE)

    assert first < second == site.dag.generation()
    site.dag.rebuild()
    assert site.dag.generation() == second + 1


def test_a_change_that_is_rolled_back_never_was(site: Site):
    site.put(SITE)
    before, generation = site.dag.root(), site.dag.generation()
    with pytest.raises(ZeroDivisionError), site.db.transaction():
        site.dag.apply({"index.html": b"i"})
        raise ZeroDivisionError

    assert (site.dag.root(), site.dag.generation()) == (before, generation)


def test_of_what_was_long_ago_all_is_given(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tree, "KEEP", 10)
    site.put({"index.html": b"i"})
    for n in range(150):
        site.put({"checkpoint": b"%d" % n})

    everything = dict(site.dag.blocks_since(0))
    assert dict(site.dag.blocks_since(3)) == everything
    assert site.db.row("SELECT count(*) FROM dag_round")[0] < 80
    assert len(dict(site.dag.blocks_since(site.dag.generation() - 5))) == 2


def test_batches_are_bounded_and_go_on_where_they_were(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dag_module, "BATCH", 10_000)
    site.put({f"feed/{n}/{n}": b"%2000d" % n for n in range(50)} | SITE)
    batches = list(site.dag.batches_since(0))
    middle = batches[5]
    rest = list(site.dag.batches_since(0, after=middle.place))

    for batch in batches:
        assert sum(len(block) for _, block in batch.blocks) <= 10_000 or len(batch.blocks) == 1
    taken = [dict(batch.blocks) for batch in batches[:6] + rest]
    assert site.root() in whole({cid: b for each in taken for cid, b in each.items()}, site.root())
    assert len(rest) < len(batches)


def test_a_file_that_is_newer_than_the_tree_is_no_block_of_it(site: Site):
    site.put(SITE)
    cid = Cid.of(b"c")
    site.write({"checkpoint": b"newer", "trust/large": LARGE + b"x"})

    assert site.dag.block(cid) is None
    with pytest.raises(ChangedError, match="site/checkpoint: not what was published"):
        list(site.dag.blocks_since(0))
    site.write({"checkpoint": b"c"})
    with pytest.raises(ChangedError, match="site/trust/large: not what was published"):
        list(site.dag.blocks_since(0))
    site.write({"trust/large": None})
    with pytest.raises(ChangedError, match="site/trust/large: not what was published"):
        list(site.dag.blocks_since(0))
    assert site.dag.block(Cid.of(LARGE[:CHUNK])) is None


def test_blocks_whose_keys_collide_are_told_apart(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tree, "_number", lambda _: 7)
    monkeypatch.setattr(dag_module, "key", lambda _: 7)
    site.put(SITE)
    site.put({"a/b/c/e/efghijklmnopqrstu/1.html": b"other"})

    for cid, block in site.blocks().items():
        assert site.dag.block(cid) == block


def test_one_block_at_two_paths_outlives_one_of_them(site: Site):
    other = "a/x/y/z/efghijklmnopqrstu/1.html"
    site.put({PAGE: b"same", other: b"same"})
    site.put({PAGE: None})

    assert site.dag.block(Cid.of(b"same")) == b"same"


def test_a_reader_beside_sees_each_round(site: Site):
    site.put(SITE)
    db = Database.beside(site.path, origin="test")
    beside = Dag(db, site.folder)

    assert beside.block(Cid.of(b"c")) == b"c"
    site.put({"checkpoint": b"newer", "feed/x": b"x", "trust/large": None})
    assert beside.root() == site.root()
    assert beside.block(Cid.of(b"c")) is None
    for cid, block in site.blocks().items():
        assert beside.block(cid) == block
    site.dag.rebuild()
    assert beside.block(Cid.of(b"x")) == b"x"
    db.close()


def test_a_tree_is_made_of_the_folder_without_what_is_no_part_of_the_site(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    site = Site(tmp_path)
    site.write(SITE)
    for stray in ("index.html.gz", "index.html.br", ".staging/0", ".hidden", "a b"):
        (site.folder / stray).parent.mkdir(exist_ok=True)
        (site.folder / stray).write_bytes(b"stray")
    said: list[str] = []

    with site.db.transaction():
        site.dag.apply(SITE)  # nothing is recorded before there is a tree
    assert site.dag.root() is None
    assert not site.dag.built()
    with pytest.raises(StoreError, match="no tree of it yet"):
        site.dag.head()
    site.dag.rebuild(said.append)
    assert site.dag.head() == (1, site.root())
    assert said == [f"{len(SITE)} files"]
    left_out = [f"path: not one of a site: {name!r}" for name in (".hidden", "a b")]
    assert [line.partition("tree: ")[2] for line in caplog.messages] == left_out
    for cid, block in site.blocks().items():
        assert site.dag.block(cid) == block
    site.db.close()


def test_a_building_that_was_cut_off_is_no_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    site = Site(tmp_path)
    site.write({f"{n}.html": b"%d" % n for n in range(9)})
    monkeypatch.setattr(dag_module, "_FILES", 2)
    with pytest.raises(KeyboardInterrupt):
        site.dag.rebuild(interrupt)

    assert site.dag.root() is None
    site.dag.rebuild()
    assert site.dag.root() == site.root()
    site.db.close()


def test_what_is_no_readable_file_is_left_out_and_stops_nothing(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    site.write(SITE)
    (tmp_path / "secret").write_bytes(b"secret")
    (site.folder / "link.html").symlink_to(tmp_path / "secret")
    (site.folder / "nowhere.html").symlink_to("nowhere")
    (site.folder / "folder").symlink_to(tmp_path)
    os.mkfifo(site.folder / "pipe.html")
    (site.folder / "alone.html.gz").write_bytes(b"the plain file is gone")
    (site.folder / b"\xff.html".decode(errors="surrogateescape")).write_bytes(b"odd")
    site.dag.rebuild()

    assert site.dag.root() == site.root()
    assert site.dag.block(Cid.of(b"secret")) is None
    for what in ("link.html", "nowhere.html", "pipe.html", r"\udcff.html"):
        assert what in caplog.text


def test_of_very_many_left_out_files_some_are_named(site: Site, caplog: pytest.LogCaptureFixture):
    site.write({f"x{n} y": b"" for n in range(100)} | {"checkpoint": b"c"})
    site.dag.rebuild()

    assert len(caplog.messages) == 21
    assert "left out of the tree: 80 more" in caplog.messages[-1]


def test_a_head_that_was_written_and_not_recorded_is_looked_at_again(site: Site):
    site.put(SITE)
    site.dag.doubt(["checkpoint", "index.html", PAGE])
    site.write({"checkpoint": b"newer", "index.html": b"i"})
    site.write({PAGE: b"damaged"})
    generation = site.dag.generation()
    site.dag.look_again()
    again = site.dag.generation()
    site.dag.look_again()

    assert site.dag.generation() == again == generation + 1
    site.files[PAGE] = SITE[PAGE]  # what never changes is not believed anew
    assert site.dag.root() == site.root()
    assert site.dag.doubted() == set()


def test_a_head_in_doubt_that_is_gone_leaves_the_tree(site: Site):
    site.put(SITE)
    site.dag.doubt(["trust/large"])
    site.write({"trust/large": None})
    site.dag.look_again()

    assert site.dag.root() == site.root()
    assert rows(site) == rows_without(site, "trust/large")


def rows_without(site: Site, path: str) -> list[object]:
    return [row for row in rows(site) if path not in row]  # type: ignore[operator]


def test_what_is_recorded_is_in_doubt_no_more_and_a_tree_not_built_doubts_nothing(tmp_path: Path):
    site = Site(tmp_path)
    site.dag.doubt(["checkpoint"])
    assert not site.dag.built()
    site.dag.rebuild()
    site.dag.doubt(["checkpoint", "index.html"])
    site.put({"checkpoint": b"c"})

    assert site.dag.doubted() == {"index.html"}
    assert site.dag.built()
    assert site.dag.generation() == 2
    site.db.close()


def test_the_write_ahead_log_stays_small_while_a_reader_goes_on_and_on(site: Site):
    beside = Database.beside(site.path, origin="test")
    reader = Dag(beside, site.folder)
    wal = site.path.with_name("state.db-wal")
    largest = 0
    with site.db.transaction():
        site.db.execute("PRAGMA wal_autocheckpoint=500")  # pages, a MB: fewer rounds show it
    site.put({f"a/b/c/{n % 9}/efghijklmnopqrst{n % 7}/{n}.html": b"%d" % n for n in range(99)})
    batches = reader.batches_since(0)
    for n in range(800):
        if next(batches, None) is None:
            batches = reader.batches_since(0)
        site.put({f"index/{n:064}.json": b"%d" % n, f"index/{n - 40:064}.json": None})
        largest = max(largest, wal.stat().st_size)

    assert largest < 4_000_000  # it is written anew from its beginning, if no reader stays
    beside.close()


def interrupt(_: str) -> None:
    raise KeyboardInterrupt


def test_a_path_that_is_a_folder_and_a_file_is_refused(site: Site):
    site.put(SITE)
    with pytest.raises(FormatError, match="a folder and a file"), site.db.transaction():
        site.dag.apply({"checkpoint/x": b"x"})
    with pytest.raises(FormatError, match="not one of a site"), site.db.transaction():
        site.dag.apply({"../x": b"x"})

    assert site.dag.root() == site.root()


def test_a_damaged_piece_makes_blocks_missing_not_wrong(site: Site):
    site.put(SITE)
    good = site.dag.root()
    with site.db.transaction():
        site.db.execute("UPDATE dag SET piece=x'0a020801' WHERE place='a/b/c'")

    cids = site.blocks()
    assert site.dag.root() == good
    for cid, block in cids.items():
        assert site.dag.block(cid) in (block, None)
    assert site.dag.block(Cid.of(b"c")) == b"c"


def bit(piece: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(piece))
    return piece[:at] + bytes([piece[at] ^ 1 << dice.randrange(8)]) + piece[at + 1 :]


def end(piece: bytes, dice: random.Random) -> bytes:
    return piece[: dice.randrange(len(piece))]


def kind(piece: bytes, _: random.Random) -> str:
    return piece.hex()


def readings(site: Site) -> list[Callable[[], object]]:
    """Return all that is read from the tree, by a process that has just begun."""
    dag, contents = Dag(site.db, site.folder), Contents(site.db, site.folder)
    return [
        dag.head,
        lambda: dag.block(Cid.of(b"page")),
        lambda: dag.sample(1),
        lambda: list(dag.batches_since(0)),
        lambda: list(dag.batches_since(1)),
        dag.doubted,
        lambda: contents.changed(1),
        lambda: contents.lacks(site.files),
        lambda: contents.read(list(site.files)),
        lambda: list(contents.walk(Stage, after=None)),
    ]


def damaged(site: Site) -> int:
    """Return how much of what is read is told to be damaged; no other error may come."""
    count = 0
    for read in readings(site):
        try:
            read()
        except DamagedError as e:
            assert "/site: the tree of its blocks: damaged: " in str(e)
            count += 1
        except StoreError:
            pass  # what is not there, or another, but not one that can not be
    return count


@pytest.mark.parametrize("change", [bit, end, kind])
def test_whatever_the_disk_did_to_the_tree_is_told_by_one_error(
    site: Site, change: Callable[[bytes, random.Random], object]
):
    site.put(SITE | {f"index/{n:064}.json": b"%d" % n for n in range(50)})
    dice, told = random.Random(1), 0
    for *row, piece in site.db.rows("SELECT place, first, piece FROM dag"):
        for value in (change(piece, dice), change(piece, dice), piece):
            with site.db.transaction():
                write = "UPDATE dag SET piece=? WHERE place=? AND first=?"
                site.db.execute(write, (value, *row))
            told += damaged(site)

    assert told > 4
    assert damaged(site) == 0


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM dag WHERE first=''",
        "UPDATE dag_round SET changed=x'00' WHERE changed IS NOT NULL",
    ],
)
def test_what_the_tree_lacks_and_its_journal_damaged_are_told_likewise(site: Site, damage: str):
    site.put(SITE | {f"index/{n:064}.json": b"%d" % n for n in range(50)})
    site.dag.doubt(["checkpoint"])
    with site.db.transaction():
        site.db.execute(damage)

    assert damaged(site)
    with site.db.transaction():
        with pytest.raises((DamagedError, FormatError)):
            site.dag.apply({"index/new.json": b"new"})
        site.dag.forget()


def test_a_link_that_the_disk_damaged_is_in_the_way_of_no_change(site: Site):
    """Else the daemon would stop, and ask for an older copy of a database that can be mended."""
    site.put(SITE)
    digest = Cid.of(b"page").digest
    with site.db.transaction():
        [(piece,)] = site.db.rows("SELECT piece FROM dag WHERE place=?", (PAGE.rpartition("/")[0],))
        values = piece.replace(digest, bytes(reversed(digest))), PAGE.rpartition("/")[0]
        site.db.execute("UPDATE dag SET piece=? WHERE place=?", values)
    site.put({PAGE: b"page"})

    assert site.dag.root() == site.root()


def test_while_a_tree_is_built_anew_a_reader_beside_lacks_blocks_and_no_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    site.put(SITE)
    site.put({"index.html": b"i"})
    reader = Dag(site.db, site.folder)
    generation = reader.generation()
    assert reader.block(Cid.of(b"c")) == b"c"
    monkeypatch.setattr(dag_module, "_FILES", 1)
    for _ in site.dag.rebuilding():
        assert reader.block(Cid.of(b"c")) in (b"c", None)
        assert Dag(site.db, site.folder).block(Cid.of(b"c")) in (b"c", None)
        assert reader.sample(generation).keys() <= {"checkpoint", PAGE}
        assert all(batch.blocks for batch in reader.batches_since(generation))

    for cid, block in site.blocks().items():
        assert reader.block(cid) == block


def test_a_damaged_tree_is_forgotten_by_who_follows_but_not_one_that_is_being_built(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    site.put(SITE)
    beside = Database.beside(site.path, origin="test")
    follower = Dag(beside, site.folder)
    follower.forget_damaged()
    assert not site.dag.built()
    monkeypatch.setattr(dag_module, "_FILES", 1)
    for _ in site.dag.rebuilding():
        follower.forget_damaged()

    assert site.dag.root() == site.root()
    beside.close()


def test_a_folder_in_pieces_is_whole_after_any_changes(site: Site):
    """Also where its last links go, over weeks: what ends its block has no name of its own."""
    dice = random.Random(1)
    for number in range(10):
        names = [f"tile/{number}/{dice.randrange(1 << 64):016x}" for _ in range(60)]
        site.put(dict.fromkeys(names, b"x"))
        while held := sorted(path for path in site.files if path.startswith(f"tile/{number}/")):
            site.put(dict.fromkeys(held[-dice.randrange(1, 4) :]))
            site.put(
                {f"tile/{number}/{dice.randrange(1 << 64):016x}": b"x"} if len(held) > 30 else {}
            )

            assert site.dag.root() == site.root()
    assert dict(site.dag.blocks_since(0)) == site.blocks()


def test_a_change_in_a_large_folder_writes_little(site: Site):
    names = random.Random(1).sample(range(10**9), 1500)
    site.put({f"index/{n:064}.json": b"%d" % n for n in names})
    wal = site.path.with_name("state.db-wal")
    site.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    site.put({f"index/{n:064}.json": b"x" for n in (5, 6 * 10**8)})

    assert wal.stat().st_size < 30_000
