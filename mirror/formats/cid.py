"""Content ids: the hash of a block, and what kind of bytes it is the hash of.

Format: https://github.com/multiformats/cid, version 1, hashed with sha2-256, in base32::

    bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e      raw, of `hello world`
    01 55 12 20 b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9

A file of at most 1 MiB is one raw block: its CID is its SHA-256 after four known bytes.
Version 0 (`Qm…`), other codecs, other hashes and other bases are refused: the site has none.
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from mirror.errors import FormatError
from mirror.formats.encoding import HASH_SIZE

RAW = 0x55
DAG_PB = 0x70
SIZE = 4 + HASH_SIZE  # bytes, binary: version, codec, hash function, its length, the hash
MAX_VARINT = 9  # bytes: https://github.com/multiformats/unsigned-varint, numbers below 2^63
PROBE = "bafkqaaa"
"""The empty block under the identity hash, by which gateways are probed; not a `Cid` here."""

Buffer = bytes | bytearray | memoryview
"""Bytes that are read where they lie: a slice of a `memoryview` copies nothing."""

_SHA2_256 = b"\x12\x20"
_TEXT = re.compile(r"b[a-z2-7]{58}", re.ASCII)
_SHORT = [bytes([number]) for number in range(0x80)]


@dataclass(frozen=True, slots=True)
class Cid:
    """The block of kind `codec` whose SHA-256 is `digest` (32 bytes)."""

    codec: int
    digest: bytes

    def __bytes__(self) -> bytes:
        return b"\x01" + _SHORT[self.codec] + _SHA2_256 + self.digest

    def __str__(self) -> str:
        return "b" + base64.b32encode(bytes(self)).decode().lower().rstrip("=")

    @classmethod
    def of(cls, block: Buffer, *, codec: int = RAW) -> "Cid":
        """Return the CID of a block."""
        return cls(codec, hashlib.sha256(block).digest())

    @classmethod
    def parse(cls, text: str) -> "Cid":
        """Read the text form.

        Raises:
            FormatError: not what `str()` writes, `bafkqaaa` and version 0 among it.
        """
        if not _TEXT.fullmatch(text):
            raise FormatError(f"cid: not of version 1, sha2-256, in base32: {text!r:.70}")
        cid = cls.decode(base64.b32decode(text[1:].upper() + "=" * 6))
        if str(cid) != text:
            raise FormatError("cid: base32 that is not in its one canonical form")
        return cid

    @classmethod
    def decode(cls, data: Buffer) -> "Cid":
        """Read the binary form.

        Raises:
            FormatError: not what `bytes()` writes.
        """
        data = bytes(data[: SIZE + 1])
        if data.startswith(_SHA2_256):
            raise FormatError("cid: of version 0")
        if len(data) != SIZE or data[0] != 1:
            raise FormatError("cid: not the 36 bytes of one of version 1 with sha2-256")
        if data[1] not in (RAW, DAG_PB):
            raise FormatError(f"cid: codec {data[1]:#x} where raw or dag-pb was expected")
        if data[2:4] != _SHA2_256:
            raise FormatError("cid: another hash than sha2-256")
        return cls(data[1], data[4:])


def encode_varint(number: int) -> bytes:
    """Return `number`, from 0 to 2^63 - 1, seven bits a byte, the lowest first."""
    if number < 0x80:
        return _SHORT[number]
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def decode_varint(data: Buffer, at: int = 0) -> tuple[int, int]:
    """Return the number that begins at `at`, and where it ends.

    Raises:
        FormatError: it is broken off, has over 9 bytes, or more of them than it needs.
    """
    if at < len(data) and data[at] < 0x80:
        return data[at], at + 1
    number = 0
    for place, byte in enumerate(data[at : at + MAX_VARINT]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            if not byte and place:
                raise FormatError("varint: longer than it needs to be")
            return number, at + place + 1
    raise FormatError("varint: broken off, or of more than 9 bytes")


def murmur3(data: bytes) -> bytes:
    """Return the multihash murmur3-x64-64, by which large folders are sharded.

    The first 8 bytes of MurmurHash3_x64_128 with seed 0, as a big-endian number. No security:
    names with one hash are easily made, so the depth of shards is bounded.
    """
    h1 = h2 = 0
    full = len(data) & ~15
    for at in range(0, full, 16):
        h1 ^= _mixed(data[at : at + 8], _C1, 31, _C2)
        h1 = ((_turned(h1, 27) + h2) * 5 + 0x52DCE729) & _M
        h2 ^= _mixed(data[at + 8 : at + 16], _C2, 33, _C1)
        h2 = ((_turned(h2, 31) + h1) * 5 + 0x38495AB5) & _M
    h1 ^= _mixed(data[full : full + 8], _C1, 31, _C2) ^ len(data)
    h2 ^= _mixed(data[full + 8 :], _C2, 33, _C1) ^ len(data)
    h1 = (h1 + h2) & _M
    h2 = (h2 + h1) & _M
    return ((_avalanche(h1) + _avalanche(h2)) & _M).to_bytes(8, "big")


_C1, _C2, _M = 0x87C37B91114253D5, 0x4CF5AD432745937F, 2**64 - 1


def _turned(number: int, bits: int) -> int:
    return (number << bits | number >> 64 - bits) & _M


def _mixed(data: bytes, first: int, bits: int, second: int) -> int:
    return _turned(int.from_bytes(data, "little") * first & _M, bits) * second & _M


def _avalanche(number: int) -> int:
    number = (number ^ number >> 33) * 0xFF51AFD7ED558CCD & _M
    number = (number ^ number >> 33) * 0xC4CEB9FE1A85EC53 & _M
    return number ^ number >> 33
