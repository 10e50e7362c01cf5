"""The site as a tree of IPFS blocks, kept in the database round by round.

The database holds the folders' blocks, the site's folder the files: nothing is held twice. It
costs some 0.7 kB an article. If it is lost, `rebuild` makes it from the folder; whoever alters it
makes blocks missing, not wrong: each is checked against its CID before it leaves here.

::

    dag        the folders' blocks, in pieces
    dag_key    the first 8 bytes of a digest → the place whose block links to it, for all that
               belongs to articles; the few folders above are searched in memory
    dag_large  the chunks and inner nodes of files over 1 MiB
    dag_round  generation → the paths that changed with it, for the newest ten thousand; 0 → those
               in doubt: about to be written, and not recorded yet
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

from mirror.dag.damage import DamagedError, told
from mirror.dag.folder import ChangedError, LeftOut, blocks_of, chunk, opened, paths
from mirror.dag.tree import Tree, is_deep, key, places_of
from mirror.dag.upper import Upper
from mirror.database import Database
from mirror.errors import StoreError
from mirror.formats.cid import DAG_PB, RAW, SIZE, Buffer, Cid
from mirror.formats.paths import CHECKPOINT, PROOF, is_head
from mirror.formats.places import find, leads_to, leads_to_some
from mirror.formats.unixfs import CHUNK, Link, chunked

BATCH = 8 * 1000 * 1000  # bytes of blocks that are held at once
_FILES = 5000  # of a step of `rebuild`
__all__ = ["Batch", "ChangedError", "Dag", "DamagedError"]
_MANY = 100  # files: to look for each by its name takes longer than to read all links


@dataclass(frozen=True, slots=True)
class Batch:
    """Blocks; with them, all of what stands at `place` and before it was yielded."""

    blocks: Sequence[tuple[Cid, Buffer]]
    place: str | None


class Dag:
    """The blocks of the site in the folder `site`, whose files it reads and never writes.

    Whatever reads the tree raises DamagedError, which is a StoreError, where the disk damaged it.
    """

    def __init__(self, db: Database, site: Path) -> None:
        self._db = db
        self.site = site
        self._tree = Tree(db)
        self._upper = Upper(self._tree)

    def generation(self) -> int:
        """Return how many changes the tree has had; it grows with each, and with `rebuild`."""
        return self._tree.generation()

    def built(self) -> bool:
        """Return whether there is a tree; if not, `rebuild` makes it, of an empty site too."""
        return self._tree.built()

    def root(self) -> Cid | None:
        """Return the CID of the whole site, or None if there is no tree yet."""
        with told(self.site):
            node = self._tree.read("") if self.built() else None
        return node.cid if node else None

    def head(self) -> tuple[int, Cid]:
        """Return the generation and the root that belong together.

        Raises:
            StoreError: there is no tree yet.
        """
        while True:
            generation, root = self.generation(), self.root()
            if root is None:
                raise StoreError(f"{self.site}: no tree of it yet: it is built from the folder")
            if generation == self.generation():
                return generation, root

    def sample(self, generation: int) -> dict[str, Cid]:
        """Return two files by which to see that a node has what changed since a generation.

        The checkpoint, and an article's newest page; neither if it is not there, or is over 1 MiB.
        """
        with told(self.site):
            return self._sampled(generation)

    def _sampled(self, generation: int) -> dict[str, Cid]:
        changed = [path for path in self._tree.changed(generation) or () if _is_page(path)]
        places = places_of(changed) if changed else chain([""], self._tree.all_places("a/"))
        found: dict[str, Cid] = {}
        for place in places:
            node = self._tree.read(place)
            for path, link in leads_to(place, node.block) if node else ():
                if link.cid.codec == RAW and (path == CHECKPOINT or _is_page(path)):
                    found[path] = link.cid
                if len(found.keys() - {CHECKPOINT}):
                    return found
        return found

    # What changes.

    def apply(self, changes: Mapping[str, bytes | None]) -> None:
        """Record files put, and removed (None), inside the transaction that says so.

        Their blocks are read from the folder later, so they stand there already. Before the
        first `rebuild`, which reads all of them, nothing is recorded.

        Raises:
            FormatError: no path of a site, or a path that is a folder and a file.
        """
        if not self.built():
            return
        links: dict[str, Link | None] = {}
        for path, data in changes.items():
            if data is None:
                self._tree.forget_file(path)
            links[path] = None if data is None else self._tree.keep_file(path, chunked(data))
        self._change(links)

    def _change(self, links: Mapping[str, Link | None]) -> None:
        with told(self.site, refuses=True):
            shards = self._tree.change(links)
            if shards is not None:
                self._tree.record(links, shards)
            self._tree.doubt(self.doubted() - links.keys())

    def doubt(self, paths: Iterable[str]) -> None:
        """Have heads looked at by `look_again`, should nothing record them before.

        Before they are written: a crash may come between that and `apply`. Or because one was
        met that is not the tree's. What never changes is not believed anew: it is damaged.
        """
        some = {path for path in paths if is_head(path) or path.endswith(PROOF)}
        if some and self.built():
            with self._db.transaction():
                self._tree.doubt(self.doubted() | some)

    def doubted(self) -> Set[str]:
        """Return what is in doubt."""
        with told(self.site):
            return self._tree.doubted()

    def look_again(self) -> None:
        """Record what the folder holds of what is in doubt; never while a round is half written."""
        if some := self.doubted():
            left_out = LeftOut(self.site)
            with self._db.transaction():
                self._change({path: self._keep(path, left_out) for path in sorted(some)})

    def forget(self) -> None:
        """Have no tree until it is rebuilt; inside a transaction."""
        self._tree.clear()

    def forget_damaged(self) -> None:
        """Do so for who follows, and met damage: not while it is being rebuilt.

        Also beside a round: what that writes is in the folder, of which the tree is rebuilt.

        Raises:
            StoreError: the database could not be written; the damage is met again.
        """
        with self._db.transaction():
            if self.built():
                self.forget()

    def rebuild(self, progress: Callable[[str], None] = lambda _: None) -> None:
        """Make the tree from the folder: on an older database, or where the two disagree.

        For whoever has the database locked, while nothing is published.

        Raises:
            StoreError: the database could not be written. A file that can not be read is left out.
        """
        for _ in self.rebuilding(progress):
            pass

    def rebuilding(self, progress: Callable[[str], None] = lambda _: None) -> Iterator[None]:
        """Do the same in steps of a second or two, between which the caller may give up."""
        with self._db.transaction():
            self.forget()
        left_out, count = LeftOut(self.site), 0
        found = paths(self.site, left_out)
        while some := list(islice(found, _FILES)):
            with self._db.transaction():
                self._tree.change({path: self._keep(path, left_out) for path in some})
            count += len(some)
            progress(f"{count} files")
            yield
        with self._db.transaction():
            self._tree.end_building()
        left_out.end()

    def _keep(self, path: str, left_out: LeftOut) -> Link | None:
        """Return the link to a file as it is now, or None: then it is in the tree no more."""
        try:
            with opened(self.site, path) as file:
                return self._tree.keep_file(path, iter(partial(file.read, CHUNK), b""))
        except OSError as e:
            if not isinstance(e, FileNotFoundError):
                left_out.say(f"{path}: not read: {e.strerror}")
            self._tree.forget_file(path)
            return None

    # What it consists of.

    def block(self, cid: Cid) -> bytes | None:
        """Return a block of the present site, checked, or None: not its, or not on the disk now."""
        with told(self.site):
            some = (each for each in self._candidates(cid) if each is not None)
            return next((each for each in some if Cid.of(each, codec=cid.codec) == cid), None)

    def _candidates(self, cid: Cid) -> Iterator[bytes | None]:
        for place in self._places_with(key(cid)):
            node = self._tree.read(place)
            path = find(place, node.block, cid) if node else None
            if path is not None:
                below = self._tree.read(path) if cid.codec == DAG_PB else None
                yield below.block if below else chunk(self.site, path, 0)
        query = "SELECT path, n, block FROM dag_large WHERE key=?"
        for path, n, inner in self._db.rows(query, (key(cid),)):
            yield inner or chunk(self.site, path, n)
        root = self._tree.read("")
        yield root.block if root else None

    def _places_with(self, number: int) -> Iterator[str]:
        for (place,) in self._db.rows("SELECT place FROM dag_key WHERE key=?", (number,)):
            yield place
        yield from self._upper.places_with(number)

    # What a node lacks.

    def blocks_since(self, generation: int) -> Iterator[tuple[Cid, Buffer]]:
        """Yield what a node lacks that has all blocks of `generation`; since 0, the whole site.

        Raises:
            ChangedError: a file is not the tree's; to be tried again.
        """
        for batch in self.batches_since(generation):
            yield from batch.blocks

    def batches_since(self, generation: int, *, after: str | None = None) -> Iterator[Batch]:
        """Yield it in batches of some 8 MB, in the order of places, those behind `after`.

        Who takes them while rounds go on has, at the end, whatever is still there of the
        generation at which he began; what changed since then he asks for next.

        Raises:
            ChangedError: a file is not the tree's; to be tried again.
        """
        with told(self.site):
            yield from self._batches(generation, after)

    def _batches(self, generation: int, after: str | None) -> Iterator[Batch]:
        changed = self._tree.changed(generation)
        wanted = None if changed is None else set(changed)
        places = self._tree.all_places(after) if changed is None else iter(places_of(changed))
        blocks: list[tuple[Cid, Buffer]] = []
        size, done = 0, after
        for place in places:
            if after is not None and place <= after:
                continue
            for cid, block in self._blocks_at(place, wanted):
                if blocks and size + SIZE + len(block) > BATCH:
                    yield Batch(blocks, done)
                    blocks, size = [], 0
                blocks.append((cid, block))
                size += SIZE + len(block)
            done = place
        if blocks:
            yield Batch(blocks, done)

    def _blocks_at(self, place: str, wanted: set[str] | None) -> Iterator[tuple[Cid, Buffer]]:
        """Yield the blocks of the files that a node links to, if wanted, then its own."""
        node = self._tree.read(place)
        if node is None:
            return
        if wanted is not None and len(wanted) <= _MANY:
            links = leads_to_some(place, node.block, wanted)
        else:
            links = leads_to(place, node.block)
        for path, link in links:
            if wanted is not None and path not in wanted:
                continue
            if link.cid.codec != DAG_PB or self._tree.read(path) is None:
                yield from blocks_of(self.site, path, link)
        yield node.cid, node.block


def _is_page(path: str) -> bool:
    return is_deep(path) and path.endswith(".html")
