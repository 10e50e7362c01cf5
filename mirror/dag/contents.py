"""The site's files, as stores outside take them: each checked against the tree that has it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mirror.dag.damage import told
from mirror.dag.folder import blocks_of
from mirror.dag.tree import Tree
from mirror.database import Database
from mirror.formats.cid import DAG_PB, RAW, murmur3
from mirror.formats.folders import Node
from mirror.formats.paths import Stage, stage
from mirror.formats.places import leads_to, leads_to_some, shard_below
from mirror.formats.unixfs import Link, is_shard

BATCH_BYTES, BATCH_FILES = 8_000_000, 500
"""Held, and sent, at once; what a kill in the middle has to send again."""

_File = tuple[str | None, str, int]  # the mark once it is sent, its path, its size

Batch = tuple[str | None, list[str]]
"""Paths, and the mark behind which to go on once they are sent."""


class Contents:
    """The files of the site in the folder `site`, as its tree has them.

    Whatever reads the tree raises DamagedError, which is a StoreError, where the disk damaged it.
    """

    def __init__(self, db: Database, site: Path) -> None:
        self._tree = Tree(db)
        self._site = site

    def changed(self, generation: int) -> list[str] | None:
        """Return the paths that changed since a generation, removed ones too, or None: unknown."""
        if not self._tree.built() or generation > self._tree.generation():
            return None
        with told(self._site):
            found = self._tree.changed(generation)
        return None if found is None else sorted({path for path in found if "//" not in path})

    def lacks(self, paths: Iterable[str]) -> list[str]:
        """Return those of some paths that the site does not have."""
        wanted = list(paths)
        found = self._links(wanted)
        return [path for path in wanted if path not in found]

    def read(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes of those of some paths that the site has.

        Raises:
            ChangedError: a file is not the tree's; to be tried again.
        """
        return {path: self._bytes(path, link) for path, link in self._links(paths).items()}

    def walk(self, stages: Iterable[Stage], *, after: str | None) -> Iterator[Batch]:
        """Yield the paths of all files of some stages, those behind a mark, place by place."""
        return _batches(self._files(set(stages), after))

    def some(self, paths: Iterable[str], *, after: str | None) -> Iterator[Batch]:
        """Yield those of sorted paths that the site has, behind a mark, likewise."""
        return _batches(self._sizes([path for path in paths if after is None or path > after]))

    def _files(self, wanted: set[Stage], after: str | None) -> Iterator[_File]:
        done = after
        for place in self._tree.all_places(after):
            with told(self._site):
                found = list(self._files_at(place, wanted))
            yield from ((done, path, link.tsize) for path, link in found)
            done = place

    def _sizes(self, paths: Sequence[str]) -> Iterator[_File]:
        for start in range(0, len(paths), BATCH_FILES):
            found = self._links(paths[start : start + BATCH_FILES])
            yield from ((path, path, link.tsize) for path, link in found.items())

    def _files_at(self, place: str, wanted: set[Stage]) -> Iterator[tuple[str, Link]]:
        node = self._tree.read(place)
        for path, link in leads_to(place, node.block) if node else ():
            if "//" in path or stage(path) not in wanted:
                continue
            if link.cid.codec == RAW or not self._tree.places(path, f"{path}\0"):
                yield path, link

    def _links(self, paths: Iterable[str]) -> dict[str, Link]:
        """Return what the tree has at some paths, in their order; a folder is read once for all."""
        nodes: dict[str, Node | None] = {}
        found = ((path, self._link(path, nodes)) for path in paths)
        with told(self._site):
            return {path: link for path, link in found if link}

    def _link(self, path: str, nodes: dict[str, Node | None]) -> Link | None:
        folder, _, name = path.rpartition("/")
        digits = "".join(f"{byte:02X}" for byte in murmur3(name.encode()))
        place, depth = folder, 0
        while node := self._node(place, nodes):
            found = next(leads_to_some(place, node.block, [path]), None)
            if found or not is_shard(node.block):
                return found[1] if found else None
            place, depth = shard_below(place, digits[depth : depth + 2]), depth + 2
        return None

    def _node(self, place: str, nodes: dict[str, Node | None]) -> Node | None:
        if place not in nodes:
            nodes[place] = self._tree.read(place)
        return nodes[place]

    def _bytes(self, path: str, link: Link) -> bytes:
        blocks = blocks_of(self._site, path, link)
        return b"".join(bytes(data) for cid, data in blocks if cid.codec != DAG_PB)


def _batches(files: Iterable[_File]) -> Iterator[Batch]:
    held: list[str] = []
    size, mark = 0, None
    for after, path, bytes_ in files:
        if held and (size + bytes_ > BATCH_BYTES or len(held) == BATCH_FILES):
            yield mark, held
            held, size = [], 0
        held.append(path)
        size, mark = size + bytes_, after
    if held:
        yield mark, held
