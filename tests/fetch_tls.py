"""Fetch over TLS, trusting the certificate named in SSL_CERT_FILE; prints what came of it."""

import asyncio
import ssl
import sys

from aiohttp import web
from fetch_servers import FakeResolver, LoopbackSockets, site

from mirror.errors import FetchError
from mirror.fetch import Fetcher


async def handler(request: web.Request) -> web.Response:
    if request.path == "/down":
        raise web.HTTPFound(f"http://{request.host}/")
    return web.Response(text="safe")


async def main() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1])
    resolver = FakeResolver(news_test=["127.0.0.1"], other_test=["127.0.0.1"])
    async with site(handler, tls=context) as host:
        port = host.partition(":")[2]
        async with Fetcher(
            allow_hosts=[f"news.test:{port}", f"other.test:{port}"],
            resolver=resolver,
            socket_factory=LoopbackSockets(),
        ) as fetcher:
            for address in (f"news.test:{port}/", f"news.test:{port}/down", f"other.test:{port}/"):
                try:
                    fetched = await fetcher.get(f"https://{address}", max_bytes=99)
                except FetchError as e:
                    print(e)
                else:
                    print(fetched and fetched.body)


asyncio.run(main())
