"""An onion service on a Tor network of its own: articles come through it, and are verified."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from free_ports import free_ports
from front_verbs import run
from sites import Newsroom, path_of
from tor_network import Network, network, wait_until

from mirror.check import check
from mirror.check.report import Report
from mirror.cli import onion
from mirror.errors import FetchError
from mirror.fetch import Fetcher
from mirror.onion.key import read_or_make
from mirror.serve import serve

URL = "https://news.example/1"
MOST = 32  # streams that a circuit may have open, as the torrc has it
READY_S = 120.0  # for what takes twenty seconds on a machine that has nothing else to do


@dataclass(frozen=True, slots=True)
class Tor:
    """A network with a client, whose control port is open."""

    network: Network
    client: Path
    socks: int
    control: int


@pytest.fixture(scope="module")
def tor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tor]:
    socks, control = free_ports(2)
    ports = f"SocksPort {socks}\nControlPort {control}\nCookieAuthentication 1\n"
    with network(tmp_path_factory.mktemp("tor")) as tors:
        wait_until(tors.agrees, READY_S)
        client = tors.start("client", ports)
        wait_until(lambda: tors.has_said(client, "Bootstrapped 100%"), READY_S)
        yield Tor(tors, client, socks, control)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[str]:
    """Yield where the built-in server is, with a site whose root is in `tmp_path`."""
    room = Newsroom()
    room.publish({URL: "words"}, time=int(time.time()) - 60)
    async with serve(room.write(tmp_path), host="127.0.0.1", port=0) as address:
        yield address.removeprefix("http://")


async def verified(tor: Tor, folder: Path, *, root: Path) -> Report:
    """Return what a reader sees of the article over Tor, once the service is found there."""
    address = f"http://{read_or_make(folder / 'service').address}/{path_of(URL)}"
    end = time.monotonic() + READY_S
    async with Fetcher(proxy=f"socks5h://127.0.0.1:{tor.socks}") as fetcher:
        while True:
            try:
                await fetcher.get(address, max_bytes=12_000)
            except FetchError:
                assert time.monotonic() < end, (tor.network.folder / "said").read_text()[-3000:]
                await asyncio.sleep(0.5)
                continue
            return await check(
                address, root=root, remember=None, now=lambda: int(time.time()), fetcher=fetcher
            )


async def test_an_article_comes_through_the_onion_of_a_torrc(tor: Tor, tmp_path: Path, server: str):
    folder, file, said = tmp_path / "onion", tmp_path / "torrc", tmp_path / "said"
    code = run(onion, "onion", "--tor-dir", folder, "--to", server, "--out", file)
    tor.network.join(file, said=said)

    report = await verified(tor, folder, root=tmp_path / "root.json")
    await ask_much(tor, folder)

    assert code == 0
    assert report.ok
    assert report.totals == {"valid": 1}
    assert "Bootstrapped 100%" in said.read_text()  # it told what a person should know,
    assert traces(said.read_text(), read_or_make(folder / "service").address, server) == []


ASKED = "what-a-reader-asks-for"


async def ask_much(tor: Tor, folder: Path) -> None:
    """Ask for what is there and what is not, and for more at once than a circuit may have open."""
    address = f"http://{read_or_make(folder / 'service').address}"
    async with Fetcher(proxy=f"socks5h://127.0.0.1:{tor.socks}") as fetcher:

        async def ask(path: str) -> bool:
            with suppress(FetchError):
                await fetcher.get(f"{address}/{path}", max_bytes=12_000)
                return True
            return False

        there = await ask(path_of(URL))
        many = asyncio.gather(*(ask(f"{ASKED}-{number}") for number in range(MOST + 8)))

        assert there
        assert not any(await many)


def traces(said: str, address: str, server: str) -> list[str]:
    """Return the lines that tell of a reader: what was asked, when a stream came, who is where."""
    telling = (ASKED, path_of(URL), address.partition(".")[0], server, "127.0.0.1", "stream", "GET")
    return [line for line in said.splitlines() if any(each in line for each in telling)]


async def test_an_article_comes_through_an_onion_that_a_running_tor_was_told_of(
    tor: Tor, tmp_path: Path, server: str
):
    folder, cookie = tmp_path / "onion", tor.client / "control_auth_cookie"
    place = ("--control", f"127.0.0.1:{tor.control}", "--cookie", cookie)
    code = run(onion, "onion", "--tor-dir", folder, "--to", server, *place)
    again = run(onion, "onion", "--tor-dir", folder, "--to", server, *place)

    report = await verified(tor, folder, root=tmp_path / "root.json")

    assert (code, again) == (0, 0)
    assert report.ok
    assert report.totals == {"valid": 1}
