"""What a place that serves files itself is told of each, and text as it is kept there: compressed.

Nothing compresses there on the way to a reader, and a page that is sent as it is passes no 16-kB
curtain. Every browser, and every program of ours, asks for gzip and undoes it; lengths and hashes
of the format are of the bytes then.
"""

import gzip

from mirror.errors import FormatError, StoreError
from mirror.inflate import decoder
from mirror.labels import caching_of, is_packed, type_of

_GZIP = b"\x1f\x8b\x08"  # no text begins so


def headers_of(path: str, *, packs: bool) -> dict[str, str]:
    """Return the headers that readers are to get with `path`, at a place that `packs` text or not.

    The dates that caches go by, and whoever may read it, are the place's own.
    """
    told = {"Content-Type": type_of(path), "Cache-Control": caching_of(path)}
    return told | ({"Content-Encoding": "gzip"} if packs and is_packed(path) else {})


def packed(path: str, data: bytes) -> bytes:
    """Return `data` as it is kept: text compressed, and always to the same bytes."""
    # As tightly as pages are checked to pass a 12,000 B curtain.
    return gzip.compress(data, 9, mtime=0) if is_packed(path) else data


def unpacked(store: str, path: str, body: bytes, *, max_bytes: int, too_long: str = "") -> bytes:
    """Return what was put as `path`, of which the store of that name gave `body` back.

    Raises:
        StoreError: it was damaged there; or it is more than may be, said as `too_long`.
    """
    # Looked for in the bytes: some places undo the coding for those who do not ask for it,
    # some lose the header, and what was sent is here either way.
    coded = is_packed(path) and body.startswith(_GZIP)
    try:
        data = _decoded(body, max_bytes) if coded else body
    except FormatError as e:
        raise StoreError(f"{store}: {path}: damaged there: {e}") from e
    if len(data) > max_bytes:
        raise StoreError(f"{store}: {path}: {too_long or f'more than {max_bytes} bytes'}")
    return data


def _decoded(body: bytes, most: int) -> bytes:
    """Return what was compressed; where that is more than `most` bytes, only so much more."""
    data, stream = bytearray(), decoder("gzip")
    for piece in stream.feed(body):
        data += piece
        if len(data) > most:
            return bytes(data)
    if not stream.complete:
        raise FormatError("cut short")
    return bytes(data)
