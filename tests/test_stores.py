"""What every store promises, and what a folder promises beyond it."""

import errno
import gzip
import os
import random
import shutil
import subprocess
from collections import namedtuple
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import brotli
import pytest
from fakes import MemoryStore
from store_places import Place

from mirror.article.render.parts import compressed_size
from mirror.errors import FormatError, StoreError
from mirror.stores import Store, write
from mirror.stores import dir as dir_module
from mirror.stores.dir import MANY, SPARE, DirStore

A = "a/o/q/x/w64tnmfzrgi3damf2"
PAGE = f"{A}/1.html"
IMMUTABLE = [PAGE, f"{PAGE}.sig", f"{A}/{'0f' * 32}.webp", "tile/0/000.p/7", "index/00.json"]
HEADS = ["checkpoint", "index.html", f"{PAGE}.tlog-proof", "index.tlog-proof", "trust/policy"]
ODD = ["../x", "a/../../x", "/etc/passwd", ".staging/0", "a/.b", "", "a//b", "a\\b", "é", "a\x00b"]
SITE = {PAGE: b"<p>1</p>" * 99, "tile/0/000.p/1": bytes(32), "checkpoint": b"c", "index.html": b"i"}

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def store(place: Place) -> Store:
    return place.make()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "site"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True
    )
    if made.returncode:
        pytest.skip(f"no right to mount here: {made.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


async def put(store: Store, path: str, data: bytes) -> None:
    await store.put(path, data)
    await store.flush()


def forms_differ(folder: Path) -> list[str]:
    """Return the compressed forms that are not of their file's bytes."""
    read = {".gz": gzip.decompress, ".br": brotli.decompress}
    forms = [each for each in folder.rglob("*") if each.suffix in read]
    return [
        str(form)
        for form in forms
        if form.with_suffix("").exists()
        and read[form.suffix](form.read_bytes()) != form.with_suffix("").read_bytes()
    ]


def all_files(folder: Path) -> dict[str, bytes]:
    files = [each for each in folder.rglob("*") if each.is_file()]
    return {str(each.relative_to(folder)): each.read_bytes() for each in files}


def plain_files(folder: Path) -> dict[str, bytes]:
    files = all_files(folder).items()
    return {path: data for path, data in files if not path.endswith((".gz", ".br"))}


def make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


# The contract.


async def test_what_was_put_and_flushed_is_there_for_all(place: Place):
    files = {path: b"bytes\x00\xff" + path.encode() for path in IMMUTABLE + HEADS}
    store = place.make()
    await write(store, files)
    after = place.make()

    assert await store.get(PAGE) == files[PAGE]
    assert await after.get("checkpoint") == files["checkpoint"]
    assert {path: place.read(path) for path in files} == files


async def test_an_empty_file_is_a_file(store: Store):
    await put(store, PAGE, b"")

    assert await store.get(PAGE) == b""


async def test_what_was_never_put_is_none(store: Store):
    assert await store.get(PAGE) is None
    assert await store.get("checkpoint") is None


async def test_an_immutable_path_never_gets_other_bytes(place: Place):
    store = place.make()
    await write(store, dict.fromkeys(IMMUTABLE, b"first"))
    if not place.looks:
        await write(store, dict.fromkeys(IMMUTABLE, b"second"))
    for path in IMMUTABLE if place.looks else ():
        with pytest.raises(StoreError, match=f"{store.name}: .*already holds other bytes"):
            await put(store, path, b"second")
    last = b"first" if place.looks else b"second"

    assert {path: await store.get(path) for path in IMMUTABLE} == dict.fromkeys(IMMUTABLE, last)


async def test_the_same_bytes_again_are_no_error(place: Place):
    store = place.make()
    same = dict.fromkeys(IMMUTABLE + HEADS, b"same")
    await write(store, same)
    await write(store, same)

    assert {path: place.read(path) for path in same} == same


async def test_a_head_and_a_proof_may_change(place: Place):
    store = place.make()
    await write(store, dict.fromkeys(HEADS, b"old"))
    await write(store, dict.fromkeys(HEADS, b"new"))

    assert {path: await store.get(path) for path in HEADS} == dict.fromkeys(HEADS, b"new")
    assert {path: place.read(path) for path in HEADS} == dict.fromkeys(HEADS, b"new")


async def test_one_refused_file_does_not_stop_the_store(place: Place):
    store = place.make()
    await put(store, PAGE, b"first")
    with pytest.raises(StoreError) if place.looks else nullcontext():
        await put(store, PAGE, b"second")
    await put(store, f"{A}/2.html", b"next")

    assert await store.get(f"{A}/2.html") == b"next"


async def test_a_flush_of_hundreds_of_files_is_all_there(place: Place):
    files = {f"a/o/q/{n % 7}/{n:017}/1.html": b"<p>%d</p>" % n * 9 for n in range(MANY + 5)}
    store = place.make()
    for path, data in files.items():
        await store.put(path, data)
    await store.flush()

    assert {path: place.read(path) for path in files} == files


async def test_what_was_deleted_is_gone_after_the_flush_and_may_come_again(store: Store):
    await put(store, PAGE, b"first")
    await store.delete(PAGE)
    await store.delete(f"{A}/9.html")
    await store.flush()

    assert await store.get(PAGE) is None

    await put(store, PAGE, b"other")

    assert await store.get(PAGE) == b"other"

    await store.delete(PAGE)
    await put(store, PAGE, b"third")

    assert await store.get(PAGE) == b"third"


async def test_the_files_right_in_a_folder_are_named(store: Store):
    beside = f"{A}/1.html", f"{A}/1.html.minisig"
    for path in (*beside, "index.html"):
        await store.put(path, b"x")
        await store.flush()

    assert sorted(await store.names(A)) == sorted(beside)
    assert await store.names(A.rpartition("/")[0]) == []
    assert await store.names("a/z/z/z/zzzzzzzzzzzzzzzzz") == []
    assert await store.names("a/o") == await store.names("a/z") == []


async def test_deleting_what_is_not_there_is_no_error(store: Store):
    await store.delete(PAGE)
    await store.flush()


@pytest.mark.parametrize("path", ODD)
async def test_a_path_that_leaves_the_site_is_refused_by_every_verb(store: Store, path: str):
    for verb in (store.put(path, b"x"), store.get(path), store.delete(path), store.names(path)):
        with pytest.raises(FormatError, match="path"):
            await verb


async def test_there_is_room_for_little(store: Store):
    await store.reserve(1)


async def test_a_flush_with_nothing_put_is_no_error(store: Store):
    await store.flush()
    await store.flush()


async def test_a_site_is_written_heads_last():
    store = MemoryStore()
    await write(store, dict(sorted(SITE.items(), reverse=True)))

    assert store.order == [PAGE, "tile/0/000.p/1", "index.html", "checkpoint"]
    assert store.kept == SITE


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("failing", SITE)
async def test_a_store_that_fails_midway_shows_no_later_stage(failing: str, kept: bool):
    store = MemoryStore()
    store.fails = lambda path: path == failing
    store.keeps_when_failing = kept
    with pytest.raises(StoreError, match="told to fail"):
        await write(store, SITE)
    before = [PAGE, "tile/0/000.p/1", "index.html", "checkpoint"].index(failing)

    assert len(store.kept) == before + kept
    assert "checkpoint" not in store.kept or (failing, kept) == ("checkpoint", True)


async def test_a_flush_that_fails_ends_the_writing():
    store = MemoryStore()
    store.flush_fails = True
    with pytest.raises(StoreError):
        await write(store, SITE)

    assert store.order == [PAGE]


# The fake's own strictness.


async def test_the_fake_objects_to_a_batch_of_two_stages():
    store = MemoryStore()
    await store.put(PAGE, b"x")
    with pytest.raises(AssertionError, match="before"):
        await store.put("checkpoint", b"x")


async def test_the_fake_fails_in_two_forms():
    store = MemoryStore()
    store.fails = lambda _: True
    with pytest.raises(StoreError):
        await store.put(PAGE, b"x")

    assert store.kept == {}

    store.keeps_when_failing = True
    with pytest.raises(StoreError):
        await store.put(PAGE, b"x")

    assert store.kept == {PAGE: b"x"}


# A folder.


@pytest.mark.parametrize("path", [PAGE, "index.html", "index/00.json", "feed.xml"])
async def test_the_forms_that_readers_take_stand_beside_text(folder: Path, path: str):
    data = b"<p>words and words</p>" * 50
    await put(DirStore(folder), path, data)

    assert gzip.decompress((folder / f"{path}.gz").read_bytes()) == data
    assert (folder / f"{path}.br").exists() == (path == PAGE)


async def test_a_page_near_the_curtain_is_no_larger_than_its_check_found(folder: Path):
    words = random.Random(1).choices([f"word{number}" for number in range(5000)], k=6000)
    data = " ".join(words).encode()
    await put(DirStore(folder), PAGE, data)
    size = len((folder / f"{PAGE}.gz").read_bytes())

    assert 10_000 < size <= compressed_size(data)


@pytest.mark.parametrize(
    "path", ["checkpoint", f"{PAGE}.sig", "tile/0/000", f"{A}/{'0' * 64}.webp"]
)
async def test_what_is_no_text_has_no_compressed_forms(folder: Path, path: str):
    await put(DirStore(folder), path, b"x" * 5000)

    assert list(all_files(folder)) == [path]


async def test_compressed_forms_change_and_go_with_their_file(folder: Path):
    store = DirStore(folder)
    await put(store, "index.html", b"old " * 99)
    await put(store, "index.html", b"new " * 99)

    assert gzip.decompress((folder / "index.html.gz").read_bytes()) == b"new " * 99
    assert forms_differ(folder) == []

    await store.delete("index.html")

    assert all_files(folder) == {}


async def test_the_same_bytes_compress_to_the_same_bytes(tmp_path: Path):
    for name in ("one", "two"):
        await put(DirStore(tmp_path / name), PAGE, b"words " * 400)
    one, two = all_files(tmp_path / "one"), all_files(tmp_path / "two")

    assert one == two
    assert len(one) == 3


@pytest.mark.parametrize("lost", ["1.html.gz", "1.html.br"])
async def test_a_missing_compressed_form_is_written_again(folder: Path, lost: str):
    store = DirStore(folder)
    await put(store, PAGE, b"words " * 99)
    (folder / A / lost).unlink()
    await put(store, PAGE, b"words " * 99)

    assert (folder / A / lost).exists()
    assert forms_differ(folder) == []


@pytest.mark.parametrize("lost", ["index.html.gz", "index.html.br", "index.html"])
async def test_a_copy_of_a_revision_that_lost_a_file_is_made_whole(folder: Path, lost: str):
    store = DirStore(folder)
    data = b"words " * 99
    await put(store, PAGE, data)
    await put(store, f"{A}/index.html", data)
    (folder / A / lost).unlink()
    await put(store, f"{A}/index.html", data)

    assert {f"{A}/index.html{form}" for form in ("", ".gz", ".br")} <= set(all_files(folder))
    assert forms_differ(folder) == []
    assert not list(all_files(folder / ".staging"))


async def test_a_new_revision_leaves_the_old_one_as_it_was(folder: Path):
    store = DirStore(folder)
    for rev in (1, 2, 3):
        await put(store, f"{A}/{rev}.html", b"revision %d" % rev * 99)
        await put(store, f"{A}/index.html", b"revision %d" % rev * 99)

    for rev in (1, 2, 3):
        assert await store.get(f"{A}/{rev}.html") == b"revision %d" % rev * 99
    assert await store.get(f"{A}/index.html") == b"revision 3" * 99
    assert forms_differ(folder) == []


async def test_what_a_crash_left_in_staging_is_cleared(folder: Path):
    (folder / ".staging").mkdir(parents=True)
    (folder / ".staging" / "0").write_bytes(b"half")
    (folder / ".staging" / "deep").mkdir()
    await write(DirStore(folder), SITE)

    assert not (folder / ".staging").exists()
    assert plain_files(folder) == SITE


async def test_nothing_is_under_its_name_before_the_flush(folder: Path):
    await DirStore(folder).put(PAGE, b"x")

    assert all_files(folder) == {}


class Cut(BaseException):
    """The power went."""


@pytest.mark.parametrize("at", range(12))
async def test_after_a_cut_at_any_rename_the_same_write_completes_the_site(
    folder: Path, monkeypatch: pytest.MonkeyPatch, at: int
):
    old = {PAGE: b"page " * 99, "index.html": b"old " * 99, "checkpoint": b"old"}
    new = {f"{A}/2.html": b"two " * 99, "index.html": b"new " * 99, "checkpoint": b"new"}
    await write(DirStore(folder), old)
    left = iter(range(at))
    rename = os.replace

    def cut(source: str, target: str) -> None:
        if next(left, None) is None:
            raise Cut
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", cut)
        cut_off = False
        try:
            await write(DirStore(folder), new)
        except Cut:
            cut_off = True
    seen = plain_files(folder)

    assert cut_off == (at < 6)
    assert seen["checkpoint"] in (b"old", b"new")
    assert seen["checkpoint"] == b"old" or (f"{A}/2.html" in seen and forms_differ(folder) == [])

    await write(DirStore(folder), new)

    assert plain_files(folder) == {**old, **new}
    assert forms_differ(folder) == []
    assert not (folder / ".staging").exists()


async def test_a_file_and_its_folder_are_synced_before_the_next_stage(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    synced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()).removeprefix(f"{folder}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    await write(DirStore(folder), {f"{PAGE}.sig": b"x", "checkpoint": b"c"})

    assert synced[0] == "/.staging/0"
    names = [f"/{'/'.join(A.split('/')[:n])}" for n in range(1, 6)]
    assert {"", *names} <= set(synced[1:-2])
    assert synced[-2:] == ["/.staging/0", ""]


async def test_a_full_disk_is_told_before_anything_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, SPARE + 999))
    await DirStore(folder).reserve(999)
    with pytest.raises(StoreError, match=f"disk full: {SPARE + 999} bytes free, {SPARE + 1000}"):
        await DirStore(folder).reserve(1000)


async def test_a_disk_that_fills_up_keeps_what_it_had(small_disk: Path):
    store = DirStore(small_disk / "site")
    await write(store, SITE)
    with pytest.raises(StoreError, match="disk full"):
        await store.reserve(1)
    many = {f"{A}/{n}.html": os.urandom(100_000) for n in range(2, 9)}
    with pytest.raises(StoreError, match="disk full"):
        await write(store, {**many, "checkpoint": b"new"})

    assert await store.get("checkpoint") == b"c"
    assert forms_differ(small_disk) == []

    (small_disk / "site" / PAGE).touch()
    await write(store, {f"{A}/2.html": b"small", "checkpoint": b"new"})

    assert await store.get("checkpoint") == b"new"


async def test_a_quota_is_a_full_disk_too(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(dir_module.os, "fsync", full)
    with pytest.raises(StoreError, match="disk full: Disk quota exceeded"):
        await put(DirStore(folder), PAGE, b"x")


async def test_a_file_where_a_folder_should_be_is_a_store_error(folder: Path):
    (make(folder) / "a").write_bytes(b"not a folder")
    with pytest.raises(StoreError, match="not written or read"):
        await put(DirStore(folder), PAGE, b"x")
    with pytest.raises(StoreError):
        await DirStore(folder).get(PAGE)


async def test_a_site_folder_may_be_a_link(tmp_path: Path):
    target = make(tmp_path / "elsewhere")
    await write(DirStore(linked(tmp_path / "site", target)), SITE)

    assert plain_files(target) == SITE


def linked(path: Path, target: Path) -> Path:
    path.symlink_to(target)
    return path
