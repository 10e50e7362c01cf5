"""Who leaves where there is no room for one more: of connections, and of archives being sent."""

import socket
from collections import Counter
from collections.abc import Collection
from typing import Protocol, TypeVar


class Guest(Protocol):
    """Someone who takes a place until `cut`.

    `busy` is who has made a whole request; `since` is when that was, or when some of the
    answer was taken last, in the loop's time.
    """

    address: bytes
    busy: bool
    since: float

    def cut(self) -> None:
        """Leave at once."""


G = TypeVar("G", bound=Guest)


def who_leaves(guests: Collection[G], newcomer: Guest, *, before: float) -> G | None:
    """Return the guest who makes room for `newcomer`, None if it is the newcomer who goes.

    First, whoever has gone longest without a whole request: so a flood of silent connections
    pushes out itself. Then, of the address with the most places, whoever is slowest, unless
    the newcomer would then hold as many. Then whoever has taken nothing since `before`:
    behind a proxy, where all have one address, that alone decides.
    """
    silent = [each for each in guests if not each.busy]
    if silent:
        return min(silent, key=_since)
    held = Counter(each.address for each in guests)
    most, count = held.most_common(1)[0]
    if held[newcomer.address] + 1 < count:
        return min((each for each in guests if each.address == most), key=_since)
    slowest = min(guests, key=_since)
    return slowest if slowest.since < before else None


def _since(guest: Guest) -> float:
    return guest.since


def address_of(peer: object) -> bytes:
    """Return what counts as one stranger: an address, or the network of one of version 6.

    It is compared while the connection is open, and told to nobody.
    """
    host = peer[0] if isinstance(peer, tuple) and peer else ""
    if ":" not in host:
        return str(host).encode()
    network: bytes = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    mapped = network.startswith(bytes(10) + b"\xff\xff")
    return network if mapped else network[:8]
