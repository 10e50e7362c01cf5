"""The sections of `mirror.toml`, and what each key may be.

`config/mirror.toml` explains every key; a test holds the two together.
"""

import ipaddress
import re
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from mirror.article.extraction.siterules import SiteRules, check_rules
from mirror.errors import FormatError
from mirror.fetch import Proxy
from mirror.formats.checkpoint import check_origin
from mirror.formats.url import canonical_url
from mirror.guard import host_and_port
from mirror.settings.base import Section

_NODE = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::([0-9]{1,5}))?/?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


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


def _zone(value: str) -> str:
    try:
        return value and ZoneInfo(value).key
    except (ValueError, OSError, LookupError) as e:
        raise ValueError("a time zone was expected, such as Europe/Moscow") from e


def _proxy(value: str) -> str:
    if value:
        Proxy.parse(value)
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


_Language = Annotated[str, Field(pattern=r"^([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*)?$")]


class Newsroom(Section):
    """Whose articles are mirrored."""

    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_name)]
    origin: Annotated[str, AfterValidator(_origin)]
    lang: Annotated[_Language, Field(min_length=2)] = "en"
    home: Annotated[str, AfterValidator(_optional_address)] = ""


_Path = Annotated[str, Field(pattern=r"^[\w.:-]*(/[\w.:-]+)*(@[\w.:-]+)?$", max_length=200)]


class FieldSettings(Section):
    """Where the fields of an entry stand in a feed of plain XML; no `entry` for other feeds."""

    entry: Annotated[str, Field(pattern=r"^[\w.:-]*$", max_length=200)] = ""
    link: _Path = ""
    guid: _Path = ""
    title: _Path = ""
    html: _Path = ""
    authors: _Path = ""
    published: _Path = ""
    tags: _Path = ""
    picture: _Path = ""


class FeedSettings(Section):
    """One feed of the newsroom."""

    url: Annotated[str, AfterValidator(_address)]
    text: Literal["auto", "feed", "page"] = "auto"
    lang: _Language = ""
    timezone: Annotated[str, AfterValidator(_zone)] = ""
    fields: FieldSettings = FieldSettings()


class SiteSettings(Section):
    """Where on the pages of a site the article is."""

    host: Annotated[str, Field(pattern=r"^[a-z0-9.-]+$", max_length=253)]
    text: str = ""
    remove: list[str] = Field(default_factory=list)
    title: str = ""
    authors: str = ""
    published: str = ""
    tags: str = ""
    figure: str = ""
    caption: str = ""
    credit: str = ""
    number: Annotated[str, Field(max_length=200)] = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            check_rules(self.rules)
        except FormatError as e:
            raise ValueError(str(e)) from e
        return self

    @property
    def rules(self) -> SiteRules:
        """The same, for those who read pages."""
        return SiteRules(**{**self.model_dump(), "remove": tuple(self.remove)})


class Fetch(Section):
    """How sources are asked."""

    allow_hosts: list[Annotated[str, AfterValidator(_host)]] = Field(default_factory=list)
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    parallel: Annotated[int, Field(ge=1, le=64)] = 4
    per_host: Annotated[int, Field(ge=1, le=64)] = 2
    user_agent: Annotated[str, Field(pattern=r"^[\x20-\x7e]*$", max_length=200)] = ""
    robots: bool = True
    proxy: Annotated[str, AfterValidator(_proxy)] = ""
    secret: str = ""


class Schedule(Section):
    """How often sources are asked."""

    interval_s: Annotated[int, Field(ge=10, le=7 * 24 * 3600)] = 900
    shortest_s: Annotated[int, Field(ge=10, le=7 * 24 * 3600)] = 120
    recheck: bool = True


class Pictures(Section):
    """What is done with an article's pictures."""

    fetch: bool = True
    large_px: Annotated[int, Field(ge=0, le=4096)] = 0


class Publish(Section):
    """When what is new is signed."""

    delay_s: Annotated[int, Field(ge=0, le=30 * 24 * 3600)] = 0


class Serve(Section):
    """The built-in server."""

    host: Annotated[str, AfterValidator(_listening)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    close: bool = True


class Ipfs(Section):
    """The IPFS node that carries the site."""

    api: Annotated[str, AfterValidator(_node)] = ""
    gateway: Annotated[str, AfterValidator(_node)] = ""
    secret: str = ""


class Paths(Section):
    """Where things are kept, relative to the settings file."""

    keys: str = "keys"
    state: str = "state.db"
    site: str = "site"


class BoxSettings(Section):
    """The workers that parse."""

    workers: Annotated[int, Field(ge=0, le=64)] = 0
