"""What failed, in words that a line of a log can hold."""

import ssl

import aiohttp

from mirror.errors import Failure

MAX_SHOWN = 300  # characters of an address or a reason: hostile pages choose their own

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


class FailedError(Exception):
    """A reason without its address, which `Fetcher.get` puts before it.

    `status` is the answer's where it is the reason, else 0.
    """

    def __init__(
        self, reason: str, *, kind: Failure = "failed", retry_s: int = 0, status: int = 0
    ) -> None:
        super().__init__(reason)
        self.kind: Failure = kind
        self.retry_s = retry_s
        self.status = status


def in_words(error: Exception) -> str:
    """Return what a library's error says, without what it knows of the request."""
    words = next(words for kind, words in WORDS if isinstance(error, kind))
    return clean(words.format(detail(error)).lower())


def detail(error: Exception) -> str:
    """Return the innermost reason that `error` gives, in one line."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    found = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None)
    text = str(found or getattr(cause, "message", None) or cause)
    return text.partition("\n")[0].rstrip(":")


def shown(url: str) -> str:
    """Return an address as a message may hold it: no password, no line breaks, not endless."""
    scheme, mark, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return clean(scheme + mark + authority.rpartition("@")[2] + slash + path)


def clean(text: str) -> str:
    """Return `text` as one line of printable characters, not endless."""
    printable = "".join(c if c.isprintable() else "�" for c in text)
    return printable if len(printable) <= MAX_SHOWN else printable[:MAX_SHOWN] + "…"
