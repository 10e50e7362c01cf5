"""Places outside that a store writes to, as the contract suite takes them."""

from collections.abc import Callable
from dataclasses import dataclass

from mirror.stores import Store


@dataclass(frozen=True, slots=True)
class Place:
    """A real place, empty at first; `make` gives a new client to it each time, as a restart does.

    `read` returns the bytes that a reader gets over the public address, None where nothing is;
    `wipe` loses everything that is there, as a place does that was set up anew.
    """

    make: Callable[[], Store]
    read: Callable[[str], bytes | None]
    wipe: Callable[[], None]
    looks: bool = True
    """It refuses other bytes under a path that never changes; else it has the last ones put."""
