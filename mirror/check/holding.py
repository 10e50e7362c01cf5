"""A log held whole: every leaf read, strict, and hashed to the root that was signed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mirror import verify
from mirror.check.places import Place
from mirror.errors import FormatError, VerifyError
from mirror.formats import tlog
from mirror.formats.encoding import HASH_SIZE
from mirror.formats.paths import bundle_path, tile_path
from mirror.formats.record import MAX_BYTES as MAX_RECORD
from mirror.formats.record import Doc
from mirror.verify import Checked, Trust
from mirror.verify.audit import Audit

MAX_BUNDLE = tlog.WIDTH * (2 + MAX_RECORD)


@dataclass(frozen=True, slots=True)
class Held:
    """Every leaf of a log was read, is strict, and hashes to the root that was signed."""

    checked: Checked
    audit: Audit
    docs: tuple[tuple[int, Doc], ...]
    tiles: Mapping[tuple[int, int], bytes]
    roots: dict[int, bytes] = field(default_factory=dict)

    def root_at(self, size: int) -> bytes:
        """Return the root of the first `size` leaves; kept, for thousands of proofs share it."""
        if size not in self.roots:
            self.roots[size] = tlog.range_root(self.read_tile, 0, size)
        return self.roots[size]

    def read_tile(self, level: int, n: int) -> bytes:
        """Return a tile, as `tlog.ReadTile`."""
        return self.tiles[level, n]


async def hold(place: Place, checked: Checked, trust: Trust) -> Held:
    """Return the whole log that `checked` commits to.

    Raises:
        FetchError: a bundle of it is not there.
        VerifyError: it is another log, or not one that a newsroom may write.
    """
    point, audit = checked.checkpoint, Audit(checked.checkpoint.origin)
    hashes: list[bytes] = []
    docs: list[tuple[int, Doc]] = []
    for n, width in bundles(point.size):
        for leaf in await _bundle(place, n, width):
            record = verify.leaf_record(leaf, checked.log, trust)
            audit.add(record)
            if isinstance(record, Doc) and record.t == "doc":
                docs.append((len(hashes), record))
            hashes.append(tlog.leaf_hash(leaf))
    held = Held(checked, audit, tuple(docs), tlog.append(lambda _level, _n: b"", 0, hashes))
    if held.root_at(point.size) != point.root:
        raise VerifyError("not-in-log", "the entries are not those that the checkpoint commits to")
    seen = trust.seen
    grown = seen is not None and seen.origin == point.origin and seen.size <= point.size
    if seen and grown and held.root_at(seen.size) != seen.root:
        # More than a missing proof (I5): both trees were signed, and one is a lie.
        raise VerifyError("fork", f"the {seen.size} leaves stored before are not in this log")
    return held


async def _bundle(place: Place, n: int, width: int) -> list[bytes]:
    path = bundle_path(n, width)
    try:
        leaves = tlog.decode_bundle(await place.read(path, MAX_BUNDLE))
    except FormatError as e:
        raise VerifyError("malformed", f"{path}: {e}") from e
    if len(leaves) != width:
        raise VerifyError("malformed", f"{path}: {len(leaves)} records")
    return leaves


async def consistency(place: Place, checked: Checked, trust: Trust) -> list[bytes]:
    """Return what shows that the stored tree is in that of `checked`, from the place's tiles.

    Nothing where there is nothing to compare. Not checked here: that it shows it (I5).
    """
    point, seen = checked.checkpoint, trust.seen
    if seen is None or seen.origin != point.origin or not 0 < seen.size < point.size:
        return []
    tiles: dict[tuple[int, int], bytes] = {}
    while True:
        try:
            return tlog.consistency_proof(lambda *at: tiles[at], seen.size, point.size)
        except KeyError as e:
            level, n = e.args[0]
            width = min(tlog.WIDTH, (point.size >> tlog.HEIGHT * level) - n * tlog.WIDTH)
            tiles[level, n] = await place.read(tile_path(level, n, width), width * HASH_SIZE)
        except FormatError as e:
            raise VerifyError("malformed", str(e)) from e


def bundles(size: int) -> Iterator[tuple[int, int]]:
    """Yield number and width of each entry bundle of a log of `size` leaves."""
    for start in range(0, size, tlog.WIDTH):
        yield start // tlog.WIDTH, min(tlog.WIDTH, size - start)
