"""Pages through the real box: how many a second, and whether the event loop waits meanwhile."""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import meter
from bench.away import watched
from bench.table import Row, show
from bench.text import page_bytes
from mirror.article.feeds.feed import Entry
from mirror.article.jobs import read_page
from mirror.box import Box, Refused

DATA = Path(__file__).parents[2] / "shared" / "data" / "pages"
WORKERS = 2
PAGES = 200  # in all, from both folders in turn
RATE = "≥ 25 /s"
PARALLEL = 4  # pages asked for at once, as the settings have it


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was served, and its address."""

    body: bytes
    url: str


def run() -> list[Row]:
    """Read pages with two workers at once."""
    if not DATA.is_dir():
        return [Row("box: the collected data is not beside the repository", "left out")]
    both = zip(*map(_pages, ("scrapinghub", "fundus")), strict=False)
    pages = list(itertools.islice(itertools.chain.from_iterable(both), PAGES))
    return asyncio.run(_measured(pages))


def _pages(folder: str) -> Iterator[Page]:
    truth = json.loads((DATA / folder / "ground-truth.json").read_text())
    for name, expected in sorted(truth.items()):
        yield Page(page_bytes(DATA / folder / "html", name), expected.get("url", ""))


async def _measured(pages: Sequence[Page]) -> list[Row]:
    async with Box(workers=WORKERS) as box:
        await _read(box, pages[:WORKERS])  # starts the workers
        async with watched() as away:
            start, used = time.monotonic(), meter.workers_cpu_s()
            refused = await _read(box, pages)
            wall, used = time.monotonic() - start, meter.workers_cpu_s() - used
    return [
        Row(f"pages through the box, {WORKERS} workers", f"{len(pages) / wall:.0f} /s", RATE),
        Row("  if both cores were theirs alone", f"{len(pages) / used * WORKERS:.0f} /s"),
        Row("  pages, refused", f"{len(pages)}, {refused}"),
        *away.rows("  meanwhile"),
    ]


async def _read(box: Box, pages: Sequence[Page]) -> int:
    """Return how many of the pages are refused."""
    gate = asyncio.Semaphore(PARALLEL)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_one(box, page, gate)) for page in pages]
    return sum(task.result() for task in tasks)


async def _one(box: Box, page: Page, gate: asyncio.Semaphore) -> bool:
    entry = Entry("", page.url, "", (), "", "", full=False, lang="")
    async with gate:
        made = await box.run(
            *(read_page, page.body), entry=entry, url=page.url, content_type="text/html", lang=""
        )
    return isinstance(made, Refused)


if __name__ == "__main__":
    show("box", run())
