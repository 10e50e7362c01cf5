"""`mirror verify DIR`: articles per second of processor time."""

import asyncio
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from bench import corpus, meter
from bench.newsroom import serving
from bench.table import Row
from mirror import build, cycle, init
from mirror.check import check
from mirror.check.report import Report

ARTICLES = 1000
TIMES = 3
TARGET = "≥ 1,000 /s/core"


def run() -> list[Row]:
    """Verify a site of a thousand articles; minisign checks the first hundred of them."""
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
        folder, web = Path(name) / "mirror", Path(name) / "web"
        web.mkdir()
        for lang in ("en", "ru"):
            (web / f"{lang}.xml").write_bytes(corpus.feed(lang, range(ARTICLES // 2)))
        with serving(web) as (address, _):
            asyncio.run(_mirror(folder, address))
        spent = []
        for _ in range(TIMES):
            start = meter.own_cpu_s()
            report = asyncio.run(_check(folder))
            spent.append(meter.own_cpu_s() - start)
        rate = len(report.articles) / statistics.median(spent)
        rows = [
            Row("articles of a folder, verified with log and catalogue", f"{rate:.0f} /s", TARGET),
            Row("  articles, all valid", f"{len(report.articles)}, {report.ok}"),
        ]
        return rows + _minisign(folder)


async def _mirror(folder: Path, address: str) -> None:
    urls = [f"http://{address}/{lang}.xml" for lang in ("en", "ru")]
    wishes = init.Wishes("Bench", "bench.example", urls, allow_hosts=[address])
    init.make(folder, wishes, now=int(time.time()))
    async with build.desk(folder / "mirror.toml") as desk:
        await cycle.run_cycle(desk, now=lambda: int(time.time()))


async def _check(folder: Path) -> Report:
    return await check(
        str(folder / "site"),
        root=folder / "root" / "1.root.json",
        remember=None,
        now=lambda: int(time.time()),
        fetcher=None,
    )


def _minisign(folder: Path) -> list[Row]:
    if not shutil.which("minisign"):
        return [Row("  peer: minisign -V", "not installed")]
    public = folder / "site" / "trust" / "minisign.pub"
    pages = sorted((folder / "site").rglob("1.html"))[:100]
    start = meter.children_cpu_s()
    for page in pages:
        subprocess.run(["minisign", "-Vqm", page, "-p", public], check=True)
    rate = len(pages) / (meter.children_cpu_s() - start)
    return [Row("  peer: minisign -V, one process a file, signature only", f"{rate:.0f} /s")]
