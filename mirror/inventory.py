"""What a store outside really has, beside what our own tree says that the site is.

A sample of the files is read over the store and over its public address, at a low rate, and
compared by their bytes; what is wrong at the store is written again.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from mirror.dag import ChangedError
from mirror.dag.contents import Contents
from mirror.database import Database
from mirror.errors import FetchError, StoreError
from mirror.fetch import Fetcher
from mirror.formats.paths import PROOF, Stage, in_write_order, is_head
from mirror.stores import Store
from mirror.stores.copies import Copies

LEAST = 20  # files of a sample: one per cent of a small site says nothing
MORE = 100_000  # bytes: what a place may have put into a page, which is wrong then, and not silent
DEAD = 3  # files without an answer and none with one: the rest would take a time-out each
RATE = 10.0  # files a second: of 100,000 one per cent takes two minutes, and nobody notices

Flaw = Literal["missing", "wrong", "no answer"]


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is not at a place as our tree has it."""

    path: str
    where: Literal["store", "public"]
    flaw: Flaw
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """How many files were looked at, and which are not right; `behind` rounds were not judged."""

    looked: int
    found: tuple[Found, ...]
    behind: int


def all_paths(contents: Contents) -> Iterator[str]:
    """Yield the paths of all files of the site, as its tree has them."""
    return (path for _, paths in contents.walk(Stage, after=None) for path in paths)


def sample(paths: Iterable[str], share: float, *, pick: random.Random) -> list[str]:
    """Return a share of `paths`, and of few at least `LEAST`, in one pass."""
    picked: list[str] = []
    few: list[str] = []
    for number, path in enumerate(paths):
        if pick.random() < share:
            picked.append(path)
        at = pick.randint(0, number)  # each has the same chance to be among the few
        if number < LEAST:
            few.append(path)
        elif at < LEAST:
            few[at] = path
    return picked if len(picked) >= len(few) else sorted(few)


class Inventory:
    """A store and its public address, held against the tree in an open database."""

    def __init__(
        self,
        store: Store,
        contents: Contents,
        db: Database,
        *,
        public: str = "",
        fetcher: Fetcher | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._contents = contents
        self._db = db
        self._public = public
        self._fetcher = fetcher if public else None
        self._sleep = sleep
        self._progress = progress

    async def audit(self, share: float, *, rate: float = RATE, now: int, cache_s: int) -> Audit:
        """Return what of a sample is not right.

        What the store is still to be sent is not judged, nor what changed so lately that a cache
        may keep it.

        Raises:
            StoreError: it was never filled, or does not answer at all.
        """
        held = Copies(self._db, self._store.name).held()
        changed = self._contents.changed(held.generation) if held.root else None
        if changed is None:
            raise StoreError(f"{self._store.name}: not filled yet: nothing to be judged")
        behind, young = set(changed), now - held.at < cache_s
        picked = sample(all_paths(self._contents), share, pick=random.Random())  # noqa: S311 - no secret
        wanted = [p for p in picked if p not in behind and not (young and _changes(p))]
        found: list[Found] = []
        for number, path in enumerate(wanted, 1):
            self._progress(f"{self._store.name}: {number} of {len(wanted)}")
            found += await self._look(path)
            if number in (DEAD, len(wanted)):
                self._check_alive(number, found)
            await self._sleep(1 / rate)
        self._progress("")
        return Audit(len(wanted), tuple(found), len(behind))

    async def _look(self, path: str) -> list[Found]:
        data = self._own(path)
        if data is None:
            return []
        found = []
        try:
            held = await self._store.get(path)
            if held != data:
                found.append(Found(path, "store", "missing" if held is None else "wrong"))
        except StoreError as e:
            found.append(Found(path, "store", "no answer", str(e)))
        seen = await self._seen(path, data)
        return [*found, seen] if seen else found

    def _check_alive(self, looked: int, found: Iterable[Found]) -> None:
        silent = [each for each in found if (each.where, each.flaw) == ("store", "no answer")]
        if len(silent) == looked:
            self._progress("")
            why = silent[0].detail.removeprefix(f"{self._store.name}: ")
            raise StoreError(f"{self._store.name}: does not answer: nothing was compared: {why}")

    async def _seen(self, path: str, data: bytes) -> Found | None:
        if self._fetcher is None:
            return None
        try:
            fetched = await self._fetcher.get(self._public + path, max_bytes=len(data) + MORE)
        except FetchError as e:
            gone = e.kind in ("missing", "gone")
            return Found(path, "public", "missing" if gone else "no answer", str(e))
        return None if fetched and fetched.body == data else Found(path, "public", "wrong")

    def _own(self, path: str) -> bytes | None:
        """Return what the site has; None if it has not, or is changing it just now."""
        try:
            return self._contents.read([path]).get(path)
        except ChangedError:
            return None

    async def repair(self, found: Iterable[Found]) -> list[str]:
        """Write what is missing or wrong at the store again; return which.

        Raises:
            StoreError: it does not keep it.
        """
        paths = sorted({each.path for each in found if each.where == "store"})
        for batch in in_write_order(paths):
            # What never changes is kept as it is, unless it is removed. What may change is not: a
            # place left in between without its checkpoint would have all sent again.
            fixed = [path for path in batch if not _changes(path)]
            for path in fixed:
                await self._store.delete(path)
            if fixed:
                await self._store.flush()
            for path in batch:
                data = self._own(path)
                if data is not None:
                    await self._store.put(path, data)
            await self._store.flush()
        return paths

    async def erase(self) -> int:
        """Remove all files of the site there, what leads to others first; return how many.

        Raises:
            StoreError: some are there still.
        """
        count = 0
        for each in sorted(Stage, reverse=True):
            for _, paths in self._contents.walk([each], after=None):
                for path in paths:
                    await self._store.delete(path)
                await self._store.flush()
                count += len(paths)
                self._progress(f"{self._store.name}: {count} removed")
        self._progress("")
        return count


def forget(db: Database, name: str) -> None:
    """Let it be unknown what a store holds: it is filled anew."""
    with db.transaction():
        db.execute("DELETE FROM copy WHERE name=?", (name,))


def forget_all(db: Database, name: str) -> None:
    """Keep nothing of a store that is no more."""
    with db.transaction():
        for statement in (
            "DELETE FROM copy WHERE name=?",
            "DELETE FROM copy_garbage WHERE name=?",
            "DELETE FROM status WHERE name=?",
            "DELETE FROM status WHERE name=? || ' tested'",
        ):
            db.execute(statement, (name,))


def _changes(path: str) -> bool:
    return is_head(path) or path.endswith(PROOF)
