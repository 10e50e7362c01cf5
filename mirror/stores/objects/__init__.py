"""The site in an object storage: S3 and its like, Google's, Azure's.

Text is kept as gzip with `Content-Encoding: gzip` (`mirror.stores.packing`). Who fetches a page for
`minisign` does so with `curl --compressed`. `encoding = "plain"` is for a place that loses the
header: `mirror store test` names it.
"""

import asyncio
import atexit
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, NotModifiedError

from mirror.errors import StoreError
from mirror.formats.paths import PROOF, check_path, is_head, is_path
from mirror.labels import is_packed
from mirror.stores.objects.bucket import open_bucket
from mirror.stores.objects.leaving import wait_for_guests
from mirror.stores.objects.problems import in_words, is_no_bucket
from mirror.stores.packing import headers_of, packed, unpacked
from mirror.threads import in_thread

if TYPE_CHECKING:  # it is no class, and not there when the program runs
    from obstore import GetOptions

PARALLEL = 16  # requests: 32 are no faster, and places count them
MAX_NAMES, LIST_CHUNK = 200_000, 1000  # a place that goes on for ever fills the memory
MAX_BYTES = 64 << 20  # of a file read back: what a place claims to hold is held in memory

atexit.register(wait_for_guests)


class ObjectStore:
    """A folder of a bucket. What is put is collected, and sent by `flush`."""

    def __init__(
        self, name: str, to: str, *, secret: Mapping[str, str], options: Mapping[str, str]
    ) -> None:
        self.name = name
        self._bucket = open_bucket(name, to, secret=secret, options=options)
        self._amazon = to.startswith("s3:") and "endpoint" not in options
        self._packs = options.get("encoding", "gzip") == "gzip"
        self._put: dict[str, bytes] = {}
        self._gone: dict[str, None] = {}

    async def put(self, path: str, data: bytes) -> None:
        """Keep `data` under `path` with the next `flush`."""
        self._put[check_path(path)] = data

    async def get(self, path: str) -> bytes | None:
        """Return what is kept under `path`, or None."""
        return await self._read(check_path(path))

    async def delete(self, path: str) -> None:
        """Remove `path` with the next `flush`."""
        self._gone[check_path(path)] = None
        self._put.pop(path, None)

    async def names(self, folder: str) -> list[str]:
        """Return the paths of all files right in `folder`."""
        seen = 0
        with self._told(check_path(folder)):
            found: list[str] = []
            async for some in obstore.list(self._bucket, f"{folder}/", chunk_size=LIST_CHUNK):
                right = (each["path"] for each in some)
                found += [p for p in right if p.rpartition("/")[0] == folder and is_path(p)]
                seen += len(some)
                if seen > MAX_NAMES:
                    raise StoreError(f"{self.name}: {folder}: more than {MAX_NAMES} files")
        return sorted(found)

    async def flush(self) -> None:
        """Remove and send everything collected; the first failure ends it."""
        gone, self._gone = self._gone, {}
        files, self._put = self._put, {}
        await _each(self._remove, gone)
        await _each(partial(self._send, files), files)

    async def reserve(self, size: int) -> None:
        """Return: an object storage says that it is full when it is."""

    async def _read(self, path: str, *, unless: str = "", most: int = 0) -> bytes | None:
        """Return what is kept, or None.

        Raises:
            NotModifiedError: what is kept has the ETag `unless`.
        """
        most = most or MAX_BYTES
        known = most < MAX_BYTES  # what was put before is no longer
        too_long = "already holds other bytes" if known else f"more than {most} bytes"
        with self._told(path):
            try:
                asked: GetOptions = {"if_none_match": unless} if unless else {}
                found = await obstore.get_async(self._bucket, path, options=asked)
                if found.meta["size"] > most:
                    raise StoreError(f"{self.name}: {path}: {too_long}")
                body = bytes(await found.bytes_async())
                return await in_thread(
                    unpacked, self.name, path, body, max_bytes=most, too_long=too_long
                )
            except FileNotFoundError as e:
                if is_no_bucket(e):
                    raise
                return None

    async def _send(self, files: Mapping[str, bytes], path: str) -> None:
        data = files[path]
        packs = self._packs and is_packed(path)
        body = await in_thread(packed, path, data) if packs else data
        changes = is_head(path) or path.endswith(PROOF)
        if not changes and await self._holds(path, data, body):
            return
        told = headers_of(path, packs=self._packs)
        with self._told(path):
            await obstore.put_async(self._bucket, path, body, attributes=told, use_multipart=False)

    async def _holds(self, path: str, data: bytes, body: bytes) -> bool:
        """Return whether `path`, which never changes, is kept with these bytes already.

        Most places take a condition with what is sent, and some that know it do not keep to it.
        """
        tag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        try:
            most = max(len(data), len(body)) + 1024  # what is longer is not what was put
            held = await self._read(path, unless=f'"{tag}"', most=most)
        except NotModifiedError:
            return True
        if held not in (None, data):
            raise StoreError(f"{self.name}: {path}: already holds other bytes")
        return held is not None

    async def _remove(self, path: str) -> None:
        with self._told(path):
            try:
                await obstore.delete_async(self._bucket, path)
            except FileNotFoundError as e:
                if is_no_bucket(e):
                    raise

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """Let what fails at the place be a `StoreError`, in words that hold no secret."""
        try:
            yield
        except NotModifiedError:
            raise
        except (BaseError, OSError) as e:
            # Not chained: the library's text has what the place answered, and the key's name.
            raise StoreError(f"{self.name}: {path}: {in_words(e, amazon=self._amazon)}") from None


async def _each(work: Callable[[str], Awaitable[None]], paths: Iterable[str]) -> None:
    """Do `work` for all paths, some at once; after a failure begin no more, and raise it."""
    rest = iter(paths)
    failed: list[StoreError] = []

    async def one_after_another() -> None:
        for path in rest:
            try:
                await work(path)
            except StoreError as e:
                failed.append(e)
            if failed:
                return

    async with asyncio.TaskGroup() as group:
        for _ in range(PARALLEL):
            group.create_task(one_after_another())
    if failed:
        raise failed[0]
