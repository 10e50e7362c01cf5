"""All kinds of places that the site is written to: a strict fake, a folder, and real servers."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import store_ftp
import store_git
import store_s3
import store_sftp
import store_webdav
from fakes import MemoryStore
from store_places import Place

from mirror.stores import Store
from mirror.stores.dir import DirStore


@contextmanager
def s3(room: Path) -> Iterator[Place]:
    """Run an object store on loopback."""
    with store_s3.serving(room) as server:
        yield server.place()


@contextmanager
def s3_by_rclone(room: Path) -> Iterator[Place]:
    """Run an object store on loopback that is reached as every kind that rclone knows."""
    with store_s3.serving(room) as server:
        yield server.rclones_place(room / "own")


REAL = {
    "s3": s3,
    "s3-by-rclone": s3_by_rclone,
    "ftp": store_ftp.place,
    "sftp": store_sftp.place,
    "webdav": store_webdav.place,
}
KINDS = ("memory", "folder", *REAL, "git")


@contextmanager
def starting(room: Callable[[str], Path]) -> Iterator[Callable[[str], Place]]:
    """Yield what gives an empty place of a kind; a server is started when it is first asked for."""
    started: dict[str, Place] = {}
    hosts: list[store_git.Host] = []
    with ExitStack() as stack:

        def get(kind: str) -> Place:
            if kind == "memory":
                return memory({})
            if kind == "folder":
                return folder(room("folder") / "outside")
            if kind == "git":  # what a store of it remembers is in its room: each gets a new one
                if not hosts:
                    hosts.append(stack.enter_context(store_git.running()))
                hosts[0].empty()
                return store_git.place_of(hosts[0], room(kind))
            if kind not in started:
                started[kind] = stack.enter_context(REAL[kind](room(kind)))
            started[kind].wipe()
            return started[kind]

        yield get


def folder(path: Path) -> Place:
    """Return a folder as a place."""

    def read(name: str) -> bytes | None:
        return (path / name).read_bytes() if (path / name).is_file() else None

    return Place(
        lambda: DirStore(path, name="outside"),
        read,
        lambda: shutil.rmtree(path, ignore_errors=True),
    )


def memory(kept: dict[str, bytes]) -> Place:
    """Return a strict fake as a place."""

    def make() -> Store:
        store = MemoryStore()
        store.kept = kept
        return store

    return Place(make, kept.get, kept.clear)
