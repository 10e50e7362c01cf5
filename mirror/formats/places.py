"""Where the nodes of a tree of folders stand, and what stands below them.

A place is a folder's path, "" for the root, and for a shard the path, `//` and the hexadecimal
digits that lead to it: `tile/0`, `index//3F`, `index//3FA0`. The blocks are those of `unixfs`.
"""

from collections.abc import Iterable, Iterator

from mirror.formats.cid import SIZE, Cid, decode_varint, encode_varint, murmur3
from mirror.formats.unixfs import Link, is_shard, layout


def join(folder: str, name: str) -> str:
    """Return the path of what a folder has by a name."""
    return f"{folder}/{name}" if folder else name


def shard_below(place: str, slot: str) -> str:
    """Return the place of a shard below a folder or a shard."""
    return f"{place}{'' if '//' in place else '//'}{slot}"


def leads_to(place: str, block: bytes) -> Iterator[tuple[str, Link]]:
    """Yield what the block at a place links to: paths of files, places of nodes.

    Of one's own blocks, which are not checked.

    Raises:
        FormatError: a link that is not a CID's.
    """
    sharded, start = is_shard(block), 0
    for name, end, tsize in zip(*layout(block), strict=True):
        at = decode_varint(block, start + 1)[1] + 2
        target = _in_shard(place, name.decode()) if sharded else join(place, name.decode())
        yield target, Link(Cid.decode(block[at : at + SIZE]), tsize)
        start = end


def leads_to_some(place: str, block: bytes, paths: Iterable[str]) -> Iterator[tuple[str, Link]]:
    """Yield the links to those of `paths` to which the block at a place links; likewise.

    A link is looked for by its name: of thousands, few are read.
    """
    folder = join(place.partition("//")[0], "")
    for path in paths:
        name = path.removeprefix(folder)
        if len(name) + len(folder) != len(path) or "/" in name:
            continue
        key = name.encode()
        if is_shard(block):
            digits = "".join(f"{byte:02X}" for byte in murmur3(key))
            depth = len(place.partition("//")[2])
            key = digits[depth : depth + 2].encode() + key
        named = b"\x12" + encode_varint(len(key)) + key + b"\x18"
        at = block.find(named)
        if at >= 0:
            tsize = decode_varint(block, at + len(named))[0]
            yield path, Link(Cid.decode(block[at - SIZE : at]), tsize)


def find(place: str, block: bytes, cid: Cid) -> str | None:
    """Return the first path, or place, that the block at `place` links to by a CID, or None.

    Only looks for it: a thousand times faster than to read the block.
    """
    at = block.find(bytes(cid))
    if at < 0:
        return None
    size, begin = decode_varint(block, at + SIZE + 1)
    name = block[begin : begin + size].decode()
    return _in_shard(place, name) if is_shard(block) else join(place, name)


def _in_shard(place: str, name: str) -> str:
    return join(place.partition("//")[0], name[2:]) if name[2:] else shard_below(place, name)
