"""A whole cycle, with a real fetcher, box and newsroom: what is published, held, and left alone."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from fakes import NOW, Clock, MemoryStore, audited, docs_of, flaws
from newsroom import Item, Newsroom, feed, item, numbered, page

from mirror.box import Box
from mirror.cycle import run_cycle
from mirror.desk import Desk, Summary
from mirror.errors import StoreError
from mirror.fetch import Fetcher
from mirror.formats.paths import CHECKPOINT, INDEX_PROOF, article_folder, short_id
from mirror.formats.url import article_id
from mirror.poll import Poller, Source
from mirror.signer import Signer

pytestmark = pytest.mark.asyncio(loop_scope="module")

RSS = "application/rss+xml"


class Mirror:
    """A desk whose parts a test can reach; `cycle` runs one at the clock's time."""

    def __init__(self, signer: Signer, fetcher: Fetcher, box: Box) -> None:
        self.signer, self.fetcher, self.box = signer, fetcher, box
        self.store, self.clock = MemoryStore(), Clock()

    async def cycle(self, *urls: str, text: str = "auto") -> Summary:
        sources = [Source(url, text) for url in urls]  # type: ignore[arg-type]
        poller = Poller(sources, "en", self.signer.state, self.fetcher, self.box, 4)
        self.store.order.clear()
        self.clock.now += 60
        return await run_cycle(Desk(poller, self.signer, self.store), now=self.clock)

    async def wrong(self) -> list[str]:
        return await audited(self.store.kept, self.signer.root, now=self.clock.now)

    @property
    def revisions(self) -> list[tuple[int, int]]:
        return [(doc.n, doc.rev) for doc in docs_of(self.signer) if doc.t == "doc"]

    def read(self, address: str) -> str:
        """Return what a reader finds who only knows the article's own address."""
        folder = article_folder(short_id(article_id(address)))
        return self.store.kept[f"{folder}/index.html"].decode()


@pytest_asyncio.fixture(loop_scope="module")
async def mirror(signer: Signer, newsroom: Newsroom, box: Box) -> AsyncIterator[Mirror]:
    async with Fetcher(allow_hosts=[newsroom.address], timeout_s=5) as fetcher:
        yield Mirror(signer, fetcher, box)


def counts(summary: Summary) -> tuple[int, int, int, int]:
    return summary.new, summary.revised, summary.held, summary.refused


# What a feed brings.


async def test_a_new_feed_is_published_oldest_first(mirror: Mirror, newsroom: Newsroom):
    url = newsroom.says("/feed", feed(*numbered(5)), content_type=RSS)
    summary = await mirror.cycle(url)
    titles = [each.title for each in mirror.signer.state.articles(0, 9)]

    assert (counts(summary), summary.log_size) == ((5, 0, 0, 0), 6)
    assert summary.problems == []
    assert titles == [f"Story number {n}" for n in range(1, 6)]
    assert "Story 3." in mirror.read("https://news.example/story/3?utm_source=x")
    assert await mirror.wrong() == []


@pytest.mark.parametrize("headers", [{}, {"etag": '"1"'}, {"last_modified": "Mon, 01 Jan 2026"}])
async def test_an_unchanged_feed_writes_nothing(
    mirror: Mirror, newsroom: Newsroom, headers: dict[str, str]
):
    url = newsroom.says("/feed", feed(*numbered(2)), content_type=RSS, **headers)
    await mirror.cycle(url)
    summary = await mirror.cycle(url)

    assert mirror.store.order == mirror.store.deleted == []
    assert counts(summary) == (0, 0, 0, 0)
    assert newsroom.statuses == [200, 304 if "etag" in headers else 200]


async def test_an_unchanged_feed_refreshes_the_heads_hourly(mirror: Mirror, newsroom: Newsroom):
    url = newsroom.says("/feed", feed(*numbered(2)), content_type=RSS)
    await mirror.cycle(url)
    mirror.clock.now += 3600
    await mirror.cycle(url)

    assert mirror.store.order == [CHECKPOINT, INDEX_PROOF]
    assert await mirror.wrong() == []


async def test_an_edit_is_a_revision_of_that_article_only(mirror: Mirror, newsroom: Newsroom):
    url = newsroom.says("/feed", feed(item(2), item(1)), content_type=RSS)
    await mirror.cycle(url)
    newsroom.says("/feed", feed(item(2), item(1, text="Corrected.")), content_type=RSS)
    summary = await mirror.cycle(url)

    assert (counts(summary), summary.unchanged) == ((0, 1, 0, 0), 1)
    assert mirror.revisions == [(0, 1), (1, 1), (0, 2)]
    assert "Corrected." in mirror.read("https://news.example/story/1")
    assert await mirror.wrong() == []


async def test_a_moved_date_is_no_edit(mirror: Mirror, newsroom: Newsroom):
    old, new = (item(1, date=f"Mon, 16 Nov 2026 0{hour}:00:00 GMT") for hour in (6, 7))
    url = newsroom.says("/feed", feed(old), content_type=RSS)
    await mirror.cycle(url)
    newsroom.says("/feed", feed(new), content_type=RSS)
    await mirror.cycle(url)

    assert mirror.revisions == [(0, 1)]
    assert mirror.store.order == []


async def test_an_edit_taken_back_is_a_third_revision(mirror: Mirror, newsroom: Newsroom):
    url = newsroom.url("/feed")
    for text in ("first", "second", "first"):
        newsroom.says("/feed", feed(item(1, text=text)), content_type=RSS)
        await mirror.cycle(url)

    assert mirror.revisions == [(0, 1), (0, 2), (0, 3)]
    assert await mirror.wrong() == []


async def test_a_changed_slug_is_a_revision_and_its_new_address_leads_there(
    mirror: Mirror, newsroom: Newsroom
):
    url = newsroom.says("/feed", feed(item(1)), content_type=RSS)
    await mirror.cycle(url)
    moved = item(1, link="https://news.example/story/new-slug", text="Corrected.")
    newsroom.says("/feed", feed(moved), content_type=RSS)
    await mirror.cycle(url)

    assert mirror.revisions == [(0, 1), (0, 2)]
    assert "Corrected." in mirror.read("https://news.example/story/1")
    home = article_folder(short_id(article_id("https://news.example/story/1")))
    assert home in mirror.read("https://news.example/story/new-slug")
    assert await mirror.wrong() == []


@pytest.mark.parametrize("body", [feed(), "<rss version='2.0'><channel/></rss>"])
async def test_a_feed_that_shrinks_to_nothing_unpublishes_nothing(
    mirror: Mirror, newsroom: Newsroom, body: str
):
    url = newsroom.says("/feed", feed(*numbered(3)), content_type=RSS)
    await mirror.cycle(url)
    before = dict(mirror.store.kept)
    newsroom.says("/feed", body, content_type=RSS)
    summary = await mirror.cycle(url)

    assert mirror.store.kept == before
    assert (counts(summary), summary.feeds_failed) == ((0, 0, 0, 0), 0)


@pytest.mark.parametrize("status", [404, 410, 500, 503])
async def test_a_feed_that_goes_away_unpublishes_nothing(
    mirror: Mirror, newsroom: Newsroom, status: int
):
    url = newsroom.says("/feed", feed(*numbered(3)), content_type=RSS)
    await mirror.cycle(url)
    before = dict(mirror.store.kept)
    newsroom.fails("/feed", status)
    summary = await mirror.cycle(url)

    assert mirror.store.kept == before
    assert summary.feeds_failed == 1
    assert url in summary.problems[0]
    assert f"status {status}" in summary.problems[0]


async def test_more_articles_than_a_round_are_published_in_several(
    mirror: Mirror, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.cycle.ROUND", 3)
    url = newsroom.says("/feed", feed(*numbered(7)), content_type=RSS)
    summary = await mirror.cycle(url)

    assert (summary.new, summary.log_size) == (7, 7 + 3)
    assert await mirror.wrong() == []


# Entries with odd names.


async def test_entries_that_all_have_one_link_are_articles_of_their_own(
    mirror: Mirror, newsroom: Newsroom
):
    same = [item(n, link="https://news.example/") for n in range(4)]
    url = newsroom.says("/feed", feed(*same), content_type=RSS)

    assert (await mirror.cycle(url)).new == 4

    newsroom.says("/feed", feed(same[2]), content_type=RSS)
    summary = await mirror.cycle(url)

    assert counts(summary) == (0, 0, 0, 0)
    assert await mirror.wrong() == []


async def test_duplicate_missing_and_shared_guids_lose_and_double_nothing(
    mirror: Mirror, newsroom: Newsroom
):
    items = [
        *(item(1, guid="same"), item(2, guid="same"), item(3, guid=""), item(4, guid="")),
        *(item(5, link=""), item(6, link="", guid=""), item(7, title="")),
        item(3, guid=""),  # listed twice
    ]
    url = newsroom.says("/feed", feed(*items), content_type=RSS)
    first = await mirror.cycle(url)
    newsroom.says("/feed", feed(*items, title="Another name"), content_type=RSS)
    second = await mirror.cycle(url)

    assert counts(first) == (7, 0, 0, 0)
    assert counts(second) == (0, 0, 0, 0)
    assert await mirror.wrong() == []


async def test_undated_entries_and_strange_dates_are_articles_too(
    mirror: Mirror, newsroom: Newsroom
):
    dates = ("", "yesterday", "Mon, 99 Nov 20026", "0000-00-00", "Fri, 31 Dec 9999 23:59:59 GMT")
    items = [item(n, date=date) for n, date in enumerate(dates)]
    url = newsroom.says("/feed", feed(*items), content_type=RSS)

    assert counts(await mirror.cycle(url)) == (5, 0, 0, 0)
    assert await mirror.wrong() == []


# Teasers.


def teaser(newsroom: Newsroom, path: str, **fields: str) -> Item:
    shown = {"title": "A teaser", "teaser": "Only the beginning …", "guid": f"urn:{path}"}
    return Item(link=newsroom.url(path), **{**shown, **fields})


async def test_a_teasers_text_is_its_pages(mirror: Mirror, newsroom: Newsroom):
    newsroom.says("/story", page("A teaser", text="The whole story."))
    url = newsroom.says("/feed", feed(teaser(newsroom, "/story")), content_type=RSS)
    summary = await mirror.cycle(url)

    assert counts(summary) == (1, 0, 0, 0)
    assert "The whole story." in mirror.read(newsroom.url("/story"))
    assert await mirror.wrong() == []


async def test_a_teaser_whose_page_fails_is_held_and_tried_again(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.fails("/story", 503)
    both = feed(item(1), teaser(newsroom, "/story"))
    url = newsroom.says("/feed", both, content_type=RSS, etag='"1"')
    first = await mirror.cycle(url)
    second = await mirror.cycle(url)
    mirror.clock.now += 300
    again = await mirror.cycle(url)

    assert counts(first) == (1, 0, 1, 0)
    assert counts(second) == (0, 0, 0, 0)  # in quarantine, for five minutes
    assert counts(again) == (0, 0, 1, 0)
    assert [url in first.problems[0], newsroom.url("/story") in first.problems[0]] == [True] * 2
    assert "503" in first.problems[0]
    assert mirror.revisions == [(0, 1)]
    assert mirror.store.order == []

    newsroom.says("/story", page("A teaser", text="The whole story."))
    mirror.clock.now += 600
    third = await mirror.cycle(url)
    await mirror.cycle(url)

    assert counts(third) == (1, 0, 0, 0)
    assert [s for s, p in zip(newsroom.statuses, newsroom.asked, strict=True) if p == "/feed"] == [
        *(200, 304, 200, 200),  # no validator is said where one would hide what is to be tried
        304,
    ]
    assert await mirror.wrong() == []


async def test_a_page_without_text_is_refused_and_tried_again(mirror: Mirror, newsroom: Newsroom):
    newsroom.says("/story", "<html><body><form>Log in</form></body></html>")
    bare = replace(teaser(newsroom, "/story"), teaser="")
    url = newsroom.says("/feed", feed(bare), content_type=RSS)
    first = await mirror.cycle(url)

    assert counts(first) == (0, 0, 0, 1)
    assert newsroom.url("/story") in first.problems[0]
    assert "no article text" in first.problems[0]

    newsroom.says("/story", page("A teaser"))
    mirror.clock.now += 3600

    assert counts(await mirror.cycle(url)) == (1, 0, 0, 0)


async def test_the_feeds_words_stand_for_a_page_without_text(mirror: Mirror, newsroom: Newsroom):
    newsroom.says("/story", "<html><body><form>Log in</form></body></html>")
    url = newsroom.says("/feed", feed(teaser(newsroom, "/story")), content_type=RSS)
    summary = await mirror.cycle(url)

    assert counts(summary) == (1, 0, 0, 0)
    assert "only a part" in mirror.read(newsroom.url("/story"))
    assert "no article text" in summary.warnings[0]


async def test_a_teaser_without_a_link_is_held_and_says_so(mirror: Mirror, newsroom: Newsroom):
    url = newsroom.says("/feed", feed(Item("Short", guid="1", teaser="…")), content_type=RSS)
    summary = await mirror.cycle(url)

    assert counts(summary) == (0, 0, 1, 0)
    assert "no link to its page" in summary.problems[0]


async def test_a_teaser_may_be_published_as_it_is(mirror: Mirror, newsroom: Newsroom):
    url = newsroom.says("/feed", feed(teaser(newsroom, "/story")), content_type=RSS)
    summary = await mirror.cycle(url, text="feed")

    assert counts(summary) == (1, 0, 0, 0)
    assert newsroom.asked == ["/feed"]


# Several feeds.


async def test_two_feeds_that_carry_one_article_publish_it_once(mirror: Mirror, newsroom: Newsroom):
    one = newsroom.says("/one", feed(item(1), item(2)), content_type=RSS)
    two = newsroom.says("/two", feed(item(2, text="In another form."), item(3)), content_type=RSS)
    await mirror.cycle(one)
    await mirror.cycle(one, two)
    again = newsroom.says("/two", feed(item(2, text="In a third form.")), content_type=RSS)
    await mirror.cycle(one, again)

    assert mirror.revisions == [(0, 1), (1, 1), (2, 1)]
    assert await mirror.wrong() == []


@pytest.mark.parametrize("seen_before", [False, True])
async def test_one_link_under_two_guids_is_one_article(
    mirror: Mirror, newsroom: Newsroom, seen_before: bool
):
    """Newsrooms mark in an entry's link which of their feeds it is from."""
    entries = [item(1, guid=f"{n}", link=f"https://news.example/1?utm_id={n}") for n in (1, 2)]
    one = newsroom.says("/one", feed(entries[0]), content_type=RSS)
    two = newsroom.says("/two", feed(entries[1]), content_type=RSS)
    if seen_before:
        await mirror.cycle(one)
    for _ in range(3):
        await mirror.cycle(one, two)

    assert mirror.revisions == [(0, 1)]
    assert await mirror.wrong() == []


async def test_two_new_feeds_published_together_double_nothing(mirror: Mirror, newsroom: Newsroom):
    """Both come while a third is being written, and so in one batch."""
    entries = [item(1, guid=f"{n}", link="https://news.example/1") for n in (1, 2)]
    first = newsroom.says("/first", feed(item(9)), content_type=RSS)
    others = [newsroom.says(f"/{n}", feed(e), content_type=RSS) for n, e in enumerate(entries)]
    put = mirror.store.put

    async def slowly(path: str, data: bytes) -> None:
        if mirror.revisions == [(0, 1)]:
            await asyncio.sleep(0.1)
        await put(path, data)

    mirror.store.put = slowly  # type: ignore[method-assign]
    for _ in range(2):
        await mirror.cycle(first, *others)

    assert mirror.revisions == [(0, 1), (1, 1)]
    assert await mirror.wrong() == []
    assert "Story number 1" in mirror.read("https://news.example/1")


async def test_a_guid_that_another_feed_repeats_is_not_that_article(
    mirror: Mirror, newsroom: Newsroom
):
    guid = "https://news.example/?p=1"
    one = newsroom.says("/one", feed(item(1, guid=guid)), content_type=RSS)
    copied = item(1, guid=guid, link="https://evil.example/1", text="Forged.")
    two = newsroom.says("/two", feed(copied), content_type=RSS)
    await mirror.cycle(one)
    await mirror.cycle(one, two)

    assert mirror.revisions == [(0, 1), (1, 1)]
    assert "Forged." not in mirror.read("https://news.example/story/1")
    assert await mirror.wrong() == []


async def test_a_feed_gives_no_names_to_another_feeds_article(mirror: Mirror, newsroom: Newsroom):
    one = newsroom.says("/one", feed(item(1)), content_type=RSS)
    two = newsroom.says("/two", feed(item(1, guid="mine")), content_type=RSS)
    await mirror.cycle(one)
    await mirror.cycle(one, two)
    # The guid was not kept: what has it under another link is an article of its own.
    newsroom.says(
        "/two", feed(item(1, guid="mine", link="https://news.example/2")), content_type=RSS
    )
    await mirror.cycle(one, two)

    assert mirror.revisions == [(0, 1), (1, 1)]
    assert "Story number 1" in mirror.read("https://news.example/2")
    assert await mirror.wrong() == []


async def test_an_entry_whose_guid_and_link_are_two_articles_is_refused(
    mirror: Mirror, newsroom: Newsroom
):
    url = newsroom.says("/feed", feed(item(2), item(1)), content_type=RSS, etag='"1"')
    await mirror.cycle(url)
    torn = item(1, link="https://news.example/story/2", text="Forged.")
    newsroom.says("/feed", feed(torn), content_type=RSS, etag='"2"')
    first = await mirror.cycle(url)
    mirror.clock.now += 3600
    second = await mirror.cycle(url)
    words = f"{url}: https://news.example/story/2: its guid and its link are two articles'"

    assert counts(first) == counts(second) == (0, 0, 0, 1)
    assert first.problems == second.problems == [words]
    assert mirror.revisions == [(0, 1), (1, 1)]
    assert await mirror.wrong() == []


async def test_a_feed_can_not_take_an_address_of_another_feeds_host(
    mirror: Mirror, newsroom: Newsroom
):
    victim = newsroom.says("/one", feed(item(1, link=newsroom.url("/story"))), content_type=RSS)
    forged = item(1, link=newsroom.url("/story"), text="Forged.")
    evil = newsroom.says("/two", feed(forged), content_type=RSS).replace("127.0.0.1", "localhost")
    hosts = [newsroom.address, newsroom.address.replace("127.0.0.1", "localhost")]
    newsroom.fails("/one", 503)
    async with Fetcher(allow_hosts=hosts, timeout_s=5) as mirror.fetcher:
        await mirror.cycle(victim, evil)
        newsroom.says("/one", feed(item(1, link=newsroom.url("/story"))), content_type=RSS)
        await mirror.cycle(victim, evil)

    assert mirror.revisions == [(0, 1), (1, 1)]
    assert "Forged." not in mirror.read(newsroom.url("/story"))
    assert await mirror.wrong() == []


async def test_the_second_feed_goes_on_with_an_article_when_the_first_is_dropped(
    mirror: Mirror, newsroom: Newsroom
):
    one = newsroom.says("/one", feed(item(1)), content_type=RSS)
    two = newsroom.says("/two", feed(item(1, text="Corrected.")), content_type=RSS)
    await mirror.cycle(one)
    await mirror.cycle(two)

    assert mirror.revisions == [(0, 1), (0, 2)]


async def test_a_broken_feed_stops_no_other(mirror: Mirror, newsroom: Newsroom):
    good = newsroom.says("/good", feed(*numbered(2)), content_type=RSS)
    bad = newsroom.says("/bad", "<html><body>Hello</body></html>")
    gone = newsroom.url("/gone")
    summary = await mirror.cycle(bad, good, gone)

    assert (summary.feeds, summary.feeds_failed, summary.new) == (3, 2, 2)
    assert len([line for line in summary.problems if line.startswith((bad, gone))]) == 2
    assert await mirror.wrong() == []


# What ends a cycle.


async def test_a_full_disk_ends_the_cycle_before_anything_is_appended(
    mirror: Mirror, newsroom: Newsroom
):
    url = newsroom.says("/feed", feed(*numbered(3)), content_type=RSS)
    slow = newsroom.says("/slow", feed(*numbered(3)), content_type=RSS)
    newsroom.answers["/slow"] = replace(newsroom.answers["/slow"], pause_s=0.01)
    mirror.store.room = 100
    with pytest.raises(StoreError, match="disk full"):
        await mirror.cycle(url, slow)

    assert mirror.signer.state.log().size == 0
    assert mirror.store.kept == {}

    mirror.store.room = None

    assert (await mirror.cycle(url)).new == 3


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("stage", ["/1.html", "tile/0", "1.html.tlog-proof", CHECKPOINT])
async def test_a_store_that_fails_midway_is_completed_by_the_next_cycle(
    mirror: Mirror, newsroom: Newsroom, stage: str, kept: bool
):
    url = newsroom.says("/feed", feed(*numbered(2)), content_type=RSS, etag='"1"')
    mirror.store.fails, mirror.store.keeps_when_failing = (lambda path: stage in path), kept
    with pytest.raises(StoreError):
        await mirror.cycle(url)

    assert flaws(mirror.store.kept, mirror.signer.root, now=mirror.clock.now) == []

    mirror.store.fails = lambda _: False
    summary = await mirror.cycle(url)

    assert counts(summary) == (0, 0, 0, 0)
    assert mirror.revisions == [(0, 1), (1, 1)]
    assert await mirror.wrong() == []


async def test_time_in_the_records_is_the_clocks(mirror: Mirror, newsroom: Newsroom):
    url = newsroom.says("/feed", feed(item(1)), content_type=RSS)
    await mirror.cycle(url)

    assert {doc.time for doc in docs_of(mirror.signer)} == {NOW + 60}
