"""The tree of folders that a site is on IPFS: its root, and which blocks a change makes new.

Blocks as in `unixfs`, each at a place as in `places`.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mirror.errors import FormatError
from mirror.formats.cid import DAG_PB, Cid, murmur3
from mirror.formats.paths import check_path
from mirror.formats.places import join, shard_below
from mirror.formats.unixfs import (
    FOLDER,
    SHARD_ABOVE,
    Entry,
    Link,
    Links,
    decode,
    encode,
    encode_link,
    is_shard,
    layout,
)

_DEPTH = 8  # bytes of a name's hash

_Changes = dict[bytes, Entry | None]


@dataclass(frozen=True, slots=True)
class Node:
    """The block at a place of the tree; `flat` is what its links would take unsharded."""

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

    def folder(self, place: str, paths: _Paths) -> Entry | None:
        """Return the entry of a folder after the changes below it, None if it is empty."""
        old = self.read(place)
        changes: _Changes = {}
        for name, what in paths.items():
            child = join(place, name)
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

    def _changed(self, place: str, old: Node | None, changes: _Changes) -> Entry | None:
        if old and is_shard(old.block):
            links, flat = self._shard(place, 0, old, changes)
            if flat + len(FOLDER) > SHARD_ABOVE:
                return self._put(place, encode(links, sharded=True), _below_all(links), flat=flat)
            links = dict(self._unsharded(place, links))
        elif old:
            block, below, replaced = _spliced(old.block, changes)
            self._check_stays(place, replaced)
            if len(FOLDER) < len(block) <= SHARD_ABOVE:
                return self._put(place, block, below, flat=len(block) - len(FOLDER))
            links = decode(block)
        else:
            links = _present(changes)
        if links:
            return self.write(place, links)
        self._drop(place)
        return None

    def write(self, place: str, links: Links) -> Entry:
        """Put a folder at a place, sharded if it is too large for one block; return its entry."""
        block = encode(links, sharded=False)
        if len(block) <= SHARD_ABOVE:
            return self._put(place, block, _below_all(links), flat=len(block) - len(FOLDER))
        links, flat = self._shard(place, 0, None, links)
        return self._put(place, encode(links, sharded=True), _below_all(links), flat=flat)

    def _shard(
        self, place: str, depth: int, old: Node | None, changes: Mapping[bytes, Entry | None]
    ) -> tuple[Links, int]:
        """Return the links of a shard after the changes below it, and what they take unsharded."""
        if depth == _DEPTH:
            raise FormatError(f"{place}: names with one hash")
        links, flat = (decode(old.block), old.flat) if old else ({}, 0)
        keys = {name[:2]: name for name in links}
        slots: dict[bytes, _Changes] = {}
        for name, entry in changes.items():
            slots.setdefault(b"%02X" % murmur3(name)[depth], {})[name] = entry
        for slot, some in slots.items():
            key = keys.get(slot, b"")
            held = {key[2:]: links.pop(key)} if key else {}
            found, grown = self._slot(shard_below(place, slot.decode()), depth, held, some)
            links |= {slot + name: entry for name, entry in found.items()}
            flat += grown
        return links, flat

    def _slot(self, below: str, depth: int, held: Links, changes: _Changes) -> tuple[Links, int]:
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
        block = encode(links, sharded=True)
        return {b"": self._put(below, block, _below_all(links), flat=flat)}, flat - before

    def _unsharded(self, place: str, links: Links) -> Iterator[tuple[bytes, Entry]]:
        """Yield the entries of a sharded folder, whose shards below the first go."""
        for key, entry in links.items():
            if key[2:]:
                yield key[2:], entry
            else:
                below = shard_below(place, key.decode())
                node = self._held(below)
                self._drop(below)
                yield from self._unsharded(below, decode(node.block))

    def _put(self, place: str, block: bytes, tsizes: int, *, flat: int) -> Entry:
        """Put a node at a place, if it is another than the one there; return its entry.

        `tsizes` is the sum of those of its links.
        """
        node = Node(Cid.of(block, codec=DAG_PB), block, flat)
        self.written.pop(place, None)
        if self.read(place) != node:
            self.written[place] = node
        return bytes(node.cid), len(block) + tsizes

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
        for child in self._new.intersection(join(folder, name.decode()) for name in names):
            raise FormatError(f"{child}: a folder and a file")


def _present(changes: Mapping[bytes, Entry | None]) -> Links:
    return {name: entry for name, entry in changes.items() if entry}


def _below_all(links: Links) -> int:
    return sum(tsize for _, tsize in links.values())


def _spliced(block: bytes, changes: _Changes) -> tuple[bytes, int, list[bytes]]:
    """Return a folder's block after changes, the sum of its Tsizes, and the names it had of them.

    The links between stay as they are: in a folder of thousands that is most of the work.
    """
    names, ends, tsizes = layout(block)
    if block[ends[-1] if ends else 0 :] != FOLDER:
        raise FormatError("folder: its data is not that of a folder with these links")
    total, at = sum(tsizes), 0
    parts: list[bytes] = []
    had: list[bytes] = []
    for name, entry in sorted(changes.items()):
        n = bisect_left(names, name)
        start = ends[n - 1] if n else 0
        parts.append(block[at:start])
        at = start
        if n < len(names) and names[n] == name:
            had.append(name)
            at, total = ends[n], total - tsizes[n]
        if entry:
            parts.append(encode_link(name, *entry))
            total += entry[1]
    return b"".join([*parts, block[at:]]), total, had


def _flat(links: Links) -> int:
    return sum(len(encode_link(name, *entry)) for name, entry in links.items())
