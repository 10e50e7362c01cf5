"""The tree of the site's folders in the database: its nodes, its large files, its generations.

A node's block lies there in pieces, cut at links: `index/` changes in each round, and is not
written whole each time. Where a piece ends is decided by names, so that a link that comes or
goes changes one or two pieces.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from mirror.database import Database
from mirror.formats.cid import DAG_PB, Buffer, Cid
from mirror.formats.folders import Node, update
from mirror.formats.unixfs import FOLDER, Link, decode, file_blocks, is_shard, layout

KEEP = 10_000  # generations of which is known what changed: three weeks of rounds, some 10 MB
_WHOLE = 480  # bytes: a block up to that is one piece, and one row within its page
_LINK = b"\x12"  # what every link begins with, and what follows the last does not
_CUT = 3  # a piece ends, one time in four, by its last link's name: some 460 bytes of index/

_Pieces = dict[str, tuple[bytes, int | None]]  # by the name of their first link, the first by ""


class Tree:
    """The nodes by their places (`mirror.formats.folders`), as of the last generation."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def generation(self) -> int:
        """Return how many changes the tree has had."""
        return int(self._db.row("SELECT max(generation) FROM dag_round")[0] or 0)

    def built(self) -> bool:
        """Return whether there is a tree: not before the first building, nor during one."""
        row = self._db.row("SELECT changed FROM dag_round ORDER BY generation DESC LIMIT 1")
        return row is not None and row[0] != b""

    def read(self, place: str) -> Node | None:
        """Return the node at a place, or None."""
        return _node(self._pieces(place))

    def places(self, first: str, last: str) -> list[str]:
        """Return the places from `first` to before `last`, in order."""
        query = "SELECT DISTINCT place FROM dag WHERE place>=? AND place<?"
        return [place for (place,) in self._db.rows(query, (first, last))]

    def all_places(self, after: str | None) -> Iterator[str]:
        """Yield all places behind `after` in their order, one by one; others may come meanwhile."""
        query = "SELECT min(place) FROM dag WHERE place>?"
        place = "" if after is None else self._db.row(query, (after,))[0]
        while place is not None:
            yield place
            place = self._db.row(query, (place,))[0]

    def _pieces(self, place: str) -> _Pieces:
        query = "SELECT first, piece, flat FROM dag WHERE place=? ORDER BY first"
        return {first: (piece, flat) for first, piece, flat in self._db.rows(query, (place,))}

    # Inside a transaction.

    def clear(self) -> int:
        """Begin to build: remove all; return the generation that will have been built."""
        generation = self.generation() + 1
        for table in ("dag", "dag_key", "dag_large", "dag_round"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - four words
        self._db.execute("INSERT INTO dag_round VALUES(?, x'')", (generation,))
        self.change({})
        return generation

    def end_building(self) -> None:
        """Make what was built the present generation, of which no earlier one is known."""
        self._db.execute("UPDATE dag_round SET changed=NULL")

    def change(self, links: Mapping[str, Link | None]) -> list[str] | None:
        """Write what changes in the tree; return the shards among it, None if nothing does."""
        held: dict[str, tuple[_Pieces, Node | None]] = {}

        def read(place: str) -> Node | None:
            if place not in held:
                pieces = self._pieces(place)
                held[place] = (pieces, _node(pieces))
            return held[place][1]

        nodes = update(read, links).nodes
        for place, node in nodes.items():
            old = read(place)
            self._write(place, held[place][0], _cut(node, held[place][0]))
            if is_deep(place):
                self._write_keys(place, keys(old), keys(node))
        return [place for place in nodes if "//" in place] if nodes else None

    def _write(self, place: str, before: _Pieces, after: _Pieces) -> None:
        gone = [(place, first) for first in before.keys() - after.keys()]
        rows = [(place, first, *row) for first, row in after.items() if before.get(first) != row]
        self._db.execute_many("DELETE FROM dag WHERE place=? AND first=?", gone)
        self._db.execute_many("INSERT OR REPLACE INTO dag VALUES(?,?,?,?)", rows)

    def _write_keys(self, place: str, before: set[int], after: set[int]) -> None:
        gone = [(number, place) for number in before - after]
        rows = [(number, place) for number in after - before]
        self._db.execute_many("DELETE FROM dag_key WHERE key=? AND place=?", gone)
        self._db.execute_many("INSERT OR REPLACE INTO dag_key VALUES(?,?)", rows)

    def keep_file(self, path: str, chunks: Iterable[Buffer]) -> Link:
        """Return the link to a file; of one with several blocks, remember which they are."""
        self.forget_file(path)
        blocks = [
            (block.link, block.data if block.link.cid.codec == DAG_PB else None)
            for block in file_blocks(chunks)
        ]
        if len(blocks) > 1:
            rows = [(path, n, key(link.cid), data) for n, (link, data) in enumerate(blocks)]
            self._db.execute_many("INSERT INTO dag_large VALUES(?,?,?,?)", rows)
        return blocks[-1][0]

    def forget_file(self, path: str) -> None:
        """Remember no blocks of a file any more."""
        self._db.execute("DELETE FROM dag_large WHERE path=?", (path,))

    def record(self, paths: Iterable[str], shards: Iterable[str]) -> None:
        """Begin the next generation, with which these paths and shards changed."""
        generation = self.generation() + 1
        text = "\n".join([*sorted(paths), *shards])
        values = (generation, zlib.compress(text.encode()))
        self._db.execute("INSERT INTO dag_round VALUES(?,?)", values)
        if generation % 64 == 0:
            self._db.execute(
                "DELETE FROM dag_round WHERE generation BETWEEN 1 AND ?", (generation - KEEP,)
            )

    def doubt(self, paths: Set[str]) -> None:
        """Let these be the paths in doubt, and no others."""
        if paths != self.doubted():
            self._db.execute("DELETE FROM dag_round WHERE generation=0")
            rows = [(zlib.compress("\n".join(sorted(paths)).encode()),)] if paths else []
            self._db.execute_many("INSERT INTO dag_round VALUES(0, ?)", rows)

    def doubted(self) -> Set[str]:
        """Return the paths whose files may be others than the tree's."""
        row = self._db.row("SELECT changed FROM dag_round WHERE generation=0")
        return set(zlib.decompress(row[0]).decode().split("\n")) if row else set()

    def changed(self, generation: int) -> list[str] | None:
        """Return the paths and shards that changed since, or None if that may be all."""
        query = "SELECT generation, changed FROM dag_round WHERE generation>? ORDER BY 1"
        rows: list[Any] = self._db.rows(query, (generation,))
        known = not rows or rows[0][0] == generation + 1
        if not generation or not known or not all(changed for _, changed in rows):
            return None
        return [line for _, each in rows for line in zlib.decompress(each).decode().split("\n")]


def key(cid: Cid) -> int:
    """Return by what a block is looked for; two may have the same."""
    return _number(cid.digest)


def keys(node: Node | None) -> set[int]:
    """Return the keys of what a node links to."""
    return {_number(cid[4:]) for cid, _ in decode(node.block).values()} if node else set()


def _number(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big", signed=True)


def is_deep(place: str) -> bool:
    """Return whether a place is an `a/b/c` or below: those are too many to search."""
    return place.startswith("a/") and place.count("/") > 1


def places_of(changed: Iterable[str]) -> list[str]:
    """Return where nodes changed with these paths and shards, in order."""
    places = {""}
    for path in changed:
        folder = path.rpartition("/")[0]
        if "//" in path:
            places.add(path)
            folder = path.partition("//")[0]
        while folder:
            places.add(folder)
            folder = folder.rpartition("/")[0]
    return sorted(places)


def _node(pieces: _Pieces) -> Node | None:
    if not pieces:
        return None
    block = b"".join(piece for piece, _ in pieces.values())
    flat = pieces[""][1]
    cid = Cid.of(block, codec=DAG_PB)
    return Node(cid, block, len(block) - len(FOLDER) if flat is None else flat)


def _cut(node: Node | None, before: _Pieces) -> _Pieces:
    """Return the pieces of a node's block; `before` are those of the one that it replaces.

    What begins and ends as before is cut as before: of thousands of links, few are looked at.
    """
    if node is None:
        return {}
    block, flat = node.block, node.flat if is_shard(node.block) else None
    if len(block) <= _WHOLE:
        return {"": (block, flat)}
    old = list(before.items()) if len(before) > 1 else []
    start, end, first, last = 0, len(block), 0, len(old)
    while first < last and block.startswith(old[first][1][0], start):
        start, first = start + len(old[first][1][0]), first + 1
    while first < last and block.endswith(old[last - 1][1][0], start, end):
        end, last = end - len(old[last - 1][1][0]), last - 1
    if last < len(old):  # once more: what it followed, and was cut from, may be gone
        end, last = end + len(old[last][1][0]), last + 1
    if first and not block.startswith(
        _LINK, start
    ):  # the last links went: what is left has no name
        first -= 1
        start -= len(old[first][1][0])
    pieces = dict(old[:first])
    pieces |= _cut_anew(block[start:end], "" if first == 0 else None)
    pieces |= old[last:]
    pieces[""] = (pieces[""][0], flat)
    return pieces


def _cut_anew(part: bytes, key: str | None) -> _Pieces:
    """Return the pieces of a part of a block, the first by `key` or its first link's name."""
    names, ends, _ = layout(part)
    pieces: _Pieces = {}
    start = 0
    for n, name in enumerate(names):
        key = name.decode() if key is None else key
        if zlib.crc32(name) & _CUT == 0 and n + 1 < len(names):
            pieces[key] = (part[start : ends[n]], None)
            key, start = None, ends[n]
    if part:
        pieces[key or ""] = (part[start:], None)
    return pieces
