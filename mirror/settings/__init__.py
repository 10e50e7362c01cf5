"""The settings file, `mirror.toml`, as values; its messages are for the operator.

`config/mirror.toml` explains every key; a test holds the two together.
"""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from mirror.errors import SettingsError
from mirror.settings.base import Section
from mirror.settings.outside import (
    Dns,
    MirrorSettings,
    StoreSettings,
    Vantage,
    Watch,
    check_places,
)
from mirror.settings.sections import (
    BoxSettings,
    FeedSettings,
    Fetch,
    FieldSettings,
    Ipfs,
    Newsroom,
    Paths,
    Pictures,
    Publish,
    Schedule,
    Serve,
    SiteSettings,
)

MAX_BYTES = 1024 * 1024  # a file of settings is a few kB; a larger one is another file


class Settings(Section):
    """All of `mirror.toml`."""

    newsroom: Newsroom
    feeds: Annotated[list[FeedSettings], Field(min_length=1)]
    sites: list[SiteSettings] = Field(default_factory=list)
    fetch: Fetch = Fetch()
    pictures: Pictures = Pictures()
    schedule: Schedule = Schedule()
    publish: Publish = Publish()
    serve: Serve = Serve()
    ipfs: Ipfs = Ipfs()
    stores: list[StoreSettings] = Field(default_factory=list)
    mirrors: list[MirrorSettings] = Field(default_factory=list)
    watch: Watch = Watch()
    vantages: list[Vantage] = Field(default_factory=list)
    dns: Dns = Dns()
    paths: Paths = Paths()
    box: BoxSettings = BoxSettings()

    @classmethod
    def load(cls, path: Path) -> "Settings":
        """Read a settings file.

        Raises:
            SettingsError: not readable, not TOML, or a key or value that has no meaning;
                the message names file, key, what was expected and what is near.
        """
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as e:
            raise SettingsError(f"{path}: not readable: {e.strerror}") from e
        return cls.parse(data, path)

    @classmethod
    def parse(cls, data: bytes, path: Path) -> "Settings":
        """Read the bytes of a settings file, which is or will be at `path`.

        Raises:
            SettingsError: as `load`.
        """
        if len(data) > MAX_BYTES:
            raise SettingsError(f"{path}: more than {MAX_BYTES} bytes: not a settings file")
        try:
            value = tomllib.loads(data.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
            raise SettingsError(f"{path}: not TOML: {e}") from e
        return cls.of(value, path)

    @classmethod
    def of(cls, value: dict[str, Any], path: Path) -> "Settings":
        """Return the settings that `path`, or who speaks in its place, says.

        Raises:
            SettingsError: a key or a value has no meaning.
        """
        try:
            settings = cls.model_validate(value)
        except ValidationError as e:
            raise SettingsError(f"{path}: {_explained(e)}") from e
        _check_distinct(settings, path)
        return settings


def _check_distinct(settings: Settings, path: Path) -> None:
    named = [("feeds", feed.url) for feed in settings.feeds]
    named += [("sites", site.host) for site in settings.sites]
    named += [("stores", store.name) for store in settings.stores]
    named += [("mirrors", mirror.url) for mirror in settings.mirrors]
    named += [("vantages", vantage.name) for vantage in settings.vantages]
    for section, name in named:
        if named.count((section, name)) > 1:
            raise SettingsError(f"{path}: {section}: {name}: stands there twice")
    check_places(settings.stores, path)


def _explained(e: ValidationError) -> str:
    return "; ".join(_problem(dict(error)) for error in e.errors())


def _problem(error: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{where}: no such key{_near(error['loc'])}"
    if error["type"] == "missing":
        return f"{where}: missing"
    what = error["msg"].removeprefix("Value error, ")
    word = what if what[1:2].isupper() else f"{what[0].lower()}{what[1:]}"
    said = f"{where}: {word}"
    # A whole section would be repeated with all that stands in it, a store's options may be secret.
    if isinstance(error["input"], dict | list) or "options" in error["loc"]:
        return said
    return _without_passwords(f"{said}, not {error['input']!r:.100}")


def _without_passwords(message: str) -> str:
    return re.sub(r"//[^/@]*@", "//…@", message)


def _near(loc: tuple[str | int, ...]) -> str:
    names = _keys_at([part for part in loc[:-1] if isinstance(part, str)])
    close = difflib.get_close_matches(str(loc[-1]), names, n=1, cutoff=0.6)
    if close:
        return f", did you mean {close[0]}?"
    return f": expected one of {', '.join(names)}"


_SECTIONS: dict[str, type[BaseModel]] = {
    "newsroom": Newsroom,
    "feeds": FeedSettings,
    "sites": SiteSettings,
    "pictures": Pictures,
    "fetch": Fetch,
    "schedule": Schedule,
    "publish": Publish,
    "serve": Serve,
    "ipfs": Ipfs,
    "stores": StoreSettings,
    "mirrors": MirrorSettings,
    "watch": Watch,
    "vantages": Vantage,
    "dns": Dns,
    "paths": Paths,
    "box": BoxSettings,
}


def _keys_at(section: list[str]) -> list[str]:
    if section == ["feeds", "fields"]:
        return list(FieldSettings.model_fields)
    model = _SECTIONS[section[0]] if section else Settings
    return list(model.model_fields)
