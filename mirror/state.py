"""The operator's database: what was seen, what was appended to the log, what is published.

One SQLite file. `swap` is the compare-and-swap that makes the log fork-free: its transaction is
durable before anything is signed with the log key. What it appended stays in `outbox` until
`mark_published`, so that a crash at any moment is followed by the same writes again. One
coroutine writes, in a thread; polls read `feed` and `seen` meanwhile, which no round changes.

Size: 2 to 4 kB an article. If lost: the log cannot go on (the daemon refuses to sign);
keep a copy. Who could abuse it: whoever alters it can make the daemon sign a fork.
"""

import fcntl
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mirror.errors import StateError, StoreError
from mirror.files import write_durably
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.index import AnyItem, Direction, Item, Ref, VoidItem
from mirror.formats.record import Code

SCHEMA_VERSION = 1
_SCHEMA = """
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
"""


@dataclass(frozen=True, slots=True)
class LogState:
    """The log has `size` leaves and `root`; its first `published` ones are in the site.

    `checkpoint` is the signed note for `size`, empty until it was signed; `cosigned` its
    clock's time. `index_*` speak of the newest index document's record. Times are Unix seconds.
    """

    origin: str
    size: int
    root: bytes
    time: int
    published: int
    checkpoint: bytes
    cosigned: int
    index_leaf: int
    index_rev: int
    index_first: int
    index_ref: str


@dataclass(frozen=True, slots=True)
class ArticleState:
    """Article number `n` in its newest revision; `digest` is of its content, `source` its feed."""

    n: int
    id: bytes
    short: str
    first: int
    rev: int
    leaf: int
    time: int
    length: int
    sha256: bytes
    title: str
    lang: str
    dir: Direction
    void: Code | None
    digest: bytes
    source: str

    @property
    def item(self) -> AnyItem:
        """The article as the catalogue has it."""
        if self.void:
            return VoidItem(self.short, self.n, self.rev, self.leaf, self.void)
        shown = self.time, self.length, self.sha256, self.title, self.lang, self.dir
        return Item(self.short, self.n, self.rev, self.leaf, *shown)


@dataclass(frozen=True, slots=True)
class FeedState:
    """What a feed's server said last, to be said back to it; `fingerprint` is of what was read."""

    etag: str = ""
    last_modified: str = ""
    fingerprint: bytes = b""


class State:
    """The open database; there is at most one in the world for each file."""

    def __init__(self, path: Path, db: sqlite3.Connection, lock: IO[bytes]) -> None:
        self.path = path
        self._db = db
        self._lock = lock

    @classmethod
    def open(cls, path: Path, *, origin: str) -> "State":
        """Open or make the database of the log `origin`.

        Raises:
            StateError: another process has it open, or it is another log's.
            StoreError: the disk is full or failing.
        """
        try:
            lock = path.with_name(path.name + ".lock").open("ab")
        except (OSError, ValueError) as e:
            raise StateError(f"{path}: no database can be there: {e}") from e
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            lock.close()
            raise InUseError(f"{path}: in use: another daemon or `mirror once` runs on it") from e
        try:
            db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            return cls(path, _prepare(db, origin), lock)
        except sqlite3.DatabaseError as e:
            lock.close()
            if e.sqlite_errorname.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
                raise StoreError(f"{path}: not opened: {e}") from e
            raise StateError(f"{path}: not a usable database: {e}") from e
        except StateError as e:
            lock.close()
            raise StateError(f"{path}: {e}") from e

    def close(self) -> None:
        """Close the file and let another process have it."""
        self._db.close()
        self._lock.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all writes inside durable together, or none of them.

        Raises:
            StoreError: the disk is full or failing; nothing was kept.
            StateError: the database is damaged; nothing was kept.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as e:
            raise StoreError(f"{self.path}: not written: {e}") from e
        except sqlite3.DatabaseError as e:
            raise self._damaged(e) from e
        finally:
            if self._db.in_transaction:  # a full disk has rolled back already
                self._db.execute("ROLLBACK")

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """Return all rows of a query's answer.

        Raises:
            StateError: the database is damaged.
        """
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.DatabaseError as e:
            raise self._damaged(e) from e

    def _row(self, query: str, values: Sequence[object] = ()) -> Any:  # noqa: ANN401
        return next(iter(self._rows(query, values)), None)

    def _damaged(self, e: sqlite3.DatabaseError) -> StateError:
        return StateError(f"{self.path}: damaged, restore the newest copy: {e}")

    # The log.

    def log(self) -> LogState:
        """Return where the log stands."""
        return LogState(*self._row("SELECT * FROM log"))

    def swap(self, old: LogState, new: LogState) -> None:
        """Replace the log's state if it is still `old`: the compare-and-swap.

        Raises:
            StateError: it is not; somebody else appended.
        """
        changed = self._db.execute(
            "UPDATE log SET size=?, root=?, time=?, checkpoint=x'', index_leaf=?, index_rev=?,"
            " index_first=?, index_ref=? WHERE size=? AND root=? AND published=size",
            (
                *(new.size, new.root, new.time, new.index_leaf, new.index_rev, new.index_first),
                *(new.index_ref, old.size, old.root),
            ),
        )
        if changed.rowcount != 1:
            raise StateError(f"{self.path}: the log moved on from {old.size} leaves meanwhile")

    def keep_checkpoint(self, checkpoint: bytes, *, cosigned: int) -> None:
        """Keep the signed note for the present size."""
        self._db.execute("UPDATE log SET checkpoint=?, cosigned=?", (checkpoint, cosigned))

    def note_signing(self, checkpoint: Checkpoint) -> None:
        """Keep, outside the database, what is about to be signed.

        An old copy of the database that is put back is noticed by it, even where a crash
        kept the newest checkpoint, but not its proofs, out of every store.

        Raises:
            StoreError: not written; then nothing may be signed.
        """
        if self.last_signing() == checkpoint:
            return
        try:
            write_durably(self._mark, str(checkpoint).encode())
        except OSError as e:
            raise StoreError(f"{self._mark}: not written: {e.strerror}") from e

    def last_signing(self) -> Checkpoint | None:
        """Return the largest checkpoint that may have been signed, if one was.

        Raises:
            StateError: the file is there and not readable.
        """
        try:
            return Checkpoint.parse(self._mark.read_text("ascii"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as e:
            raise StateError(f"{self._mark}: not readable: {e}") from e

    @property
    def _mark(self) -> Path:
        return self.path.with_name(f"{self.path.name}.signed")

    def mark_published(self, size: int, *, now: int) -> None:
        """Note that the site shows `size` leaves, and let what it replaced age from `now` on."""
        self._db.execute("UPDATE log SET published=?", (size,))
        self._db.execute("DELETE FROM outbox")
        self._db.execute("UPDATE garbage SET due=?+keep_s WHERE due IS NULL", (now,))

    def add_leaves(self, first: int, records: Iterable[bytes]) -> None:
        """Append records, the first of which is leaf `first`."""
        self._db.executemany("INSERT INTO leaf VALUES(?,?)", enumerate(records, first))

    def records(self, start: int, end: int) -> list[bytes]:
        """Return the records of leaves `start` to `end` - 1."""
        rows = self._rows(
            "SELECT record FROM leaf WHERE leaf>=? AND leaf<? ORDER BY leaf", (start, end)
        )
        return [row[0] for row in rows]

    def read_tile(self, level: int, n: int) -> bytes:
        """Return the hashes of a tile, as many as there are.

        Raises:
            StateError: there is no such tile: the database was damaged.
        """
        row = self._row("SELECT hashes FROM tile WHERE level=? AND n=?", (level, n))
        if row is None:
            raise StateError(f"{self.path}: tile {level}/{n} is missing: restore a backup")
        return bytes(row[0])

    def put_tiles(self, tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Keep tiles as `tlog.append` returned them."""
        rows = [(level, n, hashes) for (level, n), hashes in tiles.items()]
        self._db.executemany("INSERT OR REPLACE INTO tile VALUES(?,?,?)", rows)

    # The articles and their catalogue.

    def count(self) -> int:
        """Return how many articles were ever published."""
        return int(self._row("SELECT COALESCE(MAX(n)+1, 0) FROM article")[0])

    def find(self, keys: Iterable[str]) -> ArticleState | None:
        """Return the article that the first known of `keys` leads to."""
        for key in keys:
            row = self._row("SELECT article.* FROM alias JOIN article USING(n) WHERE key=?", (key,))
            if row:
                return ArticleState(*row)
        return None

    def holder(self, short: str) -> ArticleState | None:
        """Return the article whose path begins with this short id."""
        row = self._row("SELECT * FROM article WHERE short=?", (short,))
        return ArticleState(*row) if row else None

    def put_article(self, article: ArticleState) -> None:
        """Keep an article's newest revision."""
        values = [getattr(article, name) for name in ArticleState.__slots__]
        self._db.execute(
            f"INSERT OR REPLACE INTO article VALUES({','.join('?' * len(values))})", values
        )

    def add_aliases(self, n: int, keys: Iterable[str]) -> None:
        """Let `keys` lead to article `n`; a key that leads elsewhere already stays there."""
        rows = [(key, n) for key in keys]
        self._db.executemany("INSERT OR IGNORE INTO alias VALUES(?,?)", rows)

    def articles(self, start: int, end: int) -> list[ArticleState]:
        """Return articles number `start` to `end` - 1."""
        rows = self._rows("SELECT * FROM article WHERE n>=? AND n<? ORDER BY n", (start, end))
        return [ArticleState(*row) for row in rows]

    def newest(self, most: int) -> list[ArticleState]:
        """Return the `most` highest-numbered articles that are not withdrawn, highest first."""
        rows = self._rows(
            "SELECT * FROM article WHERE void IS NULL ORDER BY n DESC LIMIT ?", (most,)
        )
        return [ArticleState(*row) for row in rows]

    def nodes(self, level: int, start: int, end: int) -> list[Ref]:
        """Return what nodes `start` to `end` - 1 of a level of the catalogue are now."""
        rows = self._rows(
            "SELECT length, sha256 FROM node WHERE level=? AND k>=? AND k<? ORDER BY k",
            (level, start, end),
        )
        return [Ref(*row) for row in rows]

    def put_node(self, level: int, k: int, ref: Ref) -> None:
        """Keep what a node of the catalogue is now."""
        row = level, k, ref.length, ref.sha256
        self._db.execute("INSERT OR REPLACE INTO node VALUES(?,?,?,?)", row)

    # What is still to be written, and to be removed.

    def put_outbox(self, files: Mapping[str, bytes]) -> None:
        """Keep documents until they are in the site."""
        self._db.executemany("INSERT INTO outbox VALUES(?,?)", files.items())

    def outbox(self) -> dict[str, bytes]:
        """Return the documents that are not known to be in the site."""
        return dict(self._rows("SELECT path, bytes FROM outbox"))

    def add_garbage(self, paths: Iterable[str], *, keep_s: int) -> None:
        """Let `paths` be removed `keep_s` seconds after the present round is published."""
        rows = [(path, keep_s, None) for path in paths]
        self._db.executemany("INSERT OR REPLACE INTO garbage VALUES(?,?,?)", rows)

    def garbage(self, now: int) -> list[str]:
        """Return the paths that nothing published has referred to for long enough."""
        rows = self._rows("SELECT path FROM garbage WHERE due<=? ORDER BY path", (now,))
        return [row[0] for row in rows]

    def forget_garbage(self, paths: Iterable[str]) -> None:
        """Note that `paths` were removed."""
        self._db.executemany("DELETE FROM garbage WHERE path=?", [(path,) for path in paths])

    # The feeds.

    def feed(self, url: str) -> FeedState:
        """Return what is known of a feed."""
        row = self._row("SELECT etag, last_modified, fingerprint FROM feed WHERE url=?", (url,))
        return FeedState(*row) if row else FeedState()

    def put_feed(self, url: str, feed: FeedState) -> None:
        """Keep what a feed's server said, once all its entries are dealt with."""
        row = url, feed.etag, feed.last_modified, feed.fingerprint
        self._db.execute("INSERT OR REPLACE INTO feed VALUES(?,?,?,?)", row)

    def seen(self, key: str) -> bytes | None:
        """Return the digest of an entry as it was when it was dealt with last."""
        row = self._row("SELECT digest FROM seen WHERE key=?", (key,))
        return bytes(row[0]) if row else None

    def put_seen(self, digests: Mapping[str, bytes]) -> None:
        """Keep the digests of entries that are dealt with."""
        self._db.executemany("INSERT OR REPLACE INTO seen VALUES(?,?)", digests.items())


class InUseError(StateError):
    """Another process has the database open; nothing is wrong with it."""


def _prepare(db: sqlite3.Connection, origin: str) -> sqlite3.Connection:
    # One article touches some twenty pages, each written whole: small ones halve what is written.
    db.execute("PRAGMA page_size=2048")
    # FULL: the compare-and-swap must survive a power cut before a checkpoint is signed.
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    # Debian's SQLite overwrites what is deleted; here that is an outbox of public documents.
    db.execute("PRAGMA secure_delete=FAST")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        empty = (origin, 0, b"", 0, 0, b"", 0, 0, 0, 0, "")
        db.execute("BEGIN IMMEDIATE")  # all or nothing: half a database would never open again
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute("INSERT INTO log VALUES(?,?,?,?,?,?,?,?,?,?,?)", empty)
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        db.execute("COMMIT")
    elif version != SCHEMA_VERSION:
        raise StateError(f"schema {version}, this program knows {SCHEMA_VERSION}: update it")
    held = db.execute("SELECT origin FROM log").fetchone()[0]
    if held != origin:
        raise StateError(f"it is the log {held}, the settings say {origin}")
    return db
