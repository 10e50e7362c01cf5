"""What an answer says: its body within limits, its fields, and what a failure of it means."""

import re
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp

from mirror.errors import Failure, FormatError
from mirror.fetch.words import FailedError, clean
from mirror.inflate import decoder

DAY_S = 24 * 3600
MAX_RETRY_S = DAY_S  # a server that asks for a year of silence is broken, or wants to be forgotten
MAX_FRESH_S = 7 * DAY_S
SECONDS = re.compile(r'\s*"?([0-9]{1,9})"?\s*')  # more digits are no time that anyone means
MARKER_BYTES = 1 << 16  # of an error page, searched for the marks of an anti-bot page

KINDS: dict[int, Failure] = {404: "missing", 410: "gone", 429: "later", 503: "later"}
PASSING = frozenset({408, 425, 429})
"""Of what says no, what is at fault for a while, or was asked too often."""
MAY_CHALLENGE = frozenset({202, 403, 405, 429, 503})  # Amazon's: 202, and 405 for a captcha
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
class Unchanged:
    """The server said, by status 304, that what its validators tell of is what it holds."""

    moved: str = ""
    """Where permanent redirects, and no others, led; "" if none did."""
    max_age_s: int | None = None
    """As `Fetched` has it; None where it says nothing, so that what it said before still holds."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent, and how much of an answer is taken."""

    headers: dict[str, str]
    max_bytes: int
    conditional: bool = False
    cut: bool = False
    """A longer body is cut at the limit, not refused."""


def question(validators: Validators, accept: str, max_bytes: int, *, cut: bool = False) -> Question:
    """Return what asks for a body that is none of which `validators` tell."""
    asked = {
        "If-None-Match": validators.etag,
        "If-Modified-Since": validators.last_modified,
    }
    sent = {name: value for name, value in asked.items() if value}
    return Question({"Accept": accept, **sent}, max_bytes, bool(sent), cut)


async def fetched(response: aiohttp.ClientResponse, asked: Question, *, moved: bool) -> Fetched:
    """Return the answer of status 200, reading its body; `moved` if permanent redirects led here.

    Raises:
        FailedError, FormatError: the body is too large, cut short or of an unknown coding.
    """
    url = str(response.url)
    return Fetched(
        url,
        await _body(response, asked),
        _field(response, "Content-Type"),
        Validators(_field(response, "ETag"), _field(response, "Last-Modified")),
        url if moved else "",
        _max_age_s(response) or 0,
    )


def unchanged(response: aiohttp.ClientResponse, *, moved: bool) -> Unchanged:
    """Return what an answer of status 304 says; `moved` if permanent redirects led here.

    RFC 9111 section 4.3.4: its own Cache-Control takes the place of the one before.
    """
    return Unchanged(str(response.url) if moved else "", _max_age_s(response))


def is_challenge(response: aiohttp.ClientResponse) -> bool:
    """Say whether the answer declares itself an anti-bot page, whatever its status."""
    return response.headers.get("cf-mitigated", "").lower() == "challenge"


async def failure(response: aiohttp.ClientResponse, *, now: float) -> FailedError:
    """Return what a status other than 200 means; `now` is the time that dates are held against."""
    status = response.status
    kind, said = _kind(status), f"status {status}: {_phrase(status)}"
    if is_challenge(response) or (status in MAY_CHALLENGE and await _looks_like_one(response)):
        kind = "challenge"
        said = f"challenge: an anti-bot page instead of an answer, status {status}"
    elif status == HTTPStatus.NOT_MODIFIED:
        said = "status 304: not modified, but nothing was known before"
    retry = response.headers.get("Retry-After", "").strip()
    later = f"{retry} s" if retry.isascii() and retry.isdecimal() else retry
    said += f", try again after {later}" if later else ""
    retry_s = _retry_s(retry, now) if kind in ("later", "challenge") else 0
    return FailedError(clean(said), kind=kind, retry_s=retry_s, status=status)


def _kind(status: int) -> Failure:
    no = 400 <= status < 500 and status not in PASSING
    return KINDS.get(status, "refused" if no else "failed")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return "not a status of HTTP"


def _retry_s(text: str, now: float) -> int:
    """Return how long `Retry-After` asks for: seconds or a date, RFC 9110 section 10.2.3."""
    if found := SECONDS.fullmatch(text):
        return min(int(found[1]), MAX_RETRY_S)
    try:
        left = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError, OSError):
        return 0
    return int(min(max(left, 0), MAX_RETRY_S))


def _max_age_s(response: aiohttp.ClientResponse) -> int | None:
    """Return how long `Cache-Control` says that an answer stays fresh; None without that field."""
    said = response.headers.getall("Cache-Control", [])
    return _fresh_s(", ".join(said)) if said else None


def _fresh_s(text: str) -> int:
    """Return what `Cache-Control` says to a client of its own: `s-maxage` is for shared caches."""
    for part in text.split(","):
        name, _, value = part.partition("=")
        found = SECONDS.fullmatch(value)
        # The first that can be read: real servers send `max-age=300, 300, public`, and twice.
        if name.strip().lower() == "max-age" and found:
            return min(int(found[1]), MAX_FRESH_S)
    return 0


def _field(response: aiohttp.ClientResponse, name: str) -> str:
    """Return a header, or nothing if it holds bytes that no database or request would take."""
    value = response.headers.get(name, "")
    return value if value.replace("\t", " ").isprintable() else ""


async def _body(response: aiohttp.ClientResponse, asked: Question) -> bytes:
    too_large = FailedError(f"too large: more than {asked.max_bytes} bytes", kind="refused")
    if (response.content_length or 0) > asked.max_bytes and not asked.cut:
        raise too_large
    body = bytearray()
    await _read(response, body, most=asked.max_bytes)
    if len(body) > asked.max_bytes and not asked.cut:
        raise too_large
    with memoryview(body) as view:
        return bytes(view[: asked.max_bytes])


async def _read(response: aiohttp.ClientResponse, body: bytearray, *, most: int) -> None:
    """Add to `body` the decompressed one, of one longer than `most` bytes a piece more than that.

    Raises:
        FailedError, FormatError: cut short, or of an unknown coding; `body` has what came before.
    """
    stream = decoder(", ".join(response.headers.getall("Content-Encoding", [])))
    async for data in response.content.iter_any():
        for piece in stream.feed(data):
            body += piece
            if len(body) > most:
                return
    if not stream.complete:
        raise FailedError("cut short: the compressed body has no end")


async def _looks_like_one(response: aiohttp.ClientResponse) -> bool:
    start = bytearray()
    # The status is the error; a broken page under it is none of its own.
    with suppress(aiohttp.ClientError, FailedError, FormatError):
        await _read(response, start, most=MARKER_BYTES)
    return any(mark in start for mark in CHALLENGES)
