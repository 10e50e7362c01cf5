"""`mirror fetch`: how long until an article is there and verified while mirrors are dead.

Over loopback, the library's call without the start of a process; the server is another process.
Dead is a mirror whose connections are refused, and one whose connections are taken and never
answered, which a reader cannot tell from a slow one.
"""

import asyncio
import random
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import corpus
from bench.newsroom import HOST, serving
from bench.table import Row
from mirror import build, cycle, init
from mirror.formats.paths import short_of
from mirror.obtain import Wanted, Web, obtain

ARTICLES = 100
RUNS = 40
SIDE_BY_SIDE = 4  # of the slow ones: they mostly wait
MIRRORS = 8
FIRST_DEAD = "≤ 1.5 s"
SEVEN_DEAD = "≤ 6 s"


def run() -> list[Row]:
    """Fetch random articles of a small site, again and again."""
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
        folder, web = Path(name) / "mirror", Path(name) / "web"
        web.mkdir()
        (web / "en.xml").write_bytes(corpus.feed("en", range(ARTICLES)))
        with serving(web) as (address, _):
            asyncio.run(_mirror(folder, address))
        with serving(folder / "site") as (host, _):
            return asyncio.run(_measure(folder, host))


async def _mirror(folder: Path, address: str) -> None:
    wishes = init.Wishes(
        "Bench", "bench.example", [f"http://{address}/en.xml"], allow_hosts=[address]
    )
    init.make(folder, wishes, now=int(time.time()))
    async with build.desk(folder / "mirror.toml") as desk:
        await cycle.run_cycle(desk, now=lambda: int(time.time()))


async def _measure(folder: Path, host: str) -> list[Row]:
    with ExitStack() as stack:
        refusing = [stack.enter_context(_refusing()) for _ in range(MIRRORS - 1)]
        silent = [stack.enter_context(_silent()) for _ in range(MIRRORS - 1)]
        reader = _Reader(folder, host)
        alive = await reader.times([[host]] * RUNS)
        refused = await reader.times([[refusing[0], host]] * RUNS)
        hanging = await reader.times([[silent[0], host]] * RUNS)
        most = await reader.times(_orders(refusing, host))
        worst = await reader.times(_orders(silent, host), side_by_side=SIDE_BY_SIDE)
    return [
        Row("an article by its address, one mirror", _shown(alive)),
        Row("first mirror dead: refuses", _shown(refused), FIRST_DEAD),
        Row("first mirror dead: never answers", _shown(hanging), FIRST_DEAD),
        Row(f"{MIRRORS - 1} of {MIRRORS} dead: refuse", _shown(most), SEVEN_DEAD),
        Row(f"{MIRRORS - 1} of {MIRRORS} dead: never answer", _shown(worst), SEVEN_DEAD),
    ]


class _Reader:
    """Fetches articles of the site in `folder`, which is at `host`."""

    def __init__(self, folder: Path, host: str) -> None:
        self._root = folder / "root" / "1.root.json"
        site = folder / "site"
        found = {short_of(each.relative_to(site).as_posix()) for each in site.rglob("1.html")}
        self._ids = sorted(each for each in found if each)
        self._draw = random.Random(1)
        self._host = host

    async def times(self, orders: Sequence[Sequence[str]], *, side_by_side: int = 1) -> list[float]:
        """Return how long each run took whose mirrors are in one of these orders."""
        left, took = iter(orders), list[float]()

        async def work() -> None:
            for order in left:
                took.append(await self._time(order))

        async with asyncio.TaskGroup() as group:
            for _ in range(side_by_side):
                group.create_task(work())
        return took

    async def _time(self, hosts: Sequence[str]) -> float:
        via = tuple(f"http://{host}/" for host in dict.fromkeys(hosts))
        wanted = Wanted(self._draw.choice(self._ids), root=self._root, via=via)
        start = time.monotonic()
        found = await obtain(wanted, web=Web(hosts), now=lambda: int(time.time()))
        assert found.ok, found
        return time.monotonic() - start


def _orders(dead: Sequence[str], host: str) -> list[list[str]]:
    """Return the living mirror at each place among the dead, several times."""
    places = [place for place in range(MIRRORS) for _ in range(RUNS // MIRRORS)]
    return [[*dead[:place], host, *dead[place:]] for place in places]


def _shown(took: list[float]) -> str:
    p95 = statistics.quantiles(took, n=20)[-1]
    return f"{statistics.median(took):.2f}, p95 {p95:.2f} s"


@contextmanager
def _refusing() -> Iterator[str]:
    with socket.socket() as held:
        held.bind((HOST, 0))
        yield f"{HOST}:{held.getsockname()[1]}"


@contextmanager
def _silent() -> Iterator[str]:
    with socket.create_server((HOST, 0), backlog=128) as taken:
        yield f"{HOST}:{taken.getsockname()[1]}"
