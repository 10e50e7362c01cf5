"""The checkpoint: one signed line of state from which a whole log is verified.

Format: https://c2sp.org/tlog-checkpoint (text below, signed as in `note`)::

    mirror.example/times
    923748
    nND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=
"""

import re
from dataclasses import dataclass

from mirror.errors import FormatError
from mirror.formats.encoding import HASH_SIZE, decode_base64, decode_number, encode_base64

MAX_BYTES = 8 * 1024  # of a signed checkpoint: 32 signature lines fit
_ORIGIN = re.compile(r"[a-z0-9](?:[a-z0-9._-]|/(?=[a-z0-9])){0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log `origin` had `size` leaves, and `root` (32 bytes) commits to all."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read the text of a note whose signature has been, or will be, verified.

        Extension lines are refused: the specification discourages them and
        nothing here would check them.

        Raises:
            FormatError: the text is not byte for byte what `str()` would write.
        """
        lines = text.split("\n")
        if len(lines) != 4 or lines[3]:
            raise FormatError("checkpoint: not exactly three lines")
        return cls(
            check_origin(lines[0]),
            decode_number(lines[1]),
            decode_base64(lines[2], size=HASH_SIZE),
        )


def check_origin(origin: str) -> str:
    """Return `origin` if a log may have this name.

    Lower-case letters, digits and `. _ - /`, at most 100: it stands in key names,
    file comments and shell commands, where anything else needs quoting.

    Raises:
        FormatError: another character, or too long.
    """
    if not _ORIGIN.fullmatch(origin):
        raise FormatError("origin: up to 100 of a-z 0-9 . _ - / were expected")
    return origin
