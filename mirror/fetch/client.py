"""The fetcher: one address, its redirects, and all rules at every hop."""

import asyncio
import errno
import time
from collections.abc import Callable, Collection, Coroutine
from contextlib import AbstractAsyncContextManager
from functools import partial
from http import HTTPStatus
from typing import Literal, Self, TypeVar, overload

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from mirror import guard
from mirror.errors import Failure, FetchError, FormatError
from mirror.fetch.answers import (
    Fetched,
    Question,
    Unchanged,
    Validators,
    failure,
    fetched,
    is_challenge,
    question,
    unchanged,
)
from mirror.fetch.hops import MAX_HOPS, REDIRECTS, Hop, parse
from mirror.fetch.proxy import SOCKS_ERRORS, Proxy
from mirror.fetch.robots import MAX_ROBOTS_BYTES, Robots
from mirror.fetch.secret import Secret
from mirror.fetch.turns import Turns
from mirror.fetch.words import FailedError, clean, in_words, shown

USER_AGENT = "Tamizdat/0.1 (+mirror of a newsroom's feed)"

MAX_HEADER_BYTES = 8190  # a line or a field: what servers themselves accept
MAX_HEADERS = 64  # an honest answer has about twenty

CANCELS, CANCEL_S = 5, 1.0  # an exchange over a proxy may not end when it is told once

T = TypeVar("T")


class Fetcher:
    """A client for one cycle or daemon: `async with Fetcher() as fetcher`.

    `allow_hosts` are the `host:port`s, as an address writes them, for which the rules of port and
    address do not hold. Everything goes over `proxy` (`Proxy.parse` says in which form) where
    there is one, allowed hosts too. `per_host` requests, or any number for 0, are under way
    to a host at the same time, how many at all is for the caller to say; `timeout_s` is for what
    servers do, not for the wait in line. With `robots`, robots.txt is obeyed, as the
    product that `user_agent` begins with. With `mirrors`, each request has a connection of its
    own, for some filters cut the second one on it; and a redirect is a failure, for who reads what
    is nobody else's business.

    Raises:
        ValueError: an allowed host or the proxy is not in its form.
    """

    def __init__(  # noqa: PLR0913 - each is one rule of the settings, and has a default
        self,
        *,
        allow_hosts: Collection[str] = (),
        timeout_s: float = 30.0,
        user_agent: str = USER_AGENT,
        resolver: AbstractResolver | None = None,
        socket_factory: aiohttp.SocketFactoryType | None = None,
        proxy: str = "",
        secret: Secret | None = None,
        robots: bool = False,
        per_host: int = 0,
        mirrors: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._exempt = frozenset(guard.host_and_port(text) for text in allow_hosts)
        self._timeout_s = timeout_s
        self._user_agent = user_agent
        self._resolver = resolver
        self._socket_factory = socket_factory or guard.open_socket
        self._proxy = Proxy.parse(proxy) if proxy else None
        self._secret = secret
        token = user_agent.partition("/")[0].strip()
        self._robots = Robots(token, self._read_robots, now) if robots else None
        self._turns = Turns(per_host)
        self._mirrors = mirrors
        self._now = now
        self._guarded: aiohttp.ClientSession
        self._unguarded: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        factory = self._socket_factory
        if self._proxy:
            # The only address dialled is the proxy's, which the operator has named.
            self._guarded = self._session(self._proxy.connector(factory, self._resolver))
            self._unguarded = self._guarded
            return self
        # Two pools: a connection opened under an exemption can serve no other request.
        self._guarded, self._unguarded = (
            self._session(
                aiohttp.TCPConnector(socket_factory=each, resolver=self._resolver, limit=0)
            )
            for each in (guard.guarded(factory), factory)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._guarded.close()
        await self._unguarded.close()

    def _session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # a proxy from the environment would dial for us, unguarded
            auto_decompress=False,  # done here, where a body that was cut is noticed
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # `get` has the clock
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
            headers={
                "User-Agent": self._user_agent,
                "Accept-Encoding": "gzip, deflate, br",
                **({"Connection": "close"} if self._mirrors else {}),
            },
        )

    @overload
    async def get(
        self,
        url: str,
        *,
        max_bytes: int,
        validators: Validators | None = None,
        accept: str = "*/*",
        cut: bool = False,
    ) -> Fetched | None: ...

    @overload
    async def get(
        self, url: str, *, max_bytes: int, validators: Validators, accept: str, told: Literal[True]
    ) -> Fetched | Unchanged: ...

    async def get(
        self,
        url: str,
        *,
        max_bytes: int,
        validators: Validators | None = None,
        accept: str = "*/*",
        cut: bool = False,
        told: bool = False,
    ) -> Fetched | Unchanged | None:
        """Return what `url` holds, or None if it has not changed since `validators`.

        With `told`, not None but what the server says of what has not changed.

        The time limit bounds the whole exchange, so a server that sends one byte
        a minute is an error and not a hung cycle. `max_bytes` is counted after
        decompression: that is what a small, hostile answer can make large. More than
        that is an error, or, with `cut`, left where it is.

        Raises:
            FetchError: refused by a rule, not had, or had only in part.
        """
        asked = question(validators or Validators(), accept, max_bytes, cut=cut)
        try:
            answer = await self._exchange(parse(url), asked, self._robots)
        except FailedError as e:
            said = f"{shown(self._hidden(url))}: {self._hidden(str(e))}"
            raise FetchError(said, kind=e.kind, retry_s=e.retry_s) from e
        return answer if told or isinstance(answer, Fetched) else None

    def _hidden(self, text: str) -> str:
        return self._secret.hidden(text) if self._secret else text

    async def _exchange(
        self, url: URL, asked: Question, robots: Robots | None
    ) -> Fetched | Unchanged:
        """Do all of it within the time limit; whatever goes wrong is a `FailedError`."""
        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                return await self._follow(url, asked, robots, limit)
        except TimeoutError as e:
            raise FailedError(f"too slow: not done in {self._timeout_s:g} s") from e
        except FormatError as e:
            raise FailedError(str(e)) from e
        except (aiohttp.ClientError, OSError, *SOCKS_ERRORS) as e:
            problem = self._proxy.problem(e) if self._proxy else None
            raise FailedError(problem or in_words(e), kind=_kind(e)) from e

    async def _read_robots(self, url: URL) -> bytes:
        asked = Question({"Accept": "text/plain, */*;q=0.1"}, MAX_ROBOTS_BYTES, cut=True)
        answer = await self._exchange(url, asked, None)
        return answer.body if isinstance(answer, Fetched) else b""

    async def _follow(
        self, url: URL, asked: Question, robots: Robots | None, limit: asyncio.Timeout
    ) -> Fetched | Unchanged:
        hop = Hop(url)
        for _ in range(MAX_HOPS + 1):
            reason = guard.refusal(hop.url, self._exempt, proxied=self._proxy is not None)
            if reason is not None:
                raise FailedError(clean(f"refused: {reason}"), kind="refused")
            delay_s = await robots.ask(hop.url, limit) if robots else 0.0
            asking = partial(self._ask, hop, asked)
            act = partial(_ended, asking) if self._proxy else asking
            answer = await self._turns.take(_server(hop.url), limit, act, delay_s=delay_s)
            if not isinstance(answer, Hop):
                return answer
            hop = answer
        raise FailedError(f"refused: more than {MAX_HOPS} redirects", kind="refused")

    async def _ask(self, hop: Hop, asked: Question) -> Fetched | Unchanged | Hop:
        """Ask once; a redirect is the hop that it leads to."""
        trusted = hop.trusted and self._may_know(hop.url)
        async with self._request(hop.url, asked.headers, trusted=trusted) as response:
            status = response.status
            if status in REDIRECTS and self._mirrors:
                raise FailedError(f"status {status}: a redirect, which no mirror may send")
            if status in REDIRECTS:
                return hop.after(response, trusted=trusted)
            if status == HTTPStatus.NOT_MODIFIED and asked.conditional:
                return unchanged(response, moved=hop.moved)
            if self._proxy and status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
                raise FailedError(self._proxy.refused(status, "proxy authentication required"))
            if status != HTTPStatus.OK or is_challenge(response):
                raise await failure(response, now=self._now())
            return await fetched(response, asked, moved=hop.moved)

    def _may_know(self, url: URL) -> bool:
        exempt = guard.is_exempt(url, self._exempt)
        return self._secret is not None and self._secret.is_for(url, exempt=exempt)

    def _request(
        self, url: URL, headers: dict[str, str], *, trusted: bool
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        session = self._unguarded if guard.is_exempt(url, self._exempt) else self._guarded
        own = {self._secret.name: self._secret.value} if self._secret and trusted else {}
        signed_in = self._proxy.authorization() if self._proxy else {}
        tunnelled = url.scheme == "https"  # then the headers of the request are the server's alone
        return session.get(
            url,
            headers={**headers, **own, **({} if tunnelled else signed_in)},
            allow_redirects=False,
            proxy=self._proxy.address if self._proxy else None,
            proxy_headers=signed_in if tunnelled else None,
        )


async def _ended(work: Callable[[], Coroutine[None, None, T]]) -> T:
    """Return `work()`; where it is cancelled, end it within some seconds.

    Over SOCKS, a TLS handshake that hangs waits at its end for the other side to close.
    """
    task = asyncio.ensure_future(work())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as e:
        cancelled = e
    for _ in range(CANCELS):
        task.cancel()
        if (await asyncio.wait([task], timeout=CANCEL_S))[0]:
            break
    if task.cancelled():
        await task  # its own error knows where it was
    raise cancelled


def _kind(e: Exception) -> Failure:
    """Return whether an error is the guard's own, which says EACCES, or an accident."""
    ours = isinstance(e, aiohttp.InvalidURL) or getattr(e, "errno", None) == errno.EACCES
    return "refused" if ours else "failed"


def _server(url: URL) -> str:
    """Return for whom requests line up: the ports of the web are one server, others are not."""
    host = url.raw_host or ""
    return host if url.port in guard.PORTS.values() else f"{host}:{url.port}"
