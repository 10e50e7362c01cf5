"""Fetch a body that swells to gigabytes; prints by how many bytes that made this process grow."""

import asyncio
import gzip
import resource
import subprocess
import sys
import zlib

from aiohttp import web
from fetch_servers import BROTLI_BOMB, LoopbackSockets, site

from mirror.errors import FetchError
from mirror.fetch import Fetcher

LIMIT = 1 << 20  # bytes
GIB = 1 << 30
PART_BYTES = 1 << 24


def zeros(wbits: int) -> bytes:
    """Return a GiB of nothing, about a MB of deflate: after a full flush each part is the same."""
    pack = zlib.compressobj(9, wbits=wbits)
    first, other = (
        pack.compress(bytes(PART_BYTES)) + pack.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    )
    return first + other * (GIB // PART_BYTES - 1)


BOMBS = {
    "br": lambda: ("br", BROTLI_BOMB),
    "gzip": lambda: ("gzip", zeros(31)),
    "deflate": lambda: ("deflate", zeros(15)),
    "members": lambda: ("gzip", gzip.compress(bytes(PART_BYTES)) * (GIB // PART_BYTES)),
    "plain": lambda: ("identity", b""),
}


async def serve(name: str) -> None:
    coding, body = BOMBS[name]()

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/small":
            small = {"br": b"\x3b", "gzip": gzip.compress(b""), "deflate": zlib.compress(b"")}
            return web.Response(body=small.get(coding, b""), headers={"Content-Encoding": coding})
        response = web.StreamResponse(headers={"Content-Encoding": coding})
        await response.prepare(request)
        await response.write(body)
        while name == "plain":
            await response.write(bytes(1 << 16))
        return response

    async with site(handler) as host:
        print(host, flush=True)
        await asyncio.sleep(60)


async def fetch(host: str) -> None:
    async with Fetcher(allow_hosts=[host], socket_factory=LoopbackSockets()) as fetcher:
        await fetcher.get(f"http://{host}/small", max_bytes=LIMIT)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            await fetcher.get(f"http://{host}/bomb", max_bytes=LIMIT)
        except FetchError as e:
            print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
            print(e)


def main() -> None:
    if sys.argv[1] == "serve":
        asyncio.run(serve(sys.argv[2]))
        return
    with subprocess.Popen(
        [sys.executable, __file__, "serve", sys.argv[1]], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            asyncio.run(fetch(server.stdout.readline().strip()))
        finally:
            server.kill()


main()
