"""From where mirrors are looked at: this machine, a proxy, or a machine elsewhere over SSH.

A place that cannot be used is told apart from a mirror that is dead: it raises `VantageError`,
and says nothing about any mirror.
"""

import asyncio
import ipaddress
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from mirror.errors import FetchError
from mirror.fetch import Proxy
from mirror.fetch.words import clean
from mirror.guard import is_loopback, is_onion

LOOPBACK = "127.0.0.1"
CONNECT_S = 10.0  # to the machine and into it: slower ones would say "slow" of every mirror
DIAL_S = 8.0  # for a mirror, from there
SSH_PORT = 22
PIECE = 1 << 14

OK, FAILED, UNREACHABLE, REFUSED = 0, 1, 4, 5  # RFC 1928 section 6
NAME, IPV4, IPV6 = 3, 1, 4


class VantageError(FetchError):
    """A place from which mirrors are looked at cannot be used; nothing was learnt of them."""


@dataclass(frozen=True, slots=True)
class Vantage:
    """A place from which mirrors are looked at; with neither `proxy` nor `ssh`, this machine."""

    name: str
    country: str = ""
    """Whose filters it is behind (ISO 3166); "" for none's."""
    proxy: str = ""
    """As `Proxy.parse` reads it."""
    ssh: str = ""
    """USER@HOST or USER@HOST:PORT."""
    secret: Path | None = None
    """With `ssh`: the folder with `id` and `known_hosts`."""
    control: bool = False
    """Nothing is blocked there."""

    @property
    def way(self) -> str:
        """What two places share that are one: the machine that looks.

        Proxies on this machine lead to different ones, and have ports of their own.
        """
        if self.ssh:
            return _split(self.ssh)[1]
        if not self.proxy:
            return ""
        proxy = Proxy.parse(self.proxy)
        return str(proxy) if is_loopback(proxy.host) else proxy.host

    @property
    def shown(self) -> str:
        """What it is called before people, such as `relay (RU)`."""
        return f"{self.name} ({self.country})" if self.country else self.name

    def reaches(self, host: str) -> bool:
        """Say whether it can reach `host`: services of Tor are behind a SOCKS proxy only."""
        return not is_onion(host) or self.proxy.startswith("socks")


HERE = Vantage("here")
"""Where no other was named."""


@asynccontextmanager
async def opened(vantage: Vantage) -> AsyncIterator[str]:
    """Yield the address of the proxy that looks from there, "" for none; close what was opened.

    Raises:
        VantageError: its machine cannot be reached, is another one, or does not let us in.
    """
    if not vantage.ssh:
        yield vantage.proxy
        return
    connection = await _connected(vantage)
    try:
        async with _socks(connection) as port:
            yield f"socks5h://{LOOPBACK}:{port}"
    finally:
        connection.close()
        await connection.wait_closed()


async def _connected(vantage: Vantage) -> asyncssh.SSHClientConnection:
    user, host, port = _split(vantage.ssh)
    secret = vantage.secret or Path()
    try:
        async with asyncio.timeout(CONNECT_S):
            return await asyncssh.connect(
                host,
                port,
                username=user,
                client_keys=[str(secret / "id")],
                known_hosts=str(secret / "known_hosts"),  # the host's key is pinned
                agent_path=None,
                config=[],  # the system's own settings of ssh are another program's
            )
    except TimeoutError as e:
        raise VantageError(f"{vantage.name}: {host}: not reached in {CONNECT_S:g} s") from e
    except (OSError, ValueError, asyncssh.Error) as e:
        raise VantageError(f"{vantage.name}: {host}: {clean(str(e)).lower()}") from e


def _split(ssh: str) -> tuple[str, str, int]:
    user, _, rest = ssh.partition("@")
    host, colon, port = rest.rpartition(":")
    if not colon or rest.endswith("]"):
        host, port = rest, str(SSH_PORT)
    return user, host.strip("[]"), int(port)


@asynccontextmanager
async def _socks(connection: asyncssh.SSHClientConnection) -> AsyncIterator[int]:
    """Listen as a SOCKS5 proxy (RFC 1928) whose connections begin at the other machine.

    The library's own says "connected" before it is: a mirror that refuses could not be told
    from one whose TLS handshake is reset.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        with closing(writer), suppress(OSError, EOFError, asyncssh.Error, asyncio.CancelledError):
            await _carry(connection, reader, writer)

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        left = set(tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)


async def _carry(
    connection: asyncssh.SSHClientConnection,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    host, port = await _asked(reader, writer)
    try:
        async with asyncio.timeout(DIAL_S):
            # The library has no type for what this returns in bytes.
            far: tuple[Any, Any] = await connection.open_connection(host, port, encoding=None)
    except asyncssh.ChannelOpenError as e:
        writer.write(_reply(REFUSED if "refused" in e.reason.lower() else UNREACHABLE))
        return
    except TimeoutError:
        writer.write(_reply(UNREACHABLE))
        return
    there_reader, there = far
    writer.write(_reply(OK))
    async with asyncio.TaskGroup() as group:
        out = group.create_task(_pump(reader, there))
        group.create_task(_pump(there_reader, writer)).add_done_callback(lambda _: out.cancel())
    there.close()


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int]:
    _, methods = await reader.readexactly(2)
    await reader.readexactly(methods)
    writer.write(b"\x05\x00")
    _, _, _, kind = await reader.readexactly(4)
    if kind == NAME:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii")
    else:
        size = {IPV4: 4, IPV6: 16}[kind]
        host = str(ipaddress.ip_address(await reader.readexactly(size)))
    return host, *struct.unpack(">H", await reader.readexactly(2))


def _reply(code: int) -> bytes:
    return bytes([5, code, 0, IPV4]) + bytes(6)


async def _pump(source: Any, sink: Any) -> None:  # noqa: ANN401 - asyncio's and asyncssh's
    """Carry until the end of `source`; a reset is an end as well, as SSH has no other word."""
    with suppress(OSError, asyncssh.Error):
        while data := await source.read(PIECE):
            sink.write(data)
            await sink.drain()
        sink.write_eof()
