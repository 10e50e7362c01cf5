"""The sections of `mirror.toml` about places outside: stores, mirrors, and who watches them."""

import ipaddress
import re
from collections.abc import Callable, Sequence
from os.path import abspath
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from mirror.errors import SettingsError
from mirror.fetch import Proxy
from mirror.guard import is_loopback, is_onion
from mirror.settings.base import Section

Role = Literal["public", "spare", "private"]
"""Of an address: announced to all; kept until another is blocked; never in a list."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_TAKEN = frozenset({"alerts", "cycle"})  # what the mirror itself notes, beside what stores do
_SSH = re.compile(r"[\w.-]{1,64}@(?:[\w.-]{1,253}|\[[0-9a-f:]+\])(?::[0-9]{1,5})?", re.ASCII)
_TO = {
    "folder": r"[^\0\n]+",
    "objects": r"(?:s3|gs|az)://[^/]+(?:/.*)?",
    "git": r"(?:https?|ssh|file)://.+|[\w.-]+@[\w.-]+:.+",
    "rclone": r"[^:/]*:.*",
}
_EXPECTED = {
    "folder": "a folder's path",
    "objects": "s3://BUCKET/FOLDER, gs://… or az://…",
    "git": "the address of a repository",
    "rclone": "REMOTE:PATH as rclone has it",
}


def public_address(value: str) -> str:
    """Return the address of a mirror, which ends in a slash.

    Raises:
        ValueError: not one that a reader could ask.
    """
    try:
        url = urlsplit(value)
        bare = not (url.query or url.fragment or url.username is not None)
        good = _is_asked(url.scheme, url.hostname or "") and bare and url.port != 0
    except ValueError:
        good = False
    if not good or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("https://HOST/ was expected, or http:// for an .onion")
    return value if value.endswith("/") else f"{value}/"


def _is_asked(scheme: str, host: str) -> bool:
    """Return whether readers ask such an address: without TLS only Tor, or nobody, is between."""
    if scheme == "http":
        return is_onion(host) or is_loopback(host)
    return scheme == "https" and host != ""


def _optional_public(value: str) -> str:
    return value and public_address(value)


def _proxy(value: str) -> str:
    if value:
        Proxy.parse(value)
    return value


def _jump(value: str) -> str:
    if value and not _SSH.fullmatch(value):
        raise ValueError("USER@HOST or USER@HOST:PORT was expected")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("at most 31 lower-case letters, digits and hyphens were expected")
    return value


def _free(value: str) -> str:
    if value in _TAKEN:
        raise ValueError("another name was expected: the mirror has this one for itself")
    return value


class StoreSettings(Section):
    """A place outside that the site is written to."""

    name: Annotated[str, AfterValidator(_name), AfterValidator(_free)]
    kind: Literal["folder", "objects", "git", "rclone"]
    to: Annotated[str, Field(min_length=1, max_length=2000)]
    public: Annotated[str, AfterValidator(_optional_public)] = ""
    role: Role = "public"
    secret: str = ""
    options: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not re.fullmatch(_TO[self.kind], self.to):
            raise ValueError(f"to: {_EXPECTED[self.kind]} was expected")
        return self

    @property
    def place(self) -> tuple[object, ...]:
        """Return what leads to it, beside its kind: a secret alone may name an account."""
        if self.kind == "objects" and not self.to.startswith("az:"):
            return self.to.rstrip("/"), self.options.get("endpoint", "").rstrip("/")
        return self.to.rstrip("/"), self.options, self.secret


def check_places(
    stores: Sequence[StoreSettings], path: Path, *, resolved: Callable[[Path], str] = abspath
) -> None:
    """Return if no two stores write to one place; the settings are at `path`.

    Not checked here, unless `resolved` does: links. The disk of a folder may be dead, and would
    stop whoever reads the settings.

    Raises:
        SettingsError: they do; the message names both.
    """
    for number, each in enumerate(stores):
        for before in stores[:number]:
            if each.kind == before.kind and _meet(each, before, path.parent, resolved):
                where = f"{path}: stores.{number}.to"
                raise SettingsError(f'{where}: "{before.name}" writes there already')


def _meet(
    one: StoreSettings, two: StoreSettings, folder: Path, resolved: Callable[[Path], str]
) -> bool:
    if one.kind != "folder":
        return one.place == two.place
    first, second = (Path(resolved(folder / each.to)) for each in (one, two))
    return first.is_relative_to(second) or second.is_relative_to(first)


class MirrorSettings(Section):
    """A public address of the site that is no store's: a volunteer's copy, or a front."""

    url: Annotated[str, AfterValidator(public_address)]
    role: Role = "public"


class Vantage(Section):
    """From where the mirrors are looked at, as a reader there would see them."""

    name: Annotated[str, AfterValidator(_name)]
    country: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = ""
    proxy: Annotated[str, AfterValidator(_proxy)] = ""
    ssh: Annotated[str, AfterValidator(_jump)] = ""
    secret: str = ""
    control: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.proxy and self.ssh:
            raise ValueError("either proxy or ssh was expected, not both")
        if self.ssh and not self.secret:
            raise ValueError("secret was expected with ssh: the folder with id and known_hosts")
        return self


class Watch(Section):
    """How mirrors are looked after."""

    every_s: Annotated[int, Field(ge=10, le=24 * 3600)] = 300
    changes_per_day: Annotated[int, Field(ge=0, le=1000)] = 8
    notify: str = ""


class Dns(Section):
    """A name that leads to a mirror that works, updated by RFC 2136."""

    server: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 53
    zone: str = ""
    name: str = ""
    key: str = ""
    ttl_s: Annotated[int, Field(ge=10, le=24 * 3600)] = 60

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.server:
            return self
        try:
            ipaddress.ip_address(self.server)
        except ValueError as e:
            raise ValueError("server: an address was expected, such as 192.0.2.53") from e
        if not (self.zone and self.name and self.key):
            raise ValueError("zone, name and key were expected with server")
        return self
