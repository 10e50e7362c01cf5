"""The site as a folder: where everything is written first, ready for any web server.

Beside each text file stand its compressed forms (`.gz`, `.br`), which are no part of the site.
"""

import asyncio
import errno
import gzip
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import brotli

from mirror.errors import StoreError
from mirror.formats.paths import PROOF, check_path, is_head

SPARE = 64 * 1024 * 1024  # bytes left free: the database, its log and other programs need some
BROTLI_QUALITY = 5  # 6 and above cost more of a cycle than they save a reader
_STAGING = ".staging"  # same file system as the site; no path of a site begins with a dot
_TEXT = (".html", ".json", ".xml")
_COMPRESSED = (".gz", ".br")


class DirStore:
    """A folder on this machine. Files appear by rename, whole, after they are on the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"dir:{folder}"
        self._put: dict[str, bytes] = {}

    async def put(self, path: str, data: bytes) -> None:
        """Keep `data` under `path` with the next `flush`."""
        self._put[check_path(path)] = data

    async def get(self, path: str) -> bytes | None:
        """Return what is kept under `path`, or None."""
        return await asyncio.to_thread(self._read, check_path(path))

    async def delete(self, path: str) -> None:
        """Remove `path` and its compressed forms."""
        await asyncio.to_thread(self._delete, check_path(path))

    async def flush(self) -> None:
        """Write everything put, to the disk and then to its names."""
        files, self._put = self._put, {}
        await asyncio.to_thread(self._write, files)

    async def reserve(self, size: int) -> None:
        """Return if the disk has room for `size` bytes and some to spare."""
        free = shutil.disk_usage(_existing(self.folder)).free
        if free < size + SPARE:
            raise StoreError(f"{self.name}: disk full: {free} bytes free, {size + SPARE} needed")

    def _read(self, path: str) -> bytes | None:
        try:
            return (self.folder / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as e:
            raise self._failed(path, e) from e

    def _delete(self, path: str) -> None:
        try:
            for suffix in ("", *_COMPRESSED):
                (self.folder / (path + suffix)).unlink(missing_ok=True)
        except OSError as e:
            raise self._failed(path, e) from e

    def _write(self, files: dict[str, bytes]) -> None:
        changed = {path: data for path, data in files.items() if self._changes(path, data)}
        staging = self.folder / _STAGING
        shutil.rmtree(staging, ignore_errors=True)  # what a crash left behind
        path = _STAGING
        try:
            staging.mkdir(parents=True)
            staged: list[tuple[Path, Path]] = []
            for path, data in changed.items():
                staged += self._stage(staging, path, data, first=len(staged))
            _move(staged)
            staging.rmdir()
        except OSError as e:
            raise self._failed(path, e) from e

    def _changes(self, path: str, data: bytes) -> bool:
        held = self._read(path)
        if held is not None and held != data and not (is_head(path) or path.endswith(PROOF)):
            raise StoreError(f"{self.name}: {path}: already holds other bytes")
        # A compressed form that is missing was cut off by a crash: written again.
        forms = [self.folder / (path + suffix) for suffix in _forms(path)]
        return held != data or not all(map(Path.exists, forms))

    def _stage(
        self, staging: Path, path: str, data: bytes, *, first: int
    ) -> list[tuple[Path, Path]]:
        # The plain file comes last: while it has its old bytes, a form may not be newer
        # for a server that prefers forms, so all of one path are moved one after another.
        staged = []
        for number, (suffix, form) in enumerate(_with_forms(path, data), first):
            temporary = staging / str(number)
            _write_synced(temporary, form)
            staged.append((temporary, self.folder / (path + suffix)))
        return staged

    def _failed(self, path: str, e: OSError) -> StoreError:
        what = "disk full" if e.errno in (errno.ENOSPC, errno.EDQUOT) else "not written or read"
        return StoreError(f"{self.name}: {path}: {what}: {e.strerror}")


def _forms(path: str) -> tuple[str, ...]:
    return _COMPRESSED if path.endswith(_TEXT) else ()


def _with_forms(path: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    if _forms(path):
        yield ".gz", gzip.compress(data, mtime=0)
        yield ".br", brotli.compress(data, quality=BROTLI_QUALITY)
    yield "", data


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _move(staged: Iterable[tuple[Path, Path]]) -> None:
    folders: set[Path] = set()
    for temporary, final in staged:
        if not final.parent.exists():
            folders.update(_make(final.parent))
        temporary.replace(final)
        folders.add(final.parent)
    for folder in folders:
        _sync_folder(folder)


def _make(folder: Path) -> set[Path]:
    """Make `folder` and return all folders that got a new name in them."""
    made = {_existing(folder)}
    folder.mkdir(parents=True, exist_ok=True)
    return made | {each for each in folder.parents if made & set(each.parents)}


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
