"""A week of a newsroom of 200 articles a day, with edits and outages, in a minute.

After every cycle the whole site is looked at as a reader would; at the end nothing is lost,
doubled or old.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fakes import Clock, MemoryStore, audited, docs_of, flaws, open_signer
from newsroom import Newsroom, feed, item

from mirror.box import Box
from mirror.daemon import Orders, Time, run
from mirror.desk import Desk
from mirror.fetch import Fetcher
from mirror.formats.paths import CHECKPOINT, article_folder, short_id
from mirror.formats.url import article_id
from mirror.poll import Poller, Source

RSS = "application/rss+xml"
INTERVAL_S = 900
DAY = 24 * 3600
A_DAY = 200
SHOWN = 60  # entries in the feed: more than an outage of six hours brings


class Week:
    """What the newsroom has published by now, and what goes wrong when."""

    def __init__(self, newsroom: Newsroom, store: MemoryStore) -> None:
        self.newsroom, self.store = newsroom, store
        self.dice = random.Random(7)
        self.texts: dict[int, str] = {}

    def publish(self, passed: int) -> None:
        """Let the feed show what it has `passed` seconds after the beginning."""
        for number in range(len(self.texts) + 1, A_DAY * passed // DAY + 1):
            self.texts[number] = f"Story {number}, first told."
        recent = sorted(self.texts)[-SHOWN:]
        for number in recent[-15:]:  # an edit of what leaves the feed in an outage is never seen
            if self.dice.random() < 0.008:
                self.texts[number] = f"Story {number}, told again after {passed} s."
        shown = [item(number, text=self.texts[number]) for number in reversed(recent)]
        self.newsroom.says("/feed", feed(*shown), content_type=RSS)

    def trouble(self, passed: int) -> None:
        """Let what fails at this time of the week fail, and nothing else."""
        day, hour = passed // DAY, passed % DAY // 3600
        if (day, hour // 5) == (1, 2):
            self.newsroom.fails("/feed", 503)
        if (day, hour) == (2, 7):
            self.newsroom.says("/feed", "<h1>Just a moment…</h1>", content_type="text/html")
        if (day, hour) == (2, 9):
            self.newsroom.says("/feed", feed(), content_type=RSS)
        tiles, heads = (day, hour // 3) == (3, 4), (day, hour) == (4, 12)
        self.store.fails = lambda path: (
            (tiles and path.startswith("tile/")) or (heads and path == CHECKPOINT)
        )
        self.store.keeps_when_failing = heads and passed % 1800 == 0
        self.store.room = 1000 if (day, hour) == (5, 3) else None


class Simulation:
    """The daemon on a clock that goes a quarter of an hour with each tick."""

    def __init__(self, folder: Path, week: Week, fetcher: Fetcher, box: Box) -> None:
        self.folder, self.week, self.fetcher, self.box = folder, week, fetcher, box
        self.signer = open_signer(folder)
        self.clock, self.begun, self.steady = Clock(), Clock().now, 0.0
        self.cycles = 0
        self.orders = Orders()
        self.wrong: list[str] = []

    @asynccontextmanager
    async def desks(self) -> AsyncIterator[Desk]:
        source = Source(self.week.newsroom.url("/feed"), "auto")
        poller = Poller([source], "en", self.signer.state, self.fetcher, self.box, 4)
        yield Desk(poller, self.signer, self.week.store, INTERVAL_S)

    async def day(self, number: int) -> None:
        """Run the daemon for a day, then end it and open its database anew."""

        async def ticks() -> AsyncIterator[None]:
            for quarter in range(DAY // INTERVAL_S):
                passed = number * DAY + quarter * INTERVAL_S
                self.week.publish(passed)
                self.week.trouble(passed)
                set_back = 3600 if number == 6 and quarter >= 40 else 0
                self.clock.now, self.steady = self.begun + passed - set_back, passed
                self.week.store.order.clear()
                yield
                self.look()
            self.orders.stop()
            await asyncio.Event().wait()

        self.orders = Orders()
        time = Time(self.clock, lambda: self.steady)
        await run(self.desks, time=time, ticks=ticks, orders=self.orders)
        self.signer.state.close()
        self.signer = open_signer(self.folder)

    def look(self) -> None:
        """See whether a reader with every file before him would find a flaw."""
        self.cycles += 1
        store = self.week.store
        now = self.begun + int(self.steady)
        found = flaws(store.kept, self.signer.root, now=now, changed=store.order)
        self.wrong += [f"after cycle {self.cycles}: {each}" for each in found]


async def test_a_week_of_edits_and_outages_loses_nothing(tmp_path: Path, newsroom: Newsroom):
    store = MemoryStore()
    week = Week(newsroom, store)
    async with (
        Fetcher(allow_hosts=[newsroom.address], timeout_s=5) as fetcher,
        Box(workers=1) as box,
    ):
        simulation = Simulation(tmp_path, week, fetcher, box)
        for number in range(7):
            await simulation.day(number)
    signer = simulation.signer
    docs = [doc for doc in docs_of(signer) if doc.t == "doc"]
    now = simulation.clock.now + 3600
    wrong = await audited(store.kept, signer.root, now=now)
    stale = [number for number, text in week.texts.items() if text not in shown(store, number)]
    signer.state.close()

    assert simulation.cycles == 7 * DAY // INTERVAL_S
    assert simulation.wrong == []
    assert len({doc.n for doc in docs}) == len(week.texts) == A_DAY * 7 - 3
    assert len(docs) > len(week.texts) + 50
    assert (stale, wrong) == ([], [])


def shown(store: MemoryStore, number: int) -> str:
    """Return the page that a reader finds under the article's own address."""
    folder = article_folder(short_id(article_id(f"https://news.example/story/{number}")))
    return store.kept.get(f"{folder}/index.html", b"").decode()
