"""One request on one fresh connection, and all that a reader's browser is told in answer.

The fetcher gives programs what they ask for; here the answer itself is what is looked at.
"""

import asyncio
from collections.abc import Collection
from typing import Protocol

import aiohttp
from yarl import URL

from mirror import guard
from mirror.errors import FetchError
from mirror.fetch import Proxy
from mirror.fetch.proxy import SOCKS_ERRORS
from mirror.fetch.words import in_words, shown
from mirror.trial.answer import MAX_BYTES, Answer
from mirror.trial.tls import Offer, look_at_tls

MAX_HEADER_BYTES = 8190
# As browsers ask: some places answer otherwise, or not at all, to what is no browser.
ASKED = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br",
    "Origin": "null",  # as the reader's file from a disk: no mirror may know a trial by it
}


class Asker(Protocol):
    """What asks an address."""

    async def ask(self, url: str) -> Answer:
        """Return what is answered, whatever the status; no redirect is followed.

        Raises:
            FetchError: nothing was answered, or it may not be asked.
        """

    async def offer(self, url: str) -> Offer | None:
        """Return what the server offers of TLS; None if there is none, or it is not seen.

        Raises:
            FetchError: no agreement, or it may not be asked.
        """


class Wire:
    """Asks servers under the rules of the fetcher: no private address but `allow_hosts`."""

    def __init__(
        self, *, allow_hosts: Collection[str] = (), proxy: str = "", timeout_s: float = 30.0
    ) -> None:
        self._exempt = frozenset(guard.host_and_port(text) for text in allow_hosts)
        self._proxy = Proxy.parse(proxy) if proxy else None
        self._timeout_s = timeout_s

    async def ask(self, url: str) -> Answer:
        """Return what `url` answers on a connection of its own."""
        try:
            parsed = URL(url)
            reason = guard.refusal(parsed, self._exempt, proxied=self._proxy is not None)
            if reason is not None:
                raise FetchError(f"{shown(url)}: refused: {reason}")
            async with asyncio.timeout(self._timeout_s), self._session(parsed) as session:
                return await self._asked(session, parsed)
        except TimeoutError as e:
            raise FetchError(f"{shown(url)}: too slow: not done in {self._timeout_s:g} s") from e
        except (aiohttp.ClientError, OSError, *SOCKS_ERRORS) as e:
            problem = self._proxy.problem(e) if self._proxy else None
            raise FetchError(f"{shown(url)}: {problem or in_words(e)}") from e

    async def offer(self, url: str) -> Offer | None:
        """Return what the server of an https address offers; None for others, and over a proxy."""
        if self._proxy:
            return None
        exempt = guard.is_exempt(URL(url), self._exempt)
        return await look_at_tls(url, exempt=exempt, timeout_s=self._timeout_s)

    def _session(self, url: URL) -> aiohttp.ClientSession:
        factory: aiohttp.SocketFactoryType = guard.open_socket
        if self._proxy:
            connector = self._proxy.connector(factory, None)
        else:
            exempt = guard.is_exempt(url, self._exempt)
            factory = factory if exempt else guard.guarded(factory)
            connector = aiohttp.TCPConnector(socket_factory=factory)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            headers=ASKED,
        )

    async def _asked(self, session: aiohttp.ClientSession, url: URL) -> Answer:
        proxy = self._proxy.address if self._proxy else None
        signed_in = self._proxy.authorization() if self._proxy else {}
        tunnelled = url.scheme == "https"
        async with session.get(
            url,
            allow_redirects=False,
            headers={} if tunnelled else signed_in,
            proxy=proxy,
            proxy_headers=signed_in if tunnelled else None,
        ) as response:
            raw = bytearray()
            async for piece in response.content.iter_any():
                raw += piece
                if len(raw) > MAX_BYTES:
                    raise FetchError(f"{shown(str(url))}: too large: more than {MAX_BYTES} bytes")
            head = sum(len(name) + len(value) + 4 for name, value in response.raw_headers)
            fields = tuple((name, _printable(value)) for name, value in response.headers.items())
            version = (
                f"{response.version.major}.{response.version.minor}" if response.version else ""
            )
            first = len(f"HTTP/{version} {response.status} {response.reason}\r\n\r\n")
            return Answer(response.status, version, fields, bytes(raw), first + head + len(raw))


def _printable(value: str) -> str:
    """Return the value of a header without what no text may hold: it is kept, and shown to people.

    Of a byte that is no UTF-8 the parser makes half a character, which no database takes.
    """
    return "".join(c if c.isprintable() else "\ufffd" for c in value.replace("\t", " "))
