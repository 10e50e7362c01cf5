"""The log's Merkle tree: hashes, proofs, and the tiles that both are read from.

Hashes and proofs: RFC 6962 section 2, RFC 9162 sections 2.1.3 and 2.1.4.
Tiles: https://c2sp.org/tlog-tiles, height 8 (256 hashes of 32 bytes).
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from mirror.errors import FormatError
from mirror.formats.encoding import HASH_SIZE

HEIGHT = 8
WIDTH = 1 << HEIGHT  # hashes of a full tile, records of a full bundle
MAX_PROOF = 63  # hashes: a tree of 2^63 leaves needs no more

ReadTile = Callable[[int, int], bytes]
"""`(level, n)` → the hashes of tile `n` of that level, as many as there are by now."""


def leaf_hash(record: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root of the tree of `size` leaves in which `leaf` (a hash) stands at `index`.

    RFC 9162 section 2.1.3.2. Whether that root is the right one, the caller compares.

    Raises:
        FormatError: the index is not in the tree, or the proof or a hash has another length.
    """
    if not 0 <= index < size:
        raise FormatError(f"proof: leaf {index} is not in a tree of {size}")
    if any(len(hash_) != HASH_SIZE for hash_ in (leaf, *proof)):
        raise FormatError("proof: a hash of another length than 32 bytes")
    fn, sn, found = index, size - 1, leaf
    for hash_ in proof:
        if sn == 0:
            raise FormatError("proof: too long")
        if fn & 1 or fn == sn:
            found = node_hash(hash_, found)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node_hash(found, hash_)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise FormatError("proof: too short")
    return found


def is_consistent(
    size1: int, root1: bytes, size2: int, root2: bytes, proof: Sequence[bytes]
) -> bool:
    """Return whether `proof` shows that the larger tree contains the smaller one.

    RFC 9162 section 2.1.4.2. `size1` must be at least 1: an empty tree is a prefix of
    every tree and a proof of it says nothing.
    """
    if size1 == size2:
        return size1 > 0 and root1 == root2 and not proof
    if not 0 < size1 < size2 or not proof or any(len(hash_) != HASH_SIZE for hash_ in proof):
        return False
    path = list(proof)
    if size1 & (size1 - 1) == 0:
        path.insert(0, root1)
    return _walk_consistency(size1, size2, path) == (root1, root2)


def _walk_consistency(size1: int, size2: int, path: list[bytes]) -> tuple[bytes, bytes] | None:
    fn, sn = size1 - 1, size2 - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for hash_ in path[1:]:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            fr, sr = node_hash(hash_, fr), node_hash(hash_, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, hash_)
        fn, sn = fn >> 1, sn >> 1
    return None if sn else (fr, sr)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes, in one pass and O(log n) memory."""
    stack: list[bytes] = []
    for index, leaf in enumerate(leaves):
        found = leaf
        while index & 1:
            found, index = node_hash(stack.pop(), found), index >> 1
        stack.append(found)
    return _fold(stack)


def _fold(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return hashlib.sha256(b"").digest()
    found = peaks[-1]
    for peak in reversed(peaks[:-1]):
        found = node_hash(peak, found)
    return found


def append(read: ReadTile, size: int, leaves: Sequence[bytes]) -> Mapping[tuple[int, int], bytes]:
    """Return the tiles that change when `leaves` (hashes) follow the first `size`.

    Keys are (level, n), values all hashes of the tile by then. Reads at most the last
    tile of each level: the work is O(new leaves + levels), whatever the log's size.

    Raises:
        FormatError: a tile that is read holds less than the first `size` leaves say.
    """
    changed: dict[tuple[int, int], bytes] = {}
    level, first, new = 0, size, list(leaves)
    while new:
        _extend(read, changed, level, first, new)
        before, after = first // WIDTH, (first + len(new)) // WIDTH
        new = [_tile_root(changed[level, n]) for n in range(before, after)]
        level, first = level + 1, before
    return changed


def _extend(
    read: ReadTile,
    changed: dict[tuple[int, int], bytes],
    level: int,
    first: int,
    new: Sequence[bytes],
) -> None:
    n, held = divmod(first, WIDTH)
    taken = 0
    while taken < len(new):
        room = WIDTH - held
        old = read(level, n)[: held * HASH_SIZE] if held else b""
        if len(old) != held * HASH_SIZE:
            raise FormatError(f"tile {level}/{n}: too short")
        changed[level, n] = old + b"".join(new[taken : taken + room])
        taken, n, held = taken + room, n + 1, 0


def _tile_root(tile: bytes) -> bytes:
    return root_of(hashes(tile))


def hashes(tile: bytes) -> list[bytes]:
    """Return the hashes of a tile.

    Raises:
        FormatError: its length is no multiple of 32, or it holds none or over 256.
    """
    if len(tile) % HASH_SIZE or not 0 < len(tile) <= WIDTH * HASH_SIZE:
        raise FormatError(f"tile: {len(tile)} bytes")
    return [tile[i : i + HASH_SIZE] for i in range(0, len(tile), HASH_SIZE)]


def range_root(read: ReadTile, start: int, end: int) -> bytes:
    """Return the root over leaves `start` to `end` - 1, a range of RFC 6962's recursion.

    `start` is a multiple of the largest power of two below the range's length, as all
    ranges that proofs are made of are.
    """
    peaks: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        peaks.append(_subtree(read, level, start >> level))
        start += 1 << level
    return _fold(peaks)


def _subtree(read: ReadTile, level: int, index: int) -> bytes:
    """Return the root of the full subtree number `index` of 2^`level` leaves."""
    tile_level, above = divmod(level, HEIGHT)
    first = index << above  # its hashes are in one tile: above < HEIGHT
    n, offset = divmod(first, WIDTH)
    tile = read(tile_level, n)
    wanted = tile[offset * HASH_SIZE : (offset + (1 << above)) * HASH_SIZE]
    if len(wanted) != HASH_SIZE << above:
        raise FormatError(f"tile {tile_level}/{n}: too short")
    return _tile_root(wanted)


def inclusion_proof(read: ReadTile, index: int, size: int) -> list[bytes]:
    """Return the hashes from the sibling of leaf `index` up to the root's child."""
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if index < middle:
            proof.append(range_root(read, middle, end))
            end = middle
        else:
            proof.append(range_root(read, start, middle))
            start = middle
    return proof[::-1]


def consistency_proof(read: ReadTile, size1: int, size2: int) -> list[bytes]:
    """Return the hashes that show the tree of `size1` leaves inside that of `size2`.

    `size1` is from 1 to `size2`.
    """
    proof: list[bytes] = []
    start, end, whole = 0, size2, True
    while size1 != end:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if size1 <= middle:
            proof.append(range_root(read, middle, end))
            end = middle
        else:
            proof.append(range_root(read, start, middle))
            start, whole = middle, False
    if not whole:
        proof.append(range_root(read, start, end))
    return proof[::-1]


def encode_bundle(records: Iterable[bytes]) -> bytes:
    """Return an entry bundle: each record after its length in two bytes, big-endian."""
    return b"".join(len(record).to_bytes(2, "big") + record for record in records)


def decode_bundle(data: bytes) -> list[bytes]:
    """Return the records of an entry bundle; the caller bounds its length first.

    Raises:
        FormatError: it ends within a record, or holds more than 256.
    """
    records: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data) or len(records) == WIDTH:
            raise FormatError("bundle: broken off, or more than 256 records")
        records.append(data[at + 2 : end])
        at = end
    return records
