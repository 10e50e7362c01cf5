"""What a place that serves files itself is to tell readers of each: its type, how long it may keep.

The same words as our own server's: a reader must not see which kind of place answers.
"""

from mirror.formats.paths import CHECKPOINT, INDEX_PROOF, is_head

IMMUTABLE = "max-age=31536000, immutable"
HEAD = "private, max-age=300"
POLLED = "private, max-age=60"
"""Programs find the newest state by these two; an older one beside newer pages looks like a
rollback, so they may lag behind the pages by less than the pages may."""

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
_PACKED = (".html", ".json", ".xml")


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


def is_packed(path: str) -> bool:
    """Return whether readers are sent `path` compressed: text that is not small as it is."""
    return path.endswith(_PACKED)
