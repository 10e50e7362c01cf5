"""What is fetched over a proxy: no name looked up here, nothing dialled but the proxy."""

import asyncio
import json
import traceback
from pathlib import Path

import pytest
from fetch_proxies import Seen, http_proxy, listening, socks5, ssh_socks
from fetch_servers import LOOPBACK, FakeResolver, NoSockets, answer, hops, raw, run, self_signed
from free_ports import free_port
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import FetchError
from mirror.fetch import Fetched, Fetcher, Proxy

OPENED = {"socks5h": ssh_socks, "socks5": socks5, "socks4": ssh_socks, "http": http_proxy}
WITH_PASSWORD = {"socks5h": socks5, "http": http_proxy}


async def get(proxy: str, url: str, **options: object) -> Fetched | None:
    async with Fetcher(proxy=proxy, resolver=FakeResolver(), **options) as fetcher:
        return await fetcher.get(url, max_bytes=1000)


async def failure(proxy: str, url: str = "http://news.example/", **options: object) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await get(proxy, url, **{"timeout_s": 5, **options})
    assert str(caught.value).startswith(f"{url}: ")
    return caught.value


@pytest.mark.parametrize(
    "name",
    ["socks5h", "socks5", "socks4", "socks5 with a password", "http", "http with a password"],
)
def test_over_a_proxy_no_name_is_looked_up_and_nothing_else_is_dialled(name: str, tmp_path: Path):
    certificate = str(self_signed(tmp_path / "both.pem", "news.example"))
    said = json.loads(run("fetch_proxied.py", name, certificate, SSL_CERT_FILE=certificate))

    assert said == {
        "bodies": [
            "news.example hush-hush -",
            "news.example - -",
            "abcdef.onion hush-hush -",
            "abcdef.onion hush-hush -",
            "https://news.example/down: refused: a redirect from https to http",
        ],
        "targets": ["abcdef.onion:80", "news.example:443", "news.example:80"],
        "looked up": [],
        "dialled": [],
        "over the proxy": True,
    }


@pytest.mark.parametrize("scheme", OPENED)
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://10.0.0.7/",
        "https://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.7]/",
        "http://[64:ff9b::a00:7]/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://localhost/",
        "http://localhost./",
        "http://printer/",
        "http://printer.local/",
        "http://metadata.google.internal/",
        "http://nas.home.arpa/",
        "http://news.example:8080/",
        "http://me:word@news.example/",
        "ftp://news.example/",
    ],
)
async def test_what_is_not_public_by_its_address_is_not_asked_of_a_proxy(scheme: str, url: str):
    async with OPENED[scheme]({}) as seen:
        with pytest.raises(FetchError, match="refused: "):
            await get(f"{scheme}://{seen.address}", url)

    assert seen.targets == []


@pytest.mark.parametrize("scheme", OPENED)
async def test_a_redirect_over_a_proxy_is_checked_like_the_first_address(scheme: str):
    async with (
        hops("http://10.0.0.7/") as host,
        OPENED[scheme]({("news.example", 80): host}) as seen,
    ):
        error = await failure(f"{scheme}://{seen.address}", "http://news.example/0")

    assert str(error).endswith("refused: 10.0.0.7 is not a public address")
    assert seen.targets == [("news.example", 80)]


@pytest.mark.parametrize("scheme", OPENED)
async def test_a_handshake_that_hangs_behind_a_proxy_ends_in_time(scheme: str):
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with (
        listening(Seen(), hang) as mute,
        OPENED[scheme]({("news.example", 443): mute.address}) as seen,
        asyncio.timeout(15),
    ):
        error = await failure(f"{scheme}://{seen.address}", "https://news.example/", timeout_s=0.5)

    assert "too slow: not done in 0.5 s" in str(error)


async def test_an_allowed_host_goes_over_the_proxy_as_well():
    async with answer(b"in") as host, socks5({("news.example", 8080): host}) as seen:
        url = "http://news.example:8080/"
        fetched = await get(f"socks5h://{seen.address}", url, allow_hosts=["news.example:8080"])

    assert fetched is not None
    assert fetched.body == b"in"


async def test_an_onion_address_is_not_looked_up_without_a_proxy():
    resolver, sockets = FakeResolver(), NoSockets()
    allowed = ["abcdef.onion:8080"]
    async with Fetcher(resolver=resolver, socket_factory=sockets, allow_hosts=allowed) as fetcher:
        for url in ("http://abcdef.onion/", "https://a.abcdef.onion./", "http://abcdef.onion:8080"):
            with pytest.raises(FetchError, match=r"refused: .* is reached over a proxy only"):
                await fetcher.get(url, max_bytes=9)

    assert (resolver.asked, sockets.wanted) == ([], [])


@pytest.mark.parametrize("scheme", OPENED)
async def test_a_proxy_that_is_down_is_for_the_operator_to_look_at(scheme: str):
    address = f"{LOOPBACK}:{free_port()}"
    user = "me@" if scheme == "socks4" else "me:hush@"
    error = await failure(f"{scheme}://{user}{address}")

    told = f"proxy {address}: cannot be reached: connection refused: the operator must look"
    assert str(error) == f"http://news.example/: {told}"
    assert "hush" not in "".join(traceback.format_exception(error))
    assert error.kind == "failed"


async def test_a_proxy_whose_name_is_unknown_is_for_the_operator_to_look_at():
    error = await failure("http://proxy.test:3128")

    assert ": proxy proxy.test:3128: cannot be reached: name or service not known" in str(error)


@pytest.mark.parametrize("scheme", WITH_PASSWORD)
@pytest.mark.parametrize("url", ["http://news.example/", "https://news.example/"])
@pytest.mark.parametrize("user", ["", "me:other-hush@"])
async def test_a_proxy_that_wants_another_password_is_named_without_it(
    scheme: str, url: str, user: str
):
    async with WITH_PASSWORD[scheme]({}, "me", "right-hush") as seen:
        error = await failure(f"{scheme}://{user}{seen.address}", url)

    assert f": proxy {seen.address}: " in str(error)
    assert str(error).endswith(": the operator must look")
    assert "hush" not in "".join(traceback.format_exception(error))
    assert seen.targets == []


@pytest.mark.parametrize(
    ("scheme", "url", "words"),
    [
        ("socks5h", "http://news.example/", "proxy {}: refused: host unreachable"),
        ("http", "https://news.example/", "proxy {}: status 502: bad gateway"),
        ("http", "http://news.example/", "status 502: bad gateway"),
        ("socks4", "http://news.example/", "connection lost: closed before an answer came"),
    ],
)
async def test_a_host_that_the_proxy_cannot_reach_is_no_fault_of_the_proxy(
    scheme: str, url: str, words: str
):
    async with {**OPENED, "socks5h": socks5}[scheme]({}) as seen:
        error = await failure(f"{scheme}://{seen.address}", url)

    assert str(error) == f"{url}: {words.format(seen.address)}"


@pytest.mark.parametrize("scheme", OPENED)
@pytest.mark.parametrize("said", [b"", b"\x05", b"\x05\x00", b"\x00" * 300, b"HTTP/1.1 200 OK\r\n"])
async def test_no_answer_of_a_proxy_does_anything_but_fail_in_words(scheme: str, said: bytes):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(said)

    async with listening(Seen(), serve) as seen:
        error = await failure(f"{scheme}://{seen.address}", "https://news.example/")

    assert str(error).isprintable()
    assert "too slow" not in str(error)


@given(
    st.sampled_from([b"", b"\x05\x00", b"\x05\x00\x05\x00\x00", b"\x05\x00\x05\x00\x00\x03\x04"]),
    st.binary(max_size=24),
)
def test_no_bytes_of_a_socks_proxy_do_anything_but_fail_in_words(start: bytes, rest: bytes):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(start + rest)
        writer.write_eof()

    async def attempt() -> str:
        async with listening(Seen(), serve) as seen:
            return str(await failure(f"socks5h://{seen.address}", timeout_s=2))

    assert asyncio.run(attempt()).isprintable()


async def test_a_proxy_that_hangs_up_is_for_the_operator_to_look_at():
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with listening(Seen(), serve) as seen:
        error = await failure(f"socks5h://{seen.address}")

    assert f"proxy {seen.address}: gave no answer of socks5: the operator" in str(error)


async def test_a_proxy_that_says_nothing_is_too_slow():
    async with raw(hold=True) as host:
        error = await failure(f"socks5h://{host}", timeout_s=0.2)

    assert str(error).endswith("too slow: not done in 0.2 s")


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("socks5h://127.0.0.1:9050", Proxy("socks5", "127.0.0.1", 9050)),
        ("socks5://me:a%3Ab@tor.test:9050/", Proxy("socks5", "tor.test", 9050, "me", "a:b")),
        ("socks4://me@[::1]:1080", Proxy("socks4", "::1", 1080, "me")),
        ("http://squid.test:3128", Proxy("http", "squid.test", 3128)),
    ],
)
def test_a_proxy_is_a_scheme_a_host_and_a_port(text: str, parsed: Proxy):
    assert Proxy.parse(text) == parsed
    assert "a:b" not in f"{parsed!r} {parsed}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:9050",
        "socks5h://hush",
        "socks5h://:9050",
        "socks6://127.0.0.1:9050",
        "https://127.0.0.1:443",
        "http://127.0.0.1:3128/hush",
        "http://127.0.0.1:3128?hush",
        "http://me:hush@127.0.0.1:port",
        "http://hush:@127.0.0.1:80",
        "socks5://hush@127.0.0.1:80",
        "socks4://me:hush@127.0.0.1:80",
        "socks5://:hush@127.0.0.1:80",
        "socks5://me:h%C3%BCsh@127.0.0.1:80",
        "socks5://me:hush%0d%0a@127.0.0.1:80",
        f"socks5://me:{'hush' * 64}@127.0.0.1:80",
    ],
)
def test_what_is_not_a_proxy_is_refused_without_repeating_it(text: str):
    with pytest.raises(ValueError, match="expected") as caught:
        Proxy.parse(text)

    assert "hush" not in "".join(traceback.format_exception(caught.value))
