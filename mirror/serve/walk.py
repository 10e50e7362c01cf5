"""The blocks of a DAG in the order in which a reader needs them: from its root, depth first."""

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from mirror.errors import FormatError
from mirror.formats.cid import DAG_PB, SIZE, Cid, decode_varint, murmur3
from mirror.formats.unixfs import Folder

Scope = Literal["block", "entity", "all"]

Span = tuple[int, int | None]
"""The first and last byte of a part of a file; from its end if negative, None the last of all."""


class Blocks(Protocol):
    """The site as blocks. Asked in threads, of which several may be at work."""

    def root(self) -> Cid | None:
        """Return the root of the site as it is published now."""

    def block(self, cid: Cid) -> bytes | None:
        """Return a block, None if it is not there. Its hash is checked by whoever asked."""


def read(blocks: Blocks, cid: Cid) -> bytes | None:
    """Return a block if it is there and has the hash that its CID says."""
    block = blocks.block(cid)
    if block is None or Cid.of(block, codec=cid.codec) != cid:
        return None
    return block


def resolve(blocks: Blocks, root: Cid, names: Sequence[str]) -> list[Cid] | None:
    """Return the blocks on the way from `root` along `names`, the last of them where it ends.

    None if a name is not there, or a block.
    """
    way = [root]
    if read(blocks, root) is None:
        return None
    for name in names:
        if not _step(blocks, name, way):
            return None
    return way if read(blocks, way[-1]) is not None else None


def _step(blocks: Blocks, name: str, way: list[Cid]) -> bool:
    """Lengthen `way` by the shards that lead to `name` in the folder at its end, and by that."""
    digest = murmur3(name.encode())
    for byte in digest:
        folder = _folder(read(blocks, way[-1]), way[-1])
        if folder is None:
            return False
        slot = f"{byte:02X}"
        link = folder.links.get(slot + name if folder.sharded else name)
        if link:
            way.append(link.cid)
            return True
        below = folder.links.get(slot) if folder.sharded else None
        if not below:
            return False
        way.append(below.cid)
    return False


def _folder(block: bytes | None, cid: Cid) -> Folder | None:
    if block is None or cid.codec != DAG_PB:
        return None
    try:
        return Folder.parse(block)
    except FormatError:  # a file
        return None


def walk(
    blocks: Blocks, way: Sequence[Cid], scope: Scope, *, span: Span | None, dups: bool, limit: int
) -> Iterator[tuple[Cid, bytes]]:
    """Yield the blocks of `way` and, as `scope` says, those below its end.

    Of a file only those with bytes of `span`, if there is one. Without `dups` each block
    comes once. What came is remembered for that, so such a walk ends after `limit` blocks;
    one with `dups` remembers only what is still to come.

    Raises:
        FormatError: a block is missing or damaged, or there are more than `limit`.
    """
    sent = _Sent(None if dups else limit)
    for cid in way[:-1]:
        if sent.is_new(cid):
            yield cid, _whole(blocks, cid)
    ahead = [(way[-1], span)]
    while ahead:
        cid, part = ahead.pop()
        new = sent.is_new(cid)
        # What was sent may have been another part of the same.
        if not new and (part is None or cid.codec != DAG_PB):
            continue
        block = _whole(blocks, cid)
        if new:
            yield cid, block
        if scope != "block" and cid.codec == DAG_PB:
            ahead += reversed(_below(block, cid, scope, part))


class _Sent:
    """What was sent: to send it once, if there is a limit."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._cids: set[bytes] = set()

    def is_new(self, cid: Cid) -> bool:
        if self._limit is None:
            return True
        if bytes(cid) in self._cids:
            return False
        if len(self._cids) == self._limit:
            raise FormatError(f"car: more than {self._limit} blocks")
        self._cids.add(bytes(cid))
        return True


def _whole(blocks: Blocks, cid: Cid) -> bytes:
    block = read(blocks, cid)
    if block is None:
        raise FormatError(f"car: {cid}: missing or damaged")
    return block


def _below(
    block: bytes, cid: Cid, scope: Scope, span: Span | None
) -> list[tuple[Cid, Span | None]]:
    """Return what a block links to: a file's all, a folder's with its shards only if `entity`."""
    folder = _folder(block, cid)
    if folder is None:
        cids, end = _parts(block)
        return [(part, None) for part in cids] if span is None else _within(cids, block[end:], span)
    links = folder.links.items()
    if scope == "all":
        return [(link.cid, None) for _, link in links]
    return [(link.cid, None) for name, link in links if folder.sharded and len(name) == 2]


def _parts(block: bytes) -> tuple[list[Cid], int]:
    """Return the links of a file's block, `12 <length> 0a 24 <CID> …` each, and where they end."""
    found, at = [], 0
    while block[at : at + 1] == b"\x12":
        length, start = decode_varint(block, at + 1)
        if block[start : start + 2] != b"\x0a\x24":
            raise FormatError("file: a link that does not begin with its CID")
        found.append(Cid.decode(block[start + 2 : start + 2 + SIZE]))
        at = start + length
    return found, at


def _within(cids: Sequence[Cid], data: bytes, span: Span) -> list[tuple[Cid, Span | None]]:
    """Return those of a file's parts that have bytes of `span`, each with its own span."""
    sizes = _sizes(data)
    if len(sizes) != len(cids):
        raise FormatError("file: not a size for each part")
    whole = sum(sizes)
    first, last = span
    first = max(first + whole, 0) if first < 0 else first
    last = whole - 1 if last is None else last + whole if last < 0 else last
    found: list[tuple[Cid, Span | None]] = []
    at = 0
    for cid, size in zip(cids, sizes, strict=True):
        if max(first, at) <= min(last, at + size - 1):
            found.append((cid, (max(first - at, 0), min(last - at, size - 1))))
        at += size
    return found


def _sizes(data: bytes) -> list[int]:
    """Return the sizes in a file's data: `0a <length> 08 02 18 <whole>`, then `20 <size>` each."""
    _, at = decode_varint(data, 1)
    if data[at : at + 3] != b"\x08\x02\x18":
        raise FormatError("file: its data is not that of a file in parts")
    _, at = decode_varint(data, at + 3)
    sizes = []
    while data[at : at + 1] == b"\x20":
        size, at = decode_varint(data, at + 1)
        sizes.append(size)
    return sizes
