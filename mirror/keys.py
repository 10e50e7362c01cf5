"""The online secrets: five Ed25519 seeds, each for exactly one purpose, one file each.

32 bytes a file, as PKCS #8 PEM that OpenSSL reads. If lost: the log cannot go on, its root
must be replaced. Who could abuse them: whoever holds them publishes in the newsroom's name
until the holders of the root cut the log.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from mirror.errors import SettingsError
from mirror.formats import ed25519, minisig, note, sshsig
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.encoding import encode_time
from mirror.formats.note import COSIGNATURE, ED25519, Key, Note
from mirror.formats.record import Record
from mirror.formats.root import Log

NAMES = ("articles", "log", "clock", "minisign", "ssh")


@dataclass(frozen=True, slots=True)
class Keys:
    """The seeds of one origin's keys; `repr` would show them, so it does not."""

    origin: str
    seeds: dict[str, bytes]

    def __repr__(self) -> str:
        return f"Keys({self.origin!r})"

    def public(self, name: str) -> bytes:
        """Return the public key (32 bytes) of one purpose."""
        return ed25519.public_of(self.seeds[name])

    @property
    def log_entry(self) -> Log:
        """The log as a root names it, open and without cosigners."""
        return Log(self.origin, self.log, self.articles, self.clock)

    @property
    def log(self) -> Key:
        """The key that signs checkpoints."""
        return Key(self.origin, ED25519, self.public("log"))

    @property
    def articles(self) -> Key:
        """The key that signs records."""
        return Key(f"{self.origin}/articles", ED25519, self.public("articles"))

    @property
    def clock(self) -> Key:
        """The key that says until when a checkpoint was the newest."""
        return Key(f"{self.origin}/clock", COSIGNATURE, self.public("clock"))

    def seal(self, record: Record) -> bytes:
        """Return a leaf: `record` as a note signed by the article key."""
        text = str(record)
        return bytes(Note(text, (note.sign(text, self.articles, self.seeds["articles"]),)))

    def sign_checkpoint(self, checkpoint: Checkpoint, *, time: int) -> bytes:
        """Return `checkpoint` as a note signed by the log, and by the clock at `time`."""
        text = str(checkpoint)
        signed = note.sign(text, self.log, self.seeds["log"])
        cosigned = note.cosign(text, self.clock, self.seeds["clock"], time=time)
        return bytes(Note(text, (signed, cosigned)))

    def sign_file(
        self, path: str, data: bytes, *, leaf: int, time: int, more: str = ""
    ) -> dict[str, bytes]:
        """Return the `.minisig` and `.sig` of the file at `path`, by their paths.

        `more` ends the trusted comment that a person must read: ` size=… expires=…` of heads.
        """
        at = f"leaf={leaf} time={encode_time(time)}"
        mini = minisig.sign(
            self.seeds["minisign"],
            data,
            untrusted=f"signature of {self.origin}",
            trusted=f"path={path} origin={self.origin} {at}{more}",
        )
        ssh = sshsig.sign(self.seeds["ssh"], data)
        return {f"{path}.minisig": bytes(mini), f"{path}.sig": bytes(ssh)}

    @classmethod
    def make(cls, origin: str) -> "Keys":
        """Return new secrets from the operating system's random source."""
        return cls(origin, {name: secrets.token_bytes(ed25519.KEY_SIZE) for name in NAMES})

    @classmethod
    def load(cls, folder: Path, *, origin: str) -> "Keys":
        """Return the secrets in `folder`.

        Raises:
            SettingsError: a file is missing or holds no Ed25519 secret.
        """
        return cls(origin, {name: read_secret(folder / f"{name}.pem") for name in NAMES})

    def save(self, folder: Path) -> None:
        """Write the secrets into a new `folder` that only its owner can enter."""
        folder.mkdir(mode=0o700)
        for name, seed in self.seeds.items():
            write_secret(folder / f"{name}.pem", seed)


def read_secret(path: Path) -> bytes:
    """Return the seed (32 bytes) in a PEM file.

    Raises:
        SettingsError: not there, not readable, or another kind of key.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as e:
        raise SettingsError(f"{path}: no readable secret: {e}") from e
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{path}: not an Ed25519 secret")
    return key.private_bytes_raw()


def write_secret(path: Path, seed: bytes) -> None:
    """Write a seed into a new file that only its owner can read; never over an old one."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
