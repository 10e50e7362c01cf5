"""A poll that finds nothing new: what the server says moves, or it says 304.

Measured in this process from the request, over a connection of its own, to the outcome, beside
aiohttp alone that asks for the same. What a whole cycle adds is in `bench daemon`.
"""

import asyncio
import os
import re
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from bench import corpus, meter
from bench.newsroom import serving
from bench.source_replay import feed_only
from bench.source_sealed import sealed
from bench.table import Row, show
from mirror import build, init
from mirror.cycle import Desk, run_cycle
from mirror.poll import polls

ENTRIES = 30
TEASER = b"<description>%b</description>" % (50 * b"A teaser. ")
POLLS = 200
BEFORE = 20  # polls that are not counted: the first ones open connections
TARGET = "≤ 1 ms"
NOTHING: Callable[[str], None] = lambda _: None  # noqa: E731


class Newsroom:
    """A feed in a folder that is served; `move` makes it new without anything new in it."""

    def __init__(self, web: Path, text: bytes) -> None:
        self.file = web / "feed.xml"
        self.text = text.replace(b"<item>", b"%b<item>", 1)
        self.moves = 0

    def move(self) -> None:
        """Say another `lastBuildDate`, and a minute more in `Last-Modified`."""
        self.moves += 1
        said = f"<lastBuildDate>Mon, 16 Nov 2026 06:30:00 GMT {self.moves}</lastBuildDate>"
        new = self.file.with_suffix(".new")
        new.write_bytes(self.text.replace(b"%b", said.encode(), 1))
        at = 1_795_000_000 + 60 * self.moves
        os.utime(new, (at, at))
        new.replace(self.file)


def run() -> list[Row]:
    """Poll a feed of thirty teasers again and again, and one of thirty whole articles."""
    full = corpus.feed("ru", range(ENTRIES))
    brief = re.sub(rb"<content:encoded>.*?</content:encoded>", TEASER, full)
    return [row for text in (brief, full) for row in _rows(text)]


def _rows(text: bytes) -> list[Row]:
    with sealed(), _newsroom(text) as (folder, newsroom, address):
        return asyncio.run(_measured(folder, newsroom, address))


@contextmanager
def _newsroom(text: bytes) -> Iterator[tuple[Path, Newsroom, str]]:
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
        web = Path(name) / "web"
        web.mkdir()
        newsroom = Newsroom(web, text)
        newsroom.move()
        with serving(web) as (address, _):
            yield Path(name) / "mirror", newsroom, address


async def _measured(folder: Path, newsroom: Newsroom, address: str) -> list[Row]:
    url = f"http://{address}/feed.xml"
    wishes = init.Wishes("Bench", "bench.example", [url], allow_hosts=[address])
    init.make(folder, wishes, now=int(time.time()))
    settings = folder / "mirror.toml"
    async with build.desk(settings, feed_only(settings)) as desk, aiohttp.ClientSession() as plain:
        await run_cycle(desk, now=lambda: int(time.time()))

        async def alone() -> None:
            async with plain.get(url) as answer:
                await answer.read()

        moved = await _spent(lambda: _poll(desk), before=newsroom.move)
        peer = await _spent(alone, before=newsroom.move)
        await run_cycle(desk, now=lambda: int(time.time()))  # keeps what the server said last
        same = await _spent(lambda: _poll(desk), before=lambda: None)
    size = newsroom.file.stat().st_size
    return [
        Row(f"a poll of {size // 1000} kB, only its date moved", f"{moved:.2f} ms", TARGET),
        Row("  peer: aiohttp alone asks for the same", f"{peer:.2f} ms"),
        Row("  ours beyond it: guard, limits, fingerprint, database", f"{moved - peer:.2f} ms"),
        Row("  a poll, 304", f"{same:.2f} ms", TARGET),
    ]


async def _poll(desk: Desk) -> None:
    async for outcomes in polls(desk.poller, desk.poller.sources, NOTHING, now=int(time.time())):
        assert all(poll.same for poll in outcomes), outcomes


async def _spent(act: Callable[[], Awaitable[None]], *, before: Callable[[], None]) -> float:
    """Return the median of the processor time that `act` takes, in milliseconds."""
    spent = []
    for _ in range(POLLS):
        before()
        start = meter.own_cpu_s()
        await act()
        spent.append(meter.own_cpu_s() - start)
    return statistics.median(spent[BEFORE:]) * 1000


if __name__ == "__main__":
    show("poll", run())
