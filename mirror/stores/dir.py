"""The site as a folder: where everything is written first, ready for any web server.

Beside each text file stand its compressed forms (`.gz`, `.br`), which are no part of the site.
"""

# ruff: noqa: PTH102, PTH105, PTH108, PTH123 - a Path object for each was a third of a flush

import errno
import gzip
import os
import shutil
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from threading import Thread
from typing import TypeVar

import brotli

from mirror.errors import StoreError
from mirror.files import sync_folder
from mirror.formats.paths import PROOF, check_path, is_head, is_path
from mirror.stores.patience import InThread
from mirror.threads import in_thread

SPARE = 64 * 1024 * 1024  # bytes left free: the database, its log and other programs need some
BROTLI_QUALITY = 5  # 4 makes pages 7.6 % larger; 6 costs more of a cycle than it saves a reader
GZIP_LEVEL = 6  # 9 takes an eighth longer for 0.05 %
GZIP_TIGHT = 10_000  # bytes: pages are checked to pass a 12,000 B curtain as gzip -9 makes them
MAX_TWINS = 512  # two rounds' articles, some 5 MB: more than lie between a page and its copy
MANY = 256  # files of one flush, from which on their syncs share the disk's turns
SYNCS = 8  # at once: a first upload of 10,000 files takes two thirds of the time
_STAGING = ".staging"  # same file system as the site; no path of a site begins with a dot
_COMPRESSED = (".gz", ".br")
_ENDINGS = (".html", ".json", ".xml")

T = TypeVar("T")


class DirStore:
    """A folder on this machine. Files appear by rename, whole, after they are on the disk."""

    def __init__(self, folder: Path, *, name: str = "", in_thread: InThread = in_thread) -> None:
        self.folder = folder
        self.name = name or f"dir:{folder}"
        self._in_thread = in_thread
        self._put: dict[str, bytes] = {}
        self._twins: dict[bytes, str] = {}
        """The newest immutable text files, by their bytes: what a head may be a copy of."""

    async def put(self, path: str, data: bytes) -> None:
        """Keep `data` under `path` with the next `flush`."""
        self._put[check_path(path)] = data

    async def get(self, path: str) -> bytes | None:
        """Return what is kept under `path`, or None."""
        return await self._in_thread(self._read, check_path(path))

    async def delete(self, path: str) -> None:
        """Remove `path` and its compressed forms."""
        await self._in_thread(self._delete, check_path(path))

    async def names(self, folder: str) -> list[str]:
        """Return the paths of all files right in `folder`; one whose form is left stands there."""
        return await self._in_thread(self._names, check_path(folder))

    async def flush(self) -> None:
        """Write everything put, to the disk and then to its names."""
        files, self._put = self._put, {}
        await self._in_thread(self._write, files)

    async def reserve(self, size: int) -> None:
        """Return if the disk has room for `size` bytes and some to spare."""
        free = shutil.disk_usage(_existing(self.folder)).free
        if free < size + SPARE:
            raise StoreError(f"{self.name}: disk full: {free} bytes free, {size + SPARE} needed")

    def _read(self, path: str) -> bytes | None:
        try:
            with open(f"{self.folder}/{path}", "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as e:
            raise self._failed(path, e) from e

    def _names(self, folder: str) -> list[str]:
        try:
            with os.scandir(f"{self.folder}/{folder}") as entries:
                found = [each.name for each in entries if not each.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        except OSError as e:
            raise self._failed(folder, e) from e
        # A power cut may have kept a form of a file that is gone.
        plain = {name[:-3] if name.endswith(_COMPRESSED) else name for name in found}
        return sorted(f"{folder}/{name}" for name in plain if is_path(name))

    def _delete(self, path: str) -> None:
        try:
            for suffix in ("", *_COMPRESSED):
                (self.folder / (path + suffix)).unlink(missing_ok=True)
            # What was removed is noted next: a power cut must not bring it back for ever.
            sync_folder((self.folder / path).parent)
        except FileNotFoundError:  # not even its folder
            return
        except OSError as e:
            raise self._failed(path, e) from e

    def _write(self, files: dict[str, bytes]) -> None:
        changed = {path: data for path, data in files.items() if self._changes(path, data)}
        staging = self.folder / _STAGING
        path = _STAGING
        try:
            if staging.exists():
                # What the flush before this one left, cut off or failed. It may have given
                # names that no sync has made durable, and that are not written again.
                os.sync()
                shutil.rmtree(staging)
            if not changed:
                return
            staging.mkdir(parents=True)
            self._move(self._stage_all(staging, changed))
            shutil.rmtree(staging)  # rename(2) leaves a name that is a link to its target already
        except OSError as e:
            raise self._failed(path, e) from e
        self._remember(changed)

    def _remember(self, written: dict[str, bytes]) -> None:
        pages = ((path, data) for path, data in written.items() if _forms(path) == _COMPRESSED)
        self._twins |= {data: path for path, data in pages if not is_head(path)}
        while len(self._twins) > MAX_TWINS:
            del self._twins[next(iter(self._twins))]

    def _changes(self, path: str, data: bytes) -> bool:
        held = self._read(path)
        if held is not None and held != data and not (is_head(path) or path.endswith(PROOF)):
            raise StoreError(f"{self.name}: {path}: already holds other bytes")
        # A power cut may have kept a file's new name and lost that of a compressed form, which
        # is then missing or still the old one: written again.
        return held != data or not all(self._holds(path, form, data) for form in _forms(path))

    def _holds(self, path: str, suffix: str, data: bytes) -> bool:
        unpack = gzip.decompress if suffix == ".gz" else brotli.decompress
        try:
            return bool(unpack(self._read(path + suffix) or b"") == data)
        except (OSError, EOFError, zlib.error, brotli.error):
            return False

    def _stage_all(self, staging: Path, files: dict[str, bytes]) -> list[tuple[str, str]]:
        """Write all files to the disk; return what each is called there, and is to be called."""
        # The plain file comes last: while it has its old bytes, a form may not be newer
        # for a server that prefers forms, so all of one path are moved one after another.
        numbers = count()
        staged = [
            [(f"{staging}/{next(numbers)}", path + suffix) for suffix in (*_forms(path), "")]
            for path in files
        ]
        _each(self._stage, list(zip(files.items(), staged, strict=True)))
        return list(chain.from_iterable(staged))

    def _stage(self, file: tuple[tuple[str, bytes], list[tuple[str, str]]]) -> None:
        (path, data), staged = file
        twin = self._twins.get(data)
        if not (twin and _forms(path) == _COMPRESSED and self._link(twin, staged)):
            for (temporary, _), form in zip(staged, _with_forms(path, data), strict=True):
                _write_synced(temporary, form)

    def _link(self, twin: str, staged: list[tuple[str, str]]) -> bool:
        """Return whether `staged` are now names of the file `twin` and of its forms.

        An article's index.html has the bytes of its newest revision, which never change:
        one file with two names is compressed and synced once.
        """
        try:
            for (temporary, _), suffix in zip(staged, (*_COMPRESSED, ""), strict=True):
                os.link(f"{self.folder}/{twin}{suffix}", temporary)
        except OSError:  # no such links here, or the twin is gone
            for temporary, _ in staged:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)
            return False
        return True

    def _move(self, staged: Iterable[tuple[str, str]]) -> None:
        """Give each file its name, and make the names durable."""
        folders: set[str] = set()
        for temporary, name in staged:
            parent = name.rpartition("/")[0]
            if parent not in folders:
                self._make(parent, folders)
                folders.add(parent)
            os.replace(temporary, f"{self.folder}/{name}")
        _each(sync_folder, [f"{self.folder}/{folder}" for folder in folders])

    def _make(self, folder: str, synced: set[str]) -> None:
        """Make `folder`; add to `synced` each that got a new name in it."""
        try:
            os.mkdir(f"{self.folder}/{folder}")
        except FileNotFoundError:
            if not folder:  # the whole site is gone meanwhile
                raise
            self._make(folder.rpartition("/")[0], synced)
            os.mkdir(f"{self.folder}/{folder}")
        except FileExistsError:
            return
        synced.add(folder.rpartition("/")[0])

    def _failed(self, path: str, e: OSError) -> StoreError:
        what = "disk full" if e.errno in (errno.ENOSPC, errno.EDQUOT) else "not written or read"
        return StoreError(f"{self.name}: {path}: {what}: {e.strerror}")


def _each(work: Callable[[T], None], things: Sequence[T]) -> None:
    """Do `work` on each; of many, on some at once: it mostly waits for the disk.

    Nobody waits at the program's end for a thread whose disk never answers.
    """
    left, failures = deque(things), list[Exception]()

    def some() -> None:
        with suppress(IndexError):
            while not failures:
                each = left.popleft()
                try:
                    work(each)
                except Exception as e:  # noqa: BLE001 - raised below
                    failures.append(e)

    if len(things) < MANY:
        some()
    else:
        threads = [Thread(target=some, daemon=True) for _ in range(SYNCS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


def _forms(path: str) -> tuple[str, ...]:
    """Return the compressed forms that stand beside `path`.

    What each round writes anew, and what programs ask for, has only the one that all browsers and
    programs take: a tenth larger than the other, and a third less to write.
    """
    if path.startswith("a/") and path.endswith(".html"):
        return _COMPRESSED
    return (".gz",) if path.endswith(_ENDINGS) else ()


def _with_forms(path: str, data: bytes) -> Iterator[bytes]:
    """Yield the compressed forms, if it has any, then `data` itself."""
    forms = _forms(path)
    if ".gz" in forms:
        packed = gzip.compress(data, GZIP_LEVEL, mtime=0)
        yield packed if len(packed) < GZIP_TIGHT else gzip.compress(data, 9, mtime=0)
    if ".br" in forms:
        # A window of the file's own size: a larger one is only memory to be cleared.
        window = min(max(len(data).bit_length(), 14), 22)
        yield brotli.compress(data, quality=BROTLI_QUALITY, lgwin=window)
    yield data


def _write_synced(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
