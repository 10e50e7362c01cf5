"""Hostile pictures, each named by its defect."""

import io
import struct
import zlib

from PIL import Image

from hostile import xss

PNG = b"\x89PNG\r\n\x1a\n"
MAX = 15 * 1024 * 1024


def chunk(kind: bytes, text: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(text)) + kind + text + struct.pack(">I", zlib.crc32(kind + text))


def _png(
    width: int, height: int, *chunks: bytes, pixels: bytes = b"", depth: int = 8, kind: int = 2
) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return (
        PNG + chunk(b"IHDR", head) + b"".join(chunks) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def _zeros(size: int) -> bytes:
    """Return `size` zeros, compressed without holding them all."""
    packer = zlib.compressobj(9)
    whole, rest = divmod(size, 1 << 20)
    piece = bytes(1 << 20)
    return b"".join(
        [
            *(packer.compress(piece) for _ in range(whole)),
            packer.compress(bytes(rest)),
            packer.flush(),
        ]
    )


def _saved(kind: str, size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(out, kind, **options)
    return out.getvalue()


def png_bomb() -> bytes:
    return _png(20_000, 20_000, pixels=_zeros(100_000_000), kind=0)


def png_bomb_below_the_library_s_limit() -> bytes:
    return _png(9400, 9400, pixels=_zeros(9400 * 9401), kind=0)


def png_of_one_bit() -> bytes:
    return _png(60_000, 60_000, pixels=_zeros(60_000 * 7501), depth=1, kind=0)


def png_of_sixteen_bits() -> bytes:
    return _png(4000, 4000, pixels=_zeros(4000 * 32_001), depth=16, kind=6)


def png_that_lies_about_its_size() -> bytes:
    return _png(0x7FFFFFFF, 0x7FFFFFFF, pixels=zlib.compress(b"\0" * 100))


def png_of_no_size() -> bytes:
    return _png(0, 0, pixels=zlib.compress(b""))


def png_one_pixel_wide() -> bytes:
    return _png(1, 65_535, pixels=_zeros(2 * 65_535), kind=0)


def png_one_pixel_high() -> bytes:
    return _png(65_535, 1, pixels=_zeros(65_536), kind=0)


def png_text_bomb() -> bytes:
    return _png(64, 64, chunk(b"zTXt", b"a\0\0" + _zeros(300_000_000)), pixels=_zeros(64 * 193))


def png_international_text_bomb() -> bytes:
    bomb = chunk(b"iTXt", b"a\0\1\0\0\0" + _zeros(300_000_000))
    return _png(64, 64, bomb, pixels=_zeros(64 * 193))


def png_profile_bomb() -> bytes:
    return _png(64, 64, chunk(b"iCCP", b"a\0\0" + _zeros(300_000_000)), pixels=_zeros(64 * 193))


def png_chunks() -> bytes:
    return _png(64, 64, chunk(b"tEXt", b"a\0b") * 300_000, pixels=_zeros(64 * 193))


def png_of_frames() -> bytes:
    frames = b"".join(
        chunk(b"fcTL", struct.pack(">IIIIIHHBB", n, 64, 64, 0, 0, 1, 1, 0, 0))
        for n in range(10_000)
    )
    return _png(
        64, 64, chunk(b"acTL", struct.pack(">II", 10_000, 0)), frames, pixels=_zeros(64 * 193)
    )


def png_wrong_sums() -> bytes:
    return bytes(b ^ (n > 40) for n, b in enumerate(_saved("PNG")))


def png_cut() -> bytes:
    return _saved("PNG", (600, 400))[:-900]


def png_palette_missing() -> bytes:
    return _png(64, 64, pixels=_zeros(64 * 65), kind=3)


def gif_of_ten_thousand_frames() -> bytes:
    frame = b"!\xf9\x04\x00\x01\x00\x00\x00,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"
    return b"GIF89a\x40\0\x40\0\x80\0\0\0\0\0\xff\xff\xff" + frame * 10_000 + b";"


def gif_of_a_huge_screen() -> bytes:
    screen = b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff"
    return screen + b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;"


def gif_of_comments() -> bytes:
    return b"GIF89a\x40\0\x40\0\0\0\0" + b"!\xfe\x01x\0" * 1_000_000 + b";"


def gif_and_script() -> bytes:
    return b"GIF89a/*" + b"\0" * 20 + b"*/=1;" + xss.ACT.encode() + b";//" + _saved("GIF")


def gif_never_ended() -> bytes:
    return _saved("GIF")[:-40]


def jpeg_bomb() -> bytes:
    whole = bytearray(_saved("JPEG"))
    place = whole.index(b"\xff\xc0")
    whole[place + 5 : place + 9] = b"\xff\xdc\xff\xdc"
    return bytes(whole)


def jpeg_of_scans() -> bytes:
    whole = _saved("JPEG", (2000, 2000), progressive=True)
    place = whole.rindex(b"\xff\xda")
    return whole[:place] + whole[place:-2] * 2000 + b"\xff\xd9"


def jpeg_cut() -> bytes:
    return _saved("JPEG", (800, 600))[:-3000]


def jpeg_and_archive() -> bytes:
    return _saved("JPEG") + b"PK\x03\x04" + b"\0" * 26 + b"x.html" + xss.ELEMENTS["script"].encode()


def jpeg_and_page() -> bytes:
    return _saved("JPEG", comment=xss.ELEMENTS["script"].encode())


def jpeg_with_a_place() -> bytes:
    exif = Image.Exif()
    exif[0x0110] = "Camera 12345"
    exif[0x8825] = {1: "N", 2: (55.0, 45.0, 7.0), 3: "E", 4: (37.0, 37.0, 2.0)}
    return _saved("JPEG", exif=exif.tobytes())


def jpeg_of_a_huge_profile() -> bytes:
    return _saved("JPEG", icc_profile=b"x" * 4_000_000)


def jpeg_of_marks() -> bytes:
    return b"\xff\xd8" + b"\xff\xe1\x00\x04xx" * 1_500_000 + _saved("JPEG")[2:]


def jpeg_of_exif_in_a_circle() -> bytes:
    ring = (
        b"Exif\0\0II*\0\x08\0\0\0"
        + b"\x01\0"
        + struct.pack("<HHII", 0x8769, 4, 1, 8)
        + b"\x08\0\0\0"
    )
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(ring) + 2) + ring + _saved("JPEG")[2:]


def jpeg_turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 99
    return _saved("JPEG", exif=exif.tobytes())


def webp_bomb() -> bytes:
    return _saved("WEBP", (16_383, 4000), quality=1, method=0)


def webp_that_lies_about_its_size() -> bytes:
    whole = bytearray(_saved("WEBP"))
    whole[4:8] = b"\xff\xff\xff\x7f"
    return bytes(whole)


def webp_of_frames() -> bytes:
    frames = [Image.new("RGB", (16, 16), (n % 256, n // 256, 0)) for n in range(1000)]
    out = io.BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], method=0, quality=1)
    return out.getvalue()


def drawing_named_as_a_photo() -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" onload="{xss.ACT}"/>'.encode()


def postscript() -> bytes:
    return b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n"


def portable_pixmap() -> bytes:
    return b"P6 60000 60000 255\n" + b"\0" * 100


def icon_of_icons() -> bytes:
    return b"\0\0\x01\0\xff\xff" + b"\0\0\0\0\x01\0\x20\0\xff\xff\xff\x7f\x16\0\0\0" * 65_535


def bitmap_of_runs() -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, 30_000, 30_000, 1, 8, 1, 0, 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 2000, 0, 0, 54 + 1024) + head + bytes(1024) + b"\xff\0" * 99


def tiff_in_a_circle() -> bytes:
    return b"II*\0\x08\0\0\0\x00\0\x08\0\0\0"


def tiff_of_strips() -> bytes:
    tags = (
        (256, 4, 1, 65_000),
        (257, 4, 1, 65_000),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (273, 4, 1, 8),
        (279, 4, 1, 9),
    )
    return (
        b"II*\0\x08\0\0\0"
        + struct.pack("<H", len(tags))
        + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        + bytes(8)
    )


def a_film() -> bytes:
    return b"\0\0\0\x20ftypavif" + b"\0" * 20 + b"\0\0\0\x08meta" * 1000


def a_page() -> bytes:
    return b"<!doctype html>" + xss.ELEMENTS["script"].encode()


def nothing() -> bytes:
    return b""


def zeros() -> bytes:
    return bytes(MAX)
