"""Archives of blocks: what is handed to an IPFS node, and what a gateway hands out.

Format: https://ipld.io/specs/transport/car/carv1/, one root, blocks of `cid` in any order. The
header is DAG-CBOR, `{"roots": [<CID>], "version": 1}`, and always of the same 59 bytes::

    3a                                          length: 58
    a2 65 "roots" 81 d8 2a 58 25 00 <36 bytes>  tag 42, a CID after a zero byte
       67 "version" 01

Each section is its length, a CID and the block::

    2f 01 55 12 20 b9 4d … cd e9 "hello world"
"""

from collections.abc import Callable, Iterable, Iterator

from mirror.errors import FormatError
from mirror.formats.cid import MAX_VARINT, SIZE, Buffer, Cid, decode_varint, encode_varint

MAX_SECTION = 2 * 1024 * 1024  # bytes: no IPFS node takes a larger block
MAX_HEADER = 4096  # bytes: of a hundred roots, and one is read

_ROOTS = b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00"
_VERSION = b"\x67version\x01"
_OTHER_ROOT = _ROOTS[:-2]  # before the length of a CID of another version or hash

Read = Callable[[int], bytes]
"""`read(n)` → the next `n` bytes, fewer only where the archive ends (a buffered file's)."""


def write(root: Cid, blocks: Iterable[tuple[Cid, Buffer]]) -> Iterator[Buffer]:
    """Yield an archive piece by piece; a block is passed on as it is, not copied.

    Not checked: that a block has the hash of its CID, and that `root` is among them. An
    archive of what is new since the last one holds only a part of what its root leads to.

    Raises:
        FormatError: a block that no IPFS node would take.
    """
    header = _ROOTS + bytes(root) + _VERSION
    yield encode_varint(len(header)) + header
    for cid, block in blocks:
        length = SIZE + len(block)
        if length > MAX_SECTION:
            raise FormatError(f"car: {cid}: a block of {len(block)} bytes")
        yield encode_varint(length) + bytes(cid)
        yield block


def read(source: Read) -> tuple[Cid, Iterator[tuple[Cid, bytes]]]:
    """Return the root of an archive, and its blocks as they are read and found to be whole.

    No more than one block is held at a time; how many there may be, the caller bounds.
    Not checked: that the blocks are those that the root leads to, or each there once.

    Raises:
        FormatError: not what `write` makes; while iterating too.
    """
    header = _section(source, MAX_HEADER)
    if header is None:
        raise FormatError("car: empty")
    if not header.startswith(_OTHER_ROOT) or not header.endswith(_VERSION):
        raise FormatError("car: not the header of version 1 with one root")
    root = Cid.decode(header[len(_ROOTS) : -len(_VERSION)])
    if header != _ROOTS + bytes(root) + _VERSION:
        raise FormatError("car: a header that is not in its one canonical form")
    return root, _blocks(source)


def _blocks(source: Read) -> Iterator[tuple[Cid, bytes]]:
    while (section := _section(source, MAX_SECTION)) is not None:
        cid, block = Cid.decode(section[:SIZE]), section[SIZE:]
        if Cid.of(block, codec=cid.codec) != cid:
            raise FormatError(f"car: {cid}: a block with another hash")
        yield cid, block


def _section(source: Read, limit: int) -> bytes | None:
    """Return the next section, or None at the end; its length is judged before it is read."""
    prefix = source(1)
    if not prefix:
        return None
    while prefix[-1] >= 0x80 and len(prefix) < MAX_VARINT and (more := source(1)):
        prefix += more
    length, _ = decode_varint(prefix)
    if length > limit:
        raise FormatError(f"car: a section of {length} bytes, at most {limit} are read")
    section = source(length)
    if len(section) != length:
        raise FormatError("car: broken off")
    return section
