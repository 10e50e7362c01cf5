"""Any of the seventy kinds of places that rclone knows: SFTP, WebDAV, FTP and the like.

A batch is one run of `rclone copy`, which lists nothing there. It does not compare either: a new
checkpoint has the size of the old one, and the times of many places are those of the upload.
What is kept is as durable as the place makes what it has acknowledged.

Nor is it looked whether other bytes were at an immutable path: what is put is this site's own,
which sets right what a place has spoiled.

Where rclone can have files sent with headers, what has the same ones is a run, and text is kept
compressed (`mirror.stores.packing`). Elsewhere whoever runs the place tells readers of its files.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from mirror.errors import StoreError
from mirror.formats.paths import check_path, is_path
from mirror.stores.packing import headers_of, packed, unpacked
from mirror.stores.rclone import webdav
from mirror.stores.rclone.remote import Remote
from mirror.stores.rclone.run import MAX_TEXT, STALL_S, Answer, Limits
from mirror.stores.rclone.staging import Staging, make_room
from mirror.threads import in_thread

MAX_FILE = 64 << 20  # bytes of one file: eight times the largest of a site
MAX_LIST = 16 << 20  # bytes of one folder's names
FULL = 1 << 20  # bytes: with less room than that, a failure without a reason is a full disk
MAX_HELD = 4 << 20  # bytes: a batch may be a week's articles; a thread for each file is slower
NO_FOLDER = 3  # rclone's status when there is none
_FROM = ("--files-from-raw=-", "--no-traverse")
# Kinds where a name is one file. Others may keep two of one name, and are asked before.
_OVERWRITES = frozenset(("ftp", "local", "s3", "sftp", "smb", "webdav"))
_TELLS = frozenset(("azureblob", "google cloud storage", "s3"))
"""Kinds where rclone sends what `--header-upload` says, and the place repeats it to readers."""


class RcloneStore:
    """A place behind rclone. What `room` holds is private; all but `known_hosts` may be lost.

    A run is given up when for `stall_s` seconds not a byte and not a file more has come over.
    """

    def __init__(
        self,
        name: str,
        to: str,
        *,
        room: Path,
        secret: Mapping[str, str],
        options: Mapping[str, str],
        stall_s: float = STALL_S,
    ) -> None:
        self.name = name
        self._remote = Remote(name, to, room=room, secret=secret, options=options)
        self._room = room
        self._stall_s = stall_s
        overwrites = options.get("type") in _OVERWRITES
        self._compare = "--no-check-dest" if overwrites else "--ignore-times"
        self._tells = options.get("type") in _TELLS
        self._climbs = options.get("type") == webdav.KIND
        self._made: set[str] = set()
        self._staging: Staging | None = None
        self._put: set[str] = set()
        self._gone: set[str] = set()
        self._held: dict[str, bytes] = {}
        self._held_bytes = 0

    async def put(self, path: str, data: bytes) -> None:
        """Keep `data` under `path` with the next `flush`."""
        self._held[check_path(path)] = data
        self._gone.discard(path)
        self._put.add(path)
        self._held_bytes += len(data)
        if self._held_bytes > MAX_HELD:
            await self._stage()

    async def get(self, path: str) -> bytes | None:
        """Return what is kept under `path`, or None."""
        root = self._remote.root
        from_ = self._remote.readable or root
        answer = await self._ask("cat", from_, *_FROM, told=[check_path(path)], max_bytes=MAX_FILE)
        if self._remote.readable and any(map(webdav.is_missing, answer.errors)):
            return None
        if answer.errors or answer.status:
            raise self._remote.failed(path, answer)
        # Nothing is what an empty file holds, and elsewhere what no file does.
        there = (
            answer.output
            or self._remote.readable
            or await self._list(root, path, *_FROM, "-R", told=[path])
        )
        if not there or not self._tells:
            return answer.output if there else None
        return await in_thread(unpacked, self.name, path, answer.output, max_bytes=MAX_FILE)

    async def delete(self, path: str) -> None:
        """Keep nothing under `path` any more, once `flush` returned."""
        self._put.discard(check_path(path))
        self._held.pop(path, None)
        self._gone.add(path)

    async def names(self, folder: str) -> list[str]:
        """Return the paths of all files right in `folder`."""
        found = await self._list(f"{self._remote.root}{check_path(folder)}/", folder)
        return sorted(path for path in (f"{folder}/{name}" for name in found) if is_path(path))

    async def flush(self) -> None:
        """Send everything put, then remove what is to be; the place has acknowledged all."""
        try:
            await self._stage()
            if self._staging and self._put:
                await self._make_folders()
                await self._send(self._staging.folder)
            if self._gone:
                await self._remove()
        finally:
            self._put, self._gone = set(), set()
            staging, self._staging = self._staging, None
            if staging:
                await in_thread(staging.remove)

    async def reserve(self, size: int) -> None:
        """Return unless the place says that it has less room than `size` bytes."""
        free = await self._free()
        if free is not None and free < size:
            raise StoreError(f"{self.name}: disk full: {free} bytes free, {size} needed")

    async def _ask(
        self,
        *words: str,
        told: Collection[str] = (),
        max_bytes: int = MAX_TEXT,
        hasty: bool = False,
    ) -> Answer:
        try:
            await in_thread(make_room, self._room)
        except OSError as e:
            raise StoreError(f"{self.name}: {self._room}: not made: {e.strerror}") from e
        limits = Limits(self._stall_s, max_bytes, hasty=hasty)
        return await self._remote.run(*words, told="\n".join(sorted(told)), limits=limits)

    async def _send(self, folder: str) -> None:
        how = (*_FROM, self._compare, "--no-update-dir-modtime")
        for headers, paths in _alike(self._put).items() if self._tells else [((), self._put)]:
            words = ("copy", folder, self._remote.root, *how, *headers)
            answer = await self._ask(*words, told=paths, hasty=True)
            if answer.status:
                raise await self._not_kept(self._remote.failed("not kept", answer))
            if answer.sent != len(paths):  # rclone passes over what it does not find
                raise StoreError(f"{self.name}: not kept: {answer.sent} of {len(paths)} files sent")

    async def _make_folders(self) -> None:
        if not self._climbs:
            return
        if new := webdav.folders(self._put, known=self._made):
            answer = await self._ask(*webdav.making(self._remote.root, new))
            errors = answer.errors or tuple(filter(None, [webdav.failure(answer.output)]))
            if errors:
                raise self._remote.failed("not kept", replace(answer, errors=errors))
        # Not an article's own: nothing is put first into that again, and there may be a million.
        self._made.update(each for path in self._put for each in webdav.above(path)[:-1])

    async def _not_kept(self, error: StoreError) -> StoreError:
        if ": failed: " in str(error):  # as OpenSSH says of a full disk, and of much else
            free = await self._free()
            if free is not None and free < FULL:
                return StoreError(f"{self.name}: not kept: disk full: {free} bytes free: {error}")
        return error

    async def _remove(self) -> None:
        answer = await self._ask("delete", self._remote.root, *_FROM, told=self._gone)
        if answer.status:
            raise self._remote.failed("not removed", answer)

    async def _list(
        self, address: str, what: str, *words: str, told: Collection[str] = ()
    ) -> list[str]:
        answer = await self._ask(
            "lsf", "--files-only", address, *words, told=told, max_bytes=MAX_LIST
        )
        if answer.status == NO_FOLDER:
            return []
        if answer.errors or answer.status:
            raise self._remote.failed(what, answer)
        return answer.output.decode("utf-8", "replace").splitlines()

    async def _free(self) -> int | None:
        """Return how many bytes the place has left, or None where it does not say."""
        answer = await self._ask("about", self._remote.root, "--json")
        try:
            said = json.loads(answer.output or b"{}")
            return None if answer.status else int(said["free"])
        except (ValueError, TypeError, KeyError):
            return None

    async def _stage(self) -> None:
        held, self._held, self._held_bytes = self._held, {}, 0
        if held:
            await in_thread(self._write, held)

    def _write(self, files: Mapping[str, bytes]) -> None:
        try:
            if self._staging is None:
                make_room(self._room)
                self._staging = Staging(self._room)
            for path, data in files.items():
                self._staging.write(path, packed(path, data) if self._tells else data)
        except OSError as e:
            raise StoreError(f"{self.name}: {self._room}: not written: {e.strerror}") from e


def _alike(paths: Iterable[str]) -> Mapping[tuple[str, ...], list[str]]:
    """Return the words by which rclone sends headers, each with the paths that are to have them."""
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for path in paths:
        told = headers_of(path, packs=True).items()
        found[tuple(f"--header-upload={name}: {value}" for name, value in told)].append(path)
    return found
