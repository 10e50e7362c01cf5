"""The site over HTTP: its files as they are, and nothing beside them."""

import asyncio
import gzip
import hashlib
import json
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import brotli
import pytest
from serve_wire import Got, get, raw
from yarl import URL

from mirror.serve import Manners, serve
from mirror.serve.files import Form
from mirror.serve.reply import Reply
from mirror.serve.site import Kept, Ready
from mirror.stores import write
from mirror.stores.dir import DirStore

A = "a/o/q/x/w64tnmfzrgi3damf2"
PAGE = b"<!doctype html><p>words and words</p>" * 20
SITE = {
    "index.html": PAGE,
    f"{A}/1.html": PAGE,
    f"{A}/index.html": PAGE,
    f"{A}/1.html.tlog-proof": b"c2sp.org/tlog-proof@v1\n",
    f"{A}/1.html.minisig": b"untrusted comment",
    f"{A}/{'0f' * 32}.webp": b"RIFF",
    "index/00.json": b'{"v":1}',
    "tile/0/000.p/1": bytes(32),
    "tile/entries/000.p/1": b"\x00\x01x",
    "checkpoint": b"origin\n",
    "trust/1.root.json": b"{}",
    "index.tlog-proof": b"proof\n",
    **dict.fromkeys(("feed.xml", "feed/2.xml", "feed.json", "other.xml"), b"words"),
    **dict.fromkeys(("sw.js", "style.css", "robots.txt"), b"words"),
}


@pytest.fixture
async def site(tmp_path: Path) -> Path:
    await write(DirStore(tmp_path / "site"), SITE)
    # A store makes this form of what does not change every hour only; another program may.
    packed = brotli.compress(SITE["index.html"])
    (tmp_path / "site" / "index.html.br").write_bytes(packed)
    return tmp_path / "site"


@pytest.fixture
async def address(site: Path) -> AsyncIterator[str]:
    async with serve(site, host="127.0.0.1", port=0) as address:
        yield address


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as client:
        yield client


async def ask(
    client: aiohttp.ClientSession, address: str, path: str, *, accept: str = "identity"
) -> tuple[int, aiohttp.typedefs.LooseHeaders, bytes]:
    """Ask for `path` as it is written, dots and percent signs included."""
    url = URL(f"{address}/{path}", encoded=True)
    headers = {"Accept-Encoding": accept}
    async with client.get(url, headers=headers, allow_redirects=False) as answer:
        return answer.status, answer.headers, await answer.read()


@pytest.mark.parametrize("path", SITE)
async def test_every_file_is_served_as_it_is(
    client: aiohttp.ClientSession, address: str, path: str
):
    status, headers, body = await ask(client, address, path)

    assert (status, body) == (200, SITE[path])
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize(
    ("path", "type_"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("index/00.json", "application/json"),
        (f"{A}/{'0f' * 32}.webp", "image/webp"),
        ("tile/0/000.p/1", "application/octet-stream"),
        ("tile/entries/000.p/1", "application/octet-stream"),
        ("feed.xml", "application/atom+xml"),
        ("feed/2.xml", "application/atom+xml"),
        ("feed.json", "application/feed+json"),
        ("other.xml", "application/xml"),
        ("sw.js", "text/javascript; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("robots.txt", "text/plain; charset=utf-8"),
        ("checkpoint", "text/plain; charset=utf-8"),
        (f"{A}/1.html.tlog-proof", "text/plain; charset=utf-8"),
        (f"{A}/1.html.minisig", "text/plain; charset=utf-8"),
    ],
)
async def test_a_file_says_its_type(
    client: aiohttp.ClientSession, address: str, path: str, type_: str
):
    _, headers, _ = await ask(client, address, path)

    assert headers["Content-Type"] == type_


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, deflate, br", "br"),
        ("br", "br"),
        ("gzip", "gzip"),
        ("gzip;q=1.0, identity; q=0.5", "gzip"),
        ("deflate", None),
        ("identity", None),
        ("br;q=0, gzip;q=0", None),
        ("vibrant", None),
        ("BR", "br"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0.5, gzip;q=0.8, identity", None),
        ("*", "br"),
        ("*;q=0.5, br;q=0", "gzip"),
        ("*;q=0, gzip", "gzip"),
        ("gzip;q=0.001", "gzip"),
        ("gzip;q=2", None),
        ("gzip;q=-1", None),
        ("identity;q=0, br", "br"),
        ("", None),
        (";;,,q=1", None),
        ("x" * 2000 + ", br", "br"),
    ],
)
async def test_a_reader_gets_a_form_that_it_takes(
    client: aiohttp.ClientSession, address: str, accept: str, coding: str | None
):
    status, headers, body = await ask(client, address, f"{A}/1.html", accept=accept)
    decode = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[coding]

    assert (status, headers.get("Content-Encoding")) == (200, coding)
    assert decode(body) == PAGE
    assert "Accept-Encoding" in headers["Vary"]


async def test_a_form_that_is_missing_is_served_plain(
    client: aiohttp.ClientSession, address: str, site: Path
):
    (site / "index.html.br").unlink()
    _, headers, body = await ask(client, address, "index.html", accept="br")

    assert "Content-Encoding" not in headers
    assert body == PAGE


@pytest.mark.parametrize(("path", "file"), [("", "index.html"), (f"{A}/", f"{A}/index.html")])
async def test_a_folder_is_its_index(
    client: aiohttp.ClientSession, address: str, path: str, file: str
):
    assert (await ask(client, address, path))[0::2] == (200, SITE[file])


@pytest.mark.parametrize(
    "path",
    [
        *("nothing.html", "a", A, "a/", f"{A}/1.html/", f"{A}/1.html/x", "index", "CHECKPOINT"),
        *("../secret", "..%2fsecret", "%2e%2e/secret", "%2e%2e%2fsecret", "a/../../secret"),
        *("%2fetc%2fpasswd", "/etc/passwd", "//etc/passwd", "..%5csecret", "a%5c..%5csecret"),
        *("index.html%00", "%00", "index.html%00.txt", "%ff%fe", "%c0%ae%c0%ae/secret"),
        *(".staging/0", ".hidden", "a/.b", "%2estaging/0", "index.html%0d%0aX:1", "~root"),
        *("index.html.br", "index.html.gz", "./index.html", "a/./o", "%zz", "index.html%", "%2"),
        *(f"{A.replace('/', '%2f')}/1.html", f"{A}//1.html", "%c3%a9.html", "%23x"),
        *("x" * 300, f"{'x' * 3000}", f"{'a/' * 1500}x"),
    ],
)
async def test_what_is_no_file_of_the_site_is_404_and_no_redirect(
    client: aiohttp.ClientSession, address: str, site: Path, path: str
):
    (site.parent / "secret").write_text("not published")
    (site / ".hidden").write_text("not published")
    status, headers, body = await ask(client, address, path)

    assert status == 404
    assert "Location" not in headers
    assert b"published" not in body


@pytest.mark.parametrize("name", ["link.html", "link/secret", "page.html"])
async def test_a_link_out_of_the_site_is_not_followed(
    client: aiohttp.ClientSession, address: str, site: Path, name: str
):
    (site.parent / "secret").write_text("not published")
    (site / "link.html").symlink_to(site.parent / "secret")
    (site / "link").symlink_to(site.parent)
    (site / "page.html").write_text("plain")
    (site / "page.html.gz").symlink_to(site.parent / "secret")
    status, _, body = await ask(client, address, name, accept="gzip")

    assert (status, body) in [(404, body), (200, b"plain")]
    assert b"published" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_can_be_written(client: aiohttp.ClientSession, address: str, method: str):
    async with client.request(method, f"{address}/index.html", data=b"x") as answer:
        assert answer.status == 405


@pytest.mark.parametrize(
    ("path", "caching"),
    [
        ("checkpoint", "private, max-age=60"),
        ("index.tlog-proof", "private, max-age=60"),
        ("index.html", "private, max-age=300"),
        (f"{A}/index.html", "private, max-age=300"),
        (f"{A}/1.html.tlog-proof", "private, max-age=300"),
        (f"{A}/1.html", "max-age=31536000, immutable"),
        ("tile/0/000.p/1", "max-age=31536000, immutable"),
        ("nothing", "no-store"),
    ],
)
async def test_a_head_is_asked_again_and_an_immutable_file_is_not(
    client: aiohttp.ClientSession, address: str, path: str, caching: str
):
    assert (await ask(client, address, path))[1]["Cache-Control"] == caching


# What every answer says.


async def every_kind(address: str) -> list[Got]:
    """Return an answer of each status, all but those of the gateway."""
    tag = (await get(address, "/index.html")).headers["etag"]
    return [
        await get(address, "/index.html"),
        await get(address, "/index.html", method="HEAD"),
        await get(address, "/index.html", f"If-None-Match: {tag}"),
        await get(address, "/nothing"),
        await get(address, "/index.html", method="POST"),
        await get(address, "/index.html", method="OPTIONS"),
        await get(address, "/checkpoint", "Accept-Encoding: identity;q=0"),
        await get(address, "/index.html", "Content-Length: 1"),
        await get(address, "/-/health"),
        Got.parse(await raw(address, b"garbage\r\n\r\n")),
    ]


async def test_every_answer_keeps_the_reader_safe_and_names_no_program(address: str):
    answers = await every_kind(address)

    assert [each.status for each in answers] == [200, 200, 304, 404, 405, 204, 406, 413, 200, 400]
    for answer in answers:
        headers = answer.headers
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["access-control-allow-origin"] == "*"
        assert headers["cross-origin-resource-policy"] == "cross-origin"
        assert headers["permissions-policy"].count("=()") == 8
        assert headers["content-security-policy"].startswith("default-src 'none'; ")
        assert headers["content-security-policy"].endswith("; frame-ancestors 'none'")
        assert headers["accept-ranges"] == "none"
        assert headers["date"].endswith(" gmt")
        assert not {"server", "set-cookie", "location", "x-powered-by"} & headers.keys()
        assert b"aiohttp" not in answer.body.lower()
        assert len(answer.body) < 100 or answer.status == 200


OWN = "default-src 'none'; style-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
META = '<meta http-equiv="Content-Security-Policy" content="{}">'
NONE = "default-src 'none'; img-src 'self'; base-uri 'none'; form-action 'none'"


@pytest.mark.parametrize(
    ("path", "text", "policy"),
    [
        ("x.html", f"<!doctype html>{META.format(OWN)}", f"{OWN}; frame-ancestors 'none'"),
        ("x.html", META.format(f"{OWN};"), f"{OWN}; frame-ancestors 'none'"),
        ("x.html", "<!doctype html>", f"{NONE}; frame-ancestors 'none'"),
        ("x.html", META.format("script-src *"), f"{NONE}; frame-ancestors 'none'"),
        ("x.html", META.format(f"{OWN}\r\nX: y"), f"{NONE}; frame-ancestors 'none'"),
        ("x.html", META.format(f"{OWN} é"), f"{NONE}; frame-ancestors 'none'"),
        ("x.html", "x" * 4096 + META.format(OWN), f"{NONE}; frame-ancestors 'none'"),
        ("x.json", META.format(OWN), "default-src 'none'; frame-ancestors 'none'"),
        ("x.js", "", "default-src 'none'; connect-src *; frame-ancestors 'none'"),
    ],
)
async def test_the_policy_of_a_page_is_its_own_and_none_is_the_strictest(
    address: str, site: Path, path: str, text: str, policy: str
):
    (site / path).write_bytes(text.encode())
    answer = await get(address, f"/{path}")

    assert answer.headers["content-security-policy"] == policy.lower()


async def test_a_page_of_twelve_kilobytes_has_room_for_its_headers(address: str):
    data = await raw(address, b"GET /index.html HTTP/1.1\r\nHost: x\r\nAccept-Encoding: br\r\n\r\n")

    assert len(data.partition(b"\r\n\r\n")[0]) < 800


# Conditions, methods, targets.


async def test_each_form_has_a_tag_of_its_own_made_of_the_plain_bytes(
    client: aiohttp.ClientSession, address: str
):
    tags = [
        (await ask(client, address, "index.html", accept=accept))[1]["ETag"]
        for accept in ("identity", "br", "gzip")
    ]
    digest = hashlib.sha256(PAGE).hexdigest()

    assert tags == [f'"{digest}"', f'"{digest}.br"', f'"{digest}.gz"']


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '"other",W/{} , "x"', "*", " * "])
async def test_what_is_unchanged_is_not_sent_again(address: str, form: str):
    first = await get(address, "/index.html", "Accept-Encoding: br")
    tag = first.headers["etag"]
    again = await get(
        address, "/index.html", "Accept-Encoding: br", f"If-None-Match: {form.format(tag)}"
    )

    assert (again.status, again.body) == (304, b"")
    for name in ("cache-control", "etag", "vary", "content-security-policy"):
        assert again.headers[name] == first.headers[name]
    assert not {"content-length", "content-type", "content-encoding"} & again.headers.keys()


@pytest.mark.parametrize("form", ['"other"', "{}.gz", '"{}', "", '"*"', '"x{}"'])
async def test_another_tag_is_no_reason_not_to_send(address: str, form: str):
    tag = (await get(address, "/index.html")).headers["etag"].strip('"')
    answer = await get(address, "/index.html", f"If-None-Match: {form.format(tag)}")

    assert (answer.status, answer.body) == (200, PAGE)


async def test_the_tag_of_one_form_is_no_tag_of_another(address: str):
    tag = (await get(address, "/index.html", "Accept-Encoding: br")).headers["etag"]
    answer = await get(address, "/index.html", f"If-None-Match: {tag}")

    assert answer.status == 200


@pytest.mark.parametrize("path", ["/index.html", "/tile/0/000.p/1", "/nothing", "/-/health"])
async def test_head_is_get_without_the_body(address: str, path: str):
    whole = await get(address, path, "Accept-Encoding: br")
    bare = await get(address, path, "Accept-Encoding: br", method="HEAD")

    assert (bare.status, bare.body) == (whole.status, b"")
    assert bare.headers | {"date": ""} == whole.headers | {"date": ""}
    assert int(bare.headers["content-length"]) == len(whole.body) > 0


async def test_what_is_allowed_is_said(address: str):
    refused = await get(address, "/index.html", method="DELETE")
    asked = await get(address, "/index.html", "Origin: https://x.example", method="OPTIONS")
    of_all = await get(address, "*", method="OPTIONS")

    assert refused.headers["allow"] == "get, head, options"
    for answer in (asked, of_all):
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["access-control-allow-methods"] == "get, head"


@pytest.mark.parametrize("line", ["Range: bytes=0-1", "Range: bytes=9-1", "If-Range: x"])
async def test_a_part_is_answered_with_the_whole(address: str, line: str):
    answer = await get(address, "/index.html", line)

    assert (answer.status, answer.body) == (200, PAGE)


@pytest.mark.parametrize(
    "target",
    [
        *("/?", "/?utm_source=x", "/index.html?a=b&c=%00", "/index%2Ehtml", "/%69ndex.html"),
        *("http://elsewhere.example/index.html", "HTTP://elsewhere.example", "http://x:1/?y"),
    ],
)
async def test_a_target_may_be_written_otherwise(address: str, target: str):
    answer = await get(address, target)

    assert (answer.status, answer.body) == (200, PAGE)


@pytest.mark.parametrize("accept", ["identity;q=0", "*;q=0", "br, identity;q=0"])
async def test_what_takes_no_form_of_a_file_gets_none(address: str, accept: str):
    assert (await get(address, "/checkpoint", f"Accept-Encoding: {accept}")).status == 406


async def test_several_lines_are_one_list(address: str):
    lines = ("Accept-Encoding: gzip;q=0.5", "Accept-Encoding: br;q=0.7")
    answer = await get(address, "/index.html", *lines)

    assert answer.headers["content-encoding"] == "br"


# The folder changes while it is served.


NEW = PAGE.replace(b"words", b"other words")


async def replace(file: Path, data: bytes) -> None:
    new = file.with_name(".new")
    await asyncio.to_thread(new.write_bytes, data)
    await asyncio.to_thread(new.replace, file)


async def body(address: str, path: str = "/index.html", accept: str = "br") -> bytes:
    answer = await get(address, path, f"Accept-Encoding: {accept}")
    decode = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}
    return decode[answer.headers.get("content-encoding")](answer.body)


@pytest.mark.parametrize("accept", ["br", "gzip", "identity"])
async def test_a_changed_page_is_served_at_once(address: str, site: Path, accept: str):
    before = await body(address, accept=accept)
    await write(DirStore(site), {"index.html": NEW})

    assert before == PAGE
    assert await body(address, accept=accept) == NEW


@pytest.mark.parametrize("accept", ["br", "gzip"])
@pytest.mark.parametrize("asked_before", [True, False])
async def test_a_twin_of_an_older_page_is_never_served(
    address: str, site: Path, accept: str, asked_before: bool
):
    if asked_before:
        await body(address, accept=accept)
    await replace(site / "index.html", NEW)
    found = await get(address, "/index.html", f"Accept-Encoding: {accept}")

    assert "content-encoding" not in found.headers
    assert found.body == NEW


@pytest.mark.parametrize("asked_before", [True, False])
async def test_a_twin_that_comes_before_its_page_waits_for_it(
    address: str, site: Path, asked_before: bool
):
    if asked_before:
        await body(address)
    await replace(site / "index.html.gz", gzip.compress(NEW))
    await replace(site / "index.html.br", brotli.compress(NEW))
    between = [await body(address, accept=accept) for accept in ("br", "gzip", "identity")]
    await replace(site / "index.html", NEW)

    assert between == [PAGE] * 3
    assert [await body(address, accept=accept) for accept in ("br", "gzip")] == [NEW] * 2
    assert (await get(address, "/", "Accept-Encoding: br")).headers["content-encoding"] == "br"


async def test_a_twin_that_was_removed_is_served_no_more(address: str, site: Path):
    ways = []
    for gone in (None, "index.html.br", "index.html.gz"):
        if gone:
            (site / gone).unlink()
        answer = await get(address, "/", "Accept-Encoding: br, gzip")
        ways.append(answer.headers.get("content-encoding"))

    assert ways == ["br", "gzip", None]


async def test_a_twin_that_comes_later_is_served(address: str, site: Path):
    (site / "index.html.br").unlink()
    before = await get(address, "/", "Accept-Encoding: br")
    await replace(site / "index.html.br", brotli.compress(PAGE))
    after = await get(address, "/", "Accept-Encoding: br")

    assert "content-encoding" not in before.headers
    assert after.headers["content-encoding"] == "br"


@pytest.mark.parametrize(
    "damaged",
    [
        *(b"", b"x", gzip.compress(PAGE)[:-1], gzip.compress(PAGE) + b"x"),
        *(gzip.compress(PAGE) * 2, gzip.compress(PAGE + b"x"), gzip.compress(PAGE[:-1])),
        gzip.compress(bytes(10**8), 1),
    ],
    ids=["empty", "garbage", "cut", "longer", "twice", "of more", "of less", "bomb"],
)
async def test_a_damaged_twin_is_not_served(address: str, site: Path, damaged: bytes):
    (site / "index.html.gz").write_bytes(damaged)
    answer = await get(address, "/", "Accept-Encoding: gzip")

    assert "content-encoding" not in answer.headers
    assert answer.body == PAGE


@pytest.mark.parametrize("damaged", [b"", b"x", brotli.compress(PAGE)[:-1], brotli.compress(b"")])
async def test_a_damaged_brotli_twin_is_not_served(address: str, site: Path, damaged: bytes):
    (site / "index.html.br").write_bytes(damaged)
    answer = await get(address, "/", "Accept-Encoding: br")

    assert "content-encoding" not in answer.headers


async def test_a_twin_may_be_padded(address: str, site: Path):
    packed = gzip.compress(PAGE)
    padded = packed[:3] + b"\x04" + packed[4:10] + (9_000).to_bytes(2, "little") + bytes(9_000)
    (site / "index.html.gz").write_bytes(padded + packed[10:])
    answer = await get(address, "/", "Accept-Encoding: gzip")

    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) > 9_000
    assert gzip.decompress(answer.body) == PAGE


async def test_a_deleted_page_is_gone_and_may_come_back(address: str, site: Path):
    found = [(await get(address, f"/{A}/1.html")).status]
    await DirStore(site).delete(f"{A}/1.html")
    found.append((await get(address, f"/{A}/1.html")).status)
    await write(DirStore(site), {f"{A}/1.html": PAGE})
    found.append((await get(address, f"/{A}/1.html")).status)

    assert found == [200, 404, 200]


async def test_a_file_that_becomes_a_link_or_a_folder_or_a_pipe_is_gone(address: str, site: Path):
    (site.parent / "secret").write_bytes(PAGE)
    found = [(await get(address, "/index.html")).status]
    for make in (
        lambda path: path.symlink_to(site.parent / "secret"),
        lambda path: path.mkdir(),
        lambda path: os.mkfifo(path),
    ):
        (site / "index.html").rename(site / ".old")
        make(site / "index.html")
        found.append((await get(address, "/index.html")).status)
        (site / "index.html").rename(site.parent / f"old{len(found)}")
        (site / ".old").rename(site / "index.html")

    assert found == [200, 404, 404, 404]


async def test_a_round_under_way_shows_each_page_old_or_new_and_nothing_else(
    address: str, site: Path
):
    store, states = DirStore(site), [PAGE + b"%d" % number for number in range(30)]
    await write(store, {"index.html": states[0]})

    async def change() -> None:
        for state in states:
            await write(store, {"index.html": state})

    async def look() -> list[int]:
        seen = []
        while not seen or seen[-1] < len(states) - 1:
            seen += [states.index(await body(address, accept=each)) for each in ("br", "gzip")]
        return seen

    async with asyncio.TaskGroup() as group:
        group.create_task(change())
        looks = [group.create_task(look()) for _ in range(4)]

    assert all(each.result() == sorted(each.result()) for each in looks)


# Large files and memory.


@pytest.mark.parametrize(
    "manners",
    [
        Manners(),
        Manners(piece_bytes=1000),
        Manners(max_cached_file_bytes=1000),
        Manners(max_cached_file_bytes=1000, piece_bytes=999),
        Manners(max_hashed_bytes=1000),
        Manners(cache_bytes=1),
    ],
)
@pytest.mark.parametrize("path", ["large.json", "large.tar"])
async def test_a_large_file_is_served_whole(site: Path, manners: Manners, path: str):
    data = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(10_000))
    await write(DirStore(site), {path: data})
    async with serve(site, host="127.0.0.1", port=0, manners=manners) as address:
        for accept in ("identity", "br", "br"):
            whole = await get(address, f"/{path}", f"Accept-Encoding: {accept}")
            bare = await get(address, f"/{path}", f"Accept-Encoding: {accept}", method="HEAD")
            assert await body(address, f"/{path}", accept) == data
            assert whole.headers["content-length"] == bare.headers["content-length"]
            assert ("etag" in whole.headers) == (manners.max_hashed_bytes > 1000)


async def test_a_large_file_that_changes_while_it_is_sent_is_not_mixed_with_the_new(site: Path):
    old, new = bytes(10**7), bytes([1]) * 10**7
    (site / "large.tar").write_bytes(old)
    manners = Manners(max_cached_file_bytes=1000)
    async with serve(site, host="127.0.0.1", port=0, manners=manners) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.split(":")[-1]))
        writer.write(b"GET /large.tar HTTP/1.1\r\nHost: x\r\n\r\n")
        first = await reader.readuntil(b"\r\n\r\n")
        await replace(site / "large.tar", new)
        rest = await reader.read(-1)
        writer.close()
        after = await get(address, "/large.tar")

    assert first.startswith(b"HTTP/1.1 200")
    assert rest == old
    assert after.body == new


def test_memory_is_bounded_and_what_is_used_stays():
    kept = Kept(10_000)
    for number in range(100):
        form = Form("br", (number, 0, 0), None)
        kept.put(f"{number}", Ready(form, Reply(b"", bytes(1_000))))
        assert kept.get("0", "br")
        assert kept.bytes <= 10_000

    assert not kept.get("1", "br")
    assert kept.get("99", "br")


# How the server is.


async def health_of(site: Path, found: dict[str, object]) -> Got:
    async with serve(site, host="127.0.0.1", port=0, health=lambda: found) as address:
        return await get(address, "/-/health")


@pytest.mark.parametrize(
    ("found", "status"),
    [({"ok": True, "size": 7}, 200), ({"ok": False}, 503), ({}, 503), ({"size": 7}, 503)],
)
async def test_health_decides_by_ok(site: Path, found: dict[str, object], status: int):
    answer = await health_of(site, found)

    assert (answer.status, json.loads(answer.body)) == (status, found)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"


async def test_without_news_the_server_is_well(address: str):
    answer = await get(address, "/-/health")

    assert (answer.status, json.loads(answer.body)) == (200, {"ok": True})


async def test_health_tells_no_path(site: Path):
    found = {"ok": True, "error": f"{site}: disk full", "stores": [{"at": str(site), "n": 1.5}]}
    answer = await health_of(site, found)

    assert str(site.parent).encode() not in answer.body
    assert json.loads(answer.body)["stores"][0]["n"] == 1.5


async def test_a_failure_is_logged_and_told_to_nobody(site: Path, caplog: pytest.LogCaptureFixture):
    def broken() -> dict[str, object]:
        raise LookupError(f"no {site}")

    async with serve(site, host="127.0.0.1", port=0, health=broken) as address:
        answer = await get(address, "/-/health")
        after = await get(address, "/index.html")

    assert (answer.status, after.status) == (500, 200)
    assert str(site).encode() not in answer.body
    assert "Server" not in answer.headers
    assert "LookupError" in caplog.text


async def test_no_address_is_logged(address: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    await every_kind(address)
    await raw(address, b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n")
    await get(address, "/index.html", "X: y", "Content-Length: x")
    said = [f"{each.getMessage()} {each.exc_text} {vars(each)}" for each in caplog.records]

    assert not [each for each in said if "127.0.0.1" in each]


async def test_an_address_of_version_6_is_in_brackets(site: Path):
    async with serve(site, host="::1", port=0) as address:
        answer = await get(address, "/index.html")

    assert address.startswith("http://[::1]:")
    assert answer.status == 200
