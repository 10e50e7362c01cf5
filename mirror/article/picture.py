"""Pictures as readers get them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the source's at `url`, made anew: a WebP of at most 12,000 bytes.

    `large` is the same in more detail, or empty; sizes are in pixels, of `webp`.
    """

    url: str
    webp: bytes
    width: int
    height: int
    large: bytes = b""
