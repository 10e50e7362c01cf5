"""A real site with its tree, and copiers of it to any place: what tests of stores outside share."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fakes import NOW, Clock, audited, draft, flaws, identity, open_signer

from mirror.copier import Copier
from mirror.dag import Dag
from mirror.database import Database
from mirror.formats.paths import INDEX_PROOF
from mirror.formats.root import Root, trust_files
from mirror.press import Press
from mirror.signer import Signer
from mirror.stores import Store
from mirror.stores.dir import DirStore
from mirror.withdrawal import Withdrawals

NOW_AFTER = NOW + 600  # after all rounds of a test


async def no_time(_: float) -> None:
    """Sleep for no time."""


class Stop(BaseException):
    """The process was killed."""


class Counted:
    """A store outside that counts what is asked of it, and does as it is told before each."""

    def __init__(self, store: Store, before: Callable[[str, str], None] | None = None) -> None:
        self.name = store.name
        self.store = store
        self.asked: list[tuple[str, str]] = []
        self._before = before

    def _count(self, what: str, path: str = "") -> None:
        self.asked.append((what, path))
        if self._before:
            self._before(what, path)

    def of(self, what: str) -> list[str]:
        """Return the paths of one kind of call."""
        return [path for each, path in self.asked if each == what]

    async def put(self, path: str, data: bytes) -> None:
        self._count("put", path)
        await self.store.put(path, data)

    async def get(self, path: str) -> bytes | None:
        self._count("get", path)
        return await self.store.get(path)

    async def delete(self, path: str) -> None:
        self._count("delete", path)
        await self.store.delete(path)

    async def names(self, folder: str) -> list[str]:
        self._count("names", folder)
        return await self.store.names(folder)

    async def flush(self) -> None:
        self._count("flush")
        await self.store.flush()

    async def reserve(self, size: int) -> None:
        await self.store.reserve(size)


@dataclass
class Site:
    """A log, its site in a folder and the site's tree, as a daemon has them."""

    folder: Path
    signer: Signer
    dag: Dag
    beside: Database
    clock: Clock = field(default_factory=Clock)

    @property
    def store(self) -> DirStore:
        return DirStore(self.folder)

    @property
    def press(self) -> Press:
        return Press(self.signer, self.store, self.dag)

    async def publish(self, *numbers: int, text: str = "") -> None:
        """Publish a round with these stories, or their next revisions."""
        self.clock.now += 60
        drafts = [draft(self.signer, number, text=text) for number in numbers]
        assert self.signer.append(drafts, now=self.clock()) == {}
        await self.press.publish(now=self.clock)

    async def put(self, files: Mapping[str, bytes]) -> None:
        """Put pages or heads that belong to no round."""
        await self.press.put(files)

    async def remove(self, *paths: str) -> None:
        """Remove files as the site does when their time has come."""
        with self.signer.state.transaction():
            self.dag.apply(dict.fromkeys(paths))
        for path in paths:
            await self.store.delete(path)

    async def withdraw(self, number: int) -> str:
        """Withdraw a story; return its short id."""
        self.clock.now += 60
        held = self.signer.state.find(identity(number).keys)
        assert held
        with self.signer.state.transaction():
            Withdrawals(self.signer.state.db).ask(held.short, "legal", now=self.clock())
        assert await self.press.withdraw(now=self.clock) == []
        return held.short

    def copier(self, store: Store, **options: object) -> Copier:
        """Return what a process that has just begun makes of a place."""
        dag = Dag(self.beside, self.folder)
        chosen = {"now": self.clock, "sleep": no_time, **options}
        return Copier(store, dag, self.beside, **chosen)  # type: ignore[arg-type]

    def files(self) -> dict[str, bytes]:
        """Return the site as it is."""
        found = {each.relative_to(self.folder).as_posix(): each for each in self.folder.rglob("*")}
        return {
            path: each.read_bytes()
            for path, each in sorted(found.items())
            if each.is_file() and each.suffix not in (".gz", ".br") and path[0] != "."
        }

    def differs(self, read: Callable[[str], bytes | None]) -> list[str]:
        """Return the paths at which a reader of a place gets anything but the site."""
        return [path for path, data in self.files().items() if read(path) != data]

    def flaws(self, read: Callable[[str], bytes | None], paths: Iterable[str]) -> list[str]:
        """Return what is missing or wrong for whoever believes the heads and proofs of a place."""
        found = {path: read(path) for path in paths}
        held = {path: data for path, data in found.items() if data is not None}
        return flaws(held, self.signer.root, now=self.clock())

    async def verdicts(self, files: Mapping[str, bytes]) -> Sequence[str]:
        """Return every verdict but valid of `mirror verify`, as far as a place has heads."""
        return await self.judged(files, self.signer.root, now=self.clock())

    @staticmethod
    async def judged(files: Mapping[str, bytes], trusted: Root, *, now: int) -> Sequence[str]:
        """Do so for the holder of a root.

        Between the pages for people and the index that follows them, one may be a revision ahead.
        """
        if INDEX_PROOF not in files:
            return flaws(files, trusted, now=now)
        found = await audited(files, trusted, now=now)
        return [line for line in found if not line.endswith("no copy of the newest revision")]


@asynccontextmanager
async def making(folder: Path, *, stories: int = 3) -> AsyncIterator[Site]:
    """Yield a site with some stories, published in one round."""
    signer = open_signer(folder / "operator")
    dag = Dag(signer.state.db, folder / "site")
    beside = Database.beside(signer.state.db.path, origin=signer.keys.origin)
    try:
        trust = folder / "site" / "trust"
        trust.mkdir(parents=True)
        for name, data in trust_files(signer.root).items():
            (trust / name).write_bytes(data)
        made = Site(folder / "site", signer, dag, beside)
        await made.press.settle()
        await made.publish(*range(stories))
        yield made
    finally:
        beside.close()
        signer.state.close()
