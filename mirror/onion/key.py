"""The key of an onion service (version 3), in the files that Tor keeps it in.

Format: https://spec.torproject.org/rend-spec/encoding-onion-addresses.html ::

    hs_ed25519_secret_key    "== ed25519v1-secret: type0 ==" 00 00 00, 64 bytes: SHA-512 of a seed
    hs_ed25519_public_key    "== ed25519v1-public: type0 ==" 00 00 00, 32 bytes
    hostname                 base32(public key, checksum, 03) ".onion"

Size: 230 bytes. If lost: the address is, with every link to it. Whoever holds it can answer in
the service's place; nobody believes more of it than of any mirror.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from mirror.errors import FormatError, SettingsError
from mirror.files import write_durably
from mirror.formats import ed25519

SECRET_FILE = "hs_ed25519_secret_key"  # noqa: S105 - its name
PUBLIC_FILE = "hs_ed25519_public_key"
HOSTNAME_FILE = "hostname"

_SECRET = b"== ed25519v1-secret: type0 ==\0\0\0"
_PUBLIC = b"== ed25519v1-public: type0 ==\0\0\0"
_VERSION = b"\x03"


@dataclass(frozen=True, slots=True)
class OnionKey:
    """`expanded` (64 bytes) signs for `public` (32 bytes)."""

    public: bytes
    expanded: bytes = field(repr=False)

    @classmethod
    def of(cls, seed: bytes) -> "OnionKey":
        """Return the key that RFC 8032 makes of 32 random bytes."""
        digest = bytearray(hashlib.sha512(seed).digest())
        digest[0] &= 248
        digest[31] = digest[31] & 63 | 64
        return cls(ed25519.public_of(seed), bytes(digest))

    @property
    def address(self) -> str:
        """The host's name."""
        return address_of(self.public)


def address_of(public: bytes) -> str:
    """Return the host's name of the service that has a public key (32 bytes)."""
    text = base64.b32encode(public + _checksum(public) + _VERSION).decode().lower()
    return f"{text}.onion"


def check_address(address: str) -> str:
    """Return `address` if it is one: a letter mistyped leads to somebody else, or to nobody.

    Raises:
        FormatError: it is not.
    """
    body = address.removesuffix(".onion")
    if len(body) == 56 and body != address and set(body) <= set("abcdefghijklmnopqrstuvwxyz234567"):
        public = base64.b32decode(body.upper())[:32]
        if address_of(public) == address:
            return address
    raise FormatError(f"onion: not an address of version 3: {address!r:.100}")


def _checksum(public: bytes) -> bytes:
    return hashlib.sha3_256(b".onion checksum" + public + _VERSION).digest()[:2]


def read_or_make(folder: Path) -> OnionKey:
    """Return the key in `folder`, which is made, with the key, where there is none.

    Only its owner may read the folder: Tor starts with no other.

    Raises:
        SettingsError: what is there is no key, others may read it, or it cannot be made.
    """
    try:
        return _read(folder) if (folder / SECRET_FILE).exists() else _make(folder)
    except OSError as e:
        raise SettingsError(f"{folder}: the onion's key: {e.strerror}") from e


def _read(folder: Path) -> OnionKey:
    file = folder / SECRET_FILE
    if (folder.stat().st_mode | file.stat().st_mode) & 0o077:
        raise SettingsError(f"{file}: others may read it: chmod go= the folder and the file")
    secret, public = file.read_bytes(), (folder / PUBLIC_FILE).read_bytes()
    if len(secret) != 96 or len(public) != 64:
        raise SettingsError(f"{file}: not a key as tor keeps it")
    if not (secret.startswith(_SECRET) and public.startswith(_PUBLIC)):
        raise SettingsError(f"{file}: not a key as tor keeps it")
    return OnionKey(public[32:], secret[32:])


def _make(folder: Path) -> OnionKey:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    key = OnionKey.of(secrets.token_bytes(32))
    for name, data in (
        (HOSTNAME_FILE, f"{key.address}\n".encode()),
        (PUBLIC_FILE, _PUBLIC + key.public),
        (SECRET_FILE, _SECRET + key.expanded),  # the last: where it is, the others are
    ):
        write_durably(folder / name, data)
        (folder / name).chmod(0o600)
    return key
