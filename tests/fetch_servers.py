"""What the tests of the fetcher talk to: servers on loopback, a resolver and sockets that lie."""

import asyncio
import base64
import datetime
import errno
import gzip
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

from aiohttp import AddrInfoType, web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

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


def answer(body: bytes = b"", status: int = 200, **headers: str):
    fields = {name.replace("_", "-"): value for name, value in headers.items()}

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status, headers=fields)

    return site(handler)


def plain(body: bytes, fields: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body


def hops(*locations: str, status: int = 302):
    """Serve `/0`, `/1`, …, each of which leads to the next location; then "here"."""

    async def handler(request: web.Request) -> web.Response:
        step = int(request.path.strip("/") or 0)
        if step < len(locations):
            return web.Response(status=status, headers={"Location": locations[step]})
        return web.Response(text="here")

    return site(handler)


def self_signed(path: Path, *names: str) -> Path:
    """Write a key and a certificate that vouches for itself to `path`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(names[0])]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def encrypted(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def run(program: str, *arguments: str, **environment: str) -> str:
    """Run a program beside this file, in a process whose memory and certificates are its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(Path(__file__).with_name(program)), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# 3 GiB of nothing as 2,425 bytes of brotli with the largest window, themselves in gzip.
BROTLI_BOMB = gzip.decompress(
    base64.b64decode(
        "H4sIAAAAAAACAzv//389gwrDo40ORe////z/n7+BxUFGrOHdX/v///8zTmDoOMx0Ye//5///2zMIMRRG"
        "MOz6/v/P///sDkwKfNwO3//NB6pi8GA4ksj44t7/z///yzNwNljoMNz9Xf/v/39mBUaBdtYF1f/PQy3Z"
        "wFAyasmoJaOWjFoyasmoJaOWjFoyUi2xBwDnFiFkeQkAAA=="
    )
)
