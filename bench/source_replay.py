"""Half a year of four newsrooms' feeds: how many articles and edits the log then has.

Each snapshot is a cycle at the snapshot's time, with a real database and signer. Parsed in this
process and published to memory: neither changes what is counted.
"""

import asyncio
import re
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from bench.table import Row, show
from mirror import build, init
from mirror.article.feeds.feed import fingerprint
from mirror.article.render.readback import read_back
from mirror.article.text import visible_text
from mirror.box import Refused
from mirror.cycle import Desk, run_cycle
from mirror.errors import FetchError, FormatError
from mirror.fetch import Fetched, Validators
from mirror.formats.note import Note
from mirror.formats.paths import revision_path, short_id
from mirror.formats.record import Doc, parse
from mirror.settings import Settings

T = TypeVar("T")

DATA = Path(__file__).parents[2] / "shared" / "data" / "replay"
EXPECTED = {"bbc": (561, 229), "feed_novaya": (748, 62), "verstka": (81, 4), "meduza": (715, 0)}
"""New articles and edits, counted by another program; meduza's links are all the same."""
WORKERS = 2

_ITEM = re.compile(rb"<item[\s>].*?</item>", re.DOTALL)
_FIGURE = re.compile(r"<figure.*?</figure>", re.DOTALL)
_NAME = [
    re.compile(rb"<%b\b[^>]*>(.*?)</%b>" % (tag, tag), re.DOTALL) for tag in (b"guid", b"link")
]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A feed as it was at `time`."""

    time: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Count:
    """What a reader of all snapshots of a feed has in the end."""

    snapshots: int
    looked_at: int
    """Snapshots that are not the one before but for their date."""
    new: int
    edits: int
    """Of title or text, as the expected ones were counted."""
    pictures: int = 0
    """Edits of nothing but a picture."""
    problems: tuple[str, ...] = ()


class OneFeed:
    """A fetcher that has one feed, as it is now, and nothing else."""

    def __init__(self, url: str) -> None:
        self.url, self.body = url, b""

    async def get(self, url: str, **_: object) -> Fetched:
        """Return the feed."""
        if url != self.url:
            raise FetchError(f"{url}: only the feed is here")
        return Fetched(url, self.body, "application/rss+xml", Validators())


class Here:
    """A box that runs the jobs in this process."""

    async def run(self, job: Callable[..., T], body: bytes, **options: object) -> T | Refused:
        """Return what the box would."""
        try:
            return job(body, **options)
        except FormatError as e:
            return Refused(str(e), killed=False)


class Memory:
    """A store in memory."""

    def __init__(self) -> None:
        self.name = "memory"
        self.kept: dict[str, bytes] = {}

    async def put(self, path: str, data: bytes) -> None:
        """Keep it."""
        self.kept[path] = data

    async def get(self, path: str) -> bytes | None:
        """Return what is kept."""
        return self.kept.get(path)

    async def delete(self, path: str) -> None:
        """Keep it no more."""
        self.kept.pop(path, None)

    async def flush(self) -> None:
        """Nothing here survives anyway."""

    async def reserve(self, size: int) -> None:
        """There is room."""


def run() -> list[Row]:
    """Replay the four feeds, two at a time."""
    if not DATA.is_dir():
        return [Row("replay: the collected data is not beside the repository", "left out")]
    with ProcessPoolExecutor(WORKERS) as pool:
        ours = {name: pool.submit(replayed, DATA / f"{name}.tar.xz") for name in EXPECTED}
        naive = {name: pool.submit(naively, DATA / f"{name}.tar.xz") for name in EXPECTED}
        return [
            row
            for name in EXPECTED
            for row in _rows(name, ours[name].result(), naive[name].result())
        ]


def _rows(name: str, ours: Count, naive: Count) -> Iterator[Row]:
    new, edits = EXPECTED[name]
    off = f"{_off(ours.new, new)}, {_off(ours.edits, edits)}"
    yield Row(
        f"replay of {name}, {ours.snapshots:,} snapshots: new, edits",
        f"{ours.new} / {ours.edits}",
        f"{new} / {edits} ± 1 %: {off}",
    )
    if ours.pictures:
        yield Row("  and edits of nothing but the picture, revisions too", f"{ours.pictures}")
    if ours.problems:
        yield Row(f"  problems, the first: {ours.problems[0]:.60}", f"{len(ours.problems)}")
    yield Row("  snapshots that had to be parsed", f"{ours.looked_at:,}")
    yield Row(
        "  naive: guid or link, an edit is any change of an item",
        f"{naive.new:,} / {naive.edits:,}",
    )


def _off(found: int, expected: int) -> str:
    return f"{(found - expected) / expected:+.1%}" if expected else f"{found - expected:+d}"


def snapshots(archive: Path) -> Iterator[Snapshot]:
    """Yield the snapshots in their order."""
    with tarfile.open(archive, "r|xz") as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file:
                time = Path(member.name).stem.rpartition("_")[2]
                yield Snapshot(int(time), file.read())


def replayed(archive: Path) -> Count:
    """Return what our log has after all snapshots."""
    return asyncio.run(_replayed(archive))


async def _replayed(archive: Path) -> Count:
    url = f"https://{archive.name.partition('.')[0].replace('_', '-')}.example/feed.xml"
    feed = OneFeed(url)
    problems: list[str] = []
    last = b""
    total = looked_at = 0
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
        folder = Path(name) / "mirror"
        init.make(folder, init.Wishes("Replay", "bench.example", [url]), now=_first(archive))
        settings = folder / "mirror.toml"
        async with build.desk(settings, feed_only(settings)) as real:
            poller = replace(real.poller, fetcher=feed, box=Here())  # type: ignore[arg-type]
            site = Memory()
            desk = replace(real, poller=poller, site=site, dag=None)
            for snapshot in snapshots(archive):
                total += 1
                print_ = fingerprint(snapshot.body)
                if print_ == last:  # what a poll would find out, too
                    continue
                last, feed.body = print_, snapshot.body
                looked_at += 1
                summary = await run_cycle(desk, now=partial(int, snapshot.time))
                problems += summary.problems
            return Count(total, looked_at, *counted(desk, site.kept), tuple(problems))


def _first(archive: Path) -> int:
    return next(snapshots(archive)).time


def feed_only(path: Path) -> Settings:
    """Return settings with which the text is that of the feeds and no page is asked for."""
    settings = Settings.load(path)
    feeds = [feed.model_copy(update={"text": "feed"}) for feed in settings.feeds]
    return settings.model_copy(update={"feeds": feeds})


def counted(desk: Desk, kept: Mapping[str, bytes]) -> tuple[int, int, int]:
    """Return how many first revisions the log has, further ones, and those of a picture alone."""
    records = desk.state.records(0, desk.state.log().size)
    found = [parse(Note.parse(record).text) for record in records]
    docs = [doc for doc in found if isinstance(doc, Doc) and doc.t == "doc"]
    later = [(short_id(doc.id), doc.rev) for doc in docs if doc.rev > 1]
    pictures = sum(_words(kept, *each) == _words(kept, each[0], each[1] - 1) for each in later)
    return len(docs) - len(later), len(later) - pictures, pictures


def _words(kept: Mapping[str, bytes], short: str, rev: int) -> tuple[str, str]:
    article = read_back([kept[revision_path(short, rev)]])
    assert article
    return article.title, visible_text(_FIGURE.sub("", " ".join(article.blocks)))


def naively(archive: Path) -> Count:
    """Return what a reader has that looks at the bytes of each item, its dates among them."""
    held: dict[bytes, bytes] = {}
    total = edits = 0
    for snapshot in snapshots(archive):
        total += 1
        for item in _ITEM.findall(snapshot.body):
            name = next((found[1] for tag in _NAME if (found := tag.search(item))), b"")
            digest = sha256(item).digest()
            edits += held.setdefault(name, digest) != digest
            held[name] = digest
    return Count(total, total, len(held), edits)


if __name__ == "__main__":
    for archive in sys.argv[1:]:
        found = replayed(Path(archive))
        show(archive, [Row(f"{found}", "")])
    if not sys.argv[1:]:
        show("replay", run())
