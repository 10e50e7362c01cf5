"""What a server offers before any request: how its connection is protected, and for how long.

A certificate that is not valid at all is met by whoever asks for a file: `refused` says so.
"""

import errno
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import ClientConnectorCertificateError, SocketFactoryType
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from mirror import guard
from mirror.errors import FetchError
from mirror.fetch.words import in_words, shown
from mirror.threads import in_thread
from mirror.trial.judge import Finding

SOON_S = 7 * 24 * 3600  # certificates are renewed weeks before their end: later, that has failed

# Codes of OpenSSL's x509_vfy.h.
_REMEDIES = {
    9: "see that the clocks are right, there and here: it is not valid yet",
    10: "renew it, and see why it was not: readers are shown a warning in place of pages",
    62: "get one for this name: readers are shown a warning in place of pages",
    64: "get one for this address, or give a name: readers are shown a warning in place of pages",
}
_UNKNOWN = "get one from an authority that browsers know, and send its whole chain"


@dataclass(frozen=True, slots=True)
class Offer:
    """Whether HTTP/2 is spoken, whether the key is a short one, until when (Unix seconds)."""

    http2: bool
    short: bool
    ends: int


async def look_at_tls(url: str, *, exempt: bool = False, timeout_s: float = 30.0) -> Offer | None:
    """Return what the server of an https address offers a browser; None for http.

    Raises:
        FetchError: no agreement; a private address, unless it is `exempt`.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return None
    factory = guard.open_socket if exempt else guard.guarded(guard.open_socket)
    try:
        return await in_thread(_offered, parts.hostname, parts.port or 443, factory, timeout_s)
    except TimeoutError as e:
        raise FetchError(f"{shown(url)}: tls: too slow: not done in {timeout_s:g} s") from e
    except (OSError, ValueError) as e:
        raise FetchError(f"{shown(url)}: {in_words(e)}") from e


def _offered(host: str, port: int, factory: SocketFactoryType, timeout_s: float) -> Offer:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])  # as browsers do
    with (
        _dialled(host, port, factory, timeout_s) as dialled,
        context.wrap_socket(dialled, server_hostname=host) as tls,
    ):
        made = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
        own = made.public_key()
        short = isinstance(own, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey)
        ends = int(made.not_valid_after_utc.timestamp())
        return Offer(tls.selected_alpn_protocol() == "h2", short, ends)


def _dialled(host: str, port: int, factory: SocketFactoryType, timeout_s: float) -> socket.socket:
    """Return a connection to the first address that takes one.

    One end for all: an answer may hold thousands that swallow packets.
    """
    problem: OSError = ConnectionRefusedError(errno.ECONNREFUSED, "no address")
    end = time.monotonic() + timeout_s
    for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        try:
            dialled = factory(info)
        except OSError as e:
            problem = e
            continue
        try:
            dialled.settimeout(left)
            dialled.connect(info[4])
        except OSError as e:
            dialled.close()
            problem = e
        else:
            return dialled
    raise problem


def refused(e: FetchError) -> Finding | None:
    """Return what a certificate that no browser takes means; None if `e` is of something else."""
    cause: BaseException | None = e
    while cause is not None:
        if isinstance(cause, ClientConnectorCertificateError):
            cause = cause.certificate_error
        if isinstance(cause, ssl.SSLCertVerificationError):
            do = _REMEDIES.get(cause.verify_code, _UNKNOWN)
            return Finding("certificate", "bad", in_words(cause), do)
        cause = cause.__cause__
    return None


def judge_tls(offer: Offer, *, now: int) -> Iterator[Finding]:
    """Yield what the offer means for readers."""
    if offer.http2:
        do = "switch HTTP/2 off: it puts all pages on one connection, which a filter cuts off"
        yield Finding("http2", "poor", "speaks HTTP/2", do)
    else:
        yield Finding("http2", "good", "speaks HTTP/1.1 to browsers, too")
    days = (offer.ends - now) // (24 * 3600)
    if offer.ends - now < SOON_S:
        do = "see why it was not renewed: readers are shown a warning when it ends"
        yield Finding("certificate", "poor", f"ends in {days} days", do)
    elif not offer.short:
        do = "take an ECDSA certificate: 3 kB less before the first byte of a page"
        yield Finding("certificate", "poor", "RSA", do)
    else:
        yield Finding("certificate", "good", f"ECDSA, {days} days left")
