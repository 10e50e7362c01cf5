"""Every store outside is brought to the present site, whatever comes between.

One suite over all kinds of places: a strict fake, a folder, and real servers.
"""

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import store_kinds
from copier_site import Counted, Site, Stop, making
from fakes import MemoryStore
from sites import Newsroom
from store_places import Place

from mirror.agenda import Agenda
from mirror.copier import CACHE_S
from mirror.dag import ChangedError, contents
from mirror.errors import StoreError
from mirror.formats.paths import CHECKPOINT, INDEX_PROOF, Stage, article_folder, is_head, stage
from mirror.stores.copies import Copies
from mirror.stores.dir import DirStore
from mirror.threads import in_thread

HEADS = [CHECKPOINT, INDEX_PROOF]
SAME = ("ftp", "s3-by-rclone")  # to rclone they differ, and not to who follows the site
KINDS = [kind for kind in store_kinds.KINDS if kind not in SAME]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, places: Callable[[str], Place]) -> Place:
    """Return an empty place of each kind."""
    return places(request.param)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with making(tmp_path) as site:
        yield site


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "BATCH_FILES", 9)


def in_stages(paths: list[str]) -> bool:
    return [stage(path) for path in paths] == sorted(stage(path) for path in paths)


# What every kind of place keeps.


async def test_a_place_reads_back_as_the_site(site: Site, place: Place):
    root = await site.copier(place.make()).follow()

    assert site.differs(place.read) == []
    assert root == str(site.dag.root())
    assert site.flaws(place.read, site.files()) == []


async def test_with_nothing_new_one_look_is_all_that_is_asked(site: Site, place: Place):
    await site.copier(place.make()).follow()
    store = Counted(place.make())
    copier = site.copier(store)
    await copier.follow()
    await copier.collect()

    assert store.asked == [("get", CHECKPOINT)]


async def test_only_what_changed_is_sent_and_the_heads_last(site: Site, place: Place):
    await site.copier(place.make()).follow()
    before = site.files()
    await site.publish(3)
    store = Counted(place.make())
    await site.copier(store).follow()
    after, put = site.files(), set(store.of("put"))
    changed = {path for path in after if after[path] != before.get(path)}

    assert changed <= put
    assert [path for path in put - changed if not is_head(path)] == []
    assert in_stages(store.of("put"))
    assert store.of("put")[-2:] == HEADS
    assert store.of("names") == []
    assert site.differs(place.read) == []


async def test_what_is_removed_goes_when_no_cache_shows_what_leads_to_it(site: Site, place: Place):
    old = next(path for path in site.files() if path.startswith("index/"))
    copier = site.copier(place.make())
    await copier.follow()
    await site.publish(3)
    await site.remove(old)
    await copier.follow()
    due = await copier.collect()

    assert due == site.clock.now + CACHE_S
    assert place.read(old) is not None
    site.clock.now = due - 1
    await copier.collect()
    assert place.read(old) is not None
    site.clock.now = due
    assert await copier.collect() is None
    assert place.read(old) is None
    assert site.differs(place.read) == []


async def test_a_withdrawn_article_goes_as_soon_as_no_head_leads_to_it(site: Site, place: Place):
    copier = site.copier(place.make())
    await copier.follow()
    before = site.files()
    short = await site.withdraw(1)
    gone = before.keys() - site.files().keys()
    await copier.follow()
    await copier.collect()

    assert f"{article_folder(short)}/1.html" in gone
    assert [path for path in gone if place.read(path) is not None] == []
    assert site.differs(place.read) == []


async def test_a_place_that_lost_everything_is_filled_again(site: Site, place: Place):
    await site.copier(place.make()).follow()
    place.wipe()
    assert place.read(CHECKPOINT) is None
    await site.copier(place.make()).follow()

    assert site.differs(place.read) == []


@pytest.mark.usefixtures("small_batches")
async def test_a_filling_that_was_cut_off_goes_on_where_it_was(site: Site, place: Place):
    left = iter(range(4))

    def kill(what: str, _: str) -> None:
        if what == "flush" and next(left, None) is None:
            raise Stop

    first = Counted(place.make(), kill)
    with pytest.raises(Stop):
        await site.copier(first).follow()
    second = Counted(place.make())
    await site.copier(second).follow()
    put = first.of("put") + second.of("put")

    assert place.read(CHECKPOINT) is not None
    assert site.differs(place.read) == []
    assert len(put) - len(set(put)) <= 2 * contents.BATCH_FILES
    assert not set(HEADS) & set(first.of("put"))


# What the copier keeps, whatever the place.


class Kept:
    """A strict place in memory, and clients to it."""

    def __init__(self, files: dict[str, bytes] | None = None, name: str = "memory") -> None:
        self.files = files if files is not None else {}
        self.name = name
        self.store = self.make()

    def make(self) -> MemoryStore:
        store = MemoryStore()
        store.kept, store.name = self.files, self.name
        return store

    def counted(self, before: Callable[[str, str], None] | None = None) -> Counted:
        return Counted(self.make(), before)


@pytest.fixture
def memory() -> Kept:
    return Kept()


def at_step(number: int, then: Callable[[], None]) -> Callable[[str, str], None]:
    """Return what does something before a step, counted from 0."""
    left = iter(range(number))

    def before(*_: str) -> None:
        if next(left, None) is None:
            then()

    return before


def stop() -> None:
    raise Stop


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.usefixtures("small_batches")
async def test_killed_at_any_step_no_reader_is_misled_and_the_next_one_goes_on(
    site: Site, filled: bool
):
    base = Kept()
    if filled:
        await site.copier(base.make()).follow()
        await site.publish(3, 4)
        await site.withdraw(1)
    steps, killed = 0, True
    while killed:
        place = Kept(dict(base.files), f"memory {steps}")
        with site.beside.transaction():
            Copies(site.beside, place.name).put(Copies(site.beside, base.name).held())
        try:
            await site.copier(place.counted(at_step(steps, stop))).follow()
            killed = False
        except Stop:
            shown = await site.verdicts(place.files)
        finished = site.copier(place.make())
        await finished.follow()
        await finished.collect()

        assert shown == [], steps
        assert place.files == site.files(), steps
        steps += 1
    assert steps > 30


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("path", [CHECKPOINT, INDEX_PROOF, "index.html", "feed.xml"])
async def test_a_put_that_fails_shows_nothing_later_and_is_made_up_for(
    site: Site, memory: Kept, path: str, lost: bool
):
    """Failed, or kept without an answer: the next try brings the place to the same end."""
    await site.copier(memory.make()).follow()
    await site.publish(3)
    failing = memory.make()
    failing.fails, failing.keeps_when_failing = path.__eq__, lost
    with pytest.raises(StoreError, match="told to fail"):
        await site.copier(failing).follow()
    shown = site.flaws(memory.files.get, memory.files)
    await site.copier(memory.make()).follow()

    assert shown == []
    assert all(stage(each) <= stage(path) for each in failing.order)
    assert memory.files == site.files()


class Landing(MemoryStore):
    """A place to whose site a round comes right before its put number `at`."""

    def __init__(self, place: Kept, site: Site, at: int) -> None:
        super().__init__()
        self.kept, self.name = place.files, place.name
        self.site, self.left, self.landed = site, at, False
        self.misled: list[str] = []

    async def put(self, path: str, data: bytes) -> None:
        self.left -= 1
        if self.left == -1:
            self.landed = True
            await self.site.publish(1, 100 + len(self.site.files()))
        await super().put(path, data)
        if stage(path) > Stage.PAGE:
            self.misled += await self.site.verdicts(self.kept)


@pytest.mark.usefixtures("small_batches")
async def test_a_round_that_comes_while_a_place_is_filled_misleads_no_reader(site: Site):
    """What is read after it is newer than what was sent before it."""
    for at in range(0, 60, 6):
        place = Kept(name=f"memory {at}")
        store = Landing(place, site, at)
        await site.copier(store).follow()

        assert store.landed, at
        assert store.misled == [], at
        assert place.files == site.files(), at


async def test_a_place_that_lost_everything_while_it_was_filled_is_filled_anew(
    site: Site, memory: Kept
):
    with pytest.raises(Stop):
        await site.copier(memory.counted(at_step(30, stop))).follow()
    assert memory.files
    memory.files.clear()
    await site.copier(memory.make()).follow()

    assert memory.files == site.files()


async def test_a_place_that_went_back_is_filled_anew_once_no_cache_can_be_why(
    site: Site, memory: Kept
):
    copier = site.copier(memory.make())
    await copier.follow()
    before = dict(memory.files)
    await site.publish(3)
    await copier.follow()
    memory.files.clear()
    memory.files.update(before)  # a backup was restored
    await copier.follow()
    assert memory.files == before
    site.clock.now += CACHE_S
    await copier.follow()

    assert memory.files == site.files()


async def test_heads_that_were_cut_off_there_are_put_again(site: Site, memory: Kept):
    copier = site.copier(memory.make())
    await copier.follow()
    memory.files[CHECKPOINT] = memory.files[CHECKPOINT][:40]
    await copier.follow()

    assert memory.files == site.files()


async def test_a_place_away_for_longer_than_the_journal_keeps_nothing_that_was_withdrawn(
    site: Site, memory: Kept
):
    copier = site.copier(memory.make())
    await copier.follow()
    old = {path for path in memory.files if path.startswith("index/")}
    short = await site.withdraw(1)
    await site.publish(3)
    db, oldest = site.signer.state.db, site.dag.generation()
    with db.transaction():
        db.execute("DELETE FROM dag_round WHERE generation<?", (oldest,))
    folder = article_folder(short)
    left: list[str] = []

    def look(what: str, _: str) -> None:
        if what == "put" and not left:
            left.extend(path for path in memory.files if path.startswith(folder))

    await site.copier(memory.counted(look)).follow()
    site.clock.now += CACHE_S
    await copier.collect()

    assert left == [f"{folder}/index.html"], "it goes before anything else is sent"
    assert old & memory.files.keys() == old & site.files().keys()
    assert {path for path in memory.files if path.startswith("index/")} <= site.files().keys()
    assert site.differs(memory.files.get) == []


async def test_a_tree_that_was_built_anew_and_is_the_same_sends_nothing(site: Site, memory: Kept):
    copier = site.copier(memory.make())
    root = await copier.follow()
    site.dag.rebuild()
    store = memory.counted()

    assert await site.copier(store).follow() == root
    assert store.asked == [("get", CHECKPOINT)]


async def test_what_came_back_before_its_time_is_not_removed(site: Site, memory: Kept):
    await site.put({"feed/old.json": b"old"})
    copier = site.copier(memory.make())
    await copier.follow()
    await site.remove("feed/old.json")
    await copier.follow()
    await copier.collect()
    await site.put({"feed/old.json": b"new"})
    await copier.follow()
    site.clock.now += CACHE_S

    assert await copier.collect() is None
    assert memory.files["feed/old.json"] == b"new"


async def test_a_clock_that_ran_ahead_keeps_nothing_from_being_removed(site: Site, memory: Kept):
    await site.put({"feed/old.json": b"old"})
    copier = site.copier(memory.make())
    await copier.follow()
    await site.remove("feed/old.json")
    site.clock.now += 10**8
    await copier.follow()
    site.clock.now -= 10**8
    await copier.collect()

    assert "feed/old.json" not in memory.files


async def test_a_removal_that_fails_is_tried_again(site: Site, memory: Kept):
    await site.copier(memory.make()).follow()
    short = await site.withdraw(1)
    store = memory.make()
    await site.copier(store).follow()
    store.fails = lambda path: path.endswith("1.html")
    with pytest.raises(StoreError):
        await site.copier(store).collect()
    await site.copier(memory.make()).collect()

    assert memory.files == site.files()
    assert f"{article_folder(short)}/index.html" in memory.files


async def test_an_older_database_is_told_from_the_place_and_overwrites_nothing(
    tmp_path: Path, site: Site, memory: Kept
):
    async with making(tmp_path / "older") as older:
        await site.publish(3)
        await site.copier(memory.make()).follow()
        shown = dict(memory.files)
        with pytest.raises(StoreError, match=r"it has 6 leaves, the database 4: restore the new"):
            await older.copier(memory.make()).follow()

        await older.publish(7)
        with pytest.raises(StoreError, match=r"another tree of 6 leaves than the database"):
            await older.copier(memory.make()).follow()
        assert memory.files == shown


async def test_another_newsrooms_place_is_left_alone(site: Site, memory: Kept):
    other = Newsroom(origin="other.example/log")
    other.publish({"https://other.example/1": "One."})
    memory.files.update(other.files)
    with pytest.raises(StoreError, match=r"memory: it has the log other.example/log: empty it, or"):
        await site.copier(memory.make()).follow()

    assert memory.files == other.files


async def test_a_file_that_is_not_the_trees_is_waited_for_and_then_doubted(
    site: Site, memory: Kept
):
    page = site.folder / "index.html"
    real, naps = page.read_bytes(), []
    page.write_bytes(b"half a round")

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            page.write_bytes(real)

    await site.copier(memory.make(), sleep=sleep).follow()
    assert len(naps) == 3
    assert memory.files == site.files()

    await site.publish(3)
    page.write_bytes(b"somebody's own")
    with pytest.raises(ChangedError, match=r"index\.html: not what was published"):
        await site.copier(memory.make()).follow()
    assert site.dag.doubted() == {"index.html"}


async def test_how_much_is_sent_is_shown_and_noted(
    site: Site, memory: Kept, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(contents, "BATCH_FILES", 2)
    shown: list[str] = []
    await site.copier(memory.make(), progress=shown.append).follow()
    shares = [int(line[-4:-1]) for line in shown]

    assert shares == sorted(shares)
    assert len(set(shares)) > 5
    assert shown[-1].startswith("[##")
    assert Agenda(site.beside).noted("memory") == (site.clock.now, f"is filled: {shares[-1]}% sent")


async def test_what_is_held_is_remembered(site: Site, memory: Kept):
    await site.copier(memory.make()).follow()
    held = Copies(site.beside, "memory").held()

    assert held.generation == site.dag.generation()
    assert held.root == bytes(site.dag.root() or b"")
    assert (held.size, held.at, held.target) == (4, site.clock.now, 0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


async def test_a_full_place_is_named_and_goes_on_when_there_is_room(
    tmp_path: Path, small_disk: Path
):
    async with making(tmp_path, stories=20) as site:
        store = DirStore(small_disk / "site", name="far")
        with pytest.raises(StoreError, match=r"far: .*: disk full"):
            await site.copier(store).follow()
        assert await store.get(CHECKPOINT) is None
        command = ["mount", "-o", "remount,size=20m", str(small_disk)]
        await in_thread(subprocess.run, command, check=True)
        await site.copier(store).follow()

        assert site.differs(store_kinds.folder(small_disk / "site").read) == []


async def test_a_large_file_and_a_folder_of_thousands_are_sent_and_changed(
    site: Site, memory: Kept
):
    """Such a folder is a tree of its own in the site's, and such a file has several blocks."""
    many = {f"feed/{n:05}-{'x' * 150}.json": b"%d" % n for n in range(1500)}
    await site.put({"trust/large": bytes(range(256)) * 5000, **many})
    await site.copier(memory.make()).follow()
    assert memory.files == site.files()

    changed = dict.fromkeys(list(many)[::100], b"changed")
    await site.put(changed)
    await site.remove(f"feed/{7:05}-{'x' * 150}.json")
    store = memory.counted()
    copier = site.copier(store)
    await copier.follow()
    site.clock.now += CACHE_S
    await copier.collect()

    assert set(store.of("put")) == changed.keys()
    assert memory.files == site.files()
