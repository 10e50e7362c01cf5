"""The operator's database as a file: its tables, its lock, its transactions and its errors.

One SQLite file. Whoever writes the log has it locked; others open it `beside` him, to look or to
leave a word. What the tables mean is said where they are used: `state`, `dag`, `hold`.
"""

import fcntl
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

from mirror.errors import SettingsError, StateError, StoreError

TRIES, TRY_S = 3, 0.05  # `in_use` looks at the lock by taking it for an instant
WAIT_S = 10.0  # for another process's transaction, which takes milliseconds, or a slow disk's

_FIRST = """
CREATE TABLE log(origin TEXT, size INT, root BLOB, time INT, published INT, checkpoint BLOB,
  cosigned INT, index_leaf INT, index_rev INT, index_first INT, index_ref TEXT);
CREATE TABLE leaf(leaf INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE tile(level INT, n INT, hashes BLOB, PRIMARY KEY(level, n)) WITHOUT ROWID;
CREATE TABLE article(n INTEGER PRIMARY KEY, id BLOB, short TEXT UNIQUE, first INT, rev INT,
  leaf INT, time INT, length INT, sha256 BLOB, title TEXT, lang TEXT, dir TEXT, void TEXT,
  digest BLOB, source TEXT);
CREATE TABLE alias(key TEXT PRIMARY KEY, n INT NOT NULL) WITHOUT ROWID;
CREATE TABLE node(level INT, k INT, length INT, sha256 BLOB, PRIMARY KEY(level, k)) WITHOUT ROWID;
CREATE TABLE outbox(path TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE garbage(path TEXT PRIMARY KEY, keep_s INT NOT NULL, due INT) WITHOUT ROWID;
CREATE TABLE feed(url TEXT PRIMARY KEY, etag TEXT, last_modified TEXT, fingerprint BLOB)
  WITHOUT ROWID;
CREATE TABLE seen(key TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO log VALUES('', 0, x'', 0, 0, x'', 0, 0, 0, 0, '');
"""
_SECOND = """
CREATE TABLE poll(url TEXT PRIMARY KEY, due INT, asked INT, answered INT, problem TEXT)
  WITHOUT ROWID;
CREATE TABLE status(name TEXT PRIMARY KEY, at INT NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE waiting(n INTEGER PRIMARY KEY, short TEXT UNIQUE NOT NULL, since INT NOT NULL,
  held INT NOT NULL, approved INT NOT NULL, going INT NOT NULL, problem TEXT NOT NULL,
  source TEXT NOT NULL, digest BLOB NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL,
  size INT NOT NULL);
CREATE TABLE waiting_value(n INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE waiting_name(key TEXT PRIMARY KEY, n INT NOT NULL) WITHOUT ROWID;
CREATE INDEX waiting_name_n ON waiting_name(n);
CREATE TABLE rejected(key TEXT, digest BLOB, source TEXT NOT NULL, at INT NOT NULL,
  PRIMARY KEY(key, digest)) WITHOUT ROWID;
CREATE TABLE switch(name TEXT PRIMARY KEY, since INT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE dag(place TEXT, first TEXT, piece BLOB NOT NULL, flat INT, PRIMARY KEY(place, first))
  WITHOUT ROWID;
CREATE TABLE dag_key(key INT, place TEXT, PRIMARY KEY(key, place)) WITHOUT ROWID;
CREATE TABLE dag_large(path TEXT, n INT, key INT NOT NULL, block BLOB, PRIMARY KEY(path, n))
  WITHOUT ROWID;
CREATE INDEX dag_large_key ON dag_large(key);
CREATE TABLE dag_round(generation INTEGER PRIMARY KEY, changed BLOB);
CREATE TABLE ipfs(name TEXT PRIMARY KEY, peer TEXT NOT NULL, root BLOB, generation INT NOT NULL,
  at INT NOT NULL, aim BLOB, sent INT NOT NULL, target INT NOT NULL, after TEXT,
  collected INT NOT NULL) WITHOUT ROWID;
"""
_THIRD = """
ALTER TABLE article ADD COLUMN chars INT NOT NULL DEFAULT 0;
ALTER TABLE poll ADD COLUMN state TEXT NOT NULL DEFAULT '';
ALTER TABLE poll ADD COLUMN gap_s INT NOT NULL DEFAULT 0;
ALTER TABLE poll ADD COLUMN failures INT NOT NULL DEFAULT 0;
ALTER TABLE poll ADD COLUMN moved TEXT NOT NULL DEFAULT '';
ALTER TABLE poll ADD COLUMN sightings INT NOT NULL DEFAULT 0;
CREATE TABLE trouble(key TEXT PRIMARY KEY, source TEXT NOT NULL, name TEXT NOT NULL,
  digest BLOB NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL, since INT NOT NULL,
  tries INT NOT NULL, due INT) WITHOUT ROWID;
CREATE TABLE recheck(short TEXT PRIMARY KEY, source TEXT NOT NULL, url TEXT NOT NULL,
  entry BLOB NOT NULL, etag TEXT NOT NULL, last_modified TEXT NOT NULL, step INT NOT NULL,
  due INT NOT NULL, missing INT) WITHOUT ROWID;
CREATE INDEX recheck_due ON recheck(due);
CREATE TABLE paragraph(site TEXT, print BLOB, article TEXT, PRIMARY KEY(site, print, article))
  WITHOUT ROWID;
CREATE TABLE withdrawal(short TEXT PRIMARY KEY, code TEXT NOT NULL, asked INT NOT NULL,
  done INT) WITHOUT ROWID;
CREATE TABLE backfill(url TEXT PRIMARY KEY, next TEXT NOT NULL, pages INT NOT NULL,
  entries INT NOT NULL, at INT NOT NULL, done INT NOT NULL) WITHOUT ROWID;
"""
_FOURTH = """
CREATE TABLE copy(name TEXT PRIMARY KEY, generation INT NOT NULL, root BLOB NOT NULL,
  size INT NOT NULL, at INT NOT NULL, target INT NOT NULL, part INT NOT NULL, after TEXT)
  WITHOUT ROWID;
CREATE TABLE copy_garbage(name TEXT, path TEXT, due INT NOT NULL, PRIMARY KEY(name, path))
  WITHOUT ROWID;
CREATE TABLE mirror(url TEXT PRIMARY KEY, role TEXT NOT NULL, state TEXT NOT NULL,
  since INT NOT NULL, announced INT, reason TEXT NOT NULL, due INT NOT NULL,
  blocked_in TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE probe(n INTEGER PRIMARY KEY, url TEXT NOT NULL, vantage TEXT NOT NULL,
  at INT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, took_ms INT NOT NULL);
CREATE INDEX probe_url ON probe(url, at);
CREATE TABLE rotation(n INTEGER PRIMARY KEY, at INT NOT NULL, did TEXT NOT NULL,
  url TEXT NOT NULL, reason TEXT NOT NULL);
"""
_FIFTH = """
CREATE TABLE picture(n INTEGER PRIMARY KEY, rev INT NOT NULL, lacks INT NOT NULL,
  tries INT NOT NULL, due INT, value BLOB NOT NULL);
CREATE INDEX picture_due ON picture(due);
CREATE TABLE busy(host TEXT PRIMARY KEY, until INT NOT NULL) WITHOUT ROWID;
"""
_DISK = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY", "SQLITE_READONLY")
_STEPS = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH)
"""What leads from one edition's tables to the next's; the file says how many were taken."""


class InUseError(StateError):
    """Another process has the database open; nothing is wrong with it."""


class Database:
    """An open SQLite file with the tables of this edition."""

    def __init__(self, path: Path, db: "_Connections", lock: IO[bytes] | None) -> None:
        self.path = path
        # What polls read while a round is written is what was last kept, and waits for nothing.
        self._db, self._reader = db
        self._writer: int | None = None
        self._lock = lock
        self._files = {each: _inode(each) for each in (path, _lock_path(path))}

    @classmethod
    def open(cls, path: Path, *, origin: str) -> Self:
        """Open or make the database of the log `origin`, which nobody else may have open so.

        Raises:
            StateError: another process has it open, or it is another log's.
            StoreError: the disk is full or failing.
        """
        lock = _locked(path)
        try:
            return cls(path, _opened(path, origin, make=True), lock)
        except (StateError, SettingsError, StoreError):
            lock.close()
            raise

    @classmethod
    def beside(cls, path: Path, *, origin: str) -> Self:
        """Open the database to look, or to leave a word, also while a daemon runs on it.

        Not for the log: only who has the lock may append.

        Raises:
            SettingsError: there is none.
            StateError: it is another log's or another edition's.
            StoreError: the disk is failing.
        """
        if not path.is_file():
            raise SettingsError(f"{path}: no database yet: `mirror once` or `mirror run` makes it")
        return cls(path, _opened(path, origin, make=False), None)

    def close(self) -> None:
        """Close the file and let another process have it."""
        self._reader.close()
        self._db.close()
        if self._lock:
            self._lock.close()

    def check_in_place(self) -> None:
        """Return if the file and its lock are still where others look for them.

        Raises:
            StateError: one was removed or replaced: what is written now would be lost, or
                another daemon could write beside.
        """
        for file, inode in self._files.items():
            if inode != _inode(file):
                raise StateError(f"{file}: removed or replaced while in use: restore it, and start")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all writes inside durable together, or none of them.

        Raises:
            StoreError: the disk is full or failing; nothing was kept.
            StateError: the database is damaged; nothing was kept.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._writer = threading.get_ident()
            yield
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as e:
            raise StoreError(f"{self.path}: not written: {e}") from e
        except sqlite3.DatabaseError as e:
            raise self._damaged(e) from e
        finally:
            self._writer = None
            if self._db.in_transaction:  # a full disk has rolled back already
                self._db.execute("ROLLBACK")

    def execute(self, statement: str, values: Sequence[object] = ()) -> int:
        """Write inside a transaction; return how many rows changed."""
        return self._db.execute(statement, values).rowcount

    def execute_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Write one row after another, inside a transaction."""
        self._db.executemany(statement, rows)

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """Return all rows of a query's answer, inside a transaction what it has written, too.

        Raises:
            StateError: the database is damaged.
            StoreError: it is locked for long, or the disk is failing.
        """
        try:
            inside = self._writer == threading.get_ident()
            return (self._db if inside else self._reader).execute(query, values).fetchall()
        except sqlite3.OperationalError as e:
            raise StoreError(f"{self.path}: not read: {e}") from e
        except sqlite3.DatabaseError as e:
            raise self._damaged(e) from e

    def row(self, query: str, values: Sequence[object] = ()) -> Any:  # noqa: ANN401
        """Return the first row of a query's answer, or None."""
        return next(iter(self.rows(query, values)), None)

    def _damaged(self, e: sqlite3.DatabaseError) -> StateError:
        return StateError(f"{self.path}: damaged, restore the newest copy: {e}")


def _lock_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _locked(path: Path) -> IO[bytes]:
    try:
        lock = _lock_path(path).open("ab")
    except (OSError, ValueError) as e:
        words = e.strerror if isinstance(e, OSError) else str(e)
        raise SettingsError(f"{path}: no database can be there: {words}") from e
    try:
        for left in reversed(range(TRIES)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not left:
                    raise
                time.sleep(TRY_S)
    except BlockingIOError as e:
        lock.close()
        raise InUseError(f"{path}: in use: another daemon or `mirror once` runs on it") from e
    return lock


def in_use(path: Path) -> bool:
    """Return whether a daemon, or `mirror once`, has the database open now."""
    try:
        with _lock_path(path).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # never opened, or not ours to look at
        return False
    return False


_Connections = tuple[sqlite3.Connection, sqlite3.Connection]
"""To write over, and to read over."""


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, WAIT_S, isolation_level=None, check_same_thread=False)


def _reading(path: Path) -> sqlite3.Connection:
    db = _connected(path)
    db.execute("PRAGMA query_only=ON")
    return db


def _opened(path: Path, origin: str, *, make: bool) -> _Connections:
    try:
        db = _connected(path)
        try:
            return _prepared(db, origin, make=make), _reading(path)
        except (StateError, SettingsError, sqlite3.DatabaseError):
            db.close()
            raise
    except sqlite3.DatabaseError as e:
        if e.sqlite_errorname.startswith("SQLITE_CANTOPEN"):
            raise SettingsError(f"{path}: no database can be there: {e}") from e
        if e.sqlite_errorname.startswith(_DISK):
            raise StoreError(f"{path}: not opened: {e}") from e
        raise StateError(f"{path}: not a usable database: {e}") from e
    except (StateError, SettingsError) as e:
        raise type(e)(f"{path}: {e}") from e


def _prepared(db: sqlite3.Connection, origin: str, *, make: bool) -> sqlite3.Connection:
    # One article touches some twenty pages, each written whole: small ones halve what is written.
    db.execute("PRAGMA page_size=2048")
    # FULL: the compare-and-swap must survive a power cut before a checkpoint is signed.
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    # 16 MB: the same few pages change with every article, and are written back once for hundreds.
    db.execute("PRAGMA wal_autocheckpoint=8192")
    # Debian's SQLite overwrites what is deleted; here that is an outbox of public documents.
    db.execute("PRAGMA secure_delete=FAST")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(_STEPS) or (version < len(_STEPS) and not make):
        known = f"schema {version}, this program knows {len(_STEPS)}"
        if not version:
            raise SettingsError("empty: no daemon has run on it")
        raise StateError(f"{known}: update it")
    if version < len(_STEPS):
        _upgrade(db, version, origin)
    held = db.execute("SELECT origin FROM log").fetchone()[0]
    if held != origin:
        raise StateError(f"it is the log {held}, the settings say {origin}")
    return db


def _upgrade(db: sqlite3.Connection, version: int, origin: str) -> None:
    db.execute("BEGIN IMMEDIATE")  # all or nothing: half a database would never open again
    for statement in "".join(_STEPS[version:]).split(";"):
        db.execute(statement)
    if not version:
        db.execute("UPDATE log SET origin=?", (origin,))
    db.execute(f"PRAGMA user_version={len(_STEPS)}")
    db.execute("COMMIT")
