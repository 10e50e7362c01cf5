"""Real proxies on loopback, which look no name up but know where each leads."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field

import asyncssh
from fetch_servers import LOOPBACK

Target = tuple[str, int]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Seen:
    """What a proxy was asked for, in order, and every byte that it could read of the requests."""

    address: str = ""
    targets: list[Target] = field(default_factory=list)
    read: bytearray = field(default_factory=bytearray)


async def bridge(
    seen: Seen,
    host: str,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    first: bytes = b"",
) -> None:
    """Carry bytes both ways between a client and the server at `host`."""
    address, _, port = host.rpartition(":")
    there_reader, there = await asyncio.open_connection(address, int(port))

    async def carry(source: asyncio.StreamReader, sink: object, log: bytearray | None) -> None:
        with suppress(ConnectionError, asyncssh.Error):
            while data := await source.read(1 << 16):
                if log is not None:
                    log += data
                sink.write(data)
                await sink.drain()
            sink.write_eof()

    seen.read += first
    there.write(first)
    with closing(there), suppress(OSError):
        await asyncio.gather(carry(reader, there, seen.read), carry(there_reader, writer, None))


@asynccontextmanager
async def listening(seen: Seen, serve: Serve) -> AsyncIterator[Seen]:
    """Serve each client with `serve`; a connection that is left is closed at the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with closing(writer), suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    seen.address = f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    try:
        yield seen
    finally:
        server.close()
        await server.wait_closed()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


@asynccontextmanager
async def ssh_socks(known: Mapping[Target, str]) -> AsyncIterator[Seen]:
    """Open a SOCKS proxy as `ssh -D` does, to a server that dials the hosts it knows, only."""
    seen = Seen()

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return False

        def connection_requested(self, dest_host: str, dest_port: int, *_: object):
            seen.targets.append((dest_host, dest_port))
            host = known.get((dest_host, dest_port))
            if host is None:
                return False
            return lambda reader, writer: bridge(seen, host, reader, writer)

    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen(
        LOOPBACK, 0, server_factory=Server, server_host_keys=[key], config=[]
    )
    client = await asyncssh.connect(
        LOOPBACK,
        server.get_port(),
        known_hosts=None,
        username="mirror",
        client_keys=None,
        agent_path=None,
        config=[],
    )
    try:
        listener = await client.forward_socks(LOOPBACK, 0)
        seen.address = f"{LOOPBACK}:{listener.get_port()}"
        yield seen
    finally:
        client.close()
        await client.wait_closed()
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def socks5(known: Mapping[Target, str], user: str = "", password: str = ""):
    """Open a SOCKS5 proxy (RFC 1928, 1929); it hangs up on whoever breaks the protocol."""
    seen = Seen()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        method = 2 if user else 0
        assert version == 5
        writer.write(bytes([5, method if method in methods else 255]))
        if method not in methods or (user and not await signed_in(reader, writer)):
            return
        assert await reader.readexactly(3) == b"\x05\x01\x00"
        assert await reader.readexactly(1) == b"\x03"  # a name: no address was looked up
        name = (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii")
        target = name, int.from_bytes(await reader.readexactly(2), "big")
        seen.targets.append(target)
        code = 0 if target in known else 4  # host unreachable
        writer.write(bytes([5, code, 0, 1]) + bytes(6))
        if not code:
            await bridge(seen, known[target], reader, writer)

    async def signed_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        assert await reader.readexactly(1) == b"\x01"
        given = [await reader.readexactly((await reader.readexactly(1))[0]) for _ in range(2)]
        right = given == [user.encode(), password.encode()]
        writer.write(bytes([1, not right]))
        return right

    async with listening(seen, serve):
        yield seen


@asynccontextmanager
async def http_proxy(known: Mapping[Target, str], user: str = "", password: str = ""):
    """Open an HTTP proxy: CONNECT and absolute addresses (RFC 9110 and 9112)."""
    seen = Seen()
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    expected = f"\r\nproxy-authorization: basic {basic}\r\n".lower()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        seen.read += head.encode("latin-1")
        method, address, _ = head.split(" ", 2)
        if user and expected not in head.lower():
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        tunnel = method == "CONNECT"
        host, _, path = address.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        target = name, int(port or 80)
        seen.targets.append(target)
        if target not in known:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        if tunnel:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await bridge(seen, known[target], reader, writer)
            return
        lines = [line for line in head.split("\r\n")[1:] if not line.lower().startswith("proxy-")]
        # The server closes, so that no second request passes here unread.
        first = "\r\n".join([f"{method} /{path} HTTP/1.1", "Connection: close", *lines])
        await bridge(seen, known[target], reader, writer, first.encode("latin-1"))

    async with listening(seen, serve):
        yield seen
