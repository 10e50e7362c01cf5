"""The longest and the worst that a poll may meet: does the event loop wait meanwhile?

Whole cycles with a mirror's own folder and database; and each file of the hostile corpus through
the box. Takes some minutes: files that hang are killed after nine seconds.
"""

import asyncio
import importlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from bench import corpus
from bench.away import Away, watched
from bench.newsroom import serving
from bench.source_replay import feed_only
from bench.source_sealed import sealed
from bench.table import Row, show
from mirror import build, daemon, init
from mirror.backfill import Backfills
from mirror.box import Box
from mirror.cycle import run_cycle
from mirror.desk import Desk

TESTS = Path(__file__).parents[1] / "tests"
HEAD = '<rss version="2.0"><channel><title>Large</title><link>https://a.example/</link>'
END = "</channel></rss>"
MAX_BYTES = 8 << 20  # of a feed, as the fetcher takes it
URLS, STEPS = 50_000, 3  # of a sitemap; looked through, listed, and some of its pages asked for
GROWTH, WALL = "≤ 64 MiB", "≤ 10 s"


def run() -> list[Row]:
    """Poll each large feed, fill in from a sitemap, and read all hostile files."""
    with sealed():
        rows = [row for name, make in FEEDS.items() for row in _polled(name, make())]
        return [*rows, *_filled_in(), *asyncio.run(_hostile())]


def _articles() -> str:
    return corpus.feed("ru", range(500)).decode()


def _items() -> str:
    return HEAD + "".join(f"<item><title>{n}</title></item>" for n in range(200_000)) + END


def _head() -> str:
    return HEAD + "<ttl>" * (MAX_BYTES // 5 - 100) + END


def _quotes() -> str:
    text = escape("<p>" + '"Aye," said he. ' * 900 + "</p>")
    item = "<item><title>{}</title><description>{}</description></item>"
    return HEAD + "".join(item.format(n, text) for n in range(330)) + END


FEEDS: dict[str, Callable[[], str]] = {
    "500 articles": _articles,
    "a feed of 8 MB in quotation marks": _quotes,
    "a feed's head of 8 MB": _head,
    "200,000 entries": _items,
}


def _polled(name: str, text: str) -> list[Row]:
    return asyncio.run(_measured(name, text, "", steps=1))


def _filled_in() -> list[Row]:
    page = "<url><loc>http://{}/{}</loc><lastmod>2026-11-16</lastmod></url>"
    pages = "".join(page.format("{host}", n) for n in range(URLS))
    return asyncio.run(_measured(f"a sitemap of {URLS:,}", _items(), pages, steps=STEPS))


async def _measured(name: str, feed: str, pages: str, *, steps: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as folder:
        web = Path(folder) / "web"
        web.mkdir()
        with serving(web) as (host, _):
            (web / "feed.xml").write_text(feed)
            (web / "sitemap.xml").write_text(f"<urlset>{pages}</urlset>".replace("{host}", host))
            url = f"http://{host}/feed.xml"
            wishes = init.Wishes("Bench", "bench.example", [url], allow_hosts=[host])
            init.make(Path(folder) / "mirror", wishes, now=int(time.time()))
            settings = Path(folder) / "mirror" / "mirror.toml"
            async with build.desk(settings, feed_only(settings)) as desk:
                away = await _cycles(desk, f"http://{host}" if pages else "", steps=steps)
    return away.rows(name)


async def _cycles(desk: Desk, site: str, *, steps: int) -> Away:
    now = int(time.time())
    if site:
        with desk.state.transaction():
            asked, feed = f"{site}/sitemap.xml", f"{site}/feed.xml"
            Backfills(desk.state.db).ask(asked, feed, since="", now=now)
    daemon.set_apart()
    async with watched() as away:
        for step in range(steps):
            later = now + 60 * step
            await run_cycle(desk, now=lambda at=later: at, due=[] if site else None)
    return away


async def _hostile() -> list[Row]:
    sys.path.append(str(TESTS))
    items = importlib.import_module("hostile.corpus").items()
    outcomes: list[Any] = []
    async with Box(workers=1) as box, watched() as away:
        way = importlib.import_module("hostile.through").Way(box, _meter(away))
        for item in items:
            outcomes.append(await way.through(item))
    return [*away.rows(f"each of {len(items)} hostile files"), *_worst(outcomes)]


def _meter(away: Away) -> Any:  # noqa: ANN401  of the tests, which are no package
    """Return a meter by which the loop is watched only while the box is asked."""
    meter: Any = importlib.import_module("hostile.meter").Meter

    class Watching(meter):  # type: ignore[misc]
        def __enter__(self) -> object:
            away.begin()
            return super().__enter__()

        def __exit__(self, *error: object) -> None:
            away.end()
            super().__exit__(*error)

    return Watching()


def _worst(outcomes: Sequence[Any]) -> list[Row]:
    worker, asker = (max(each.growth_mib[n] for each in outcomes) for n in (0, 1))
    wall_s = max(each.wall_s for each in outcomes)
    return [
        Row("  growth of a worker, most", f"{worker} MiB", GROWTH),
        Row("  growth of the daemon, most", f"{asker} MiB", GROWTH),
        Row("  done or killed, longest", f"{wall_s:.1f} s", WALL),
        Row("  killed", f"{sum(each.killed for each in outcomes)}"),
    ]


if __name__ == "__main__":
    show("loop", run())
