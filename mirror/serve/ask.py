"""What a request asks of the gateway.

Specification: https://specs.ipfs.tech/http-gateways/trustless-gateway/ (2026-03-05). Answers are
blocks and archives only, which the asker verifies; nothing is unpacked here.
"""

import re
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qsl

from mirror.errors import FormatError
from mirror.formats.cid import PROBE, Cid
from mirror.formats.paths import check_path
from mirror.serve.target import decoded
from mirror.serve.walk import Scope, Span

PREFIX = "/ipfs/"
RAW = "application/vnd.ipld.raw"
CAR = "application/vnd.ipld.car"
_FORMATS = {"raw": RAW, "car": CAR}
_SCOPES = ("block", "entity", "all")
_MAX_PARAMETERS = 16
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", re.ASCII)
_SPAN = re.compile(r"(-?[0-9]{1,16}):(\*|-?[0-9]{1,16})", re.ASCII)

_Parameters = dict[str, str]


class RefusedError(Exception):
    """The gateway does not answer this; `status` and the sentence go to the asker."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


@dataclass(frozen=True, slots=True)
class Ask:
    """A block (`RAW`) or an archive (`CAR`) of what stands at `names` below `root`.

    `root` is None for the probe, `bafkqaaa`. `negotiated` is true if the format was named in
    a header: the address alone does not say it then.
    """

    root: Cid | None
    names: tuple[str, ...]
    kind: str
    scope: Scope
    span: Span | None
    dups: bool
    negotiated: bool

    @classmethod
    def parse(cls, path: str, query: str, accept: str) -> "Ask":
        """Read the undecoded path and query of a target, and the header `Accept`.

        Raises:
            RefusedError: it is no address of the gateway, or asks for what there is not.
        """
        root, names = _content_path(path)
        try:
            asked = _first(parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS))
        except ValueError as e:
            raise RefusedError(400, "The query has too many parts.") from e
        kind, wished = _kind(asked.get("format"), accept, probe=root is None)
        if kind == RAW and names:
            raise RefusedError(400, "A block is asked for by its CID, without a path.")
        wished |= {key[4:]: value for key, value in asked.items() if key.startswith("car-")}
        scope = asked.get("dag-scope", "all")
        span = _span(asked["entity-bytes"]) if "entity-bytes" in asked else None
        if scope not in _SCOPES:
            raise RefusedError(400, "dag-scope is block, entity or all.")
        if kind == CAR:
            _check_wishes(wished)
        dups = wished.get("dups") == "y"
        chosen = cast("Scope", "entity" if span else scope)
        return cls(root, names, kind, chosen, span, dups, "format" not in asked)


def _first(found: list[tuple[str, str]]) -> _Parameters:
    return dict(reversed(found))


def _content_path(path: str) -> tuple[Cid | None, tuple[str, ...]]:
    text, _, rest = path.removeprefix(PREFIX).partition("/")
    try:
        root = None if text == PROBE else Cid.parse(text)
    except FormatError as e:
        raise RefusedError(400, "That is no CID of version 1 with sha2-256, in base32.") from e
    try:
        names = tuple(check_path(decoded(rest.rstrip("/"))).split("/")) if rest else ()
    except FormatError as e:
        raise RefusedError(404, "Not found.") from e
    return root, names


def _span(text: str) -> Span:
    """Return the bytes that `entity-bytes=from:to` names."""
    found = _SPAN.fullmatch(text)
    if not found:
        raise RefusedError(400, "entity-bytes is from:to, numbers, or * for the last byte.")
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _kind(format_: str | None, accept: str, *, probe: bool) -> tuple[str, _Parameters]:
    """Return the type to answer with, and what the header wishes of it; `format` goes first."""
    named = _FORMATS.get(format_) if format_ else None
    if named or format_ is None:
        for kind, wished in _accepted(accept):
            if named in (None, kind):
                return kind, wished
    if named:
        return named, {}
    if format_ is None and probe:
        return RAW, {}
    if format_ is None and not accept:  # the specification wants 400 for a missing header
        raise RefusedError(400, "Say what to answer with: format=raw or format=car.")
    raise RefusedError(406, "Only blocks (format=raw) and archives (format=car) are given.")


def _accepted(accept: str) -> list[tuple[str, _Parameters]]:
    """Return the types of an `Accept` that there are, with their parameters, the best first."""
    found = []
    for part in accept.lower().split(","):
        kind, *rest = (each.strip() for each in part.split(";"))
        wished = {
            key.strip(): value.strip(' "') for key, _, value in (r.partition("=") for r in rest)
        }
        weight = wished.pop("q", "1")
        if kind in (RAW, CAR) and _WEIGHT.fullmatch(weight) and float(weight):
            found.append((float(weight), kind, wished))
    found.sort(key=lambda each: -each[0])
    return [(kind, wished) for _, kind, wished in found]


def _check_wishes(wished: _Parameters) -> None:
    """Refuse what an archive cannot be; what is wished for and unknown changes nothing."""
    known = {"version": ("1",), "order": ("dfs", "unk", ""), "dups": ("y", "n", "")}
    for key, values in known.items():
        if wished.get(key, values[0]) not in values:
            raise RefusedError(406, "Archives are of version 1, order dfs, with dups n or y.")
