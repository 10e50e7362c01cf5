"""Pictures: made anew, small, and without anything of the file they came in."""

import os
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import pytest
from hostile.corpus import items
from hostile.through import Way
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from mirror.article import pixels
from mirror.article.article import Article
from mirror.article.cleaning.clean import clean
from mirror.article.picture import MAX_PICTURES, Picture, files, name, picture_addresses
from mirror.article.pixels import MAX_LARGE_BYTES, MAX_LARGE_PX, SMALL_PX, encode
from mirror.article.render.shown import shown_blocks
from mirror.box import Box, Refused
from mirror.errors import FormatError
from tests.cost import within

URL = "https://h.example/p.jpg"
RED, BLUE, WHITE = (200, 30, 30), (30, 30, 200), (255, 255, 255)
ORIENTATION = 0x0112
HELD = {1: "RB", 2: "BR", 3: "BR", 4: "RB", 5: "R/B", 6: "R/B", 7: "B/R", 8: "B/R"}
"""Where the red half of a picture, left in the file, is to be seen: `/` is a line break."""
CURTAIN = 12_000 - 900


def two_halves(width: int = 600, height: int = 300) -> Image.Image:
    image = Image.new("RGB", (width, height), BLUE)
    image.paste(RED, (0, 0, width // 2, height))
    return image


def street(width: int, height: int) -> Image.Image:
    """Return what compresses as a photograph does: large shapes, small ones, and some grain."""
    chance = random.Random(1)
    layers = [
        Image.frombytes("RGB", (size, size), chance.randbytes(size * size * 3)).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        for size in (5, 20, 60)
    ]
    shapes = Image.blend(Image.blend(layers[0], layers[1], 0.4), layers[2], 0.15)
    return Image.blend(shapes, Image.effect_noise((width, height), 20).convert("RGB"), 0.05)


def noise(size: int) -> Image.Image:
    return Image.frombytes("RGB", (size, size), random.Random(2).randbytes(size * size * 3))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, extra: bytes = b"", rows: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(rows or bytes((1 + width * 3) * height))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    return start + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def gif(width: int, height: int, *, extra: bytes = b"") -> bytes:
    """Return a GIF of 100 x 100 pixels whose head says another size."""
    whole = saved(Image.new("P", (100, 100)), "GIF")
    behind = 13 + (3 << ((whole[10] & 7) + 1) if whole[10] & 128 else 0)
    size = struct.pack("<HH", width, height)
    return whole[:6] + size + whole[10:behind] + extra + whole[behind:]


def seen(picture: Picture) -> Image.Image:
    return Image.open(BytesIO(picture.webp)).convert("RGB")


def near(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(one - other) < 25 for one, other in zip(pixel, colour, strict=True))


def chunks_of(webp: bytes) -> Iterator[bytes]:
    at = 12
    while at < len(webp):
        yield webp[at : at + 4]
        at += 8 + int.from_bytes(webp[at + 4 : at + 8], "little") + webp[at + 4] % 2
    assert at == len(webp) == 8 + int.from_bytes(webp[4:8], "little")


@pytest.fixture
async def box():
    async with Box(workers=1, packages=("mirror.article.pixels",)) as box:
        yield box


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
def test_every_kind_becomes_the_same_small_webp(kind: str):
    picture = encode(saved(two_halves(1200, 600), kind), url=URL)

    assert (picture.url, picture.width, picture.height, picture.large) == (URL, 480, 240, b"")
    assert seen(picture).size == (480, 240)
    assert near(seen(picture).getpixel((100, 100)), RED)
    assert near(seen(picture).getpixel((400, 100)), BLUE)


def test_the_same_bytes_give_the_same_file_under_its_hash():
    body = saved(street(1600, 1000), "JPEG")
    picture = encode(body, url=URL, large_px=1280)

    assert encode(body, url=URL, large_px=1280) == picture
    assert files([picture]) == {
        name(picture.webp): picture.webp,
        name(picture.large): picture.large,
    }
    assert re.fullmatch(r"[0-9a-f]{64}\.webp", name(picture.webp))


@pytest.mark.parametrize("size", [(640, 480), (2400, 1600), (1000, 1500)])
def test_a_photograph_passes_the_curtain_without_growing_small(size: tuple[int, int]):
    picture = encode(saved(street(*size), "JPEG", quality=88), url=URL, large_px=1280)

    assert len(picture.webp) <= CURTAIN
    assert max(picture.width, picture.height) >= 360
    assert len(picture.large) <= MAX_LARGE_BYTES


def test_noise_passes_the_curtain_in_fewer_pixels():
    picture = encode(saved(noise(800), "PNG"), url=URL, large_px=1280)

    assert len(picture.webp) <= CURTAIN
    assert len(picture.large) <= MAX_LARGE_BYTES


def test_the_larger_one_is_made_only_on_demand_and_where_there_is_more_to_see():
    body = saved(two_halves(1000, 500), "PNG")

    assert encode(body, url=URL).large == b""
    assert encode(body, url=URL, large_px=SMALL_PX).large == b""
    assert encode(saved(two_halves(480, 240), "PNG"), url=URL, large_px=1280).large == b""
    assert Image.open(BytesIO(encode(body, url=URL, large_px=800).large)).size == (800, 400)
    assert Image.open(BytesIO(encode(body, url=URL, large_px=9000).large)).size == (1000, 500)
    wide = encode(saved(two_halves(2800, 1400), "PNG"), url=URL, large_px=9000)
    assert Image.open(BytesIO(wide.large)).size == (MAX_LARGE_PX, MAX_LARGE_PX // 2)


def test_nothing_of_the_file_goes_on_but_what_is_seen():
    about = Image.Exif()
    about[ORIENTATION] = 1
    about[0x010F] = "SECRET camera"
    about.get_ifd(0x8825)[2] = (55.0, 45.0, 7.0)
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("SECRET.txt", "SECRET")
    bodies = [
        saved(two_halves(), "JPEG", exif=about, comment=b"SECRET", xmp=b"<SECRET/>")
        + archive.getvalue(),
        saved(two_halves(), "PNG", exif=about) + b"<script>SECRET()</script>",
        saved(two_halves(), "WEBP", exif=about, xmp=b"<SECRET/>", icc_profile=b"SECRET"),
        png(600, 300, extra=chunk(b"tEXt", b"Comment\0SECRET")),
        gif(100, 100, extra=b"!\xfe\x09=SECRET()\x00"),
    ]

    for body in bodies:
        webp = encode(body, url=URL).webp
        assert b"SECRET" in body
        assert list(chunks_of(webp)) == [b"VP8 "]
        assert b"SECRET" not in webp


@pytest.mark.parametrize("held", HELD)
def test_a_picture_stands_as_the_camera_was_held(held: int):
    about = Image.Exif()
    about[ORIENTATION] = held
    picture = seen(encode(saved(two_halves(), "JPEG", exif=about), url=URL))

    first, second = ((20, 20), (-20, -20))
    at = [(x % picture.width, y % picture.height) for x, y in (first, second)]
    expected = [RED, BLUE] if HELD[held][0] == "R" else [BLUE, RED]
    assert (picture.height > picture.width) == ("/" in HELD[held])
    assert [
        near(picture.getpixel(place), colour) for place, colour in zip(at, expected, strict=True)
    ]


def test_what_is_transparent_is_white():
    clear = Image.new("RGBA", (100, 100), (255, 0, 0, 0))
    half = Image.new("RGBA", (100, 100), (0, 0, 0, 128))
    indexed = Image.new("P", (100, 100), 1)
    indexed.putpalette((*RED, *BLUE))

    for body, colour in (
        (saved(clear, "PNG"), WHITE),
        (saved(clear, "WEBP", lossless=True), WHITE),
        (saved(half, "PNG"), (127, 127, 127)),
        (saved(clear.convert("LA"), "PNG"), WHITE),
        (saved(indexed, "PNG", transparency=1), WHITE),
        (saved(indexed, "PNG", transparency=bytes((9, 0))), WHITE),
        (saved(indexed, "GIF", transparency=1), WHITE),
        (saved(Image.new("RGB", (100, 100), RED), "PNG", transparency=RED), WHITE),
    ):
        assert near(seen(encode(body, url=URL)).getpixel((50, 50)), colour)


def test_uncommon_depths_keep_their_colours():
    grey = (127, 127, 127)
    for body, colour in (
        (saved(Image.new("I;16", (100, 100), 0x7F00), "PNG"), grey),
        (saved(Image.new("L", (100, 100), 127), "JPEG"), grey),
        (saved(Image.new("1", (100, 100), 1), "PNG"), WHITE),
        (saved(Image.new("CMYK", (100, 100), (0, 0, 0, 128)), "JPEG"), grey),
        (saved(Image.new("P", (100, 100), 0), "GIF"), (0, 0, 0)),
    ):
        assert near(seen(encode(body, url=URL)).getpixel((50, 50)), colour)


def test_a_colour_profile_is_applied_and_a_broken_one_is_no_loss():
    screen = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = screen.replace(b"rXYZ", b"xXYZ").replace(b"bXYZ", b"rXYZ").replace(b"xXYZ", b"bXYZ")
    for profile, colour in (
        (screen, RED),
        (swapped, RED[::-1]),
        (b"no profile" * 20, RED),
        (screen[:200], RED),
        (bytes(4_000_000), RED),
    ):
        body = saved(two_halves(), "JPEG", icc_profile=profile)

        assert near(seen(encode(body, url=URL)).getpixel((20, 20)), colour)
    for mode, kind in (("L", "JPEG"), ("CMYK", "JPEG"), ("P", "PNG"), ("RGBA", "PNG")):
        assert encode(saved(Image.new(mode, (99, 99)), kind, icc_profile=screen), url=URL)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_of_a_moving_picture_the_first_frame_is_kept(kind: str):
    frames = [Image.new("RGB", (200, 100), BLUE)] * 2
    body = saved(Image.new("RGB", (200, 100), RED), kind, save_all=True, append_images=frames)

    assert near(seen(encode(body, url=URL)).getpixel((50, 50)), RED)


def test_a_thousand_frames_take_no_longer_than_one():
    frames = [Image.new("P", (300, 300), number % 256) for number in range(1000)]
    body = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])

    with within(0.5):
        encode(body, url=URL)


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (32, 32), (600, 32), (33, 20_000), (1, 20_000)])
def test_what_counts_readers_or_decorates_is_no_picture(size: tuple[int, int]):
    with pytest.raises(FormatError, match=f"too small: {size[0]} x {size[1]}"):
        encode(saved(Image.new("RGB", size), "PNG"), url=URL)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='99' height='99'></svg>",
        b"<!doctype html><title>Not found</title>",
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        saved(two_halves(), "TIFF"),
        saved(two_halves(), "BMP"),
        saved(two_halves(), "ICO"),
        saved(two_halves(), "JPEG2000"),
        saved(two_halves(), "PPM"),
    ],
    ids=["nothing", "svg", "html", "pdf", "eps", "tiff", "bmp", "ico", "jpeg2000", "ppm"],
)
def test_a_file_of_another_kind_is_refused_whatever_it_is_called(body: bytes):
    with pytest.raises(FormatError, match="picture: not a JPEG"):
        encode(body, url=URL)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
def test_a_picture_that_was_cut_off_is_refused(kind: str):
    body = saved(street(400, 300), kind)

    with pytest.raises(FormatError, match="picture: unreadable"):
        encode(body[: len(body) * 3 // 4], url=URL)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (png(60_000, 60_000, rows=b"x"), "too large: 60000 x 60000 pixels"),
        (gif(65_535, 65_535), "too large: 65535 x 65535 pixels"),
        (
            png(300, 200, extra=chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 24)))),
            "too large",
        ),
        (
            png(300, 200, extra=chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(1 << 24)))),
            "too large",
        ),
    ],
    ids=["png", "gif", "text", "profile"],
)
def test_a_bomb_is_refused_before_it_is_unpacked(body: bytes, reason: str):
    with pytest.raises(FormatError, match=reason):
        encode(body, url=URL)


def test_a_jpeg_of_many_scans_is_refused():
    body = saved(two_halves(), "JPEG", progressive=True)
    scan = body[body.rindex(b"\xff\xda") : -2]

    with pytest.raises(FormatError, match="more than 30 scans"):
        encode(body[:-2] + 30 * scan + body[-2:], url=URL)


@given(
    st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "AVIF"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
)
def test_a_damaged_file_is_a_format_error_or_a_picture(kind: str, changes: list[tuple[float, int]]):
    body = bytearray(saved(two_halves(64, 48), kind))
    for place, value in changes:
        body[int(place * len(body))] = value

    try:
        picture = encode(bytes(body), url=URL)
    except FormatError:
        return
    assert list(chunks_of(picture.webp)) == [b"VP8 "]
    assert len(picture.webp) <= CURTAIN


async def test_the_sealed_worker_reads_every_kind(box: Box):
    about = Image.Exif()
    about[ORIENTATION] = 6
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "GIF"):
        options = {} if kind == "GIF" else {"exif": about}
        body = saved(two_halves(), kind, **options)

        assert await box.run(encode, body, url=URL, large_px=600) == encode(
            body, url=URL, large_px=600
        )
    for mode in ("CMYK", "L"):
        assert isinstance(
            await box.run(encode, saved(Image.new(mode, (99, 99)), "JPEG"), url=URL), Picture
        )


async def test_the_largest_pictures_fit_into_the_worker(box: Box):
    for kind, mode, size, options in (
        ("JPEG", "RGB", (8000, 8000), {}),
        ("JPEG", "RGB", (3700, 3700), {"progressive": True}),
        ("PNG", "RGBA", (2500, 1600), {"compress_level": 1}),
        ("GIF", "P", (4000, 2000), {}),
        ("WEBP", "RGB", (2000, 1500), {"method": 0}),
        ("AVIF", "RGB", (2000, 1500), {"speed": 10}),
    ):
        body = saved(Image.new(mode, size, 9), kind, **options)

        picture = await box.run(encode, body, url=URL, large_px=MAX_LARGE_PX)

        assert isinstance(picture, Picture), (kind, picture)
        assert picture.large


async def test_a_bomb_ends_neither_the_worker_nor_the_next_job(box: Box):
    sound = saved(two_halves(), "PNG")
    for body in (
        saved(Image.new("RGB", (8000, 6000)), "WEBP", method=0),
        saved(Image.new("RGB", (8000, 8000)), "JPEG", progressive=True, subsampling=0),
        png(300, 200, extra=chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 20))) * 70),
    ):
        refused = await box.run(encode, body, url=URL)

        assert isinstance(refused, Refused)
        assert not refused.killed, refused
        assert isinstance(await box.run(encode, sound, url=URL), Picture)


async def test_of_files_that_are_more_than_a_picture_only_that_is_published():
    wanted = {"jpeg_and_archive", "jpeg_and_page", "jpeg_with_a_place", "jpeg_turned", "a_page"}
    hostile = [item for item in items() if item.kind == "picture" and item.name in wanted]
    async with Box(workers=1) as box:
        way = Way(box)
        outcomes = {item.name: await way.through(item) for item in hostile}
    webps = [webp for outcome in outcomes.values() for webp in outcome.webps]

    assert outcomes.keys() == wanted
    assert {name for name, outcome in outcomes.items() if not outcome.webps} == {"a_page"}
    assert {chunk for webp in webps for chunk in chunks_of(webp)} == {b"VP8 "}
    assert all(len(webp) <= MAX_LARGE_BYTES for webp in webps)


async def test_the_worst_pictures_are_done_within_the_limits_of_a_job(box: Box):
    grain = Image.frombytes("RGB", (2000, 2000), os.urandom(3 * 2000**2))
    many = chunk(b"tEXt", b"k\0v") * 100_000
    for body in (saved(grain, "PNG", compress_level=0), png(300, 200, extra=many)):
        assert isinstance(await box.run(encode, body, url=URL, large_px=MAX_LARGE_PX), Picture)


def test_a_photograph_of_a_camera_takes_a_second_at_most():
    body = saved(street(1000, 750).resize((4000, 3000)), "JPEG", quality=88)
    pixels.warm_up()

    with within(1.5):  # it takes 0.3 s
        encode(body, url=URL)


def blocks(markup: str) -> tuple[str, ...]:
    return clean(markup, base="https://h.example/news/1", lang="en")


def article(*markup: str, pictures: tuple[Picture, ...] = (), lang: str = "en") -> Article:
    return Article(
        url="https://h.example/news/1",
        title="Title",
        authors=(),
        published="",
        lang=lang,
        dir="ltr",
        blocks=clean("".join(markup), base="https://h.example/news/1", lang=lang),
        partial=False,
        pictures=pictures,
    )


def test_an_alternative_text_is_kept_where_it_says_more_than_the_caption():
    [said] = blocks('<figure><img src="/p.jpg" alt="A &quot;ferry&quot; & <b>"><figcaption>Noon.')
    [same] = blocks('<figure><img src="/p.jpg" alt="a ferry"><figcaption>A <b>ferry</b>, at noon.')
    [file] = blocks('<img src="/p.jpg" alt="DSC_0041.JPG">')
    [none] = blocks('<img src="/p.jpg" alt=" ">')
    [only] = blocks('<img src="/p.jpg" alt="The ferry at the quay">')
    [long] = blocks(f'<figure><img src="/p.jpg" alt="{"word " * 400}"><figcaption>Noon.')

    link = '<a itemprop="contentUrl" href="https://h.example/p.jpg"'
    assert f'{link} title="A &quot;ferry&quot; &amp; &lt;b&gt;">Photo</a>' in said
    assert all(f"{link}>Photo</a>" in block for block in (same, file, none, only))
    assert '<span itemprop="caption">The ferry at the quay</span>' in only
    assert re.search(r' title="[^"]{250,300}…"', long)


def test_an_alternative_text_is_part_of_what_an_edit_is_and_our_own_words_are_not():
    block = '<figure><a itemprop="contentUrl" href="https://h.example/p">Photo</a></figure>'
    one = replace(article("<p>x"), blocks=(block,))

    assert one.digest == replace(one, blocks=(block.replace(">Photo<", ">Фото<"),)).digest


def test_the_addresses_of_pictures_are_in_order_each_once_and_not_too_many():
    found = picture_addresses(
        blocks(
            '<p><a href="/page">x</a></p><img src="/b.jpg?x=1&amp;y=2"><img src="/a.jpg" alt="An '
            'old port"><img src="/b.jpg?x=1&y=2"><img src="data:image/png;base64,AA">'
            '<img src="javascript:alert(1)"><img src="/t.gif" width=1 height=1>'
        )
    )
    many = picture_addresses(blocks("".join(f'<img src="/{n}.jpg">' for n in range(100))))

    assert found == ("https://h.example/b.jpg?x=1&y=2", "https://h.example/a.jpg")
    assert len(many) == MAX_PICTURES
    assert picture_addresses(["<p>no figure</p>"]) == ()


def test_a_picture_at_hand_is_shown_behind_its_size():
    at = "https://h.example/b.jpg?x=1&y=2"
    picture = Picture(at, b"x" * 9_400, 480, 320, b"y" * 96_200)
    [block] = shown_blocks(
        article(
            '<figure><img src="/b.jpg?x=1&amp;y=2" alt="A &quot;ferry&quot; & <b>">'
            "<figcaption>Noon.",
            pictures=(picture,),
        )
    )

    assert block == (
        '<figure itemprop="image" itemscope="" itemtype="https://schema.org/ImageObject">'
        f'<a itemprop="contentUrl" href="{name(picture.webp)}">Photo, <bdi dir="ltr">9 kB</bdi></a>'
        f' <a href="{name(picture.large)}">Photo, <bdi dir="ltr">96 kB</bdi></a>'
        ' <small>A "ferry" &amp; &lt;b&gt;</small>'
        '<figcaption><span itemprop="caption">Noon.</span></figcaption></figure>'
    )


def test_a_picture_that_could_not_be_had_says_where_its_link_leads():
    [block] = shown_blocks(article('<img src="https://www.cdn.example/p.jpg?x=1&amp;y=2">'))

    assert (
        '<a itemprop="contentUrl" href="https://www.cdn.example/p.jpg?x=1&amp;y=2">'
        'Photo (<bdi dir="ltr">cdn.example</bdi>)</a></figure>'
    ) in block


def test_what_is_no_picture_is_shown_as_it_is():
    text = '<p>itemprop="contentUrl" <a itemprop="contentUrl" href="/x" title="T">y</a></p>'
    shown = article(text, '<p><abbr title="t">T</abbr></p>')

    assert shown_blocks(shown) == shown.blocks
    assert not any(" itemprop=" in tag for tag in re.findall("<[^>]*>", "".join(shown.blocks)))


@pytest.mark.parametrize(
    "markup",
    [
        '<img srcset="javascript:alert(1) 1x, data:image/png;base64,AA 2x">',
        '<img src="java\tscript:alert(1)" data-src="vbscript:x">',
        '<img src="https://counter.yadro.ru/hit">',
        '<img src="/p.jpg" style="width:1px;height:1px">',
        '<img src="/p.jpg" width="2px">',
        '<img src="//">',
        '<picture><source srcset="/x.jpg"></picture>',
        '<picture><source srcset="javascript:alert(1) 1x"><img alt="x"></picture>',
    ],
)
def test_no_trick_is_a_picture(markup: str):
    assert blocks(markup) == ()


@pytest.mark.parametrize(
    ("markup", "address"),
    [
        ('<source srcset="/a.webp 1x"><img src="/a.jpg">', "a.jpg"),
        ('<source srcset="/a.webp"><source srcset="/b.webp"><img src="/a.jpg">', "a.jpg"),
        ('<source srcset="/s.jpg 400w, /b.jpg 800w"><img src="data:image/gif;base64,R0">', "b.jpg"),
        ('<source data-srcset="/b.jpg"/><img class="lazy">', "b.jpg"),
    ],
)
def test_a_picture_of_several_files_is_one(markup: str, address: str):
    [alone] = blocks(f"<picture>{markup}</picture>")
    [inside] = blocks(f"<figure><picture>{markup}</picture><figcaption>Noon.</figcaption></figure>")

    assert picture_addresses([alone]) == picture_addresses([inside])
    assert picture_addresses([alone]) == (f"https://h.example/{address}",)


def test_many_sources_of_many_pictures_take_no_time():
    with within(2):
        blocks(f"<picture>{'<source>' * 100}{'<img>' * 20_000}</picture>")
        blocks(f"<picture>{'<source/>' * 20_000}{'<img>' * 20_000}</picture>")


def test_a_picture_in_sizes_is_taken_at_the_largest_and_a_base_moves_none():
    [sizes] = blocks('<img srcset="/s.jpg 400w, /a,b.jpg 800w">')
    [base] = blocks('<base href="https://evil.example/"><img src="p.jpg">')

    assert picture_addresses([sizes]) == ("https://h.example/a,b.jpg",)
    assert picture_addresses([base]) == ("https://h.example/news/p.jpg",)
