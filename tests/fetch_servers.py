"""What the tests of the fetcher talk to: servers on loopback, a resolver and sockets that lie."""

import asyncio
import base64
import errno
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress

from aiohttp import AddrInfoType, web
from aiohttp.abc import AbstractResolver, ResolveResult

LOOPBACK = "127.0.0.1"


class FakeResolver(AbstractResolver):
    """Knows the names it is given and asks nobody about others."""

    def __init__(self, **names: list[str]) -> None:
        self.names = {name.replace("_", "."): found for name, found in names.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self.names:
            raise OSError(socket.EAI_NONAME, "Name or service not known")
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in self.names[host]
        ]

    async def close(self) -> None:
        pass


class NoSockets:
    """Makes no socket at all and remembers for which address one was wanted."""

    def __init__(self) -> None:
        self.wanted: list[str] = []

    def __call__(self, info: AddrInfoType) -> socket.socket:
        self.wanted.append(str(info[4][0]))
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


class LoopbackSockets(NoSockets):
    """Makes sockets for 127.0.0.1 only: a test that fails sends no packet out of the machine."""

    def __call__(self, info: AddrInfoType) -> socket.socket:
        if info[4][0] != LOOPBACK:
            return super().__call__(info)
        self.wanted.append(LOOPBACK)
        return socket.socket(info[0], info[1], info[2])


@asynccontextmanager
async def site(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[str]:
    """Serve every path with `handler`; yields `host:port`."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0, ssl_context=tls).start()
        yield f"{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw(
    *parts: bytes, pause_s: float = 0, hold: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve these bytes to whoever has sent a request, one part after the other."""
    stop = asyncio.Event()
    answers: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers.add(asyncio.current_task())
        with closing(writer), suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            for part in parts:
                writer.write(part)
                await writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause_s)
            if hold:
                await stop.wait()

    server = await asyncio.start_server(answer, LOOPBACK, 0, ssl=tls)
    try:
        yield f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    finally:
        stop.set()
        server.close()
        await server.wait_closed()
        if answers:
            await asyncio.wait(answers)


# 3 GiB of nothing as 2,425 bytes of brotli with the largest window, themselves in gzip.
BROTLI_BOMB = gzip.decompress(
    base64.b64decode(
        "H4sIAAAAAAACAzv//389gwrDo40ORe////z/n7+BxUFGrOHdX/v///8zTmDoOMx0Ye//5///2zMIMRRG"
        "MOz6/v/P///sDkwKfNwO3//NB6pi8GA4ksj44t7/z///yzNwNljoMNz9Xf/v/39mBUaBdtYF1f/PQy3Z"
        "wFAyasmoJaOWjFoyasmoJaOWjFoyUi2xBwDnFiFkeQkAAA=="
    )
)
