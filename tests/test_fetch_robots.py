"""What robots.txt asks for is done, what it costs is bounded, and nobody waits for another."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
from aiohttp import web
from fetch_servers import FakeResolver, LoopbackSockets, raw, site
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from mirror.errors import FetchError
from mirror.fetch import Fetched, Fetcher
from mirror.fetch import robots as robots_module
from mirror.fetch.robots import MAX_RULES, MAX_WILD, Rules
from mirror.fetch.turns import Turns
from mirror.fetch.words import FailedError
from tests.cost import within

DAY_S = 24 * 3600


class Site:
    """A site with a robots.txt, which counts how often that and all else was asked for."""

    def __init__(self, text: str = "", status: int = 200, **fields: str) -> None:
        self.text = text
        self.status = status
        self.fields = fields
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path == "/robots.txt":
            return web.Response(text=self.text, status=self.status, headers=self.fields)
        return web.Response(text="here")


@asynccontextmanager
async def reading(asked: Site, **options: object) -> AsyncIterator[tuple[Fetcher, str]]:
    async with (
        site(asked.answer) as host,
        Fetcher(
            allow_hosts=[host],
            robots=True,
            resolver=FakeResolver(),
            socket_factory=LoopbackSockets(),
            **options,
        ) as fetcher,
    ):
        yield fetcher, f"http://{host}"


async def get(fetcher: Fetcher, url: str) -> Fetched | None:
    return await fetcher.get(url, max_bytes=1000)


async def failure(fetcher: Fetcher, url: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await get(fetcher, url)
    return caught.value


async def test_what_is_disallowed_is_not_asked_for_and_the_message_says_who_must_act():
    asked = Site("User-agent: *\nDisallow: /private")
    async with reading(asked) as (fetcher, home):
        await get(fetcher, f"{home}/feed")
        error = await failure(fetcher, f"{home}/private/feed")

    assert error.kind == "robots"
    assert str(error) == (
        f"{home}/private/feed: disallowed by {home}/robots.txt: "
        "agree with the newsroom, then set fetch.robots = false"
    )
    assert asked.asked == ["/robots.txt", "/feed"]


async def test_without_the_rule_robots_txt_is_never_asked_for():
    asked = Site("User-agent: *\nDisallow: /")
    async with site(asked.answer) as host, Fetcher(allow_hosts=[host]) as fetcher:
        await get(fetcher, f"http://{host}/feed")

    assert asked.asked == ["/feed"]


async def test_a_redirect_into_what_is_disallowed_is_not_followed():
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/robots.txt":
            return web.Response(text="User-agent: tamizdat\nDisallow: /no")
        return web.Response(status=302, headers={"Location": "/no"})

    async with site(handler) as host, Fetcher(allow_hosts=[host], robots=True) as fetcher:
        error = await failure(fetcher, f"http://{host}/yes")

    assert error.kind == "robots"


async def test_robots_txt_is_asked_for_once_a_day_by_however_many():
    asked, clock = Site("User-agent: *\nDisallow: /no"), [1000.0]
    async with reading(asked, now=lambda: clock[0]) as (fetcher, home):
        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(get(fetcher, f"{home}/{number}"))
        first = asked.asked.count("/robots.txt")
        clock[0] += DAY_S - 1
        await get(fetcher, f"{home}/a")
        still = asked.asked.count("/robots.txt")
        clock[0] += 2
        await get(fetcher, f"{home}/b")
        clock[0] -= 10 * DAY_S  # set back
        await get(fetcher, f"{home}/c")

    assert (first, still, asked.asked.count("/robots.txt")) == (1, 1, 3)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429, 451])
async def test_a_robots_txt_that_is_not_there_allows_everything(status: int):
    async with reading(Site("User-agent: *\nDisallow: /", status)) as (fetcher, home):
        assert await get(fetcher, f"{home}/feed") is not None


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_robots_txt_that_fails_disallows_until_it_is_asked_again(status: int):
    asked, clock = Site(status=status), [1000.0]
    async with reading(asked, now=lambda: clock[0]) as (fetcher, home):
        errors = [await failure(fetcher, f"{home}/{number}") for number in range(3)]
        asked.status = 200
        clock[0] += 61
        await get(fetcher, f"{home}/feed")

    assert {error.kind for error in errors} == {"failed"}
    assert str(errors[0]).startswith(f"{home}/0: {home}/robots.txt: status {status}: ")
    assert asked.asked == ["/robots.txt", "/robots.txt", "/feed"]


async def test_while_robots_txt_fails_its_last_rules_hold():
    asked, clock = Site("User-agent: *\nDisallow: /no"), [1000.0]
    async with reading(asked, now=lambda: clock[0]) as (fetcher, home):
        await get(fetcher, f"{home}/feed")
        asked.status = 503
        clock[0] += 2 * DAY_S
        await get(fetcher, f"{home}/feed")
        error = await failure(fetcher, f"{home}/no")

    assert error.kind == "robots"
    assert asked.asked.count("/robots.txt") == 2


async def test_a_robots_txt_that_never_comes_has_a_time_limit_of_its_own():
    async with (
        raw(hold=True) as host,
        Fetcher(allow_hosts=[host], robots=True, timeout_s=0.2) as fetcher,
    ):
        error = await failure(fetcher, f"http://{host}/feed")

    assert str(error).endswith("/robots.txt: too slow: not done in 0.2 s")


async def test_five_redirects_of_robots_txt_are_followed_and_a_private_one_is_not():
    paths = ["/robots.txt", *(f"/{step}" for step in range(5))]

    async def handler(request: web.Request) -> web.Response:
        step = paths.index(request.path) if request.path in paths else len(paths)
        if step + 1 < len(paths):
            return web.Response(status=302, headers={"Location": paths[step + 1]})
        return web.Response(text="User-agent: *\nDisallow: /no")

    async with site(handler) as host, Fetcher(allow_hosts=[host], robots=True) as fetcher:
        assert (await failure(fetcher, f"http://{host}/no")).kind == "robots"

    inside = Site(status=301, Location="http://10.0.0.7/robots.txt")
    async with reading(inside) as (fetcher, home):
        error = await failure(fetcher, f"{home}/feed")

    assert f"{home}/robots.txt: no connection: 10.0.0.7 is not a public address" in str(error)


async def test_of_an_endless_robots_txt_the_start_counts():
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if request.path == "/robots.txt":
            await response.prepare(request)
            await response.write(b"User-agent: *\nDisallow: /no\n")
            while True:
                await response.write(b"#" * 100_000)
        return response

    declared = Site("User-agent: *\nDisallow: /no\n" + "#" * 600_000)
    async with site(handler) as host, Fetcher(allow_hosts=[host], robots=True) as fetcher:
        kinds = [(await failure(fetcher, f"http://{host}/no")).kind]
    async with reading(declared) as (fetcher, home):
        kinds.append((await failure(fetcher, f"{home}/no")).kind)

    assert kinds == ["robots", "robots"]


async def test_each_origin_has_its_own_robots_txt():
    strict, open_ = Site("User-agent: *\nDisallow: /"), Site()
    async with (
        site(strict.answer) as one,
        site(open_.answer) as other,
        Fetcher(allow_hosts=[one, other], robots=True) as fetcher,
    ):
        kind = (await failure(fetcher, f"http://{one}/feed")).kind
        fetched = await get(fetcher, f"http://{other}/feed")

    assert kind == "robots"
    assert fetched is not None


async def test_a_crawl_delay_lies_between_any_two_requests_and_costs_no_time():
    asked = Site("User-agent: *\nCrawl-delay: 0.15")
    async with reading(asked, timeout_s=0.2) as (fetcher, home):
        start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(get(fetcher, f"{home}/{number}"))
        took_s = time.monotonic() - start

    assert took_s >= 3 * 0.15


async def test_a_crawl_delay_is_kept_though_another_origin_of_the_host_asks_for_none():
    turns = Turns(0)
    start = time.monotonic()
    async with asyncio.timeout(5) as limit:
        for delay_s in (0.2, 0.0, 0.2):
            await turns.take("news.test", limit, partial(asyncio.sleep, 0), delay_s=delay_s)

    assert time.monotonic() - start >= 0.2


def allowed(text: str | bytes, path: str, token: str = "Tamizdat") -> bool:
    body = text if isinstance(text, bytes) else text.encode()
    return Rules.parse(body, token).allows(URL(f"http://news.test{path}"), token)


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("", "/feed", True),
        ("<html>no rules", "/feed", True),
        ("User-agent: *\nDisallow: /", "/feed", False),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
        ("User-agent: *\nDisallow:", "/feed", True),
        ("Disallow: /", "/feed", True),
        ("USER-AGENT: TAMIZDAT\nDISALLOW: /", "/feed", False),
        ("User-agent: Tamizdat/0.1\nDisallow: /", "/feed", False),
        ("User-agent: Tamizdat*\nDisallow: /", "/feed", False),
        ("User-agent: Tamizdatter\nDisallow: /", "/feed", True),
        ("User-agent: Other\nDisallow: /", "/feed", True),
        ("User-agent: Other\nUser-agent: *\nDisallow: /", "/feed", False),
        ("User-agent: Tamizdat\nDisallow:\n\nUser-agent: *\nDisallow: /", "/feed", True),
        ("User-agent: *\nDisallow: /\n\nUser-agent: Tamizdat\nDisallow: /a", "/feed", True),
        ("User-agent: Tamizdat\nDisallow: /a\nUser-agent: X\nDisallow: /feed", "/feed", True),
        ("User-agent: Tamizdat\nSitemap: x\nUser-agent: X\nDisallow: /feed", "/feed", False),
        ("User-agent: *\nDisallow: /\nAllow: /feed", "/feed", True),
        ("User-agent: *\nDisallow: /*.xml$", "/feed.xml", False),
        ("User-agent: *\nDisallow: /*.xml$", "/feed.xml?a", True),
        ("User-agent: *\nDisallow: /*?", "/feed?a", False),
        ("User-agent: *\nDisallow: /%D0%B0", "/а", False),
        ("User-agent: *\nDisallow: /а", "/%D0%B0", False),
        ("User-agent: *\nDisallow: /a # and so on", "/a", False),
        ("User-agent: *\rDisallow: /a", "/a", False),
        ("\ufeffUser-agent: *\r\nDisallow: /a", "/a", False),
        ("User-agent *\nDisallow /a", "/a", False),
        ("User-agent: *\nDissalow: /a", "/a", False),
        ("User-agent: *\nDisallow: /" + "a" * 2000, "/" + "a" * 2000, True),
        ("User-agent: *\nDisallow: /x\x0bDisallow: /a\x85Disallow: /a", "/a", True),
        ("User-agent: *\nDisallow: //[x", "//[x", False),
    ],
)
def test_rules_are_read_as_the_standard_and_the_search_engines_read_them(
    text: str, path: str, expected: bool
):
    assert allowed(text, path) is expected


def test_a_line_that_the_limit_cuts_is_no_rule():
    start, last = b"User-agent: *\n#", b"\nDisallow: /"
    room = robots_module.MAX_ROBOTS_BYTES - len(start + last)
    cut = start + b"x" * room + last  # of `Disallow: /ads`

    assert allowed(cut, "/feed")
    assert not allowed(cut[:-1].removesuffix(b"\nDisallow: ") + last + b"\n", "/feed")


@pytest.mark.parametrize(
    ("text", "delay_s"),
    [
        ("2.5", 2.5),
        ("0", 0),
        ("3600", 10),
        ("1e9", 10),
        ("-1", 0),
        ("nan", 0),
        ("inf", 0),
        ("a", 0),
    ],
)
def test_a_crawl_delay_is_ten_seconds_at_most(text: str, delay_s: float):
    assert (
        Rules.parse(f"User-agent: *\nCrawl-delay: {text}".encode(), "Tamizdat").delay_s == delay_s
    )


AGENTS = "".join(f"User-agent: a{number}\n" for number in range(15_000))
MANY = "".join(f"Disallow: /{number}\n" for number in range(15_000))
HOSTILE = {
    "agents times rules": AGENTS + MANY,
    "groups": "".join(f"User-agent: a{n}\nDisallow: /\n" for n in range(15_000)),
    "one name again and again": "User-agent: *\n" * 30_000 + "Disallow: /",
    "the same agents twice": AGENTS + AGENTS,
    "empty lines": "\n" * 500_000,
    "line ends of all kinds": "User-agent: *\n" + "\r\x0b\x0c\x85\u2028" * 50_000,
    "one long line": "User-agent: *\nDisallow: /" + "*a" * 250_000,
    "white space": " " * 500_000 + "User-agent: *",
    "white space in a field": ("user" + " " * 20_000 + "agent\n") * 20,
    "wildcards": "User-agent: *\n" + "Disallow: /*ab\n" * (MAX_WILD - 1),
    "wildcards in one": "User-agent: *\n" + f"Disallow: /{'*a' * 499}b\n" * 2,
    "too many wildcards": "User-agent: *\n" + f"Disallow: /{'*a' * 499}b\n" * 500,
    "patterns": "User-agent: *\n" + "Disallow: /%e2%80%a6%20$a\n" * (MAX_RULES - 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_costs_little(name: str):
    body = HOSTILE[name].encode()[: robots_module.MAX_ROBOTS_BYTES]
    url = URL("http://news.test/" + "a" * 8000)
    rules = Rules()

    with within(0.5), suppress(FailedError):
        rules = Rules.parse(body, "Tamizdat")
    with within(1):
        for _ in range(10):
            rules.allows(url, "Tamizdat")


@pytest.mark.parametrize(
    "text", ["Disallow: /a*b\n" * (MAX_WILD + 1), "Allow: /a\n" * (MAX_RULES + 1)]
)
async def test_more_rules_than_anyone_needs_are_refused(text: str):
    async with reading(Site("User-agent: *\n" + text)) as (fetcher, home):
        error = await failure(fetcher, f"{home}/feed")

    assert "/robots.txt: more than " in str(error)
    assert error.kind == "failed"


async def ask(kept: robots_module.Robots, url: str) -> float:
    async with asyncio.timeout(None) as limit:
        return await kept.ask(URL(url), limit)


async def test_what_is_kept_of_all_origins_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(robots_module, "MAX_ORIGINS", 3)
    read: list[str] = []

    async def answer(url: URL) -> bytes:
        read.append(url.host or "")
        return b"User-agent: *\n" + b"Disallow: /no\n" * (9000 if url.host == "big" else 10)

    kept = robots_module.Robots("Tamizdat", answer, time.time)
    for host in ["a", "b", "c", "a", "d", "a", "b"]:
        await ask(kept, f"http://{host}/")

    assert read == ["a", "b", "c", "d", "b"]
    with pytest.raises(FailedError, match="more than"):
        await ask(kept, "http://big/")


async def test_the_bytes_kept_of_all_origins_together_are_bounded():
    read: list[str] = []

    async def answer(url: URL) -> bytes:
        read.append(url.host or "")
        return b"User-agent: *\n" + b"Disallow: /no\n" * (MAX_RULES - 1)

    kept = robots_module.Robots("Tamizdat", answer, time.time)
    for number in [0, 1, 2, 3, 3, 0]:
        await ask(kept, f"http://host{number}/")

    assert read == ["host0", "host1", "host2", "host3", "host0"]


@given(st.text(), st.text())
def test_no_file_does_anything_but_allow_or_disallow(text: str, path: str):
    url = URL("http://news.test/").with_path("/" + path.replace("\x00", ""))
    body = f"User-agent: *\n{text}\nDisallow: {text}".encode(errors="replace")

    assert Rules.parse(body, "Tamizdat").allows(url, "Tamizdat") in (True, False)


class Slow:
    """A site that answers when it is told to, and counts who is there at the same time."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.here = self.most = 0

    async def answer(self, _: web.Request) -> web.Response:
        self.here += 1
        self.most = max(self.most, self.here)
        await self.go.wait()
        self.here -= 1
        return web.Response(text="here")


@pytest.mark.parametrize(("per_host", "most"), [(1, 1), (2, 2), (0, 6)])
async def test_so_many_requests_are_under_way_to_a_host_at_a_time(per_host: int, most: int):
    slow = Slow()
    async with (
        site(slow.answer) as host,
        Fetcher(allow_hosts=[host], per_host=per_host) as fetcher,
        asyncio.TaskGroup() as group,
    ):
        tasks = [group.create_task(get(fetcher, f"http://{host}/{n}")) for n in range(6)]
        await asyncio.sleep(0.2)
        slow.go.set()

    assert slow.most == most
    assert all(task.result() is not None for task in tasks)
    assert fetcher._turns._lines == {}


async def test_waiting_for_a_turn_uses_up_nobodys_time():
    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(0.1)
        return web.Response(text="here")

    async with (
        site(handler) as host,
        Fetcher(allow_hosts=[host], per_host=1, timeout_s=0.3) as fetcher,
        asyncio.TaskGroup() as group,
    ):
        tasks = [group.create_task(get(fetcher, f"http://{host}/{n}")) for n in range(8)]

    assert all(task.result() is not None for task in tasks)


async def test_a_slow_host_holds_up_no_other_and_whoever_leaves_its_line_leaves_no_gap():
    slow = Slow()
    async with raw(hold=True) as stuck, site(slow.answer) as quick:
        slow.go.set()
        async with Fetcher(allow_hosts=[stuck, quick], per_host=1, timeout_s=30) as fetcher:
            waiting = [
                asyncio.create_task(get(fetcher, f"http://{stuck}/{number}")) for number in range(3)
            ]
            await asyncio.sleep(0.05)
            fetched = await asyncio.wait_for(get(fetcher, f"http://{quick}/"), 2)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            left = dict(fetcher._turns._lines)

    assert fetched is not None
    assert all(task.cancelled() for task in waiting)
    assert left == {}
