"""A proof file: everything needed to verify one record offline, for ever.

Format: https://c2sp.org/tlog-proof; `extra` is the record itself::

    c2sp.org/tlog-proof@v1
    extra eyJ0IjoiZG9jIiwidiI6MSw…
    index 73894
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
    B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=

    mirror.example/times
    109482
    sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

    — mirror.example/times hI2DJw…
"""

from dataclasses import dataclass

from mirror.errors import FormatError
from mirror.formats.encoding import HASH_SIZE, decode_base64, decode_number, encode_base64
from mirror.formats.tlog import MAX_PROOF

MAX_BYTES = 16 * 1024  # a record of 4 kB, 53 hashes (2^53 leaves) and a checkpoint of 8 kB fit
_MAGIC = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Proof:
    """`record` is leaf `leaf` of the tree that the note `checkpoint` commits to."""

    record: bytes
    leaf: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes

    def __bytes__(self) -> bytes:
        lines = [_MAGIC, f"extra {encode_base64(self.record)}", f"index {self.leaf}"]
        lines += map(encode_base64, self.hashes)
        return "\n".join(lines).encode() + b"\n\n" + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> "Proof":
        """Read a proof file, without verifying anything.

        Raises:
            FormatError: too large, or not what `bytes()` writes.
        """
        if len(data) > MAX_BYTES:
            raise FormatError(f"proof: more than {MAX_BYTES} bytes")
        head, gap, checkpoint = data.partition(b"\n\n")
        if not gap:
            raise FormatError("proof: no empty line before its checkpoint")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as e:
            raise FormatError("proof: not ASCII above its checkpoint") from e
        if len(lines) < 3 or lines[0] != _MAGIC:
            raise FormatError(f"proof: does not begin with {_MAGIC}")
        if len(lines) - 3 > MAX_PROOF:
            raise FormatError(f"proof: more than {MAX_PROOF} hashes")
        return cls(
            decode_base64(_after("extra ", lines[1])),
            decode_number(_after("index ", lines[2])),
            tuple(decode_base64(line, size=HASH_SIZE) for line in lines[3:]),
            checkpoint,
        )


def _after(word: str, line: str) -> str:
    if not line.startswith(word):
        raise FormatError(f"proof: a line `{word}…` was expected")
    return line.removeprefix(word)
