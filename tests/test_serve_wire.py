"""What strangers do to a server, and what it does then: bytes over real connections."""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from serve_wire import Got, everything, get, raw, split

from mirror.serve import Manners, serve

PAGE = b"<!doctype html><p>words"
LARGE = bytes(30_000_000)  # more than the buffers of both ends of a connection hold
GET = b"GET /index.html HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_bytes(PAGE)
    (tmp_path / "large.tar").write_bytes(LARGE)
    return tmp_path


@pytest.fixture
async def address(site: Path) -> AsyncIterator[str]:
    async with serving(site) as address:
        yield address


@asynccontextmanager
async def serving(site: Path, **manners: float) -> AsyncIterator[str]:
    """Serve with times that a test can wait for."""
    times = {"header_s": 1.0, "idle_s": 1.0, "answer_s": 5, "linger_s": 0.2} | manners
    async with serve(site, host="127.0.0.1", port=0, manners=Manners(**times)) as address:
        yield address


class Line:
    """A connection that is held open by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await asyncio.sleep(0)

    async def answer(self) -> Got:
        head = await self.reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"Content-Length: ([0-9]+)", head)
        return Got.parse(head + await self.reader.readexactly(int(found[1]) if found else 0))

    async def ends(self, *, within_s: float) -> bytes:
        """Return what still comes before the connection ends, which it does in that time."""
        async with asyncio.timeout(within_s):
            return await everything(self.reader)


@asynccontextmanager
async def opened(address: str) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection(*split(address))
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


async def is_served(address: str) -> bool:
    answer = await get(address, "/index.html")
    return answer.status == 200 and answer.body == PAGE


# What cannot be understood.


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"get /index.html HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /index.html HTTP/1.1\r\n\r\n",
        b"GET /index.html HTTP/3.0\r\nHost: x\r\n\r\n",
        b"GET index.html HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xc3\xa9.html HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        GET + b"X : y\r\n\r\n",
        GET + b" folded: y\r\n\r\n",
        GET + b"X: \x00\r\n\r\n",
        GET + b"Host: y\r\n\r\n",
        GET + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        GET + b"X: y\r\n" * 20_000 + b"\r\n",
        GET + b"X: y\r\n" * 65 + b"\r\n",
        b"GET /index.html HTTP/1.1\nHost: x\n\n",
        b"GET /index.html HTTP/1.1\r\nHost: x\n\r\n",
        GET + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        GET + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        GET + b"Content-Length: +3\r\n\r\nabc",
        GET + b"Content-Length: 3, 3\r\n\r\nabc",
        GET + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        GET + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        GET + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        GET + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_cannot_be_understood_gets_one_plain_answer_and_no_second(
    address: str, data: bytes
):
    came = await raw(address, data + GET + b"\r\n")

    assert came.count(b"HTTP/1.1 ") == 1
    answer = Got.parse(came)
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert answer.body == b"This is no request that is understood here.\n"
    assert "server" not in answer.headers
    assert answer.headers["content-security-policy"]
    assert await is_served(address)


@pytest.mark.parametrize(
    "data",
    [
        GET + b"Content-Length: 5\r\n\r\nhello",
        GET + b"Content-Length: 99999999999999\r\n\r\nhello",
        GET + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        GET + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        GET + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        GET.replace(b"GET", b"POST") + b"Content-Length: 5\r\n\r\nhello",
        GET.replace(b"GET", b"PUT") + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
@pytest.mark.parametrize("close", [True, False])
async def test_a_body_is_refused_and_nothing_after_it_is_a_request(
    site: Path, data: bytes, close: bool
):
    async with serving(site, close=close) as address:
        came = await raw(address, data + GET + b"\r\n")

    assert came.count(b"HTTP/1.1 ") == 1
    # 400 where aiohttp reads what follows a short body as broken before the body is refused.
    assert Got.parse(came).status in (400, 405, 413)
    assert b"connection: close" in came.lower()


async def test_headers_that_are_too_long_together_are_refused(address: str):
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 3_000) for number in range(30))
    answer = Got.parse(await raw(address, GET + lines + b"\r\n"))

    assert (answer.status, answer.headers["connection"]) == (431, "close")
    assert await is_served(address)


async def test_headers_that_are_too_long_together_are_refused_bit_by_bit(address: str):
    async with opened(address) as line:
        await line.send(GET)
        for number in range(30):
            await line.send(b"X-%d: %s\r\n" % (number, b"y" * 3_000))
            await asyncio.sleep(0.005)
        answer = Got.parse(await line.ends(within_s=6))

    assert answer.status == 431


async def test_an_older_protocol_is_answered_and_closed(address: str):
    kept = b"GET /index.html HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    answer = Got.parse(await raw(address, kept))

    assert (answer.body, answer.headers["connection"]) == (PAGE, "close")


async def test_the_oldest_protocol_of_all_is_cut_off(address: str):
    assert await raw(address, b"GET /index.html\r\n") == b""


async def test_no_other_protocol_is_spoken(address: str):
    wish = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " + b"A" * 24
    came = await raw(address, GET + wish + b"\r\n\r\n" + b"\x81\x05hello")

    assert Got.parse(came).body == PAGE


async def test_no_bytes_at_all_make_the_server_fail(address: str, caplog: pytest.LogCaptureFixture):
    rng = random.Random(7)
    words = [
        *(
            b"GET",
            b"HEAD",
            b"OPTIONS",
            b"POST",
            b" ",
            b"/",
            b"/index.html",
            b"http://x",
            b"*",
            b"?",
        ),
        *(b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\r\n\r\n", b"\n", b":", b"Host: x", b"%2f", b"%"),
        *(
            b"Content-Length: 1",
            b"Transfer-Encoding: chunked",
            b"\x00",
            b"\xff",
            b"If-None-Match: W/",
        ),
        *(b"Accept-Encoding: br;q=", b"Connection: upgrade", b"Upgrade: h2c", b"Expect: x", b"//"),
    ]

    async def throw(data: bytes) -> None:
        async with opened(address) as line:
            await line.send(data)
            line.writer.write_eof()
            came = await line.ends(within_s=5)
            assert not came or Got.parse(came).status < 500
            assert b"Python" not in came
            assert b"Server" not in came

    async with asyncio.TaskGroup() as group:
        for _ in range(300):
            lines = GET + b"\r\n".join(rng.choices(words, k=rng.randint(0, 6)))
            mixed = b"".join(rng.choices(words, k=rng.randint(1, 20)))
            group.create_task(throw(rng.choice((lines, mixed)) + b"\r\n\r\n"))

    assert not caplog.records
    assert await is_served(address)


# Connections.


async def test_a_page_ends_its_connection(address: str):
    came = await raw(address, (GET + b"\r\n") * 5)

    assert came.count(b"HTTP/1.1 ") == 1
    assert Got.parse(came).headers["connection"] == "close"


async def test_health_keeps_its_connection(address: str):
    async with opened(address) as line:
        for _ in range(3):
            await line.send(b"GET /-/health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await line.answer()).status == 200


async def test_a_kept_connection_answers_in_order(site: Path):
    async with serving(site, close=False) as address, opened(address) as line:
        paths = ["/index.html", "/nothing"] * 100
        for path in paths:
            await line.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        statuses = [(await line.answer()).status for _ in paths]

    assert statuses == [200, 404] * 100


async def test_a_kept_connection_ends_when_asked_to(site: Path):
    async with serving(site, close=False) as address, opened(address) as line:
        await line.send(GET + b"Connection: close\r\n\r\n" + GET + b"\r\n")
        came = await line.ends(within_s=6)

    assert came.count(b"HTTP/1.1 ") == 1


async def test_an_idle_connection_is_cut(site: Path):
    async with serving(site, close=False) as address, opened(address) as line:
        await line.send(GET + b"\r\n")
        await line.answer()
        start = time.monotonic()

        assert await line.ends(within_s=6) == b""
        assert time.monotonic() - start > 0.8


@pytest.mark.parametrize("first", [b"", b"GET /", GET, GET + b"X: "])
async def test_headers_that_trickle_are_cut_off(address: str, first: bytes):
    start = time.monotonic()
    async with opened(address) as line, asyncio.TaskGroup() as group:

        async def trickle() -> None:
            await line.send(first)
            for byte in b"y" * 100:
                await line.send(bytes([byte]) if first else b"")
                await asyncio.sleep(0.05)

        slow = group.create_task(trickle())
        assert await line.ends(within_s=6) == b""
        slow.cancel()

    assert 0.8 < time.monotonic() - start < 4


async def test_headers_that_trickle_on_a_kept_connection_are_cut_off(site: Path):
    async with serving(site, close=False, idle_s=60) as address, opened(address) as line:
        await line.send(GET + b"\r\n")
        await line.answer()
        await line.send(b"GET / HT")

        assert await line.ends(within_s=6) == b""


async def test_a_reader_who_takes_nothing_is_cut_off(site: Path):
    async with serving(site, answer_s=0.4) as address, opened(address) as line:
        line.writer.transport.pause_reading()
        await line.send(b"GET /large.tar HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(1)
        line.writer.transport.resume_reading()
        came = await line.ends(within_s=5)

    assert 0 < len(came) < len(LARGE)


async def test_a_reader_who_takes_nothing_of_many_answers_is_cut_off(site: Path):
    (site / "some.tar").write_bytes(bytes(500_000))
    async with serving(site, close=False, answer_s=0.4) as address, opened(address) as line:
        line.writer.transport.pause_reading()
        await line.send(b"GET /some.tar HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        await asyncio.sleep(1)
        line.writer.transport.resume_reading()
        came = await line.ends(within_s=5)

    assert len(came) < 50_000_000


async def test_a_slow_reader_who_takes_some_in_time_gets_all(site: Path):
    (site / "some.tar").write_bytes(bytes(8_000_000))
    async with serving(site, answer_s=1.5) as address, opened(address) as line:
        await line.send(b"GET /some.tar HTTP/1.1\r\nHost: x\r\n\r\n")
        start, came = time.monotonic(), 0
        while piece := await line.reader.read(100_000):
            came += len(piece)
            await asyncio.sleep(0.03)

    assert time.monotonic() - start > 2
    assert came > 8_000_000


async def test_a_flood_of_silent_connections_keeps_nobody_out(site: Path):
    async with serving(site, max_connections=50, header_s=30) as address, AsyncExitStack() as all_:
        for number in range(400):
            line = await all_.enter_async_context(opened(address))
            await line.send(b"GET / HT" if number % 2 else b"")
            if not number % 40:
                assert await is_served(address)

        assert await is_served(address)


async def test_connections_beyond_the_bound_are_closed_and_the_others_go_on(site: Path):
    async with serving(site, max_connections=20) as address, AsyncExitStack() as all_:
        lines = [await all_.enter_async_context(opened(address)) for _ in range(20)]
        for line in lines:
            line.writer.transport.pause_reading()
            await line.send(b"GET /large.tar HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.2)
        refused = [await raw(address, GET + b"\r\n") for _ in range(5)]
        lines[0].writer.transport.abort()
        await asyncio.sleep(0.1)

        assert refused == [b""] * 5
        assert await is_served(address)
        lines[1].writer.transport.resume_reading()
        came = await lines[1].ends(within_s=5)
        assert len(came) > len(LARGE)


async def test_a_crowd_gets_its_pages_at_once(site: Path):
    # The crowd is in this loop, too: on a busy machine its requests may take long to be sent.
    async with serving(site, header_s=10) as address, asyncio.TaskGroup() as group:
        crowd = [group.create_task(is_served(address)) for _ in range(400)]

    assert all(each.result() for each in crowd)


async def test_a_crowd_of_attackers_does_not_slow_a_page_down(site: Path):
    attacks = [b"\x00" * 5_000, GET + b"X: " + b"y" * 50_000, (GET + b"\r\n") * 200, b"GET /"]

    async def attack(number: int) -> None:
        async with opened(address) as line:
            await line.send(attacks[number % len(attacks)])
            await line.ends(within_s=5)

    # The attackers are in this loop too: on a busy machine a request may take long to be sent.
    async with serving(site, header_s=4) as address, asyncio.TaskGroup() as group:
        for number in range(300):
            group.create_task(attack(number))
        waits = []
        for _ in range(20):
            start = time.monotonic()
            assert await is_served(address)
            waits.append(time.monotonic() - start)

    assert sorted(waits)[10] < 1.5


async def test_the_server_stops_while_readers_hang_on(site: Path):
    async with AsyncExitStack() as all_:
        async with serving(site, farewell_s=0.2, header_s=30, answer_s=30) as address:
            lines = [await all_.enter_async_context(opened(address)) for _ in range(20)]
            for number, line in enumerate(lines):
                line.writer.transport.pause_reading()
                await line.send(
                    b"GET /large.tar HTTP/1.1\r\nHost: x\r\n\r\n" if number % 2 else b"G"
                )
            await asyncio.sleep(0.1)
            start = time.monotonic()

        assert time.monotonic() - start < 6
        with pytest.raises(OSError, match="Connect"):
            await get(address, "/index.html")
