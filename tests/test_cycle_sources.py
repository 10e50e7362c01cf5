"""Cycles over weeks: pages asked again, what a site repeats, pictures, what is in quarantine."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace

import newsroom as newsrooms
import pytest
import pytest_asyncio
from fakes import Clock, MemoryStore, audited, docs_of
from newsroom import PARAGRAPH, Item, Newsroom, feed, item, page
from PIL import Image

from mirror.article.extraction.siterules import SiteRules
from mirror.box import Box
from mirror.cycle import run_cycle
from mirror.desk import Desk, Summary, to_do
from mirror.fetch import Fetcher
from mirror.formats.paths import article_folder, short_id
from mirror.formats.url import article_id
from mirror.poll import Poller, Source
from mirror.recheck import Rechecks
from mirror.signer import Signer

pytestmark = pytest.mark.asyncio(loop_scope="module")

RSS = "application/rss+xml"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 24 * 3600
LETTER = (
    "We need your help: this newsroom was declared undesirable, and whoever reads it takes a "
    "risk. Please support independent journalism with a monthly gift of whatever you can."
)


class Mirror:
    """A mirror of one feed that looks at pages again and takes pictures."""

    def __init__(self, signer: Signer, fetcher: Fetcher, box: Box, newsroom: Newsroom) -> None:
        self.signer, self.fetcher, self.box, self.newsroom = signer, fetcher, box, newsroom
        self.store, self.clock = MemoryStore(), Clock()
        self.rules: dict[str, SiteRules] = {}

    def desk(self) -> Desk:
        poller = Poller(
            *([Source(self.newsroom.url("/feed"), "auto")], "en", self.signer.state),
            *(self.fetcher, self.box, 4),
            rules=self.rules,
            hosts=frozenset(["127.0.0.1"]),
            pictures=True,
        )
        return Desk(poller, self.signer, self.store, recheck=True)

    async def cycle(self, *, later_s: int = MINUTE_S, polls: bool = True) -> Summary:
        self.clock.now += later_s
        desk = self.desk()
        return await run_cycle(desk, now=self.clock, due=None if polls else [])

    async def looks_again(self, times: int) -> list[Summary]:
        """Run a cycle at each time at which a page is due again."""
        summaries = []
        for _ in range(times):
            due = Rechecks(self.signer.state.db).next_due()
            assert due is not None
            wait_s = max(due - self.clock.now, 0)
            summaries.append(await self.cycle(later_s=wait_s, polls=False))
        return summaries

    @property
    def revisions(self) -> list[tuple[int, int]]:
        return [(doc.n, doc.rev) for doc in docs_of(self.signer) if doc.t == "doc"]

    def read(self, address: str) -> str:
        folder = article_folder(short_id(article_id(address)))
        return self.store.kept[f"{folder}/index.html"].decode()

    async def wrong(self) -> list[str]:
        return await audited(self.store.kept, self.signer.root, now=self.clock.now)


@pytest_asyncio.fixture(loop_scope="module")
async def mirror(signer: Signer, newsroom: Newsroom, box: Box) -> AsyncIterator[Mirror]:
    async with Fetcher(allow_hosts=[newsroom.address], timeout_s=5) as fetcher:
        yield Mirror(signer, fetcher, box, newsroom)


def teaser(newsroom: Newsroom, path: str, title: str = "A teaser") -> Item:
    return Item(title, newsroom.url(path), f"urn:{path}", teaser=f"What {title} is about.")


def offers(newsroom: Newsroom, *items: Item) -> None:
    newsroom.says("/feed", feed(*items), content_type=RSS)


# Pages that are asked again.


async def test_a_correction_of_the_page_alone_is_a_revision(mirror: Mirror, newsroom: Newsroom):
    newsroom.says("/story", page("A teaser", text="As it was first."))
    offers(newsroom, teaser(newsroom, "/story"))
    await mirror.cycle()
    newsroom.says("/story", page("A teaser", text="As it was corrected."))
    [summary] = await mirror.looks_again(1)

    assert (summary.revised, summary.rechecked) == (1, 1)
    assert mirror.revisions == [(0, 1), (0, 2)]
    assert "As it was corrected." in mirror.read(newsroom.url("/story"))
    assert await mirror.wrong() == []


async def test_a_page_that_stays_is_asked_some_twenty_times_in_thirty_days(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.says("/story", page("A teaser"), etag='"1"')
    offers(newsroom, teaser(newsroom, "/story"))
    await mirror.cycle()
    began, times = mirror.clock.now, 0
    while Rechecks(mirror.signer.state.db).count():
        [summary] = await mirror.looks_again(1)
        times += 1
        assert (summary.new, summary.revised, summary.problems) == (0, 0, [])

    assert 17 <= times <= 22
    assert 20 * DAY_S < mirror.clock.now - began <= 31 * DAY_S
    assert newsroom.statuses.count(304) >= times * 0.6  # nothing of it was sent again
    assert mirror.revisions == [(0, 1)]


async def test_of_an_article_that_its_feed_holds_only_the_removal_is_looked_for(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.says("/story", page("Another text than the feed's"))
    offers(newsroom, item(1, link=newsroom.url("/story")))
    await mirror.cycle()
    early = newsroom.asked.count("/story")
    await mirror.looks_again(2)
    there = mirror.revisions
    newsroom.fails("/story", 404)
    for _ in range(4):
        await mirror.cycle(later_s=DAY_S, polls=False)

    assert (early, there) == (0, [(0, 1)])
    assert mirror.revisions == [(0, 1), (0, 2)]
    assert "no longer" in mirror.read(newsroom.url("/story"))
    assert "Story 1." in mirror.read(newsroom.url("/story"))


async def test_a_site_that_loses_all_its_pages_at_once_has_removed_none(
    mirror: Mirror, newsroom: Newsroom
):
    paths = [f"/story/{n}" for n in range(8)]
    for path in paths:
        newsroom.says(path, page("A teaser").replace(PARAGRAPH, f"{PARAGRAPH}{path} "))
    offers(newsroom, *(teaser(newsroom, path, f"Story {path}") for path in paths))
    await mirror.cycle()
    before = mirror.revisions
    for path in paths:
        newsroom.fails(path, 404)
    for _ in range(6):
        await mirror.cycle(later_s=DAY_S, polls=False)

    assert mirror.revisions == before


async def test_a_page_that_comes_back_when_its_feed_has_forgotten_it_is_published(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.fails("/story", 503)
    offers(newsroom, teaser(newsroom, "/story"), item(2))
    await mirror.cycle()
    offers(newsroom, item(2))
    await mirror.cycle()
    newsroom.says("/story", page("A teaser", text="It is there again."))
    await mirror.cycle(later_s=HOUR_S)

    assert "It is there again." in mirror.read(newsroom.url("/story"))
    assert await mirror.wrong() == []


async def test_a_tarpit_holds_up_its_own_feed_for_a_while_and_loses_nothing(
    mirror: Mirror, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.poll.entries.READ_S", 0.5)
    paths = [f"/story/{n}" for n in range(30)]
    for path in paths:
        body = page("A teaser").replace(PARAGRAPH, f"{PARAGRAPH}{path} ").encode()
        newsroom.answers[path] = newsrooms.Answer(body, pause_s=0.0005)
    offers(newsroom, *(teaser(newsroom, path, f"Story {path}") for path in paths))
    first = await mirror.cycle()
    summaries = [first] + [await mirror.cycle() for _ in range(12)]

    assert 0 < first.new < 30
    assert first.late > 0
    assert sum(each.new for each in summaries) == 30
    assert summaries[-1].warnings == []


async def test_what_is_removed_at_the_source_keeps_its_last_revision_marked(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.says("/story", page("A teaser", text="What they do not want to be read."))
    offers(newsroom, teaser(newsroom, "/story"))
    await mirror.cycle()
    newsroom.fails("/story", 404)
    early = await mirror.looks_again(2)
    before = mirror.revisions
    later = [await mirror.cycle(later_s=DAY_S, polls=False) for _ in range(3)]

    assert before == [(0, 1)]
    assert sum(summary.revised for summary in (*early, *later)) == 1
    assert mirror.revisions == [(0, 1), (0, 2)]
    shown = mirror.read(newsroom.url("/story"))
    assert "What they do not want to be read." in shown
    assert "no longer" in shown
    assert await mirror.wrong() == []


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_a_page_that_is_only_not_to_be_had_is_not_removed(
    mirror: Mirror, newsroom: Newsroom, status: int
):
    newsroom.says("/story", page("A teaser"))
    offers(newsroom, teaser(newsroom, "/story"))
    await mirror.cycle()
    newsroom.fails("/story", status)
    for _ in range(6):
        await mirror.cycle(later_s=DAY_S, polls=False)

    assert mirror.revisions == [(0, 1)]


async def test_a_daemon_wakes_up_for_a_page_that_is_due(mirror: Mirror, newsroom: Newsroom):
    newsroom.says("/story", page("A teaser"))
    offers(newsroom, teaser(newsroom, "/story"))
    await mirror.cycle()
    due = Rechecks(mirror.signer.state.db).next_due()

    assert due is not None
    assert to_do(mirror.desk(), now=due - 1) is None
    assert to_do(mirror.desk(), now=due) is not None


# What a site repeats.


async def test_a_letter_that_three_pages_repeat_is_in_none_of_them(
    mirror: Mirror, newsroom: Newsroom
):
    paths = [f"/story/{n}" for n in range(3)]
    for path in paths:
        newsroom.says(path, page("A teaser", text=LETTER).replace(PARAGRAPH, f"{PARAGRAPH}{path} "))
    offers(newsroom, *(teaser(newsroom, path, f"Story {path}") for path in paths))
    await mirror.cycle()

    assert [LETTER in mirror.read(newsroom.url(path)) for path in paths] == [False] * 3
    assert all(PARAGRAPH.strip() in mirror.read(newsroom.url(path)) for path in paths)


async def test_a_letter_that_was_published_before_it_was_known_is_corrected(
    mirror: Mirror, newsroom: Newsroom
):
    paths = [f"/story/{n}" for n in range(3)]
    items: list[Item] = []
    for path in paths:
        newsroom.says(path, page("A teaser", text=LETTER).replace(PARAGRAPH, f"{PARAGRAPH}{path} "))
        items.insert(0, teaser(newsroom, path, f"Story {path}"))
        offers(newsroom, *items)
        await mirror.cycle()
    first = [LETTER in mirror.read(newsroom.url(path)) for path in paths]
    await mirror.looks_again(3)

    assert first == [True, True, False]
    assert [LETTER in mirror.read(newsroom.url(path)) for path in paths] == [False] * 3
    assert await mirror.wrong() == []


# A page that shrinks, a page that is never there.


async def test_a_page_that_lost_its_text_is_replaced_by_the_feeds_and_marked(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.says("/story", page("A teaser", text="The whole story."))
    offers(newsroom, teaser(newsroom, "/story"))
    await mirror.cycle()
    newsroom.says("/story", LITTLE)
    [summary] = await mirror.looks_again(1)
    shown = mirror.read(newsroom.url("/story"))

    assert summary.revised == 1
    assert "What A teaser is about." in shown
    assert "only a part" in shown
    assert any("characters on its page" in warning for warning in summary.warnings)


async def test_a_teaser_whose_page_never_comes_is_published_in_part(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.fails("/story", 503)
    offers(newsroom, teaser(newsroom, "/story"))
    summaries = [await mirror.cycle(later_s=6 * HOUR_S) for _ in range(7)]

    assert mirror.revisions == [(0, 1)]
    assert "only a part" in mirror.read(newsroom.url("/story"))
    assert summaries[0].held == 1
    assert any("could not be had" in line for each in summaries for line in each.warnings)


# Quarantine.


async def test_what_was_refused_is_not_tried_each_time_and_others_go_on(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.says("/story", "<html><body><form>Log in</form></body></html>")
    offers(newsroom, Item("", newsroom.url("/story"), "urn:1"), item(2))
    first = await mirror.cycle()
    second = await mirror.cycle()

    assert (first.new, first.refused, first.quarantined) == (1, 1, 1)
    assert (second.refused, second.problems, second.quarantined) == (0, [], 1)
    assert newsroom.asked.count("/story") == 1

    newsroom.says("/story", page("A story"))
    third = await mirror.cycle(later_s=2 * HOUR_S)

    assert (third.new, third.quarantined) == (1, 0)


async def test_an_entry_in_quarantine_that_is_edited_is_tried_at_once(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.says("/story", "<html><body><form>Log in</form></body></html>")
    offers(newsroom, Item("", newsroom.url("/story"), "urn:1"))
    await mirror.cycle()
    newsroom.says("/story", page("A story"))
    offers(newsroom, Item("Now with a title", newsroom.url("/story"), "urn:1"))

    assert (await mirror.cycle()).new == 1


# Revisions without end.


async def test_a_source_that_changes_with_every_look_does_not_fill_the_log(
    mirror: Mirror, newsroom: Newsroom
):
    for n in range(20):
        offers(newsroom, item(1, text=f"Version {n}."))
        await mirror.cycle()
    often = len(mirror.revisions)
    await mirror.cycle(later_s=600)

    assert 4 <= often <= 7
    assert "Version 19." in mirror.read("https://news.example/story/1")
    assert await mirror.wrong() == []


async def test_an_edit_that_came_too_soon_is_published_though_its_feed_forgets_it(
    mirror: Mirror, newsroom: Newsroom
):
    for n in range(20):
        offers(newsroom, item(1, text=f"Version {n}."))
        await mirror.cycle()
    offers(newsroom, item(2))
    waits = (await mirror.cycle()).waiting
    done = await mirror.cycle(later_s=600)

    assert (waits, done.revised, done.waiting) == (1, 1, 0)
    assert "Version 19." in mirror.read("https://news.example/story/1")


# Pictures.


def photo(size: tuple[int, int] = (900, 600)) -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "Taken at the safe house"
    Image.new("RGB", size, (120, 40, 40)).save(out, "JPEG", exif=exif)
    return out.getvalue()


async def test_a_picture_is_published_under_its_hash_without_what_it_knew(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.says("/photo.jpg", photo(), content_type="image/jpeg")
    html = f'<p>Words.</p><figure><img src="{newsroom.url("/photo.jpg")}"></figure>'
    offers(newsroom, item(1, html=html + item(1).html))
    await mirror.cycle()
    [(path, data)] = [(p, d) for p, d in mirror.store.kept.items() if p.endswith(".webp")]

    assert path.startswith(article_folder(short_id(article_id("https://news.example/story/1"))))
    assert len(data) <= 12_000
    assert b"safe house" not in data
    assert path.rpartition("/")[2] in mirror.read("https://news.example/story/1")
    assert newsroom.url("/photo.jpg") not in mirror.read("https://news.example/story/1")
    assert await mirror.wrong() == []


@pytest.mark.parametrize("body", [b"<svg onload=alert(1)>", b"", b"\x89PNG\r\n\x1a\nbroken"])
async def test_what_is_no_picture_holds_up_no_article(
    mirror: Mirror, newsroom: Newsroom, body: bytes
):
    newsroom.says("/photo.jpg", body, content_type="image/jpeg")
    html = f'<p>Words.</p><figure><img src="{newsroom.url("/photo.jpg")}"></figure>'
    offers(newsroom, item(1, html=html + item(1).html))
    summary = await mirror.cycle()

    assert (summary.new, summary.problems) == (1, [])
    assert not [path for path in mirror.store.kept if path.endswith(".webp")]


async def test_an_unchanged_article_asks_for_its_pictures_once(mirror: Mirror, newsroom: Newsroom):
    newsroom.says("/photo.jpg", photo(), content_type="image/jpeg")
    html = f'<figure><img src="{newsroom.url("/photo.jpg")}"></figure>{item(1).html}'
    for title in ("d", "e", "f"):
        newsroom.says("/feed", feed(item(1, html=html), title=title), content_type=RSS)
        await mirror.cycle()

    assert newsroom.asked.count("/photo.jpg") == 1


# The site's rules.


async def test_a_changed_slug_is_a_revision_where_the_rule_names_the_number(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.rules = {"127.0.0.1": SiteRules("127.0.0.1", number=r"-(\d+)$")}
    newsroom.says("/old-slug-77", page("A teaser", text="First."))
    newsroom.says("/new-slug-77", page("Another title", text="Second."))
    offers(newsroom, Item("A teaser", newsroom.url("/old-slug-77"), "urn:1"))
    await mirror.cycle()
    offers(newsroom, Item("Another title", newsroom.url("/new-slug-77"), "urn:2"))
    await mirror.cycle()

    assert mirror.revisions == [(0, 1), (0, 2)]
    assert await mirror.wrong() == []


async def test_rules_say_where_the_text_is(mirror: Mirror, newsroom: Newsroom):
    mirror.rules = {"127.0.0.1": SiteRules("127.0.0.1", text=".body", remove=(".ad",))}
    markup = f'<html><body><p>{PARAGRAPH}</p><div class="body"><p>The text, {PARAGRAPH * 3}</p>'
    markup += f'<p class="ad">Buy now, {PARAGRAPH}</p></div></body></html>'
    newsroom.says("/story", markup)
    offers(newsroom, teaser(newsroom, "/story"))
    await mirror.cycle()
    shown = mirror.read(newsroom.url("/story"))

    assert "The text," in shown
    assert "Buy now" not in shown


def selects(mirror: Mirror, newsroom: Newsroom) -> None:
    """Let rules stand for the site, and its feed have the whole text of a story."""
    mirror.rules = {"127.0.0.1": SiteRules("127.0.0.1", text=".body")}
    offers(newsroom, item(1, link=newsroom.url("/story"), text="As the feed has it."))


async def test_what_rules_select_goes_before_the_feeds_whole_text(
    mirror: Mirror, newsroom: Newsroom
):
    selects(mirror, newsroom)
    newsroom.says("/story", f'<div class="body"><p>As the page has it, {PARAGRAPH * 3}</p></div>')
    await mirror.cycle()

    assert "As the page has it" in mirror.read(newsroom.url("/story"))


async def test_where_the_page_cannot_be_had_the_feeds_whole_text_is_published_at_once(
    mirror: Mirror, newsroom: Newsroom
):
    selects(mirror, newsroom)
    newsroom.fails("/story")
    summary = await mirror.cycle()
    shown = mirror.read(newsroom.url("/story"))

    assert "As the feed has it" in shown
    assert "partial" not in shown
    assert any("published as the feed has it" in alert for alert in summary.warnings)


async def test_where_rules_find_nothing_the_feeds_whole_text_goes_before_a_guess(
    mirror: Mirror, newsroom: Newsroom
):
    selects(mirror, newsroom)
    newsroom.says("/story", page("Another design", text=PARAGRAPH * 3))
    summary = await mirror.cycle()

    assert "As the feed has it" in mirror.read(newsroom.url("/story"))
    assert any("the feed's own text stands for it" in alert for alert in summary.warnings)


async def test_a_host_that_says_when_to_come_again_is_asked_for_no_other_page(
    mirror: Mirror, newsroom: Newsroom
):
    paths = [f"/story/{n}" for n in range(30)]
    for path in paths:
        newsroom.answers[path] = newsrooms.Answer(b"", 429, {"Retry-After": "3600"})
    offers(newsroom, *(teaser(newsroom, path) for path in paths))
    summary = await mirror.cycle()

    assert len([path for path in newsroom.asked if path in paths]) <= 4
    assert summary.late >= 26


async def test_pages_due_again_hold_up_no_feed(mirror: Mirror, newsroom: Newsroom):
    newsroom.says("/story", page("A teaser"))
    offers(newsroom, teaser(newsroom, "/story"))
    await mirror.cycle()
    newsroom.answers["/story"] = newsrooms.Answer(b"x" * 40, pause_s=0.2)
    offers(newsroom, item(9), teaser(newsroom, "/story"))
    task = asyncio.create_task(mirror.cycle(later_s=HOUR_S))
    await asyncio.sleep(2)
    during = mirror.revisions
    await task

    assert during == [(0, 1), (1, 1)]


# What a feed or the settings have dropped, and what is lost.

LITTLE = f"<html><body><article><p>{'Short now. ' * 25}</p></article></body>"


async def test_what_failed_and_has_left_its_feed_is_forgotten(mirror: Mirror, newsroom: Newsroom):
    newsroom.fails("/story", 503)
    newsroom.says("/feed", feed(teaser(newsroom, "/story"), item(2)), content_type=RSS, Etag='"a"')
    await mirror.cycle()
    newsroom.says("/feed", feed(item(2)), content_type=RSS, Etag='"b"')
    await mirror.cycle(later_s=HOUR_S)
    last = await mirror.cycle(later_s=HOUR_S)

    asked = zip(newsroom.asked, newsroom.statuses, strict=True)

    assert last.quarantined == 0
    assert [status for path, status in asked if path == "/feed"][-1] == 304


async def test_pages_of_a_feed_that_the_settings_have_no_more_are_asked_again(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.says("/story", page("A teaser", text="Before."))
    offers(newsroom, teaser(newsroom, "/story"))
    await mirror.cycle()
    newsroom.says("/other", feed(item(2)), content_type=RSS)
    newsroom.says("/story", page("A teaser", text="Corrected."))
    desk = mirror.desk()
    poller = replace(desk.poller, sources=[Source(newsroom.url("/other"), "auto")])
    mirror.desk = lambda: replace(desk, poller=poller)  # type: ignore[method-assign]
    await mirror.cycle(later_s=HOUR_S)

    assert "Corrected." in mirror.read(newsroom.url("/story"))
    assert mirror.desk().memory.rechecks(now=mirror.clock.now) == []


async def test_what_is_left_of_a_page_is_never_taken_for_the_whole(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.says("/story", page("A teaser", text="The whole story."))
    offers(newsroom, teaser(newsroom, "/story"))
    await mirror.cycle()
    newsroom.says("/story", LITTLE)
    summaries = await mirror.looks_again(3)

    assert [each.revised for each in summaries] == [1, 0, 0]
    assert "Short now." not in mirror.read(newsroom.url("/story"))
    assert all(each.warnings for each in summaries)


async def test_a_page_whose_server_asks_for_a_day_of_silence_has_it(
    mirror: Mirror, newsroom: Newsroom
):
    headers = {"Retry-After": str(DAY_S)}
    newsroom.answers["/story"] = newsrooms.Answer(b"no", status=429, headers=headers)
    offers(newsroom, teaser(newsroom, "/story"))
    for _ in range(5):
        await mirror.cycle(later_s=HOUR_S)

    assert newsroom.asked.count("/story") == 1


async def test_an_article_that_waits_counts_once_for_the_ledger(mirror: Mirror, newsroom: Newsroom):
    desk = mirror.desk
    mirror.desk = lambda: replace(desk(), delay_s=7200)  # type: ignore[method-assign]
    quote = "<p>The harbour would never again be closed to boats, the minister said to both.</p>"
    for name in ("boat", "tree"):
        own = "".join(
            f"<p>{name} {n}: what {name} {n * 7} was told in {n}.</p>" * 3 for n in range(9)
        )
        newsroom.says(f"/{name}", f"<html><body><article>{own}{quote}</article></body></html>")
    offers(newsroom, *(teaser(newsroom, f"/{name}", name) for name in ("boat", "tree")))
    await mirror.cycle()
    await mirror.cycle(later_s=HOUR_S)  # looked at again while they wait
    await mirror.cycle(later_s=3 * HOUR_S)

    assert all("never again" in mirror.read(newsroom.url(f"/{name}")) for name in ("boat", "tree"))


# What an attacker, or a site that moves, would have us sign.


async def test_a_correction_of_the_feed_is_not_taken_back_by_a_look_at_the_page(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.says("/story", page("A teaser"))
    offers(newsroom, teaser(newsroom, "/story"))
    await mirror.cycle()
    offers(newsroom, replace(teaser(newsroom, "/story"), title="The corrected headline"))
    await mirror.cycle(later_s=HOUR_S)  # the page is due as well
    await mirror.looks_again(3)

    assert mirror.revisions == [(0, 1), (0, 2)]
    assert "The corrected headline" in mirror.read(newsroom.url("/story"))


@pytest.mark.parametrize("target", ["/", "/news/", "/other-story-9"])
async def test_a_page_that_leads_to_another_is_not_signed_as_the_article(
    mirror: Mirror, newsroom: Newsroom, target: str
):
    newsroom.says("/story-1", page("A teaser", text="Its own words."))
    newsroom.says("/other-story-9", page("Another", text="Another's words."))
    offers(newsroom, teaser(newsroom, "/story-1"), teaser(newsroom, "/other-story-9", "Another"))
    await mirror.cycle()
    newsroom.says("/", page("The front page", text="All the news."))
    newsroom.says("/news/", page("A section", text="All the news."))
    newsroom.answers["/story-1"] = newsrooms.Answer(status=302, headers={"Location": target})
    for _ in range(2):
        await mirror.cycle(later_s=DAY_S, polls=False)

    assert mirror.revisions == [(0, 1), (1, 1)]
    assert "Its own words." in mirror.read(newsroom.url("/story-1"))


async def test_an_entry_whose_number_is_another_articles_is_refused(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.rules = {"news.example": SiteRules("news.example", number=r"-([0-9]+)$")}
    budget = item(1, link="https://news.example/budget-18")
    covid = item(2, link="https://news.example/covid-19")
    offers(newsroom, budget, covid)
    await mirror.cycle()
    offers(newsroom, replace(budget, link="https://news.example/budget-19", title="New"))
    summary = await mirror.cycle()

    assert summary.refused == 1
    assert mirror.revisions == [(0, 1), (1, 1)]


async def test_every_article_of_a_large_feed_gets_its_pictures_in_time(
    mirror: Mirror, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.poll.gallery.GALLERY_S", 0.3)
    items = []
    for n in range(12):
        newsroom.says(f"/{n}.jpg", photo((300 + n, 200)), content_type="image/jpeg")
        html = f'<figure><img src="{newsroom.url(f"/{n}.jpg")}"></figure>{item(n).html}'
        items.append(item(n, html=html))
    offers(newsroom, *items)
    for _ in range(12):
        await mirror.cycle()

    assert len([path for path in mirror.store.kept if path.endswith(".webp")]) == 12
    assert len(mirror.revisions) == 12


async def test_a_host_of_pictures_that_is_down_costs_no_text(mirror: Mirror, newsroom: Newsroom):
    images = "".join(
        f'<figure><img src="{newsroom.url(f"/no/{n}.jpg")}"></figure>' for n in range(20)
    )
    offers(newsroom, item(1, html=images + item(1).html))
    summary = await mirror.cycle()

    assert summary.new == 1
    assert 3 <= sum(path.startswith("/no/") for path in newsroom.asked) <= 6
