"""Archives: pages of a feed's past and sitemaps, a step a cycle, whatever ends a step."""

import gzip
from collections.abc import AsyncIterator, Iterator, Sequence

import newsroom as newsrooms
import pytest
import pytest_asyncio
from fakes import Clock, MemoryStore, audited, docs_of, open_signer
from fetch_servers import FakeResolver
from hypothesis import given
from hypothesis import strategies as st
from newsroom import Item, Newsroom, feed, item, page

from mirror.article.entry import Entry
from mirror.article.identity import Identity
from mirror.backfill import (
    MAX_MISSED,
    PAUSE_S,
    TRIES,
    Backfills,
    Document,
    Order,
    Wanted,
    owner_of,
)
from mirror.box import Box
from mirror.cycle import run_cycle
from mirror.desk import Desk, Summary, to_do
from mirror.errors import StoreError
from mirror.fetch import Fetcher
from mirror.hold import Hold
from mirror.poll import Poller, Source, archive
from mirror.recheck import Rechecks
from mirror.signer import Signer

RSS, XML = "application/rss+xml", "application/xml"
BOUND = 200  # cycles: more than any of these archives takes


class Mirror:
    """A mirror of one feed, whose operator orders archives."""

    def __init__(self, signer: Signer, fetcher: Fetcher, box: Box, newsroom: Newsroom) -> None:
        self.signer, self.fetcher, self.box, self.newsroom = signer, fetcher, box, newsroom
        self.store, self.clock = MemoryStore(), Clock()

    def desk(self) -> Desk:
        poller = Poller(
            *([Source(self.newsroom.url("/feed"), "auto")], "en", self.signer.state),
            *(self.fetcher, self.box, 4),
            hosts=frozenset(["127.0.0.1"]),
        )
        return Desk(poller, self.signer, self.store, recheck=True)

    @property
    def backfills(self) -> Backfills:
        return Backfills(self.signer.state.db)

    def ask(self, path: str, *, since: str = "") -> None:
        with self.signer.state.transaction():
            feed_, now = self.newsroom.url("/feed"), self.clock.now
            self.backfills.ask(self.newsroom.url(path), feed_, since=since, now=now)

    def order(self, path: str) -> Order:
        found = self.backfills.find(self.newsroom.url(path))
        assert found is not None
        return found

    async def cycle(self, *, polls: bool = False) -> Summary:
        return await run_cycle(self.desk(), now=self.clock, due=None if polls else [])

    async def step(self) -> Summary | None:
        """Run a cycle when the first order goes on; None if none does."""
        pending = [each for each in self.backfills.rows() if not each.done]
        if not pending:
            return None
        self.clock.now = max(self.clock.now, min(each.at for each in pending))
        return await self.cycle()

    async def fill(self, path: str) -> Order:
        """Run cycles until the archive is mirrored."""
        for _ in range(BOUND):
            if await self.step() is None:
                return self.order(path)
        raise AssertionError("it never ends")

    @property
    def titles(self) -> list[str]:
        """Of all articles, in the order of their numbers."""
        docs = [doc for doc in docs_of(self.signer) if doc.t == "doc"]
        assert [doc.rev for doc in docs] == [1] * len(docs)
        return [each.title for each in self.signer.state.articles(0, len(docs))]

    async def wrong(self) -> list[str]:
        return await audited(self.store.kept, self.signer.root, now=self.clock.now)


@pytest_asyncio.fixture(loop_scope="module")
async def mirror(signer: Signer, newsroom: Newsroom, box: Box) -> AsyncIterator[Mirror]:
    async with Fetcher(allow_hosts=[newsroom.address], timeout_s=5) as fetcher:
        yield Mirror(signer, fetcher, box, newsroom)


pytestmark = pytest.mark.asyncio(loop_scope="module")


def says_page(newsroom: Newsroom, path: str, items: Sequence[Item], older: str = "") -> None:
    """Let a path answer with some of a feed's entries, and where older ones are."""
    link = (
        f'<a:link xmlns:a="http://www.w3.org/2005/Atom" rel="prev-archive" href="{older}"/>'
        if older
        else ""
    )
    newsroom.says(path, feed(*items).replace("<channel>", f"<channel>{link}"), content_type=RSS)


def says_archive(newsroom: Newsroom, pages: int, each: int) -> None:
    """Let `/feed` be the newest of some pages of full-text entries, the newest entry first."""
    for number in range(pages):
        first = (pages - number - 1) * each + 1
        items = [item(n) for n in range(first, first + each)][::-1]
        older = f"/feed/{number + 1}" if number + 1 < pages else ""
        says_page(newsroom, f"/feed/{number}" if number else "/feed", items, older)


def stories(count: int, start: int = 1) -> list[str]:
    return [f"Story number {number}" for number in range(start, start + count)]


def sitemap(*urls: str, dates: Sequence[str] = ()) -> str:
    days = [*dates, *[""] * len(urls)]
    rows = (
        f"<url><loc>{url}</loc>{f'<lastmod>{day}</lastmod>' if day else ''}</url>"
        for url, day in zip(urls, days, strict=False)
    )
    return (
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">' + "".join(rows) + "</urlset>"
    )


def index_of(*urls: str) -> str:
    rows = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    return (
        f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</sitemapindex>'
    )


def says_stories(newsroom: Newsroom, count: int, start: int = 1) -> list[str]:
    """Let there be pages of articles; return their addresses."""
    numbers = range(start, start + count)
    return [newsroom.says(f"/story/{n}", page(f"Story number {n}", text=str(n))) for n in numbers]


# A feed's archive.


async def test_an_archive_is_numbered_from_its_oldest_entry_on(mirror: Mirror, newsroom: Newsroom):
    says_archive(newsroom, 5, 20)
    mirror.ask("/feed")
    order = await mirror.fill("/feed")

    assert mirror.titles == stories(100)
    assert (order.looked, order.pages, order.total, order.entries, order.new) == (
        5,
        5,
        100,
        100,
        100,
    )
    assert not order.left
    assert order.problem == ""
    assert await mirror.wrong() == []


@pytest.mark.parametrize("at", range(10))
@pytest.mark.parametrize("kept", [False, True])
async def test_a_step_that_is_cut_short_is_done_again_and_doubles_nothing(
    mirror: Mirror, newsroom: Newsroom, at: int, kept: bool
):
    says_archive(newsroom, 5, 3)
    mirror.ask("/feed")
    for _ in range(at):
        await mirror.step()
    mirror.store.fails = lambda path: path == "checkpoint"
    mirror.store.keeps_when_failing = kept
    writes = at >= 5  # before, the archive is only looked through
    if writes:
        with pytest.raises(StoreError):
            await mirror.step()
    mirror.store = MemoryStore(mirror.store.kept)
    await mirror.fill("/feed")

    assert mirror.titles == stories(15)
    assert await mirror.wrong() == []


async def test_a_crash_between_publishing_and_remembering_doubles_nothing(
    mirror: Mirror, newsroom: Newsroom
):
    says_archive(newsroom, 3, 4)
    mirror.ask("/feed")
    while not (order := mirror.order("/feed")).done:
        await mirror.step()
        with mirror.signer.state.transaction():
            mirror.backfills.put(order)
        await mirror.step()

    assert mirror.titles == stories(12)
    assert await mirror.wrong() == []


async def test_what_a_poll_published_is_passed_over_and_what_is_new_comes_too(
    mirror: Mirror, newsroom: Newsroom
):
    says_archive(newsroom, 3, 4)
    await mirror.cycle(polls=True)
    mirror.ask("/feed")
    order = await mirror.fill("/feed")

    assert mirror.titles == [*stories(4, start=9), *stories(8)]
    assert (order.entries, order.new) == (12, 8)


async def test_an_archive_that_shifts_while_it_is_read_loses_no_article(
    mirror: Mirror, newsroom: Newsroom
):
    says_archive(newsroom, 3, 4)
    mirror.ask("/feed")
    for _ in range(4):  # looked through, and the oldest page read
        await mirror.step()
    # One article more: each page's last moves to the page before it, which the oldest was.
    says_page(newsroom, "/feed", [item(n) for n in (13, 12, 11, 10)], "/feed/1")
    says_page(newsroom, "/feed/1", [item(n) for n in (9, 8, 7, 6)], "/feed/2")
    says_page(newsroom, "/feed/2", [item(n) for n in (5, 4, 3, 2)], "/feed/3")
    order = await mirror.fill("/feed")

    assert sorted(mirror.titles) == sorted(stories(13))
    assert not order.left


async def test_only_entries_since_a_date_come_and_older_pages_are_not_asked(
    mirror: Mirror, newsroom: Newsroom
):
    for number in range(4):
        items = [
            item(10 * (4 - number) + n, date=f"{n + 1:02} {month} 2026 10:00:00 GMT")
            for month in [("Nov", "Oct", "Sep", "Aug")[number]]
            for n in (3, 2, 1)
        ]
        path = f"/feed/{number}" if number else "/feed"
        says_page(newsroom, path, items, f"/feed/{number + 1}" if number < 3 else "")
    mirror.ask("/feed", since="2026-10-03")
    await mirror.fill("/feed")

    assert mirror.titles == [f"Story number {n}" for n in (32, 33, 41, 42, 43)]
    assert "/feed/3" not in newsroom.asked


async def test_teasers_of_an_archive_are_read_on_their_pages_some_in_a_step(
    mirror: Mirror, newsroom: Newsroom
):
    count = archive.PAGES + 4
    urls = says_stories(newsroom, count)
    items = [
        Item(f"Story number {n}", url, f"urn:{n}", teaser="What it is about.")
        for n, url in enumerate(urls, 1)
    ]
    says_page(newsroom, "/feed", [item(100)], "/feed/1")
    says_page(newsroom, "/feed/1", items[::-1])
    mirror.ask("/feed")
    steps = []
    while (summary := await mirror.step()) is not None:
        steps.append(summary.new)

    assert steps == [0, 0, 0, archive.PAGES, 4, 1]
    assert mirror.titles == [*stories(count), "Story number 100"]
    assert mirror.order("/feed").entries == count + 1


async def test_pages_of_an_archive_are_asked_again_late_and_four_times(
    mirror: Mirror, newsroom: Newsroom
):
    [url] = says_stories(newsroom, 1)
    newsroom.says("/sitemap.xml", sitemap(url), content_type=XML)
    mirror.ask("/sitemap.xml")
    await mirror.fill("/sitemap.xml")
    plans, began = Rechecks(mirror.signer.state.db), mirror.clock.now
    first = plans.next_due()
    while (due := plans.next_due()) is not None:
        mirror.clock.now = due
        await mirror.cycle()

    assert first is not None
    assert first - began > 24 * 3600
    assert newsroom.asked.count("/story/1") == 1 + 4


# What must not be followed.


async def test_a_chain_that_leads_in_a_circle_ends_and_says_so(mirror: Mirror, newsroom: Newsroom):
    says_page(newsroom, "/feed", [item(3)], "/feed/1")
    says_page(newsroom, "/feed/1", [item(2)], "/feed/2")
    says_page(newsroom, "/feed/2", [item(1)], "/feed/1")
    mirror.ask("/feed")
    order = await mirror.fill("/feed")

    assert mirror.titles == stories(3)
    assert "/feed/2: leads in a circle, to " in order.problem


async def test_a_circle_of_empty_pages_ends_too(mirror: Mirror, newsroom: Newsroom):
    says_page(newsroom, "/feed", [], "/feed/1")
    says_page(newsroom, "/feed/1", [], "/feed/2")
    says_page(newsroom, "/feed/2", [], "/feed")
    mirror.ask("/feed")
    order = await mirror.fill("/feed")

    assert newsroom.asked == ["/feed", "/feed/1", "/feed/2"]
    assert "leads in a circle" in order.problem


async def test_a_chain_without_an_end_is_followed_so_far(
    mirror: Mirror, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(archive, "MAX_DOCUMENTS", 3)
    says_archive(newsroom, 6, 1)
    mirror.ask("/feed")
    order = await mirror.fill("/feed")

    assert mirror.titles == stories(3, start=4)
    assert "the rest is left out: more than 3 pages" in order.problem
    assert "/feed/3" not in newsroom.asked


async def test_a_chain_is_not_followed_to_another_host(mirror: Mirror, newsroom: Newsroom):
    says_page(newsroom, "/feed", [item(1)], "http://localhost:9/archive")
    mirror.ask("/feed")
    order = await mirror.fill("/feed")

    assert mirror.titles == stories(1)
    assert "none of the newsroom's: http://localhost:9/archive" in order.problem


async def test_a_page_that_redirects_to_another_host_is_not_read(
    signer: Signer, newsroom: Newsroom, box: Box
):
    other = f"other.example:{newsroom.address.rpartition(':')[2]}"
    says_page(newsroom, "/theirs", [item(66)])
    says_page(newsroom, "/feed", [item(1)], "/feed/1")
    to = {"Location": f"http://{other}/theirs"}
    newsroom.answers["/feed/1"] = newsrooms.Answer(status=302, headers=to)
    resolver = FakeResolver(other_example=["127.0.0.1"])
    async with Fetcher(allow_hosts=[newsroom.address, other], resolver=resolver) as fetcher:
        mirror = Mirror(signer, fetcher, box, newsroom)
        mirror.ask("/feed")
        order = await mirror.fill("/feed")

    assert "/theirs" in newsroom.asked
    assert mirror.titles == stories(1)
    assert "leads to a host that is none of the newsroom's" in order.problem


async def test_indexes_in_one_another_end(mirror: Mirror, newsroom: Newsroom):
    for depth in range(8):
        newsroom.says(f"/{depth}.xml", index_of(newsroom.url(f"/{depth + 1}.xml")))
    mirror.ask("/0.xml")
    order = await mirror.fill("/0.xml")

    assert f"more than {archive.MAX_DEPTH} indexes" in order.problem
    assert newsroom.asked == [f"/{depth}.xml" for depth in range(archive.MAX_DEPTH + 1)]


async def test_what_is_neither_feed_nor_sitemap_is_said_and_ends_it(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.says("/about", "<html><body>About us</body></html>")
    mirror.ask("/about")
    order = await mirror.fill("/about")

    assert order.left
    assert "wrong kind" in order.problem


# What cannot be had.


async def test_a_page_that_is_gone_costs_only_what_is_behind_it(mirror: Mirror, newsroom: Newsroom):
    says_archive(newsroom, 5, 2)
    kept = newsroom.answers.pop("/feed/2")
    mirror.ask("/feed")
    order = await mirror.fill("/feed")
    titles = mirror.titles
    asked = newsroom.asked.count("/feed/2")
    newsroom.answers["/feed/2"] = kept
    mirror.ask("/feed")
    resumed = await mirror.fill("/feed")

    assert titles == stories(4, start=7)
    assert (order.left, asked) == (True, 2)
    assert "status 404" in order.problem
    assert mirror.titles == [*stories(4, start=7), *stories(6)]
    assert (resumed.left, resumed.problem) == (False, "")


async def test_a_page_that_fails_is_asked_ever_more_rarely_and_then_the_rest_goes_on(
    mirror: Mirror, newsroom: Newsroom
):
    says_archive(newsroom, 3, 2)
    mirror.ask("/feed")
    await mirror.step()
    kept = newsroom.answers["/feed/1"]
    newsroom.fails("/feed/1")
    waits, before = [], mirror.clock.now
    for _ in range(TRIES):
        await mirror.step()
        waits.append(mirror.clock.now - before)
        before = mirror.clock.now
    stopped = await mirror.fill("/feed")
    titles = mirror.titles
    newsroom.answers["/feed/1"] = kept
    mirror.ask("/feed")
    order = await mirror.fill("/feed")

    assert waits == [PAUSE_S, 30, 90, 270, 810]
    assert newsroom.asked.count("/feed/1") == 2 * TRIES + 2
    assert (stopped.left, "status 503" in stopped.problem) == (True, True)
    assert (titles, mirror.titles) == (stories(2, start=5), [*stories(2, start=5), *stories(4)])
    assert not order.left


async def test_pages_that_always_fail_do_not_keep_the_rest_from_being_read(
    mirror: Mirror, newsroom: Newsroom
):
    bad = [newsroom.fails(f"/bad/{number}") for number in range(archive.PAGES)]
    first = newsroom.says("/1.xml", sitemap(*bad, dates=["2026-01-01"] * len(bad)))
    good = says_stories(newsroom, 2)
    second = newsroom.says("/2.xml", sitemap(*good, dates=["2026-02-01"] * 2))
    newsroom.says("/sitemap.xml", index_of(first, second))
    mirror.ask("/sitemap.xml")
    stopped = await mirror.fill("/sitemap.xml")
    before = mirror.titles
    mirror.ask("/sitemap.xml")
    order = await mirror.fill("/sitemap.xml")

    assert (before, stopped.left) == ([], True)
    assert (mirror.titles, order.left) == (stories(2), True)


async def test_a_server_that_asks_for_an_hour_has_it(mirror: Mirror, newsroom: Newsroom):
    newsroom.answers["/feed"] = newsrooms.Answer(b"", 429, {"Retry-After": "3600"})
    mirror.ask("/feed")
    await mirror.step()
    mirror.ask("/feed")

    assert mirror.order("/feed").at == mirror.clock.now + 3600


async def test_pages_that_ask_for_an_hour_have_it_and_are_all_read_after_it(
    mirror: Mirror, newsroom: Newsroom
):
    urls = says_stories(newsroom, archive.FEW + 3)
    paths = [url.removeprefix(newsroom.url("")) for url in urls]
    for path in paths:
        newsroom.answers[path] = newsrooms.Answer(b"", 429, {"Retry-After": "3600"})
    newsroom.says("/sitemap.xml", sitemap(*urls), content_type=XML)
    mirror.ask("/sitemap.xml")
    for _ in range(3):
        await mirror.step()
    asked = [path for path in newsroom.asked if path in paths]
    rests = mirror.order("/sitemap.xml").at - mirror.clock.now
    says_stories(newsroom, archive.FEW + 3)
    await mirror.fill("/sitemap.xml")

    assert rests == 3600
    assert len(asked) <= 4
    assert sorted(mirror.titles) == sorted(stories(archive.FEW + 3))


async def test_pages_that_fail_are_asked_once_more_at_the_end_and_trouble_no_feed(
    mirror: Mirror, newsroom: Newsroom
):
    urls = says_stories(newsroom, 5)
    newsroom.fails("/story/2")
    newsroom.fails("/story/3", 404)
    newsroom.says("/sitemap.xml", sitemap(*urls), content_type=XML)
    mirror.ask("/sitemap.xml")
    order = await mirror.fill("/sitemap.xml")
    asked = newsroom.asked
    counts = asked.count("/story/2"), asked.count("/story/3")
    says_stories(newsroom, 3)
    mirror.ask("/sitemap.xml")
    again = await mirror.fill("/sitemap.xml")

    assert counts == (2, 1)
    assert (order.entries, order.new, order.failed, len(order.missed)) == (4, 3, 1, 1)
    assert mirror.desk().memory.quarantine.rows() == []
    assert mirror.titles == [f"Story number {n}" for n in (1, 4, 5, 2)]
    assert (again.entries, again.left) == (5, False)


async def test_a_site_all_of_whose_pages_fail_is_left_alone_for_a_while(
    mirror: Mirror, newsroom: Newsroom
):
    urls = says_stories(newsroom, archive.FEW + 3)
    for url in urls:
        newsroom.fails(url.removeprefix(newsroom.url("")))
    newsroom.says("/sitemap.xml", sitemap(*urls), content_type=XML)
    mirror.ask("/sitemap.xml")
    for _ in range(3):
        await mirror.step()
    rests = mirror.order("/sitemap.xml").at - mirror.clock.now
    says_stories(newsroom, archive.FEW + 3)
    order = await mirror.fill("/sitemap.xml")

    assert rests == 30
    assert mirror.titles == stories(archive.FEW + 3)
    assert not order.left


async def test_what_finds_no_room_is_met_again(
    mirror: Mirror, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.hold.MAX_WAITING", 4)
    says_archive(newsroom, 1, 6)
    hold = Hold(mirror.signer.state.db)
    with mirror.signer.state.transaction():
        hold.switch_on("hold", now=mirror.clock.now)
    mirror.ask("/feed")
    for _ in range(4):
        await mirror.step()
    stuck = mirror.order("/feed")
    monkeypatch.setattr("mirror.hold.MAX_WAITING", 100)
    with mirror.signer.state.transaction():
        hold.switch_off()
    await mirror.fill("/feed")
    await mirror.cycle()

    assert (stuck.pages, stuck.done) == (0, 0)
    assert sorted(mirror.titles) == sorted(stories(6))


# Sitemaps.


async def test_sitemaps_of_an_index_are_read_the_oldest_first(mirror: Mirror, newsroom: Newsroom):
    urls = says_stories(newsroom, 20)
    days = [f"2026-{month:02}-{day:02}" for month in (9, 10) for day in range(1, 11)]
    new = sitemap(*urls[10:][::-1], "https://other.example/x", dates=days[10:][::-1])
    old = gzip.compress(sitemap(*urls[:10], dates=days[:10]).encode())
    first = newsroom.says("/new.xml", new, content_type=XML)
    second = newsroom.says("/old.xml.gz", old, content_type="application/gzip")
    newsroom.says("/sitemap.xml", index_of(first, second), content_type=XML)
    mirror.ask("/sitemap.xml")
    order = await mirror.fill("/sitemap.xml")

    assert mirror.titles == stories(20)
    assert (order.looked, order.total, order.entries, order.foreign) == (3, 20, 20, 1)
    assert await mirror.wrong() == []


@pytest.mark.parametrize("at", range(9))
async def test_a_sitemap_that_is_cut_short_at_any_step_brings_the_same(
    mirror: Mirror, newsroom: Newsroom, at: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(archive, "PART", 5)
    monkeypatch.setattr(archive, "PAGES", 3)
    newsroom.says("/sitemap.xml", sitemap(*says_stories(newsroom, 12)), content_type=XML)
    mirror.ask("/sitemap.xml")
    for _ in range(at):
        await mirror.step()
    mirror.store.fails = lambda path: path == "checkpoint"
    with pytest.raises(StoreError):
        for _ in range(3):
            await mirror.step()
    mirror.store = MemoryStore(mirror.store.kept)
    order = await mirror.fill("/sitemap.xml")

    assert mirror.titles == stories(12)
    assert (order.entries, order.left) == (12, False)
    assert await mirror.wrong() == []


async def test_no_address_is_passed_over_when_others_leave_the_sitemap(
    mirror: Mirror, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(archive, "PART", 4)
    urls = says_stories(newsroom, 10)
    newsroom.says("/sitemap.xml", sitemap(*urls), content_type=XML)
    mirror.ask("/sitemap.xml")
    for _ in range(3):
        await mirror.step()
    newsroom.says("/sitemap.xml", sitemap(*urls[2:]), content_type=XML)
    await mirror.fill("/sitemap.xml")

    assert mirror.titles == stories(10)


async def test_known_articles_of_a_sitemap_are_not_asked_for(mirror: Mirror, newsroom: Newsroom):
    urls = says_stories(newsroom, 3)
    shown = Item("Story number 2", urls[1], "urn:2", teaser="What it is about.")
    newsroom.says("/feed", feed(shown), content_type=RSS)
    await mirror.cycle(polls=True)
    newsroom.says("/sitemap.xml", sitemap(*urls), content_type=XML)
    mirror.ask("/sitemap.xml")
    order = await mirror.fill("/sitemap.xml")

    assert mirror.titles == [f"Story number {n}" for n in (2, 1, 3)]
    assert newsroom.asked.count("/story/2") == 1
    assert (order.entries, order.new) == (3, 2)


async def test_pages_that_robots_may_not_ask_for_are_not(
    signer: Signer, newsroom: Newsroom, box: Box
):
    newsroom.says("/robots.txt", "User-agent: *\nDisallow: /story/2\n", content_type="text/plain")
    newsroom.says("/sitemap.xml", sitemap(*says_stories(newsroom, 3)), content_type=XML)
    async with Fetcher(allow_hosts=[newsroom.address], timeout_s=5, robots=True) as fetcher:
        mirror = Mirror(signer, fetcher, box, newsroom)
        mirror.ask("/sitemap.xml")
        order = await mirror.fill("/sitemap.xml")

    assert mirror.titles == [f"Story number {n}" for n in (1, 3)]
    assert "/story/2" not in newsroom.asked
    assert (order.failed, order.left) == (1, False)


# The orders.


async def test_a_step_is_something_to_do_only_when_its_time_has_come(
    mirror: Mirror, newsroom: Newsroom
):
    says_archive(newsroom, 2, 1)
    await mirror.cycle(polls=True)
    now = mirror.clock.now
    before = to_do(mirror.desk(), now=now)
    mirror.ask("/feed")
    asked = to_do(mirror.desk(), now=now)
    await mirror.cycle()

    assert (before, asked) == (None, [])
    assert to_do(mirror.desk(), now=now) is None
    assert to_do(mirror.desk(), now=now + PAUSE_S) == []
    assert mirror.backfills.is_due(now=now - 7 * 24 * 3600)  # noted by a clock that ran ahead


async def test_an_order_that_is_cancelled_during_its_step_stays_so(mirror: Mirror):
    mirror.ask("/feed")
    order = mirror.order("/feed")
    with mirror.signer.state.transaction():
        cancelled = mirror.backfills.cancel(order.url)
        mirror.backfills.put(order)

    assert cancelled
    assert mirror.backfills.rows() == []


async def test_an_order_of_a_feed_that_is_configured_no_more_ends(
    mirror: Mirror, newsroom: Newsroom
):
    with mirror.signer.state.transaction():
        mirror.backfills.ask("http://127.0.0.1/x", "http://127.0.0.1/gone", now=mirror.clock.now)
    await mirror.step()
    [order] = mirror.backfills.rows()

    assert (order.done > 0, order.left, newsroom.asked) == (True, True, [])
    assert "not in the settings" in order.problem


async def test_a_damaged_order_is_removed_and_harms_nothing(mirror: Mirror):
    mirror.ask("/feed")
    with mirror.signer.state.transaction():
        mirror.signer.state.db.execute("UPDATE backfill SET next='x'")
    shown = mirror.backfills.rows()
    await mirror.cycle()
    due = mirror.backfills.is_due(now=mirror.clock.now)
    mirror.ask("/feed")

    assert (shown, due) == ([], False)
    assert mirror.order("/feed").left


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ENTRIES = st.builds(
    Entry, *[TEXTS] * 3, st.just(()), TEXTS, TEXTS, st.booleans(), TEXTS, TEXTS, st.just(("a",))
)
WANTED = st.builds(
    Wanted, ENTRIES, st.builds(Identity, st.tuples(TEXTS), st.binary()), st.binary(), st.booleans()
)
DOCUMENTS = st.builds(Document, TEXTS, st.integers(0, 9), st.integers(0, 9), TEXTS, TEXTS)
ORDERS = st.builds(
    Order,
    st.just("https://news.example/"),
    TEXTS,
    *(TEXTS, st.sampled_from(["", "feed", "sitemap"])),
    *[st.lists(DOCUMENTS, max_size=3).map(tuple)] * 2,
    *[st.lists(WANTED, max_size=3).map(tuple)] * 2,
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    signer = open_signer(tmp_path_factory.mktemp("kept"))
    yield signer
    signer.state.close()


@given(ORDERS)
@pytest.mark.asyncio(loop_scope="module")
async def test_an_order_is_kept_as_it_is(kept: Signer, order: Order):
    backfills = Backfills(kept.state.db)
    with kept.state.transaction():
        backfills.ask(order.url, "", now=0)
        backfills.put(order)

    assert backfills.find(order.url) == order


async def test_more_missed_pages_than_are_kept_are_counted():
    entry = Entry("g", "", "", (), "", "", full=False, lang="")
    one = Wanted(entry, Identity(("k",), b""), b"", archived=True)
    order = Order("u", "s").with_missed([one] * (MAX_MISSED + 3))

    assert (len(order.missed), order.failed) == (MAX_MISSED, 3)


async def test_an_archive_is_the_feeds_that_its_address_is_most_like():
    feeds = ["https://a.example/rss", "https://b.example/ru/feed", "https://b.example/en/feed"]

    assert owner_of("https://b.example/en/feed?paged=2", feeds) == feeds[2]
    assert owner_of("https://b.example/ru/x", feeds) == feeds[1]
    assert owner_of("https://c.example/sitemap.xml", feeds) == feeds[0]
