"""Cuts a long article into parts that each pass a 12,000 B curtain."""

import zlib
from collections.abc import Callable, Sequence

from mirror.article.render.split import split_block
from mirror.errors import FormatError

MAX_PART_BYTES = 12_000
"""On the wire, headers included: a filter freezes a connection after some 12 to 16 kB."""
HEADER_BYTES = 960
"""What an answer's headers take at most: over a front, with those of HTTPS and an onion, 950."""
MAX_PARTS = 60
"""The first part lists the SHA-256 of all others: 4 kB for 60, and some text must fit too."""
MAX_RAW_BYTES = 256 * 1024
"""Of a part, not compressed: a phone renders it; the verifier reads at most 1 MiB of a part."""

_MAX_COMPRESSED = MAX_PART_BYTES - HEADER_BYTES
_LEVEL = 6
"""zlib takes up to 4 s for 1 MB at level 9 (random letters of two), 0.2 s at this one."""
_MAX_ESTIMATED = _MAX_COMPRESSED * 98 // 100
"""At `_LEVEL`; 9 makes a text smaller, rarely larger and then by less than 1 %."""
_PLAINLY_FITS = 11_000
"""Bytes that fit however badly they compress: deflate adds 5 B to each 16 kB, gzip 18 B."""
_LISTED = 64
"""What each other part adds to the first, compressed: 32 random bytes as hex, and a link."""
_TRIES = 14
"""0.87^14: the last try makes parts a seventh of the first estimate."""
_MAX_WORK = 6_000_000
"""Bytes cut and compressed over all tries: some 2 s."""
_HEAD = "article: too large: its head alone fills a part"
_TOO_LARGE = f"article: too large: more than {MAX_PARTS} parts"


def fits(data: bytes) -> bool:
    """Return whether a part passes: gzip -9 and headers within `MAX_PART_BYTES`."""
    if len(data) > MAX_RAW_BYTES:
        return False
    return len(data) <= _PLAINLY_FITS or compressed_size(data, level=_LEVEL) <= _MAX_ESTIMATED


def compressed_size(data: bytes, *, level: int = 9) -> int:
    """Return the size of `gzip -9`, or of another level."""
    gzip = zlib.compressobj(level, zlib.DEFLATED, 31)
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
        FormatError: more than `MAX_PARTS` parts, or the search for them takes too long.
    """
    if whole > MAX_PARTS * MAX_RAW_BYTES:
        raise FormatError(_TOO_LARGE)
    if not fits(first((), ())):
        raise FormatError(_HEAD)
    text = "\n".join(blocks).encode()
    frame = whole - len(text)
    packed = compressed_size(text, level=_LEVEL)
    if packed > MAX_PARTS * _MAX_ESTIMATED:
        raise FormatError(_TOO_LARGE)
    ratio = packed / max(len(text), 1)
    budget = min((_MAX_ESTIMATED - frame * 0.55) / ratio * 0.97, MAX_RAW_BYTES - frame)
    for _ in range(min(_TRIES, 1 + _MAX_WORK // whole)):
        shares = _packed(blocks, max(int(budget), 500), int(_LISTED / ratio))
        files: list[bytes] = []
        for part, share in enumerate(shares[1:], 2):
            files.append(other(share, part, len(shares)))
            if not fits(files[-1]):
                break
        else:
            files.insert(0, first(shares[0], files))
        misfit = next((data for data in (files[0], files[-1]) if not fits(data)), b"")
        if not misfit:
            return tuple(files)
        # A text whose beginning is dense needs parts as small as that, at once.
        budget *= min(0.87, _MAX_ESTIMATED / compressed_size(misfit, level=_LEVEL))
    raise FormatError("article: too large: no cut found whose parts all pass")


def _packed(blocks: Sequence[str], budget: int, listed: int) -> list[list[str]]:
    """Return blocks in shares of at most `budget` bytes; the first leaves room for the list.

    Raises:
        FormatError: more than `MAX_PARTS` shares, as soon as that is known.
    """
    sized = []
    total = 0
    for block in blocks:
        for piece in split_block(block, max_bytes=budget // 2):
            size = len(piece.encode()) + 1
            total += size
            if total > MAX_PARTS * budget:
                raise FormatError(_TOO_LARGE)
            sized.append((piece, size))
    room = max(budget - (total // budget + 1) * listed, budget // 8)
    shares: list[list[str]] = [[]]
    left = room
    for piece, size in sized:
        if size > left and (shares[-1] or len(shares) == 1):
            shares.append([])
            left = budget
        shares[-1].append(piece)
        left -= size
    if len(shares) > MAX_PARTS:
        raise FormatError(_TOO_LARGE)
    return shares
