"""What a request asks for: its target, and which forms of the answer it takes."""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from mirror.errors import FormatError
from mirror.formats.paths import check_path

_ABSOLUTE = re.compile(r"https?://[^/?#]*", re.ASCII | re.IGNORECASE)
_ESCAPED = re.compile(r"%(?![0-9a-fA-F]{2})|%2f", re.ASCII | re.IGNORECASE)
_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII)
_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\uffff]*)"')

CODINGS = ("br", "gzip")
"""By preference, where a reader takes several alike."""

MAX_REMEMBERED = 128  # characters: browsers send 30, and what is remembered is bounded


@dataclass(frozen=True, slots=True)
class Target:
    """A path as it was sent, from its first slash, and the query after it, each undecoded."""

    path: str
    query: str

    @classmethod
    def parse(cls, target: str) -> "Target":
        """Read the target of a request, in origin or absolute form.

        Raises:
            FormatError: it has no path, as `*` has none.
        """
        if not target.startswith("/"):
            absolute = _ABSOLUTE.match(target)
            if not absolute:
                raise FormatError("target: without a path")
            target = target[absolute.end() :] or "/"
        path, _, query = target.partition("?")
        return cls(path, query)


def decoded(path: str) -> str:
    """Return `path` with its percent signs decoded, once.

    Raises:
        FormatError: an escape that is broken, is a slash, or is no UTF-8.
    """
    if "%" not in path:
        return path
    if _ESCAPED.search(path):
        raise FormatError("path: an escape that is broken, or a slash")
    try:
        return unquote_to_bytes(path.encode()).decode()
    except UnicodeError as e:
        raise FormatError("path: not UTF-8") from e


def site_path(path: str) -> str:
    """Return the path of the site that the path of a target names; a folder's is its index.

    Raises:
        FormatError: no file of a site has such a path.
    """
    name = decoded(path)[1:]
    return check_path(f"{name}index.html" if not name or name.endswith("/") else name)


def accepted(header: str) -> tuple[str, ...]:
    """Return the codings of `CODINGS` and `identity` that are taken, the best first.

    RFC 9110 section 12.5.3: what is not named is not taken, but `identity`, which is unless it
    or `*` has weight 0. Alike by weight, the shortest goes first, and `identity` last.
    """
    return _accepted(header) if len(header) <= MAX_REMEMBERED else _weighed(header)


def _weighed(header: str) -> tuple[str, ...]:
    weights: dict[str, float] = {}
    for part in header.lower().replace(" ", "").replace("\t", "").split(","):
        name, _, weight = part.partition(";")
        found = _WEIGHT.fullmatch(weight)
        weights[name] = float(found[1]) if found else float(not weight)
    rest = weights.get("*", 0.0)
    named = {coding: weights.get(coding, rest) for coding in CODINGS}
    # Below every weight that can be written: not named, it is taken if nothing else is there.
    named["identity"] = weights.get("identity", rest if "*" in weights else 0.0001)
    return tuple(sorted((each for each in named if named[each]), key=lambda each: -named[each]))


_accepted = lru_cache(maxsize=256)(_weighed)


def has_tag(if_none_match: str, tag: str) -> bool:
    """Return whether an `If-None-Match` names `tag` (with its quotes), compared weakly."""
    if if_none_match.strip() == "*":
        return True
    value = tag.removeprefix("W/")[1:-1]
    return any(found == value for found in _TAG.findall(if_none_match))
