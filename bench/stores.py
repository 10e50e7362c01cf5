"""Stores outside: one change among many files, nothing changed, fifty articles to ten places.

Beside `rclone`, with the same trees, in the same run. Wall clock, on this machine: what a reader
waits for. A call is one of the store's: a flush of many files is one of them, and for object
storage a request for each file; requests are counted where they go over HTTP.
"""

import asyncio
import base64
import hashlib
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import corpus, one, remotes
from bench.newsroom import serving
from bench.table import Row
from mirror import build, init
from mirror.copier import Copier
from mirror.cycle import run_cycle
from mirror.dag import Dag
from mirror.formats.paths import ID_SIZE, INDEX_PROOF, article_folder
from mirror.outside import followers
from mirror.press import Press
from mirror.settings import Settings
from mirror.signer import Signer
from mirror.stores import Store
from mirror.stores.copies import Copies, Held
from mirror.stores.dir import DirStore
from mirror.stores.rclone.run import program

SIZES = (10_000, 100_000)
TIMES = 5  # medians
PLACES, ARTICLES = 10, 50


class Counted:
    """A store, and how much was asked of it."""

    def __init__(self, store: Store) -> None:
        self.name = store.name
        self.store = store
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
        self.signer.append([one.tiny(number)], now=_now())
        await Press(self.signer, DirStore(self.site), self.dag).publish(now=_now)

    def copier(self, store: Store) -> Copier:
        """Return what brings a store to this site."""
        return Copier(store, self.dag, self.db, now=_now)


@contextmanager
def _tree(folder: Path, size: int) -> Iterator[Tree]:
    with one.signer_in(folder / "mirror", make=True) as signer:
        tree = Tree(folder / "mirror", size, signer)
        asyncio.run(tree.publish(0))
        yield tree


def run() -> list[Row]:
    """Measure places of each kind and size, a first upload, then ten folders behind a newsroom."""
    rows: list[Row] = []
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
            rows += _folder(Path(name), size)
        with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
            rows += _served(Path(name), size)
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
        rows += _first(Path(name), SIZES[0])
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
        rows += _many(Path(name))
    return rows


def _folder(folder: Path, size: int) -> list[Row]:
    """Measure a folder that has all but the change, and rclone's copy of the same."""
    with _tree(folder, size) as tree:
        store = _filled(tree, DirStore(folder / "ours", name="ours"), folder / "ours")
        subprocess.run(["/bin/cp", "-rlT", tree.site, folder / "theirs"], check=True)
        what = f"folder with {size:,} files: one more"
        rows = _compared(tree, store, str(folder / "theirs"), tree.add, what=what)
        rows += _compared(tree, store, None, lambda: None, what="  nothing new", most="≤ 1")
        publish = tree.publish
        rows += _compared(
            *(tree, store, None, lambda: asyncio.run(publish(tree.signer.state.count()))),
            what="  a round with one article",
            most="",
        )
    return rows


def _compared(
    tree: Tree,
    store: Counted,
    theirs: str | None,
    change: Callable[[], object],
    *,
    what: str,
    most: str = "≤ 10",
    asked: Callable[[], int] | None = None,
) -> list[Row]:
    """Return how long a change takes, its calls and requests; beside rclone if that has a copy."""
    spent, flat = list[float](), "" if what.startswith(" ") else "flat"
    for _ in range(TIMES):
        change()
        store.calls, before = 0, asked() if asked else 0
        spent.append(_followed(tree, store))
    rows = [Row(what, _ms(spent), flat), Row("    calls of the store", f"{store.calls}", most)]
    if asked:
        rows.append(Row("    requests over HTTP", f"{asked() - before}", most))
        before = asked()
    if theirs:
        rows.append(Row("    rclone sync", _ms([_rclone("sync", tree.site, theirs)])))
        if asked:
            rows.append(Row("      its requests", f"{asked() - before}"))
    return rows


def _served(folder: Path, size: int) -> list[Row]:
    """Measure places behind servers that have all but the change, and rclone's copies there."""
    rows: list[Row] = []
    with _tree(folder, size) as tree:
        for kind in remotes.SERVED:
            with remotes.serving(kind, folder / kind) as there:
                store = _filled(tree, there.store, there.ours)
                subprocess.run(["/bin/cp", "-rlT", tree.site, there.theirs], check=True)
                what = f"{kind} with {size:,} files: one more"
                # Without times to compare, rclone sends all anew: an hour.
                peer, asked = None if kind == "webdav" else there.peer, there.asked
                rows += _compared(tree, store, peer, tree.add, what=what, asked=asked)
                what = "  nothing new"
                rows += _compared(
                    tree, store, None, lambda: None, what=what, most="≤ 1", asked=asked
                )
        store = Counted(remotes.repository(folder))
        rows.append(Row(f"git: first upload of {size:,} files", f"{_followed(tree, store):.1f} s"))
        rows += _compared(tree, store, None, tree.add, what="  one more")
        rows += _compared(tree, store, None, lambda: None, what="  nothing new", most="≤ 1")
    return rows


def _filled(tree: Tree, store: Store, folder: Path) -> Counted:
    """Return a store that has the site, as its database knows; its files lie in `folder`."""
    subprocess.run(["/bin/cp", "-rlT", tree.site, folder], check=True)
    generation, root = tree.dag.head()
    with tree.db.transaction():
        Copies(tree.db, store.name).put(Held(generation, bytes(root), 0, _now()))
    return Counted(store)


def _first(folder: Path, size: int) -> list[Row]:
    """Measure the first upload to object storage."""
    with _tree(folder, size) as tree, remotes.serving("s3", folder) as there:
        theirs = _rclone("copy", tree.site, there.peer)
        ours = _followed(tree, Counted(there.store))
    return [
        Row(f"object storage: first upload of {size:,} files", f"{ours:.1f} s"),
        Row("  rclone copy", f"{theirs:.1f} s"),
        Row("  ours against rclone's", f"{ours / theirs:.2f} ×", "≤ 1.2 ×"),
    ]


def _many(folder: Path) -> list[Row]:
    """Measure from the poll that sees fifty articles until ten folders have them all."""
    web, mirror = folder / "web", folder / "mirror"
    web.mkdir()
    (web / "feed.xml").write_bytes(corpus.feed("en", range(ARTICLES)))
    with serving(web) as (address, _):
        wishes = init.Wishes("Bench", "bench.example", [f"http://{address}/feed.xml"])
        init.make(mirror, wishes, now=_now())
        settings = mirror / "mirror.toml"
        text = settings.read_text().replace(
            "allow_hosts = []", f"allow_hosts = {json.dumps([address])}"
        )
        for number in range(PLACES):
            text += f'\n[[stores]]\nname = "s{number}"\nkind = "folder"\nto = "out/{number}"\n'
        settings.write_text(text)
        spent = asyncio.run(_followed_by_all(settings, web))
    return [
        Row(
            f"{ARTICLES} new articles to {PLACES} folders, from the poll",
            f"{spent:.1f} s",
            "≤ 60 s",
        )
    ]


async def _followed_by_all(path: Path, web: Path) -> float:
    settings = Settings.load(path)
    async with build.desk(path, settings) as desk:
        await run_cycle(desk, now=_now)
        with followers(path, settings, now=_now) as stores:
            works = [asyncio.create_task(each.always(now=_now)) for each in stores]
            await _until_all_have_it(path.parent)
            await asyncio.sleep(1)  # the newsroom's Last-Modified has whole seconds
            (web / "new").write_bytes(corpus.feed("en", range(ARTICLES, 2 * ARTICLES)))
            (web / "new").replace(web / "feed.xml")
            start = time.monotonic()
            summary = await run_cycle(desk, now=_now)
            assert summary.new == ARTICLES
            await _until_all_have_it(path.parent)
            spent = time.monotonic() - start
            for work in works:
                work.cancel()
            await asyncio.wait(works)
    return spent


async def _until_all_have_it(folder: Path) -> None:
    wanted = (folder / "site" / INDEX_PROOF).read_bytes()
    shown = [folder / "out" / str(number) / INDEX_PROOF for number in range(PLACES)]
    for _ in range(10_000):
        if all(each.exists() and each.read_bytes() == wanted for each in shown):
            return
        await asyncio.sleep(0.05)


def _followed(tree: Tree, store: Counted) -> float:
    start = time.monotonic()
    asyncio.run(tree.copier(store).follow())
    return time.monotonic() - start


def _rclone(verb: str, site: Path, to: str) -> float:
    left_out = ("--exclude", "*.gz", "--exclude", "*.br", "--exclude", ".staging/**")
    command = [program(), verb, str(site), str(to), *left_out, "--config", "/dev/null"]
    start = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - start


def _path(number: int) -> str:
    """Return where a small file lies: spread as articles are."""
    name = base64.b32encode(hashlib.sha256(b"%d" % number).digest()).decode().lower()
    return f"{article_folder(name[:ID_SIZE])}/1.html.sig"


def _ms(spent: Sequence[float]) -> str:
    return f"{statistics.median(spent) * 1000:,.0f} ms"


def _now() -> int:
    return int(time.time())
