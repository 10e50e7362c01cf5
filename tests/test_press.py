"""The site's folder and its tree of blocks say the same, whatever ended the writer and when."""

import asyncio
import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import NOW, Clock, draft, open_signer
from test_dag import interrupt

from mirror import dag as dag_module
from mirror.dag import Dag
from mirror.database import Database
from mirror.errors import StoreError
from mirror.formats.cid import Cid
from mirror.formats.folders import update
from mirror.formats.paths import CHECKPOINT
from mirror.formats.unixfs import file_link
from mirror.press import Press
from mirror.site import KEEP_INDEX_S
from mirror.stores.dir import DirStore

ALIAS = "a/b/c/d/efghijklmnopqrstu/index.html"


class Cut(DirStore):
    """A folder whose writer ends at a path: before it is written, or right after its batch."""

    before = after = ""

    async def put(self, path: str, data: bytes) -> None:
        if path == self.before:
            raise asyncio.CancelledError
        self._now = path
        await super().put(path, data)

    async def flush(self) -> None:
        await super().flush()
        if self._now == self.after:
            raise asyncio.CancelledError


class Room:
    """A newsroom's log with its site in a folder; `again` is another process on the same."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.open()

    def open(self) -> None:
        self.signer = open_signer(self.folder)
        self.store = Cut(self.folder / "site")
        self.dag = Dag(self.signer.state.db, self.folder / "site")
        self.press = Press(self.signer, self.store, self.dag)

    async def again(self) -> None:
        self.signer.state.close()
        self.open()
        await self.press.settle()

    async def round(self, *numbers: int) -> None:
        self.clock.now += 60
        self.signer.append([draft(self.signer, n) for n in numbers], now=self.clock())
        await self.press.publish(now=self.clock)

    def agrees(self) -> bool:
        """Return whether the tree is that of the folder, computed from its files alone."""
        site = self.folder / "site"
        links = {
            path.relative_to(site).as_posix(): file_link(path.read_bytes())
            for path in site.rglob("*")
            if path.is_file() and path.suffix not in (".gz", ".br") and ".staging" not in path.parts
        }
        return self.dag.root() == update({}.get, links).root.cid


@pytest.fixture
async def room(tmp_path: Path) -> Room:
    room = Room(tmp_path)
    await room.press.settle()
    await room.round(1, 2)
    return room


@pytest.fixture(autouse=True)
def closed(room: Room) -> Iterator[None]:
    yield
    room.signer.state.close()


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_page_of_no_round_that_was_cut_off_is_in_both_or_in_none(room: Room, cut: str):
    await room.press.put({ALIAS: b"old"})
    setattr(room.store, cut, ALIAS)
    with pytest.raises(asyncio.CancelledError):
        await room.press.put({ALIAS: b"new"})
    assert room.agrees() == (cut == "before")
    await room.again()

    assert room.agrees()
    assert not room.dag.doubted()


async def test_a_page_that_could_not_be_recorded_is_by_the_next_cycle(
    room: Room, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise StoreError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Dag, "apply", full)
        with pytest.raises(StoreError):
            await room.press.put({ALIAS: b"page"})
    await room.press.settle()  # as each cycle does

    assert room.agrees()


async def test_the_clocks_word_that_was_cut_off_is_in_the_tree_after_the_next_cycle(room: Room):
    room.store.after = "index.tlog-proof"
    with pytest.raises(asyncio.CancelledError):
        await room.press.refresh(now=NOW + 7200)
    assert not room.agrees()
    await room.again()

    assert room.agrees()


async def test_no_checkpoint_is_in_the_tree_before_what_it_refers_to(room: Room):
    room.dag.doubt([CHECKPOINT])  # a follower met it while it was written
    room.store.before = "index.tlog-proof"
    old = Cid.of((room.folder / "site" / CHECKPOINT).read_bytes())
    with pytest.raises(asyncio.CancelledError):
        await room.round(3)
    await room.again()

    assert (CHECKPOINT, old) in room.dag.sample(0).items()
    await room.press.publish(now=room.clock)
    await room.press.settle()
    assert room.agrees()
    assert not room.dag.doubted()


async def test_what_is_removed_leaves_the_tree_first(room: Room, monkeypatch: pytest.MonkeyPatch):
    await room.round(3)
    later = room.clock.now + KEEP_INDEX_S + 1
    garbage = room.signer.state.garbage(later)
    assert garbage

    async def killed(_: str) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(room.store, "delete", killed)
        with pytest.raises(asyncio.CancelledError):
            await room.press.tidy(now=later)
    assert list(room.dag.blocks_since(0))  # all that the tree has, the folder has
    await room.again()
    await room.press.tidy(now=later)

    assert room.agrees()
    assert not any((room.folder / "site" / path).exists() for path in garbage)


async def test_one_file_that_can_not_be_removed_keeps_no_other(
    room: Room, monkeypatch: pytest.MonkeyPatch
):
    await room.round(3)
    later = room.clock.now + KEEP_INDEX_S + 1
    garbage = room.signer.state.garbage(later)
    real = DirStore._delete

    def immutable(store: DirStore, path: str) -> None:
        if path == garbage[0]:
            raise store._failed(path, OSError(errno.EPERM, "Operation not permitted"))
        real(store, path)

    with monkeypatch.context() as patch:
        patch.setattr(DirStore, "_delete", immutable)
        with pytest.raises(StoreError, match="not permitted"):
            await room.press.tidy(now=later)
    assert room.signer.state.garbage(later) == garbage[:1]
    await room.press.tidy(now=later)

    assert room.agrees()


async def test_a_tree_whose_building_was_cut_off_is_built_by_the_next_start(
    room: Room, monkeypatch: pytest.MonkeyPatch
):
    with room.signer.state.transaction():
        room.signer.state.db.execute("DELETE FROM dag_round")  # as on an older database
    monkeypatch.setattr(dag_module, "_FILES", 3)
    with pytest.raises(KeyboardInterrupt):
        room.dag.rebuild(interrupt)
    await room.again()

    assert room.agrees()


@pytest.mark.parametrize("what", ["round", "head"])
@pytest.mark.parametrize("damage", ["piece=x'0a020801'", "first=first || 'x'", "piece=x'12'"])
async def test_a_damaged_tree_stops_no_round_and_is_built_anew(
    room: Room, caplog: pytest.LogCaptureFixture, what: str, damage: str
):
    before = room.signer.state.log().published
    with room.signer.state.transaction():
        room.signer.state.db.execute(f"UPDATE dag SET {damage} WHERE place IN ('', 'a')")
    if what == "round":
        await room.round(3)
    else:
        room.dag.doubt(["index.html"])
    await room.press.settle()

    assert "is damaged" in caplog.text
    log = room.signer.state.log()
    assert log.published == log.size
    assert (log.size > before) == (what == "round")
    assert room.agrees()


async def test_a_stranger_in_the_folder_stops_nothing(room: Room):
    (room.folder / "site" / "dangling.html").symlink_to("nowhere")
    (room.folder / "site" / "a b").write_bytes(b"stray")
    room.dag.rebuild()
    await room.round(3)
    await room.press.settle()
    (room.folder / "site" / "dangling.html").unlink()
    (room.folder / "site" / "a b").unlink()

    assert room.agrees()


async def test_a_writer_waits_for_a_verb_and_says_so_when_it_never_ends(room: Room):
    beside = Database.beside(room.signer.state.path, origin=room.signer.state.log().origin)
    room.signer.state.db.execute("PRAGMA busy_timeout=50")
    with beside.transaction(), pytest.raises(StoreError, match="database is locked"):
        await room.press.put({ALIAS: b"page"})
    beside.close()
    await room.press.put({ALIAS: b"page"})

    assert room.agrees()


async def test_a_daemon_that_is_told_to_stop_does_not_finish_a_long_first_look(
    room: Room, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dag_module, "_FILES", 1)
    for number in range(50):
        (room.folder / "site" / f"{number}.txt").write_text(str(number))
    with room.signer.state.transaction():
        room.dag._tree.clear()
    looked: list[str] = []

    def progress(line: str) -> None:
        looked.append(line)
        if len(looked) == 2:
            loop.call_soon_threadsafe(task.cancel)

    loop = asyncio.get_running_loop()
    task = asyncio.create_task(room.press.settle(progress=progress))
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not room.dag.built()
    assert len(looked) < 50

    await room.press.settle()

    assert room.dag.built()
