"""What is kept of a feed's last whole answer, beside its validators."""

import struct
from dataclasses import dataclass
from typing import Self

PRINT_BYTES = 32
_HINTS = struct.Struct(">II")


@dataclass(frozen=True, slots=True)
class Mark:
    """What was read, how, and for how long its newsroom and its server said that it is fresh.

    As bytes: `mode`, the fingerprint, and both times in seconds. The newsroom's `ttl` stands in
    the feed, so that no answer of status 304 repeats it.
    """

    mode: bytes
    fingerprint: bytes = b""
    """Empty, which no feed's is, where nothing was read."""
    ttl_s: int = 0
    max_age_s: int = 0

    @property
    def fresh_s(self) -> int:
        """How long the feed need not be asked, by either's word."""
        return max(self.ttl_s, self.max_age_s)

    def __bytes__(self) -> bytes:
        return self.mode + self.fingerprint + _HINTS.pack(self.ttl_s, self.max_age_s)

    @classmethod
    def parse(cls, kept: bytes, *, mode: bytes) -> Self | None:
        """Return what was kept; None where nothing was read in this mode."""
        print_, hints = kept[len(mode) :][:PRINT_BYTES], kept[len(mode) + PRINT_BYTES :]
        # By their length, too: one mode may begin as another does.
        if not kept.startswith(mode) or len(hints) not in (0, _HINTS.size):
            return None
        # Without hints, it is as the edition before kept it.
        return cls(mode, print_, *(_HINTS.unpack(hints) if hints else ()))
