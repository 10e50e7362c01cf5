"""What a look at a mirror ends with: each outcome, made by a real server that does just that."""

import asyncio
import gzip
import random
import shutil
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from fakes import NOW, Clock, MemoryStore, draft, open_signer
from fetch_proxies import http_proxy, socks5
from fetch_servers import LOOPBACK, FakeResolver, NoSockets, encrypted, self_signed, site

from mirror.article.picture import Picture, name
from mirror.article.render.parts import MAX_RAW_BYTES, compressed_size
from mirror.fetch import Fetcher
from mirror.formats.paths import CHECKPOINT, PROOF
from mirror.mirrors import Probe
from mirror.mirrors.own import BEHIND_S, TRIES, Own
from mirror.mirrors.probe import MAX_PAGE, SLOW_BYTES_S, probe
from mirror.mirrors.vantage import HERE, VantageError
from mirror.press import Press
from mirror.verify import parts as parts_of

PATIENT_S = 8.0  # for what comes, also on a slow machine
FETCH_S = 1.0  # for what never does
HOUR = 3600
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
WORDS = ["".join(random.Random(n).choices("оеаинтсрвлкмдпу", k=7)) for n in range(400)]
LONG = " ".join(random.Random(1).choices(WORDS, k=1600))
"""An article of 24 kB that has 6 packed: in one part."""


class Room:
    """An operator: a log, and the files of its site as any mirror has them."""

    def __init__(self, folder: Path, *, salt: str = "") -> None:
        self.signer = open_signer(folder, salt=salt)
        self.store = MemoryStore()
        self.press = Press(self.signer, self.store)
        self.clock = Clock()
        # The article that is looked at is always the newest.
        self.own = Own(self.signer.state.db, self.signer.root, choose=lambda count: count - 1)

    async def publish(self, *numbers: int, text: str = "") -> dict[str, bytes]:
        self.signer.append([draft(self.signer, n, text=text) for n in numbers], now=self.clock())
        await self.press.publish(now=self.clock)
        return dict(self.store.kept)

    @property
    def page(self) -> str:
        """The path of the article that is looked at."""
        found = self.own.article(self.signer.state.log().size)
        assert found is not None
        return next(path for path in self.store.kept if path.endswith(f"{found.short[3:]}/1.html"))

    async def look(
        self, host: str, scheme: str = "http", *, fetch_s: float = PATIENT_S, **options: object
    ) -> Probe:
        fetcher = partial(Fetcher, allow_hosts=[host], timeout_s=fetch_s)
        chosen = {"fetcher": fetcher, "now": self.clock(), **options}
        return await probe(f"{scheme}://{host}/", HERE, self.own, **chosen)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """Return a database and the site that goes with it, made once."""
    folder = tmp_path_factory.mktemp("published") / "room"
    room = Room(folder)
    files = asyncio.run(room.publish(*range(1, 13)))
    room.signer.state.close()
    return folder, files


@pytest.fixture
def room(published: tuple[Path, dict[str, bytes]], tmp_path: Path) -> Iterator[Room]:
    folder, files = published
    shutil.copytree(folder, tmp_path / "room")
    room = Room(tmp_path / "room")
    room.store.kept |= files
    yield room
    room.signer.state.close()


def copy(files: dict[str, bytes], tls: ssl.SSLContext | None = None):
    """Serve the files of a site as an honest mirror does."""

    async def handler(request: web.Request) -> web.Response:
        data = files.get(request.path.removeprefix("/"))
        return web.Response(status=404) if data is None else web.Response(body=data)

    return site(handler, tls)


@asynccontextmanager
async def wire(serve: Serve) -> AsyncIterator[str]:
    """Do `serve` with every connection; none outlives the test."""
    tasks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with closing(writer), suppress(OSError, asyncio.CancelledError):
            await serve(reader, writer)

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    try:
        yield f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read what comes, and answer with a reset, as filters do that have read a name."""
    await reader.read(1)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


class Trusting(Fetcher):
    """Believes one certificate, and knows where names lead."""

    def __init__(self, context: ssl.SSLContext, **options: object) -> None:
        super().__init__(**options)
        self._context = context

    def _session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        connector._ssl = self._context
        return super()._session(connector)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls") / "news.pem", "news.test")


def trusting(
    certificate: Path, host: str, *, fetch_s: float = PATIENT_S, **options: object
) -> Callable[[], Fetcher]:
    return partial(
        Trusting,
        ssl.create_default_context(cafile=str(certificate)),
        allow_hosts=[host],
        timeout_s=fetch_s,
        resolver=FakeResolver(news_test=[LOOPBACK], other_test=[LOOPBACK]),
        **options,
    )


def at(name: str, host: str) -> str:
    return f"{name}:{host.partition(':')[2]}"


# It works.


async def test_an_honest_copy_is_ok(room: Room):
    async with copy(room.store.kept) as host:
        seen = await room.look(host)

    assert (seen.outcome, seen.detail) == ("ok", "13 leaves")
    assert (seen.vantage, seen.at) == ("here", NOW)


async def test_each_file_comes_over_a_connection_of_its_own_one_after_the_other(room: Room):
    peers, now, most = [], 0, 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        peers.append(request.transport.get_extra_info("peername"))
        await asyncio.sleep(0)
        now -= 1
        return web.Response(body=room.store.kept[request.path[1:]])

    async with site(handler) as host:
        seen = await room.look(host)

    assert seen.outcome == "ok"
    assert len(peers) == len(set(peers)) == 5
    assert most == 1


async def test_no_file_of_a_look_is_larger_when_packed_than_what_filters_let_pass(room: Room):
    sizes, longest = [], 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal longest
        data = room.store.kept[request.path[1:]]
        longest = max(longest, len(data))
        sizes.append(compressed_size(data))
        return web.Response(body=data)

    room.clock.now += HOUR
    await room.publish(*range(20, 60), text=LONG)
    async with site(handler) as host:
        assert (await room.look(host)).outcome == "ok"

    assert len(sizes) == 5
    assert max(sizes) <= 12_000 < longest


async def test_any_article_may_be_looked_at_however_long(room: Room):
    await room.publish(20, text=LONG)
    state, size = room.signer.state, room.signer.state.log().size
    drawn = iter(range(13))
    own = Own(state.db, room.signer.root, choose=lambda count: next(drawn) % count)

    seen = [own.article(size) for _ in range(13)]

    assert [each.n for each in seen if each] == list(range(13))
    assert seen[12].length > 24_000


async def test_the_longest_page_is_looked_at_even_unpacked(room: Room):
    files = await room.publish(20, text="long " * (MAX_RAW_BYTES // 5 - 700))
    page = room.page
    async with copy(files) as host:
        honest = await room.look(host)
    async with copy(changed(files, page, files[page] + b"<script></script>")) as host:
        forged = await room.look(host)

    assert MAX_RAW_BYTES * 0.95 < len(files[page]) <= MAX_RAW_BYTES < MAX_PAGE
    assert [honest.outcome, forged.outcome] == ["ok", "content-tampered"]


def withdraw(room: Room, *numbers: int) -> None:
    some = [(each.short, "legal") for n in numbers for each in room.signer.state.articles(n, n + 1)]
    room.signer.withdraw(some, now=room.clock())


def test_an_article_that_is_withdrawn_is_not_looked_at_while_any_other_is_there(room: Room):
    state = room.signer.state
    draws = []
    own = Own(state.db, room.signer.root, choose=lambda count: draws.append(count) or count - 1)
    withdraw(room, *(n for n in range(12) if n != 3))

    found = own.article(state.log().size)

    assert found.n == 3
    assert len(draws) == TRIES


def test_no_article_is_looked_at_only_where_all_are_withdrawn_or_newer(room: Room):
    first = room.signer.state.articles(0, 1)[0].leaf
    before = [room.own.article(size) for size in (0, first, first + 1)]
    withdraw(room, *range(12))

    assert [each and each.n for each in before] == [None, None, 0]
    assert room.own.article(room.signer.state.log().size) is None


async def test_an_honest_copy_is_ok_over_tls_and_over_proxies(room: Room, certificate: Path):
    async with copy(room.store.kept, encrypted(certificate)) as host:
        named = at("news.test", host)
        target = {("news.test", int(host.partition(":")[2])): host}
        async with socks5(target) as socks, http_proxy(target) as http:
            seen = [
                await room.look(named, "https", fetcher=trusting(certificate, named, proxy=proxy))
                for proxy in ("", f"socks5h://{socks.address}", f"http://{http.address}")
            ]

    assert [each.outcome for each in seen] == ["ok", "ok", "ok"]


# The way to it is closed.


async def test_a_name_that_is_not_found_is_dns(room: Room, certificate: Path):
    seen = await room.look("gone.test", "https", fetcher=trusting(certificate, "x.test:1"))

    assert (seen.outcome, seen.detail) == ("dns", "its name is not found")


async def test_a_name_that_leads_to_a_private_address_is_dns(room: Room):
    lying = FakeResolver(news_test=["10.10.34.35"])
    fetcher = partial(Fetcher, resolver=lying, socket_factory=NoSockets(), timeout_s=FETCH_S)

    seen = await room.look("news.test", "https", fetcher=fetcher)

    assert seen.outcome == "dns"
    assert "not public" in seen.detail


async def test_a_closed_port_is_tcp_ip(room: Room):
    with closing(socket.socket()) as taken:
        taken.bind((LOOPBACK, 0))
        seen = await room.look(f"{LOOPBACK}:{taken.getsockname()[1]}")

    assert (seen.outcome, seen.detail) == ("tcp_ip", "no connection: refused")


@pytest.fixture
def silent() -> Iterator[str]:
    """Yield the address of a port that answers nobody: its queue is full."""
    with ExitStack() as stack:
        listening = stack.enter_context(closing(socket.socket()))
        listening.bind((LOOPBACK, 0))
        listening.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield f"{LOOPBACK}:{listening.getsockname()[1]}"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_address_that_never_answers_is_tcp_ip(room: Room, silent: str, scheme: str):
    seen = await room.look(silent, scheme, fetch_s=FETCH_S)

    assert (seen.outcome, seen.detail) == ("tcp_ip", "no connection: a time-out")


@pytest.mark.parametrize(
    ("serve", "word"), [(reset, "a reset"), (close, "a reset"), (hang, "a time-out")]
)
async def test_a_handshake_that_is_cut_off_is_tls_sni_reset(
    room: Room, certificate: Path, serve: Serve, word: str
):
    async with wire(serve) as host:
        named = at("news.test", host)
        fetcher = trusting(certificate, named, fetch_s=FETCH_S)
        seen = await room.look(named, "https", fetcher=fetcher, fetch_s=FETCH_S)

    assert (seen.outcome, seen.detail) == ("tls-sni-reset", f"{word} during the TLS handshake")


@pytest.mark.parametrize("serve", [reset, hang])
@pytest.mark.parametrize("kind", ["http", "socks5h"])
async def test_a_handshake_that_is_cut_off_behind_a_proxy_is_tls_sni_reset(
    room: Room, certificate: Path, serve: Serve, kind: str
):
    async with wire(serve) as host:
        named = at("news.test", host)
        target = {("news.test", int(host.partition(":")[2])): host}
        async with socks5(target) as socks, http_proxy(target) as http:
            proxies = {"http": f"http://{http.address}", "socks5h": f"socks5h://{socks.address}"}
            fetcher = trusting(certificate, named, fetch_s=FETCH_S, proxy=proxies[kind])
            seen = await room.look(named, "https", fetcher=fetcher, fetch_s=FETCH_S)

    assert seen.outcome == "tls-sni-reset"
    assert seen.took_ms < 8000


@pytest.mark.parametrize(
    ("serve", "word"), [(reset, "a reset"), (close, "a reset"), (hang, "a time-out")]
)
async def test_a_request_that_is_cut_off_is_http_failure(room: Room, serve: Serve, word: str):
    async with wire(serve) as host:
        seen = await room.look(host, fetch_s=FETCH_S)

    assert (seen.outcome, seen.detail) == ("http-failure", f"{word} after the request")


async def test_a_proxy_that_cannot_reach_a_mirror_says_no_connection(room: Room):
    async with socks5({}) as seen:
        fetcher = partial(
            Fetcher, proxy=f"socks5h://{seen.address}", allow_hosts=["news.test:1"], timeout_s=2
        )
        found = await room.look("news.test:1", "https", fetcher=fetcher, fetch_s=2)

    assert found.outcome == "tcp_ip"
    assert found.detail == "no connection: host unreachable, or no such name"


@pytest.mark.parametrize("kind", ["socks5h", "http"])
async def test_a_proxy_that_is_dead_says_nothing_about_a_mirror(room: Room, kind: str):
    with closing(socket.socket()) as taken:
        taken.bind((LOOPBACK, 0))
        proxy = f"{kind}://{LOOPBACK}:{taken.getsockname()[1]}"
        fetcher = partial(Fetcher, proxy=proxy, timeout_s=FETCH_S)
        with pytest.raises(VantageError, match="cannot be reached"):
            await room.look("news.example", "https", fetcher=fetcher)


@pytest.mark.parametrize("kind", ["socks5h", "http"])
async def test_a_proxy_that_never_answers_says_nothing_about_a_mirror(
    room: Room, silent: str, kind: str
):
    fetcher = partial(Fetcher, proxy=f"{kind}://{silent}", timeout_s=FETCH_S)

    with pytest.raises(VantageError):
        await room.look("news.example", "https", fetcher=fetcher)


# Something else is there.


async def test_a_block_page_with_status_200_is_http_diff(room: Room):
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="<h1>Access is restricted</h1>", content_type="text/html")

    async with site(handler) as host:
        seen = await room.look(host)

    assert seen.outcome == "http-diff"
    assert seen.detail.startswith("another page instead of ours")


@pytest.mark.parametrize("status", [403, 404, 451, 500, 503])
async def test_any_other_status_is_http_diff_and_named(room: Room, status: int):
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async with site(handler) as host:
        seen = await room.look(host)

    assert seen.outcome == "http-diff"
    assert f"status {status}" in seen.detail


async def test_a_redirect_elsewhere_is_http_diff(room: Room):
    async def handler(_: web.Request) -> web.Response:
        raise web.HTTPFound("/warning" if _.path != "/warning" else "/warning2")

    async with site(handler) as host:
        seen = await room.look(host)

    assert seen.outcome == "http-diff"
    assert "redirects" in seen.detail


async def test_a_body_without_an_end_is_http_diff_and_costs_nothing(room: Room):
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(bytes(1 << 16))
        return response

    async with site(handler) as host:
        seen = await room.look(host)

    assert seen.outcome == "http-diff"
    assert "too large" in seen.detail


async def test_another_certificate_is_http_diff(room: Room, certificate: Path):
    async with copy(room.store.kept, encrypted(certificate)) as host:
        named = at("other.test", host)
        seen = await room.look(named, "https", fetcher=trusting(certificate, named))

    assert seen.outcome == "http-diff"
    assert "certificate" in seen.detail


# Somebody counts bytes, or lets them drip.


def counted(files: dict[str, bytes], least: int, pause_s: float):
    """Serve of a body its first `least` bytes, the rest after a pause."""

    async def handler(request: web.Request) -> web.StreamResponse:
        data = files[request.path[1:]]
        response = web.StreamResponse(headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        await response.write(data[:least])
        if data[least:]:
            await asyncio.sleep(pause_s)
            await response.write(data[least:])
        return response

    return site(handler)


async def test_what_stops_after_some_bytes_while_smaller_files_pass_is_cut(room: Room):
    async with counted(room.store.kept, 2048, 60) as host:
        seen = await room.look(host, fetch_s=FETCH_S)

    assert seen.outcome == "cut-at-n-bytes"
    assert "a file of" in seen.detail


async def test_what_stops_at_the_first_file_is_http_failure(room: Room):
    async with counted(room.store.kept, 100, 60) as host:
        seen = await room.look(host, fetch_s=FETCH_S)

    assert (seen.outcome, seen.detail) == (
        "http-failure",
        "a time-out in the middle of the answer",
    )


async def test_what_takes_longer_than_a_reader_waits_is_throttled(room: Room):
    async with counted(room.store.kept, 2048, 2.5) as host:
        fetcher = partial(Fetcher, allow_hosts=[host], timeout_s=5)
        seen = await room.look(host, fetcher=fetcher, fetch_s=5)

    assert seen.outcome == "throttled"
    assert "kB/s" in seen.detail


@asynccontextmanager
async def packed(files: dict[str, bytes], slow: str, pause_s: float) -> AsyncIterator[str]:
    """Serve what a site has packed; the second half of the file `slow` after a pause."""

    async def handler(request: web.Request) -> web.StreamResponse:
        data = gzip.compress(files[request.path[1:]], 9)
        fields = {"Content-Length": str(len(data)), "Content-Encoding": "gzip"}
        response = web.StreamResponse(headers=fields)
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
        await asyncio.sleep(pause_s if request.path[1:] == slow else 0)
        await response.write(data[len(data) // 2 :])
        return response

    async with site(handler) as host:
        yield host


async def test_a_long_page_that_drips_is_throttled_by_what_it_has_packed(room: Room):
    files = await room.publish(20, text=LONG)
    async with packed(files, room.page, 2.0) as host:
        slow = await room.look(host)
    async with packed(files, room.page, 0) as host:
        fast = await room.look(host)

    # By its unpacked length it would seem to come fast enough.
    assert len(files[room.page]) > 2.5 * SLOW_BYTES_S
    assert [slow.outcome, fast.outcome] == ["throttled", "ok"]


async def test_a_long_page_passes_a_filter_that_counts_bytes_only_if_it_is_packed(room: Room):
    files = await room.publish(20, text=LONG)
    async with counted(files, 16_000, 60) as host:
        as_it_is = await room.look(host, fetch_s=FETCH_S)
    async with packed(files, "", 0) as host:
        small = await room.look(host)

    assert [as_it_is.outcome, small.outcome] == ["cut-at-n-bytes", "ok"]
    assert len(gzip.compress(files[room.page])) < 12_000


async def test_a_look_ends_in_bounded_time(room: Room):
    async with counted(room.store.kept, 100, 0.3) as host:
        fetcher = partial(Fetcher, allow_hosts=[host], timeout_s=5)
        seen = await room.look(host, fetcher=fetcher, fetch_s=5, look_s=0.5)

    assert seen.outcome == "throttled"
    assert seen.detail.startswith("not done in 0.5 s: ")


# It lies.


def changed(files: dict[str, bytes], path: str, data: bytes) -> dict[str, bytes]:
    return {**files, path: data}


async def test_a_page_with_something_added_is_tampered(room: Room):
    page = room.page
    added = room.store.kept[page] + b"<script src=//ads.example/></script>"
    async with copy(changed(room.store.kept, page, added)) as host:
        seen = await room.look(host)

    assert seen.outcome == "content-tampered"
    assert seen.detail.startswith("tampered: ")


def forged(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return a site whose every long article was changed, and nothing else."""
    return {
        path: data[:-1] + b" " if path.endswith("/1.html") and len(data) > 12_000 else data
        for path, data in files.items()
    }


async def test_a_mirror_that_forges_only_a_long_article_is_tampered(room: Room):
    files = await room.publish(20, text=LONG)
    lies = forged(files)
    async with copy(lies) as host:
        seen = await room.look(host)

    assert [path for path, data in files.items() if lies[path] != data] == [room.page]
    assert len(files[room.page]) > 24_000
    assert (seen.outcome, seen.detail[:8]) == ("content-tampered", "tampered")


async def test_where_all_articles_are_long_one_is_looked_at(tmp_path: Path):
    room = Room(tmp_path / "long")
    room.own = Own(room.signer.state.db, room.signer.root)
    files = await room.publish(1, 2, 3, text=LONG)
    async with copy(files) as host:
        honest = await room.look(host)
    async with copy(forged(files)) as host:
        lying = await room.look(host)
    room.signer.state.close()

    assert [honest.outcome, lying.outcome] == ["ok", "content-tampered"]


async def test_another_article_in_its_place_is_tampered(room: Room):
    pages = sorted(path for path in room.store.kept if path.endswith("/1.html"))
    other = next(path for path in pages if path != room.page)
    files = dict(room.store.kept)
    files |= {room.page: files[other], room.page + PROOF: files[other + PROOF]}
    async with copy(files) as host:
        seen = await room.look(host)

    assert seen.outcome == "content-tampered"
    assert seen.detail.startswith("wrong-article: ")


async def test_a_mirror_that_withholds_a_correction_is_tampered(room: Room):
    first = await room.publish(30)
    old = room.page
    files = await room.publish(30, text="Corrected.")
    new = old.replace("/1.html", "/2.html")
    held = files | {new: first[old], new + PROOF: first[old + PROOF]}
    async with copy(files) as host:
        honest = await room.look(host)
    async with copy(held) as host:
        seen = await room.look(host)

    assert files[new] != first[old]
    assert (honest.outcome, seen.outcome) == ("ok", "content-tampered")
    assert seen.detail == "wrong-article: revision 1 in place of 2"


async def test_an_index_document_with_a_byte_changed_is_tampered(room: Room):
    files = {
        path: data[:-1] + b" " if path.startswith("index/") else data
        for path, data in room.store.kept.items()
    }
    async with copy(files) as host:
        seen = await room.look(host)

    assert seen.outcome == "content-tampered"


async def test_a_site_signed_with_other_keys_is_tampered(room: Room, tmp_path: Path):
    forger = Room(tmp_path / "forger", salt="forged")
    files = await forger.publish(1, 2, 3)
    forger.signer.state.close()
    async with copy(files) as host:
        seen = await room.look(host)

    assert seen.outcome == "content-tampered"
    assert seen.detail.startswith(("bad-signature", "unknown-key"))


async def test_another_log_under_our_own_keys_is_a_fork(room: Room, tmp_path: Path):
    thief = Room(tmp_path / "thief")
    shorter = await thief.publish(30)
    longer = await thief.publish(*range(31, 60))
    thief.signer.state.close()

    for files in (shorter, longer):
        async with copy(files) as host:
            seen = await room.look(host)

        assert seen.outcome == "content-tampered"
        assert seen.detail.startswith("fork: ")


async def test_a_page_that_is_left_out_is_http_diff_and_named(room: Room):
    files = {path: data for path, data in room.store.kept.items() if path != room.page}
    async with copy(files) as host:
        seen = await room.look(host)

    assert seen.outcome == "http-diff"
    assert "status 404" in seen.detail


async def test_a_proof_that_is_stripped_is_http_diff(room: Room):
    files = {path: data for path, data in room.store.kept.items() if path != room.page + PROOF}
    async with copy(files) as host:
        assert (await room.look(host)).outcome == "http-diff"


# What an article has beside its first part.


async def parted(room: Room) -> tuple[dict[str, bytes], list[str], list[str]]:
    """Publish an article of several parts, with two pictures in the first and one in the last.

    Return the files of the site, and the paths of the other parts and of the pictures.
    """
    pictures = tuple(
        Picture(f"https://cdn.example/{n}", b"%d" % n * 9000, 480, 320, b"%d" % n * 20_000)
        for n in (1, 2, 3)
    )
    shown = [f'<p><a itemprop="contentUrl" href="{each.url}">Photo</a></p>' for each in pictures]
    text = (f"<p>{' '.join(random.Random(n).choices(WORDS, k=900))}</p>" for n in range(8))
    new = draft(room.signer, 20)
    article = replace(new.article, blocks=(*shown[:2], *text, shown[2]), pictures=pictures)
    room.signer.append([replace(new, article=article)], now=room.clock())
    await room.press.publish(now=room.clock)
    files, page = dict(room.store.kept), room.page
    hashes = parts_of(files[page], 1)
    parts = [page.replace(".html", f"-{n}.html") for n, _ in enumerate(hashes, 2)]
    names = [name(each.webp) for each in pictures]
    assert [each.encode() in files[page] for each in names] == [True, True, False]
    assert names[2].encode() in files[parts[-1]]
    assert len(parts) > 1
    return files, parts, [f"{page.rpartition('/')[0]}/{each}" for each in names]


def drawing(room: Room, number: int) -> None:
    """Let the newest article be drawn, and file `number` of those that its first part names."""
    drawn = iter([lambda count: count - 1, lambda _: number])
    own = Own(room.own.db, room.own.root, choose=lambda count: next(drawn, lambda _: 0)(count))
    room.own = own


async def test_any_file_that_an_article_names_may_be_looked_at_and_each_is_small(room: Room):
    files, parts, pictures = await parted(room)
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path[1:])
        return web.Response(body=files[asked[-1]])

    looks = []
    async with site(handler) as host:
        for number in range(len(parts) + 2):
            drawing(room, number)
            assert (await room.look(host)).outcome == "ok"
            looks.append(asked[5:])
            asked.clear()

    # The last picture is in the last part, and is looked at with it.
    drawn = [*parts, *pictures[:2]]
    assert looks == [[path, pictures[2]] if path == parts[-1] else [path] for path in drawn]
    assert max(compressed_size(files[path]) for some in looks for path in some) <= 12_000


@pytest.mark.parametrize(
    "forge", [lambda data: data[:-1] + b"!", lambda data: data + bytes(20_000)]
)
async def test_a_mirror_that_forges_only_what_is_beside_the_first_part_is_tampered(
    room: Room, forge: Callable[[bytes], bytes]
):
    files, parts, pictures = await parted(room)
    last = len(parts) - 1
    drawn = {parts[0]: 0, parts[-1]: last, pictures[1]: last + 2, pictures[2]: last}
    seen = []
    for path, number in drawn.items():
        drawing(room, number)
        async with copy(changed(files, path, forge(files[path]))) as host:
            seen.append(await room.look(host))

    assert {each.outcome for each in seen} == {"content-tampered"}
    assert {each.detail.partition(":")[0] for each in seen} == {"tampered"}


async def test_a_part_or_a_picture_that_is_left_out_is_http_diff_and_named(room: Room):
    files, parts, pictures = await parted(room)
    for path, number in ((parts[0], 0), (pictures[0], len(parts))):
        drawing(room, number)
        async with copy({each: data for each, data in files.items() if each != path}) as host:
            seen = await room.look(host)

        assert seen.outcome == "http-diff"
        assert seen.detail == f"{path}: another answer: status 404: not found"


# It is old.


async def test_a_copy_that_lacks_what_was_just_published_is_ok_for_a_while(room: Room):
    old = dict(room.store.kept)
    room.clock.now += HOUR
    await room.publish(13)
    async with copy(old) as host:
        soon = await room.look(host)
        room.clock.now += BEHIND_S
        at_the_limit = await room.look(host)
        room.clock.now += 60
        late = await room.look(host)

    assert [soon.outcome, at_the_limit.outcome, late.outcome] == ["ok", "ok", "stale"]
    assert late.detail == f"lacks the newest 2 leaves for {BEHIND_S // 60 + 1} minutes"


async def test_a_copy_whose_clock_stands_still_is_stale_where_ours_goes_on(room: Room):
    old = dict(room.store.kept)
    room.clock.now += room.own.root.max_age_s + HOUR
    frozen = copy(old)
    async with frozen as host:
        ours_too = await room.look(host)
        await room.press.refresh(now=room.clock())
        seen = await room.look(host)
    async with copy(room.store.kept) as host:
        fresh = await room.look(host)

    assert [ours_too.outcome, seen.outcome, fresh.outcome] == ["ok", "stale", "ok"]


async def test_a_checkpoint_older_than_the_index_beside_it_is_stale(room: Room):
    old = room.store.kept[CHECKPOINT]
    await room.publish(13)
    async with copy(changed(room.store.kept, CHECKPOINT, old)) as host:
        seen = await room.look(host)

    assert (seen.outcome, seen.detail) == ("stale", "its checkpoint is older than its index")


async def test_a_root_of_ours_that_expired_is_no_fault_of_a_mirror(room: Room):
    room.own = replace(room.own, root=replace(room.own.root, expires=NOW - 5))
    async with copy(room.store.kept) as host:
        seen = await room.look(host)

    assert seen.outcome == "ok"
