"""What the agenda knows after real polls: when each feed is asked again, where, and that it rests.

Each poll is a cycle as the daemon runs it, on a clock that only the test moves.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate

import newsroom as newsrooms
import pytest
import pytest_asyncio
from fakes import NOW, Clock, MemoryStore
from newsroom import Newsroom, feed, item

from mirror.agenda import BACK_OFF_S, DAY_S, SIGHTINGS, Asked
from mirror.box import Box
from mirror.cycle import run_cycle
from mirror.desk import Desk, Summary, to_do
from mirror.errors import StoreError
from mirror.fetch import Fetched, Fetcher
from mirror.memory import LEASE_S
from mirror.poll import Poller, Source
from mirror.signer import Signer

pytestmark = pytest.mark.asyncio(loop_scope="module")

RSS = "application/rss+xml"
SHORTEST_S, LONGEST_S = 200, 1600
HOUR_S, WEEK_S = 3600, 7 * DAY_S
SILENCE_S = 2 * HOUR_S
FEED, MOVED = "/feed", "/rss"


class Mirror:
    """A mirror whose feeds are asked when they are due, and not before."""

    def __init__(self, signer: Signer, fetcher: Fetcher, box: Box, newsroom: Newsroom) -> None:
        self.signer, self.fetcher, self.box, self.newsroom = signer, fetcher, box, newsroom
        self.store, self.clock = MemoryStore(), Clock()
        self.paths, self.hosts = [FEED], frozenset(["127.0.0.1"])
        self.jitter: Callable[[], float] = lambda: 0.0

    def desk(self) -> Desk:
        poller = Poller(
            *([Source(self.newsroom.url(path), "auto") for path in self.paths], "en"),
            *(self.signer.state, self.fetcher, self.box, 4),
            hosts=self.hosts,
        )
        pace = {"shortest_s": SHORTEST_S, "interval_s": LONGEST_S}
        return Desk(poller, self.signer, self.store, **pace, jitter=self.jitter)

    async def tick(
        self, *, later_s: int = 0, progress: Callable[[str], None] = lambda _: None
    ) -> Summary | None:
        """Do what a daemon does at a stroke of its clock."""
        self.clock.now += later_s
        desk = self.desk()
        due = to_do(desk, now=self.clock.now)
        return due and await run_cycle(desk, now=self.clock, due=due, progress=progress)

    async def once(self) -> Summary:
        """Ask all feeds, due or not, as an operator may."""
        return await run_cycle(self.desk(), now=self.clock)

    async def waits(self, polls: int) -> list[int]:
        """Ask the feed whenever it is due; return how long it then rests, in seconds."""
        found = []
        for _ in range(polls):
            self.clock.now = max(self.clock.now, self.known().due)
            await self.tick()
            found.append(self.known().due - self.clock.now)
        return found

    def known(self, path: str = FEED) -> Asked:
        return self.desk().agenda.asked(self.newsroom.url(path))

    def due(self, *, later_s: int = 0) -> list[str]:
        """Return the paths of the feeds that are then due."""
        urls = {self.newsroom.url(path): path for path in self.paths}
        found = self.desk().agenda.due(urls, now=self.clock.now + later_s)
        return [urls[url] for url in found]


@pytest_asyncio.fixture(loop_scope="module")
async def mirror(signer: Signer, newsroom: Newsroom, box: Box) -> AsyncIterator[Mirror]:
    now = lambda: mirror.clock.now  # noqa: E731
    async with Fetcher(allow_hosts=[newsroom.address], timeout_s=5, now=now) as fetcher:
        mirror = Mirror(signer, fetcher, box, newsroom)
        yield mirror


class Gate:
    """A fetcher that keeps a poll of one path waiting until it is opened."""

    def __init__(self, fetcher: Fetcher, path: str) -> None:
        self._fetcher, self._path = fetcher, path
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def get(self, url: str, **asked: object) -> Fetched | None:
        if url.endswith(self._path):
            self.reached.set()
            await self.opened.wait()
        return await self._fetcher.get(url, **asked)  # type: ignore[arg-type]


def offers(newsroom: Newsroom, *numbers: int, path: str = FEED, **headers: str) -> None:
    newsroom.says(path, feed(*map(item, numbers)), content_type=RSS, **headers)


def says_no(newsroom: Newsroom, path: str, status: int, retry: str, body: bytes = b"no") -> None:
    newsroom.answers[path] = newsrooms.Answer(body, status, {"Retry-After": retry})


def leads(newsroom: Newsroom, path: str, to: str, status: int = 301) -> None:
    newsroom.answers[path] = newsrooms.Answer(status=status, headers={"Location": to})


# How often: by what it brings.


@pytest.mark.parametrize("headers", [{}, {"etag": '"1"'}])
async def test_what_brings_nothing_new_rests_longer_and_what_does_is_asked_sooner(
    mirror: Mirror, newsroom: Newsroom, headers: dict[str, str]
):
    offers(newsroom, 1, **headers)
    quiet = await mirror.waits(3)
    offers(newsroom, 2, 1)
    news = await mirror.waits(1)

    assert (quiet, news) == ([200, 300, 450], [225])
    assert newsroom.statuses == [200, *[304 if headers else 200] * 2, 200]
    assert mirror.known().answered == mirror.clock.now


async def test_a_feed_that_changes_and_brings_no_article_rests_longer(
    mirror: Mirror, newsroom: Newsroom
):
    found = []
    for title in ("d", "e", "f"):
        newsroom.says(FEED, feed(item(1), title=title), content_type=RSS)
        found += await mirror.waits(1)

    assert found == [200, 300, 450]


async def test_what_there_was_no_time_for_is_asked_for_sooner(
    mirror: Mirror, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
):
    offers(newsroom)
    quiet = await mirror.waits(2)
    monkeypatch.setattr("mirror.poll.entries.READ_S", -1.0)
    offers(newsroom, 1)

    assert (quiet, await mirror.waits(1)) == ([300, 450], [225])
    assert mirror.signer.state.log().size == 0


async def test_each_wait_of_each_feed_has_a_jitter_of_its_own(mirror: Mirror, newsroom: Newsroom):
    mirror.paths, mirror.jitter = [FEED, "/other"], iter([1.0, -1.0]).__next__
    for number, path in enumerate(mirror.paths):
        offers(newsroom, number, path=path)
    await mirror.tick()
    waits = [mirror.known(path).due - mirror.clock.now for path in mirror.paths]

    assert sorted(waits) == [180, 220]


async def test_a_feed_that_is_not_due_is_left_alone_while_another_is_asked(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.paths = [FEED, "/other"]
    offers(newsroom, 1)
    offers(newsroom, 2, path="/other", cache_control="max-age=900")
    await mirror.tick()
    before = mirror.known("/other")
    summary = await mirror.tick(later_s=SHORTEST_S)

    assert summary
    assert summary.feeds == 1
    assert mirror.known("/other") == before
    assert (newsroom.asked.count(FEED), newsroom.asked.count("/other")) == (2, 1)


# How often: by what it says.


@pytest.mark.parametrize(
    ("cache_control", "ttl_minutes", "wait_s"),
    [
        ("no-cache", 0, SHORTEST_S),
        ("max-age=600", 0, 600),
        ("no-cache", 10, 600),
        ("max-age=600", 5, 600),
        ("max-age=300", 10, 600),
        ("max-age=36000", 0, LONGEST_S),
        ("no-cache", 600, LONGEST_S),
    ],
)
async def test_a_feed_is_not_asked_while_it_is_fresh_by_its_own_or_its_servers_word(
    mirror: Mirror, newsroom: Newsroom, cache_control: str, ttl_minutes: int, wait_s: int
):
    ttl = f"<ttl>{ttl_minutes}</ttl>" if ttl_minutes else ""
    body = feed(item(1)).replace("<description>", f"{ttl}<description>", 1)
    newsroom.says(FEED, body, content_type=RSS, cache_control=cache_control)
    await mirror.tick()
    await mirror.tick(later_s=wait_s - 1)
    early = newsroom.asked.count(FEED)
    await mirror.tick(later_s=1)

    assert (early, newsroom.asked.count(FEED)) == (1, 2)


async def test_an_answer_with_nothing_new_says_anew_how_long_it_is_fresh(
    mirror: Mirror, newsroom: Newsroom
):
    offers(newsroom, 1, cache_control="max-age=600")

    assert await mirror.waits(3) == [600] * 3


@pytest.mark.parametrize("unchanged", [304, 200])
async def test_a_feeds_own_word_of_its_freshness_counts_until_it_says_another(
    mirror: Mirror, newsroom: Newsroom, unchanged: int
):
    found = []
    for minutes in (15, 20):
        body = feed(item(minutes)).replace("<description>", f"<ttl>{minutes}</ttl><description>", 1)
        etag = {"etag": f'"{minutes}"'} if unchanged == 304 else {}
        newsroom.says(FEED, body, content_type=RSS, **etag)
        found += await mirror.waits(3)

    assert found == [900] * 3 + [1200] * 3
    assert newsroom.statuses == [200, unchanged, unchanged] * 2


@pytest.mark.parametrize(
    ("said", "wait_s"),
    [({}, 600), ({"Cache-Control": "max-age=900"}, 900), ({"Cache-Control": "no-cache"}, 300)],
)
async def test_what_a_304_says_of_freshness_counts_and_else_what_was_said_before(
    mirror: Mirror, newsroom: Newsroom, said: dict[str, str], wait_s: int
):
    offers(newsroom, 1, etag='"1"', cache_control="max-age=600")
    first = await mirror.waits(1)
    newsroom.answers[FEED] = newsrooms.Answer(status=304, headers=said)
    second = await mirror.waits(1)
    newsroom.answers[FEED] = newsrooms.Answer(status=304)

    assert (first, second) == ([600], [wait_s])
    assert await mirror.waits(1) == [max(wait_s, 450)]


async def test_a_304_does_not_make_a_feed_fresh_for_less_than_its_own_word(
    mirror: Mirror, newsroom: Newsroom
):
    body = feed(item(1)).replace("<description>", "<ttl>10</ttl><description>", 1)
    newsroom.says(FEED, body, content_type=RSS, etag='"1"')
    await mirror.waits(1)
    newsroom.answers[FEED] = newsrooms.Answer(status=304, headers={"Cache-Control": "max-age=60"})

    assert await mirror.waits(2) == [600, 600]


@pytest.mark.parametrize("status", [202, 403, 429, 503])
async def test_an_anti_bot_page_may_say_when_to_come_again(
    mirror: Mirror, newsroom: Newsroom, status: int
):
    page = b"<script src=/cdn-cgi/challenge-platform/x.js>"
    says_no(newsroom, FEED, status, str(SILENCE_S), page)

    assert await mirror.waits(1) == [SILENCE_S]
    assert mirror.known().state == "challenge"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "retry", [str(SILENCE_S), formatdate(NOW + SILENCE_S, usegmt=True)], ids=["seconds", "date"]
)
async def test_a_feed_that_asks_to_be_left_alone_is(
    mirror: Mirror, newsroom: Newsroom, status: int, retry: str
):
    says_no(newsroom, FEED, status, retry)
    await mirror.tick()
    for later_s in (SHORTEST_S, LONGEST_S, SILENCE_S - SHORTEST_S - LONGEST_S - 1):
        await mirror.tick(later_s=later_s)
    early = newsroom.asked.count(FEED)
    await mirror.tick(later_s=1)

    assert (early, newsroom.asked.count(FEED)) == (1, 2)
    assert mirror.known().failures == 2


async def test_what_is_gone_is_never_asked_again_but_by_an_operator(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.fails(FEED, 410)
    await mirror.tick()
    for _ in range(9):
        await mirror.tick(later_s=WEEK_S)
    asked, known = newsroom.asked.count(FEED), mirror.known()
    offers(newsroom, 1)
    summary = await mirror.once()
    await mirror.tick(later_s=SHORTEST_S)

    assert (asked, known.state) == (1, "gone")
    assert (summary.new, newsroom.asked.count(FEED)) == (1, 3)


# What came of it.


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (410, b"no", "gone"),
        (404, b"no", "failed"),
        (500, b"no", "failed"),
        (429, b"no", "later"),
        (503, b"no", "later"),
        (403, b"no", "failed"),
        (403, b"<script src=/cdn-cgi/challenge-platform/x.js>", "challenge"),
        (200, b"<!doctype html><title>Parked</title>", "failed"),
    ],
)
async def test_what_a_poll_came_to_is_noted_and_forgotten_with_the_next_answer(
    mirror: Mirror, newsroom: Newsroom, status: int, body: bytes, state: str
):
    newsroom.answers[FEED] = newsrooms.Answer(body, status)
    summary = await mirror.tick()
    noted = mirror.known()
    offers(newsroom, 1)
    await mirror.once()
    after = mirror.known()

    assert summary
    assert [noted.problem] == summary.problems
    assert noted.problem.startswith(newsroom.url(FEED))
    assert (noted.state, noted.failures, noted.asked, noted.answered) == (state, 1, NOW, 0)
    assert (after.state, after.problem, after.failures, after.answered) == ("", "", 0, NOW)


@pytest.mark.parametrize(
    ("status", "last_s"), [(404, LONGEST_S), (500, LONGEST_S), (429, BACK_OFF_S), (503, BACK_OFF_S)]
)
async def test_a_feed_that_fails_is_asked_ever_more_rarely(
    mirror: Mirror, newsroom: Newsroom, status: int, last_s: int
):
    newsroom.fails(FEED, status)

    assert await mirror.waits(6) == [200, 400, 800, 1600, last_s, last_s]


async def test_a_feed_that_robots_txt_keeps_back_is_due_the_next_day(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.says("/robots.txt", f"User-agent: *\nDisallow: {FEED}\n", content_type="text/plain")
    async with Fetcher(allow_hosts=[newsroom.address], timeout_s=5, robots=True) as fetcher:
        mirror.fetcher = fetcher
        waits = await mirror.waits(1)

    assert (waits, mirror.known().state) == ([DAY_S], "robots")
    assert FEED not in newsroom.asked


# Where.


@pytest.mark.parametrize("status", [301, 308])
async def test_a_feed_that_moved_for_good_is_asked_there_after_three_sightings(
    mirror: Mirror, newsroom: Newsroom, status: int
):
    leads(newsroom, FEED, MOVED, status)
    offers(newsroom, 1, path=MOVED)
    await mirror.waits(SIGHTINGS + 2)

    assert newsroom.asked == [FEED, MOVED] * SIGHTINGS + [MOVED] * 2
    assert mirror.known().moved == newsroom.url(MOVED)


async def test_a_move_to_what_has_not_changed_is_a_move(mirror: Mirror, newsroom: Newsroom):
    leads(newsroom, FEED, MOVED)
    offers(newsroom, 1, path=MOVED, etag='"1"')
    await mirror.waits(SIGHTINGS + 1)

    assert newsroom.asked == [FEED, MOVED] * SIGHTINGS + [MOVED]
    assert newsroom.statuses == [301, 200] + [301, 304] * (SIGHTINGS - 1) + [304]


async def test_what_has_not_changed_at_its_own_address_has_not_moved(
    mirror: Mirror, newsroom: Newsroom
):
    leads(newsroom, FEED, MOVED)
    offers(newsroom, 1, path=MOVED, etag='"1"')
    await mirror.waits(SIGHTINGS - 1)
    offers(newsroom, 1, etag='"1"')
    await mirror.waits(1)

    assert newsroom.statuses[-1] == 304
    assert (mirror.known().moved, mirror.known().sightings) == ("", 0)


@pytest.mark.parametrize("status", [302, 303, 307])
async def test_a_feed_that_is_elsewhere_for_now_is_asked_at_its_own_address(
    mirror: Mirror, newsroom: Newsroom, status: int
):
    leads(newsroom, FEED, MOVED, status)
    offers(newsroom, 1, path=MOVED)
    await mirror.waits(SIGHTINGS + 2)

    assert newsroom.asked == [FEED, MOVED] * (SIGHTINGS + 2)
    assert mirror.known().moved == ""


async def test_a_redirect_that_is_taken_back_is_not_counted(mirror: Mirror, newsroom: Newsroom):
    offers(newsroom, 1, path=MOVED)
    for _ in range(2):
        leads(newsroom, FEED, MOVED)
        await mirror.waits(SIGHTINGS - 1)
        offers(newsroom, 1)
        await mirror.waits(1)

    assert newsroom.asked == ([FEED, MOVED] * (SIGHTINGS - 1) + [FEED]) * 2
    assert (mirror.known().moved, mirror.known().sightings) == ("", 0)


async def test_a_feed_that_moved_to_anothers_host_is_asked_at_its_own_address(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.hosts = frozenset(["news.example"])
    leads(newsroom, FEED, MOVED)
    offers(newsroom, 1, path=MOVED)
    await mirror.waits(SIGHTINGS + 1)

    assert newsroom.asked == [FEED, MOVED] * (SIGHTINGS + 1)


@pytest.mark.parametrize(("status", "polls"), [(410, 1), (404, 3)])
async def test_a_feed_that_is_lost_where_it_moved_to_is_asked_at_its_own_address(
    mirror: Mirror, newsroom: Newsroom, status: int, polls: int
):
    leads(newsroom, FEED, MOVED)
    offers(newsroom, 1, path=MOVED)
    await mirror.waits(SIGHTINGS)
    newsroom.fails(MOVED, status)
    offers(newsroom, 1)
    newsroom.asked.clear()
    await mirror.waits(polls + 1)

    assert newsroom.asked == [MOVED] * polls + [FEED]
    assert mirror.known().state == ""


# Leases: what a crash, a stop or a full disk leaves.


async def test_a_daemon_that_dies_of_an_answer_does_not_ask_for_it_at_once(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.paths = [FEED, "/other"]
    offers(newsroom, 1, cache_control="max-age=900")
    offers(newsroom, 2, path="/other")
    during: dict[str, list[list[str]]] = {}

    def look(said: str) -> None:  # what is in the database now is all that a crash would leave
        if said.startswith("http"):
            times = (0, LEASE_S - 1, LEASE_S)
            during[said] = [mirror.due(later_s=later_s) for later_s in times]

    await mirror.tick(progress=look)

    leased: list[list[str]] = [[], [], [FEED, "/other"]]
    assert during == {newsroom.url(path): leased for path in mirror.paths}

    during.clear()
    await mirror.tick(later_s=SHORTEST_S, progress=look)

    assert during == {newsroom.url("/other"): [[], [], ["/other"]]}  # only who is asked


async def test_a_feed_whose_poll_was_broken_off_is_due_at_once(mirror: Mirror, newsroom: Newsroom):
    offers(newsroom, 1)
    gate = Gate(mirror.fetcher, FEED)
    mirror.fetcher = gate  # type: ignore[assignment]
    task = asyncio.create_task(mirror.tick())
    async with asyncio.timeout(10):
        await gate.reached.wait()
    leased = mirror.due()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (leased, mirror.due()) == ([], [FEED])

    gate.opened.set()
    summary = await mirror.tick()

    assert summary
    assert summary.new == 1


async def test_what_asks_a_feed_too_soon_and_is_broken_off_makes_it_due_no_sooner(
    mirror: Mirror, newsroom: Newsroom
):
    says_no(newsroom, FEED, 503, str(SILENCE_S))
    await mirror.tick()
    before = mirror.known()
    mirror.clock.now += 60
    gate = Gate(mirror.fetcher, FEED)
    mirror.fetcher = gate  # type: ignore[assignment]
    task = asyncio.create_task(mirror.once())
    async with asyncio.timeout(10):
        await gate.reached.wait()
    killed = mirror.due(later_s=2 * LEASE_S)  # what a crash would leave
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert killed == []
    assert mirror.known() == before


async def test_a_full_disk_makes_due_what_was_not_kept_and_no_feed_that_was_dealt_with(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.paths = ["/later", FEED]
    says_no(newsroom, "/later", 503, str(SILENCE_S))
    offers(newsroom, 1)
    gate = Gate(mirror.fetcher, FEED)
    mirror.fetcher = gate  # type: ignore[assignment]
    mirror.store.room = 0

    def open_after_the_first(said: str) -> None:
        if said.endswith(" entries"):
            gate.opened.set()

    with pytest.raises(StoreError, match="disk full"):
        await mirror.tick(progress=open_after_the_first)
    due = mirror.due()
    mirror.store.room = None
    summary = await mirror.tick()

    assert due == [FEED]
    assert mirror.known("/later").due == NOW + SILENCE_S
    assert summary
    assert (summary.new, newsroom.asked.count("/later")) == (1, 1)
