"""The site: what changes in it when something is published. Pure.

A round touches only what is new: its documents, the right edge of the log's tiles, one
catalogue node a level, the heads. Nothing here is proportional to the archive.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from mirror.formats import tlog
from mirror.formats.encoding import HASH_SIZE
from mirror.formats.index import FAN_OUT, AnyItem, Node, Ref, levels, position
from mirror.formats.note import Note
from mirror.formats.paths import (
    INDEX_PROOF,
    PROOF,
    bundle_path,
    revision_path,
    short_id,
    tile_path,
)
from mirror.formats.proof import Proof
from mirror.formats.record import Doc, Record, parse

KEEP_INDEX_S = 7 * 24 * 3600  # an old index may be read, and its nodes asked for, this long
KEEP_PARTIAL_S = 24 * 3600  # c2sp.org/tlog-tiles: a client with an old checkpoint may ask


def log_files(
    read_tile: tlog.ReadTile,
    read_records: Callable[[int, int], list[bytes]],
    *,
    old: int,
    new: int,
) -> dict[str, bytes]:
    """Return the bundles and tiles, full and partial, that lead from `old` to `new` leaves.

    `read_records(start, end)` returns the records of leaves `start` to `end` - 1.
    """
    files = {}
    for n, width in _touched(old, new):
        start = n * tlog.WIDTH
        files[bundle_path(n, width)] = tlog.encode_bundle(read_records(start, start + width))
    for level, below, above in _levels(old, new):
        for n, width in _touched(below, above):
            files[tile_path(level, n, width)] = read_tile(level, n)[: width * HASH_SIZE]
    return files


def replaced_partials(*, old: int, new: int) -> list[str]:
    """Return the partial bundle and tiles of `old` leaves that larger ones replace."""
    paths = []
    if old % tlog.WIDTH and new > old:
        paths.append(bundle_path(*divmod(old, tlog.WIDTH)))
    for level, below, above in _levels(old, new):
        if below % tlog.WIDTH and above > below:
            paths.append(tile_path(level, *divmod(below, tlog.WIDTH)))
    return paths


def _levels(old: int, new: int) -> Iterator[tuple[int, int, int]]:
    """Yield each tile level with how many hashes it has at `old` and at `new` leaves."""
    level = 0
    while new:
        yield level, old, new
        level, old, new = level + 1, old >> tlog.HEIGHT, new >> tlog.HEIGHT


def _touched(old: int, new: int) -> Iterator[tuple[int, int]]:
    """Yield the number and width of each tile that gets new hashes."""
    if new > old:
        for n in range(old // tlog.WIDTH, -(-new // tlog.WIDTH)):
            yield n, min(tlog.WIDTH, new - n * tlog.WIDTH)


def proof_files(
    read_tile: tlog.ReadTile, records: Iterable[bytes], *, first: int, size: int, checkpoint: bytes
) -> dict[str, bytes]:
    """Return the proof file of each record, the first of which is leaf `first`."""
    files = {}
    walk = _proofs(cache(read_tile), 0, size, first)
    for record, (leaf, hashes) in zip(records, walk, strict=True):
        path = _proof_path(record)
        if path:
            files[path] = bytes(Proof(record, leaf, hashes, checkpoint))
    return files


def _proofs(
    read: tlog.ReadTile, start: int, end: int, first: int
) -> Iterator[tuple[int, tuple[bytes, ...]]]:
    """Yield each leaf of a range of RFC 6962's recursion, from `first` on, with its proof in it.

    As `tlog.inclusion_proof` for each, but a subtree's root is computed once for all of them.
    """
    if end - start <= 1:
        yield from ((leaf, ()) for leaf in range(start, end))
        return
    middle = start + (1 << (end - start - 1).bit_length() - 1)
    if first < middle:
        right = tlog.range_root(read, middle, end)
        for leaf, hashes in _proofs(read, start, middle, first):
            yield leaf, (*hashes, right)
    left = tlog.range_root(read, start, middle)
    for leaf, hashes in _proofs(read, middle, end, first):
        yield leaf, (*hashes, left)


@lru_cache(maxsize=1024)  # of a round: its proofs and its pages are made from the same records
def parsed(leaf: bytes) -> Record:
    """Return the record in a leaf of this log; its signature is not checked."""
    return parse(Note.parse(leaf).text)


def _proof_path(leaf: bytes) -> str | None:
    record = parsed(leaf)
    if not isinstance(record, Doc):
        return None
    if record.t == "index":
        return INDEX_PROOF
    return revision_path(short_id(record.id), record.rev) + PROOF


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The catalogue as stored: what items and nodes are now, articles of this round included."""

    count: int
    items: Callable[[int, int], Sequence[AnyItem]]
    nodes: Callable[[int, int, int], Sequence[Ref]]

    @property
    def top(self) -> tuple[Ref, ...]:
        """The nodes that the index document holds."""
        return tuple(self.nodes(levels(self.count) - 1, 0, FAN_OUT))

    def changed(self, level: int, numbers: Iterable[int]) -> Iterator[tuple[int, Node]]:
        """Yield the nodes of `level` that lead to articles `numbers`, with their place.

        Levels are built from 0 upwards, the caller storing each before the next. A level
        that did not exist before is built whole: it has at most two nodes.
        """
        places = {position(n, level) for n in numbers}
        if level and not self.nodes(level, 0, 1):
            places = set(range(position(self.count - 1, level) + 1))
        for k in sorted(places):
            start, end = k * FAN_OUT, (k + 1) * FAN_OUT
            if level == 0:
                yield k, Node(items=tuple(self.items(start, end)))
            else:
                yield k, Node(nodes=tuple(self.nodes(level - 1, start, end)))
