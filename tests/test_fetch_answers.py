"""What an answer means for the one who polls: for how long, whereto, and who must act."""

import traceback

import pytest
from aiohttp import web
from fetch_servers import FakeResolver, LoopbackSockets, NoSockets, answer, hops, raw, site
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from mirror.errors import FetchError
from mirror.fetch import Fetched, Fetcher, Secret, Unchanged, Validators
from mirror.fetch.answers import MAX_FRESH_S, MAX_RETRY_S, _fresh_s, _retry_s

NOON = 1_795_003_200.0  # 18 Nov 2026 12:00:00 UTC


async def get(host: str, path: str = "/", **options: object) -> Fetched | None:
    sockets = LoopbackSockets()
    async with Fetcher(
        allow_hosts=[host], socket_factory=sockets, resolver=FakeResolver(), **options
    ) as fetcher:
        return await fetcher.get(f"http://{host}{path}", max_bytes=1000)


async def failure(host: str, path: str = "/", **options: object) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await get(host, path, **options)
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (204, "failed"),
        (400, "refused"),
        (401, "refused"),
        (403, "refused"),
        (404, "missing"),
        (408, "failed"),
        (410, "gone"),
        (429, "later"),
        (500, "failed"),
        (502, "failed"),
        (503, "later"),
        (599, "failed"),
    ],
)
async def test_a_failure_says_what_it_means(status: int, kind: str):
    async with answer(b"", status, Retry_After="60") as host:
        error = await failure(host)

    assert error.kind == kind
    assert error.retry_s == (60 if kind == "later" else 0)


@pytest.mark.parametrize("status", [200, 403, 429, 503])
async def test_an_anti_bot_page_is_a_kind_of_its_own(status: int):
    async with answer(b"", status, cf_mitigated="challenge", Retry_After="60") as host:
        error = await failure(host)

    assert (error.kind, error.retry_s) == ("challenge", 60)
    assert "try again after 60 s" in str(error)


async def test_what_our_own_rules_refuse_is_told_from_what_never_comes():
    async with raw(hold=True) as slow, hops("http://10.0.0.1/") as inside:
        kinds = [(await failure(slow, timeout_s=0.1)).kind, (await failure(inside, "/0")).kind]

    assert kinds == ["failed", "refused"]


@pytest.mark.parametrize(
    ("later", "retry_s"),
    [
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("86401", MAX_RETRY_S),
        ("999999999", MAX_RETRY_S),
        ("Wed, 18 Nov 2026 12:05:00 GMT", 300),
        ("Wednesday, 18-Nov-26 12:05:00 GMT", 300),
        ("Wed Nov 18 12:05:00 2026", 300),
        ("Wed, 18 Nov 2026 11:00:00 GMT", 0),
        ("Fri, 18 Dec 2026 12:00:00 GMT", MAX_RETRY_S),
        ("", 0),
        ("soon", 0),
        ("-1", 0),
        ("1.5", 0),
        ("9e9", 0),
        ("1" * 4000, 0),
        ("Wed, 18 Nov 99999999 12:05:00 GMT", 0),
        ("Wed, 99 Nov 2026 12:05:00 GMT", 0),
        ("Wed, 18 Nov 2026 12:05:00 +9999999999", 0),
    ],
)
async def test_a_server_may_ask_for_silence_of_a_day_at_most(later: str, retry_s: int):
    async with answer(b"", 503, Retry_After=later) as host:
        error = await failure(host, now=lambda: NOON)

    assert error.retry_s == retry_s


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,5} Nov [0-9]{1,9} [0-9:]{1,12} .{0,9}"))
def test_no_retry_after_does_anything_but_give_seconds_of_a_day(text: str):
    assert 0 <= _retry_s(text, NOON) <= MAX_RETRY_S


@pytest.mark.parametrize(
    ("statuses", "moved"),
    [
        ([], False),
        ([301], True),
        ([308], True),
        ([301, 308, 301], True),
        ([302], False),
        ([301, 302], False),
        ([302, 301], False),
        ([301, 307, 301], False),
        ([303], False),
    ],
)
async def test_a_move_is_told_where_every_redirect_was_permanent(statuses: list[int], moved: bool):
    async def handler(request: web.Request) -> web.Response:
        step = int(request.path.strip("/"))
        if step < len(statuses):
            return web.Response(status=statuses[step], headers={"Location": f"/{step + 1}#a"})
        return web.Response(text="here")

    async with site(handler) as host:
        fetched = await get(host, "/0")

    assert fetched is not None
    assert fetched.url == f"http://{host}/{len(statuses)}"
    assert fetched.moved == (fetched.url if moved else "")


@pytest.mark.parametrize(
    ("fields", "max_age_s"),
    [
        ([], 0),
        (["max-age=300"], 300),
        (["max-age=300, 300, public", "max-age=300, 300, public"], 300),
        (["public", "Max-Age = 60"], 60),
        (['max-age="60"'], 60),
        (["s-maxage=600, max-age=60"], 60),
        (["s-maxage=600"], 0),
        (["max-age=-1"], 0),
        (["max-age=soon, max-age=60"], 60),
        (["max-age=1.5"], 0),
        (["max-age"], 0),
        (["max-age=36000000"], MAX_FRESH_S),
        (["max-age=" + "9" * 4000], 0),
        (["no-store, max-age=0, private"], 0),
    ],
)
async def test_how_long_an_answer_stays_fresh_is_told_up_to_a_week(
    fields: list[str], max_age_s: int
):
    lines = "".join(f"Cache-Control: {field}\r\n" for field in fields)
    async with raw(f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{lines}\r\n".encode()) as host:
        fetched = await get(host)

    assert fetched is not None
    assert fetched.max_age_s == max_age_s


@pytest.mark.parametrize(
    ("statuses", "moved"), [([], False), ([301, 308], True), ([302], False), ([301, 302], False)]
)
@pytest.mark.parametrize(
    ("fields", "max_age_s"), [({}, None), ({"Cache-Control": "max-age=60"}, 60),
                              ({"Cache-Control": "no-cache"}, 0)],
)  # fmt: skip
async def test_what_has_not_changed_may_have_moved_and_says_anew_how_long_it_is_fresh(
    statuses: list[int], fields: dict[str, str], max_age_s: int | None, *, moved: bool
):
    async def handler(request: web.Request) -> web.Response:
        step = int(request.path.strip("/"))
        if step < len(statuses):
            return web.Response(status=statuses[step], headers={"Location": f"/{step + 1}"})
        return web.Response(status=304, headers=fields)

    async with site(handler) as host, Fetcher(allow_hosts=[host]) as fetcher:
        asked = {"max_bytes": 9, "validators": Validators(etag='"1"'), "accept": "*/*"}
        told = await fetcher.get(f"http://{host}/0", **asked, told=True)
        untold = await fetcher.get(f"http://{host}/0", **asked)

    assert told == Unchanged(f"http://{host}/{len(statuses)}" if moved else "", max_age_s)
    assert untold is None


async def test_an_anti_bot_page_that_breaks_off_is_known_by_its_marks():
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 999\r\n\r\n"
    async with raw(head + b"<script src=/cdn-cgi/challenge-platform/x.js>") as host:
        assert (await failure(host)).kind == "challenge"


@given(st.text() | st.from_regex(r"(max-age ?=.{0,12},? ?){1,3}"))
def test_no_cache_control_does_anything_but_give_seconds_of_a_week(text: str):
    assert 0 <= _fresh_s(text) <= MAX_FRESH_S


@pytest.mark.parametrize(
    "address",
    [
        "192.31.196.1",
        "192.52.193.1",
        "192.175.48.1",
        "100.127.255.254",
        "2001:1::1",
        "2001:4:112::1",
        "2001:1ff:ffff::1",
        "2620:4f:8000::1",
        "::ffff:100.64.0.1",
        "64:ff9b::6440:1",
        "64:ff9b:1:ffff::1",
        "2002:a9fe:a9fe::1",
        "ff3e::1",
    ],
)
async def test_the_rest_of_the_registries_is_refused_before_a_socket(address: str):
    sockets = NoSockets()
    resolver = FakeResolver(news_test=[address])
    async with Fetcher(resolver=resolver, socket_factory=sockets) as fetcher:
        with pytest.raises(FetchError, match="is not a public address"):
            await fetcher.get("https://news.test/", max_bytes=9)

    assert sockets.wanted == []


class Asked:
    """Answers everything, with redirects where it is told, and remembers the secrets it saw."""

    def __init__(self, **redirects: str) -> None:
        self.redirects = {f"/{path}": to for path, to in redirects.items()}
        self.secrets: dict[str, str | None] = {}

    async def answer(self, request: web.Request) -> web.Response:
        self.secrets[request.path] = request.headers.get("X-Mirror")
        if to := self.redirects.get(request.path):
            return web.Response(status=302, headers={"Location": to})
        return web.Response(text="here")


def secret(*hosts: str) -> Secret:
    return Secret("X-Mirror", "hush-hush", frozenset(hosts))


async def secrets(start: str, names: list[str], hosts: list[str], asked: Asked) -> None:
    """Fetch `http://START` where all names lead to the server that `asked` answers for."""
    async with site(asked.answer) as host:
        port = host.partition(":")[2]
        asked.redirects = {path: to.replace("PORT", port) for path, to in asked.redirects.items()}
        async with Fetcher(
            allow_hosts=[f"{name}:{port}" for name in names],
            resolver=FakeResolver(**{name.replace(".", "_"): ["127.0.0.1"] for name in names}),
            socket_factory=LoopbackSockets(),
            secret=secret(*(each.replace("PORT", port) for each in hosts)),
        ) as fetcher:
            await fetcher.get(f"http://{start.replace('PORT', port)}", max_bytes=99)


@pytest.mark.parametrize(
    ("hosts", "sent"),
    [
        (["news.test"], True),
        (["NEWS.test"], True),
        (["news.test:PORT"], True),
        (["news.test:80"], False),
        (["other.test"], False),
        (["test"], False),
        (["w.news.test"], False),
        ([], False),
    ],
)
async def test_a_secret_goes_to_exactly_its_hosts(hosts: list[str], sent: bool):
    asked = Asked()
    await secrets("news.test:PORT/a", ["news.test"], hosts, asked)

    assert asked.secrets == {"/a": "hush-hush" if sent else None}


async def test_a_secret_does_not_follow_a_redirect_to_another_host_and_does_not_come_back():
    asked = Asked(a="/b", b="http://evil.test:PORT/c", c="http://news.test:PORT/d")
    await secrets("news.test:PORT/a", ["news.test", "evil.test"], ["news.test"], asked)

    assert asked.secrets == {"/a": "hush-hush", "/b": "hush-hush", "/c": None, "/d": None}


async def test_a_secret_follows_a_redirect_to_another_of_its_hosts():
    asked = Asked(a="http://www.news.test:PORT/b")
    names = ["news.test", "www.news.test"]
    await secrets("news.test:PORT/a", names, names, asked)

    assert asked.secrets == {"/a": "hush-hush", "/b": "hush-hush"}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://news.example/feed", True),
        ("http://news.example/feed", False),
        ("https://www.news.example/feed", False),
        ("https://news.example.evil.example/", False),
        ("http://abcdef.onion/feed", True),
        ("http://127.0.0.1:8000/feed", True),
        ("http://[::1]:8000/feed", True),
    ],
)
def test_a_secret_is_not_sent_where_it_could_be_read_on_the_way(url: str, told: bool):
    kept = secret("news.example", "abcdef.onion", "127.0.0.1", "[::1]")

    assert kept.is_for(URL(url), exempt=False) is told


async def test_a_secret_that_a_server_sends_back_is_not_told():
    async with hops("ftp://hush-hush.test/hush-hush") as host:
        error = await failure(host, "/0?hush-hush", secret=secret("127.0.0.1"))

    assert "hush" not in str(error)
    assert "[secret]" in str(error)
    assert "hush-hush" not in "".join(traceback.format_exception_only(error))
    assert "hush" not in repr(secret("127.0.0.1"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "hush"),
        ("X Mirror", "hush"),
        ("X-Mirror:", "hush"),
        ("Host", "hush"),
        ("accept-encoding", "hush"),
        ("Proxy-Authorization", "hush"),
        ("X-Mirror", ""),
        ("X-Mirror", " "),
        ("X-Mirror", "hush\r\nHost: evil.test"),
        ("X-Mirror", "hüsh"),
    ],
)
def test_a_secret_that_no_request_could_carry_is_refused_without_telling_it(name: str, value: str):
    with pytest.raises(ValueError, match="secret: ") as caught:
        Secret(name, value, frozenset())

    assert "hush" not in str(caught.value)
