"""Files and folders as IPFS blocks, and their CIDs. The tree that they form is in `folders`.

Format: https://specs.ipfs.tech/unixfs/ under profile `unixfs-v1-2025` of
https://specs.ipfs.tech/ipips/ipip-0499/, so that `ipfs add` with it finds the same CIDs. A file
is cut every 1 MiB; a longer one has nodes of up to 1024 links above. A folder is a dag-pb node::

    12 2f                                   a link, of 47 bytes
       0a 24 01 55 12 20 b9 4d … cd e9      its CID
       12 05 "hello"                        its name
       18 0b                                its Tsize: bytes of all blocks below
    0a 02 08 01                             data: a folder

A folder whose block would exceed 256 KiB is sharded by murmur3 of the names, 256 to a node; a
link's name there begins with two hexadecimal digits, and ends with them if it leads to a shard.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mirror.errors import FormatError
from mirror.formats.cid import DAG_PB, SIZE, Buffer, Cid, decode_varint, encode_varint

CHUNK = 1024 * 1024  # bytes of a leaf
LINKS = 1024  # of a file's inner node
SHARD_ABOVE = 262_144  # bytes of a folder's block

FOLDER = b"\x0a\x02\x08\x01"  # what ends the block of a folder that is not sharded
_SHARD_END = b"\x28\x22\x30\x80\x02"  # hash function murmur3-x64-64, fan-out 256
_BEFORE_SIZE = 2 + SIZE + 1  # bytes of a link: CID with tag and length, tag of the name
_SLOTS = {b"%02X" % slot: slot for slot in range(256)}

Entry = tuple[bytes, int]
"""A link as it is in a block: the CID in binary, and the Tsize."""

Links = dict[bytes, Entry]
"""Of a folder's block: names in UTF-8, in a shard with their digits before them."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a folder says of a name: its CID, and the bytes of all blocks that it leads to."""

    cid: Cid
    tsize: int


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a file; `link` leads to it and all below."""

    link: Link
    data: Buffer


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder's block, or one shard of it: links by their names in the block.

    Not checked: what is in a name, a slash too; in a shard, that it stands where its hash says.
    """

    links: Mapping[str, Link]
    sharded: bool = False

    def __bytes__(self) -> bytes:
        named = self.links.items()
        links = {name.encode(): (bytes(link.cid), link.tsize) for name, link in named}
        return encode(links, sharded=self.sharded)

    @classmethod
    def parse(cls, block: bytes) -> "Folder":
        """Read a block; the caller bounds its length first.

        Raises:
            FormatError: not what `bytes()` writes.
        """
        found = decode(block).items()
        try:
            links = {name.decode(): Link(Cid.decode(cid), tsize) for name, (cid, tsize) in found}
        except UnicodeDecodeError as e:
            raise FormatError("folder: a name that is not UTF-8") from e
        return cls(links, is_shard(block))


def chunked(data: Buffer) -> Iterator[memoryview]:
    """Yield the chunks of a file that is in memory, without copying."""
    view = memoryview(data)
    return (view[start : start + CHUNK] for start in range(0, len(view), CHUNK))


def file_blocks(chunks: Iterable[Buffer]) -> Iterator[Block]:
    """Yield the blocks of a file, each before what links to it: the last is the file's.

    `chunks` have 1 MiB each, the last of them up to that, as `chunked` or
    `iter(partial(file.read, CHUNK), b"")` yields them; a file of none is empty.

    Raises:
        FormatError: a chunk that is longer, or a short one that is not the last.
    """
    level: list[tuple[Link, int]] = []  # with the bytes of the file below
    length = CHUNK
    for chunk in chunks:
        if length != CHUNK or len(chunk) > CHUNK:
            raise FormatError("file: a chunk of another length than 1 MiB")
        length = len(chunk)
        level.append((Link(Cid.of(chunk), length), length))
        yield Block(level[-1][0], chunk)
    if not level:
        yield Block(Link(Cid.of(b""), 0), b"")
    while len(level) > 1:
        groups = [level[start : start + LINKS] for start in range(0, len(level), LINKS)]
        level = []
        for group in groups:
            block = _inner(group)
            level.append((block.link, sum(size for _, size in group)))
            yield block


def file_link(data: Buffer) -> Link:
    """Return what a folder says of a file."""
    return list(file_blocks(chunked(data)))[-1].link


def _inner(group: Collection[tuple[Link, int]]) -> Block:
    sizes = [size for _, size in group]
    fields = b"".join(b"\x20" + encode_varint(size) for size in sizes)
    data = b"\x08\x02\x18" + encode_varint(sum(sizes)) + fields
    links = b"".join(encode_link(b"", bytes(link.cid), link.tsize) for link, _ in group)
    block = links + b"\x0a" + encode_varint(len(data)) + data
    tsize = len(block) + sum(link.tsize for link, _ in group)
    return Block(Link(Cid.of(block, codec=DAG_PB), tsize), block)


def encode_link(name: bytes, cid: bytes, tsize: int) -> bytes:
    """Return a link as it stands in a block."""
    named = cid + b"\x12" + encode_varint(len(name)) + name + b"\x18" + encode_varint(tsize)
    return b"\x12" + encode_varint(2 + len(named)) + b"\x0a\x24" + named


def encode(links: Links, *, sharded: bool) -> bytes:
    """Return the block of a folder, or of a shard.

    Raises:
        FormatError: a shard's names that do not begin with a number each.
    """
    encoded = [encode_link(name, *links[name]) for name in sorted(links)]
    return b"".join(encoded) + (_shard_data(links) if sharded else FOLDER)


def _shard_data(links: Iterable[bytes]) -> bytes:
    slots = [_SLOTS.get(name[:2], -1) for name in links]
    if -1 in slots or len(set(slots)) != len(slots):
        raise FormatError("folder: a shard's names do not begin with a number each")
    bits = sum(1 << slot for slot in slots)
    field = bits.to_bytes((bits.bit_length() + 7) // 8, "big")
    data = b"\x08\x05\x12" + encode_varint(len(field)) + field + _SHARD_END
    return b"\x0a" + encode_varint(len(data)) + data


def is_shard(block: bytes) -> bool:
    """Return whether a folder's block is one shard of it."""
    return block.endswith(_SHARD_END)


def decode(block: bytes) -> Links:
    """Return the links of a folder's block, in its order.

    Raises:
        FormatError: not what `encode` writes.
    """
    links: Links = {}
    at, last = 0, b""
    while block[at : at + 1] == b"\x12":
        length, start = decode_varint(block, at + 1)
        middle = start + 2 + SIZE
        size, begin = decode_varint(block, middle + 1)
        end = begin + size
        tsize, at = decode_varint(block, end + 1)
        tags = block[start : start + 2] + block[middle : middle + 1] + block[end : end + 1]
        name = block[begin:end]
        if tags != b"\x0a\x24\x12\x18" or at != start + length or name <= last:
            raise FormatError("folder: a link that is not CID, name and size, or not in order")
        links[name] = (block[start + 2 : middle], tsize)
        last = name
    if block[at:] != (_shard_data(links) if is_shard(block) else FOLDER):
        raise FormatError("folder: its data is not that of a folder with these links")
    return links


def layout(block: bytes) -> tuple[list[bytes], list[int], list[int]]:
    """Return the names of a folder's block, where their links end, and their Tsizes.

    Three times faster than `decode`, for blocks of one's own that were hashed: checks nothing.
    """
    names: list[bytes] = []
    ends: list[int] = []
    tsizes: list[int] = []
    at = 0
    while block[at : at + 1] == b"\x12":
        # A call for each number would be half of the time; most have one byte, Tsizes two.
        length, start = block[at + 1], at + 2
        if length >= 0x80:
            length, start = decode_varint(block, at + 1)
        size, begin = block[start + _BEFORE_SIZE], start + _BEFORE_SIZE + 1
        if size >= 0x80:
            size, begin = decode_varint(block, begin - 1)
        at, end = start + length, begin + size
        names.append(block[begin:end])
        ends.append(at)
        if at - end == 3:
            tsizes.append((block[end + 1] & 0x7F) + (block[end + 2] << 7))
        else:
            tsizes.append(decode_varint(block, end + 1)[0])
    return names, ends, tsizes
