"""A proxy that dials for the fetcher; the only module that imports the SOCKS library."""

import base64
import os
import re
from dataclasses import dataclass, field
from typing import Literal

import aiohttp
import aiohttp_socks
from aiohttp.abc import AbstractResolver
from yarl import URL

from mirror.fetch.words import clean, detail

FORM = "SCHEME://[USER:PASSWORD@]HOST:PORT was expected, of socks5h, socks5, socks4 or http"
WORD = re.compile(r"[\x21-\x7e]{0,255}")  # RFC 1929: one byte of length; the library sends ASCII

Kind = Literal["socks5", "socks4", "http"]
KINDS: dict[str, Kind] = {
    "socks5h": "socks5",
    "socks5": "socks5",
    "socks4": "socks4",
    "http": "http",
}

# What the SOCKS library raises that is no error of aiohttp; the last two are a proxy that hangs
# up, and one that says it has dialled a host of another alphabet.
SOCKS_ERRORS = (
    aiohttp_socks.ProxyConnectionError,
    aiohttp_socks.ProxyTimeoutError,
    aiohttp_socks.ProxyError,
    EOFError,
    UnicodeDecodeError,
)
UNREACHABLE = (
    aiohttp_socks.ProxyConnectionError,
    aiohttp.ClientProxyConnectionError,
    aiohttp.ClientConnectorDNSError,  # the only name looked up here is the proxy's own
)
WRAPPED = re.compile(r".*\[(.*)\]")  # "Couldn't connect to proxy HOST:PORT [reason]"


@dataclass(frozen=True, slots=True)
class Proxy:
    """What is fetched through the server at `host`:`port`; as text it has no password.

    The proxy looks every name up, also with `socks5` and `socks4` (which then is 4a): a lookup
    here would tell the neighbours what is read. So where a name leads cannot be checked here.
    """

    kind: Kind
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> "Proxy":
        """Read an address such as `socks5h://127.0.0.1:9050`.

        Raises:
            ValueError: not of that form; the message does not repeat it.
        """
        try:
            url = URL(text)
            port = url.explicit_port
        except ValueError:
            raise ValueError(FORM) from None  # its reason quotes the text
        kind, user, password = KINDS.get(url.scheme), url.user or "", url.password or ""
        bare = url.raw_path in ("", "/") and not url.raw_query_string and not url.raw_fragment
        if kind is None or not url.raw_host or not port or not bare:
            raise ValueError(FORM)
        if not (WORD.fullmatch(user) and WORD.fullmatch(password)) or ":" in user:
            raise ValueError("user and password: at most 255 ASCII characters were expected")
        # Half of it would be left out without a word: the library signs in with both or not at all.
        if bool(password) != bool(user and kind != "socks4"):
            raise ValueError("user and password: both were expected, for socks4 a user alone")
        return cls(kind, url.raw_host, port, user, password)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def address(self) -> URL | None:
        """What aiohttp is given as the proxy; None for SOCKS, which is the connector's work."""
        return URL(f"http://{self}") if self.kind == "http" else None

    def connector(
        self, socket_factory: aiohttp.SocketFactoryType, resolver: AbstractResolver | None
    ) -> aiohttp.TCPConnector:
        """Return what dials the proxy; for HTTP, every request must name `address`."""
        if self.kind == "http":
            return aiohttp.TCPConnector(socket_factory=socket_factory, resolver=resolver, limit=0)
        types = {"socks5": aiohttp_socks.ProxyType.SOCKS5, "socks4": aiohttp_socks.ProxyType.SOCKS4}
        return aiohttp_socks.ProxyConnector(
            self.host,
            self.port,
            types[self.kind],
            self.user or None,
            self.password or None,
            rdns=True,  # the name goes to the proxy; its absence means a lookup here for socks4
            limit=0,
        )

    def authorization(self) -> dict[str, str]:
        """Return the header for an HTTP proxy; empty for others and where there is no user."""
        if self.kind != "http" or not self.user:
            return {}
        both = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Proxy-Authorization": f"Basic {both}"}

    def problem(self, error: Exception) -> str | None:
        """Return in words what the proxy did; None if `error` is of the server behind it."""
        reason = clean(detail(error)).lower()
        if isinstance(error, UNREACHABLE):
            return self._to_fix(f"cannot be reached: {_why(error, reason)}")
        if isinstance(error, aiohttp.ClientHttpProxyError):
            return self.refused(error.status, reason)
        if isinstance(error, EOFError | UnicodeDecodeError):
            return self._to_fix(f"gave no answer of {self.kind}")
        if isinstance(error, aiohttp_socks.ProxyTimeoutError):
            return self._to_fix("cannot be reached: too slow")
        if isinstance(error, aiohttp_socks.ProxyError):
            # With a code it is about the server asked; without, about the proxy itself.
            said = f"refused: {reason}"
            return self._to_fix(said) if error.error_code is None else f"proxy {self}: {said}"
        return None

    def refused(self, status: int, reason: str) -> str:
        """Return in words what an HTTP proxy's own status means."""
        said = f"status {status}: {reason}"
        return self._to_fix(said) if status == 407 else f"proxy {self}: {said}"

    def _to_fix(self, said: str) -> str:
        return f"proxy {self}: {said}: the operator must look"


def _why(error: Exception, reason: str) -> str:
    """Return why nothing was connected, without the libraries' words around it."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error.__cause__
    if isinstance(cause, OSError) and (cause.errno or 0) > 0:  # below are those of lookups
        return os.strerror(cause.errno or 0).lower()
    found = WRAPPED.fullmatch(reason)
    return found[1] if found else reason
