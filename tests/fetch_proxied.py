"""Fetch over each kind of proxy; prints what came, and which names and addresses were wanted.

In a process of its own, because what Python itself reports of lookups and connections cannot be
switched off again, and certificates are read once.
"""

import asyncio
import json
import ssl
import sys

from aiohttp import web
from fetch_proxies import http_proxy, socks5, ssh_socks
from fetch_servers import site

from mirror.errors import FetchError
from mirror.fetch import Fetcher, Secret

SECRET = Secret("X-Mirror", "hush-hush", frozenset({"news.example", "abcdef.onion"}))
KINDS = {
    "socks5h": ("socks5h://{}", ssh_socks),
    "socks5": ("socks5://{}", ssh_socks),
    "socks4": ("socks4://me@{}", ssh_socks),
    "socks5 with a password": ("socks5h://me:p%40ss@{}", socks5),
    "http": ("http://{}", http_proxy),
    "http with a password": ("http://me:p%40ss@{}", http_proxy),
}
URLS = (
    "https://news.example/",
    "http://news.example/",
    "http://abcdef.onion/",
    "https://news.example/onion",
    "https://news.example/down",
)
LEADS = {"/onion": "http://abcdef.onion/", "/down": "http://news.example/"}


async def handler(request: web.Request) -> web.Response:
    if request.path in LEADS:
        raise web.HTTPFound(LEADS[request.path])
    names = "X-Mirror", "Proxy-Authorization"
    return web.Response(
        text=" ".join([request.host, *(request.headers.get(n, "-") for n in names)])
    )


async def main(name: str, certificate: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    form, opened = KINDS[name]
    signing = ("me", "p@ss") if "password" in name else ()
    async with site(handler, tls=context) as safe, site(handler) as plain:
        known = {
            ("news.example", 443): safe,
            ("news.example", 80): plain,
            ("abcdef.onion", 80): plain,
        }
        async with opened(known, *signing) as seen:
            looked_up, dialled = [], []
            sys.addaudithook(
                lambda event, args: (
                    looked_up.append(str(args[0]))
                    if event in ("socket.getaddrinfo", "socket.gethostbyname")
                    else dialled.append(f"{args[1][0]}:{args[1][1]}")
                    if event == "socket.connect"
                    else None
                )
            )
            async with Fetcher(proxy=form.format(seen.address), secret=SECRET) as fetcher:
                bodies = [await read(fetcher, url) for url in URLS]
            print(
                json.dumps(
                    {
                        "bodies": bodies,
                        "targets": sorted({f"{host}:{port}" for host, port in seen.targets}),
                        "looked up": [each for each in looked_up if each != "127.0.0.1"],
                        "dialled": sorted(set(dialled) - {seen.address, safe, plain}),
                        "over the proxy": seen.address in dialled,
                    }
                )
            )


async def read(fetcher: Fetcher, url: str) -> str:
    try:
        fetched = await fetcher.get(url, max_bytes=99)
    except FetchError as e:
        return str(e)
    return fetched.body.decode()


asyncio.run(main(*sys.argv[1:]))
