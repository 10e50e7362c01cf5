"""A name of the DNS that says where the mirrors are, at a real name server."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.tsig
import knot
import pytest
import tomlkit
from fakes import NOW, Clock, open_signer
from hypothesis import given
from hypothesis import strategies as st
from knot import OTHER, SECRET, ZONE, Knot, ask

from mirror import dns as ours
from mirror.build.mirrors import outlets_of
from mirror.database import Database
from mirror.dns import Key, Record, publish, read_key
from mirror.errors import SettingsError, StoreError
from mirror.init import Wishes, make
from mirror.mirrors import Mirror, Mirrors
from mirror.rotate import rotate
from mirror.settings import Settings

ADDRESSES = ["https://old.example/", "https://new.example/", "http://onion.onion/"]
NEWEST_FIRST = ADDRESSES[::-1]


@pytest.fixture(scope="module")
def server() -> Iterator[Knot]:
    with knot.running() as server:
        yield server


@pytest.fixture
def record(server: Knot) -> Record:
    return Record("127.0.0.1", server.port, ZONE, "_mirrors", 60)


@pytest.fixture
def key(server: Knot) -> Key:
    return read_key(server.key())


@asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """Take what comes, and answer nothing."""
    with socket.socket(type=socket.SOCK_DGRAM) as port:
        port.bind(("127.0.0.1", 0))
        yield port.getsockname()[1]


@asynccontextmanager
async def forgetful() -> AsyncIterator[int]:
    """Speak DNS, take every update with a signature, and answer that there is no such name."""
    shared = dns.tsig.Key("mirror", SECRET, "hmac-sha256")

    def answer(wire: bytes) -> bytes:
        asked = dns.message.from_wire(wire, keyring=shared)
        said = dns.message.make_response(asked)
        if not asked.had_tsig:
            said.set_rcode(dns.rcode.NXDOMAIN)
        return said.to_wire()

    class Udp(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: object) -> None:
            self.transport.sendto(answer(data), addr)

    async def tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        said = answer(wire)
        writer.write(len(said).to_bytes(2) + said)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(tcp, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Udp, ("127.0.0.1", port))
        try:
            yield port
        finally:
            transport.close()


async def test_the_record_says_where_the_mirrors_are_the_newest_first(
    server: Knot, record: Record, key: Key
):
    await publish(["https://gone.example/"], record, key)

    assert await publish(ADDRESSES, record, key) == NEWEST_FIRST

    assert knot.ask(server) == '"{}"'.format(" ".join(NEWEST_FIRST))


async def test_what_it_says_already_is_not_sent_again(server: Knot, record: Record, key: Key):
    await publish(ADDRESSES, record, key)
    stranger = replace(key, secret=OTHER)

    assert await publish(ADDRESSES, record, stranger) == NEWEST_FIRST


async def test_with_no_mirrors_the_old_record_stays(server: Knot, record: Record, key: Key):
    await publish(ADDRESSES, record, key)

    assert await publish([], record, key) == []
    assert "new.example" in knot.ask(server)


async def test_where_not_all_fit_into_one_packet_the_newest_do(
    server: Knot, record: Record, key: Key
):
    many = [f"https://mirror-{n:03}.a-long-name-of-a-host.example/" for n in range(99)]

    told = await publish(many, record, key)

    query = dns.message.make_query(f"_mirrors.{ZONE}", "TXT", use_edns=0, payload=1232)
    answer = dns.query.udp(query, "127.0.0.1", port=server.port, raise_on_truncation=True)
    assert told == many[: -len(told) - 1 : -1]
    assert 1232 - len(many[0]) - 1 <= len(answer.to_wire()) <= 1232


@given(st.lists(st.text(st.characters(codec="ascii"), min_size=1, max_size=300), max_size=40))
def test_whatever_is_announced_goes_into_one_packet(addresses: list[str]):
    name, _ = ours._names(Record("127.0.0.1", 53, ZONE, "_mirrors", 60))

    told = ours._fitting(addresses, name)

    assert ours._size(name, told) <= ours.MAX_ANSWER or not told
    if told:
        texts = ours._text(told).strings
        assert b"".join(texts).decode().split(" ") == told
        assert max(map(len, texts)) <= 255


@pytest.mark.parametrize(
    ("name", "secret", "words"),
    [
        ("mirror", OTHER, "BADSIG: it has another secret"),
        ("nobody", SECRET, "BADKEY: it does not know the key"),
        ("idle", SECRET, "BADKEY|REFUSED"),
    ],
)
async def test_a_key_that_may_not_is_named_and_not_shown(
    server: Knot, record: Record, name: str, secret: str, words: str
):
    key = read_key(server.key(name=name, secret=secret))

    with pytest.raises(StoreError, match=f"dns: 127.0.0.1 port .*(?:{words})") as refused:
        await publish([f"https://{name}.example/"], record, key)

    assert secret not in str(refused.value) + repr(key)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"zone": "other.example"}, "REFUSED: it does not allow"),
        ({"server": "ns.example"}, "an IP address, a zone"),
        ({"name": "a..b"}, "a name in it were expected"),
        ({"name": "elsewhere.example."}, "a name in it were expected"),
    ],
)
async def test_what_the_server_has_nothing_to_do_with_is_named(
    record: Record, key: Key, changes: dict[str, str], words: str
):
    with pytest.raises(StoreError, match=f"dns: .*{words}"):
        await publish(ADDRESSES, replace(record, **changes), key)


async def test_clocks_that_differ_are_named():
    with knot.running(clock="+2h") as late:
        record = Record("127.0.0.1", late.port, ZONE, "_mirrors", 60)

        with pytest.raises(StoreError, match="BADTIME: its clock and this machine's differ"):
            await publish(ADDRESSES, record, read_key(late.key()))


async def test_a_server_that_is_silent_is_not_waited_for(
    record: Record, key: Key, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ours, "ANSWER_S", 0.05)
    async with silent() as port:
        with pytest.raises(StoreError, match="no answer in time"):
            await publish(ADDRESSES, replace(record, port=port), key)


async def test_an_update_that_does_not_show_is_an_error(record: Record, key: Key):
    async with forgetful() as port:
        with pytest.raises(StoreError, match="took the update, and answers something else"):
            await publish(ADDRESSES, replace(record, port=port), key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hmac-md5:mirror:" + SECRET,
        "hmac-sha256:mirror",
        "hmac-sha256::" + SECRET,
        "hmac-sha256:a..b:" + SECRET,
        "hmac-sha256:mirror:not base64",
        "hmac-sha256:mirror:",
        "hmac-sha256:mirror:é" + SECRET,
    ],
)
def test_a_file_that_is_no_key_is_refused_without_repeating_it(tmp_path: Path, text: str):
    file = tmp_path / "dns.key"
    file.write_text(text)

    with pytest.raises(SettingsError, match=str(file)) as refused:
        read_key(file)

    assert SECRET not in str(refused.value)


def test_a_missing_key_is_a_setting_to_fix(tmp_path: Path):
    with pytest.raises(SettingsError, match="not readable: No such file"):
        read_key(tmp_path / "none.key")


# From the settings file of an operator to what people ask the name server for.


@pytest.fixture
def file(server: Knot, tmp_path: Path) -> Path:
    """Return the settings of a new mirror that say what an operator says of the DNS."""
    make(tmp_path / "house", Wishes("N", "test.example/news", ["http://127.0.0.1/"]), now=NOW)
    file = tmp_path / "house" / "mirror.toml"
    (file.parent / "tsig").write_text(server.key().read_text())
    said = {"server": "127.0.0.1", "port": server.port, "zone": ZONE, "name": "_mirrors"}
    shown = tomlkit.parse(file.read_text())
    shown["dns"].update(said | {"key": "tsig", "ttl_s": 60})  # type: ignore[union-attr]
    file.write_text(tomlkit.dumps(shown))
    return file


@pytest.fixture
def db(file: Path) -> Iterator[Database]:
    state = open_signer(file.parent).state
    yield state.db
    state.close()


async def test_a_blocked_mirror_goes_out_of_the_zone_and_the_spare_comes_in(
    server: Knot, file: Path, db: Database
):
    outlets = outlets_of(file, Settings.load(file))
    clock = Clock()
    first, second = Mirror(at("first"), "public", "healthy"), Mirror(at("second"), "public")
    spare = Mirror(at("spare"), "spare", "healthy")
    keep(db, first, replace(second, state="healthy"), spare)
    said = []
    for _ in range(2):  # a turn with nothing new says the same
        await rotate(db, outlets, now=clock, changes_per_day=8)
        said.append(sorted(ask(server).strip('"').split()))
    rows = {each.url: each for each in Mirrors(db).rows()}
    keep(db, replace(rows[first.url], state="blocked", since=clock(), blocked_in=("RU",)))
    done = await rotate(db, outlets, now=clock, changes_per_day=8)

    assert said == [[first.url, second.url]] * 2
    assert [(each.did, each.url) for each in done] == [("announced", spare.url)]
    assert ask(server) == f'"{spare.url} {second.url}"'  # what came last stands first


async def test_a_name_server_that_refuses_is_asked_again_by_the_next_turn(
    server: Knot, file: Path, db: Database, caplog: pytest.LogCaptureFixture
):
    right = (file.parent / "tsig").read_text()
    keep(db, Mirror(at("late"), "public", "healthy"))
    for text in (right.replace(SECRET, OTHER), right):
        (file.parent / "tsig").write_text(text)
        outlets = outlets_of(file, Settings.load(file))
        await rotate(db, outlets, now=Clock(), changes_per_day=8)

    assert "the mirrors are not in the DNS yet: dns: 127.0.0.1" in caplog.text
    assert OTHER not in caplog.text
    assert ask(server) == f'"{at("late")}"'


def at(name: str) -> str:
    return f"https://{name}.example/"


def keep(db: Database, *mirrors: Mirror) -> None:
    with db.transaction():
        for each in mirrors:
            Mirrors(db).put(each)
