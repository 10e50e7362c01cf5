"""What waits before it is signed: for how long, what changes that, and what never gets lost."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
import pytest_asyncio
from fakes import NOW, ORIGIN, Clock, MemoryStore, audited, docs_of, identity, story
from newsroom import Newsroom, feed, item, numbered

from mirror.article.article import Article
from mirror.box import Box
from mirror.cycle import run_cycle
from mirror.database import Database
from mirror.desk import Desk, Summary, to_do
from mirror.errors import StateError, StoreError
from mirror.fetch import Fetcher
from mirror.formats.paths import CHECKPOINT, article_folder, short_id
from mirror.formats.url import article_id
from mirror.hold import FULL, Hold, Proposal, Waiting
from mirror.poll import Poller, Source
from mirror.signer import Signer
from mirror.state import ArticleState

pytestmark = pytest.mark.asyncio(loop_scope="module")

RSS = "application/rss+xml"
HOUR_S = 3600


class Mirror:
    """A desk with a delay, and beside it an operator with a connection of his own."""

    def __init__(self, signer: Signer, fetcher: Fetcher, box: Box) -> None:
        self.signer, self.fetcher, self.box = signer, fetcher, box
        self.store, self.clock = MemoryStore(), Clock()
        self.delay_s = HOUR_S
        self.beside = Database.beside(signer.state.path, origin=ORIGIN)
        self.hold = Hold(self.beside)
        self.url = ""

    def desk(self, *urls: str) -> Desk:
        sources = [Source(url, "auto") for url in urls or (self.url,)]
        poller = Poller(sources, "en", self.signer.state, self.fetcher, self.box, 4)
        return Desk(poller, self.signer, self.store, delay_s=self.delay_s)

    async def cycle(self, *urls: str, after_s: int = 60) -> Summary:
        self.store.order.clear()
        self.clock.now += after_s
        return await run_cycle(self.desk(*urls), now=self.clock)

    def operator(self, does: Callable[[Hold], object]) -> None:
        with self.beside.transaction():
            does(self.hold)

    def stop(self) -> None:
        self.operator(lambda hold: hold.switch_on("stop", now=self.clock.now))

    def hold_all(self) -> None:
        self.operator(lambda hold: hold.switch_on("hold", now=self.clock.now))

    def release(self) -> None:
        self.operator(Hold.switch_off)

    def approve(self) -> None:
        ns = [each.n for each in self.hold.waiting()]
        self.operator(lambda hold: hold.mark(ns, approved=True))

    def reject(self) -> None:
        self.operator(lambda hold: hold.reject(hold.waiting(), now=self.clock.now))

    async def wrong(self) -> list[str]:
        return await audited(self.store.kept, self.signer.root, now=self.clock.now)

    @property
    def revisions(self) -> list[tuple[int, int]]:
        return [(doc.n, doc.rev) for doc in docs_of(self.signer) if doc.t == "doc"]

    def read(self, address: str) -> str:
        folder = article_folder(short_id(article_id(address)))
        return self.store.kept[f"{folder}/index.html"].decode()


@pytest_asyncio.fixture(loop_scope="module")
async def mirror(signer: Signer, newsroom: Newsroom, box: Box) -> AsyncIterator[Mirror]:
    async with Fetcher(allow_hosts=[newsroom.address], timeout_s=5) as fetcher:
        mirror = Mirror(signer, fetcher, box)
        mirror.url = newsroom.url("/feed")
        yield mirror
        mirror.beside.close()


STORY = "https://news.example/story/1"


def says(newsroom: Newsroom, *texts: str, path: str = "/feed", **fields: str) -> str:
    """Let the feed have stories with these texts, number 1 last."""
    items = [item(n, text=text, **fields) for n, text in enumerate(texts, 1)]
    return newsroom.says(path, feed(*items[::-1]), content_type=RSS)


# The delay.


async def test_what_is_new_waits_for_the_delay_and_then_goes_out_as_it_is(
    mirror: Mirror, newsroom: Newsroom
):
    says(newsroom, "one", "two")
    first = await mirror.cycle()
    second = await mirror.cycle(after_s=HOUR_S - 1)

    assert (first.new, first.waiting, second.new, second.waiting) == (0, 2, 0, 2)
    assert (mirror.store.kept, mirror.signer.state.log().size) == ({}, 0)

    third = await mirror.cycle(after_s=1)

    assert (third.new, third.waiting) == (2, 0)
    assert mirror.revisions == [(0, 1), (1, 1)]
    assert "one" in mirror.read(STORY)
    assert await mirror.wrong() == []


async def test_a_revision_waits_as_long_and_the_old_one_stays_shown(
    mirror: Mirror, newsroom: Newsroom
):
    says(newsroom, "First words.")
    await mirror.cycle()
    await mirror.cycle(after_s=HOUR_S)
    says(newsroom, "Other words.")
    summary = await mirror.cycle()
    [waiting] = mirror.hold.waiting()

    assert (summary.revised, summary.waiting, waiting.rev) == (0, 1, 2)
    assert "First words." in mirror.read(STORY)

    summary = await mirror.cycle(after_s=HOUR_S)

    assert (summary.revised, summary.waiting) == (1, 0)
    assert "Other words." in mirror.read(STORY)
    assert await mirror.wrong() == []


async def test_an_edit_replaces_what_waits_and_prolongs_nothing(mirror: Mirror, newsroom: Newsroom):
    says(newsroom, "Wrong words.")
    await mirror.cycle()
    says(newsroom, "Right words.")
    await mirror.cycle(after_s=HOUR_S - 1)

    assert mirror.revisions == []

    await mirror.cycle(after_s=1)

    assert mirror.revisions == [(0, 1)]
    assert "Right words." in mirror.read(STORY)
    assert not [path for path, data in mirror.store.kept.items() if b"Wrong words." in data]


async def test_an_edit_that_is_met_in_the_cycle_that_would_publish_is_what_is_published(
    mirror: Mirror, newsroom: Newsroom
):
    says(newsroom, "Wrong words.")
    await mirror.cycle()
    says(newsroom, "Right words.")
    await mirror.cycle(after_s=HOUR_S)

    assert mirror.revisions == [(0, 1)]
    assert "Right words." in mirror.read(STORY)


async def test_an_edit_taken_back_while_it_waited_is_never_published(
    mirror: Mirror, newsroom: Newsroom
):
    for text in ("First words.", "Wrong words.", "First words."):
        says(newsroom, text)
        await mirror.cycle()
        if not mirror.revisions:
            await mirror.cycle(after_s=HOUR_S)
    summary = await mirror.cycle(after_s=2 * HOUR_S)

    assert summary.waiting == 0
    assert mirror.revisions == [(0, 1)]


async def test_without_a_delay_or_a_switch_nothing_waits(mirror: Mirror, newsroom: Newsroom):
    mirror.delay_s = 0
    says(newsroom, "one", "two")
    summary = await mirror.cycle()

    assert (summary.new, summary.waiting) == (2, 0)


async def test_a_delay_that_was_shortened_counts_from_when_it_was_seen(
    mirror: Mirror, newsroom: Newsroom
):
    says(newsroom, "one")
    await mirror.cycle()
    mirror.delay_s = 0
    says(newsroom, "two")

    assert (await mirror.cycle()).new == 1
    assert "two" in mirror.read(STORY)


async def test_a_clock_that_ran_ahead_holds_nothing_for_more_than_the_delay(
    mirror: Mirror, newsroom: Newsroom
):
    says(newsroom, "one")
    await mirror.cycle(after_s=365 * 24 * HOUR_S // 2)
    await mirror.cycle(after_s=-365 * 24 * HOUR_S // 2)

    assert (await mirror.cycle(after_s=HOUR_S - 1)).waiting == 1
    assert (await mirror.cycle(after_s=1)).new == 1


async def test_what_is_due_is_a_reason_for_a_cycle(mirror: Mirror, newsroom: Newsroom):
    says(newsroom, "one")
    await mirror.cycle()

    assert to_do(mirror.desk(), now=mirror.clock.now + 60) is None

    mirror.approve()

    assert to_do(mirror.desk(), now=mirror.clock.now + 60) == []

    mirror.stop()

    assert to_do(mirror.desk(), now=mirror.clock.now + 60) is None


async def test_what_left_the_feed_while_it_waited_is_published_all_the_same(
    mirror: Mirror, newsroom: Newsroom
):
    """Feeds drop what is old: only an operator can tell that from a withdrawal."""
    says(newsroom, "one")
    await mirror.cycle()
    newsroom.says("/feed", feed(item(2)), content_type=RSS)
    await mirror.cycle(after_s=HOUR_S)

    assert mirror.revisions == [(0, 1)]


# Holding.


async def test_while_all_is_held_only_the_approved_goes_out(mirror: Mirror, newsroom: Newsroom):
    mirror.delay_s = 0
    mirror.hold_all()
    says(newsroom, "one", "two")
    first = await mirror.cycle(after_s=99 * HOUR_S)
    mirror.operator(lambda hold: hold.mark([hold.waiting()[0].n], approved=True))
    second = await mirror.cycle()

    assert (first.new, first.waiting) == (0, 2)
    assert (second.new, second.waiting) == (1, 1)
    assert await mirror.wrong() == []


async def test_holding_holds_also_what_was_waiting_for_its_delay(
    mirror: Mirror, newsroom: Newsroom
):
    says(newsroom, "one")
    await mirror.cycle()
    mirror.hold_all()

    assert (await mirror.cycle(after_s=9 * HOUR_S)).waiting == 1

    mirror.release()

    assert (await mirror.cycle()).new == 1


async def test_what_is_held_by_name_waits_longer_than_all_others(
    mirror: Mirror, newsroom: Newsroom
):
    says(newsroom, "one", "two")
    await mirror.cycle()
    [first, _] = mirror.hold.waiting()
    mirror.operator(lambda hold: hold.mark([first.n], held=True, approved=False))
    mirror.hold_all()
    mirror.release()

    assert (await mirror.cycle(after_s=HOUR_S)).waiting == 1

    mirror.operator(lambda hold: hold.mark([first.n], held=False))

    assert (await mirror.cycle()).waiting == 0
    assert await mirror.wrong() == []


async def test_what_is_approved_goes_out_before_its_delay_is_over(
    mirror: Mirror, newsroom: Newsroom
):
    says(newsroom, "one")
    await mirror.cycle()
    mirror.approve()

    assert (await mirror.cycle()).new == 1


async def test_an_edit_while_waiting_takes_back_the_approval(mirror: Mirror, newsroom: Newsroom):
    mirror.hold_all()
    says(newsroom, "Approved words.")
    await mirror.cycle()
    mirror.stop()
    mirror.approve()
    says(newsroom, "Other words.")
    await mirror.cycle()
    mirror.release()
    mirror.hold_all()
    summary = await mirror.cycle(after_s=9 * HOUR_S)

    assert [each.approved for each in mirror.hold.waiting()] == [False]
    assert (summary.new, summary.waiting, mirror.revisions) == (0, 1, [])


async def test_what_was_approved_goes_out_although_an_edit_of_it_is_met_in_that_cycle(
    mirror: Mirror, newsroom: Newsroom
):
    """Else a feed that edits often could never be approved of."""
    mirror.hold_all()
    says(newsroom, "Approved words.")
    await mirror.cycle()
    mirror.approve()
    says(newsroom, "Other words.")
    summary = await mirror.cycle()

    assert (summary.new, summary.waiting) == (1, 1)
    assert "Approved words." in mirror.read(STORY)


async def test_the_same_again_takes_nothing_back(mirror: Mirror, newsroom: Newsroom):
    mirror.hold_all()
    says(newsroom, "one")
    await mirror.cycle()
    mirror.stop()
    mirror.approve()
    says(newsroom, "one", link="https://news.example/another-slug")
    await mirror.cycle()

    assert [each.approved for each in mirror.hold.waiting()] == [True]


# Rejecting.


async def test_what_was_rejected_is_not_proposed_again_until_it_is_edited(
    mirror: Mirror, newsroom: Newsroom
):
    says(newsroom, "First words.")
    await mirror.cycle()
    mirror.reject()
    again = await mirror.cycle(after_s=9 * HOUR_S)
    says(newsroom, "Other words.")
    edited = await mirror.cycle()
    says(newsroom, "First words.")
    back = await mirror.cycle()
    mirror.reject()
    says(newsroom, "Other words.")
    once_more = await mirror.cycle()

    assert [each.waiting for each in (again, edited, back, once_more)] == [0, 1, 1, 1]
    assert mirror.revisions == []


async def test_a_rejected_revision_leaves_what_is_published(mirror: Mirror, newsroom: Newsroom):
    mirror.delay_s = 0
    says(newsroom, "First words.")
    await mirror.cycle()
    mirror.hold_all()
    says(newsroom, "Wrong words.")
    await mirror.cycle()
    mirror.reject()
    mirror.release()
    await mirror.cycle()
    newsroom.says("/feed", feed(item(1, text="Wrong words.", title="X")), content_type=RSS)
    await mirror.cycle()
    says(newsroom, "Wrong words.")
    await mirror.cycle()

    assert mirror.revisions == [(0, 1), (0, 2)]
    assert '<h1 itemprop="headline">X</h1>' in mirror.read(STORY)


async def test_another_feeds_form_of_what_was_rejected_is_not_proposed(
    mirror: Mirror, newsroom: Newsroom
):
    one = says(newsroom, "In one form.")
    two = newsroom.url("/two")
    newsroom.fails("/two")
    await mirror.cycle(one, two)
    mirror.reject()
    says(newsroom, "In another form.", path="/two", guid="other")

    assert (await mirror.cycle(one, two)).waiting == 0
    assert (await mirror.cycle(two)).waiting == 0


# Stopping.


async def test_a_stopped_mirror_publishes_nothing_not_even_what_was_approved(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.delay_s = 0
    says(newsroom, "one")
    await mirror.cycle()
    before = dict(mirror.store.kept)
    mirror.stop()
    says(newsroom, "one", "two")
    await mirror.cycle()
    mirror.approve()
    summary = await mirror.cycle(after_s=60)

    assert (summary.new, summary.waiting) == (0, 1)
    assert mirror.store.kept == before


async def test_a_stopped_mirror_goes_on_saying_hourly_that_nothing_is_new(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.delay_s = 0
    says(newsroom, "one")
    await mirror.cycle()
    size = mirror.signer.state.log().size
    mirror.stop()
    says(newsroom, "one", "two")
    await mirror.cycle(after_s=HOUR_S)

    assert CHECKPOINT in mirror.store.order
    assert mirror.signer.state.log().size == size
    assert await mirror.wrong() == []


async def test_what_came_while_all_was_stopped_is_published_after_the_release(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.delay_s = 0
    mirror.stop()
    says(newsroom, "one", "two")
    await mirror.cycle()
    newsroom.says("/feed", feed(), content_type=RSS)
    await mirror.cycle()
    mirror.release()
    summary = await mirror.cycle()

    assert (summary.new, summary.waiting) == (2, 0)
    assert await mirror.wrong() == []


# Names.


async def test_all_addresses_that_it_had_while_it_waited_lead_to_the_article(
    mirror: Mirror, newsroom: Newsroom
):
    slugs = [f"https://news.example/slug-{n}" for n in range(3)]
    for slug in slugs:
        newsroom.says("/feed", feed(item(1, link=slug, text=slug)), content_type=RSS)
        await mirror.cycle()
    await mirror.cycle(after_s=HOUR_S)
    home = article_folder(short_id(article_id(slugs[0])))

    assert mirror.revisions == [(0, 1)]
    assert slugs[2] in mirror.read(slugs[0])
    assert [home in mirror.read(slug) for slug in slugs[1:]] == [True, True]
    assert await mirror.wrong() == []

    newsroom.says("/feed", feed(item(1, link=slugs[1], text="Edited.")), content_type=RSS)
    await mirror.cycle()

    assert [each.rev for each in mirror.hold.waiting()] == [2]


async def test_a_waiting_revisions_new_address_leads_nowhere_before_it_is_published(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.delay_s = 0
    says(newsroom, "one")
    await mirror.cycle()
    mirror.stop()
    newsroom.says("/feed", feed(item(1, link=f"{STORY}-new", text="two")), content_type=RSS)
    await mirror.cycle()

    assert f"{article_folder(short_id(article_id(f'{STORY}-new')))}/index.html" not in (
        mirror.store.kept
    )

    mirror.release()
    await mirror.cycle()

    assert article_folder(short_id(article_id(STORY))) in mirror.read(f"{STORY}-new")
    assert await mirror.wrong() == []


async def test_two_feeds_that_carry_one_article_let_it_wait_once(
    mirror: Mirror, newsroom: Newsroom
):
    one = says(newsroom, "In one form.")
    two = says(newsroom, "In another form.", path="/two", guid="other")
    await mirror.cycle(one)
    await mirror.cycle(one, two)
    [waiting] = mirror.hold.waiting()

    assert waiting.source == one

    await mirror.cycle(one, two, after_s=HOUR_S)

    assert mirror.revisions == [(0, 1)]
    assert "In one form." in mirror.read(STORY)


async def test_an_entry_whose_names_are_two_articles_is_refused_while_they_wait(
    mirror: Mirror, newsroom: Newsroom
):
    says(newsroom, "one", "two")
    await mirror.cycle()
    torn = item(1, link="https://news.example/story/2", text="Forged.")
    newsroom.says("/feed", feed(torn), content_type=RSS)
    summary = await mirror.cycle()

    assert (summary.refused, summary.waiting) == (1, 2)
    assert "two articles'" in summary.problems[0]


# Nothing is lost, nothing is doubled.


async def test_more_than_there_is_room_for_stays_unseen_and_is_met_again(
    mirror: Mirror, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.hold.MAX_WAITING", 4)
    url = newsroom.says("/feed", feed(*numbered(5)), content_type=RSS, etag='"1"')
    first = await mirror.cycle(url)
    second = await mirror.cycle(url)

    assert (first.waiting, second.waiting) == (2, 2)
    assert first.problems == second.problems == [FULL]
    assert newsroom.statuses == [200, 200]

    mirror.approve()
    await mirror.cycle(url)
    mirror.approve()
    await mirror.cycle(url)
    await mirror.cycle(url, after_s=HOUR_S)

    assert sorted(mirror.revisions) == [(n, 1) for n in range(5)]
    assert await mirror.wrong() == []


async def test_more_text_than_there_is_room_for_stays_unseen(
    mirror: Mirror, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.hold.MAX_BYTES", 12_000)
    says(newsroom, "one", "two", "three", "four")
    summary = await mirror.cycle()

    assert 0 < summary.waiting < 4
    assert summary.problems == [FULL]


def proposed(number: int, source: str) -> Proposal:
    found = identity(number)
    return Proposal(story(number), found, source, short_id(found.id))


async def test_a_feed_that_makes_up_entries_takes_no_other_feeds_room(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.hold.MAX_WAITING", 40)
    hold = Hold(signer.state.db)
    with signer.state.transaction():
        left = hold.keep([proposed(n, "hostile") for n in range(100)], now=NOW)
        again = hold.keep([proposed(n, "hostile") for n in range(100)], now=NOW)
        honest = hold.keep([proposed(n, "honest") for n in range(100, 110)], now=NOW)

    assert (len(left), len(again), hold.count()) == (80, 80, 30)
    assert honest == []


async def test_of_what_was_rejected_the_newest_is_known(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.hold.MAX_REJECTED", 10)
    hold = Hold(signer.state.db)
    for n in range(25):
        with signer.state.transaction():
            hold.keep([proposed(n, "feed")], now=NOW + n)
            hold.reject(hold.waiting(), now=NOW + n)
    known = [n for n in range(25) if hold.is_rejected(proposed(n, "feed"), ["feed"])]

    assert known == list(range(15, 25))


@pytest.mark.parametrize("stage", ["/1.html", "tile/0", CHECKPOINT])
async def test_a_store_that_fails_loses_and_doubles_nothing_that_waited(
    mirror: Mirror, newsroom: Newsroom, stage: str
):
    says(newsroom, "one", "two")
    await mirror.cycle()
    mirror.store.fails = lambda path: stage in path
    with pytest.raises(StoreError):
        await mirror.cycle(after_s=HOUR_S)

    assert mirror.hold.waiting() == []  # it is in the log: too late for any verdict

    mirror.store.fails = lambda _: False
    summary = await mirror.cycle()

    assert summary.waiting == 0
    assert mirror.revisions == [(0, 1), (1, 1)]
    assert await mirror.wrong() == []


async def test_a_full_disk_leaves_what_waits_to_the_operator(mirror: Mirror, newsroom: Newsroom):
    says(newsroom, "one")
    await mirror.cycle()
    mirror.store.room = 100
    with pytest.raises(StoreError, match="disk full"):
        await mirror.cycle(after_s=HOUR_S)

    assert [each.going for each in mirror.hold.waiting()] == [False]

    mirror.reject()
    mirror.store.room = None

    assert (await mirror.cycle()).new == 0


async def test_what_was_being_published_when_the_process_was_killed_is_published(
    mirror: Mirror, newsroom: Newsroom
):
    says(newsroom, "one")
    await mirror.cycle()
    taken = mirror.hold.take(now=mirror.clock.now + HOUR_S, delay_s=HOUR_S, most=9)

    assert [each.going for each in mirror.hold.waiting()] == [True]
    assert mirror.hold.take(now=mirror.clock.now + HOUR_S, delay_s=HOUR_S, most=9) == []
    assert len(taken) == 1

    await mirror.cycle(after_s=HOUR_S)

    assert mirror.revisions == [(0, 1)]


async def test_what_was_approved_when_the_process_was_killed_goes_out_in_those_words(
    mirror: Mirror, newsroom: Newsroom
):
    says(newsroom, "Approved words.")
    await mirror.cycle()
    mirror.approve()
    mirror.hold.take(now=mirror.clock.now, delay_s=None, most=9)
    says(newsroom, "Other words.")
    summary = await mirror.cycle()

    assert (summary.new, summary.waiting) == (1, 1)
    assert "Approved words." in mirror.read(STORY)


async def test_more_than_a_round_goes_out_in_several(
    mirror: Mirror, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.cycle.ROUND", 3)
    newsroom.says("/feed", feed(*numbered(7)), content_type=RSS)
    await mirror.cycle()
    summary = await mirror.cycle(after_s=HOUR_S)
    titles = [each.title for each in mirror.signer.state.articles(0, 9)]

    assert (summary.new, summary.log_size) == (7, 7 + 3)
    assert titles == [f"Story number {n}" for n in range(1, 8)]
    assert await mirror.wrong() == []


async def test_what_no_page_can_be_made_of_is_named_once_and_left_to_the_operator(
    mirror: Mirror, newsroom: Newsroom, signer: Signer
):
    says(newsroom, "one")
    await mirror.cycle()
    short = short_id(article_id(STORY))
    taken = story(7)
    with signer.state.transaction():
        signer.state.put_article(_published(signer, taken.title, short))
    first = await mirror.cycle(after_s=HOUR_S)
    second = await mirror.cycle()
    [waiting] = mirror.hold.waiting()

    assert (first.refused, second.refused, second.problems) == (1, 0, [])
    assert "another article has this path" in first.problems[0]
    assert waiting.problem in first.problems[0]
    assert to_do(mirror.desk(), now=mirror.clock.now) is None


def _published(signer: Signer, title: str, short: str):
    fields = (0, b"x" * 32, short, NOW, 1, 0, NOW, 9, bytes(32), title, "en", "ltr", None)
    return ArticleState(*fields, b"d" * 32, "https://news.example/other")


# The rows.


def proposal(number: int = 1, **fields: str) -> Proposal:
    name = identity(number)
    return Proposal(story(number, **fields), name, "https://news.example/feed", short_id(name.id))


def kept(hold: Hold, *proposals: Proposal) -> list[Waiting]:
    with hold._db.transaction():
        assert hold.keep(proposals, now=NOW) == []
    return hold.waiting()


ODD = replace(
    story(3), blocks=("<p>\u2028\x7f \"'\\ שלום 👩‍👩‍👧</p>",), authors=(), partial=True, dir="rtl"
)


@pytest.mark.parametrize("article", [story(1), ODD])
async def test_what_waits_is_read_back_as_it_was(signer: Signer, article: Article):
    hold = Hold(signer.state.db)
    wanted = replace(proposal(), article=article)
    [waiting] = kept(hold, wanted)

    assert hold.proposal(waiting) == wanted


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE waiting_value SET value=CAST(replace(value, 'story 1', 'story 2') AS BLOB)",
        "UPDATE waiting_value SET value=CAST(value || ' ' AS BLOB)",
        "UPDATE waiting_value SET value=CAST(replace(value, ':false', ':0') AS BLOB)",
        "UPDATE waiting_value SET value=CAST(replace(value, '{', '{\"x\":1,') AS BLOB)",
        "UPDATE waiting_value SET value=x'ff'",
        "UPDATE waiting_value SET value=''",
        "DELETE FROM waiting_value",
        "UPDATE waiting SET digest=x'00'",
    ],
)
async def test_a_damaged_row_is_named_and_not_signed(signer: Signer, damage: str):
    hold = Hold(signer.state.db)
    [waiting] = kept(hold, proposal())
    with sqlite3.connect(signer.state.path, isolation_level=None) as db:
        assert db.execute(damage).rowcount == 1
    db.close()
    with pytest.raises(StateError, match=f"state.db: what waits as {waiting.short} is damaged"):
        hold.proposal(hold.waiting()[0])

    with signer.state.transaction():
        hold.reject(hold.waiting(), now=NOW)

    assert hold.waiting() == []


async def test_what_is_rejected_between_its_decision_and_its_keeping_is_not_kept(signer: Signer):
    hold = Hold(signer.state.db)
    kept(hold, proposal())
    with signer.state.transaction():
        hold.reject(hold.waiting(), now=NOW)

    assert kept(hold, proposal()) == []
    assert len(kept(hold, proposal(text="Other words."))) == 1


async def test_what_is_dropped_leaves_nothing_behind(signer: Signer):
    hold = Hold(signer.state.db)
    some = kept(hold, *(proposal(n) for n in range(3)))
    with signer.state.transaction():
        hold.drop(each.n for each in some)
    tables = ("waiting", "waiting_value", "waiting_name")

    assert [signer.state.db.rows(f"SELECT * FROM {table}") for table in tables] == [[], [], []]
    assert hold.is_quiet()


async def test_a_stop_keeps_since_when_and_the_last_reason_that_was_given(signer: Signer):
    hold = Hold(signer.state.db)
    for at, reason in ((1, "one"), (2, ""), (3, "three"), (4, "")):
        with signer.state.transaction():
            hold.switch_on("stop", now=at, reason=reason)
    switches = hold.switches()

    assert (switches.holding, switches.stopped, switches.reason) == (None, 1, "three")
