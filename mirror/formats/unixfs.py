"""Files and folders as IPFS blocks: the CID of a site, and what changes in it.

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

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mirror.errors import FormatError
from mirror.formats.cid import DAG_PB, SIZE, Buffer, Cid, decode_varint, encode_varint, murmur3
from mirror.formats.paths import check_path

CHUNK = 1024 * 1024  # bytes of a leaf
LINKS = 1024  # of a file's inner node
SHARD_ABOVE = 262_144  # bytes of a folder's block

_FOLDER = b"\x0a\x02\x08\x01"
_SHARD_END = b"\x28\x22\x30\x80\x02"  # hash function murmur3-x64-64, fan-out 256
_SLOTS = {b"%02X" % slot: slot for slot in range(256)}
_DEPTH = 8  # bytes of a name's hash

_Entry = tuple[bytes, int]  # a CID in binary, Tsize
_Links = dict[bytes, _Entry]
_Changes = dict[bytes, _Entry | None]


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
        return _encode(links, sharded=self.sharded)

    @classmethod
    def parse(cls, block: bytes) -> "Folder":
        """Read a block; the caller bounds its length first.

        Raises:
            FormatError: not what `bytes()` writes.
        """
        found = _decode(block).items()
        try:
            links = {name.decode(): Link(Cid.decode(cid), tsize) for name, (cid, tsize) in found}
        except UnicodeDecodeError as e:
            raise FormatError("folder: a name that is not UTF-8") from e
        return cls(links, _is_shard(block))


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
    links = b"".join(_link(b"", bytes(link.cid), link.tsize) for link, _ in group)
    block = links + b"\x0a" + encode_varint(len(data)) + data
    tsize = len(block) + sum(link.tsize for link, _ in group)
    return Block(Link(Cid.of(block, codec=DAG_PB), tsize), block)


def _link(name: bytes, cid: bytes, tsize: int) -> bytes:
    named = cid + b"\x12" + encode_varint(len(name)) + name + b"\x18" + encode_varint(tsize)
    return b"\x12" + encode_varint(2 + len(named)) + b"\x0a\x24" + named


def _encode(links: _Links, *, sharded: bool) -> bytes:
    encoded = [_link(name, *links[name]) for name in sorted(links)]
    return b"".join(encoded) + (_shard_data(links) if sharded else _FOLDER)


def _shard_data(links: Iterable[bytes]) -> bytes:
    slots = [_SLOTS.get(name[:2], -1) for name in links]
    if -1 in slots or len(set(slots)) != len(slots):
        raise FormatError("folder: a shard's names do not begin with a number each")
    bits = sum(1 << slot for slot in slots)
    field = bits.to_bytes((bits.bit_length() + 7) // 8, "big")
    data = b"\x08\x05\x12" + encode_varint(len(field)) + field + _SHARD_END
    return b"\x0a" + encode_varint(len(data)) + data


def _is_shard(block: bytes) -> bool:
    return block.endswith(_SHARD_END)


def _decode(block: bytes) -> _Links:
    links: _Links = {}
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
    if block[at:] != (_shard_data(links) if _is_shard(block) else _FOLDER):
        raise FormatError("folder: its data is not that of a folder with these links")
    return links


# The tree of folders.


@dataclass(frozen=True, slots=True)
class Node:
    """The block that stands at a place of the tree; `flat` is what its links would take unsharded.

    A place is a folder's path, "" for the root, and for a shard the path, `//` and the
    hexadecimal digits that lead to it: `tile/0`, `index//3F`, `index//3FA0`.
    """

    cid: Cid
    block: bytes
    flat: int


@dataclass(frozen=True, slots=True)
class Update:
    """The tree's root, and each place that changed: its new node, or None where none is any more.

    Places stand in the order in which blocks refer to each other: the root's comes last.
    """

    root: Link
    nodes: Mapping[str, Node | None]

    @property
    def blocks(self) -> dict[Cid, bytes]:
        """The new blocks, which with those of the new files are what a delta CAR holds."""
        return {node.cid: node.block for node in self.nodes.values() if node}


Read = Callable[[str], Node | None]
"""Place → the node that stands there now, if one does."""

_Paths = dict[str, "Link | _Paths | None"]


def update(read: Read, changes: Mapping[str, Link | None]) -> Update:
    """Return what changes in a tree when files are put (a link) and removed (None).

    Reads and makes only nodes on the way to a changed path; a folder that becomes empty goes.
    The root depends on the paths alone, not on how they came there. To remove what is not
    there changes nothing. Not checked: that what is read belongs together.

    Raises:
        FormatError: no path of a site, one that is a folder and a file, or a damaged tree.
    """
    tree = _Tree(read)
    entry = tree.folder("", _nested(changes)) or tree.write("", {})
    return Update(Link(Cid.decode(entry[0]), entry[1]), tree.written)


def _nested(changes: Mapping[str, Link | None]) -> _Paths:
    nested: _Paths = {}
    for path, link in changes.items():
        *folders, name = check_path(path).split("/")
        at: Link | _Paths | None = nested
        for folder in folders:
            at = at.setdefault(folder, {}) if isinstance(at, dict) else None
        if not isinstance(at, dict) or at.setdefault(name, link) is not link:
            raise FormatError(f"{path}: a folder and a file")
    return nested


class _Tree:
    """A tree while it is updated: what was read from it, and what was written over that."""

    def __init__(self, read: Read) -> None:
        self.read = read
        self.written: dict[str, Node | None] = {}
        self._new: set[str] = set()  # folders: no file may have stood there

    def folder(self, place: str, paths: _Paths) -> _Entry | None:
        """Return the entry of a folder after the changes below it, None if it is empty."""
        old = self.read(place)
        changes: _Changes = {}
        for name, what in paths.items():
            child = _join(place, name)
            was_folder = old is not None and self.read(child) is not None
            if isinstance(what, dict):
                entry = self.folder(child, what)
                if not was_folder:
                    if entry is None:
                        continue
                    self._new.add(child)
            elif was_folder:
                raise FormatError(f"{child}: a folder and a file")
            else:
                entry = (bytes(what.cid), what.tsize) if what else None
            changes[name.encode()] = entry
        return self._changed(place, old, changes)

    def _changed(self, place: str, old: Node | None, changes: _Changes) -> _Entry | None:
        if old and _is_shard(old.block):
            links, flat = self._shard(place, 0, old, changes)
            if flat + len(_FOLDER) > SHARD_ABOVE:
                return self._put(place, _encode(links, sharded=True), links, flat=flat)
            links = dict(self._unsharded(place, links))
        else:
            links = _decode(old.block) if old else {}
            self._check_stays(place, links.keys() & changes.keys())
            links = _present({**links, **changes})
        if links:
            return self.write(place, links)
        self._drop(place)
        return None

    def write(self, place: str, links: _Links) -> _Entry:
        """Put a folder at a place, sharded if it is too large for one block; return its entry."""
        block = _encode(links, sharded=False)
        if len(block) <= SHARD_ABOVE:
            return self._put(place, block, links, flat=len(block) - len(_FOLDER))
        links, flat = self._shard(place, 0, None, links)
        return self._put(place, _encode(links, sharded=True), links, flat=flat)

    def _shard(
        self, place: str, depth: int, old: Node | None, changes: Mapping[bytes, _Entry | None]
    ) -> tuple[_Links, int]:
        """Return the links of a shard after the changes below it, and what they take unsharded."""
        if depth == _DEPTH:
            raise FormatError(f"{place}: names with one hash")
        links, flat = (_decode(old.block), old.flat) if old else ({}, 0)
        keys = {name[:2]: name for name in links}
        slots: dict[bytes, _Changes] = {}
        for name, entry in changes.items():
            slots.setdefault(b"%02X" % murmur3(name)[depth], {})[name] = entry
        for slot, some in slots.items():
            key = keys.get(slot, b"")
            held = {key[2:]: links.pop(key)} if key else {}
            found, grown = self._slot(_below(place, slot), depth, held, some)
            links |= {slot + name: entry for name, entry in found.items()}
            flat += grown
        return links, flat

    def _slot(self, below: str, depth: int, held: _Links, changes: _Changes) -> tuple[_Links, int]:
        """Return what a slot holds after the changes, and by how much that is more unsharded.

        That is nothing, one entry by its name, or a shard by the empty name: a shard of
        which one entry is left gives it back, so that no trace of what was removed stays.
        """
        old = self._held(below) if b"" in held else None
        if old:
            before = old.flat
            links, flat = self._shard(below, depth + 1, old, changes)
        else:
            before = _flat(held)
            self._check_stays(below, held.keys() & changes.keys())
            values = _present({**held, **changes})
            if len(values) < 2:
                return values, _flat(values) - before
            links, flat = self._shard(below, depth + 1, None, values)
        if len(links) < 2 and all(key[2:] for key in links):
            self._drop(below)
            return {key[2:]: entry for key, entry in links.items()}, flat - before
        block = _encode(links, sharded=True)
        return {b"": self._put(below, block, links, flat=flat)}, flat - before

    def _unsharded(self, place: str, links: _Links) -> Iterator[tuple[bytes, _Entry]]:
        """Yield the entries of a sharded folder, whose shards below the first go."""
        for key, entry in links.items():
            if key[2:]:
                yield key[2:], entry
            else:
                below = _below(place, key)
                node = self._held(below)
                self._drop(below)
                yield from self._unsharded(below, _decode(node.block))

    def _put(self, place: str, block: bytes, links: _Links, *, flat: int) -> _Entry:
        """Put a node at a place, if it is another than the one there; return its entry."""
        node = Node(Cid.of(block, codec=DAG_PB), block, flat)
        self.written.pop(place, None)
        if self.read(place) != node:
            self.written[place] = node
        return bytes(node.cid), len(block) + sum(tsize for _, tsize in links.values())

    def _held(self, place: str) -> Node:
        node = self.written.get(place) or self.read(place)
        if not node:
            raise FormatError(f"{place}: missing in the tree")
        return node

    def _drop(self, place: str) -> None:
        self.written.pop(place, None)
        if self.read(place):
            self.written[place] = None

    def _check_stays(self, place: str, names: Iterable[bytes]) -> None:
        """Refuse folders that are new where a file stood; `place` may be a shard."""
        folder = place.partition("//")[0]
        for child in self._new.intersection(_join(folder, name.decode()) for name in names):
            raise FormatError(f"{child}: a folder and a file")


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _below(place: str, slot: bytes) -> str:
    return f"{place}{'' if '//' in place else '//'}{slot.decode()}"


def _present(changes: Mapping[bytes, _Entry | None]) -> _Links:
    return {name: entry for name, entry in changes.items() if entry}


def _flat(links: _Links) -> int:
    return sum(len(_link(name, *entry)) for name, entry in links.items())
