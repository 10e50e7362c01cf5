"""What mirror.toml says is what a desk does: each key by what comes of it at a source or a reader.

Everything begins with the file on disk, and only `build` makes objects of it.
"""

import asyncio
import io
import zoneinfo
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import tomlkit
from aiohttp import web
from fakes import NOW, Clock
from feed_zones import MOSCOW
from fetch_proxies import http_proxy, ssh_socks
from fetch_servers import site
from free_ports import free_port
from newsroom import PARAGRAPH, TEXT, Item, Newsroom, feed, item, page
from PIL import Image

from mirror import build
from mirror.article.article import Article
from mirror.article.extraction.siterules import SiteRules
from mirror.box import Box
from mirror.build.mirrors import mirrors_named, outlets_of, trials_of, watch_of
from mirror.cycle import run_cycle
from mirror.desk import Desk, Summary
from mirror.errors import FetchError, SettingsError
from mirror.fetch import USER_AGENT
from mirror.init import Wishes, make
from mirror.mirrors import Mirror, Mirrors
from mirror.mirrors.vantage import Vantage
from mirror.poll import polls
from mirror.rotate import Outlets
from mirror.settings import Settings
from mirror.trial import Finding
from mirror.trial.verdicts import Tried, keep

shares_workers = pytest.mark.asyncio(loop_scope="module")

RSS = "application/rss+xml"
XML = "application/xml"
HOUR_S = 3600
HUSH = "hush-hush"


class House:
    """A mirror's folder, whose settings a test changes as an operator would: in the file."""

    def __init__(self, folder: Path) -> None:
        make(
            folder,
            Wishes(name="N", origin="test.example/news", feeds=["http://127.0.0.1/"]),
            now=NOW,
        )
        self.folder, self.file = folder, folder / "mirror.toml"
        self.says("box", workers=1)
        self.says("schedule", recheck=False)

    def says(self, section: str, **values: object) -> None:
        shown = tomlkit.parse(self.file.read_text())
        shown[section].update(values)
        self.file.write_text(tomlkit.dumps(shown))

    def has(self, section: str, *tables: dict[str, object]) -> None:
        """Put all sections of a name that may stand there often."""
        shown: Any = tomlkit.parse(self.file.read_text())
        shown[section] = tables
        self.file.write_text(tomlkit.dumps(shown))

    def reads(self, *hosts: str, path: str = "/feed", **fields: object) -> None:
        """Let the feed be at the first of these hosts, all of which may be asked."""
        self.has("feeds", {"url": f"http://{hosts[0]}{path}", **fields})
        self.says("fetch", allow_hosts=list(hosts))

    @property
    def settings(self) -> Settings:
        return Settings.load(self.file)

    @asynccontextmanager
    async def desk(self, box: Box | None = None) -> AsyncIterator[Desk]:
        """Open the desk; with `box`, that one's workers, which have begun, parse for it."""
        async with build.desk(self.file) as desk:
            yield replace(desk, poller=replace(desk.poller, box=box or desk.poller.box))

    async def cycle(self, box: Box | None = None) -> Summary:
        async with self.desk(box) as desk:
            return await run_cycle(desk, now=Clock())

    async def articles(self, box: Box) -> list[Article]:
        """Return what one poll of all feeds makes, in the order of the feeds."""
        async with self.desk(box) as desk:
            done = [
                each
                async for some in polls(desk.poller, desk.poller.sources, str, now=NOW)
                for each in some
            ]
            order = [source.url for source in desk.poller.sources]
        done.sort(key=lambda each: order.index(each.source.url))
        assert [each.problem for each in done if each.problem] == []
        found = [each.article for poll in done for each in poll.found]
        return [article for article in found if article is not None]


class Server:
    """Knows who asked for what; it has a robots.txt, and nothing else."""

    def __init__(self, robots: str = "") -> None:
        self.robots = robots
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if request.path == "/robots.txt" and self.robots:
            return web.Response(text=self.robots)
        return web.Response(status=404)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "m")


# How sources are asked.


@pytest.mark.parametrize(("scheme", "opened"), [("socks5h", ssh_socks), ("http", http_proxy)])
async def test_all_is_asked_over_the_proxy_that_the_settings_name(
    house: House, scheme: str, opened: Callable[..., Any]
):
    server, port = Server(), free_port()  # where nobody listens: only the proxy finds the server
    async with site(server.answer) as host, opened({("127.0.0.1", port): host}) as seen:
        house.reads(f"127.0.0.1:{port}")
        house.says("fetch", proxy=f"{scheme}://{seen.address}")
        summary = await house.cycle()

    assert server.asked == ["/robots.txt", "/feed"]
    assert set(seen.targets) == {("127.0.0.1", port)}
    assert "status 404" in summary.problems[0]


@pytest.mark.parametrize(("home", "know"), [("", [HUSH, None]), ("localhost", [HUSH, HUSH])])
async def test_the_newsrooms_header_is_for_its_feeds_and_its_home_only(
    house: House,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    home: str,
    know: list[str | None],
):
    (house.folder / "header.txt").write_text(f" X-Mirror :  {HUSH} \n")
    monkeypatch.chdir(tmp_path)  # the file is beside the settings, and not where a shell is
    server = Server()
    async with site(server.answer) as host:
        other = host.replace("127.0.0.1", "localhost")
        house.reads(host, other)
        house.says("newsroom", home=f"http://{home}/" if home else "")
        house.says("fetch", secret="header.txt", robots=False)
        async with house.desk() as desk:
            await run_cycle(desk, now=Clock())
            with pytest.raises(FetchError, match="status 404"):
                await desk.poller.fetcher.get(f"http://{other}/page", max_bytes=99)
            hosts = desk.poller.hosts

    assert server.asked == ["/feed", "/page"]
    assert [each.get("x-mirror") for each in server.headers] == know
    assert hosts == {"127.0.0.1", home or "127.0.0.1"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "the newsroom's header is not readable: No such file"),
        (HUSH, "one line, Name: value, was expected"),
        (f"Host: {HUSH}", "one line, Name: value, was expected"),
        (f"X-Mirror: {HUSH}\nX-Other: {HUSH}", "one line, Name: value, was expected"),
        (f"X-Mirror: {HUSH}é", "one line, Name: value, was expected"),
        ("X-Mirror:", "one line, Name: value, was expected"),
    ],
)
async def test_a_header_that_cannot_be_sent_is_refused_and_not_told(
    house: House, text: str | None, words: str
):
    if text is not None:
        (house.folder / "header.txt").write_text(text)
    house.says("fetch", secret="header.txt")
    with pytest.raises(SettingsError, match=rf"header\.txt: {words}") as caught:
        await house.cycle()

    assert HUSH not in str(caught.value)


@pytest.mark.parametrize(("said", "sent"), [("", USER_AGENT), ("Harbour/2 (a)", "Harbour/2 (a)")])
async def test_the_mirror_says_who_it_is_as_it_is_told(house: House, said: str, sent: str):
    server = Server()
    async with site(server.answer) as host:
        house.reads(host)
        house.says("fetch", user_agent=said)
        await house.cycle()

    assert [each["user-agent"] for each in server.headers] == [sent, sent]


@pytest.mark.parametrize(
    ("robots", "asked", "problem"),
    [(True, ["/robots.txt"], "disallowed by"), (False, ["/feed"], "status 404")],
)
async def test_robots_txt_is_obeyed_unless_the_settings_say_that_it_need_not_be(
    house: House, robots: bool, asked: list[str], problem: str
):
    server = Server("User-agent: *\nDisallow: /feed")
    async with site(server.answer) as host:
        house.reads(host)
        house.says("fetch", robots=robots)
        summary = await house.cycle()

    assert server.asked == asked
    assert problem in summary.problems[0]


async def test_a_robots_txt_for_the_named_mirror_is_found_by_that_name(house: House):
    server = Server("User-agent: harbour\nDisallow: /\n\nUser-agent: *\nAllow: /")
    async with site(server.answer) as host:
        house.reads(host)
        house.says("fetch", user_agent="harbour/2")
        await house.cycle()

    assert server.asked == ["/robots.txt"]


async def test_a_host_nearby_is_asked_only_where_the_settings_allow_it(house: House):
    server = Server()
    async with site(server.answer) as host:
        house.reads(host)
        house.says("fetch", allow_hosts=["127.0.0.1:9"])
        summary = await house.cycle()

    assert server.asked == []
    assert "refused: port" in summary.problems[0]


async def test_who_only_looks_asks_as_the_settings_say_and_the_hosts_it_names(
    house: House, tmp_path: Path
):
    server = Server()
    (tmp_path / "looks").mkdir()
    (house.folder / "header.txt").write_text(f"X-Mirror: {HUSH}")
    async with site(server.answer) as host:
        house.reads(host)
        house.says("fetch", allow_hosts=[], secret="header.txt", robots=False, user_agent="Me/1")
        looker = build.looker(
            tmp_path / "looks", house.settings, beside=house.folder, allow_hosts=[host]
        )
        async with looker as poller:
            with pytest.raises(FetchError, match="status 404"):
                await poller.fetcher.get(f"http://{host}/feed", max_bytes=99)

    assert [(each["x-mirror"], each["user-agent"]) for each in server.headers] == [(HUSH, "Me/1")]
    assert not (house.folder / "state.db").exists()


@pytest.mark.parametrize("per_host", [1, 3])
async def test_so_many_ask_one_host_at_once_as_the_settings_say(house: House, per_host: int):
    inside, most, full = 0, 0, asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        if inside == per_host:
            full.set()
        await asyncio.wait_for(full.wait(), 10)
        await asyncio.sleep(0.1)  # one more, which there should not be, would come now
        inside -= 1
        return web.Response(status=404)

    async with site(answer) as host:
        house.reads(host)
        house.has("feeds", *({"url": f"http://{host}/feed/{n}"} for n in range(5)))
        house.says("fetch", per_host=per_host, parallel=5, robots=False)
        summary = await house.cycle()

    assert most == per_host
    assert summary.feeds_failed == 5


async def test_a_source_that_does_not_answer_is_left_after_the_time_that_the_settings_give(
    house: House,
):
    async def answer(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with site(answer) as host:
        house.reads(host)
        house.says("fetch", timeout_s=0.25, robots=False)
        summary = await house.cycle()

    assert "not done in 0.25 s" in summary.problems[0]


# How feeds and pages are read.


@shares_workers
async def test_each_feed_is_read_as_its_own_section_says(
    house: House, box: Box, newsroom: Newsroom
):
    date = "Mon, 16 Nov 2026 10:30:00"
    for name in ("plain", "zoned", "spoken"):
        one = item(1, link=newsroom.url(f"/{name}/1"), guid=name, title=name, date=date)
        newsroom.says(f"/{name}", feed(one), content_type=RSS)
    newsroom.says(
        "/own",
        f"<list><piece n='7'><where>/own/1</where><head>own</head><text><![CDATA[{TEXT}]]></text>"
        "<by><who>Ada Marsh</who></by><at>16.11.2026 10:30</at><about>Ferries</about>"
        "<about>Ice</about></piece></list>",
        content_type=XML,
    )
    fields = {"link": "where", "guid": "@n", "title": "head", "html": "text", "authors": "by/who"}
    fields |= {"entry": "piece", "published": "at", "tags": "about"}
    house.says("newsroom", lang="en")
    house.says("fetch", allow_hosts=[newsroom.address], robots=False)
    house.has(
        "feeds",
        {"url": newsroom.url("/plain")},
        {"url": newsroom.url("/zoned"), "timezone": "Europe/Moscow"},
        {"url": newsroom.url("/spoken"), "lang": "uk"},
        {"url": newsroom.url("/own"), "timezone": "Asia/Tokyo", "lang": "ja", "fields": fields},
    )

    plain, zoned, spoken, own = await house.articles(box)

    at = "2026-11-16T{}:30:00Z".format
    assert (plain.title, plain.published, plain.lang) == ("plain", at("10"), "en")
    assert (zoned.title, zoned.published, zoned.lang) == ("zoned", at("07"), "en")
    assert (spoken.title, spoken.published, spoken.lang) == ("spoken", at("10"), "uk")
    assert (own.title, own.published, own.lang) == ("own", at("01"), "ja")
    assert (own.url, own.authors) == (f"https://{newsroom.address}/own/1", ("Ada Marsh",))
    assert own.tags == ("Ferries", "Ice")
    assert PARAGRAPH.strip() in own.blocks[0]


async def test_every_path_of_a_plain_feed_reaches_its_reader(house: House):
    names = ("entry", "link", "guid", "title", "html", "authors", "published", "tags", "picture")
    paths = {name: f"x{at}" for at, name in enumerate(names)}
    house.reads("127.0.0.1:9", fields=paths)
    async with house.desk() as desk:
        [source] = desk.poller.sources

    assert {name: getattr(source.reading.fields, name) for name in names} == paths


async def test_a_zone_is_the_systems_and_where_it_has_none_our_own(house: House, tmp_path: Path):
    urls = ("http://127.0.0.1:9/a", "http://127.0.0.1:9/b")
    zones = ("Harbour/Quay", "Europe/Riga")
    (tmp_path / "Harbour").mkdir()
    (tmp_path / "Harbour" / "Quay").write_bytes(MOSCOW)
    house.has("feeds", *({"url": u, "timezone": z} for u, z in zip(urls, zones, strict=True)))
    zoneinfo.reset_tzpath([tmp_path])
    try:
        async with house.desk() as desk:
            quay, riga = (source.reading.zone for source in desk.poller.sources)
    finally:
        zoneinfo.reset_tzpath()

    assert quay == MOSCOW
    assert riga == (resources.files("tzdata.zoneinfo.Europe") / "Riga").read_bytes()


@shares_workers
async def test_the_rules_for_a_site_reach_its_pages_and_no_others(
    house: House, box: Box, newsroom: Newsroom
):
    around = f"<p>Around it. {PARAGRAPH}</p>"
    body = f"<p>The text. {PARAGRAPH * 3}</p><p class=ad>Buy now. {PARAGRAPH}</p>"
    newsroom.says(
        "/story",
        f"<html><body><h1>Wrong</h1>{around}<b class=head>Right</b><i class=by>Ada Marsh</i>"
        f"<div class=body>{body}</div></body></html>",
    )
    entry = Item("Teaser", newsroom.url("/story"), "urn:1", teaser="Only…")
    newsroom.says("/feed", feed(entry), content_type=RSS)
    house.reads(newsroom.address)
    rules = {"text": ".body", "remove": [".ad"], "title": ".head", "authors": ".by"}
    house.has("sites", {"host": "127.0.0.1", **rules}, {"host": "other.example", "text": "h1"})

    [article] = await house.articles(box)

    assert (article.title, article.authors) == ("Right", ("Ada Marsh",))
    assert [block[:13] for block in article.blocks] == ["<p>The text. "]


async def test_every_rule_for_a_site_reaches_the_poller(house: House):
    names = ("text", "title", "authors", "published", "tags", "figure", "caption", "credit")
    rules = {name: f".x{at}" for at, name in enumerate(names)} | {"number": "-([0-9]+)$"}
    house.has("sites", {"host": "news.example", **rules, "remove": [".a", ".b"]})
    async with house.desk() as desk:
        expected = SiteRules("news.example", remove=(".a", ".b"), **rules)

        assert desk.poller.rules == {"news.example": expected}


@shares_workers
@pytest.mark.parametrize(
    ("told", "larger_px"),
    [({"fetch": False}, []), ({"large_px": 0}, [0]), ({"large_px": 800}, [800])],
)
async def test_pictures_are_taken_in_the_sizes_that_the_settings_say(
    house: House, box: Box, newsroom: Newsroom, told: dict[str, object], larger_px: list[int]
):
    photo = io.BytesIO()
    Image.linear_gradient("L").resize((1000, 600)).save(photo, "JPEG")
    newsroom.says("/photo.jpg", photo.getvalue(), content_type="image/jpeg")
    html = f'<figure><img src="{newsroom.url("/photo.jpg")}"></figure>{TEXT}'
    newsroom.says("/feed", feed(item(1, html=html)), content_type=RSS)
    house.reads(newsroom.address)
    house.says("pictures", **told)

    [article] = await house.articles(box)

    sizes = [_width(picture.large) for picture in article.pictures]
    assert sizes == larger_px
    assert newsroom.asked.count("/photo.jpg") == len(larger_px)


def _width(picture: bytes) -> int:
    return Image.open(io.BytesIO(picture)).width if picture else 0


# When sources are asked, and when what they bring is signed.


async def test_a_feed_is_asked_between_the_shortest_and_the_longest_time_of_the_settings(
    house: House,
):
    house.reads("127.0.0.1:9")  # refused by the machine: a failure is asked again, ever later
    house.says("fetch", robots=False)
    house.says("schedule", shortest_s=100, interval_s=350)
    clock, waits = Clock(), []
    async with house.desk() as opened:
        desk = replace(opened, jitter=lambda: 0.0)
        for _ in range(3):
            await run_cycle(desk, now=clock)
            [source] = desk.poller.sources
            waits.append(desk.agenda.asked(source.url).due - clock.now)
            clock.now += HOUR_S

    assert waits == [100, 200, 350]


async def test_no_two_waits_are_the_same(house: House):
    async with house.desk() as desk:
        some = {desk.jitter() for _ in range(50)}

    assert len(some) > 1
    assert all(-1 <= each <= 1 for each in some)


@shares_workers
@pytest.mark.parametrize(("recheck", "revised"), [(True, 1), (False, 0)])
async def test_pages_are_asked_again_if_the_settings_say_so(
    house: House, box: Box, newsroom: Newsroom, recheck: bool, revised: int
):
    newsroom.says("/story", page("A teaser", text="As it was first."))
    entry = Item("A teaser", newsroom.url("/story"), "urn:1", teaser="Only…")
    newsroom.says("/feed", feed(entry), content_type=RSS)
    house.reads(newsroom.address)
    house.says("schedule", recheck=recheck)
    clock = Clock()
    async with house.desk(box) as desk:
        first = await run_cycle(desk, now=clock)
        newsroom.says("/story", page("A teaser", text="As it was corrected."))
        clock.now += HOUR_S
        second = await run_cycle(desk, now=clock, due=[])

    assert (first.new, second.revised, second.rechecked) == (1, revised, revised)
    assert newsroom.asked.count("/story") == 1 + revised


@shares_workers
async def test_what_is_new_waits_as_long_as_the_settings_say(
    house: House, box: Box, newsroom: Newsroom
):
    newsroom.says("/feed", feed(item(1)), content_type=RSS)
    house.reads(newsroom.address)
    house.says("publish", delay_s=HOUR_S)
    clock = Clock()
    async with house.desk(box) as desk:
        early = await run_cycle(desk, now=clock)
        clock.now += HOUR_S
        late = await run_cycle(desk, now=clock, due=[])

    assert (early.new, early.waiting) == (0, 1)
    assert (late.new, late.waiting) == (1, 0)


# What readers get, and who looks after it.


@asynccontextmanager
async def asked(address: str) -> AsyncIterator[aiohttp.ClientResponse]:
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        await response.read()
        yield response


@pytest.mark.parametrize("close", [True, False])
async def test_the_server_is_where_and_as_the_settings_say(house: House, close: bool):
    port = free_port()
    house.reads("127.0.0.1:9", path="/the-feed")
    house.says("serve", host="127.0.0.1", port=port, close=close)
    async with house.desk():
        pass
    async with build.server(house.file, house.settings, now=Clock()) as address:
        async with asked(f"{address}/trust/1.root.json") as answer:
            connection = answer.headers.get("Connection", "").lower()
            served = await answer.read()
        async with asked(f"{address}/-/health") as health:
            told = await health.json()

    assert address == f"http://127.0.0.1:{port}"
    assert (connection == "close") is close
    assert served == (house.folder / "site" / "trust" / "1.root.json").read_bytes()
    assert "ok" in told


@shares_workers
async def test_the_newsrooms_page_is_linked_from_every_page(
    house: House, box: Box, newsroom: Newsroom
):
    newsroom.says("/feed", feed(item(1)), content_type=RSS)
    house.reads(newsroom.address)
    house.says("newsroom", home="https://harbour.example/", name="The Harbour")
    await house.cycle(box)
    [story] = (house.folder / "site" / "a").glob("**/index.html")

    assert 'href="https://harbour.example/"' in story.read_text()
    assert "The Harbour" in story.read_text()


def test_mirrors_are_looked_at_over_the_newsrooms_proxy_where_no_other_place_is_named(
    house: House,
):
    house.says("fetch", proxy="socks5h://127.0.0.1:9050")
    house.says("watch", every_s=77)
    watch = watch_of(house.file, house.settings, None)  # type: ignore[arg-type]

    assert watch.every_s == 77
    assert [each.proxy for each in watch.places] == ["socks5h://127.0.0.1:9050"]


def test_mirrors_are_looked_at_from_the_places_that_the_settings_name(house: House):
    house.says("fetch", proxy="socks5h://127.0.0.1:9050")
    over = {"name": "over", "country": "RU", "proxy": "http://127.0.0.1:9"}
    house.has(
        "vantages", over, {"name": "at", "ssh": "u@h.example", "secret": "at", "control": True}
    )
    watch = watch_of(house.file, house.settings, None)  # type: ignore[arg-type]

    assert watch.places == (
        Vantage("over", country="RU", proxy="http://127.0.0.1:9"),
        Vantage("at", ssh="u@h.example", secret=house.folder / "at", control=True),
    )


async def test_mirrors_have_the_roles_of_the_settings_once_they_are_found_to_do_no_harm(
    house: House,
):
    good, bad, none = ({"kind": "folder", "name": n, "to": n} for n in ("good", "bad", "none"))
    house.has(
        "stores",
        {**good, "public": "https://good.example/", "role": "spare"},
        {**bad, "public": "https://bad.example/", "role": "public"},
        none,
    )
    house.has(
        "mirrors",
        {"url": "https://copy.example", "role": "private"},
        {"url": "https://untried.example"},
        {"url": "https://listed.example"},
    )
    async with house.desk() as desk:
        db = desk.state.db
        with desk.state.transaction():
            for name, level in (("good", "poor"), ("bad", "bad"), ("copy", "good")):
                found = (Finding("cookies", level, "adds cookies", "switch them off"),)
                keep(db, Tried(f"https://{name}.example/", found), now=NOW, jitter=0)
            Mirrors(db).put(Mirror("https://listed.example/", "public", announced=NOW))
        named = mirrors_named(house.settings, db)

    assert named == [
        ("https://good.example/", "spare"),
        ("https://bad.example/", "private"),
        ("https://copy.example/", "private"),
        ("https://untried.example/", "private"),
        ("https://listed.example/", "public"),
    ]


def test_mirrors_are_tried_from_the_same_places_and_against_our_own_site(house: House):
    house.says("fetch", proxy="socks5h://127.0.0.1:9050")
    house.has("vantages", {"name": "over", "country": "RU", "proxy": "http://127.0.0.1:9"})
    house.has(
        "mirrors", {"url": "https://a.example", "role": "spare"}, {"url": "https://b.example"}
    )
    trials = trials_of(house.file, house.settings, None)  # type: ignore[arg-type]
    watch = watch_of(house.file, house.settings, None)  # type: ignore[arg-type]

    assert trials.places == watch.places
    assert trials.here == Vantage("here", proxy="socks5h://127.0.0.1:9050")
    assert trials.site == house.folder / "site"
    assert watch.spares == {"https://a.example/"}


def test_nobody_is_told_unless_the_settings_name_somebody(house: House):
    nobody = outlets_of(house.file, house.settings)
    (house.folder / "who.txt").write_text("json://127.0.0.1:9/\n")
    (house.folder / "tsig").write_text("hmac-sha256:k:aHVzaC1odXNoLWh1c2g=\n")
    house.says("watch", notify="who.txt")
    house.says("dns", server="127.0.0.1", zone="news.example", name="_mirrors", key="tsig")
    told = outlets_of(house.file, house.settings)

    assert nobody == Outlets(None, None)
    assert told.publish is not None
    assert told.tell is not None


@pytest.mark.parametrize("section", ["watch", "dns"])
def test_a_file_of_whom_to_tell_that_is_not_there_is_named(house: House, section: str):
    house.says("watch", notify="gone.txt" if section == "watch" else "")
    if section == "dns":
        house.says("dns", server="127.0.0.1", zone="n.example", name="_m", key="gone.txt")
    with pytest.raises(SettingsError, match=r"m/gone\.txt"):
        outlets_of(house.file, house.settings)
