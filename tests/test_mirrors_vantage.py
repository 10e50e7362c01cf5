"""Places from which mirrors are looked at: a real machine elsewhere, over SSH, among them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import asyncssh
import pytest
from fetch_servers import LOOPBACK, answer, encrypted, self_signed
from test_mirrors_probe import (
    FETCH_S,
    Room,
    copy,
    hang,
    published,
    reset,
    room,
    silent,
    trusting,
    wire,
)

from mirror.fetch import Fetcher
from mirror.mirrors import vantage
from mirror.mirrors.probe import probe
from mirror.mirrors.vantage import Vantage, VantageError, opened

__all__ = ["published", "room", "silent"]


@dataclass
class Machine:
    """A machine elsewhere: whom it lets in, what it was asked for, and who is still in."""

    secret: Path
    port: int = 0
    asked: list[tuple[str, int]] = field(default_factory=list)
    inside: int = 0
    leads: dict[str, str] = field(default_factory=dict)

    @property
    def vantage(self) -> Vantage:
        return Vantage("relay", "RU", ssh=f"me@{LOOPBACK}:{self.port}", secret=self.secret)


class Server(asyncssh.SSHServer):
    """Dials loopback, and the names that lead there; others it does not know."""

    def __init__(self, found: Machine) -> None:
        self.found = found

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.conn = conn
        self.found.inside += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.found.inside -= 1

    def connection_requested(self, dest_host: str, dest_port: int, *_: object):
        self.found.asked.append((dest_host, dest_port))
        if self.found.leads.get(dest_host, dest_host) != LOOPBACK:
            reason = "Name or service not known"
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, reason)
        return self.conn.forward_connection(LOOPBACK, dest_port)


@asynccontextmanager
async def machine(folder: Path) -> AsyncIterator[Machine]:
    """Run an SSH server that lets one key in; the client's files are in `folder`."""
    host_key, key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    await asyncio.to_thread(folder.mkdir)
    key.write_private_key(folder / "id")
    found = Machine(folder)
    authorized = asyncssh.import_authorized_keys(key.export_public_key().decode())
    server = await asyncssh.listen(
        LOOPBACK,
        0,
        server_factory=lambda: Server(found),
        server_host_keys=[host_key],
        authorized_client_keys=authorized,
        config=[],
    )
    found.port = server.get_port()
    public = host_key.export_public_key().decode()
    (folder / "known_hosts").write_text(f"[{LOOPBACK}]:{found.port} {public}")
    try:
        yield found
    finally:
        server.close()
        await server.wait_closed()


async def test_a_machine_elsewhere_asks_for_us_and_nothing_is_left_open(tmp_path: Path):
    async with machine(tmp_path / "relay") as relay, answer(b"here") as host:
        async with (
            opened(relay.vantage) as proxy,
            Fetcher(proxy=proxy, allow_hosts=[host]) as fetcher,
        ):
            got = await fetcher.get(f"http://{host}/", max_bytes=9)
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection(LOOPBACK, int(proxy.rpartition(":")[2]))
        for _ in range(100):
            if not relay.inside:
                break
            await asyncio.sleep(0.01)

    assert got is not None
    assert got.body == b"here"
    assert relay.asked == [(LOOPBACK, int(host.partition(":")[2]))]
    assert relay.inside == 0


async def test_a_mirror_is_looked_at_from_a_machine_elsewhere(room: Room, tmp_path: Path):
    certificate = self_signed(tmp_path / "news.pem", "news.test")
    async with (
        machine(tmp_path / "relay") as relay,
        copy(room.store.kept, encrypted(certificate)) as host,
        opened(relay.vantage) as proxy,
    ):
        relay.leads["news.test"] = LOOPBACK
        named = f"news.test:{host.partition(':')[2]}"
        fetcher = trusting(certificate, named, proxy=proxy)
        url, now = f"https://{named}/", room.clock()
        seen = await probe(url, relay.vantage, room.own, fetcher=fetcher, now=now)

    assert (seen.outcome, seen.vantage) == ("ok", "relay")
    assert {host for host, _ in relay.asked} == {"news.test"}  # the name was looked up there


async def test_from_a_machine_elsewhere_failures_are_told_apart(
    room: Room, tmp_path: Path, silent: str
):
    seen = {}
    async with (
        machine(tmp_path / "relay") as relay,
        wire(reset) as cut,
        wire(hang) as mute,
        opened(relay.vantage) as proxy,
    ):
        with closing(socket.socket()) as taken:
            taken.bind((LOOPBACK, 0))
            closed = f"{LOOPBACK}:{taken.getsockname()[1]}"
            for scheme, host in (
                ("https", closed),
                ("https", "gone.test:1"),
                ("https", cut),
                ("https", mute),
                ("https", silent),
                ("http", cut),
                ("http", mute),
            ):
                fetcher = partial(Fetcher, proxy=proxy, allow_hosts=[host], timeout_s=FETCH_S)
                found = await room.look(host, scheme, fetcher=fetcher, fetch_s=FETCH_S)
                seen[scheme, host] = found.outcome

    assert seen == {
        ("https", closed): "tcp_ip",
        ("https", "gone.test:1"): "tcp_ip",
        ("https", cut): "tls-sni-reset",
        ("https", mute): "tls-sni-reset",
        ("https", silent): "tcp_ip",
        ("http", cut): "http-failure",
        ("http", mute): "http-failure",
    }


async def test_a_machine_with_another_key_is_not_trusted(tmp_path: Path):
    async with machine(tmp_path / "relay") as relay:
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        (relay.secret / "known_hosts").write_text(f"[{LOOPBACK}]:{relay.port} {other}")
        with pytest.raises(VantageError, match=r"relay: .*host key"):
            async with opened(relay.vantage):
                pass


async def test_a_machine_that_does_not_let_us_in_is_named_without_any_secret(tmp_path: Path):
    async with machine(tmp_path / "relay") as relay:
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(relay.secret / "id")
        with pytest.raises(VantageError, match=r"relay: .*permission denied"):
            async with opened(relay.vantage):
                pass


async def test_a_machine_that_is_not_there_is_named(tmp_path: Path):
    with closing(socket.socket()) as taken:
        taken.bind((LOOPBACK, 0))
        gone = Machine(tmp_path, taken.getsockname()[1])
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "id")
        (tmp_path / "known_hosts").write_text("")
        with pytest.raises(VantageError, match=rf"relay: {LOOPBACK}: "):
            async with opened(gone.vantage):
                pass


async def test_a_machine_that_never_answers_is_given_up(
    tmp_path: Path, silent: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(vantage, "CONNECT_S", 0.2)
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "id")
    (tmp_path / "known_hosts").write_text("")
    mute = Machine(tmp_path, int(silent.rpartition(":")[2]))

    with pytest.raises(VantageError, match=r"relay: .*: not reached in 0\.2 s"):
        async with opened(mute.vantage):
            pass


async def test_a_mirror_that_never_answers_the_machine_is_given_up_there(
    room: Room, tmp_path: Path, silent: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(vantage, "DIAL_S", 0.2)
    async with machine(tmp_path / "relay") as relay, opened(relay.vantage) as proxy:
        fetcher = partial(Fetcher, proxy=proxy, allow_hosts=[silent], timeout_s=2)
        seen = await room.look(silent, "https", fetcher=fetcher, fetch_s=2)

    assert (seen.outcome, seen.detail) == (
        "tcp_ip",
        "no connection: host unreachable, or no such name",
    )


@pytest.mark.parametrize("missing", ["id", "known_hosts"])
async def test_a_missing_secret_is_named(tmp_path: Path, missing: str):
    async with machine(tmp_path / "relay") as relay:
        (relay.secret / missing).unlink()
        with pytest.raises(VantageError, match=missing):
            async with opened(relay.vantage):
                pass


async def test_a_proxy_and_this_machine_need_nothing_opened():
    async with opened(Vantage("here")) as here, opened(Vantage("p", proxy="http://p:1")) as there:
        assert (here, there) == ("", "http://p:1")


RELAY = Vantage("relay", "RU", proxy="socks5h://203.0.113.5:1080")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (RELAY, replace(RELAY, name="x", proxy="http://203.0.113.5:3128"), True),
        (RELAY, Vantage("x", "RU", ssh="me@203.0.113.5:22"), True),
        (RELAY, Vantage("x", "RU", ssh="me@203.0.113.6"), False),
        (Vantage("a", ssh="a@[2001:db8::1]"), Vantage("b", ssh="b@[2001:db8::1]:23"), True),
        (Vantage("a", ssh="a@host"), Vantage("b", ssh="b@host:23"), True),
        (Vantage("a"), Vantage("b"), True),
        # Two tunnels that end here come from two places.
        (
            Vantage("a", proxy="socks5h://127.0.0.1:1080"),
            Vantage("b", proxy="socks5h://127.0.0.1:1081"),
            False,
        ),
    ],
)
def test_two_places_are_one_if_one_machine_looks(one: Vantage, other: Vantage, same: bool):
    assert (one.way == other.way) is same


@pytest.mark.parametrize(
    ("place", "reaches"),
    [
        (Vantage("here"), False),
        (Vantage("p", proxy="http://127.0.0.1:1"), False),
        (Vantage("s", ssh="a@b"), False),
        (Vantage("tor", proxy="socks5h://127.0.0.1:9050"), True),
    ],
)
def test_services_of_tor_are_looked_at_over_socks_only(place: Vantage, reaches: bool):
    assert place.reaches("abc.onion") is reaches
    assert place.reaches("news.example")
