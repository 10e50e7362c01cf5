"""Where a copy of a site is looked at: a folder on this machine, or a mirror's address."""

import asyncio
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from mirror.errors import FetchError
from mirror.fetch import Fetcher

MAX_CONNECTIONS = 2  # filters take more at once to one name for a sign of a hidden service
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Place(Protocol):
    """A copy of a site, or a part of one."""

    name: str
    """For people: a folder, or an address that ends in a slash."""

    async def read(self, path: str, max_bytes: int) -> bytes:
        """Return what is at `path`; of more than `max_bytes` bytes nothing, or one more.

        Raises:
            FetchError: nothing could be had there.
        """

    async def read_some(self, wanted: Mapping[str, int]) -> Mapping[str, bytes | FetchError]:
        """Return, for each path with its `max_bytes`, what `read` returns or raises."""


class Folder:
    """A copy that lies in a folder, which a stranger may have packed."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder

    async def read(self, path: str, max_bytes: int) -> bytes:
        """Return what is at `path`, up to one byte more than `max_bytes`."""
        return await asyncio.to_thread(self._read, path, max_bytes)

    async def read_some(self, wanted: Mapping[str, int]) -> Mapping[str, bytes | FetchError]:
        """Return what is at each path, in one visit to the disk."""
        return await asyncio.to_thread(self._read_some, wanted)

    def _read_some(self, wanted: Mapping[str, int]) -> dict[str, bytes | FetchError]:
        found: dict[str, bytes | FetchError] = {}
        for path, max_bytes in wanted.items():
            try:
                found[path] = self._read(path, max_bytes)
            except FetchError as e:
                found[path] = e
        return found

    def _read(self, path: str, max_bytes: int) -> bytes:
        """No link is followed and nothing waited for: a pipe or a device never ends."""
        try:
            descriptor = os.open(f"{self.name}/{path}", _OPEN)
            try:
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode):
                    raise FetchError(f"{path}: not a file")
                with os.fdopen(descriptor, "rb", closefd=False) as file:
                    return file.read(min(max_bytes, found.st_size) + 1)
            finally:
                os.close(descriptor)
        except FileNotFoundError as e:
            raise FetchError(f"{path}: not there", kind="missing") from e
        except OSError as e:
            raise FetchError(f"{path}: {(e.strerror or str(e)).lower()}") from e

    def read_now(self, path: str, max_bytes: int) -> bytes | None:
        """Return what is at `path`, up to one byte more than `max_bytes`, or None."""
        try:
            return self._read(path, max_bytes)
        except FetchError:
            return None

    def paths(self) -> Iterator[str]:
        """Yield the path of every file, and of every folder that cannot be looked into."""
        left = [""]
        while left:
            folder = left.pop()
            try:
                entries = sorted(os.scandir(self._folder / folder), key=lambda each: each.name)
            except OSError:  # too deep for the system, or closed: nothing that a reader can fetch
                yield folder
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(f"{folder}{entry.name}/")
                else:
                    yield folder + entry.name


class Address:
    """A copy that a mirror serves at `base`, which ends in a slash."""

    def __init__(self, base: str, fetcher: Fetcher) -> None:
        self.name = base
        self._fetcher = fetcher

    async def read(self, path: str, max_bytes: int) -> bytes:
        """Return what the mirror answers for `path`."""
        answer = await self._fetcher.get(self.name + path, max_bytes=max_bytes)
        if answer is None:  # only where a question was conditional, and none is
            raise FetchError(f"{self.name}{path}: no answer")
        return answer.body

    async def read_some(self, wanted: Mapping[str, int]) -> Mapping[str, bytes | FetchError]:
        """Return what the mirror answers for each path, over at most two connections at once."""
        found: dict[str, bytes | FetchError] = {}
        left = iter(wanted.items())

        async def work() -> None:
            for path, max_bytes in left:
                try:
                    found[path] = await self.read(path, max_bytes)
                except FetchError as e:
                    found[path] = e

        async with asyncio.TaskGroup() as group:
            for _ in range(MAX_CONNECTIONS):
                group.create_task(work())
        return found


async def maybe(place: Place, path: str, max_bytes: int) -> bytes | None:
    """Return what is at `path`, or None where a copy need not have it."""
    try:
        return await place.read(path, max_bytes)
    except FetchError:
        return None
