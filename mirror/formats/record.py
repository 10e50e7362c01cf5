"""The record: what a leaf of the log says, signed by the article key.

The leaf is a signed note whose text is one line of JSON. Formats README, section 4::

    {"t":"doc","v":1,"id":"<64 hex>","n":41,"rev":1,"first":"2026-11-22T16:18:00Z",
     "time":"2026-11-22T16:18:00Z","type":"text/html","len":8123,"sha256":"<64 hex>"}

(one line, no space). A record holds no title and no address: a log cannot forget.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from mirror.errors import FormatError
from mirror.formats.checkpoint import check_origin
from mirror.formats.encoding import (
    HASH_SIZE,
    decode_base64,
    decode_hex,
    decode_json,
    decode_number,
    decode_time,
    encode_base64,
    encode_time,
    fields,
    is_int,
)

MAX_BYTES = 4 * 1024  # of a whole leaf; the longest possible record is under 1 kB
VERSION = 1
INDEX_ID = hashlib.sha256(b"index").digest()
HTML = "text/html"
JSON = "application/json"

Code = Literal["error", "legal", "safety", "other"]
CODES: tuple[Code, ...] = ("error", "legal", "safety", "other")

_LINE = re.compile(r"[\x20-\x5b\x5d-\x7e]+\n", re.ASCII)
_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Doc:
    """Revision `rev` of document `id` is `length` bytes whose SHA-256 is `sha256`.

    `t` is `doc` for an article and `index` for an index document; `first` and `time`
    are Unix seconds; `prev` is the leaf of the revision before, `<origin>#<leaf>` where
    that is in a closed log, or None for revision 1.
    """

    t: Literal["doc", "index"]
    id: bytes
    n: int
    rev: int
    first: int
    time: int
    type: str
    length: int
    sha256: bytes
    prev: int | str | None = None

    def __post_init__(self) -> None:
        _check_common(self.id, self.n, self.rev, self.first, self.time)
        if not is_int(self.length) or len(self.sha256) != HASH_SIZE:
            raise FormatError("record: a length and a SHA-256 were expected")
        if not _TYPE.fullmatch(self.type):
            raise FormatError("record: type is not a media type in lower case")
        if (self.rev == 1) != (self.prev is None) or (self.rev == 1 and self.first != self.time):
            raise FormatError("record: revision 1, and only it, has no prev; its first is its time")
        if self.prev is not None:
            _check_prev(self.prev)
        if self.t == "index" and (self.id, self.n) != (INDEX_ID, 0):
            raise FormatError("record: an index has the id of the word index, and n 0")

    def __str__(self) -> str:
        prev = "" if self.prev is None else f',"prev":{json.dumps(self.prev)}'
        return (
            f'{{"t":"{self.t}","v":{VERSION},"id":"{self.id.hex()}","n":{self.n},"rev":{self.rev},'
            f'"first":"{encode_time(self.first)}","time":"{encode_time(self.time)}",'
            f'"type":"{self.type}","len":{self.length},"sha256":"{self.sha256.hex()}"{prev}}}\n'
        )


@dataclass(frozen=True, slots=True)
class Void:
    """Revision `rev` of document `id` was withdrawn, for the reason `code`."""

    id: bytes
    n: int
    rev: int
    first: int
    time: int
    code: Code
    prev: int | str

    def __post_init__(self) -> None:
        _check_common(self.id, self.n, self.rev, self.first, self.time)
        _check_prev(self.prev)
        if self.code not in CODES:
            raise FormatError("record: code is none of error, legal, safety, other")

    def __str__(self) -> str:
        return (
            f'{{"t":"void","v":{VERSION},"id":"{self.id.hex()}","n":{self.n},"rev":{self.rev},'
            f'"first":"{encode_time(self.first)}","time":"{encode_time(self.time)}",'
            f'"code":"{self.code}","prev":{json.dumps(self.prev)}}}\n'
        )


@dataclass(frozen=True, slots=True)
class Succ:
    """Leaf 0 of this log: it goes on where `origin` ended, at `size` leaves and `root`."""

    origin: str
    size: int
    root: bytes
    time: int

    def __post_init__(self) -> None:
        check_origin(self.origin)
        if not is_int(self.size) or len(self.root) != HASH_SIZE:
            raise FormatError("record: a size and a root were expected")

    def __str__(self) -> str:
        return (
            f'{{"t":"succ","v":{VERSION},"origin":"{self.origin}","size":{self.size},'
            f'"root":"{encode_base64(self.root)}","time":"{encode_time(self.time)}"}}\n'
        )


Record = Doc | Void | Succ

_DOC = ("t", "v", "id", "n", "rev", "first", "time", "type", "len", "sha256")
_VOID = ("t", "v", "id", "n", "rev", "first", "time", "code", "prev")
_SUCC = ("t", "v", "origin", "size", "root", "time")


class TooNewError(FormatError):
    """The record's version is above what this program knows: update it."""


def parse(text: str) -> Record:
    """Read a record's line, newline included.

    Raises:
        TooNewError: a later version of the format.
        FormatError: not byte for byte what `str()` would write.
    """
    if len(text) > MAX_BYTES or not _LINE.fullmatch(text):
        raise FormatError("record: not one line of printable ASCII without backslash")
    value = decode_json(text.encode())
    if not isinstance(value, dict) or not is_int(value.get("v")):
        raise FormatError("record: no object with a version")
    if value["v"] > VERSION:
        raise TooNewError(f"record: version {value['v']} of the format: update this program")
    try:
        record = _build(value)
    except (TypeError, AttributeError) as e:
        raise FormatError("record: a value of another type than its key demands") from e
    if str(record) != text:
        raise FormatError("record: not in its one canonical form")
    return record


def _build(value: dict[str, Any]) -> Record:
    kind = value.get("t")
    if kind in ("doc", "index"):
        names = (*_DOC, "prev") if "prev" in value else _DOC
        t, _, id_, n, rev, first, time, type_, length, sha256, *prev = fields(value, *names)
        at = decode_time(first), decode_time(time)
        hash_ = decode_hex(sha256, size=HASH_SIZE)
        return Doc(t, decode_hex(id_, size=HASH_SIZE), n, rev, *at, type_, length, hash_, *prev)
    if kind == "void":
        _, _, id_, n, rev, first, time, code, before = fields(value, *_VOID)
        at = decode_time(first), decode_time(time)
        return Void(decode_hex(id_, size=HASH_SIZE), n, rev, *at, code, before)
    if kind == "succ":
        _, _, origin, size, root, time = fields(value, *_SUCC)
        return Succ(origin, size, decode_base64(root, size=HASH_SIZE), decode_time(time))
    raise FormatError("record: t is none of doc, index, void, succ")


def _check_common(id_: bytes, n: int, rev: int, first: int, time: int) -> None:
    if len(id_) != HASH_SIZE or not is_int(n) or not is_int(rev) or rev < 1:
        raise FormatError("record: an id, a number and a revision from 1 were expected")
    if not 0 <= first <= time:
        raise FormatError("record: its time is before its first revision's")


def _check_prev(prev: int | str) -> None:
    if isinstance(prev, str):
        origin, _, leaf = prev.partition("#")
        check_origin(origin)
        decode_number(leaf)
    elif not is_int(prev):
        raise FormatError("record: prev is no leaf number")
