"""The settings file, `mirror.toml`, as values; its messages are for the operator.

`config/mirror.toml` explains every key; a test holds the two together.
"""

import difflib
import ipaddress
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mirror.errors import FormatError, SettingsError
from mirror.formats.checkpoint import check_origin
from mirror.formats.url import canonical_url
from mirror.guard import host_and_port

MAX_BYTES = 1024 * 1024  # a file of settings is a few kB; a larger one is another file

_NODE = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::([0-9]{1,5}))?/?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _name(value: str) -> str:
    if _CONTROL.search(value):  # it stands on every page and in terminals
        raise ValueError("a name without control characters was expected")
    return value


def _origin(value: str) -> str:
    try:
        return check_origin(value)
    except FormatError as e:
        raise ValueError(str(e)) from e


def _address(value: str) -> str:
    try:
        canonical_url(value)
    except FormatError as e:
        raise ValueError(str(e)) from e
    return value


def _optional_address(value: str) -> str:
    return value and _address(value)


def _host(value: str) -> str:
    expected = "a host with its port was expected, such as 10.0.0.5:8080"
    try:
        _, port = host_and_port(value)
    except ValueError as e:
        raise ValueError(expected) from e
    if port == 0 or not value.endswith(f":{port}") or value.split() != [value]:
        raise ValueError(expected)  # yarl forgives what is no port, and spaces
    return value


def _listening(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError as e:
        raise ValueError("an address of this machine was expected, such as 127.0.0.1") from e
    return value


def _node(value: str) -> str:
    match = _NODE.fullmatch(value)
    if value and not (match and 0 < int(match[1] or 80) < 65536):
        raise ValueError("http://HOST:PORT was expected, such as http://127.0.0.1:5001")
    return value.rstrip("/")


class Newsroom(_Section):
    """Whose articles are mirrored."""

    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_name)]
    origin: Annotated[str, AfterValidator(_origin)]
    lang: Annotated[str, Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")] = "en"
    home: Annotated[str, AfterValidator(_optional_address)] = ""


class FeedSettings(_Section):
    """One feed of the newsroom."""

    url: Annotated[str, AfterValidator(_address)]
    text: Literal["auto", "feed", "page"] = "auto"


class Fetch(_Section):
    """How sources are asked."""

    allow_hosts: list[Annotated[str, AfterValidator(_host)]] = []
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    parallel: Annotated[int, Field(ge=1, le=64)] = 4
    user_agent: Annotated[str, Field(pattern=r"^[\x20-\x7e]*$", max_length=200)] = ""


class Schedule(_Section):
    """How often sources are asked."""

    interval_s: Annotated[int, Field(ge=10, le=7 * 24 * 3600)] = 900


class Publish(_Section):
    """When what is new is signed."""

    delay_s: Annotated[int, Field(ge=0, le=30 * 24 * 3600)] = 0


class Serve(_Section):
    """The built-in server."""

    host: Annotated[str, AfterValidator(_listening)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    close: bool = True


class Ipfs(_Section):
    """The IPFS node that carries the site."""

    api: Annotated[str, AfterValidator(_node)] = ""
    gateway: Annotated[str, AfterValidator(_node)] = ""
    secret: str = ""


class Paths(_Section):
    """Where things are kept, relative to the settings file."""

    keys: str = "keys"
    state: str = "state.db"
    site: str = "site"


class BoxSettings(_Section):
    """The workers that parse."""

    workers: Annotated[int, Field(ge=0, le=64)] = 0


class Settings(_Section):
    """All of `mirror.toml`."""

    newsroom: Newsroom
    feeds: Annotated[list[FeedSettings], Field(min_length=1)]
    fetch: Fetch = Fetch()
    schedule: Schedule = Schedule()
    publish: Publish = Publish()
    serve: Serve = Serve()
    ipfs: Ipfs = Ipfs()
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
        try:
            settings = cls.model_validate(value)
        except ValidationError as e:
            raise SettingsError(f"{path}: {_explained(e)}") from e
        _check_distinct(settings, path)
        return settings


def _check_distinct(settings: Settings, path: Path) -> None:
    urls = [feed.url for feed in settings.feeds]
    for url in urls:
        if urls.count(url) > 1:
            raise SettingsError(f"{path}: feeds: {url}: stands there twice")


def _explained(e: ValidationError) -> str:
    return "; ".join(_problem(dict(error)) for error in e.errors())


def _problem(error: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{where}: no such key{_near(error['loc'])}"
    if error["type"] == "missing":
        return f"{where}: missing"
    what = error["msg"].removeprefix("Value error, ")
    return _without_passwords(f"{where}: {what[0].lower()}{what[1:]}, not {error['input']!r:.100}")


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
    "fetch": Fetch,
    "schedule": Schedule,
    "publish": Publish,
    "serve": Serve,
    "ipfs": Ipfs,
    "paths": Paths,
    "box": BoxSettings,
}


def _keys_at(section: list[str]) -> list[str]:
    model = _SECTIONS[section[0]] if section else Settings
    return list(model.model_fields)
