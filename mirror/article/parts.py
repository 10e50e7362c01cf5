"""Cuts a long article into parts that each pass a 12,000 B curtain."""

import zlib
from collections.abc import Callable, Sequence

from mirror.article.split import split_block
from mirror.errors import FormatError

MAX_PART_BYTES = 12_000
"""On the wire, headers included: a filter freezes a connection after some 12 to 16 kB."""
HEADER_BYTES = 900
"""What an answer's headers take at most (the security headers are half of it)."""
MAX_PARTS = 60
"""The first part lists the SHA-256 of all others: 4 kB for 60, and some text must fit too."""

_MAX_COMPRESSED = MAX_PART_BYTES - HEADER_BYTES
_PLAINLY_FITS = 11_000
"""Bytes that fit however badly they compress: deflate adds 5 B to each 16 kB, gzip 18 B."""
_LISTED = 64
"""What each other part adds to the first, compressed: 32 random bytes as hex, and a link."""
_TRIES = 14
"""0.87^14: the last try makes parts a seventh of the first estimate."""


def fits(data: bytes) -> bool:
    """Return whether a part passes: gzip -9 and headers within `MAX_PART_BYTES`."""
    return len(data) <= _PLAINLY_FITS or compressed_size(data) <= _MAX_COMPRESSED


def compressed_size(data: bytes) -> int:
    """Return the size of `gzip -9`."""
    gzip = zlib.compressobj(9, zlib.DEFLATED, 31)
    return len(gzip.compress(data)) + len(gzip.flush())


def in_parts(
    blocks: Sequence[str],
    *,
    whole: int,
    first: Callable[[Sequence[str], Sequence[bytes]], bytes],
    other: Callable[[Sequence[str], int, int], bytes],
) -> tuple[bytes, ...]:
    """Return the files of an article in parts, the first one first.

    `whole` is the size of the page that did not fit. `first` and `other` render; the first
    part is rendered last, because it holds the hashes of the others.

    Raises:
        FormatError: more than `MAX_PARTS` parts.
    """
    text = "\n".join(blocks).encode()
    frame = whole - len(text)
    ratio = compressed_size(text) / max(len(text), 1)
    budget = (_MAX_COMPRESSED - frame * 0.55) / ratio * 0.97
    for _ in range(_TRIES):
        shares = _packed(blocks, max(int(budget), 500), int(_LISTED / ratio))
        if len(shares) > MAX_PARTS:
            raise FormatError(f"article: too large: more than {MAX_PARTS} parts")
        later = [other(share, part, len(shares)) for part, share in enumerate(shares[1:], 2)]
        files = (first(shares[0], later), *later)
        if all(fits(data) for data in files):
            return files
        budget *= 0.87
    raise FormatError("article: too large: its head alone fills a part")


def _packed(blocks: Sequence[str], budget: int, listed: int) -> list[list[str]]:
    """Return blocks in shares of at most `budget` bytes; the first leaves room for the list."""
    sized = [
        (piece, len(piece.encode()) + 1)
        for block in blocks
        for piece in split_block(block, max_bytes=budget // 2)
    ]
    total = sum(size for _, size in sized)
    room = max(budget - (total // budget + 1) * listed, budget // 8)
    shares: list[list[str]] = [[]]
    left = room
    for piece, size in sized:
        if size > left and (shares[-1] or len(shares) == 1):
            shares.append([])
            left = budget
        shares[-1].append(piece)
        left -= size
    return shares
