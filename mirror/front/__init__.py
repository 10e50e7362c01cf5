"""What stands before readers: whole configurations for Caddy and nginx, made from one table.

The rules are the built-in server's, which cannot speak TLS: one page, one connection, headers
that let nothing run, and nobody's address in any file.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from mirror.errors import SettingsError

__all__ = ["Front", "Listen"]

_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_PORT = "(?::[1-9][0-9]{0,4})"
_PLACE = r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]{2,39}\])"
_UPSTREAM = re.compile(f"http://{_PLACE}{_PORT}/?")
_ACME = re.compile(f"https://{_PLACE}{_PORT}?(?:/[A-Za-z0-9._~-]+)*/?")
_ONION = re.compile(r"[a-z2-7]{56}\.onion")
_LISTEN = re.compile(r"(?:([0-9.]{7,15}|\[[0-9a-f:]{2,39}\]):)?([1-9][0-9]{0,4})")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_EXPANDED = frozenset("$`{}\\")
"""What neither program reads as itself in a quoted string: variables, placeholders, escapes."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Readers connect to `port` of `host`; of every address of the machine if that is ""."""

    host: str = ""
    port: int = 443

    @classmethod
    def parse(cls, text: str) -> "Listen":
        """Read `PORT`, `127.0.0.1:PORT` or `[::1]:PORT`.

        Raises:
            SettingsError: none of these.
        """
        found = _LISTEN.fullmatch(text)
        if not found or int(found[2]) > 65535:
            raise SettingsError("listen: PORT or ADDRESS:PORT was expected")
        return cls(found[1] or "", int(found[2]))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.host else str(self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Under `name`, readers get the folder `site` or, without one, what `upstream` answers.

    Nothing in it means anything to the programs that read it but itself: each word is of a form
    that was checked, and a path has no character that a quoted string of theirs would expand.
    `certificate` is the files of the chain and of its key; without it an ACME server is asked,
    the one at `acme` or else the program's own.
    """

    name: str
    site: Path | None = None
    upstream: str = ""
    onion: str = ""
    acme: str = ""
    certificate: tuple[Path, Path] | None = None
    listen: Listen = Listen()
    user: str = ""

    def __post_init__(self) -> None:
        """Check every word.

        Raises:
            SettingsError: one could mean something else to the program that reads it.
        """
        if bool(self.site) == bool(self.upstream):
            raise SettingsError("front: either a site or an upstream was expected")
        if self.acme and self.certificate:
            raise SettingsError("front: either acme or a certificate was expected, not both")
        for what, word, form, expected in (
            ("name", self.name, _HOST, "a host's name in small letters, such as news.example"),
            ("upstream", self.upstream, _UPSTREAM, "http://HOST:PORT"),
            ("onion", self.onion, _ONION, "56 characters and .onion"),
            ("acme", self.acme, _ACME, "https://HOST/PATH"),
            ("user", self.user, _USER, "the name of a user of the system"),
        ):
            if (word or what == "name") and not form.fullmatch(word):
                raise SettingsError(f"{what}: {expected} was expected")
        for path in filter(None, (self.site, *(self.certificate or ()))):
            quoted(path)

    @property
    def behind(self) -> str:
        """The upstream without a slash at its end, which would rewrite targets."""
        return self.upstream.rstrip("/")


def quoted(path: Path) -> str:
    """Return a path as one word of a configuration; both programs quote alike.

    Raises:
        SettingsError: a part of it would be expanded, or it depends on where one stands.
    """
    text = str(path)
    if not path.is_absolute() or not text.isprintable() or _EXPANDED & set(text):
        raise SettingsError(
            f"{text!r:.200}: a whole path without control characters and any of $ ` {{ }} \\"
            " was expected"
        )
    return '"' + text.replace('"', '\\"') + '"'
