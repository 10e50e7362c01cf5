"""The operator's database: what was seen, what was appended to the log, what is published.

One SQLite file. `swap` is the compare-and-swap that makes the log fork-free: its transaction is
durable before anything is signed with the log key. What it appended stays in `outbox` until
`mark_published`, so that a crash at any moment is followed by the same writes again. One
coroutine writes, in a thread; polls read `feed` and `seen` meanwhile, which no round changes.

Size: 4 to 6 kB an article. If lost: the log cannot go on (the daemon refuses to sign);
keep a copy. Who could abuse it: whoever alters it can make the daemon sign a fork.
"""

import zlib
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from mirror.database import Database
from mirror.errors import StateError, StoreError
from mirror.files import write_durably
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.index import AnyItem, Direction, Item, Ref, VoidItem
from mirror.formats.record import Code


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
    chars: int = 0
    """Visible characters of its text, 0 where nobody counted them."""

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
    """What the log and the feeds are at, in an open database."""

    def __init__(self, db: Database) -> None:
        self.db = db

    @classmethod
    def open(cls, path: Path, *, origin: str) -> "State":
        """Open or make the database of the log `origin`, and lock it.

        Raises:
            StateError: another process has it open, or it is another log's.
            StoreError: the disk is full or failing.
        """
        return cls(Database.open(path, origin=origin))

    @property
    def path(self) -> Path:
        """Where the database is."""
        return self.db.path

    def close(self) -> None:
        """Close the file and let another process have it."""
        self.db.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Make all writes inside durable together, or none of them."""
        return self.db.transaction()

    # The log.

    def log(self) -> LogState:
        """Return where the log stands."""
        return LogState(*self.db.row("SELECT * FROM log"))

    def swap(self, old: LogState, new: LogState) -> None:
        """Replace the log's state if it is still `old`: the compare-and-swap.

        Raises:
            StateError: it is not; somebody else appended.
        """
        changed = self.db.execute(
            "UPDATE log SET size=?, root=?, time=?, checkpoint=x'', index_leaf=?, index_rev=?,"
            " index_first=?, index_ref=? WHERE size=? AND root=? AND published=size",
            (
                *(new.size, new.root, new.time, new.index_leaf, new.index_rev, new.index_first),
                *(new.index_ref, old.size, old.root),
            ),
        )
        if changed != 1:
            raise StateError(f"{self.path}: the log moved on from {old.size} leaves meanwhile")

    def keep_checkpoint(self, checkpoint: bytes, *, cosigned: int) -> None:
        """Keep the signed note for the present size."""
        self.db.execute("UPDATE log SET checkpoint=?, cosigned=?", (checkpoint, cosigned))

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
        self.db.execute("UPDATE log SET published=?", (size,))
        self.db.execute("DELETE FROM outbox")
        self.db.execute("UPDATE garbage SET due=?+keep_s WHERE due IS NULL", (now,))

    def add_leaves(self, first: int, records: Iterable[bytes]) -> None:
        """Append records, the first of which is leaf `first`."""
        self.db.execute_many("INSERT INTO leaf VALUES(?,?)", enumerate(records, first))

    def records(self, start: int, end: int) -> list[bytes]:
        """Return the records of leaves `start` to `end` - 1."""
        rows = self.db.rows(
            "SELECT record FROM leaf WHERE leaf>=? AND leaf<? ORDER BY leaf", (start, end)
        )
        return [row[0] for row in rows]

    def read_tile(self, level: int, n: int) -> bytes:
        """Return the hashes of a tile, as many as there are.

        Raises:
            StateError: there is no such tile: the database was damaged.
        """
        row = self.db.row("SELECT hashes FROM tile WHERE level=? AND n=?", (level, n))
        if row is None:
            raise StateError(f"{self.path}: tile {level}/{n} is missing: restore a backup")
        return bytes(row[0])

    def put_tiles(self, tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Keep tiles as `tlog.append` returned them."""
        rows = [(level, n, hashes) for (level, n), hashes in tiles.items()]
        self.db.execute_many("INSERT OR REPLACE INTO tile VALUES(?,?,?)", rows)

    # The articles and their catalogue.

    def count(self) -> int:
        """Return how many articles were ever published."""
        return int(self.db.row("SELECT COALESCE(MAX(n)+1, 0) FROM article")[0])

    def find(self, keys: Iterable[str]) -> ArticleState | None:
        """Return the article that the first known of `keys` leads to."""
        for key in keys:
            row = self.db.row(
                "SELECT article.* FROM alias JOIN article USING(n) WHERE key=?", (key,)
            )
            if row:
                return ArticleState(*row)
        return None

    def holder(self, short: str) -> ArticleState | None:
        """Return the article whose path begins with this short id."""
        row = self.db.row("SELECT * FROM article WHERE short=?", (short,))
        return ArticleState(*row) if row else None

    def put_article(self, article: ArticleState) -> None:
        """Keep an article's newest revision."""
        values = [getattr(article, name) for name in ArticleState.__slots__]
        self.db.execute(
            f"INSERT OR REPLACE INTO article VALUES({','.join('?' * len(values))})", values
        )

    def add_aliases(self, n: int, keys: Iterable[str]) -> None:
        """Let `keys` lead to article `n`; a key that leads elsewhere already stays there."""
        rows = [(key, n) for key in keys]
        self.db.execute_many("INSERT OR IGNORE INTO alias VALUES(?,?)", rows)

    def articles(self, start: int, end: int) -> list[ArticleState]:
        """Return articles number `start` to `end` - 1."""
        rows = self.db.rows("SELECT * FROM article WHERE n>=? AND n<? ORDER BY n", (start, end))
        return [ArticleState(*row) for row in rows]

    def newest(self, most: int) -> list[ArticleState]:
        """Return the `most` highest-numbered articles that are not withdrawn, highest first."""
        rows = self.db.rows(
            "SELECT * FROM article WHERE void IS NULL ORDER BY n DESC LIMIT ?", (most,)
        )
        return [ArticleState(*row) for row in rows]

    def nodes(self, level: int, start: int, end: int) -> list[Ref]:
        """Return what nodes `start` to `end` - 1 of a level of the catalogue are now."""
        rows = self.db.rows(
            "SELECT length, sha256 FROM node WHERE level=? AND k>=? AND k<? ORDER BY k",
            (level, start, end),
        )
        return [Ref(*row) for row in rows]

    def put_node(self, level: int, k: int, ref: Ref) -> None:
        """Keep what a node of the catalogue is now."""
        row = level, k, ref.length, ref.sha256
        self.db.execute("INSERT OR REPLACE INTO node VALUES(?,?,?,?)", row)

    # What is still to be written, and to be removed.

    def put_outbox(self, files: Mapping[str, bytes]) -> None:
        """Keep documents until they are in the site."""
        # Packed: they go through the disk twice, and a round's are a third of what it writes.
        rows = ((path, zlib.compress(data, 1)) for path, data in files.items())
        self.db.execute_many("INSERT INTO outbox VALUES(?,?)", rows)

    def outbox(self) -> dict[str, bytes]:
        """Return the documents that are not known to be in the site."""
        rows = self.db.rows("SELECT path, bytes FROM outbox")
        # The first edition kept them as they are; no document begins as packed bytes do.
        return {path: zlib.decompress(data) if data[:1] == b"x" else data for path, data in rows}

    def add_garbage(self, paths: Iterable[str], *, keep_s: int) -> None:
        """Let `paths` be removed `keep_s` seconds after the present round is published."""
        rows = [(path, keep_s, None) for path in paths]
        self.db.execute_many("INSERT OR REPLACE INTO garbage VALUES(?,?,?)", rows)

    def garbage(self, now: int) -> list[str]:
        """Return the paths that nothing published has referred to for long enough."""
        rows = self.db.rows("SELECT path FROM garbage WHERE due<=? ORDER BY path", (now,))
        return [row[0] for row in rows]

    def forget_garbage(self, paths: Iterable[str]) -> None:
        """Note that `paths` were removed."""
        self.db.execute_many("DELETE FROM garbage WHERE path=?", [(path,) for path in paths])

    # The feeds.

    def feed(self, url: str) -> FeedState:
        """Return what is known of a feed."""
        row = self.db.row("SELECT etag, last_modified, fingerprint FROM feed WHERE url=?", (url,))
        return FeedState(*row) if row else FeedState()

    def put_feed(self, url: str, feed: FeedState) -> None:
        """Keep what a feed's server said, once all its entries are dealt with."""
        row = url, feed.etag, feed.last_modified, feed.fingerprint
        self.db.execute("INSERT OR REPLACE INTO feed VALUES(?,?,?,?)", row)

    def seen(self, key: str) -> bytes | None:
        """Return the digest of an entry as it was when it was dealt with last."""
        row = self.db.row("SELECT digest FROM seen WHERE key=?", (key,))
        return bytes(row[0]) if row else None

    def put_seen(self, digests: Mapping[str, bytes]) -> None:
        """Keep the digests of entries that are dealt with."""
        self.db.execute_many("INSERT OR REPLACE INTO seen VALUES(?,?)", digests.items())
