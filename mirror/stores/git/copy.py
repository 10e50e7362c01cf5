"""What the branch of a repository holds, by path, in a database of the store's own.

Git asks for each folder that changed, up to the root; these are found by their paths here, so that
a change costs the folders above it and nothing else, and what is replaced takes no more room.

Tables `file` and `folder` are what the commit `base` has, the last that the repository is known to
show; without a base it shows something else, and all is sent again. `new_file` and `new_folder` are
what is sent with the commit `pending`, and with those after it until one is known to have arrived.
About as large as the site, compressed; if lost, the branch is written anew.
"""

import fcntl
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tree, hex_to_sha, sha_to_hex
from dulwich.pack import UnpackedObject, pack_object_header

from mirror.errors import StoreError
from mirror.formats.paths import PROOF, is_head

MAX_COMMITS = 50
"""Of history: then a commit without a parent, so that a repository is not ever larger than a site.

The second has none either: a branch that is protected against this shows it at once.
"""
WHO = b"mirror <mirror@localhost>"
_FILE, _FOLDER = 0o100644, 0o040000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS file(path TEXT PRIMARY KEY, id BLOB, size INT, packed BLOB);
CREATE TABLE IF NOT EXISTS folder(path TEXT PRIMARY KEY, id BLOB, tree BLOB);
CREATE TABLE IF NOT EXISTS new_file(path TEXT PRIMARY KEY, id BLOB, size INT, packed BLOB);
CREATE TABLE IF NOT EXISTS new_folder(path TEXT PRIMARY KEY, id BLOB, tree BLOB);
CREATE TABLE IF NOT EXISTS state(base BLOB, pending BLOB, commits INT NOT NULL);
INSERT INTO state SELECT NULL, NULL, 0 WHERE NOT EXISTS (SELECT 1 FROM state);
"""
_NEW = """
SELECT 3, id, size, packed FROM new_file WHERE rowid IN
  (SELECT min(rowid) FROM new_file WHERE id IS NOT NULL GROUP BY id)
UNION ALL SELECT 2, id, 0, tree FROM new_folder WHERE rowid IN
  (SELECT min(rowid) FROM new_folder WHERE id IS NOT NULL GROUP BY id)
"""
_OLD = """
UNION ALL SELECT 3, id, size, packed FROM file WHERE rowid IN
  (SELECT min(rowid) FROM file WHERE path NOT IN (SELECT path FROM new_file)
    AND id NOT IN (SELECT id FROM new_file WHERE id IS NOT NULL) GROUP BY id)
UNION ALL SELECT 2, id, 0, tree FROM folder WHERE rowid IN
  (SELECT min(rowid) FROM folder WHERE path NOT IN (SELECT path FROM new_folder)
    AND id NOT IN (SELECT id FROM new_folder WHERE id IS NOT NULL) GROUP BY id)
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the branch: its commit, and one that it may have instead; hexadecimal."""

    base: bytes | None
    pending: bytes | None


class Copy:
    """The copy, in the folder `room`. One process and thread at a time has it (`alone`)."""

    def __init__(self, name: str, room: Path, *, folder: str = "") -> None:
        self._name = name
        self._room = room
        self._file = room / "copy.db"
        self._folder = folder

    @contextmanager
    def alone(self) -> Iterator["Opened"]:
        """Yield the copy while nobody else has it.

        Raises:
            StoreError: the disk is full, or the copy broken.
        """
        try:
            self._room.mkdir(parents=True, exist_ok=True)
            with (self._room / "lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                with closing(sqlite3.connect(self._file, isolation_level=None)) as db:
                    db.executescript(_SCHEMA)
                    yield Opened(self._name, db, self._folder)
        except (OSError, sqlite3.OperationalError) as e:
            raise StoreError(f"{self._name}: {self._room}: own copy of the branch: {e}") from e
        except sqlite3.DatabaseError as e:  # a power cut on a bad disk; nothing is lost with it
            self._file.unlink(missing_ok=True)
            raise StoreError(f"{self._name}: own copy of the branch: {e}: begun anew") from e


class Opened:
    """The copy while it is had alone."""

    def __init__(self, name: str, db: sqlite3.Connection, folder: str) -> None:
        self._name = name
        self._db = db
        self._above = folder.split("/") if folder else []

    def known(self) -> Known:
        """Return what is known of the branch."""
        base, pending = self._db.execute("SELECT base, pending FROM state").fetchone()
        return Known(base, pending)

    def read(self, path: str) -> bytes | None:
        """Return what the branch has under `path`, or None."""
        row = self._db.execute("SELECT packed FROM file WHERE path=?", (path,)).fetchone()
        return zlib.decompress(row[0]) if row else None

    def names(self, folder: str) -> list[str]:
        """Return the paths of the files right in `folder`, as the next commit has them."""
        entries = self._tree(folder).items()
        found = {f"{folder}/{each.path.decode()}" for each in entries if each.mode == _FILE}
        query = "SELECT path, id FROM new_file WHERE path > ? AND path < ?"
        for path, new in self._db.execute(query, (f"{folder}/", f"{folder}0")):
            if "/" not in path[len(folder) + 1 :]:
                (found.discard if new is None else found.add)(path)
        return sorted(found)

    def stage(self, changes: Mapping[str, bytes | None]) -> None:
        """Note what is to be sent; None for what is to be removed.

        Raises:
            StoreError: other bytes were kept under a path that never changes.
        """
        with self._transaction():
            for path, data in changes.items():
                self._stage(path, data)

    def _stage(self, path: str, data: bytes | None) -> None:
        new = None if data is None else hex_to_sha(Blob.from_string(data).id)
        held = self._held(path)
        if new == held:
            return
        if new and held and not (is_head(path) or path.endswith(PROOF)):
            raise StoreError(f"{self._name}: {path}: already holds other bytes")
        packed = None if data is None else zlib.compress(data)
        row = path, new, len(data or b""), packed
        self._db.execute("INSERT OR REPLACE INTO new_file VALUES(?,?,?,?)", row)

    def _held(self, path: str) -> bytes | None:
        for table in ("new_file", "file"):
            query = f"SELECT id FROM {table} WHERE path=?"  # noqa: S608 - two words
            if row := self._db.execute(query, (path,)).fetchone():
                held: bytes | None = row[0]
                return held
        return None

    def commit(self, *, now: int) -> "Sending | None":
        """Return the commit that brings the branch to what is staged, or None: it is there."""
        base = self.known().base
        tables = ("new_file",) if base else ("new_file", "file")
        if not any(self._db.execute(f"SELECT 1 FROM {each}").fetchone() for each in tables):  # noqa: S608
            return None
        with self._transaction():
            top: ShaFile = self._rewrite()
            objects = [top]
            for name in reversed(self._above):
                objects.append(_tree_of(name, objects[-1].id))
            commit = self._commit(objects[-1].id, now=now)
            self._db.execute("UPDATE state SET pending=?", (commit.id,))
        # The tree of the site itself is a row of `new_folder`.
        return Sending(commit.id, self._db, [*objects[1:], commit], _NEW if base else _NEW + _OLD)

    def _commit(self, tree: ObjectID, *, now: int) -> Commit:
        base, commits = self._db.execute("SELECT base, commits FROM state").fetchone()
        commit = Commit()
        commit.tree = tree
        # What was withdrawn is to be in no commit that the branch still leads to.
        query = "SELECT 1 FROM new_file WHERE id IS NULL AND path GLOB 'a/*'"
        grows = commits > 1 and commits % MAX_COMMITS and not self._db.execute(query).fetchone()
        commit.parents = [base] if base and grows else []
        commit.author = commit.committer = WHO
        commit.author_time = commit.commit_time = now
        commit.author_timezone = commit.commit_timezone = 0
        commit.message = b"site\n"
        return commit

    def _rewrite(self) -> Tree:
        """Write the folders above what is staged; return the root."""
        self._db.execute("DELETE FROM new_folder")
        levels: list[dict[str, dict[str, tuple[int, bytes | None]]]] = [{"": {}}]
        for path, new in self._db.execute("SELECT path, id FROM new_file"):
            _note(levels, path, _FILE, new)
        root = Tree()
        while levels:
            for folder, entries in levels.pop().items():
                root = self._changed(folder, entries)
                kept = len(root) > 0 or not folder
                new = hex_to_sha(root.id) if kept else None
                row = folder, new, root.as_raw_string() if kept else None
                self._db.execute("INSERT INTO new_folder VALUES(?,?,?)", row)
                if folder:
                    _note(levels, folder, _FOLDER, new)
        return root

    def _changed(self, folder: str, entries: Mapping[str, tuple[int, bytes | None]]) -> Tree:
        tree = self._tree(folder)
        for name, (mode, new) in entries.items():
            key = name.encode()
            if new is not None:
                tree[key] = (mode, sha_to_hex(new))  # type: ignore[arg-type]
            elif key in tree:
                del tree[key]
        return tree

    def _tree(self, folder: str) -> Tree:
        row = self._db.execute("SELECT tree FROM folder WHERE path=?", (folder,)).fetchone()
        return Tree.from_string(row[0]) if row else Tree()

    def arrived(self, commit: bytes) -> None:
        """Note that the branch is at the commit that was pending, with all that is staged."""
        with self._transaction():
            for table in ("file", "folder"):
                self._db.execute(
                    f"DELETE FROM {table} WHERE path IN"  # noqa: S608 - two words
                    f" (SELECT path FROM new_{table} WHERE id IS NULL)"
                )
                self._db.execute(
                    f"INSERT OR REPLACE INTO {table}"  # noqa: S608 - two words
                    f" SELECT * FROM new_{table} WHERE id IS NOT NULL"
                )
                self._db.execute(f"DELETE FROM new_{table}")  # noqa: S608 - two words
            statement = "UPDATE state SET base=?, pending=NULL, commits=commits+1"
            self._db.execute(statement, (commit,))

    def replaced(self) -> None:
        """Note that the branch is at something else: all is sent with the next commit."""
        self._db.execute("UPDATE state SET base=NULL, pending=NULL, commits=0")

    def gone(self) -> None:
        """Note that the branch holds nothing; what is staged is still to be sent."""
        with self._transaction():
            self._db.execute("DELETE FROM file")
            self._db.execute("DELETE FROM folder")
            self.replaced()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


class Sending:
    """A commit with the objects that the branch lacks for it."""

    def __init__(
        self, id_: ObjectID, db: sqlite3.Connection, above: list[ShaFile], query: str
    ) -> None:
        self.id = id_
        """Hexadecimal."""
        self._db = db
        self._above = above
        self._query = query

    def count(self) -> int:
        """Return how many objects there are."""
        (count,) = self._db.execute(f"SELECT count(*) FROM ({self._query})").fetchone()  # noqa: S608
        return int(count) + len(self._above)

    def objects(self) -> Iterator[UnpackedObject]:
        """Yield them; a file's bytes as they were compressed before."""
        for kind, id_, size, data in self._db.execute(self._query):
            if kind == Tree.type_num:
                yield UnpackedObject(kind, sha=id_, decomp_chunks=[data])
            else:
                header = pack_object_header(kind, None, size, DEFAULT_OBJECT_FORMAT)
                blob = UnpackedObject(kind, sha=id_)
                blob.comp_chunks = [bytes(header), data]
                yield blob
        for each in self._above:
            raw, id_ = each.as_raw_string(), hex_to_sha(each.id)
            yield UnpackedObject(each.type_num, sha=id_, decomp_chunks=[raw])


def _note(
    levels: list[dict[str, dict[str, tuple[int, bytes | None]]]],
    path: str,
    mode: int,
    new: bytes | None,
) -> None:
    folder, _, name = path.rpartition("/")
    depth = folder.count("/") + 1 if folder else 0
    levels.extend({} for _ in range(depth + 1 - len(levels)))
    levels[depth].setdefault(folder, {})[name] = mode, new


def _tree_of(name: str, id_: ObjectID) -> Tree:
    tree = Tree()
    tree[name.encode()] = (_FOLDER, id_)
    return tree
