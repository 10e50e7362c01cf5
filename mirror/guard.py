"""Which addresses may be asked and dialled: those of the public web, and none nearer.

A hostile feed names addresses: of the machine itself, of its neighbours, of the
cloud's metadata service. The guard sits where a socket is made, because only
there the address really dialled is known: a resolver is never asked about
`http://[::ffff:127.0.0.1]/`, and a name may resolve to something else a moment later.
"""

import errno
import ipaddress
import re
import socket

from aiohttp import AddrInfoType, SocketFactoryType
from yarl import URL

PORTS = {"http": 80, "https": 443}

# Global by the registry or to Python 3.11, but not a place a newsroom serves from.
# https://www.iana.org/assignments/iana-ipv4-special-registry (and ipv6)
NOT_PUBLIC = tuple(
    ipaddress.ip_network(net)
    for net in (
        "192.0.0.0/24",  # protocol assignments, the metadata address of one cloud among them
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.175.48.0/24",  # AS112
        "168.63.129.16/32",  # answers inside one cloud only, with the machine's own secrets
        "2001::/23",  # Teredo, ORCHID, benchmarking
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
# All unicast IPv6 in use. Outside lie the forms that carry an IPv4 address
# (`::ffff:0:0/96`, `64:ff9b::/96`, `64:ff9b:1::/48`) and everything local.
UNICAST6 = ipaddress.ip_network("2000::/3")

HOST = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")  # as IDNA writes it
MAX_HOST_CHARS = 253  # RFC 1035; getaddrinfo fails in its own ways on more

# URL standard, "ends in a number": getaddrinfo reads `0x7f000001` and `127.1` as addresses.
NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")


# Names that a proxy would look up next to itself: RFC 6761 and 8375, RFC 6762 appendix G.
NEARBY = frozenset({"localhost", "local", "internal", "intranet", "private", "corp", "home", "lan"})
NEARBY_ENDINGS = (".home.arpa",)


def refusal(url: URL, exempt: frozenset[tuple[str, int]], *, proxied: bool = False) -> str | None:
    """Return why `url` may not be asked, or None if it may, by its scheme, host and port.

    Not checked here: where a name leads. `guarded` does that when it is dialled. `proxied`
    names are dialled by a proxy, so then every address that is written out, and
    every name that means a neighbour, is refused here; what else a name leads to there
    is for the proxy to refuse.
    """
    if url.scheme not in PORTS:
        return f"{url.scheme!r} is neither http nor https"
    if "@" in url.raw_authority:
        return "a name or password stands in the address"
    host = url.raw_host or ""
    if is_onion(host) and not proxied:  # a lookup would tell everyone on the way what is read
        return f"{host} is reached over a proxy only"
    if is_exempt(url, exempt):
        return None
    if url.port not in PORTS.values():
        return f"port {url.port} is neither 80 nor 443, and the host is not allowed by name"
    return _no_host(host) or (_beyond(host) if proxied else None)


def is_onion(host: str) -> bool:
    """Say whether the host is a service of Tor, which only a proxy reaches (RFC 7686)."""
    return host.rstrip(".").endswith(".onion")


def is_loopback(host: str) -> bool:
    """Say whether the host, a name or an address, is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _beyond(host: str) -> str | None:
    """Return why a proxy may not be asked for `host`, as far as its name tells."""
    if _is_address(host):
        return None if _is_public(host) else f"{host} is not a public address"
    name = host.rstrip(".")
    last = name.rpartition(".")[2]
    if last == name or last in NEARBY or name.endswith(NEARBY_ENDINGS):
        return f"{host} is a name of the proxy's neighbours"
    return None


def is_exempt(url: URL, exempt: frozenset[tuple[str, int]]) -> bool:
    """Say whether the operator named exactly this host, as written, and this port."""
    return url.port is not None and (url.raw_host or "", url.port) in exempt


def host_and_port(text: str) -> tuple[str, int]:
    """Return `HOST:PORT` of the settings in the form that `is_exempt` compares.

    Raises:
        ValueError: not one host and one port.
    """
    url = URL(f"http://{text}")
    if set(text) & set("@/?#") or url.explicit_port is None or not url.raw_host:
        raise ValueError(f"{text!r}: not HOST:PORT")
    return url.raw_host, url.explicit_port


def open_socket(info: AddrInfoType) -> socket.socket:
    """Return an unconnected socket for `info`, whatever its address."""
    return socket.socket(info[0], info[1], info[2])


def guarded(factory: SocketFactoryType) -> SocketFactoryType:
    """Return `factory` with a rule before it: no socket for what is not public.

    The socket is refused as an `OSError`, which is what a client expects of one
    address among several: the public ones are tried all the same.
    """

    def make_socket(info: AddrInfoType) -> socket.socket:
        host = info[4][0]
        if not _is_public(str(host)):
            raise OSError(errno.EACCES, f"{host} is not a public address")
        return factory(info)

    return make_socket


def _no_host(host: str) -> str | None:
    fits = len(host) <= MAX_HOST_CHARS and HOST.fullmatch(host) and not NUMERIC.fullmatch(host)
    return None if fits or _is_address(host) else f"{host!r} is not a host name"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_public(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None or address not in UNICAST6:
            return False
    elif not address.is_global or address.is_multicast:
        return False
    return not any(address in net for net in NOT_PUBLIC if net.version == address.version)
