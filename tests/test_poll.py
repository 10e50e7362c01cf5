"""Polling feeds: how many at once, what is asked, and what closing leaves running."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import NOW, ORIGIN
from newsroom import Answer, Item, Newsroom, feed, page

from mirror.article.entry import Entry
from mirror.box import Box, Refused
from mirror.fetch import Fetched, Fetcher, Validators
from mirror.poll import Found, Poll, Poller, Source, polls
from mirror.poll.entries import BATCH_CHARS
from mirror.poll.pages import leads_elsewhere
from mirror.state import FeedState, State


@pytest.fixture
async def poller(tmp_path: Path, newsroom: Newsroom) -> AsyncIterator[Poller]:
    """A poller of no source; its box stays cold, as no feed here gets as far as a parser."""
    state = State.open(tmp_path / "state.db", origin=ORIGIN)
    async with Fetcher(allow_hosts=[newsroom.address], timeout_s=2) as fetcher, Box() as box:
        yield Poller((), "en", state, fetcher, box, 3)
    state.close()


async def polled(poller: Poller, *urls: str) -> dict[str, Poll]:
    sources = [Source(url, "auto") for url in urls]
    mine = Poller(sources, "en", poller.state, poller.fetcher, poller.box, poller.parallel)
    async with aclosing(polls(mine, sources, lambda _: None, now=NOW)) as outcomes:
        return {poll.source.url: poll async for some in outcomes for poll in some}


def keep(poller: Poller, url: str, feed: FeedState) -> None:
    with poller.state.transaction():
        poller.state.put_feed(url, feed)


async def test_every_feed_has_one_outcome(poller: Poller, newsroom: Newsroom):
    urls = [newsroom.fails(f"/{n}", 500 + n) for n in range(7)]
    found = await polled(poller, *urls)

    assert sorted(found) == sorted(urls)
    assert all(url in found[url].problem for url in urls)
    assert [f"status {500 + n}" in found[url].problem for n, url in enumerate(urls)] == [True] * 7


async def test_no_feed_is_no_outcome(poller: Poller):
    assert await polled(poller) == {}


async def test_a_fast_feed_does_not_wait_for_a_slow_one(poller: Poller, newsroom: Newsroom):
    slow, fast = newsroom.url("/slow"), newsroom.fails("/fast")
    newsroom.answers["/slow"] = Answer(b"x" * 99, pause_s=1)
    sources = [Source(url, "auto") for url in (slow, fast)]
    mine = Poller(sources, "en", poller.state, poller.fetcher, poller.box, 3)
    async with aclosing(polls(mine, sources, lambda _: None, now=NOW)) as outcomes:
        first = await anext(outcomes)

    assert [poll.source.url for poll in first] == [fast]


async def test_closing_leaves_nothing_running(poller: Poller, newsroom: Newsroom):
    urls = [newsroom.url(f"/slow/{n}") for n in range(5)]
    for n in range(5):
        newsroom.answers[f"/slow/{n}"] = Answer(b"x" * 99, pause_s=1)
    fast = newsroom.fails("/fast")
    sources = [Source(url, "auto") for url in (fast, *urls)]
    mine = Poller(sources, "en", poller.state, poller.fetcher, poller.box, 3)
    before = asyncio.all_tasks()
    async with aclosing(polls(mine, sources, lambda _: None, now=NOW)) as outcomes:
        await anext(outcomes)

    assert asyncio.all_tasks() == before


async def test_what_a_server_said_is_said_back_to_it(poller: Poller, newsroom: Newsroom):
    url = newsroom.says("/feed", "not asked for", etag='W/"x y"')
    keep(poller, url, FeedState('W/"x y"', "Mon", b"auto mark"))
    found = await polled(poller, url)

    assert newsroom.statuses == [304]
    assert (found[url].problem, found[url].seen, found[url].found) == ("", None, ())


async def test_a_feed_whose_text_is_wanted_from_elsewhere_is_looked_at_again(
    poller: Poller, newsroom: Newsroom
):
    url = newsroom.says("/feed", "not a feed", etag='W/"x y"')
    keep(poller, url, FeedState('W/"x y"', "Mon", b"page mark"))
    await polled(poller, url)

    assert newsroom.statuses == [200]


@pytest.mark.parametrize("status", [204, 206, 304, 401, 403, 410, 429, 500, 503])
async def test_what_is_no_answer_is_a_problem_that_names_the_feed(
    poller: Poller, newsroom: Newsroom, status: int
):
    url = newsroom.fails("/feed", status)
    found = await polled(poller, url)

    assert found[url].problem.startswith(f"{url}: status {status}")
    assert found[url].seen is None


async def test_progress_names_each_feed(poller: Poller, newsroom: Newsroom):
    said: list[str] = []
    sources = [Source(newsroom.fails(f"/{n}"), "auto") for n in range(3)]
    mine = Poller(sources, "en", poller.state, poller.fetcher, poller.box, 1)
    async with aclosing(polls(mine, mine.sources, said.append, now=NOW)) as outcomes:
        async for _ in outcomes:
            pass

    assert said == [source.url for source in sources]


def rss(*bodies: str) -> str:
    items = "".join(
        f"<item><title>Story {n}</title><guid>urn:story:{n}</guid>"
        f"<content:encoded><![CDATA[{body}]]></content:encoded></item>"
        for n, body in enumerate(bodies)
    )
    return (
        '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
        f"<title>News</title>{items}</channel></rss>"
    )


TEXT = "<p>A sentence of the story that is long enough to count.</p>" * 20
REFUSED = TEXT + "<b>" * 50_001


class Watched(Box):
    """A box that notes the jobs it is asked for, and answers some in its own way."""

    def __init__(self, **answers: object) -> None:
        super().__init__(workers=1)
        self.asked: list[str] = []
        self.answers = answers

    async def run(self, job: Callable[..., Any], body: bytes, **options: object) -> Any:  # noqa: ANN401
        self.asked.append(job.__name__)
        if job.__name__ in self.answers:
            return self.answers[job.__name__]
        return await super().run(job, body, **options)


async def found_in(box: Box, poller: Poller, url: str) -> tuple[Found, ...]:
    async with box:
        mine = replace(poller, box=box, sources=[Source(url, "feed")])
        async with aclosing(polls(mine, mine.sources, lambda _: None, now=NOW)) as outcomes:
            [[poll]] = [some async for some in outcomes]
    assert poll.problem == ""
    return poll.found


async def test_entries_cross_to_the_box_some_at_a_time_and_stay_in_order(
    poller: Poller, newsroom: Newsroom
):
    url = newsroom.says("/feed", rss(*[TEXT] * 40), content_type="application/rss+xml")
    box = Watched()
    found = await found_in(box, poller, url)

    assert box.asked == ["read_feed", "read_entries", "read_entries", "read_entries"]
    titles = [each.article.title for each in found if each.article]
    assert titles == [f"Story {n}" for n in reversed(range(40))]


async def test_long_entries_are_a_job_each(poller: Poller, newsroom: Newsroom):
    long = TEXT * (BATCH_CHARS // len(TEXT) // 2 + 1)
    url = newsroom.says("/feed", rss(long, long, TEXT), content_type="application/rss+xml")
    box = Watched()
    found = await found_in(box, poller, url)

    assert sorted(box.asked) == ["read_entries", "read_entry", "read_feed"]
    assert all(each.article for each in found)


async def test_a_refused_entry_takes_no_other_with_it(poller: Poller, newsroom: Newsroom):
    url = newsroom.says("/feed", rss(TEXT, REFUSED, TEXT), content_type="application/rss+xml")
    box = Watched()
    found = await found_in(box, poller, url)

    assert box.asked == ["read_feed", "read_entries"]
    assert [bool(each.article) for each in found] == [True, False, True]
    assert found[1].problem == f"{url}: urn:story:1: article: too large: more than 50000 tags"


@pytest.mark.parametrize("answer", [Refused("killed: a loop", killed=True), (), ("x",) * 4])
async def test_when_a_batch_is_killed_or_of_another_length_its_entries_go_one_by_one(
    poller: Poller, newsroom: Newsroom, answer: object
):
    url = newsroom.says("/feed", rss(TEXT, REFUSED, TEXT), content_type="application/rss+xml")
    box = Watched(read_entries=answer)
    found = await found_in(box, poller, url)

    assert box.asked == ["read_feed", "read_entries", *["read_entry"] * 3]
    assert [bool(each.article) for each in found] == [True, False, True]
    assert found[1].problem == f"{url}: urn:story:1: article: too large: more than 50000 tags"


class Slow(Watched):
    """A box that takes its time over a page, and notes how many had been asked for by then."""

    def __init__(self, newsroom: Newsroom) -> None:
        super().__init__()
        self.newsroom = newsroom
        self.ahead: list[int] = []

    async def run(self, job: Callable[..., Any], body: bytes, **options: object) -> Any:  # noqa: ANN401
        if job.__name__ != "read_page":
            return await super().run(job, body, **options)
        await asyncio.sleep(0.1)
        self.ahead.append(len(self.newsroom.asked) - 1 - len(self.ahead))  # 1 is the feed
        return "no article"


async def test_no_more_pages_are_held_than_are_asked_for_at_once(
    poller: Poller, newsroom: Newsroom
):
    links = [newsroom.says(f"/{n}", page(f"Story {n}")) for n in range(9)]
    teasers = [Item(f"Story {n}", link, f"urn:{n}", teaser="…") for n, link in enumerate(links)]
    url = newsroom.says("/feed", feed(*teasers), content_type="application/rss+xml")
    box = Slow(newsroom)
    async with box:
        mine = replace(poller, box=box, sources=[Source(url, "page")])
        async with aclosing(polls(mine, mine.sources, lambda _: None, now=NOW)) as outcomes:
            [[poll]] = [some async for some in outcomes]

    assert len(poll.found) == len(box.ahead) == 9
    assert max(box.ahead) == poller.parallel


async def test_a_reason_from_the_box_is_one_short_line_that_steers_no_terminal(
    poller: Poller, newsroom: Newsroom
):
    url = newsroom.says("/feed", rss(TEXT, TEXT), content_type="application/rss+xml")
    found = await found_in(Watched(read_entries=("\x1b[2J\n" + "x" * 9999,) * 2), poller, url)

    assert found[0].problem.startswith(f"{url}: urn:story:1: \ufffd[2J xxx")
    assert len(found[0].problem) < 700


@pytest.mark.parametrize(
    ("link", "answered", "elsewhere"),
    [
        ("https://news.example/story-1", "https://news.example/story-1/", False),
        ("http://news.example/story-1", "https://www.news.example/story-1", False),
        ("https://www.news.example/story-1", "https://news.example/story-1", False),
        ("https://news.example/editorial", "https://news.example/editorial/", False),
        ("https://news.example/editorial", "https://news.example/en/editorial", False),
        ("https://news.example/1", "https://amp.news.example/news/1", False),
        ("https://clicks.example/go/1", "https://news.example/story-1", False),
        ("https://news.example/story-1", "https://news.example/", True),
        ("https://news.example/story-1", "https://news.example/opinion/", True),
        ("https://news.example/story-1", "https://parked.example/story-1", True),
        ("https://news.example/story-1", "https://news.example.evil.example/story-1", True),
    ],
)
async def test_a_redirect_to_no_article_is_told_from_one_to_its_own_address(
    poller: Poller, link: str, answered: str, elsewhere: bool
):
    mine = replace(poller, hosts=frozenset(["news.example", "www.news.example"]))
    entry = Entry("", link, "T", (), "", "", full=False, lang="")
    page = Fetched(answered, b"", "text/html", Validators())

    assert leads_elsewhere(mine, entry, page) == elsewhere
