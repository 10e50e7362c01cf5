"""Pictures as readers get them."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

MAX_BYTES = 11_000
"""Of a picture: with an answer's headers it passes where a connection is frozen at 12,000."""
MAX_LARGE_BYTES = 100_000
"""Of the larger one, for readers whose connection is not frozen: ten times the smaller."""
MAX_PICTURES = 30
"""Of one article that are asked for: a gallery of hundreds would fill an hour and a disk."""

_ADDRESS = re.compile(r'<a itemprop="contentUrl" href="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the source's at `url`, made anew: a WebP of at most 12,000 bytes.

    `large` is the same in more detail, or empty; sizes are in pixels, of `webp`. Where that is
    empty, the picture could not be had yet, and may come.
    """

    url: str
    webp: bytes
    width: int
    height: int
    large: bytes = b""


def lacking(url: str) -> Picture:
    """Return what stands for a picture that may come."""
    return Picture(url, b"", 0, 0)


def had(pictures: Sequence[Picture]) -> tuple[Picture, ...]:
    """Return those of `pictures` that there are."""
    return tuple(each for each in pictures if each.webp)


def name(webp: bytes) -> str:
    """Return the name of a picture's file, which proves its content (FORMAT section 3)."""
    return f"{hashlib.sha256(webp).hexdigest()}.webp"


def files(pictures: Sequence[Picture]) -> dict[str, bytes]:
    """Return all files of `pictures`, larger ones too, by name."""
    return {
        name(data): data for picture in pictures for data in (picture.webp, picture.large) if data
    }


def picture_addresses(blocks: Sequence[str]) -> tuple[str, ...]:
    """Return where the pictures of an article are, in its order: the first `MAX_PICTURES`."""
    found = (
        unescape(address)
        for block in blocks
        if "contentUrl" in block
        for address in _ADDRESS.findall(block)
    )
    return tuple(dict.fromkeys(found))[:MAX_PICTURES]
