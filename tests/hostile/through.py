"""An item's way through the box to published pages, as a cycle takes it, and what that cost."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hostile.corpus import Item
from hostile.meter import MIB, Asker, Meter
from mirror.article import jobs
from mirror.article.article import Article
from mirror.article.feeds.chosen import Choice
from mirror.article.feeds.feed import Entry, Feed
from mirror.article.feeds.fields import AS_IT_SAYS, Fields, Reading
from mirror.article.render.page import Masthead, render
from mirror.box import Box, Refused
from mirror.errors import FormatError
from mirror.poll.entries import BATCH, BATCH_CHARS

T = TypeVar("T")

MASTHEAD = Masthead("The Harbour", "mirror.example/harbour", "https://harbour.example/")
ID = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
URL = "https://news.example/feed"
GIVEN = {
    "picture": {"url": "https://a.example/1.jpg", "large_px": 1600},
    "sitemap": {"url": "https://a.example/1.xml", "choice": Choice(("a.example",), most=1000)},
}
PARTNER = Reading(
    Fields(
        entry="story",
        link="url",
        guid="story@code",
        title="head",
        html="text",
        authors="by",
        published="day",
        tags="topic",
        picture="image@src",
    )
)


@dataclass(slots=True)
class Outcome:
    """What became of an item: its pages, the sentences why there are no more, and the cost."""

    name: str
    articles: list[Article] = field(default_factory=list)
    pages: list[bytes] = field(default_factory=list)
    webps: list[bytes] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    killed: int = 0
    wall_s: float = 0.0
    """Of its longest job, which is what the box limits."""
    cpu_s: float = 0.0
    """Of all its jobs."""
    growth: int = 0
    """Of the worker, in bytes."""
    asker_growth: int = 0
    """Of the process that asks it, with what was read."""

    @property
    def growth_mib(self) -> tuple[float, float]:
        return round(self.growth / MIB), round(self.asker_growth / MIB)


class Way:
    """Takes items through a box of one worker, which a meter watches."""

    def __init__(self, box: Box, meter: Meter | None = None) -> None:
        self._box = box
        self._meter = meter or Meter()
        self._known: dict[str, Outcome] = {}

    async def through(self, item: Item) -> Outcome:
        """Return what becomes of an item, which is taken through once."""
        outcome = Outcome(f"{item.kind}-{item.name}")
        if outcome.name in self._known:
            return self._known[outcome.name]
        ways = {"page": self._page, "picture": self._asset, "sitemap": self._asset}
        body = item.make()
        with Asker() as asker:
            await ways.get(item.kind, self._feed)(item, body, outcome)
        outcome.asker_growth = asker.growth + len(body)
        return self._known.setdefault(outcome.name, outcome)

    async def _feed(self, item: Item, body: bytes, outcome: Outcome) -> None:
        more = {"reading": PARTNER if item.kind == "partner" else AS_IT_SAYS}
        parsed = await self._run(
            jobs.read_feed, body, outcome, url=URL, content_type=item.content_type, **more
        )
        if not isinstance(parsed, Feed):
            return
        for some in _batches(parsed.entries):
            made = await self._run(jobs.read_entries, b"", outcome, entries=some, lang="en")
            if made is None:
                made = tuple(
                    [
                        await self._run(jobs.read_entry, b"", outcome, entry=e, lang="en")
                        for e in some
                    ]
                )
            for one in made:
                _publish(one, outcome)

    async def _page(self, item: Item, body: bytes, outcome: Outcome) -> None:
        entry = Entry("1", URL, "", (), "", "", full=False, lang="")
        options = {"entry": entry, "url": URL, "content_type": item.content_type, "lang": "en"}
        told = await self._run(jobs.read_page, body, outcome, **options)
        _publish(getattr(told, "article", None), outcome)

    async def _asset(self, item: Item, body: bytes, outcome: Outcome) -> None:
        job = getattr(jobs, f"read_{item.kind}")
        made = await self._run(job, body, outcome, **GIVEN[item.kind])
        for webp in (getattr(made, "webp", b""), getattr(made, "large", b"")):
            if webp:
                outcome.webps.append(webp)

    async def _run(
        self, job: Callable[..., T], body: bytes, outcome: Outcome, **options: object
    ) -> T | None:
        """Return a job's answer, None for a refusal; starting a worker is not counted."""
        url = "https://a.example/"
        await self._box.run(jobs.read_feed, b"", url=url, content_type="")
        self._meter.warm()
        with self._meter:
            start = time.perf_counter()
            answer = await self._box.run(job, body, **options)
            outcome.wall_s = max(outcome.wall_s, time.perf_counter() - start)
        outcome.cpu_s += self._meter.cpu_s
        outcome.growth = max(outcome.growth, self._meter.growth)
        if isinstance(answer, Refused):
            outcome.refused.append(answer.reason)
            outcome.killed += answer.killed
            return None
        return answer


def _batches(entries: Sequence[Entry]) -> list[tuple[Entry, ...]]:
    batches: list[list[Entry]] = [[]]
    for entry in entries:
        size = sum(len(each.html) for each in batches[-1]) + len(entry.html)
        if batches[-1] and (len(batches[-1]) == BATCH or size > BATCH_CHARS):
            batches.append([])
        batches[-1].append(entry)
    return [tuple(batch) for batch in batches if batch]


def render_of(*blocks: str) -> bytes:
    """Return the page of an article of `blocks`, whoever made them."""
    article = Article("https://news.example/1", "x", (), "", "en", "ltr", blocks, partial=False)
    [page] = render(article, masthead=MASTHEAD, rev=1, id_hex=ID)
    return page


def _publish(made: Article | str | None, outcome: Outcome) -> None:
    if isinstance(made, str):
        outcome.refused.append(made)
    if not isinstance(made, Article):
        return
    try:
        outcome.pages += render(made, masthead=MASTHEAD, rev=1, id_hex=ID)
        outcome.articles.append(made)
    except FormatError as e:
        outcome.refused.append(str(e))
