"""Full-text feeds to a signed site on disk: articles per second of processor time."""

import asyncio
import gzip
import os
import tempfile
import time
from pathlib import Path

import brotli
import feedparser

from bench import corpus, meter
from bench.newsroom import serving
from bench.table import Row
from mirror import build, cycle, decide, edition, init, signer
from mirror.article.jobs import read_entry, read_feed
from mirror.formats import ed25519
from mirror.signer import Signer
from mirror.state import State
from mirror.stores.dir import DirStore

ENTRIES = 500  # of a feed
LANGS = ("en", "ru", "fa", "de")
TARGET = "≥ 300 /s/core"


def run() -> list[Row]:
    """Mirror four feeds of 500 articles in one cycle."""
    feeds = {lang: corpus.feed(lang, range(ENTRIES)) for lang in LANGS}
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
        folder = Path(name)
        web = folder / "web"
        web.mkdir()
        (web / "first.xml").write_bytes(corpus.feed("en", range(10_000, 10_001)))
        for lang, data in feeds.items():
            (web / f"{lang}.full").write_bytes(data)
        with serving(web) as (address, pid):
            rows = asyncio.run(_cycles(folder / "mirror", web, address, pid))
    return rows + _alone(feeds)


async def _cycles(folder: Path, web: Path, address: str, pid: int) -> list[Row]:
    urls = [f"http://{address}/{lang}.xml" for lang in ("first", *LANGS)]
    wishes = init.Wishes("Bench", "bench.example", urls, allow_hosts=[address])
    init.make(folder, wishes, now=int(time.time()))
    async with build.desk(folder / "mirror.toml") as desk:
        await cycle.run_cycle(desk, now=lambda: int(time.time()))  # warms the workers up
        for lang in LANGS:
            (web / f"{lang}.full").replace(web / f"{lang}.xml")
        parts = _timed()
        start, own, workers = (
            time.monotonic(),
            meter.own_cpu_s(),
            meter.workers_cpu_s(without=[pid]),
        )
        summary = await cycle.run_cycle(desk, now=lambda: int(time.time()))
        own, workers = meter.own_cpu_s() - own, meter.workers_cpu_s(without=[pid]) - workers
        wall = time.monotonic() - start
        parts.close()
    done = summary.new
    rows = [
        Row(
            "articles, full text in the feed → signed on disk",
            f"{done / (own + workers):.0f} /s",
            TARGET,
        ),
        Row("  articles in one cycle, problems", f"{done}, {len(summary.problems)}"),
        Row("  wall clock, this machine", f"{done / wall:.0f} /s"),
        Row("  workers: parse and clean, with the JSON between", _each(workers, done)),
        Row("  this process", _each(own, done)),
    ]
    known = sorted(parts.spent_s.items(), key=lambda each: -each[1])
    rows += [Row(f"    {part}", _each(spent, done)) for part, spent in known]
    rest = own - sum(parts.spent_s.values())
    return [*rows, Row("    the rest: event loop, fetch, decide", _each(rest, done))]


def _timed() -> meter.Parts:
    parts = meter.Parts()
    parts.time(ed25519, "sign", "sign")
    parts.time(signer, "render", "render")
    parts.time(gzip, "compress", "gzip")
    parts.time(brotli, "compress", "brotli")
    parts.time(os, "fsync", "fsync")
    for name in ("put_article", "put_outbox", "add_aliases", "add_leaves", "put_tiles", "outbox",
                 "records", "put_seen", "mark_published", "articles", "nodes", "holder", "count",
                 "find", "seen", "read_tile", "newest"):  # fmt: skip
        parts.time(State, name, "sql")
    parts.time(DirStore, "_write", "files: create, rename, compare")
    parts.time(Signer, "append", "append: records, index, tree")
    parts.time(edition, "unsigned_files", "bundles and tiles")
    parts.time(edition, "signed_files", "proofs and pages")
    parts.time(decide, "decide_all", "decide")
    return parts


def _alone(feeds: dict[str, bytes]) -> list[Row]:
    """Measure the two jobs of the workers, and plain feedparser, on the same bytes."""
    start = time.process_time()
    parsed = [
        read_feed(data, url=f"https://example.org/{lang}.xml", content_type="application/rss+xml")
        for lang, data in feeds.items()
    ]
    parse = time.process_time() - start
    entries = [entry for feed in parsed for entry in feed.entries]
    start = time.process_time()
    for entry in entries:
        read_entry(b"", entry=entry, lang="en")
    clean = time.process_time() - start
    start = time.process_time()
    for data in feeds.values():
        feedparser.parse(data)
    plain = time.process_time() - start
    return [
        Row("  job read_feed alone (parse)", _each(parse, len(entries))),
        Row("  job read_entry alone (clean)", _each(clean, len(entries))),
        Row("  peer: feedparser as it comes, parse only", _each(plain, len(entries))),
    ]


def _each(spent_s: float, count: int) -> str:
    return f"{spent_s / count * 1000:.2f} ms each"
