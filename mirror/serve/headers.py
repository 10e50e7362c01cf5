"""What every answer says of itself: the reader's safety, the type, how long it may be kept.

The bytes count: a page and its headers pass a 12,000 B curtain together.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus

from mirror.front.kinds import NOTHING_RUNS, SCRIPT
from mirror.labels import is_packed

Field = tuple[str, str]

_STRICT_PAGE = "default-src 'none'; img-src 'self'; base-uri 'none'; form-action 'none'"
_POLICY = re.compile(
    rb"""<meta http-equiv="Content-Security-Policy" content="(default-src 'none'[ -!#-;=?-~]*)">"""
)
_POLICY_WITHIN = 4096  # bytes at the beginning of a page, before any word of an article


def has_forms(path: str) -> bool:
    """Return whether the store makes compressed forms of `path`."""
    return is_packed(path)


def is_form(path: str) -> bool:
    """Return whether `path` names a compressed form, which is no file of the site."""
    return path.endswith((".br", ".gz")) and has_forms(path[:-3])


def policy_of(path: str, data: bytes) -> str:
    """Return the `Content-Security-Policy` of a file that begins with `data`.

    A page has its own in a `<meta>`, with the hash of its style; both must allow a thing, so
    the header repeats it and adds what counts in a header only. A page without one, or with
    one that does not begin by refusing everything, gets the strictest.
    """
    if path.endswith(".js"):
        return SCRIPT
    if not path.endswith(".html"):
        return NOTHING_RUNS
    found = _POLICY.search(data, 0, _POLICY_WITHIN)
    own = found[1].decode().rstrip("; ") if found else _STRICT_PAGE
    return f"{own}; frame-ancestors 'none'"


def lines(fields: Iterable[Field]) -> bytes:
    """Return header lines.

    Not checked: line ends in them. Every value is made here, or from what was checked.
    """
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("ascii")


def status_line(status: int) -> bytes:
    """Return the first line of an answer."""
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode("ascii")
