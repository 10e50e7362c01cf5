"""Hostile picture files to small WebP files: decoded, made smaller, and written anew.

Nothing of the source's file goes on but what a reader sees: no metadata, no second file hidden
behind the first, no frame after the first, no bytes of its encoder.
"""

import math
import struct
import warnings
import zlib
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO

from PIL import AvifImagePlugin, Image, ImageCms
from PIL.AvifImagePlugin import AvifImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from mirror.article.picture import MAX_BYTES, MAX_LARGE_BYTES, Picture
from mirror.errors import FormatError

SMALL_PX = 480
"""On the longer side: what 11 kB can show, and more than a phone's column has points."""
MAX_LARGE_PX = 1200
"""Of the larger one, on the longer side: noise of that size takes 3 s to fit."""
MIN_PX = 33
"""On the shorter side: what is smaller counts readers, draws a line or is an icon."""
MIN_MADE_PX = 8
"""On the shorter side when made: thinner ones are rules, and no picture."""
MAX_PIXELS: Mapping[str, int] = {
    "JPEG": 64_000_000,
    "PNG": 4_000_000,
    "GIF": 8_000_000,
    "WEBP": 3_000_000,
    "AVIF": 3_000_000,
}
"""As the file's head declares them, before anything is decoded: the worker has 60 MiB.
A PNG's pixel takes 4 B, a WebP's 16 B in four copies, an AVIF's some 14 B; a JPEG is decoded
smaller, and only a progressive one is held whole. Newsrooms' pages show 2 to 4 million; the
sensors of cameras have up to 61."""
MAX_PROGRESSIVE_BYTES = 40 << 20
"""Of the coefficients of a progressive JPEG: 2 B for each pixel of each component."""
MAX_SCANS = 30
"""Of a JPEG, which may go over all its pixels with every few bytes (80 scans of 64 million: 6 s);
honest ones have some 10."""
MAX_PROFILE_BYTES = 3_000_000
"""Of a colour profile: those of presses have 2 MB; each picture's own is computed anew."""

_BEST = 75
_QUALITIES = (20, 27, 34, 41, 48, 55, 65)
_SAVING = 2.5
"""The best quality's file is at most so many times the lowest's: beyond it none is tried."""
_METHOD = 5  # 6, the slowest, takes a half more time and saves 1 %
_BAND_BYTES = 1 << 22
"""Of pixels converted at once: a copy of the whole would not fit beside it."""
_WHITE = (255, 255, 255)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's numbers for how a camera was held."""
_ORIENTATION = 0x0112
_LIBRARY_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    EOFError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow raises on hostile bytes; it declares some of them."""

AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # the worker may start none, nor ask how many it could


def encode(body: bytes, *, url: str, large_px: int = 0) -> Picture:
    """Return the picture in `body`, the answer of `url`, and a larger one if `large_px` is given.

    JPEG, PNG, GIF, WebP and AVIF, whichever the bytes say; of a moving one, the first frame.
    The larger one has at most `large_px` on its longer side. The same bytes give the same files.

    Raises:
        FormatError: of no such kind, cut off, too large to decode, or too small to be a picture.
    """
    large_px = min(large_px, MAX_LARGE_PX)
    image = _read(body, max(SMALL_PX, large_px))
    webp, (width, height) = _written(image, px=SMALL_PX, max_bytes=MAX_BYTES)
    large = b""
    if large_px > SMALL_PX and max(image.size) > max(width, height):
        with suppress(FormatError):  # the smaller one is what readers need
            large, _ = _written(image, px=large_px, max_bytes=MAX_LARGE_BYTES)
    return Picture(url=url, webp=webp, width=width, height=height, large=large)


def _read(body: bytes, px: int) -> Image.Image:
    """Return what is seen of the picture, in sRGB, upright, and not much larger than `px`."""
    try:
        # A warning is about metadata, and to show one Python opens files.
        with warnings.catch_warnings(action="ignore"), _opened(body) as image:
            _check(image, body)
            image.draft(None, _fit(image.size, px))
            image.load()
            turn, profile = _TURNS.get(_orientation(image)), image.info.get("icc_profile")
            small = _reduced(image, px)
        small = _in_srgb(small, profile)
    except FormatError:
        raise
    except _LIBRARY_ERRORS as e:
        raise FormatError(f"picture: unreadable: {type(e).__name__}: {str(e)[:100]}") from e
    return small if turn is None else small.transpose(turn)


def _opened(body: bytes) -> ImageFile:
    # Not `Image.open`: it would hand a JPEG's second pictures to a parser of TIFF.
    file = BytesIO(body)
    if body.startswith(b"\xff\xd8\xff"):
        return JpegImageFile(file)
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile(file)
    if body.startswith((b"GIF87a", b"GIF89a")):
        return GifImageFile(file)
    if body.startswith(b"RIFF") and body[8:12] == b"WEBP":
        return WebPImageFile(file)
    if body[4:12] in (b"ftypavif", b"ftypavis"):
        return AvifImageFile(file)
    raise FormatError("picture: not a JPEG, PNG, GIF, WebP or AVIF file")


def _check(image: ImageFile, body: bytes) -> None:
    """Refuse by what the head says: nothing has been decoded yet."""
    width, height = image.size
    size = f"{width} x {height} pixels"
    if width * height > MAX_PIXELS[str(image.format)]:
        raise FormatError(f"picture: too large: {size}")
    if min(width, height) < MIN_PX or min(_fit(image.size, SMALL_PX)) < MIN_MADE_PX:
        raise FormatError(f"picture: too small: {size}")
    if isinstance(image, JpegImageFile):
        _check_scans(image, body, size)


def _check_scans(image: JpegImageFile, body: bytes, size: str) -> None:
    scans = body.count(b"\xff\xda")
    if scans > MAX_SCANS:
        raise FormatError(f"picture: refused: more than {MAX_SCANS} scans")
    # A baseline one with a scan for each component is held whole, too.
    if scans > 1 and _coefficients(image) * 2 > MAX_PROGRESSIVE_BYTES:
        raise FormatError(f"picture: too large: {size} in {scans} scans")


def _coefficients(image: JpegImageFile) -> float:
    """Return how many numbers a JPEG is made of: fewer for colours that are sampled thinly."""
    width, height = image.size
    samples = [across * down for _, across, down, _ in image.layer]
    largest = max(samples, default=1) or 1
    return width * height * sum(samples) / largest


def _fit(size: tuple[int, int], px: int) -> tuple[int, int]:
    """Return `size` with at most `px` on the longer side, in the same proportion."""
    longer = max(size)
    if longer <= px:
        return size
    width, height = (max(1, round(side * px / longer)) for side in size)
    return width, height


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except _LIBRARY_ERRORS:  # a picture is worth more than its metadata
        return 1


def _reduced(image: Image.Image, px: int) -> Image.Image:
    """Return `image` without transparency, its longer side at least twice `px` if it was."""
    width, height = image.size
    factor = max(1, max(width, height) // (2 * px))
    step = factor * max(1, _BAND_BYTES // (4 * width * factor))
    whole: Image.Image | None = None
    for top in range(0, height, step):
        band = _flat(image.crop((0, top, width, min(top + step, height)))).reduce(factor)
        # One band at a time: all of them would be the picture once more.
        whole = whole or Image.new(band.mode, (band.width, -(-height // factor)))
        whole.paste(band, (0, top // factor))
    return whole or image


def _flat(band: Image.Image) -> Image.Image:
    """Return a band as L, RGB or CMYK of 8 bits, on white where it is transparent."""
    if band.mode == "I;16":  # its high bytes: a conversion would cut off all above 255
        return Image.frombytes("L", band.size, band.tobytes("raw", "I;16B")[::2])
    if band.has_transparency_data:
        seen = band.convert("RGBA")
        white = Image.new("RGB", band.size, _WHITE)
        white.paste(seen, mask=seen)
        return white
    return band if band.mode in ("L", "RGB", "CMYK") else band.convert("RGB")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return `image` in the colours that a screen shows, by its colour profile if that is sound."""
    if profile and len(profile) <= MAX_PROFILE_BYTES:
        try:
            seen = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, *_LIBRARY_ERRORS):
            seen = None
        if seen is not None:
            return seen
    return image if image.mode == "RGB" else image.convert("RGB")


def _written(image: Image.Image, *, px: int, max_bytes: int) -> tuple[bytes, tuple[int, int]]:
    """Return the best WebP of at most `px` and `max_bytes`, and its size in pixels.

    A crowded picture is made smaller: that shows more of it than the lowest qualities do.
    """
    while True:
        made = image.resize(_fit(image.size, px), Image.Resampling.LANCZOS)
        webp = _webp(made, _BEST)
        if len(webp) <= max_bytes:
            return webp, made.size
        if len(webp) <= _SAVING * max_bytes and (better := _best(made, max_bytes)):
            return better, made.size
        px = int(max(made.size) * min(0.85, math.sqrt(2 * max_bytes / len(webp))))


def _best(image: Image.Image, max_bytes: int) -> bytes:
    """Return `image` at the highest of the lower qualities that fits, or nothing if none does."""
    best = b""
    low, high = 0, len(_QUALITIES)
    while low < high:
        middle = (low + high) // 2
        webp = _webp(image, _QUALITIES[middle])
        if len(webp) <= max_bytes:
            best, low = webp, middle + 1
        else:
            high = middle
    return best


def _webp(image: Image.Image, quality: int) -> bytes:
    file = BytesIO()
    bare = Image.frombytes("RGB", image.size, image.tobytes())  # what is known of it stays behind
    try:
        bare.save(file, "WEBP", quality=quality, method=_METHOD)
    except ValueError as e:  # in numbers of its own: no memory left
        raise FormatError(f"picture: too large to write: {e}") from e
    return file.getvalue()


def warm_up() -> None:
    """Read one picture of each kind: afterwards the worker can load no plugin."""
    about = Image.Exif()
    about[_ORIENTATION] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind, mode in (
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("PNG", "I;16"),
        ("GIF", "P"),
        ("WEBP", "RGBA"),
        ("AVIF", "RGB"),
    ):
        file = BytesIO()
        metadata = {} if kind == "GIF" else {"exif": about.tobytes(), "icc_profile": profile}
        Image.new(mode, (64, 48)).save(file, kind, **metadata)
        encode(file.getvalue(), url="")
