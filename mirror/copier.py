"""Brings a store outside to the present site: by what changed since it was last there.

What changed is known from the site's own tree and its journal, never by listing. A store that
has nothing, or was away for longer than the journal goes back, is filled anew. Either goes on
where it was interrupted. Readers of the store see a head only with all that it refers to, also
while rounds go on, and what the site no longer has stays until the new heads have been served for
as long as caches keep the old ones. What a store holds, and how far it is on the way to more, is
noted after each batch (`mirror.stores.copies`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from mirror import verify
from mirror.agenda import Agenda
from mirror.dag import ChangedError, Dag
from mirror.dag.contents import BATCH_FILES, Batch, Contents
from mirror.database import Database
from mirror.errors import FormatError, SettingsError, StoreError, VerifyError
from mirror.formats import tlog
from mirror.formats.checkpoint import MAX_BYTES, Checkpoint
from mirror.formats.cid import Cid
from mirror.formats.note import Note
from mirror.formats.paths import CHECKPOINT, INDEX_PROOF, Stage, article_folder, short_id, stage
from mirror.formats.url import article_id
from mirror.state import State
from mirror.stores import Store
from mirror.stores.copies import Copies, Held
from mirror.stores.patience import Patient
from mirror.threads import in_thread
from mirror.trusted import newest_root
from mirror.withdrawal import Withdrawals

logger = logging.getLogger(__name__)

CACHE_S = 300
"""How long a reader, or a cache between, may show an older head: `max-age` of pages."""

PARTS = (frozenset({Stage.DOCUMENT, Stage.BUNDLE, Stage.TILE}), {Stage.PROOF}, {Stage.PAGE})
"""What is sent before the heads: what never changes, in any order, for nothing leads to it yet."""

HEADS = {CHECKPOINT, INDEX_PROOF}
TRIES, TRY_S = 20, 0.5  # a round that is being written has files that its tree has not yet
BAR = 20  # characters


class Copier:
    """A store that follows the site; the database is one of its own, opened beside the daemon's."""

    def __init__(
        self,
        store: Store,
        dag: Dag,
        db: Database,
        *,
        now: Callable[[], int],
        cache_s: int = CACHE_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name = store.name
        self.store = Patient(store)
        self._dag = dag
        self._contents = Contents(db, dag.site)
        self._db = db
        self._copies = Copies(db, store.name)
        self._now = now
        self._cache_s = cache_s
        self._sleep = sleep
        self._progress = progress

    async def follow(self) -> str:
        """Bring the store to the present site; return its root's CID.

        Raises:
            StoreError: it does not answer, refuses or is full, it has another log, or the site
                changes meanwhile; to be tried again, and goes on where it was.
        """
        try:
            held = await self._recognized(await in_thread(self._copies.held))
            while not held.root or held.generation != await in_thread(self._dag.generation):
                held = await self._bring(held)
        except ChangedError as e:  # where no round goes on, the next cycle looks at it
            await in_thread(self._dag.doubt, [e.path])
            raise
        return str(Cid.decode(held.root))

    async def collect(self) -> int | None:
        """Remove there what the site no longer has, once nothing that is shown leads to it.

        Return when there is more to remove.

        Raises:
            StoreError: some of it is there still; to be tried again.
        """
        due = iter(await in_thread(self._garbage))
        while some := list(islice(due, BATCH_FILES)):
            for path in some:
                await self.store.delete(path)
            await self.store.flush()
            await in_thread(self._forget, some)
        return await in_thread(self._copies.next_due)

    # What the store shows, by one look at it.

    async def _recognized(self, held: Held) -> Held:
        """Return what the store has, after a look at whether it is still so.

        Raises:
            StoreError: it has another log than the database, or more of it.
        """
        shown = await self.store.get(CHECKPOINT)
        if shown is None:
            lost = bool(held.generation) or (held.target > 0 and await self._lacks_the_first())
            return await self._lost("nothing of it is there") if lost else held
        size = await in_thread(self._size_of, shown)
        if size is None:  # cut off while it was written, where that is not done at once
            return await self._with_heads(held)
        # Not at once: where answers come from a cache, what was put just now is not shown yet.
        if size < held.size and self._now() - held.at >= self._cache_s:
            return await self._lost(f"it went back to {size} leaves, from {held.size}")
        return held

    async def _lost(self, what: str) -> Held:
        logger.warning("%s: %s: it is filled anew", self.name, what)
        return await self._keep(Held())

    async def _lacks_the_first(self) -> bool:
        first = await in_thread(next, self._contents.walk(PARTS[0], after=None), None)
        return first is None or await self.store.get(first[1][0]) is None

    def _size_of(self, shown: bytes) -> int | None:
        """Return how many leaves a checkpoint has, None if it is none, and of which log."""
        try:
            found = Checkpoint.parse(Note.parse(shown[: MAX_BYTES + 1]).text)
        except FormatError:
            return None
        log, tile = State(self._db).log(), State(self._db).read_tile
        if found.origin != log.origin:
            what = f"it has the log {found.origin}: empty it, or name another place"
            raise StoreError(f"{self.name}: {what}")
        if not self._is_signed(shown):  # whoever may write there can put anything: it is replaced
            return None
        if found.size > log.size:
            what = f"it has {found.size} leaves, the database {log.size}"
            raise StoreError(f"{self.name}: {what}: restore the newest database")
        here = log.root if found.size == log.size else tlog.range_root(tile, 0, found.size)
        if found.root != here:
            what = f"it has another tree of {found.size} leaves than the database"
            raise StoreError(f"{self.name}: {what}: restore the newest database, or empty it")
        return found.size

    def _is_signed(self, shown: bytes) -> bool:
        try:
            root = newest_root(self._dag.site / "trust")
            verify.checkpoint(shown, verify.Trust(root, min(self._now(), root.expires - 1)))
        except VerifyError:
            return False
        except SettingsError as e:  # the cycles say what is wrong with the site
            raise StoreError(f"{self.name}: not looked at: {e}") from e
        return True

    # What it lacks, in the order in which its readers may see it.

    async def _bring(self, held: Held) -> Held:
        """Send what the store lacks of a generation, the heads last."""
        generation, root, size = await in_thread(self._present)
        if held.root == root:  # the tree was built anew, and is the same
            return await self._keep(replace(held, generation=generation, target=0, size=size))
        held = await self._begun(held, generation)
        changed = await in_thread(self._contents.changed, held.generation)
        topped = held.target
        for part in range(held.part, len(PARTS)):
            batches = self._batches(changed, part, held.after if part == held.part else None)
            while found := await in_thread(next, batches, None):
                files = await self._read(found[1])
                if part:  # what is read may be of a later round, and lead to what came with it
                    topped = await self._top_up(topped)
                await self.store.write(files)
                held = await self._keep(replace(held, part=part, after=found[0]))
        if changed is None or not HEADS.isdisjoint(changed):
            await self._put_heads(topped)
        gone = await self._gone(changed)
        # What a pass that went on from before has sent may be of several roots.
        new = Held(held.target, root if held.target == generation else b"", size, self._now())
        await in_thread(self._finish, new, gone)
        return new

    async def _begun(self, held: Held, generation: int) -> Held:
        """Return it with a target from which on it is known what changes."""
        known = held.generation == 0 or await self._is_known(held.generation)
        if known and held.target and await self._is_known(held.target):
            return held
        if known and held.generation:
            return replace(held, target=generation, part=0, after=None)
        # First: what is withdrawn is shown no longer than need be, though old heads name it yet.
        await self._remove_withdrawn()
        return await self._keep(Held(target=generation))

    async def _is_known(self, generation: int) -> bool:
        return await in_thread(self._contents.changed, generation) is not None

    def _batches(self, changed: list[str] | None, part: int, after: str | None) -> Iterator[Batch]:
        if changed is None:
            return self._contents.walk(PARTS[part], after=after)
        return self._contents.some((p for p in changed if stage(p) in PARTS[part]), after=after)

    async def _read(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """Return what the site has at some paths, once no round is in the middle of them."""
        for _ in range(TRIES):
            try:
                return await in_thread(self._contents.read, paths)
            except ChangedError:
                await self._sleep(TRY_S)
        return await in_thread(self._contents.read, paths)

    async def _top_up(self, since: int) -> int:
        """Send what never changes and came with later rounds; return up to which generation."""
        generation = await in_thread(self._dag.generation)
        if generation == since:
            return since
        changed = await in_thread(self._contents.changed, since)
        if changed is None:
            raise StoreError(f"{self.name}: the site's tree was built anew: all is looked at again")
        for stages in PARTS[:2]:
            batches = self._contents.some([p for p in changed if stage(p) in stages], after=None)
            while found := await in_thread(next, batches, None):
                await self.store.write(await self._read(found[1]))
        return generation

    async def _put_heads(self, topped: int) -> None:
        heads = await self._read(sorted(HEADS))
        await self._top_up(topped)  # after it was read: it may be a later round's
        await self.store.write(heads)

    async def _with_heads(self, held: Held) -> Held:
        if held.generation and await self._is_known(held.generation):
            await self._put_heads(held.generation)
        return held

    # What is to go.

    async def _gone(self, changed: Iterable[str] | None) -> Mapping[str, int]:
        """Return what the site no longer has, each with the time from which on it may go."""
        index = await self.store.names("index") if changed is None else ()
        gone = await in_thread(self._contents.lacks, index if changed is None else changed)
        # Only a withdrawal removes files of an article. They go at once, and the old index
        # documents with its title: no head that is here leads to them, and a reader with an
        # older one out of a cache is to find that it is gone.
        away = changed is None and bool(await in_thread(Withdrawals(self._db).shorts))
        urgent = away or any(path.startswith("a/") for path in gone)
        return dict.fromkeys(gone, self._now() + (0 if urgent else self._cache_s))

    async def _remove_withdrawn(self) -> None:
        """Remove what a store may have of articles that were withdrawn while it was away."""
        for folder in await in_thread(self._withdrawn):
            for path in await in_thread(self._contents.lacks, await self.store.names(folder)):
                await self.store.delete(path)
        await self.store.flush()

    def _withdrawn(self) -> list[str]:
        """Return the folders of withdrawn articles, and of their other addresses."""
        orders = Withdrawals(self._db)
        shorts = orders.shorts()
        links = [link for short in shorts for link in orders.links(short)]
        return [article_folder(each) for each in (*shorts, *map(_short_of, links))]

    def _garbage(self) -> list[str]:
        """Return what is to be removed now; not what the site has again."""
        due = self._copies.garbage(now=self._now(), longest_s=self._cache_s)
        lacks = self._contents.lacks(due)
        self._forget(set(due).difference(lacks))
        return lacks

    def _forget(self, paths: Iterable[str]) -> None:
        with self._db.transaction():
            self._copies.forget(paths)

    # Its row.

    def _present(self) -> tuple[int, bytes, int]:
        while True:
            generation, root = self._dag.head()
            size = State(self._db).log().published
            if generation == self._dag.generation():
                return generation, bytes(root), size

    async def _keep(self, held: Held) -> Held:
        await in_thread(self._save, held)
        return held

    def _save(self, held: Held) -> None:
        filling = held.target and not held.generation
        share = held.share(len(PARTS))
        with self._db.transaction():
            self._copies.put(held)
            if filling:
                Agenda(self._db).note(self.name, f"is filled: {share:.0%} sent", now=self._now())
        if filling:
            bar = "#" * int(share * BAR)
            self._progress(f"[{bar:-<{BAR}}] {share:4.0%}")

    def _finish(self, held: Held, gone: Mapping[str, int]) -> None:
        with self._db.transaction():
            self._copies.put(held)
            self._copies.discard(gone)


def _short_of(link: str) -> str:
    return short_id(article_id(link))
