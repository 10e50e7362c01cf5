"""Every write boundary of a process, counted, and the process ended at one of them.

A boundary is what can tell what is on the disk after it from what was before: a file created,
written, synced, renamed, linked or removed, a folder made, synced or removed, a transaction
begun or committed, a signature made. Only in a child that exists to die: `install` patches the
modules that the program uses.

A cut ends the process before boundary `at`; after the n-th is before the n+1-th. A write is cut
with half of its bytes in the file. `power` makes it a power cut: what was not synced is undone,
all of it or, with a seed, a random part. SQLite's own files are believed to be what SQLite says.
"""

# ruff: noqa: ANN401 - what stands in for the operating system takes what it takes

import builtins
import io
import os
import random
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mirror import database
from mirror.formats import ed25519

KILLED = 137


@dataclass(slots=True)
class Boundaries:
    """Counts boundaries into `seen`; calls `reached` before the one numbered `at`, from 1."""

    at: int = 0
    reached: Callable[[], None] = lambda: os._exit(KILLED)
    power: bool = False
    seed: int | None = None
    seen: list[str] = field(default_factory=list)
    _undo: list[tuple[str, Callable[[], None]]] = field(default_factory=list)
    """Names that are not durable yet: their folder, and what brings back what was before."""
    _dirty: set[str] = field(default_factory=set)
    """Files whose bytes are not durable yet."""
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def boundary(self, what: str) -> None:
        with self._lock:  # two threads would count one, and meet none
            self.seen.append(what)
            if len(self.seen) == self.at:
                if self.power:
                    self._lose_power()
                self.reached()

    def _lose_power(self) -> None:
        draw = random.Random(self.seed)
        for path in self._dirty:
            Path(path).is_file() and os.truncate(path, 0)
        for _, undo in reversed(self._undo):
            if self.seed is None or draw.random() < 0.5:
                undo()

    def renamed(self, source: str, target: str) -> None:
        if not self.power:
            return
        old = Path(target).read_bytes() if Path(target).exists() else None
        if source in self._dirty:
            self._dirty.add(target)

        def undo() -> None:
            if old is not None:
                _write(target, old)
            elif Path(target).exists():
                _REAL["unlink"](target)

        self._undo.append((_parent(target), undo))

    def made(self, path: str) -> None:
        if not self.power:
            return
        self._undo.append((_parent(path), lambda: shutil.rmtree(path, ignore_errors=True)))

    def removed(self, path: str) -> None:
        if not (self.power and Path(path).is_file()):
            return
        old = Path(path).read_bytes()
        self._undo.append((_parent(path), lambda: _write(path, old)))

    def all_synced(self) -> None:
        self._undo.clear()
        self._dirty.clear()

    def synced(self, fd: int) -> None:
        if not self.power:
            return
        path = _path_of(fd)
        self._dirty.discard(path)
        self._undo = [each for each in self._undo if each[0] != path]

    def written(self, fd: int) -> None:
        if not self.power:
            return
        self._dirty.add(_path_of(fd))


_NAMES = ("replace", "rename", "link", "mkdir", "unlink", "rmdir", "fsync", "write", "open")
_REAL: dict[str, Any] = {name: getattr(os, name) for name in _NAMES}


def install(count: Boundaries) -> None:
    """Patch what the program writes with, so that `count` meets every boundary."""
    os.replace = _two_names(count, "replace")  # type: ignore[assignment]
    os.rename = _two_names(count, "rename")  # type: ignore[assignment]
    os.link = _two_names(count, "link")  # type: ignore[assignment]
    os.mkdir = _mkdir(count)  # type: ignore[assignment]
    os.unlink = os.remove = _removal(count, "unlink")  # type: ignore[assignment]
    os.rmdir = _removal(count, "rmdir")  # type: ignore[assignment]
    os.fsync = _fsync(count)  # type: ignore[assignment]
    os.fdatasync = _fsync(count)  # type: ignore[assignment]
    os.sync = _sync(count)
    os.open = _open(count)  # type: ignore[assignment]
    os.write = _os_write(count)  # type: ignore[assignment]
    io.open = builtins.open = _io_open(count, io.open)  # type: ignore[assignment]
    sqlite3.connect = _connect(count, sqlite3.connect)  # type: ignore[assignment]
    database._reading = _untold(database._reading)
    ed25519.sign = _sign(count, ed25519.sign)


def _two_names(count: Boundaries, name: str) -> Callable[..., None]:
    def call(source: Any, target: Any, **options: Any) -> None:
        count.boundary(f"{name} {_name(target)}")
        count.renamed(os.fspath(source), os.fspath(target))
        _REAL[name](source, target, **options)

    return call


def _mkdir(count: Boundaries) -> Callable[..., None]:
    def call(path: Any, *mode: Any, **options: Any) -> None:
        count.boundary(f"mkdir {_name(path)}")
        _REAL["mkdir"](path, *mode, **options)
        count.made(os.fspath(path))

    return call


def _removal(count: Boundaries, name: str) -> Callable[..., None]:
    def call(path: Any, **options: Any) -> None:
        count.boundary(f"{name} {_name(path)}")
        if not options.get("dir_fd"):  # in the staging folder nothing is missed
            count.removed(os.fspath(path))
        _REAL[name](path, **options)

    return call


def _fsync(count: Boundaries) -> Callable[[Any], None]:
    def call(file: Any) -> None:
        fd = file if isinstance(file, int) else file.fileno()
        count.boundary("fsync")
        _REAL["fsync"](fd)
        count.synced(fd)

    return call


def _sync(count: Boundaries) -> Callable[[], None]:
    def call() -> None:
        count.boundary("sync")
        count.all_synced()

    return call


def _open(count: Boundaries) -> Callable[..., int]:
    def call(path: Any, flags: int, *mode: Any, **options: Any) -> int:
        if flags & os.O_CREAT:
            count.boundary(f"create {_name(path)}")
        return int(_REAL["open"](path, flags, *mode, **options))

    return call


def _os_write(count: Boundaries) -> Callable[[int, Any], int]:
    def call(fd: int, data: Any) -> int:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return int(_REAL["write"](fd, data))
        count.written(fd)
        half = memoryview(data)[: len(data) // 2]
        done = int(_REAL["write"](fd, half)) if half else 0
        count.boundary("write")
        return done + int(_REAL["write"](fd, memoryview(data)[done:]))

    return call


def _io_open(count: Boundaries, real: Any) -> Callable[..., Any]:
    def call(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if not set(mode) & set("wax+") or isinstance(file, int):
            return real(file, mode, *arguments, **options)
        count.boundary(f"create {_name(file)}")
        return _File(real(file, mode, *arguments, **options), count)

    return call


class _File:
    """A file open for writing; each write is a boundary, and reaches the file at once."""

    def __init__(self, file: Any, count: Boundaries) -> None:
        self._file = file
        self._count = count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: Any) -> int:
        self._file.write(data[: len(data) // 2])
        self._file.flush()
        self._count.boundary("write")
        self._file.write(data[len(data) // 2 :])
        self._file.flush()
        return len(data)


def _connect(count: Boundaries, real: Any) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        count.boundary("open database")
        db = real(*arguments, **options)
        db.set_trace_callback(lambda statement: _statement(count, db, statement))
        return db

    return call


def _untold(real: Any) -> Callable[[Path], sqlite3.Connection]:
    """Return what opens a connection for readers that tells of no statement: it writes nothing.

    Threads share it. One in a statement has SQLite's lock, and would wait for the interpreter to
    tell; another has the interpreter, and waits for the lock.
    """

    def call(path: Path) -> sqlite3.Connection:
        db: sqlite3.Connection = real(path)
        db.set_trace_callback(None)
        return db

    return call


def _statement(count: Boundaries, db: sqlite3.Connection, statement: str) -> None:
    verb = statement.lstrip().split(maxsplit=1)[0].upper().rstrip(";")
    if verb in ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA", "VACUUM") or (
        verb not in ("SELECT", "--") and not db.in_transaction
    ):
        count.boundary(statement[:60])


def _sign(count: Boundaries, real: Any) -> Callable[[bytes, bytes], bytes]:
    def call(seed: bytes, message: bytes) -> bytes:
        count.boundary("sign")
        return bytes(real(seed, message))

    return call


def _name(path: Any) -> str:
    return os.fspath(path).rpartition("/")[2]


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _path_of(fd: int) -> str:
    return str(Path(f"/proc/self/fd/{fd}").readlink())


def _write(path: str, data: bytes) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if Path(path).exists():  # another name of its file keeps its bytes
        _REAL["unlink"](path)
    fd = _REAL["open"](path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    _REAL["write"](fd, data)
    os.close(fd)
