"""Pictures whose server is down: asked for again as planned, and none that was had is lost."""

import io
from collections.abc import AsyncIterator, Callable
from dataclasses import fields, is_dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from fakes import Clock, MemoryStore, audited, docs_of, open_signer
from free_ports import free_port
from newsroom import Answer, Newsroom, feed, item, page
from PIL import Image

from mirror.article.article import Article
from mirror.article.identity import Identity
from mirror.article.picture import Picture
from mirror.box import Box, Refused
from mirror.cycle import run_cycle
from mirror.decide import decide_all
from mirror.desk import Desk, Summary, to_do
from mirror.errors import StoreError
from mirror.fetch import Fetcher
from mirror.formats.paths import article_folder, short_id
from mirror.formats.url import article_id
from mirror.poll import Found, Poller, Source
from mirror.poll.gallery import Gallery
from mirror.poll.pages import Turn
from mirror.recheck.pictures import TRIES, Pictures, Visit, gap_s, server_of
from mirror.withdrawal import Withdrawals

pytestmark = pytest.mark.asyncio(loop_scope="module")

T = TypeVar("T")

RSS = "application/rss+xml"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 24 * 3600
REFUSING = free_port()


def photo(colour: int = 120, size: tuple[int, int] = (300, 200)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (colour, 40, 40)).save(out, "JPEG")
    return out.getvalue()


class Mirror:
    """A mirror of one feed that takes pictures."""

    def __init__(self, folder: Path, fetcher: Fetcher, box: Box, newsroom: Newsroom) -> None:
        self.folder, self.fetcher, self.box, self.newsroom = folder, fetcher, box, newsroom
        self.signer = open_signer(folder)
        self.store, self.clock, self.delay_s = MemoryStore(), Clock(), 0
        self.feeds = ["/feed"]
        self.kept = self.store.get

    def desk(self) -> Desk:
        poller = Poller(
            *([Source(self.newsroom.url(feed), "auto") for feed in self.feeds], "en"),
            self.signer.state,
            *(self.fetcher, self.box, 4),
            hosts=frozenset(["127.0.0.1"]),
            pictures=True,
            kept=self.kept,
        )
        return Desk(poller, self.signer, self.store, delay_s=self.delay_s, recheck=True)

    async def cycle(self, later_s: int = MINUTE_S, *, polls: bool = True) -> Summary:
        self.clock.now += later_s
        return await run_cycle(self.desk(), now=self.clock, due=None if polls else [])

    def restart(self) -> None:
        self.signer.state.close()
        self.signer = open_signer(self.folder)

    @property
    def pictures(self) -> Pictures:
        return Pictures(self.signer.state.db)

    @property
    def revisions(self) -> list[tuple[int, int]]:
        return [(doc.n, doc.rev) for doc in docs_of(self.signer) if doc.t == "doc"]

    def shown(self, number: int = 1) -> str:
        address = f"https://news.example/story/{number}"
        folder = article_folder(short_id(article_id(address)))
        return self.store.kept[f"{folder}/index.html"].decode()

    def webps(self) -> list[str]:
        return [path.rpartition("/")[2] for path in self.store.kept if path.endswith(".webp")]

    def asked(self, path: str = "/photo.jpg") -> int:
        return self.newsroom.asked.count(path)

    async def wrong(self) -> list[str]:
        return await audited(self.store.kept, self.signer.root, now=self.clock.now)


@pytest_asyncio.fixture(loop_scope="module")
async def mirror(tmp_path: Path, newsroom: Newsroom, box: Box) -> AsyncIterator[Mirror]:
    allowed = [newsroom.address, f"127.0.0.1:{REFUSING}"]
    async with Fetcher(allow_hosts=allowed, timeout_s=2) as fetcher:
        mirror = Mirror(tmp_path, fetcher, box, newsroom)
        yield mirror
        mirror.signer.state.close()


def illustrated(newsroom: Newsroom, *paths: str, text: str = "", number: int = 1) -> str:
    figures = "".join(f'<figure><img src="{newsroom.url(path)}"></figure>' for path in paths)
    return f"<p>{text or 'Words.'}</p>{figures}{item(number).html}"


def offers(newsroom: Newsroom, *paths: str, text: str = "") -> None:
    entry = item(1, html=illustrated(newsroom, *(paths or ("/photo.jpg",)), text=text))
    newsroom.says("/feed", feed(entry), content_type=RSS)


def offers_page(newsroom: Newsroom) -> None:
    """Offer a teaser, whose page has the text and the picture."""
    newsroom.says("/story", page("T").replace("<p>", '<img src="/photo.jpg"><p>', 1))
    entry = item(1, html="", teaser="A teaser.", link=newsroom.url("/story"))
    newsroom.says("/feed", feed(entry), content_type=RSS)


def up(newsroom: Newsroom, path: str = "/photo.jpg", colour: int = 120) -> None:
    newsroom.says(path, photo(colour), content_type="image/jpeg")


# A server that is down, and comes back.


async def test_a_picture_whose_server_was_down_comes_with_a_revision(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.fails("/photo.jpg")
    offers(newsroom)
    await mirror.cycle()
    link = mirror.shown()
    up(newsroom)
    for _ in range(4):
        await mirror.cycle(11 * MINUTE_S)

    assert newsroom.url("/photo.jpg") in link
    assert mirror.revisions == [(0, 1), (0, 2)]
    assert mirror.webps()[0] in mirror.shown()
    assert newsroom.url("/photo.jpg") not in mirror.shown()
    assert (mirror.asked(), mirror.pictures.due(now=mirror.clock.now + DAY_S, most=9)) == (2, [])
    assert await mirror.wrong() == []


PASSING = {
    "500": Answer(b"no", 500),
    "502": Answer(b"no", 502),
    "503": Answer(b"no", 503),
    "429": Answer(b"no", 429),
    "slow": Answer(b"x" * 99, pause_s=1),
    "cut": Answer(photo(), headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("answer", PASSING.values(), ids=PASSING)
async def test_what_may_pass_is_asked_for_again(mirror: Mirror, newsroom: Newsroom, answer: Answer):
    newsroom.answers["/photo.jpg"] = answer
    offers(newsroom)
    await mirror.cycle()
    await mirror.cycle(10 * MINUTE_S)

    assert (mirror.asked(), mirror.revisions) == (2, [(0, 1)])


async def test_a_refused_connection_may_pass(mirror: Mirror, newsroom: Newsroom):
    html = f'<img src="http://127.0.0.1:{REFUSING}/photo.jpg">{item(1).html}'
    newsroom.says("/feed", feed(item(1, html=html)), content_type=RSS)
    await mirror.cycle()
    [plan] = mirror.pictures.due(now=mirror.clock.now + HOUR_S, most=9)

    assert plan.lacks == (f"http://127.0.0.1:{REFUSING}/photo.jpg",)


FOR_GOOD = {
    "404": Answer(b"no", 404),
    "410": Answer(b"no", 410),
    "403": Answer(b"no", 403),
    "drawing": Answer(b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
    "page": Answer(b"<html>Sorry</html>"),
    "icon": Answer(photo(size=(16, 16))),
    "bomb": Answer(photo(size=(16, 16)).replace(b"\x00\x10\x00\x10", b"\xff\xdc\xff\xdc")),
    "too large": Answer(more_mib=2),
    "elsewhere": Answer(b"", 302, {"Location": "http://192.0.2.1/photo.jpg"}),
}


@pytest.mark.parametrize("answer", FOR_GOOD.values(), ids=FOR_GOOD)
async def test_what_was_refused_for_good_is_asked_for_once(
    mirror: Mirror, newsroom: Newsroom, answer: Answer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.poll.gallery.MAX_PICTURE_BYTES", 1 << 20)
    newsroom.answers["/photo.jpg"] = answer
    offers(newsroom)
    await mirror.cycle()
    for _ in range(3):
        await mirror.cycle(HOUR_S)

    assert (mirror.asked(), mirror.revisions) == (1, [(0, 1)])
    assert mirror.pictures.due(now=mirror.clock.now + 9 * DAY_S, most=9) == []


async def test_a_server_that_stays_down_is_asked_ever_more_rarely_and_then_no_more(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.fails("/photo.jpg")
    offers(newsroom)
    await mirror.cycle()
    begun, times = mirror.clock.now, []
    while due := mirror.pictures.due(now=mirror.clock.now + 9 * DAY_S, most=9):
        before = mirror.asked()
        await mirror.cycle((due[0].due or 0) - mirror.clock.now - 1, polls=False)
        await mirror.cycle(1, polls=False)
        times.append((mirror.clock.now - begun, mirror.asked() - before))
    gaps = [b - a for a, b in pairwise([0, *(at for at, _ in times)])]

    assert [asked for _, asked in times] == [1] * TRIES
    assert gaps == [10 * MINUTE_S * 3**n for n in range(TRIES)]
    assert times[-1][0] < 3 * DAY_S
    assert mirror.revisions == [(0, 1)]


async def test_a_daemon_wakes_up_for_a_picture_that_is_due(mirror: Mirror, newsroom: Newsroom):
    newsroom.fails("/photo.jpg")
    offers(newsroom)
    await mirror.cycle()
    now = mirror.clock.now
    with mirror.signer.state.transaction():
        mirror.desk().agenda.lease([newsroom.url("/feed")], now=now, lease_s=HOUR_S)

    assert to_do(mirror.desk(), now=now + gap_s(0) - 1) is None
    assert to_do(mirror.desk(), now=now + gap_s(0)) == []


async def test_what_is_refused_for_good_in_the_end_is_let_go(mirror: Mirror, newsroom: Newsroom):
    newsroom.fails("/photo.jpg")
    offers(newsroom)
    await mirror.cycle()
    newsroom.fails("/photo.jpg", 404)
    for _ in range(4):
        await mirror.cycle(DAY_S)

    assert (mirror.asked(), mirror.revisions) == (2, [(0, 1)])


async def test_pictures_that_come_one_by_one_are_revisions_that_keep_the_others(
    mirror: Mirror, newsroom: Newsroom
):
    paths = ["/0.jpg", "/1.jpg", "/2.jpg"]
    up(newsroom, "/0.jpg", 0)
    newsroom.fails("/1.jpg")
    newsroom.fails("/2.jpg")
    offers(newsroom, *paths)
    await mirror.cycle()
    for n in (1, 2):
        up(newsroom, f"/{n}.jpg", n * 100)
        await mirror.cycle(HOUR_S)
    order = [mirror.shown().index(each) for each in mirror.webps()]

    assert mirror.revisions == [(0, 1), (0, 2), (0, 3)]
    assert len(order) == 3
    assert order == sorted(order)
    assert [mirror.asked(path) for path in paths] == [1, 2, 3]
    assert await mirror.wrong() == []


async def test_tries_count_on_when_one_of_several_has_come(mirror: Mirror, newsroom: Newsroom):
    newsroom.fails("/0.jpg")
    newsroom.fails("/1.jpg")
    offers(newsroom, "/0.jpg", "/1.jpg")
    await mirror.cycle()
    await mirror.cycle(HOUR_S)
    up(newsroom, "/0.jpg")
    for _ in range(9):
        await mirror.cycle(3 * DAY_S)

    assert mirror.revisions == [(0, 1), (0, 2)]
    assert mirror.asked("/1.jpg") == 1 + TRIES


async def test_a_host_that_asks_to_be_left_alone_is_asked_for_no_other_picture_either(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.answers["/photo.jpg"] = Answer(b"no", 429, {"Retry-After": "7200"})
    up(newsroom, "/other.jpg")
    offers(newsroom)
    await mirror.cycle()
    entries = [item(n, html=illustrated(newsroom, path, number=n)) for n, path in PATHS.items()]
    newsroom.says("/feed", feed(*entries), content_type=RSS)
    for _ in range(5):
        await mirror.cycle(20 * MINUTE_S)
        mirror.restart()
    quiet = mirror.asked() + mirror.asked("/other.jpg")
    up(newsroom)
    await mirror.cycle(25 * MINUTE_S)
    await mirror.cycle(HOUR_S)

    assert quiet == 1
    assert all(".webp" in mirror.shown(number) for number in PATHS)


PATHS = {1: "/photo.jpg", 2: "/other.jpg"}


async def test_one_feeds_redirect_to_a_busy_host_stops_no_other_feeds_pictures(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.answers["/go"] = Answer(b"", 302, {"Location": "/busy"})
    newsroom.answers["/busy"] = Answer(b"no", 503, {"Retry-After": "86400"})
    up(newsroom)
    offers(newsroom, "/go")
    await mirror.cycle()
    mirror.feeds.append("/another")
    entry = item(2, html=illustrated(newsroom, "/photo.jpg", number=2))
    newsroom.says("/another", feed(entry), content_type=RSS)
    for _ in range(3):
        await mirror.cycle(HOUR_S)

    assert ".webp" in mirror.shown(2)
    assert (mirror.asked(), mirror.asked("/go")) == (1, 1)


async def test_of_busy_hosts_a_look_notes_those_that_it_was_told_of_itself(
    mirror: Mirror, newsroom: Newsroom
):
    poller, now = mirror.desk().poller, mirror.clock.now
    source, url = poller.sources[0], newsroom.url("/photo.jpg")
    with mirror.signer.state.transaction():
        before = (("another-feed host", now + HOUR_S),)
        mirror.pictures.came(Visit(busy=before), now=now)
    newsroom.answers["/photo.jpg"] = Answer(b"no", 503, {"Retry-After": "600"})
    block = f'<figure><a itemprop="contentUrl" href="{url}">Photo</a></figure>'
    article = Article("", "T", (), "", "en", "ltr", (block,), partial=False)
    gallery = Gallery(poller, source, Turn.of(1, now=now))
    found = await gallery.add_to(Found("key", b"", Identity(("link x",), b""), article))

    assert found.visit is not None
    assert found.visit.busy == ((server_of(url, source=source.url), now + 600),)


async def test_a_host_that_is_down_is_not_asked_for_all_that_it_owes(
    mirror: Mirror, newsroom: Newsroom
):
    paths = [f"/{n}.jpg" for n in range(20)]
    for path in paths:
        newsroom.fails(path)
    offers(newsroom, *paths)
    await mirror.cycle()
    before = sum(map(mirror.asked, paths))
    await mirror.cycle(11 * MINUTE_S)
    asked = sum(map(mirror.asked, paths)) - before
    for path in paths:
        up(newsroom, path)
    await mirror.cycle(HOUR_S)

    assert 3 <= asked <= 6
    assert mirror.shown().count(".webp") == 20


# What stays.


async def test_an_edit_while_the_server_is_down_loses_no_picture(
    mirror: Mirror, newsroom: Newsroom
):
    up(newsroom)
    offers(newsroom)
    await mirror.cycle()
    mirror.restart()
    for n, status in enumerate((503, 404)):
        newsroom.fails("/photo.jpg", status)
        offers(newsroom, text=f"Edited for the {n}. time.")
        await mirror.cycle(HOUR_S)
    for _ in range(3):
        await mirror.cycle(DAY_S)

    assert mirror.revisions == [(0, 1), (0, 2), (0, 3)]
    assert "Edited for the 1. time" in mirror.shown()
    assert mirror.webps()[0] in mirror.shown()
    assert mirror.asked() == 3
    assert await mirror.wrong() == []


async def test_a_site_that_is_not_read_is_an_error_of_the_disk(
    mirror: Mirror, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
):
    async def fails(_: str) -> bytes | None:
        raise StoreError("site: not read: Input/output error")

    up(newsroom)
    offers(newsroom)
    await mirror.cycle()
    newsroom.fails("/photo.jpg")
    offers(newsroom, text="Edited.")
    monkeypatch.setattr(mirror, "kept", fails)

    with pytest.raises(StoreError, match="Input/output error"):
        await mirror.cycle()


async def test_no_revision_shows_less_because_the_site_lost_a_picture(
    mirror: Mirror, newsroom: Newsroom
):
    up(newsroom, "/0.jpg")
    newsroom.fails("/1.jpg")
    offers(newsroom, "/0.jpg", "/1.jpg")
    await mirror.cycle()
    [lost] = [path for path in mirror.store.kept if path.endswith(".webp")]
    del mirror.store.kept[lost]
    up(newsroom, "/1.jpg", 7)
    await mirror.cycle(HOUR_S)

    assert (mirror.asked("/1.jpg"), mirror.revisions) == (2, [(0, 1)])


async def test_an_edit_shows_a_new_picture_later_and_the_old_one_at_once(
    mirror: Mirror, newsroom: Newsroom
):
    up(newsroom)
    offers(newsroom)
    await mirror.cycle()
    newsroom.fails("/photo.jpg")
    newsroom.fails("/new.jpg")
    offers(newsroom, "/photo.jpg", "/new.jpg")
    await mirror.cycle()
    at_once = mirror.shown().count(".webp")
    up(newsroom, "/new.jpg", 7)
    await mirror.cycle(HOUR_S)

    assert (at_once, mirror.shown().count(".webp")) == (1, 2)
    assert mirror.revisions == [(0, 1), (0, 2), (0, 3)]


async def test_looks_at_the_page_bring_no_revision_while_the_server_is_down_and_after(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.fails("/photo.jpg")
    offers_page(newsroom)
    await mirror.cycle()
    for _ in range(6):
        await mirror.cycle(30 * MINUTE_S)
    down = list(mirror.revisions)
    up(newsroom)
    await mirror.cycle(DAY_S)
    newsroom.fails("/photo.jpg")
    for _ in range(9):
        await mirror.cycle(DAY_S)

    assert mirror.asked("/story") > 9
    assert down == [(0, 1)]
    assert mirror.revisions == [(0, 1), (0, 2)]


async def test_nothing_is_asked_for_where_nothing_is_missing(mirror: Mirror, newsroom: Newsroom):
    up(newsroom)
    offers(newsroom)
    await mirror.cycle()
    for _ in range(9):
        await mirror.cycle(DAY_S)

    assert mirror.asked() == 1


async def test_an_edit_that_comes_at_the_same_time_is_not_taken_back(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.fails("/photo.jpg")
    offers(newsroom, text="As it was.")
    await mirror.cycle()
    up(newsroom)
    offers(newsroom, text="As it is.")
    await mirror.cycle(HOUR_S)
    await mirror.cycle(HOUR_S)

    assert mirror.revisions == [(0, 1), (0, 2)]
    assert "As it is." in mirror.shown()
    assert ".webp" in mirror.shown()


async def test_a_picture_of_what_was_edited_meanwhile_is_left(mirror: Mirror, newsroom: Newsroom):
    newsroom.fails("/photo.jpg")
    offers(newsroom, text="As it was.")
    await mirror.cycle()
    [plan] = mirror.pictures.due(now=mirror.clock.now + HOUR_S, most=9)
    assert plan.article is not None
    late = replace(plan.article, pictures=(Picture(plan.lacks[0], b"webp", 9, 9),))
    found = plan.source, Found("key", b"", plan.identity, late, visit=Visit(plan=plan))
    rules = mirror.desk().rules(now=mirror.clock.now)
    before, _ = decide_all(rules, [found])
    offers(newsroom, text="As it is.")
    await mirror.cycle()

    assert len(before) == 1
    assert decide_all(rules, [found]) == ([], 0)


# Whatever comes between.


async def test_a_restart_and_a_crash_forget_nothing(mirror: Mirror, newsroom: Newsroom):
    newsroom.fails("/photo.jpg")
    offers(newsroom)
    mirror.store.fails = lambda path: path == "checkpoint"
    with pytest.raises(Exception, match="told to fail"):
        await mirror.cycle()
    mirror.restart()
    mirror.store.fails = lambda path: False
    up(newsroom)
    await mirror.cycle(11 * MINUTE_S)
    mirror.restart()
    await mirror.cycle(HOUR_S)

    assert mirror.revisions == [(0, 1), (0, 2)]
    assert ".webp" in mirror.shown()


async def test_what_crashed_once_it_was_appended_is_not_published_twice(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.fails("/photo.jpg")
    offers(newsroom)
    await mirror.cycle()
    up(newsroom)
    mirror.store.fails = lambda path: path == "checkpoint"
    with pytest.raises(Exception, match="told to fail"):
        await mirror.cycle(HOUR_S)
    mirror.restart()
    mirror.store.fails = lambda path: False
    await mirror.cycle(HOUR_S)

    assert mirror.revisions == [(0, 1), (0, 2)]
    assert ".webp" in mirror.shown()
    assert await mirror.wrong() == []


async def test_while_all_is_held_a_picture_waits_for_the_operator(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.fails("/photo.jpg")
    offers_page(newsroom)
    await mirror.cycle()
    with mirror.signer.state.transaction():
        mirror.desk().hold.switch_on("hold", now=mirror.clock.now)
    up(newsroom)
    for _ in range(3):  # its page, which is looked at again, is no reason to drop it
        await mirror.cycle(HOUR_S)
    [waiting] = mirror.desk().hold.waiting()
    before = list(mirror.revisions)
    with mirror.signer.state.transaction():
        mirror.desk().hold.mark([waiting.n], approved=True)
    await mirror.cycle()

    assert (waiting.rev, before) == (2, [(0, 1)])
    assert mirror.revisions == [(0, 1), (0, 2)]
    assert mirror.asked("/story") > 3
    assert (mirror.asked(), mirror.desk().hold.waiting()) == (2, [])
    assert len(mirror.webps()) == 1


async def test_a_picture_that_waits_lets_no_entry_be_forgotten(mirror: Mirror, newsroom: Newsroom):
    newsroom.fails("/photo.jpg")
    offers(newsroom)
    await mirror.cycle()
    before = mirror.signer.state.db.rows("SELECT * FROM seen")
    mirror.delay_s = DAY_S
    up(newsroom)
    await mirror.cycle(HOUR_S, polls=False)

    assert [each.rev for each in mirror.desk().hold.waiting()] == [2]
    assert mirror.signer.state.db.rows("SELECT * FROM seen") == before


async def test_who_rejects_a_picture_that_came_later_rejects_no_text(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.fails("/photo.jpg")
    offers(newsroom, text="As it was.")
    await mirror.cycle()
    hold = mirror.desk().hold
    with mirror.signer.state.transaction():
        hold.switch_on("hold", now=mirror.clock.now)
    up(newsroom)
    await mirror.cycle(HOUR_S)
    with mirror.signer.state.transaction():
        hold.reject(hold.waiting(), now=mirror.clock.now)
    await mirror.cycle(DAY_S)
    left = hold.waiting(), mirror.asked(), list(mirror.revisions)
    with mirror.signer.state.transaction():
        hold.switch_off()
    for text in ("As it is.", "As it was."):
        offers(newsroom, text=text)
        await mirror.cycle(HOUR_S)

    assert left == ([], 2, [(0, 1)])
    assert mirror.revisions == [(0, 1), (0, 2), (0, 3)]
    assert "As it was." in mirror.shown()


async def test_after_a_delay_an_article_gets_its_pictures_too(mirror: Mirror, newsroom: Newsroom):
    mirror.delay_s = HOUR_S
    newsroom.fails("/photo.jpg")
    offers(newsroom)
    await mirror.cycle()
    await mirror.cycle(30 * MINUTE_S)
    waited = mirror.asked()
    await mirror.cycle(HOUR_S)
    up(newsroom)
    for _ in range(3):
        await mirror.cycle(2 * HOUR_S)

    assert waited == 1
    assert mirror.revisions == [(0, 1), (0, 2)]


async def test_of_what_is_withdrawn_neither_text_nor_picture_is_kept(
    mirror: Mirror, newsroom: Newsroom
):
    newsroom.fails("/photo.jpg")
    offers(newsroom)
    await mirror.cycle()
    held = mirror.signer.state.articles(0, 1)[0]
    with mirror.signer.state.transaction():
        Withdrawals(mirror.signer.state.db).ask(held.short, "legal", now=mirror.clock.now)
    up(newsroom)
    await mirror.cycle(HOUR_S)
    await mirror.cycle(HOUR_S)

    assert mirror.pictures.find(0) is None
    assert (mirror.asked(), mirror.webps()) == (1, [])


class Captured(Box):
    """A box whose worker was captured: in what it answers, one address is another."""

    def __init__(self, box: Box, real: str, bad: str) -> None:
        self.box, self.real, self.bad = box, real, bad

    async def run(self, job: Callable[..., T], body: bytes, **options: object) -> T | Refused:
        made: T | Refused = self._changed(await self.box.run(job, body, **options))
        return made

    async def rest(self) -> None:
        await self.box.rest()

    def _changed(self, made: Any) -> Any:  # noqa: ANN401  what a job returns
        if isinstance(made, str):
            return made.replace(self.real, self.bad)
        if isinstance(made, tuple):
            return tuple(map(self._changed, made))
        if not is_dataclass(made):
            return made
        names = [each.name for each in fields(made) if each.name != "html"]  # what it was given
        return replace(made, **{name: self._changed(getattr(made, name)) for name in names})


@pytest.mark.parametrize("from_page", [False, True])
@pytest.mark.parametrize("what", ["picture", "link"])
async def test_a_captured_worker_that_writes_what_is_no_address_ends_no_cycle(
    mirror: Mirror, newsroom: Newsroom, what: str, from_page: bool
):
    newsroom.fails("/photo.jpg")
    (offers_page if from_page else offers)(newsroom)
    link = newsroom.url("/story") if from_page else "https://news.example/story/1"
    honest, real = mirror.box, newsroom.url("/photo.jpg") if what == "picture" else link
    mirror.box = Captured(honest, real, "https://[bad/")
    ended = await mirror.cycle()
    mirror.box = honest
    await mirror.cycle(DAY_S)

    assert "an answer with an address that is none" in str(ended.problems)
    assert mirror.revisions == [(0, 1)]
    assert await mirror.wrong() == []
