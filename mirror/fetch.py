"""HTTP GET for hostile servers: no private address, no unbounded body, no endless answer."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from mirror import guard
from mirror.errors import FetchError, FormatError
from mirror.inflate import decoder

USER_AGENT = "Tamizdat/0.1 (+mirror of a newsroom's feed)"

MAX_HOPS = 5  # more is a loop: real feeds need one or two
MAX_HEADER_BYTES = 8190  # a line or a field: what servers themselves accept
MAX_HEADERS = 64  # an honest answer has about twenty
MAX_SHOWN = 300  # characters of an address or a reason: hostile pages choose their own
MARKER_BYTES = 1 << 16  # of an error page, searched for the marks of an anti-bot page

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAY_CHALLENGE = frozenset({403, 429, 503})
CHALLENGES = (
    b"/cdn-cgi/challenge-platform/",
    b"_cf_chl_opt",
    b"_Incapsula_Resource",
    b"captcha-delivery.com",  # DataDome
    b"/.well-known/ddos-guard/",
    b"sucuri_cloudproxy_js",
    b"px-captcha",
    b"awswaf.com",
)

WORDS: tuple[tuple[type[Exception], str], ...] = (  # the first that fits
    (aiohttp.ClientConnectorDNSError, "no such host: {}"),
    (ssl.SSLCertVerificationError, "tls: certificate refused: {}"),
    (ssl.SSLError, "tls: no agreement: {}"),
    (aiohttp.ClientConnectorError, "no connection: {}"),
    (aiohttp.ClientPayloadError, "cut short: the connection ended before the body did"),
    (aiohttp.ServerDisconnectedError, "connection lost: closed before an answer came"),
    (aiohttp.ClientResponseError, "not http: {}"),
    (aiohttp.InvalidURL, "refused: not an address"),
    (Exception, "connection lost: {}"),
)


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server gave to ask "has it changed?" with, verbatim; empty where it gave none."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The whole, decompressed body that `url` (after redirects) answered with status 200."""

    url: str
    body: bytes
    content_type: str
    validators: Validators
    moved: str = ""
    """Where permanent redirects, and no others, led; "" if none did."""
    max_age_s: int = 0
    """How long the server says that the answer stays fresh, in seconds; 0 if it does not."""


@dataclass(frozen=True, slots=True)
class _Question:
    headers: dict[str, str]
    max_bytes: int
    conditional: bool


class _FailedError(Exception):
    """A reason without its address, which `Fetcher.get` puts before it."""


class Fetcher:
    """A client for one cycle or daemon: `async with Fetcher() as fetcher`.

    `allow_hosts` are the `host:port`s, as an address writes them, for which the
    rules of port and address do not hold. How many requests run at once is for
    the caller to say: a queue in here would use up the time of those who wait.
    """

    def __init__(
        self,
        *,
        allow_hosts: Collection[str] = (),
        timeout_s: float = 30.0,
        user_agent: str = USER_AGENT,
        resolver: AbstractResolver | None = None,
        socket_factory: aiohttp.SocketFactoryType | None = None,
    ) -> None:
        self._exempt = frozenset(guard.host_and_port(text) for text in allow_hosts)
        self._timeout_s = timeout_s
        self._user_agent = user_agent
        self._resolver = resolver
        self._socket_factory = socket_factory or guard.open_socket
        self._guarded: aiohttp.ClientSession
        self._unguarded: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        # Two pools: a connection opened under an exemption can serve no other request.
        self._guarded = self._session(guard.guarded(self._socket_factory))
        self._unguarded = self._session(self._socket_factory)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._guarded.close()
        await self._unguarded.close()

    def _session(self, socket_factory: aiohttp.SocketFactoryType) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                socket_factory=socket_factory, resolver=self._resolver, limit=0
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # a proxy from the environment would dial for us, unguarded
            auto_decompress=False,  # done here, where a body that was cut is noticed
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # `get` has the clock
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "gzip, deflate, br"},
        )

    async def get(
        self,
        url: str,
        *,
        max_bytes: int,
        validators: Validators | None = None,
        accept: str = "*/*",
    ) -> Fetched | None:
        """Return what `url` holds, or None if it has not changed since `validators`.

        The time limit bounds the whole exchange, so a server that sends one byte
        a minute is an error and not a hung cycle. `max_bytes` is counted after
        decompression: that is what a small, hostile answer can make large.

        Raises:
            FetchError: refused by a rule, not had, or had only in part.
        """
        question = _question(validators or Validators(), accept, max_bytes)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._follow(_parse(url), question)
        except TimeoutError as e:
            raise FetchError(f"{_shown(url)}: too slow: not done in {self._timeout_s:g} s") from e
        except (_FailedError, FormatError) as e:
            raise FetchError(f"{_shown(url)}: {e}") from e
        except (aiohttp.ClientError, OSError) as e:
            raise FetchError(f"{_shown(url)}: {_clean(_in_words(e))}") from e

    async def _follow(self, url: URL, question: _Question) -> Fetched | None:
        for _ in range(MAX_HOPS + 1):
            reason = guard.refusal(url, self._exempt)
            if reason is not None:
                raise _FailedError(_clean(f"refused: {reason}"))
            answer = await self._ask(url, question)
            if not isinstance(answer, URL):
                return answer
            if url.scheme == "https" and answer.scheme == "http":
                raise _FailedError("refused: a redirect from https to http")
            url = answer
        raise _FailedError(f"refused: more than {MAX_HOPS} redirects")

    async def _ask(self, url: URL, question: _Question) -> Fetched | URL | None:
        exempt = guard.is_exempt(url, self._exempt)
        session = self._unguarded if exempt else self._guarded
        async with session.get(url, headers=question.headers, allow_redirects=False) as response:
            if response.status in REDIRECTS:
                return _target(url, response)
            if response.status == HTTPStatus.NOT_MODIFIED and question.conditional:
                return None
            if response.status != HTTPStatus.OK or _mitigated(response):
                raise _FailedError(await _failure(response))
            return Fetched(
                str(url),
                await _body(response, question.max_bytes),
                _field(response, "Content-Type"),
                Validators(_field(response, "ETag"), _field(response, "Last-Modified")),
            )


def _question(validators: Validators, accept: str, max_bytes: int) -> _Question:
    asked = {
        "If-None-Match": validators.etag,
        "If-Modified-Since": validators.last_modified,
    }
    sent = {name: value for name, value in asked.items() if value}
    return _Question({"Accept": accept, **sent}, max_bytes, bool(sent))


def _parse(text: str, base: URL | None = None) -> URL:
    try:
        url = URL(text) if base is None else base.join(URL(text))
    except ValueError as e:
        raise _FailedError("refused: not an address") from e
    return url.with_fragment(None)


def _target(url: URL, response: aiohttp.ClientResponse) -> URL:
    location = response.headers.get("Location")
    if location is None:
        raise _FailedError(f"status {response.status}: a redirect to nowhere")
    return _parse(location, url)


def _field(response: aiohttp.ClientResponse, name: str) -> str:
    """Return a header, or nothing if it holds bytes that no database or request would take."""
    value = response.headers.get(name, "")
    return value if value.replace("\t", " ").isprintable() else ""


async def _body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    if (response.content_length or 0) > max_bytes:
        raise _FailedError(f"too large: more than {max_bytes} bytes")
    body = bytearray()
    async with aclosing(_pieces(response)) as pieces:
        async for piece in pieces:
            body += piece
            if len(body) > max_bytes:
                raise _FailedError(f"too large: more than {max_bytes} bytes")
    return bytes(body)


async def _pieces(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    stream = decoder(", ".join(response.headers.getall("Content-Encoding", [])))
    async for data in response.content.iter_any():
        for piece in stream.feed(data):
            yield piece
    if not stream.complete:
        raise _FailedError("cut short: the compressed body has no end")


def _mitigated(response: aiohttp.ClientResponse) -> bool:
    return response.headers.get("cf-mitigated", "").lower() == "challenge"


async def _failure(response: aiohttp.ClientResponse) -> str:
    """Return in words what a status other than 200 means for whoever reads the log."""
    status = response.status
    if _mitigated(response) or (status in MAY_CHALLENGE and await _looks_like_challenge(response)):
        return f"challenge: an anti-bot page instead of an answer, status {status}"
    if status == HTTPStatus.NOT_MODIFIED:
        return "status 304: not modified, but nothing was known before"
    try:
        phrase = HTTPStatus(status).phrase.lower()
    except ValueError:
        phrase = "not a status of HTTP"
    later = response.headers.get("Retry-After", "").strip()
    if later.isascii() and later.isdecimal():
        later += " s"
    return _clean(f"status {status}: {phrase}" + (f", try again after {later}" if later else ""))


async def _looks_like_challenge(response: aiohttp.ClientResponse) -> bool:
    start = bytearray()
    try:
        async with aclosing(_pieces(response)) as pieces:
            async for piece in pieces:
                start += piece
                if len(start) >= MARKER_BYTES:
                    break
    except (aiohttp.ClientError, _FailedError, FormatError):
        pass  # the status is the error; a broken page under it is none of its own
    return any(mark in start for mark in CHALLENGES)


def _in_words(error: aiohttp.ClientError | OSError) -> str:
    words = next(words for kind, words in WORDS if isinstance(error, kind))
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    detail = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None)
    text = str(detail or getattr(cause, "message", None) or cause)
    return words.format(text.partition("\n")[0].rstrip(":")).lower()


def _shown(url: str) -> str:
    """Return an address as a message may hold it: no password, no line breaks, not endless."""
    scheme, mark, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return _clean(scheme + mark + authority.rpartition("@")[2] + slash + path)


def _clean(text: str) -> str:
    shown = "".join(c if c.isprintable() else "�" for c in text)
    return shown if len(shown) <= MAX_SHOWN else shown[:MAX_SHOWN] + "…"
