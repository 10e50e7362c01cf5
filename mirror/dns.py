"""The addresses of the mirrors under a name of the DNS, for readers who know that name.

One TXT record: its strings, put together, are the addresses with a space between them. It is
replaced by an update (RFC 2136) that is signed with a shared key (TSIG, RFC 8945), and read back
from the same server, as a resolver would ask it. Whether other servers of the zone have it too is
not looked at.
"""

import asyncio
import base64
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update

from mirror.errors import SettingsError, StoreError

MAX_ANSWER = 1232  # bytes: what passes every network in one packet (DNS flag day 2020)
MAX_STRING = 255  # bytes, of one string of a TXT record
MAX_KEY_FILE = 4096
WHOLE_S = 15.0  # look, update and look again
ANSWER_S, TRIES = 2.0, 3  # of a question over UDP, which may be lost on the way
ALGORITHMS = ("hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")


@dataclass(frozen=True, slots=True)
class Record:
    """The TXT record `name` of `zone`, which the server at an IP address takes updates of."""

    server: str
    port: int
    zone: str
    name: str
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Key:
    """A key that a server knows too; `secret` in base64."""

    algorithm: str
    name: str
    secret: str = field(repr=False)


def read_key(file: Path) -> Key:
    """Return the key in a file of one line, `ALGORITHM:NAME:BASE64`.

    Raises:
        SettingsError: not readable, or not of that form; the message repeats nothing of it.
    """
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_KEY_FILE).decode("ascii").strip()
    except OSError as e:
        raise SettingsError(f"{file}: the key for DNS is not readable: {e.strerror}") from e
    except ValueError as e:
        raise SettingsError(f"{file}: ALGORITHM:NAME:BASE64 was expected") from e
    algorithm, _, rest = text.partition(":")
    name, _, secret = rest.partition(":")
    if algorithm not in ALGORITHMS:
        raise SettingsError(f"{file}: one of {' '.join(ALGORITHMS)} was expected first")
    try:
        usable = bool(base64.b64decode(secret, validate=True)) and bool(dns.name.from_text(name))
    except (ValueError, dns.exception.DNSException):
        usable = False
    if not usable or not name:
        raise SettingsError(f"{file}: ALGORITHM:NAME:BASE64 was expected")
    return Key(algorithm, name, secret)


async def publish(addresses: Sequence[str], record: Record, key: Key) -> list[str]:
    """Have the record say where the mirrors are; return what it says, the newest first.

    `addresses` are in the order in which they were announced. Where not all fit into one packet,
    the newest do. With none, the record stays: an old address is better than no address.

    Raises:
        StoreError: it does not say so; the message says why, and nothing of the key.
    """
    subject = f"dns: {record.server} port {record.port}"
    try:
        ipaddress.ip_address(record.server)
        name, zone = _names(record)
    except (ValueError, dns.exception.DNSException) as e:
        raise StoreError(f"{subject}: an IP address, a zone and a name in it were expected") from e
    fitting = _fitting(addresses, name)
    if not fitting:
        return []
    try:
        async with asyncio.timeout(WHOLE_S):
            if await _ask(record, name) != fitting:
                await _replace(record, key, zone, name, fitting)
                await _check(subject, record, name, fitting)
    except _RefusedError as e:
        raise StoreError(f"{subject}: {e}") from e
    except (TimeoutError, dns.exception.Timeout) as e:
        raise StoreError(f"{subject}: no answer in time") from e
    except dns.exception.DNSException as e:
        raise StoreError(f"{subject}: {_WORDS.get(type(e), 'an answer that is none')}") from e
    except (OSError, EOFError) as e:  # the library's word for a connection that was closed
        words = getattr(e, "strerror", None) or type(e).__name__
        raise StoreError(f"{subject}: no answer: {words}") from e
    return fitting


class _RefusedError(Exception):
    """The server does not do it; the message is for people."""


def _names(record: Record) -> tuple[dns.name.Name, dns.name.Name]:
    zone = dns.name.from_text(record.zone)
    name = dns.name.from_text(record.name, origin=zone)
    if not name.is_subdomain(zone) or zone == dns.name.root:
        raise ValueError(record.name)
    return name, zone


def _fitting(addresses: Sequence[str], name: dns.name.Name) -> list[str]:
    """Return the newest addresses that go into one answer, the newest first."""
    chosen: list[str] = []
    for address in reversed(addresses):
        sayable = address.isascii() and address.isprintable() and " " not in address
        if sayable and address not in chosen and _size(name, [*chosen, address]) <= MAX_ANSWER:
            chosen.append(address)
    return chosen


def _size(name: dns.name.Name, addresses: Sequence[str]) -> int:
    """Return the bytes of an answer: RFC 1035 section 4, with the record of RFC 6891."""
    text = len(" ".join(addresses))
    strings = -(-text // MAX_STRING)
    header, question, record, options = 12, len(name.to_wire() or b"") + 4, 12, 11
    return header + question + record + text + strings + options


def _text(addresses: Sequence[str]) -> dns.rdata.Rdata:
    text = " ".join(addresses)
    strings = [text[at : at + MAX_STRING] for at in range(0, len(text), MAX_STRING)]
    # Neither a quote nor a backslash would end what stands between quotes here.
    quoted = " ".join('"{}"'.format(s.replace("\\", "\\\\").replace('"', '\\"')) for s in strings)
    return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, quoted)


async def _replace(
    record: Record, key: Key, zone: dns.name.Name, name: dns.name.Name, addresses: Sequence[str]
) -> None:
    shared = dns.tsig.Key(key.name, key.secret, key.algorithm)
    update = dns.update.UpdateMessage(zone, keyring=shared)
    update.replace(name, record.ttl_s, _text(addresses))
    # It is signed, and larger than what passes in one packet everywhere.
    answer = await dns.asyncquery.tcp(update, record.server, port=record.port, timeout=WHOLE_S)
    _check_code(answer)  # that it is signed is looked at by the library, as it knows the key


async def _ask(record: Record, name: dns.name.Name) -> list[str]:
    """Return what the record says."""
    answer = await _answer(record, name)
    if answer.rcode() == dns.rcode.NXDOMAIN:
        return []
    _check_code(answer)
    found = answer.get_rrset(answer.answer, name, dns.rdataclass.IN, dns.rdatatype.TXT)
    texts = [b"".join(each.strings).decode("ascii", "replace") for each in found or ()]
    return texts[0].split(" ") if len(texts) == 1 else texts


async def _answer(record: Record, name: dns.name.Name) -> dns.message.Message:
    query = dns.message.make_query(name, dns.rdatatype.TXT, use_edns=0, payload=MAX_ANSWER)
    tries = 0
    while True:
        try:
            return await dns.asyncquery.udp(
                query,
                record.server,
                port=record.port,
                timeout=ANSWER_S,
                raise_on_truncation=True,
                ignore_errors=True,  # what others send to the port is no answer
            )
        except dns.exception.Timeout:
            tries += 1
            if tries == TRIES:
                raise


async def _check(
    subject: str, record: Record, name: dns.name.Name, addresses: Sequence[str]
) -> None:
    if await _ask(record, name) != addresses:
        raise StoreError(f"{subject}: it took the update, and answers something else")


def _check_code(answer: dns.message.Message) -> None:
    code = answer.rcode()
    if code != dns.rcode.NOERROR:
        text = dns.rcode.to_text(code)
        raise _RefusedError(f"{text}: {_CODES.get(code, 'it does not do it')}")


_CODES = {
    dns.rcode.REFUSED: "it does not allow this key, or this machine, to change or ask that name",
    dns.rcode.NOTAUTH: "it is not the first server of that zone, or does not know the key",
    dns.rcode.NOTZONE: "that name is not in the zone",
    dns.rcode.SERVFAIL: "it is broken, or the zone is",
    dns.rcode.NOTIMP: "it takes no updates",
    dns.rcode.FORMERR: "it does not understand updates",
}
_WORDS = {
    dns.tsig.PeerBadKey: "BADKEY: it does not know the key: look at its name and algorithm",
    dns.tsig.PeerBadSignature: "BADSIG: it has another secret under the key's name",
    dns.tsig.PeerBadTime: "BADTIME: its clock and this machine's differ: set them",
    dns.tsig.BadTime: "BADTIME: its clock and this machine's differ: set them",
    dns.tsig.BadSignature: "its answer is signed with another secret",
    dns.message.Truncated: "its answer does not fit into one packet",
    dns.exception.FormError: "it refuses without a signature, or does not speak DNS",
}
