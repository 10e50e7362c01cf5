"""How a look at a mirror failed: which step of an exchange did not come to its end.

The fetcher says in words what failed. Here the errors below its own are read: a reset while
connecting and one in the TLS handshake are the same error to the library, and differ by where in
it they were raised.
"""

import errno
import ssl
import traceback
from dataclasses import dataclass
from typing import Literal

import aiohttp

from mirror.errors import FetchError
from mirror.fetch.words import FailedError
from mirror.mirrors import Outcome

Phase = Literal["proxy", "dns", "tcp", "tls", "http", "body"]

_STEPS: tuple[tuple[Phase, frozenset[str]], ...] = (
    ("body", frozenset({"_body"})),
    ("tls", frozenset({"_start_tls_connection", "start_tls", "_create_connection_transport"})),
    ("dns", frozenset({"_resolve_host"})),
    ("proxy", frozenset({"_create_proxy_connection", "start_connection"})),
    ("tcp", frozenset({"_create_proxy_connection"})),
    ("tcp", frozenset({"start_connection"})),
    ("proxy", frozenset({"connect_tcp"})),  # of the SOCKS library: to the proxy itself
    ("http", frozenset({"start"})),
)
"""The first of which a name (of `proxy`, all) is that of a function the error has come through."""

_PROXYS_OWN = "the operator must look"  # as the fetcher says of a proxy that is to be fixed
_UNREACHABLE = "host unreachable"  # RFC 1928: proxies also say so of names that are not found
_RESETS: tuple[type[BaseException], ...] = (
    ConnectionError,
    EOFError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
    aiohttp.ClientOSError,
    aiohttp.ServerDisconnectedError,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a look ended with; `detail` is for people."""

    outcome: Outcome
    detail: str
    phase: Phase = "http"


def failure_of(e: FetchError) -> Failure | None:
    """Return what `e` means for a mirror; None if it is of the proxy that looked."""
    chain = _chain(e)
    reason = next((each for each in chain if isinstance(each, FailedError)), None)
    said = str(reason or e)
    if _PROXYS_OWN in said:
        return None
    if known := _known(chain, said):
        return known
    slow = _has(chain, TimeoutError)
    if not slow and not _has(chain, *_RESETS):
        return Failure("http-diff", f"another answer: {said}")
    refused = "refused" if _has(chain, ConnectionRefusedError) else "a reset"
    return _at_phase(_phase(chain), "a time-out" if slow else refused)


def _known(chain: list[BaseException], said: str) -> Failure | None:
    """Return what an error means that says itself at which step it was."""
    if _has(chain, ssl.SSLCertVerificationError):
        return Failure("http-diff", f"another server, or another certificate: {said}", "tls")
    if any(isinstance(each, OSError) and each.errno == errno.EACCES for each in chain):
        return Failure("dns", "its name leads to an address that is not public", "dns")
    if _has(chain, aiohttp.ClientConnectorDNSError):
        return Failure("dns", "its name is not found", "dns")
    if said.startswith("proxy "):
        why = said.rpartition(": ")[2].replace(_UNREACHABLE, f"{_UNREACHABLE}, or no such name")
        return Failure("tcp_ip", f"no connection: {why}", "tcp")
    if said.startswith("cut short") or _has(chain, aiohttp.ClientPayloadError):
        return Failure("http-failure", "the answer ends in its middle", "body")
    return None


def _has(chain: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(each, kinds) for each in chain)


def _at_phase(phase: Phase, what: str) -> Failure | None:
    if phase == "proxy":
        return None
    if phase == "dns":
        return Failure("dns", f"{what} when its name was looked up", phase)
    if phase == "tcp":
        return Failure("tcp_ip", f"no connection: {what}", phase)
    if phase == "tls":
        return Failure("tls-sni-reset", f"{what} during the TLS handshake", phase)
    words = "after the request" if phase == "http" else "in the middle of the answer"
    return Failure("http-failure", f"{what} {words}", phase)


def _phase(chain: list[BaseException]) -> Phase:
    names = {
        frame.f_code.co_name for each in chain for frame, _ in traceback.walk_tb(each.__traceback__)
    }
    for phase, through in _STEPS:
        if through <= names if phase == "proxy" else through & names:
            return phase
    return "tcp"


def _chain(e: BaseException) -> list[BaseException]:
    """Return an error and those that it came from."""
    found: list[BaseException] = []
    cause: BaseException | None = e
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found
