"""What strangers do together, or while something here fails, and what the others get then."""

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from serve_wire import Got, everything, get, raw, split

from mirror.errors import StateError, StoreError
from mirror.formats.cid import Cid
from mirror.formats.folders import update
from mirror.formats.unixfs import CHUNK, Link, chunked, file_blocks
from mirror.serve import Manners, serve
from mirror.serve.gateway import Gateway
from mirror.serve.room import address_of, who_leaves
from mirror.serve.target import Target

PAGE = b"<!doctype html><p>words"
LARGE = bytes(30_000_000)  # more than the buffers of both ends of a connection hold
GET = b"GET /index.html HTTP/1.1\r\nHost: x\r\n"
GET_LARGE = b"GET /large.tar HTTP/1.1\r\nHost: x\r\n\r\n"
LONG = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 3_000) for number in range(50))
QUICK = Manners(header_s=5, linger_s=0.2)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_bytes(PAGE)
    (folder / "large.tar").write_bytes(LARGE)
    return folder


class OneFile:
    """The blocks of a site of one large file; they may fail."""

    def __init__(self) -> None:
        links: dict[str, Link] = {}
        self.kept: dict[Cid, bytes] = {}
        for number in range(40):
            for block in file_blocks(chunked(b"%d" % number * (CHUNK // 3))):
                self.kept[block.link.cid] = bytes(block.data)
                links[f"{number}.tar"] = block.link
        found = update(lambda _: None, links)
        self.kept |= found.blocks
        self.top = found.root.cid
        self.fails: Exception | None = None
        self.left = 10**9

    def root(self) -> Cid | None:
        return self.top

    def block(self, cid: Cid) -> bytes | None:
        self.left -= 1
        if self.fails and self.left < 0:
            raise self.fails
        return self.kept.get(cid)

    @property
    def archive(self) -> str:
        return f"/ipfs/{self.top}?format=car"


@pytest.fixture(scope="module")
def made() -> OneFile:
    return OneFile()


@pytest.fixture
def blocks(made: OneFile) -> OneFile:
    made.fails, made.left = None, 10**9
    return made


@asynccontextmanager
async def asked(
    address: str, data: bytes, *, source: str = "127.0.0.1"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Send `data` from an address, and take nothing until told to."""
    reader, writer = await asyncio.open_connection(*split(address), local_addr=(source, 0))
    writer.transport.pause_reading()
    writer.write(data)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def page(address: str, *, source: str = "127.0.0.1") -> bytes:
    async with asked(address, GET + b"\r\n", source=source) as (reader, writer):
        writer.transport.resume_reading()
        return (await everything(reader)).partition(b"\r\n\r\n")[2]


# What comes before it may.


@pytest.mark.parametrize("close", [True, False])
@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST /index.html HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n", 405),
        (GET + b"Content-Length: 200000\r\n\r\n", 413),
        (GET + b"\r\n" + GET + LONG, 200),
    ],
)
async def test_what_follows_a_request_takes_nothing_from_its_answer(
    site: Path, data: bytes, status: int, close: bool, caplog: pytest.LogCaptureFixture
):
    async with serve(
        site, host="127.0.0.1", port=0, manners=replace(QUICK, close=close)
    ) as address:
        came = await raw(address, data + b"x" * 200_000)

    assert came.count(b"HTTP/1.1 ") == 1
    assert Got.parse(came).status == status
    assert not caplog.records


async def test_who_asks_far_ahead_is_answered_once(site: Path):
    manners = replace(QUICK, close=False)
    async with (
        serve(site, host="127.0.0.1", port=0, manners=manners) as address,
        asked(address, GET_LARGE) as (reader, writer),
    ):
        await asyncio.sleep(0.1)
        for _ in range(20):
            writer.write(GET + LONG[:15_000] + b"X: y\r\n\r\n")
            await asyncio.sleep(0.005)
        writer.transport.resume_reading()
        async with asyncio.timeout(10):
            came = await everything(reader)

    assert came.startswith(b"HTTP/1.1 200")
    assert len(came) > len(LARGE)
    assert came.count(b"HTTP/1.1 ") == 1


# Who makes room.


@dataclass(eq=False)
class Sitter:
    since: float
    address: bytes = b"a"
    busy: bool = True

    def cut(self) -> None:
        raise AssertionError("who is chosen is cut by whoever chose")


def test_the_silent_leave_before_the_busy():
    silent = Sitter(3, busy=False)

    assert who_leaves([Sitter(1), silent, Sitter(4, busy=False)], Sitter(5), before=2) is silent


def test_an_address_with_more_than_its_share_makes_room_for_another():
    slow = Sitter(2)
    guests = [Sitter(1, b"b"), slow, Sitter(3), Sitter(4)]

    assert who_leaves(guests, Sitter(5, b"c"), before=0) is slow
    assert who_leaves(guests, Sitter(5, b"b"), before=0) is slow
    assert who_leaves(guests, Sitter(5, b"a"), before=0) is None


def test_two_with_equal_shares_do_not_push_out_each_other():
    guests = [Sitter(1, b"a"), Sitter(2, b"a"), Sitter(3, b"b")]

    assert who_leaves(guests, Sitter(5, b"b"), before=0) is None


def test_who_has_stalled_leaves_whatever_the_address():
    stalled = Sitter(1, b"b")

    assert who_leaves([Sitter(2), stalled], Sitter(5), before=1.5) is stalled
    assert who_leaves([Sitter(2), stalled], Sitter(5), before=1) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("127.0.0.1", 1), ("127.0.0.1", 2), True),
        (("127.0.0.1", 1), ("127.0.0.2", 1), False),
        (("2001:db8::1", 1, 0, 0), ("2001:db8::ffff:2", 1, 0, 0), True),
        (("2001:db8::1", 1, 0, 0), ("2001:db8:0:1::1", 1, 0, 0), False),
        (("fe80::1%lo", 1, 0, 1), ("fe80::2", 1, 0, 1), True),
        (("::ffff:127.0.0.1", 1, 0, 0), ("::ffff:127.0.0.2", 1, 0, 0), False),
        (None, "", True),
    ],
)
def test_a_network_of_version_6_is_one_stranger(one: object, other: object, same: bool):
    assert (address_of(one) == address_of(other)) == same


async def test_slow_readers_of_one_address_keep_no_other_out(site: Path):
    manners = replace(QUICK, max_connections=20)
    async with (
        serve(site, host="127.0.0.1", port=0, manners=manners) as address,
        AsyncExitStack() as all_,
    ):
        for _ in range(20):
            await all_.enter_async_context(asked(address, GET_LARGE))
        await asyncio.sleep(0.2)
        refused = await page(address)

        assert refused == b""
        for _ in range(5):
            assert await page(address, source="127.0.0.2") == PAGE


async def test_readers_who_take_nothing_make_room_and_those_who_do_stay(site: Path):
    manners = replace(QUICK, max_connections=8, stall_s=0.4)
    async with (
        serve(site, host="127.0.0.1", port=0, manners=manners) as address,
        AsyncExitStack() as all_,
    ):
        taking, _ = first = await all_.enter_async_context(asked(address, GET_LARGE))
        for _ in range(7):
            await all_.enter_async_context(asked(address, GET_LARGE))
        first[1].transport.resume_reading()
        for _ in range(20):
            await taking.read(1_000_000)
            await asyncio.sleep(0.03)
        assert await page(address) == PAGE
        rest = await everything(taking)

    assert len(rest) > 1_000_000
    assert not any(rest[-1000:])


async def status_of(address: str, blocks: OneFile, source: str) -> int:
    """Return the status that the archive is answered with."""
    data = f"GET {blocks.archive} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    async with asked(address, data, source=source) as (reader, writer):
        writer.transport.resume_reading()
        return int((await reader.readuntil(b"\r\n")).split()[1])


async def test_archives_for_one_address_keep_no_other_from_theirs(site: Path, blocks: OneFile):
    manners = replace(QUICK, max_cars=3)
    data = f"GET {blocks.archive} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    async with (
        serve(site, host="127.0.0.1", port=0, blocks=blocks, manners=manners) as address,
        AsyncExitStack() as all_,
    ):
        for _ in range(3):
            await all_.enter_async_context(asked(address, data))
        await asyncio.sleep(0.3)

        assert await status_of(address, blocks, "127.0.0.1") == 503
        assert await status_of(address, blocks, "127.0.0.2") == 200


async def test_archives_that_nobody_takes_make_room(site: Path, blocks: OneFile):
    manners = replace(QUICK, max_cars=2, stall_s=0.3)
    data = f"GET {blocks.archive} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    async with (
        serve(site, host="127.0.0.1", port=0, blocks=blocks, manners=manners) as address,
        AsyncExitStack() as all_,
    ):
        for _ in range(2):
            await all_.enter_async_context(asked(address, data))
        await asyncio.sleep(0.2)
        assert await status_of(address, blocks, "127.0.0.1") == 503
        await asyncio.sleep(0.5)

        assert await status_of(address, blocks, "127.0.0.1") == 200


async def test_no_more_archives_begin_than_may_be_sent(blocks: OneFile):
    gateway = Gateway(blocks, Manners(max_cars=1), asyncio.Semaphore(4))
    made = [
        await gateway.reply(
            Target.parse(blocks.archive),
            Sitter(1),
            accept="",
            if_none_match="",
            only_if_cached=False,
        )
        for _ in range(2)
    ]
    first, second = (each.pieces() for each in made if each.pieces)
    assert await anext(first)

    with pytest.raises(ConnectionAbortedError):
        await anext(second)
    await first.aclose()


# What fails here.


@pytest.mark.parametrize("why", [StateError("db: damaged"), StoreError("disk"), OSError(5, "disk")])
@pytest.mark.parametrize("format_", ["raw", "car"])
async def test_blocks_that_cannot_be_read_are_unavailable_and_said_once(
    site: Path, blocks: OneFile, why: Exception, format_: str, caplog: pytest.LogCaptureFixture
):
    blocks.fails, blocks.left = why, 0
    async with serve(site, host="127.0.0.1", port=0, blocks=blocks, manners=QUICK) as address:
        answers = [await get(address, f"/ipfs/{blocks.top}?format={format_}") for _ in range(9)]
        still = await get(address, "/index.html")

    assert {answer.status for answer in answers} == {503}
    assert answers[0].headers["retry-after"] == "30"
    assert answers[0].body == b"This cannot be read now; try again.\n"
    assert [record.getMessage() for record in caplog.records] == [
        f"could not answer, or not to the end: {why}"
    ]
    assert not caplog.records[0].exc_info
    assert still.body == PAGE


async def test_news_that_cannot_be_read_are_unavailable(site: Path):
    def health() -> dict[str, object]:
        raise StateError("db: damaged")

    async with serve(site, host="127.0.0.1", port=0, health=health, manners=QUICK) as address:
        answer = await get(address, "/-/health")

    assert (answer.status, b"db" in answer.body) == (503, False)


async def test_an_archive_that_breaks_off_has_no_end_and_no_traceback(
    site: Path, blocks: OneFile, caplog: pytest.LogCaptureFixture
):
    blocks.fails, blocks.left = StoreError("disk"), 10
    async with serve(site, host="127.0.0.1", port=0, blocks=blocks, manners=QUICK) as address:
        answer = await get(address, blocks.archive)

    assert answer.status == 200
    assert not answer.body.endswith(b"0\r\n\r\n")
    assert [record.getMessage() for record in caplog.records] == [
        "could not answer, or not to the end: disk"
    ]


async def test_an_archive_without_chunks_that_breaks_off_is_cut_and_not_closed(
    site: Path, blocks: OneFile
):
    blocks.fails, blocks.left = StoreError("disk"), 10
    data = f"GET {blocks.archive} HTTP/1.0\r\n\r\n".encode()
    async with (
        serve(site, host="127.0.0.1", port=0, blocks=blocks, manners=QUICK) as address,
        asked(address, data) as (reader, writer),
    ):
        writer.transport.resume_reading()
        with pytest.raises(ConnectionResetError):
            while await reader.read(65536):
                pass


@contextmanager
def no_more_files() -> Iterator[None]:
    """Let nothing be opened in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_page_is_unavailable_and_not_gone_while_no_file_can_be_opened(site: Path):
    manners = replace(QUICK, close=False)
    async with (
        serve(site, host="127.0.0.1", port=0, manners=manners) as address,
        asked(address, b"") as (reader, writer),
    ):
        await asyncio.sleep(0.1)
        await asyncio.to_thread(int)  # the thread is there
        with no_more_files():
            writer.transport.resume_reading()
            writer.write(GET + b"\r\n")
            first = await reader.readuntil(b"\r\n")
        again = await get(address, "/index.html")

    assert first == b"HTTP/1.1 503 Service Unavailable\r\n"
    assert again.body == PAGE


@pytest.fixture
def few_files() -> Iterator[None]:
    """Begin with as many files as a process may have open by default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_files")
async def test_each_connection_may_have_a_file_open(site: Path):
    async with serve(site, host="127.0.0.1", port=0):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert soft == min(hard, 3 * Manners().max_connections + 1_024)


@pytest.mark.usefixtures("few_files")
async def test_a_flood_logs_nothing(site: Path, caplog: pytest.LogCaptureFixture):
    async with serve(site, host="127.0.0.1", port=0, manners=QUICK) as address:
        flood = [socket.socket() for _ in range(1_000)]
        for each in flood:
            each.setblocking(False)
            each.connect_ex(split(address))
        await asyncio.sleep(0.1)
        assert await page(address) == PAGE
        for each in flood:
            each.close()

    assert not caplog.records


async def test_a_site_that_is_a_link_is_where_it_leads_now(site: Path, tmp_path: Path):
    link = tmp_path / "now"
    link.symlink_to(site)
    other = tmp_path / "other"
    other.mkdir()
    (other / "index.html").write_bytes(b"<p>other")
    async with serve(link, host="127.0.0.1", port=0) as address:
        before = await page(address)
        link.unlink()
        link.symlink_to(other)
        after = await page(address)

    assert (before, after) == (PAGE, b"<p>other")
