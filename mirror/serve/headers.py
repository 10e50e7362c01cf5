"""What every answer says of itself: the reader's safety, the type, how long it may be kept.

The bytes count: a page and its headers pass a 12,000 B curtain together.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus

from mirror.formats.paths import CHECKPOINT, INDEX_PROOF, is_head

Field = tuple[str, str]

IMMUTABLE = "max-age=31536000, immutable"
HEAD = "private, max-age=300"
POLLED = "private, max-age=60"
"""Programs find the newest state by these two; an older one beside newer pages looks like a
rollback, so they may lag behind the pages by less than the pages may."""

NOTHING_RUNS = "default-src 'none'; frame-ancestors 'none'"
_STRICT_PAGE = "default-src 'none'; img-src 'self'; base-uri 'none'; form-action 'none'"
_SCRIPT = "default-src 'none'; connect-src *; frame-ancestors 'none'"
"""A service worker has the policy of its own file: with `NOTHING_RUNS` it could fetch nothing."""

_POLICY = re.compile(
    rb"""<meta http-equiv="Content-Security-Policy" content="(default-src 'none'[ -!#-;=?-~]*)">"""
)
_POLICY_WITHIN = 4096  # bytes at the beginning of a page, before any word of an article

SAFETY: tuple[Field, ...] = (
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    (
        "Permissions-Policy",
        "camera=(),microphone=(),geolocation=(),display-capture=(),bluetooth=(),usb=(),payment=(),"
        "browsing-topics=()",
    ),
    ("Access-Control-Allow-Origin", "*"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
    ("Accept-Ranges", "none"),
)

_TEXT = "text/plain; charset=utf-8"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".xml": "application/xml",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".webp": "image/webp",
    ".epub": "application/epub+zip",
    ".car": "application/vnd.ipld.car; version=1",
    ".tar": "application/x-tar",
    ".gz": "application/gzip",
    ".zim": "application/octet-stream",
}
_FEEDS = {".xml": "application/atom+xml", ".json": "application/feed+json"}
_COMPRESSED = (".html", ".json", ".xml")  # what the store makes `.br` and `.gz` of


def has_forms(path: str) -> bool:
    """Return whether the store makes compressed forms of `path`."""
    return path.endswith(_COMPRESSED)


def is_form(path: str) -> bool:
    """Return whether `path` names a compressed form, which is no file of the site."""
    return path.endswith((".br", ".gz")) and has_forms(path[:-3])


def type_of(path: str) -> str:
    """Return the `Content-Type` of a file of the site."""
    suffix = path[path.rfind(".") :] if "." in path else ""
    if path.startswith("tile/"):
        return "application/octet-stream"
    if path.startswith(("feed.", "feed/")):
        return _FEEDS.get(suffix, _TYPES.get(suffix, _TEXT))
    return _TYPES.get(suffix, _TEXT)


def caching_of(path: str) -> str:
    """Return the `Cache-Control` of a file of the site."""
    if path in (CHECKPOINT, INDEX_PROOF):
        return POLLED
    return HEAD if is_head(path) else IMMUTABLE


def policy_of(path: str, data: bytes) -> str:
    """Return the `Content-Security-Policy` of a file that begins with `data`.

    A page has its own in a `<meta>`, with the hash of its style; both must allow a thing, so
    the header repeats it and adds what counts in a header only. A page without one, or with
    one that does not begin by refusing everything, gets the strictest.
    """
    if path.endswith(".js"):
        return _SCRIPT
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
