"""The daemon with 100,000 articles: memory and idle processor time, an unchanged poll, the loop.

Memory is the proportional share of all its processes (PSS), the built-in server included.
"""

import asyncio
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bench import corpus, meter, one
from bench.newsroom import serving
from bench.table import Row
from mirror import build
from mirror.cycle import run_cycle

SIZE = 100_000
SETTLED_S, IDLE_S = 10.0, 40.0
POLLS = 100
ENTRIES = 50  # new articles of the cycle in which the event loop is watched
CYCLES = 5


def run() -> list[Row]:
    """Measure with one archive, copied."""
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
        folder, web = Path(name) / "mirror", Path(name) / "web"
        shutil.copytree(one.archive(SIZE), folder)
        web.mkdir()
        (web / "feed.xml").write_bytes(corpus.feed("en", range(ENTRIES)))
        with serving(web) as (address, _):
            _settle(folder, address)
            asyncio.run(_cycle(folder / "mirror.toml"))
            return [
                *_resident(folder),
                *asyncio.run(_polls(folder / "mirror.toml")),
                *asyncio.run(_watched(folder / "mirror.toml", web)),
            ]


def _settle(folder: Path, address: str) -> None:
    settings = folder / "mirror.toml"
    text = settings.read_text().replace(
        "https://example.org/feed.xml", f"http://{address}/feed.xml"
    )
    text = text.replace("allow_hosts = []", f"allow_hosts = {json.dumps([address])}")
    settings.write_text(f"{text}\n[serve]\nport = 18080\n" if "[serve]" not in text else text)


async def _cycle(settings: Path) -> None:
    async with build.desk(settings) as desk:
        await one._heads(desk)
        await run_cycle(desk, now=_now)


def _resident(folder: Path) -> Iterator[Row]:
    command = [sys.executable, "-m", "mirror", "run", "-c", str(folder / "mirror.toml")]
    log = (folder / "log").open("wb")
    with log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            time.sleep(SETTLED_S)
            before, start = _cpu_s(process.pid), time.monotonic()
            time.sleep(IDLE_S)
            used = (_cpu_s(process.pid) - before) / (time.monotonic() - start)
            sizes = {pid: _pss(pid) for pid in _family(process.pid)}
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)
    total = sum(sizes.values())
    yield Row(f"run with {SIZE:,} articles: memory", f"{total / 1e6:.0f} MB", "≤ 200 MB")
    for size in sizes.values():
        yield Row("  of which a process", f"{size / 1e6:.0f} MB")
    yield Row("  idle processor time", f"{used * 100:.2f} %", "< 1 %")


async def _polls(settings: Path) -> list[Row]:
    spent = []
    async with build.desk(settings) as desk:
        for _ in range(POLLS):
            start = meter.own_cpu_s()
            summary = await run_cycle(desk, now=_now)
            spent.append(meter.own_cpu_s() - start)
    assert summary.feeds_unchanged == 1
    found = f"{statistics.median(spent) * 1000:.1f} ms"
    return [Row("an unchanged poll, the whole cycle", found, "≤ 5 ms")]


async def _watched(settings: Path, web: Path) -> list[Row]:
    """Measure how long the event loop is away in cycles of fifty new articles."""
    longest = []
    async with build.desk(settings) as desk:
        for number in range(CYCLES):
            first = 3 * 10**6 + number * ENTRIES
            new = web / "new"
            new.write_bytes(corpus.feed("en", range(first, first + ENTRIES)))
            new.replace(web / "feed.xml")
            gaps: list[float] = []
            watch = asyncio.create_task(_heartbeat(gaps))
            summary = await run_cycle(desk, now=_now)
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
            assert summary.new == ENTRIES
            longest.append(max(gaps))
            await asyncio.sleep(1)  # the newsroom's Last-Modified has whole seconds
    found = f"{statistics.median(longest) * 1000:.0f} ms"
    worst = f"{max(longest) * 1000:.0f} ms"
    return [
        Row(f"event loop away in a cycle of {ENTRIES} articles, longest", found, "≤ 50 ms"),
        Row(f"  the worst of {CYCLES} cycles", worst),
    ]


async def _heartbeat(gaps: list[float]) -> None:
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.001)
        now = time.monotonic()
        gaps.append(now - last - 0.001)
        last = now


def _family(pid: int) -> list[int]:
    found = [pid]
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            found += _family(int(child))
    return found


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) * 1024


def _cpu_s(pid: int) -> float:
    total = 0.0
    for each in _family(pid):
        fields = Path(f"/proc/{each}/stat").read_bytes().rpartition(b") ")[2].split()
        total += (int(fields[11]) + int(fields[12])) * meter.TICK_S
    return total


def _now() -> int:
    return int(time.time())
