"""minisign's files, in the one form that minisign, signify and OpenSSL all accept.

Format: https://jedisct1.github.io/minisign/ (legacy `Ed`: the file itself is signed, not its
hash; the prehashed `ED` fails signify and WebCrypto)::

    untrusted comment: signature of mirror.example/times
    RURbb3q…                                    base64("Ed" + key id, 8 + signature, 64)
    trusted comment: path=a/b/c/d/…/1.html origin=mirror.example/times leaf=57 time=…
    kBgk…                                       base64(signature of signature + trusted comment)
"""

import hashlib
import re
from dataclasses import dataclass

from mirror.errors import FormatError
from mirror.formats import ed25519
from mirror.formats.encoding import decode_base64, encode_base64

MAX_BYTES = 2 * 1024  # of a signature file: two short comments and two signatures
_ALGORITHM = b"Ed"
_UNTRUSTED = "untrusted comment: "
_TRUSTED = "trusted comment: "
_COMMENT = re.compile(r"[\x20-\x7e]*", re.ASCII)


def key_id(public: bytes) -> bytes:
    """Return the 8 bytes that tell keys apart: of the key's hash, so nothing is to be kept."""
    return hashlib.sha256(b"minisign" + public).digest()[:8]


def public_line(public: bytes) -> str:
    """Return what `minisign -P` takes: `RW…`."""
    return encode_base64(_ALGORITHM + key_id(public) + public)


def public_of(line: str) -> bytes:
    """Return the public key (32 bytes) in what `minisign -P` takes.

    Raises:
        FormatError: not what `public_line` writes.
    """
    public = decode_base64(line, size=2 + 8 + ed25519.KEY_SIZE)[10:]
    if public_line(public) != line:
        raise FormatError("minisign key: not Ed, its key id and 32 bytes")
    return public


def public_file(public: bytes, *, origin: str) -> bytes:
    """Return the file that `minisign -p` and `signify -p` take."""
    return f"{_UNTRUSTED}minisign public key of {origin}\n{public_line(public)}\n".encode()


@dataclass(frozen=True, slots=True)
class MiniSignature:
    """A signature of a file, and a signature of that together with `trusted`."""

    untrusted: str
    key_id: bytes
    signature: bytes
    trusted: str
    global_signature: bytes

    def __bytes__(self) -> bytes:
        return (
            f"{_UNTRUSTED}{self.untrusted}\n"
            f"{encode_base64(_ALGORITHM + self.key_id + self.signature)}\n"
            f"{_TRUSTED}{self.trusted}\n"
            f"{encode_base64(self.global_signature)}\n"
        ).encode()

    @classmethod
    def parse(cls, data: bytes) -> "MiniSignature":
        """Read a signature file, without verifying it.

        Raises:
            FormatError: not what `bytes()` writes.
        """
        try:
            lines = data[: MAX_BYTES + 1].decode("ascii").split("\n")
        except UnicodeDecodeError as e:
            raise FormatError("minisig: not ASCII") from e
        if len(data) > MAX_BYTES or len(lines) != 5 or lines[4]:
            raise FormatError("minisig: not exactly four lines")
        first = decode_base64(lines[1], size=2 + 8 + ed25519.SIGNATURE_SIZE)
        if first[:2] != _ALGORITHM:
            raise FormatError("minisig: not of the legacy Ed form")
        second = decode_base64(lines[3], size=ed25519.SIGNATURE_SIZE)
        untrusted, trusted = _comment(_UNTRUSTED, lines[0]), _comment(_TRUSTED, lines[2])
        return cls(untrusted, first[2:10], first[10:], trusted, second)

    def accepts(self, public: bytes, data: bytes) -> bool:
        """Return whether the holder of `public` signed `data` with this trusted comment."""
        return (
            self.key_id == key_id(public)
            and ed25519.verify(public, self.signature, data)
            and ed25519.verify(public, self.global_signature, _bound(self.signature, self.trusted))
        )


def sign(seed: bytes, data: bytes, *, untrusted: str, trusted: str) -> MiniSignature:
    """Return the signature of `data`; both comments are printable ASCII."""
    signature = ed25519.sign(seed, data)
    bound = ed25519.sign(seed, _bound(signature, trusted))
    public = ed25519.public_of(seed)
    return MiniSignature(untrusted, key_id(public), signature, trusted, bound)


def _bound(signature: bytes, trusted: str) -> bytes:
    return signature + trusted.encode("ascii")


def _comment(prefix: str, line: str) -> str:
    if not line.startswith(prefix) or not _COMMENT.fullmatch(line):
        raise FormatError(f"minisig: a line `{prefix}…` was expected")
    return line.removeprefix(prefix)
