"""The fetcher, against servers that lie, stall and swell; nothing here leaves the machine."""

import asyncio
import gzip
import ipaddress
import os
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
from aiohttp import web
from fetch_servers import (
    FakeResolver,
    LoopbackSockets,
    NoSockets,
    answer,
    encrypted,
    hops,
    plain,
    raw,
    run,
    self_signed,
    site,
)
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import FetchError
from mirror.fetch import Fetched, Fetcher, Validators
from mirror.guard import host_and_port
from mirror.inflate import MAX_MEMBERS, PIECE_BYTES, decoder

PUBLIC4, PUBLIC6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",  # CGNAT
    "100.100.100.200",  # metadata of a cloud, in CGNAT
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",  # metadata of most clouds
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:93.184.215.14",
    "::ffff:0:7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::5db8:d70e",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",  # Teredo
    "2001:0:5ef5:79fd:0:59d:a0e5:ba1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",  # 6to4
    "2002:5db8:d70e::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "4000::1",
]

SPELLED = [
    "http://127.0.0.1/",
    "http://127.0.0.1./",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0x7f.0.0.0x1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://0/",
    "http://0.0.0.0/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://%31%32%37.0.0.1/",
    "http://[::]/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]/",
    "http://[::127.0.0.1]/",
    "http://[fe80::1%25lo]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[2002:7f00:1::]/",
    "https://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:80/",
    "http://127.0.0.1:443/",
]


@pytest.fixture
def sockets() -> LoopbackSockets:
    return LoopbackSockets()


async def get(
    host: str,
    path: str = "/",
    *,
    max_bytes: int = 1000,
    validators: Validators | None = None,
    timeout_s: float = 5,
    accept: str = "*/*",
) -> Fetched | None:
    async with Fetcher(
        allow_hosts=[host],
        timeout_s=timeout_s,
        resolver=FakeResolver(),
        socket_factory=LoopbackSockets(),
    ) as fetcher:
        url = f"http://{host}{path}"
        return await fetcher.get(url, max_bytes=max_bytes, validators=validators, accept=accept)


async def reason(host: str, path: str = "/", **options: object) -> str:
    """Return why it failed, after the address that every message begins with."""
    with pytest.raises(FetchError) as caught:
        await get(host, path, **options)
    message = str(caught.value)
    assert message.startswith(f"http://{host}{path}: ")
    return message.removeprefix(f"http://{host}{path}: ")


async def refusal(url: str, resolver: FakeResolver | None = None) -> str:
    """Return the message that refuses `url`, once no socket was made for it."""
    sockets = NoSockets()
    async with Fetcher(resolver=resolver or FakeResolver(), socket_factory=sockets) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.get(url, max_bytes=1)
    assert sockets.wanted == []
    return str(caught.value)


async def test_an_answer_comes_with_its_address_type_and_validators_verbatim():
    etag, modified = 'W/"a:b,  c"', "Mon, 16 Nov 2026 06:30:00 +0000"
    async with answer(
        b"<rss/>", Content_Type="text/xml; charset=KOI8-R", ETag=etag, Last_Modified=modified
    ) as host:
        fetched = await get(host, "/feed?a=b#c")

    assert fetched == Fetched(
        f"http://{host}/feed?a=b",
        b"<rss/>",
        "text/xml; charset=KOI8-R",
        Validators(etag, modified),
    )


async def test_an_empty_answer_is_an_answer():
    async with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as host:
        fetched = await get(host)

    assert fetched == Fetched(f"http://{host}/", b"", "", Validators("", ""))


async def test_an_unchanged_answer_is_none_and_validators_are_sent_verbatim():
    asked = {}

    async def handler(request: web.Request) -> web.Response:
        asked.update(request.headers)
        return web.Response(status=304)

    async with site(handler) as host:
        validators = Validators('W/"x y"', "yesterday, more or less")
        unchanged = await get(host, validators=validators, accept="text/xml")

    assert unchanged is None
    assert asked["If-None-Match"] == 'W/"x y"'
    assert asked["If-Modified-Since"] == "yesterday, more or less"
    assert asked["Accept"] == "text/xml"
    assert asked["User-Agent"].startswith("Tamizdat/")
    assert asked["Accept-Encoding"] == "gzip, deflate, br"


@pytest.mark.parametrize("validators", [None, Validators("", "")])
async def test_unchanged_since_nothing_is_an_error(validators: Validators | None):
    async with answer(status=304) as host:
        assert "304" in await reason(host, validators=validators)


async def test_validators_that_no_request_could_carry_are_dropped():
    async with raw(plain(b"x", 'ETag: "\xff\xfe"\r\nLast-Modified: ok\r\n')) as host:
        fetched = await get(host)

    assert fetched is not None
    assert fetched.validators.last_modified == "ok"
    fetched.validators.etag.encode()


async def test_no_cookie_is_kept():
    cookies = []

    async def handler(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        first = request.path == "/a"
        response = web.Response(status=302 if first else 200, headers={"Location": "/b"})
        response.set_cookie("id", "reader-1")
        return response

    async with site(handler) as host:
        await get(host, "/a")

    assert cookies == [None, None]


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    async with answer(b"direct") as host:
        fetched = await get(host)

    assert fetched is not None
    assert fetched.body == b"direct"


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_name_that_leads_to_a_private_address_is_refused_before_a_socket(address: str):
    message = await refusal("http://news.test/", FakeResolver(news_test=[address]))

    assert message.endswith("is not a public address")


@pytest.mark.parametrize("url", SPELLED)
async def test_a_private_address_in_any_spelling_is_refused_before_a_socket(url: str):
    resolver = FakeResolver()
    message = await refusal(url, resolver)

    assert "refused: " in message or "is not a public address" in message
    assert resolver.asked == []


@pytest.mark.parametrize("address", [PUBLIC4, PUBLIC6, "1.1.1.1", "2400:cb00:2048:1::c629:d7a2"])
async def test_a_public_address_is_dialled(address: str):
    sockets = NoSockets()
    resolver = FakeResolver(news_test=[address])
    async with Fetcher(resolver=resolver, socket_factory=sockets) as fetcher:
        with pytest.raises(FetchError, match="no connection: connection refused"):
            await fetcher.get("https://news.test/", max_bytes=1)

    assert sockets.wanted == [address]


async def test_of_many_addresses_only_public_ones_are_dialled():
    sockets = NoSockets()
    resolver = FakeResolver(news_test=["127.0.0.1", PUBLIC4, "::1", PUBLIC6, "10.0.0.1"])
    async with Fetcher(resolver=resolver, socket_factory=sockets) as fetcher:
        with pytest.raises(FetchError):
            await fetcher.get("http://news.test/", max_bytes=1)

    assert set(sockets.wanted) == {PUBLIC4, PUBLIC6}


@pytest.mark.parametrize(
    "url",
    [
        "ftp://news.test/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/html,x",
        "//news.test/",
        "news.test",
        "",
        "http://",
        "http:///path",
        "http://news.test:8080/",
        "http://news.test:22/",
        "https://news.test:8443/",
        "http://news.test:0/",
        "http://news.test:99999/",
        "http://me@news.test/",
        "http://me:word@news.test/",
        "http://:word@news.test/",
        "http://[::1/",
        "http://a..b/",
        "http://" + "a" * 64 + ".test/",
        "http://" + "a." * 130 + "test/",
        "http://news.test\\@127.0.0.1/",
        "http://new s.test/",
        "http://news%2etest/",
        "http://news.test\x00.evil.test/",
    ],
)
async def test_what_is_not_plain_http_to_a_plain_host_is_refused_without_a_lookup(url: str):
    resolver = FakeResolver(news_test=[PUBLIC4])
    message = await refusal(url, resolver)

    assert ": refused: " in message
    assert resolver.asked == []


@pytest.mark.parametrize("port", ["http://{}:443/", "https://{}:80/", "http://{}:80/"])
async def test_both_ports_of_the_web_are_open_to_both_schemes(port: str):
    sockets = NoSockets()
    resolver = FakeResolver(news_test=[PUBLIC4])
    async with Fetcher(resolver=resolver, socket_factory=sockets) as fetcher:
        with pytest.raises(FetchError):
            await fetcher.get(port.format("news.test"), max_bytes=1)

    assert sockets.wanted == [PUBLIC4]


async def test_a_password_is_not_shown():
    message = await refusal("https://me:hush@news.test/feed")

    assert message == "https://news.test/feed: refused: a name or password stands in the address"


async def test_a_message_is_one_line_and_not_endless():
    message = await refusal("ftp://news.test/\n\x1b[2J" + "x" * 10_000)

    assert message.isprintable()
    assert len(message) < 700


async def test_only_the_named_host_and_port_are_exempt(sockets: LoopbackSockets):
    async with answer(b"in") as inside, answer(b"out") as outside:
        port = inside.partition(":")[2]
        resolver = FakeResolver(news_test=["127.0.0.1"], evil_test=["127.0.0.1"])
        async with Fetcher(
            allow_hosts=[f"NEWS.test:{port}"], resolver=resolver, socket_factory=sockets
        ) as fetcher:
            fetched = await fetcher.get(f"http://news.test:{port}/", max_bytes=9)
            for url in (f"http://{inside}/", f"http://{outside}/", f"http://evil.test:{port}/"):
                with pytest.raises(FetchError, match="is neither 80 nor 443"):
                    await fetcher.get(url, max_bytes=9)

    assert fetched is not None
    assert fetched.body == b"in"
    assert sockets.wanted == ["127.0.0.1"]


async def test_a_hostile_name_for_the_address_of_an_exempt_host_is_refused():
    sockets = NoSockets()
    resolver = FakeResolver(news_test=["10.0.0.7"], evil_test=["10.0.0.7"])
    async with Fetcher(
        allow_hosts=["news.test:80"], resolver=resolver, socket_factory=sockets
    ) as fetcher:
        for host, words in (
            ("news.test", "connection refused"),
            ("evil.test", "not a public address"),
            ("10.0.0.7", "not a public address"),
            ("news.test:443", "not a public address"),
            ("news.test.", "no such host"),
        ):
            with pytest.raises(FetchError, match=words):
                await fetcher.get(f"http://{host}/", max_bytes=9)

    assert sockets.wanted == ["10.0.0.7"]


async def test_a_kept_connection_of_an_exempt_host_serves_no_other(sockets: LoopbackSockets):
    async with answer(b"in") as host:
        port = host.partition(":")[2]
        async with Fetcher(
            allow_hosts=[host], resolver=FakeResolver(), socket_factory=sockets
        ) as fetcher:
            for _ in range(3):
                await fetcher.get(f"http://{host}/", max_bytes=9)
            apart = fetcher._guarded.connector is not fetcher._unguarded.connector
            fetcher._exempt = frozenset()  # as if another request had no exemption
            with pytest.raises(FetchError, match=f"port {port} is neither"):
                await fetcher.get(f"http://{host}/", max_bytes=9)

        assert sockets.wanted == ["127.0.0.1"]
        assert apart


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("news.test:80", ("news.test", 80)),
        ("Пример.рф:8080", ("xn--e1afmkfd.xn--p1ai", 8080)),
        ("[::1]:8080", ("::1", 8080)),
        ("127.0.0.1:443", ("127.0.0.1", 443)),
    ],
)
def test_an_exemption_is_a_host_and_a_port(text: str, parsed: tuple[str, int]):
    assert host_and_port(text) == parsed


@pytest.mark.parametrize(
    "text", ["", "news.test", ":80", "a@b:80", "a:80/x", "a:80?x", "a:b", "a:"]
)
def test_what_is_not_a_host_and_a_port_exempts_nothing(text: str):
    with pytest.raises(ValueError, match=r".+"):
        host_and_port(text)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_and_the_last_address_is_told(status: int):
    async with hops("1", "/2", status=status) as host:
        fetched = await get(host, "/0")

    assert fetched is not None
    assert (fetched.url, fetched.body) == (f"http://{host}/2", b"here")


async def test_five_redirects_are_followed_and_a_sixth_is_not():
    async with hops("1", "2", "3", "4", "5") as host:
        fetched = await get(host, "/0")
    async with hops("1", "2", "3", "4", "5", "6") as host:
        words = await reason(host, "/0")

    assert fetched is not None
    assert words == "refused: more than 5 redirects"


async def test_a_mirrors_redirect_is_a_failure_and_not_followed():
    async with (
        hops("http://10.0.0.1/") as host,
        Fetcher(allow_hosts=[host], mirrors=True) as fetcher,
    ):
        with pytest.raises(FetchError, match="status 302: a redirect, which no mirror may send"):
            await fetcher.get(f"http://{host}/0", max_bytes=99)


async def test_mirrors_are_asked_to_close_each_connection():
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=request.headers.get("Connection", ""))

    async with site(handler) as host, Fetcher(allow_hosts=[host], mirrors=True) as fetcher:
        answer = await fetcher.get(f"http://{host}/", max_bytes=99)

    assert answer.body == b"close"


async def test_a_body_can_be_cut_at_its_limit_instead_of_refused():
    async with answer(b"12345") as host, Fetcher(allow_hosts=[host]) as fetcher:
        found = await fetcher.get(f"http://{host}/", max_bytes=3, cut=True)

    assert found.body == b"123"


async def test_a_redirect_in_a_circle_ends():
    async with hops("0") as host:
        assert await reason(host, "/0") == "refused: more than 5 redirects"


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://10.0.0.1/", "no connection: 10.0.0.1 is not a public address"),
        ("http://[::ffff:10.0.0.1]/", "not a public address"),
        ("//169.254.169.254/latest", "not a public address"),
        ("http://0x7f000001/", "is not a host name"),
        ("http://127.0.0.1:1/", "port 1 is neither 80 nor 443"),
        ("http://localhost/", "no such host"),
        ("http://me:word@news.test/", "a name or password"),
        ("file:///etc/passwd", "'file' is neither http nor https"),
        ("ftp://news.test/", "neither http nor https"),
        ("javascript:alert(1)", "neither http nor https"),
        ("http://[::1", "refused: not an address"),
        ("http://h:999999/", "refused: not an address"),
    ],
)
async def test_every_hop_is_checked_like_the_first(location: str, words: str):
    async with hops(location) as host:
        assert words in await reason(host, "/0")


async def test_a_redirect_to_nowhere_is_an_error():
    async with answer(status=301) as host:
        assert await reason(host) == "status 301: a redirect to nowhere"


async def test_a_secret_in_a_redirect_is_not_told():
    async with hops("http://10.0.0.1/?token=hush") as host:
        assert "hush" not in await reason(host, "/0")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (204, "status 204: no content"),
        (206, "status 206: partial content"),
        (300, "status 300: multiple choices"),
        (401, "status 401: unauthorized"),
        (403, "status 403: forbidden"),
        (404, "status 404: not found"),
        (410, "status 410: gone"),
        (429, "status 429: too many requests"),
        (500, "status 500: internal server error"),
        (503, "status 503: service unavailable"),
        (599, "status 599: not a status of HTTP"),
    ],
)
async def test_a_status_that_is_no_answer_is_named(status: int, words: str):
    async with answer(b"<p>sorry", status) as host:
        assert await reason(host) == words


@pytest.mark.parametrize(
    ("later", "words"),
    [
        ("120", "status 429: too many requests, try again after 120 s"),
        (
            "Mon, 16 Nov 2026 06:30:00 GMT",
            "status 429: too many requests, try again after Mon, 16 Nov 2026 06:30:00 GMT",
        ),
        (" ", "status 429: too many requests"),
    ],
)
async def test_when_to_come_back_is_told_in_words(later: str, words: str):
    async with answer(b"", 429, Retry_After=later) as host:
        assert await reason(host) == words


@pytest.mark.parametrize("status", [200, 403, 429, 503])
async def test_a_declared_challenge_is_named(status: int):
    async with answer(b"<p>wait", status, cf_mitigated="challenge") as host:
        words = await reason(host)

    assert words == f"challenge: an anti-bot page instead of an answer, status {status}"


@pytest.mark.parametrize(
    "page",
    [
        b"<script src='/cdn-cgi/challenge-platform/h/b/orchestrate'>",
        b"<script>window._cf_chl_opt={}",
        b'<iframe src="/_Incapsula_Resource?x=1">',
        b'<script src="https://ct.captcha-delivery.com/c.js">',
        b'<img src="/.well-known/ddos-guard/id/x">',
    ],
)
async def test_an_undeclared_challenge_is_known_by_its_marks(page: bytes):
    body = gzip.compress(b"<html>" + b" " * 5000 + page)
    async with answer(body, 403, Content_Encoding="gzip") as host:
        assert (await reason(host)).startswith("challenge: ")


@pytest.mark.parametrize("status", [202, 405])
async def test_amazons_challenge_and_its_captcha_are_known(status: int):
    async with answer(b'<script src="https://x.token.awswaf.com/c.js">', status) as host:
        assert (await reason(host)).startswith("challenge: ")


async def test_an_article_about_challenges_is_none():
    async with answer(b"they use /cdn-cgi/challenge-platform/") as host:
        assert await get(host) is not None


async def test_an_endless_error_page_is_read_only_in_part():
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=503)
        await response.prepare(request)
        while True:
            await response.write(b" " * 100_000)

    async with site(handler) as host:
        assert await reason(host) == "status 503: service unavailable"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("coding", ["identity", "gzip", "br"])
async def test_a_body_of_just_the_limit_is_taken_and_one_byte_more_is_not(
    coding: str, chunked: bool
):
    pack = {"identity": bytes, "gzip": gzip.compress, "br": brotli.compress}[coding]

    async def handler(request: web.Request) -> web.StreamResponse:
        body = pack(b"x" * (1000 + int(request.path == "/more")))
        response = web.StreamResponse(headers={"Content-Encoding": coding})
        if not chunked:
            response.content_length = len(body)
        await response.prepare(request)
        await response.write(body)
        return response

    async with site(handler) as host:
        fetched = await get(host, "/just", max_bytes=1000)
        words = await reason(host, "/more", max_bytes=1000)

    assert fetched is not None
    assert fetched.body == b"x" * 1000
    assert words == "too large: more than 1000 bytes"


async def test_a_declared_length_beyond_the_limit_is_not_waited_for():
    async with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n", hold=True) as host:
        assert await reason(host) == "too large: more than 1000 bytes"


async def test_an_endless_body_ends_at_the_limit():
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 100_000)

    async with site(handler) as host:
        assert await reason(host, max_bytes=1_000_000) == "too large: more than 1000000 bytes"


RAW_DEFLATE = zlib.compressobj(wbits=-15)
CODED = {
    "gzip": [("gzip", gzip.compress(b"text" * 99))],
    "gzip of two members": [("gzip", gzip.compress(b"text" * 9) + gzip.compress(b"text" * 90))],
    "gzip by its old name": [("x-gzip", gzip.compress(b"text" * 99))],
    "gzip in capitals": [("GZIP", gzip.compress(b"text" * 99))],
    "deflate": [("deflate", zlib.compress(b"text" * 99))],
    "deflate without a header": [
        ("deflate", RAW_DEFLATE.compress(b"text" * 99) + RAW_DEFLATE.flush())
    ],
    "brotli": [("br", brotli.compress(b"text" * 99))],
    "nothing": [("identity", b"text" * 99)],
}


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_coded_body_is_decoded_however_it_is_cut(name: str, size: int):
    [(coding, body)] = CODED[name]
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    head = plain(b"", f"Content-Encoding: {coding}\r\n").replace(b": 0", f": {len(body)}".encode())
    async with raw(head, *parts) as host:
        fetched = await get(host)

    assert fetched is not None
    assert fetched.body == b"text" * 99


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_an_empty_coded_body_is_empty(coding: str):
    async with raw(plain(b"", f"Content-Encoding: {coding}\r\n")) as host:
        fetched = await get(host)

    assert fetched is not None
    assert fetched.body == b""


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(os.urandom(500))[:-9]),
        ("gzip", gzip.compress(b"whole") + gzip.compress(os.urandom(500))[:200]),
        ("deflate", zlib.compress(os.urandom(500))[:200]),
        ("br", brotli.compress(os.urandom(500))[:200]),
    ],
)
async def test_a_coded_body_that_stops_in_the_middle_is_cut_short(coding: str, body: bytes):
    async with raw(plain(body, f"Content-Encoding: {coding}\r\n")) as host:
        assert await reason(host) == "cut short: the compressed body has no end"


@pytest.mark.parametrize(
    ("coding", "member", "most"),
    [("gzip", gzip.compress(b"x"), MAX_MEMBERS), ("deflate", zlib.compress(b"x"), 1)],
    ids=["gzip", "deflate"],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_coded_body_of_more_members_than_anyone_sends_is_refused(
    coding: str, member: bytes, most: int, size: int
):
    body = member * (most + 1)
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    head = plain(b"", f"Content-Encoding: {coding}\r\n").replace(b": 0", f": {len(body)}".encode())
    async with raw(plain(member * most, f"Content-Encoding: {coding}\r\n")) as host:
        fetched = await get(host, max_bytes=10_000)
    async with raw(head, *parts) as host:
        words = await reason(host, max_bytes=10_000)

    assert fetched is not None
    assert fetched.body == b"x" * most
    assert words == f"body: too many members: more than {most}"


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_coded_body_longer_than_a_piece_is_whole(coding: str, pack: Callable[[bytes], bytes]):
    body = os.urandom(3 * PIECE_BYTES) + bytes(9 * PIECE_BYTES)
    stream = decoder(coding)
    pieces = list(stream.feed(pack(body)))

    assert b"".join(pieces) == body
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert stream.complete


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_a_body_that_is_not_of_its_coding_is_broken(coding: str):
    async with raw(
        plain(b"\xff<rss>not compressed</rss>", f"Content-Encoding: {coding}\r\n")
    ) as host:
        assert (await reason(host)).startswith("body: not valid ")


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Encoding: gzip, gzip\r\n",
        "Content-Encoding: gzip\r\nContent-Encoding: br\r\n",
        "Content-Encoding: br,gzip\r\n",
        "Content-Encoding: zstd\r\n",
        "Content-Encoding: compress\r\n",
        "Content-Encoding: gzip;q=1\r\n",
    ],
)
async def test_a_coding_that_was_not_asked_for_is_refused(fields: str):
    body = gzip.compress(gzip.compress(b"x"))
    async with raw(plain(body, fields)) as host:
        assert (await reason(host)).startswith("content-encoding: not one of gzip, deflate, br")


SLOW = 0.3  # seconds


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [bytes([byte]) for byte in plain(b"")],
        [b"HTTP/1.1 200 OK\r\n"] + [b"A: b\r\n"] * 99,
        [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"] + [b"x"] * 99,
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"] + [b"1\r\nx\r\n"] * 99,
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 99,
        [b"HTTP/1.1 503 No\r\nContent-Length: 99\r\n\r\n"] + [b"x"] * 99,
    ],
    ids=["nothing", "status", "header", "body", "chunk", "interim", "error"],
)
async def test_a_server_that_sends_a_byte_now_and_then_is_too_slow(parts: list[bytes]):
    async with raw(*parts, pause_s=0.05, hold=True) as host:
        assert await reason(host, timeout_s=SLOW) == "too slow: not done in 0.3 s"


async def test_the_time_is_for_all_redirects_together():
    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(0.12)
        raise web.HTTPFound("/on")

    async with site(handler) as host:
        assert await reason(host, timeout_s=SLOW) == "too slow: not done in 0.3 s"


async def test_a_lookup_that_hangs_is_too_slow():
    class Hanging(FakeResolver):
        async def resolve(self, *_: object, **__: object) -> list:
            await asyncio.sleep(60)
            return []

    async with Fetcher(timeout_s=0.1, resolver=Hanging(), socket_factory=NoSockets()) as fetcher:
        with pytest.raises(FetchError, match="too slow"):
            await fetcher.get("http://news.test/", max_bytes=1)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([plain(b"whole")[:-2]], "cut short: the connection ended before the body did"),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"],
            "cut short: the connection ended before the body did",
        ),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Enc"], "connection lost: closed before an answer came"),
        ([], "connection lost: closed before an answer came"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "not http: "),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"], "not http: "),
        ([b"HTTP/1.1 200 OK\r\nA: " + b"b" * 9000 + b"\r\n\r\n"], "not http: "),
        ([b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 99 + b"\r\n"], "not http: "),
        ([b"HTTP/1.1 200 " + b"O" * 9000 + b"\r\n\r\n"], "not http: "),
    ],
)
async def test_a_broken_exchange_is_told_in_words(parts: list[bytes], words: str):
    async with raw(*parts) as host:
        found = await reason(host)

    assert found.startswith(words)
    assert found.isprintable()


async def test_nobody_listening_is_no_connection():
    async with answer() as host:
        pass

    assert (await reason(host)).startswith("no connection: ")


async def test_a_name_that_is_not_known_is_no_such_host():
    resolver = FakeResolver()
    message = await refusal("http://gone.test/feed", resolver)

    assert message == "http://gone.test/feed: no such host: name or service not known"


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_fetcher_leaves_no_connection_open():
    files = open_files()
    async with answer(b"x" * 5000) as host:
        for _ in range(3):
            await reason(host, max_bytes=10)

    assert open_files() == files


@given(st.text() | st.from_regex(re.compile(r"https?://[\w.:@\[\]%-]{0,30}[/?#\\]?.{0,9}")))
def test_no_address_does_anything_but_fail_in_words(url: str):
    async def attempt() -> list[str]:
        sockets = NoSockets()
        async with Fetcher(resolver=FakeResolver(), socket_factory=sockets) as fetcher:
            with pytest.raises(FetchError):
                await fetcher.get(url, max_bytes=1)
        return sockets.wanted

    assert all(ipaddress.ip_address(address).is_global for address in asyncio.run(attempt()))


FIELDS = st.sampled_from(
    [
        "Content-Length: 3",
        "Content-Length: -1",
        "Transfer-Encoding: chunked",
        "Content-Encoding: br",
        "Content-Encoding: gzip",
        "Location: \xff",
        "Location: http://[",
        "Content-Type: \xff\xfe",
        "Set-Cookie: a=\x01;;;",
        "Connection: upgrade",
        "Upgrade: x",
        "Retry-After: 9e9",
        "A",
        ": b",
    ]
)


@given(
    st.sampled_from([100, 101, 200, 204, 206, 301, 304, 403, 407, 429, 503, 999]),
    st.lists(FIELDS, max_size=4),
    st.binary(max_size=40),
)
def test_no_answer_does_anything_but_succeed_or_fail_in_words(
    status: int, fields: list[str], body: bytes
):
    head = "\r\n".join([f"HTTP/1.1 {status} X", *fields, "", ""]).encode("latin-1")

    async def attempt() -> None:
        async with raw(head, body) as host:
            try:
                await get(host, timeout_s=0.5)
            except FetchError as e:
                assert str(e).isprintable()

    asyncio.run(attempt())


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path / "both.pem", "news.test")


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    certificate: Path, sockets: LoopbackSockets
):
    async with raw(plain(b"x"), tls=encrypted(certificate)) as host:
        port = host.partition(":")[2]
        resolver = FakeResolver(news_test=["127.0.0.1"])
        async with Fetcher(
            allow_hosts=[f"news.test:{port}"], resolver=resolver, socket_factory=sockets
        ) as fetcher:
            with pytest.raises(FetchError, match="tls: certificate refused: self-signed"):
                await fetcher.get(f"https://news.test:{port}/", max_bytes=9)


async def test_a_server_without_tls_is_told_apart(sockets: LoopbackSockets):
    async with (
        answer() as host,
        Fetcher(allow_hosts=[host], socket_factory=sockets) as fetcher,
    ):
        with pytest.raises(FetchError, match="tls: no agreement"):
            await fetcher.get(f"https://{host}/", max_bytes=9)


def test_nothing_leads_from_https_to_http_and_a_name_must_be_the_certificates(certificate: Path):
    said = run("fetch_tls.py", str(certificate), SSL_CERT_FILE=str(certificate)).splitlines()

    assert said[0] == "b'safe'"
    assert said[1].endswith("/down: refused: a redirect from https to http")
    assert "/: tls: certificate refused: hostname mismatch" in said[2]
    assert len(said) == 3


@pytest.mark.parametrize("bomb", ["br", "gzip", "deflate", "members", "plain"])
def test_a_bomb_costs_little_more_than_the_limit(bomb: str):
    """A body of 1 to 3 GiB; the memory is that of a process which has fetched before."""
    grown_bytes, message = run("fetch_bombs.py", bomb).splitlines()

    assert message.endswith(f"too large: more than {1 << 20} bytes")
    assert int(grown_bytes) < 20_000_000
