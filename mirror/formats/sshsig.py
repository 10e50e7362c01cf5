"""SSH signatures, which `ssh-keygen -Y verify` on nearly every computer can check.

Format: OpenSSH PROTOCOL.sshsig, armored, namespace `article@mirror`, sha512::

    -----BEGIN SSH SIGNATURE-----
    U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg…      (lines of 70 characters)
    -----END SSH SIGNATURE-----
"""

import hashlib
from dataclasses import dataclass

from mirror.errors import FormatError
from mirror.formats import ed25519
from mirror.formats.encoding import decode_base64, encode_base64

NAMESPACE = "article@mirror"
MAX_BYTES = 2 * 1024  # an Ed25519 signature has about 300
_MAGIC = b"SSHSIG"
_VERSION = (1).to_bytes(4, "big")
_TYPE = b"ssh-ed25519"
_HASH = b"sha512"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_WIDTH = 70


@dataclass(frozen=True, slots=True)
class SshSignature:
    """The holder of `public` made `signature` in the namespace `article@mirror`."""

    public: bytes
    signature: bytes

    def __bytes__(self) -> bytes:
        parts = (_public_blob(self.public), NAMESPACE.encode(), b"", _HASH)
        blob = _MAGIC + _VERSION + _strings(*parts, _strings(_TYPE, self.signature))
        text = encode_base64(blob)
        lines = [text[i : i + _WIDTH] for i in range(0, len(text), _WIDTH)]
        return "\n".join([_BEGIN, *lines, _END, ""]).encode()

    @classmethod
    def parse(cls, data: bytes) -> "SshSignature":
        """Read a `.sig` file, without verifying it.

        Raises:
            FormatError: not what `bytes()` writes.
        """
        if len(data) > MAX_BYTES:
            raise FormatError(f"sshsig: more than {MAX_BYTES} bytes")
        try:
            lines = data.decode("ascii").split("\n")
        except UnicodeDecodeError as e:
            raise FormatError("sshsig: not ASCII") from e
        blob = decode_base64("".join(lines[1:-2]))
        at = len(_MAGIC + _VERSION) + 4 + len(_strings(_TYPE)) + 4
        found = cls(blob[at : at + ed25519.KEY_SIZE], blob[-ed25519.SIGNATURE_SIZE :])
        if bytes(found) != data:
            raise FormatError("sshsig: not an armored Ed25519 signature for article@mirror")
        return found

    def accepts(self, public: bytes, data: bytes) -> bool:
        """Return whether the holder of `public` signed `data`."""
        return self.public == public and ed25519.verify(public, self.signature, _signed(data))


def sign(seed: bytes, data: bytes) -> SshSignature:
    """Return the signature of `data`."""
    return SshSignature(ed25519.public_of(seed), ed25519.sign(seed, _signed(data)))


def public_line(public: bytes) -> str:
    """Return the key as `authorized_keys` and `allowed_signers` have it, without a comment."""
    return f"{_TYPE.decode()} {encode_base64(_public_blob(public))}"


def public_of(line: str) -> bytes:
    """Return the public key (32 bytes) in `ssh-ed25519 …`.

    Raises:
        FormatError: not what `public_line` writes.
    """
    public = decode_base64(line.partition(" ")[2])[-ed25519.KEY_SIZE :]
    if public_line(public) != line:
        raise FormatError("ssh key: not `ssh-ed25519` and its base64")
    return public


def allowed_signers(public: bytes, *, origin: str) -> bytes:
    """Return the file that `ssh-keygen -Y verify -f` takes; the identity is `origin`."""
    return f'{origin} namespaces="{NAMESPACE}" {public_line(public)}\n'.encode()


def _signed(data: bytes) -> bytes:
    return _MAGIC + _strings(NAMESPACE.encode(), b"", _HASH, hashlib.sha512(data).digest())


def _public_blob(public: bytes) -> bytes:
    return _strings(_TYPE, public)


def _strings(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
