"""Ports of 127.0.0.1 that nobody listens at."""

import random
import socket
from contextlib import suppress

# Below those that the system gives to outgoing connections, of which a server's own could take
# the port of the next one to start.
RANGE = range(12_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Return `count` ports, each another."""
    found: list[int] = []
    for port in random.sample(RANGE, len(RANGE)):
        with suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no port is free")


def free_port() -> int:
    return free_ports(1)[0]
