"""Trees of many small files, the copiers that bring them to places, and what these are asked."""

import asyncio
import base64
import hashlib
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import one
from mirror.copier import Copier
from mirror.dag import Dag
from mirror.formats.paths import ID_SIZE, article_folder
from mirror.press import Press
from mirror.signer import Signer
from mirror.stores import Store
from mirror.stores.copies import Copies, Held
from mirror.stores.dir import DirStore


class Counted:
    """A store, and how much was asked of it."""

    def __init__(self, store: Store) -> None:
        self.name = store.name
        self.store = store
        self.whole: bool = getattr(store, "whole", False)
        self.calls = 0

    async def put(self, path: str, data: bytes) -> None:
        """Count it and pass it on, as all below."""
        self.calls += 1
        await self.store.put(path, data)

    async def get(self, path: str) -> bytes | None:
        """Return what is kept."""
        self.calls += 1
        return await self.store.get(path)

    async def delete(self, path: str) -> None:
        """Keep it no more."""
        self.calls += 1
        await self.store.delete(path)

    async def names(self, folder: str) -> list[str]:
        """Return what is in a folder."""
        self.calls += 1
        return await self.store.names(folder)

    async def flush(self) -> None:
        """Make it durable."""
        self.calls += 1
        await self.store.flush()

    async def reserve(self, size: int) -> None:
        """Return if there is room."""
        await self.store.reserve(size)


class Tree:
    """A mirror with one article and so many small files beside, as if they were articles'."""

    def __init__(self, folder: Path, size: int, signer: Signer) -> None:
        self.site = folder / "site"
        self.signer = signer
        self.db = signer.state.db
        self.dag = Dag(self.db, self.site)
        self.size = 0
        for _ in self.dag.rebuilding():
            pass
        for start in range(0, size, 5000):
            self.add(min(5000, size - start))

    def add(self, count: int = 1) -> None:
        """Add small files."""
        numbers = range(self.size, self.size + count)
        files = {_path(n): b"%0200d" % n for n in numbers}
        for path, data in files.items():
            file = self.site / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        with self.db.transaction():
            self.dag.apply(files)
        self.size += count

    async def publish(self, number: int) -> None:
        """Publish a round with one small article."""
        self.signer.append([one.tiny(number)], now=now())
        await Press(self.signer, DirStore(self.site), self.dag).publish(now=now)

    def copier(self, store: Store) -> Copier:
        """Return what brings a store to this site."""
        return Copier(store, self.dag, self.db, now=now)


@contextmanager
def tree_of(folder: Path, size: int) -> Iterator[Tree]:
    """Yield a mirror in `folder`, with one round published."""
    with one.signer_in(folder / "mirror", make=True) as signer:
        tree = Tree(folder / "mirror", size, signer)
        asyncio.run(tree.publish(0))
        yield tree


def filled(tree: Tree, store: Store, folder: Path) -> Counted:
    """Return a store that has the site, as its database knows; its files lie in `folder`."""
    subprocess.run(["/bin/cp", "-rlT", tree.site, folder], check=True)
    generation, root = tree.dag.head()
    with tree.db.transaction():
        Copies(tree.db, store.name).put(Held(generation, bytes(root), 0, now()))
    return Counted(store)


def followed(tree: Tree, store: Counted) -> float:
    """Bring a store to the site; return how many seconds that took."""
    start = time.monotonic()
    asyncio.run(tree.copier(store).follow())
    return time.monotonic() - start


def now() -> int:
    """Return the time in whole seconds."""
    return int(time.time())


def _path(number: int) -> str:
    """Return where a small file lies: spread as articles are."""
    name = base64.b32encode(hashlib.sha256(b"%d" % number).digest()).decode().lower()
    return f"{article_folder(name[:ID_SIZE])}/1.html.sig"
