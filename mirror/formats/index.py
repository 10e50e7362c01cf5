"""The index document and the catalogue's nodes: the titles, in documents that are replaced.

Formats README, section 6. UTF-8 JSON without spaces, keys in exactly this order::

    {"v":1,"origin":"…","root":1,"name":"…","lang":"en","issued":"…","count":412,
     "newest":[item, …],"catalogue":[{"len":…,"sha256":"…"}, …],"mirrors":[…]}
    {"v":1,"items":[item, …]}      {"v":1,"nodes":[{"len":…,"sha256":"…"}, …]}

The catalogue is a tree with fan-out 64 in the order of `n`; the index document holds the
top level, which is the lowest one of at most 64 nodes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mirror.errors import FormatError
from mirror.formats.checkpoint import check_origin
from mirror.formats.encoding import (
    HASH_SIZE,
    decode_hex,
    decode_json,
    decode_time,
    encode_json,
    encode_time,
    fields,
    is_int,
)
from mirror.formats.record import CODES, Code

MAX_BYTES = 64 * 1024  # of an index document or a node; a full node of the longest titles fits
FAN_OUT = 64
NEWEST = 30
MAX_TITLE = 300  # characters; a longer one is cut in the index, never on the page
MAX_TITLE_BYTES = 600  # as JSON: 64 titles in any script leave a node below `MAX_BYTES`
VERSION = 1
_PATH_ID = re.compile(r"[a-z2-7]{20}", re.ASCII)  # a path is made of it: no dot, no slash

Direction = Literal["ltr", "rtl"]
Kind = Literal["https", "onion", "ipns", "dnslink", "gateway", "dns"]
KINDS: tuple[Kind, ...] = ("https", "onion", "ipns", "dnslink", "gateway", "dns")

_ITEM = ("id", "n", "rev", "leaf", "time", "len", "sha256", "title", "lang", "dir")
_VOID = ("id", "n", "rev", "leaf", "void")
_MIRROR = ("url", "kind", "since", "blocked_in")
_INDEX = (
    "v",
    "origin",
    "root",
    "name",
    "lang",
    "issued",
    "count",
    "newest",
    "catalogue",
    "mirrors",
)


@dataclass(frozen=True, slots=True)
class Item:
    """Article number `n` has the newest revision `rev`, which leaf `leaf` records."""

    id: str
    n: int
    rev: int
    leaf: int
    time: int
    length: int
    sha256: bytes
    title: str
    lang: str
    dir: Direction

    def to_json(self) -> dict[str, Any]:
        """Return the object that stands for this item."""
        shown = encode_time(self.time), self.length, self.sha256.hex()
        values = (self.id, self.n, self.rev, self.leaf, *shown, self.title, self.lang, self.dir)
        return dict(zip(_ITEM, values, strict=True))


@dataclass(frozen=True, slots=True)
class VoidItem:
    """Article number `n` was withdrawn, last in revision `rev`, by the record at `leaf`."""

    id: str
    n: int
    rev: int
    leaf: int
    void: Code

    def to_json(self) -> dict[str, Any]:
        """Return the object that stands for this item."""
        values = (self.id, self.n, self.rev, self.leaf, self.void)
        return dict(zip(_VOID, values, strict=True))


AnyItem = Item | VoidItem


@dataclass(frozen=True, slots=True)
class Ref:
    """A document of `length` bytes whose SHA-256 is `sha256`; it is at `path`."""

    length: int
    sha256: bytes

    @property
    def path(self) -> str:
        """The path in the site."""
        return f"index/{self.sha256.hex()}.json"

    def to_json(self) -> dict[str, Any]:
        """Return the object that stands for this reference."""
        return {"len": self.length, "sha256": self.sha256.hex()}


@dataclass(frozen=True, slots=True)
class Mirror:
    """Readers can reach the site at `url` since `since` (Unix seconds), but not in `blocked_in`."""

    url: str
    kind: Kind
    since: int
    blocked_in: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the object that stands for this mirror."""
        values = (self.url, self.kind, encode_time(self.since), list(self.blocked_in))
        return dict(zip(_MIRROR, values, strict=True))


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the catalogue: 1 to 64 items, or 1 to 64 nodes one level below."""

    items: tuple[AnyItem, ...] = ()
    nodes: tuple[Ref, ...] = ()

    def __bytes__(self) -> bytes:
        if self.items:
            return encode_json({"v": VERSION, "items": [item.to_json() for item in self.items]})
        return encode_json({"v": VERSION, "nodes": [ref.to_json() for ref in self.nodes]})

    @classmethod
    def parse(cls, data: bytes) -> "Node":
        """Read a node whose hash was verified.

        Raises:
            FormatError: too large, or not what `bytes()` writes.
        """
        value = _decode(data)
        if isinstance(value, dict) and "items" in value:
            _, items = fields(value, "v", "items")
            node = cls(items=tuple(_list(items, _item, FAN_OUT)))
        else:
            _, nodes = fields(value, "v", "nodes")
            node = cls(nodes=tuple(_list(nodes, _ref, FAN_OUT)))
        if bytes(node) != data or not (node.items or node.nodes):
            raise FormatError("node: empty, or not in its one canonical form")
        return node


@dataclass(frozen=True, slots=True)
class Index:
    """At `issued` (Unix seconds) the site held `count` articles, of which these are the newest."""

    origin: str
    root: int
    name: str
    lang: str
    issued: int
    count: int
    newest: tuple[Item, ...]
    catalogue: tuple[Ref, ...]
    mirrors: tuple[Mirror, ...]

    def __bytes__(self) -> bytes:
        values = (
            VERSION,
            self.origin,
            self.root,
            self.name,
            self.lang,
            encode_time(self.issued),
            self.count,
            [item.to_json() for item in self.newest],
            [ref.to_json() for ref in self.catalogue],
            [mirror.to_json() for mirror in self.mirrors],
        )
        return encode_json(dict(zip(_INDEX, values, strict=True)))

    @classmethod
    def parse(cls, data: bytes) -> "Index":
        """Read an index document whose hash was verified.

        Raises:
            FormatError: too large, or not what `bytes()` writes.
        """
        values = fields(_decode(data), *_INDEX)[1:]
        origin, root, name, lang, issued, count, newest, catalogue, mirrors = values
        if not (is_int(root) and is_int(count)):
            raise FormatError("index: root and count are numbers")
        index = cls(
            check_origin(_text(origin)),
            root,
            _text(name),
            _text(lang),
            decode_time(_text(issued)),
            count,
            tuple(item for item in _list(newest, _item, NEWEST) if isinstance(item, Item)),
            tuple(_list(catalogue, _ref, FAN_OUT)),
            tuple(_list(mirrors, _mirror, MAX_MIRRORS)),
        )
        if bytes(index) != data:
            raise FormatError("index: not in its one canonical form")
        return index


MAX_MIRRORS = 256  # what an index document of 64 kB has room for beside the items


def levels(count: int) -> int:
    """Return how many levels the catalogue of `count` articles has below the index document."""
    found, width = 1, FAN_OUT
    while -(-count // width) > FAN_OUT:
        found, width = found + 1, width * FAN_OUT
    return found


def position(n: int, level: int) -> int:
    """Return the number, within `level`, of the node that leads to article `n`."""
    return int(n // FAN_OUT ** (level + 1))


def cut_title(title: str) -> str:
    """Return `title` as an item carries it.

    Raises:
        FormatError: text that has no UTF-8 form (a lone surrogate).
    """
    if _fits(title):
        return title
    kept = title[: MAX_TITLE - 1]
    while not _fits(kept + "…"):
        kept = kept[:-1]
    return kept + "…"


def _fits(title: str) -> bool:
    quotes = 2
    return len(title) <= MAX_TITLE and len(encode_json(title)) - quotes <= MAX_TITLE_BYTES


def _decode(data: bytes) -> Any:  # noqa: ANN401 - checked by the callers
    if len(data) > MAX_BYTES:
        raise FormatError(f"index: more than {MAX_BYTES} bytes")
    value = decode_json(data)
    if not isinstance(value, dict) or value.get("v") != VERSION or value["v"] is True:
        raise FormatError(f"index: no document of version {VERSION}")
    return value


def _list(value: object, read: Any, most: int) -> Sequence[Any]:  # noqa: ANN401 - of what `read` gives
    if not isinstance(value, list) or len(value) > most:
        raise FormatError(f"index: a list of at most {most} was expected")
    return [read(each) for each in value]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise FormatError("index: a text was expected")
    return value


def _numbers(*values: object) -> None:
    if not all(map(is_int, values)):
        raise FormatError("index: a number was expected")


def _item(value: object) -> AnyItem:
    if isinstance(value, dict) and "void" in value:
        id_, n, rev, leaf, code = fields(value, *_VOID)
        _numbers(n, rev, leaf)
        if code not in CODES or not _PATH_ID.fullmatch(_text(id_)):
            raise FormatError("index: a withdrawn item's code or id is not of its form")
        return VoidItem(id_, n, rev, leaf, code)
    id_, n, rev, leaf, time, length, sha256, title, lang, dir_ = fields(value, *_ITEM)
    _numbers(n, rev, leaf, length)
    if dir_ not in ("ltr", "rtl") or not _PATH_ID.fullmatch(_text(id_)):
        raise FormatError("index: an item's dir or id is not of its form")
    hash_ = decode_hex(_text(sha256), size=HASH_SIZE)
    at = decode_time(_text(time))
    return Item(id_, n, rev, leaf, at, length, hash_, _text(title), _text(lang), dir_)


def _ref(value: object) -> Ref:
    length, sha256 = fields(value, "len", "sha256")
    _numbers(length)
    return Ref(length, decode_hex(_text(sha256), size=HASH_SIZE))


def _mirror(value: object) -> Mirror:
    url, kind, since, blocked_in = fields(value, *_MIRROR)
    if kind not in KINDS:
        raise FormatError(f"index: a mirror's kind is none of {', '.join(KINDS)}")
    countries = _list(blocked_in, _text, 256)
    return Mirror(_text(url), kind, decode_time(_text(since)), tuple(countries))
