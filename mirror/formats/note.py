"""Signed notes: text that people can read, and who signed it.

Format: https://c2sp.org/signed-note, and cosignature/v1 of
https://c2sp.org/tlog-cosignature for keys of type 0x04::

    mirror.example/times
    923748
    nND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=

    — mirror.example/times Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1…

A key's text form (vkey) is `name+4 bytes of hash, hex+base64(type, public key)`.
"""

import hashlib
import re
from dataclasses import dataclass

from mirror.errors import FormatError
from mirror.formats import ed25519
from mirror.formats.encoding import decode_base64, encode_base64

ED25519 = 0x01
COSIGNATURE = 0x04
MAX_SIGNATURES = 32  # verifying one costs about 0.1 ms; more are an attack on the verifier
ID_SIZE = 4  # bytes of a key's hash that a signature line begins with
TIMESTAMP_SIZE = 8  # bytes, big-endian Unix seconds, of a cosignature

_NAME = re.compile(r"[^\s+\x00-\x1f\x7f\ud800-\udfff]{1,255}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_LINE = re.compile(r"— (\S+) (\S+)")


@dataclass(frozen=True, slots=True)
class Key:
    """Whoever holds the secret of `public` (32 bytes) signs notes as `name`."""

    name: str
    type: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes that a signature line begins with."""
        named = self.name.encode() + b"\n" + bytes([self.type]) + self.public
        return hashlib.sha256(named).digest()[:ID_SIZE]

    def __str__(self) -> str:
        encoded = encode_base64(bytes([self.type]) + self.public)
        return f"{self.name}+{self.id.hex()}+{encoded}"

    @classmethod
    def parse(cls, vkey: str) -> "Key":
        """Read a vkey of one of the two types that are used here.

        Raises:
            FormatError: not what `str()` writes.
        """
        name, _, rest = vkey.partition("+")
        _, _, encoded = rest.partition("+")
        material = decode_base64(encoded, size=1 + ed25519.KEY_SIZE)
        key = cls(name, material[0], material[1:])
        if not _NAME.fullmatch(name) or key.type not in (ED25519, COSIGNATURE) or str(key) != vkey:
            raise FormatError("vkey: not name+hash+key of an Ed25519 or cosignature key")
        return key

    def accepts(self, text: str, blob: bytes) -> bool:
        """Return whether `blob`, what follows the key's id in a line, signs `text`."""
        if self.type == ED25519:
            return ed25519.verify(self.public, blob, text.encode())
        stamp, signature = blob[:TIMESTAMP_SIZE], blob[TIMESTAMP_SIZE:]
        return ed25519.verify(self.public, signature, _cosigned(text, timestamp(stamp)))


@dataclass(frozen=True, slots=True)
class Signature:
    """A line of a note: `name`'s key with this `id` made `blob` (not verified yet)."""

    name: str
    id: bytes
    blob: bytes

    def __str__(self) -> str:
        return f"— {self.name} {encode_base64(self.id + self.blob)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """`text`, which ends in a newline, and its signature lines in order."""

    text: str
    signatures: tuple[Signature, ...]

    def __bytes__(self) -> bytes:
        return (self.text + "\n" + "".join(map(str, self.signatures))).encode()

    @classmethod
    def parse(cls, data: bytes) -> "Note":
        """Read a note, without verifying anything; the caller bounds its length first.

        Raises:
            FormatError: not what `bytes()` writes, or with a control character.
        """
        try:
            whole = data.decode()
        except UnicodeDecodeError as e:
            raise FormatError("note: not UTF-8") from e
        if _CONTROL.search(whole):
            raise FormatError("note: a control character")
        text, gap, lines = whole.rpartition("\n\n")
        if not gap or not text or not lines.endswith("\n"):
            raise FormatError("note: text, an empty line and signatures were expected")
        split = lines[:-1].split("\n")
        if len(split) > MAX_SIGNATURES:
            raise FormatError(f"note: more than {MAX_SIGNATURES} signatures")
        return cls(text + "\n", tuple(map(_signature, split)))


def sign(text: str, key: Key, seed: bytes) -> Signature:
    """Return `key`'s signature line on `text`."""
    return Signature(key.name, key.id, ed25519.sign(seed, text.encode()))


def cosign(text: str, key: Key, seed: bytes, *, time: int) -> Signature:
    """Return `key`'s cosignature/v1: at `time` (Unix seconds) this was the newest it knew."""
    stamp = time.to_bytes(TIMESTAMP_SIZE, "big")
    return Signature(key.name, key.id, stamp + ed25519.sign(seed, _cosigned(text, time)))


def timestamp(blob: bytes) -> int:
    """Return the Unix seconds that a cosignature's blob begins with."""
    return int.from_bytes(blob[:TIMESTAMP_SIZE], "big")


def _cosigned(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _signature(line: str) -> Signature:
    match = _LINE.fullmatch(line)
    if not match or not _NAME.fullmatch(match[1]):
        raise FormatError("note: a signature line is not `— name base64`")
    blob = decode_base64(match[2])
    if len(blob) <= ID_SIZE:
        raise FormatError("note: a signature line holds no signature")
    return Signature(match[1], blob[:ID_SIZE], blob[ID_SIZE:])
