"""One new article among 1,000, 10,000 and 100,000: processor time, bytes and paths.

The archives are made of tiny articles straight through `Signer.append`, in rounds of 256, with a
store that counts and keeps nothing; they stay in a folder of the system's temporary one.
"""

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import corpus, meter
from bench.newsroom import serving
from bench.table import Row
from mirror import build, init
from mirror.article.article import Article
from mirror.article.identity import Identity
from mirror.article.jobs import read_entry, read_feed
from mirror.article.render.page import Masthead
from mirror.cycle import ROUND, publish, run_cycle
from mirror.dag import Dag
from mirror.desk import Desk
from mirror.formats.url import article_id
from mirror.keys import Keys
from mirror.pages.archive import last_written
from mirror.signer import Draft, Signer
from mirror.state import State
from mirror.stores import write
from mirror.stores.dir import DirStore

SIZES = (1_000, 10_000, 100_000)
TIMES = 21  # one article each; medians, and of bytes the mean: pages are written back now and then
FEED_ENTRIES = 30  # of which one is new
CACHE = Path(tempfile.gettempdir()) / "mirror-bench-archives"
ORIGIN = "bench.example"
FULL_TARGET = "≤ 50 ms, flat"
BYTES_TARGET = "≤ 300 kB, flat"


class Counted:
    """A folder as a store, and how many paths and bytes of the site it was given."""

    def __init__(self, store: DirStore) -> None:
        self.store = store
        self.name = store.name
        self.paths = 0

    async def put(self, path: str, data: bytes) -> None:
        """Count it and keep it."""
        self.paths += 1
        await self.store.put(path, data)

    async def get(self, path: str) -> bytes | None:
        """Return what is kept."""
        return await self.store.get(path)

    async def delete(self, path: str) -> None:
        """Keep it no more."""
        await self.store.delete(path)

    async def names(self, folder: str) -> list[str]:
        """Return what is in a folder."""
        return await self.store.names(folder)

    async def flush(self) -> None:
        """Make it durable."""
        await self.store.flush()

    async def reserve(self, size: int) -> None:
        """Return if there is room."""
        await self.store.reserve(size)


def run() -> list[Row]:
    """Add articles to each archive, one at a time."""
    rows = []
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
            folder = Path(name) / "mirror"
            shutil.copytree(archive(size), folder)
            rows += asyncio.run(_published(folder, size))
            rows += _polled(folder, Path(name), size)
    return rows


def archive(size: int) -> Path:
    """Return a mirror's folder with `size` tiny articles, made once."""
    folder = CACHE / str(size)
    if not folder.exists():
        shutil.rmtree(CACHE / "new", ignore_errors=True)
        start = meter.own_cpu_s()
        with signer_in(CACHE / "new", make=True) as signer:
            _fill(signer, size)
        (CACHE / "new").rename(folder)
        print(f"  an archive of {size} made in {meter.own_cpu_s() - start:.0f} s of processor time")
    return folder


@contextmanager
def signer_in(folder: Path, *, make: bool = False) -> Iterator[Signer]:
    if make:
        wishes = init.Wishes("Bench", ORIGIN, ["https://example.org/feed.xml"])
        init.make(folder, wishes, now=int(time.time()))
    keys = Keys.load(folder / "keys", origin=ORIGIN)
    state = State.open(folder / "state.db", origin=ORIGIN)
    root = build.newest_root(folder / "site" / "trust")
    try:
        yield Signer(keys, state, root, Masthead("Bench", ORIGIN, ""), "en")
    finally:
        state.close()


def _fill(signer: Signer, size: int) -> None:
    now = int(time.time()) - 3600
    for start in range(0, size, ROUND):
        drafts = [tiny(number) for number in range(start, min(start + ROUND, size))]
        signer.append(drafts, now=now)
        signer.sign_checkpoint(now=now)
        signer.mark_published(now=now)


def tiny(number: int) -> Draft:
    url = f"https://example.org/tiny/{number}"
    title = corpus.title(number, "en")
    article = Article(url, title, (), "", "en", "ltr", (f"<p>{number}</p>",), partial=False)
    return Draft(article, Identity((f"link {url}",), article_id(url)), "tiny", None)


async def _published(folder: Path, size: int) -> list[Row]:
    """Measure from a clean article to the site: append, sign, publish."""
    spent, site_bytes, sql_bytes, paths = [], [], [], []
    with signer_in(folder) as signer:
        store = Counted(DirStore(folder / "site"))
        dag = Dag(signer.state.db, folder / "site")
        desk = Desk(None, signer, store, dag=dag)  # type: ignore[arg-type]
        await desk.press.settle()
        await _heads(desk)
        for draft in _drafts(range(size, size + TIMES)):
            before, start, wrote = _files(folder), meter.own_cpu_s(), meter.written_bytes()
            store.paths = 0
            signer.append([draft], now=int(time.time()))
            await publish(desk, now=lambda: int(time.time()))
            spent.append(meter.own_cpu_s() - start)
            wrote = meter.written_bytes() - wrote
            site_bytes.append(_new_bytes(before, _files(folder)))
            sql_bytes.append(wrote - site_bytes[-1])
            paths.append(store.paths)
    return [
        Row(f"one among {size:,}: processor time", _ms(spent), FULL_TARGET),
        Row(
            "  bytes written, site with .gz and .br and SQLite",
            _kb(site_bytes, sql_bytes),
            BYTES_TARGET,
        ),
        Row("    the site", _kb(site_bytes)),
        Row("    SQLite", _kb(sql_bytes)),
        Row("  paths of the site", f"{statistics.median(paths):.0f}"),
    ]


async def _heads(desk: Desk) -> None:
    """Let the site show the log, of which no file was kept while it was made."""
    pages = last_written(desk.state.count()).values()
    await write(desk.site, dict.fromkeys(pages, b"made while the archive was"))
    for draft in _drafts([10**6]):
        desk.signer.append([draft], now=int(time.time()))
        await publish(desk, now=lambda: int(time.time()))


def _drafts(numbers: Iterable[int]) -> Iterator[Draft]:
    for number in numbers:
        data = corpus.feed("en", range(number, number + 1))
        found = read_feed(data, url="https://example.org/", content_type="application/rss+xml")
        [entry] = found.entries
        article = read_entry(b"", entry=entry, lang="en")
        yield Draft(article, Identity((f"link {entry.link}",), article_id(entry.link)), "one", None)


def _polled(folder: Path, temporary: Path, size: int) -> list[Row]:
    """Measure whole cycles: fetch a feed of thirty entries, of which one is new."""
    web = temporary / "web"
    web.mkdir()
    with serving(web) as (address, pid):
        settings = folder / "mirror.toml"
        text = settings.read_text().replace(
            "https://example.org/feed.xml", f"http://{address}/feed.xml"
        )
        settings.write_text(
            text.replace("allow_hosts = []", f"allow_hosts = {json.dumps([address])}")
        )
        spent = asyncio.run(_cycles(settings, web, pid))
    return [Row(f"  a whole cycle, {FEED_ENTRIES} entries in the feed, workers too", _ms(spent))]


async def _cycles(settings: Path, web: Path, pid: int) -> Sequence[float]:
    spent = []
    async with build.desk(settings) as desk:
        for time_ in range(TIMES + 1):
            first = 2 * 10**6 + time_
            new = web / "new"
            new.write_bytes(corpus.feed("en", range(first, first + FEED_ENTRIES)))
            new.replace(web / "feed.xml")
            start = meter.own_cpu_s() + meter.workers_cpu_s(without=[pid])
            await run_cycle(desk, now=lambda: int(time.time()))
            spent.append(meter.own_cpu_s() + meter.workers_cpu_s(without=[pid]) - start)
            await asyncio.sleep(1)  # the newsroom's Last-Modified has whole seconds
    return spent[1:]  # the first starts the workers


def _files(folder: Path) -> dict[str, tuple[int, int, int]]:
    found = {}
    for path in (folder / "site").rglob("*"):
        status = path.lstat()
        if path.is_file():
            found[str(path)] = (status.st_ino, status.st_mtime_ns, status.st_size)
    return found


def _new_bytes(
    before: dict[str, tuple[int, int, int]], after: dict[str, tuple[int, int, int]]
) -> int:
    """Return the bytes of new files; one with two names counts once, as it was written once."""
    new = {each for each in after.values() if each not in set(before.values())}
    return sum(size for _, _, size in new)


def _ms(spent: Sequence[float]) -> str:
    return f"{statistics.median(spent) * 1000:.0f} ms"


def _kb(*bytes_: Sequence[int]) -> str:
    totals = [sum(each) for each in zip(*bytes_, strict=True)]
    return f"{statistics.fmean(totals) / 1000:.0f} kB"
