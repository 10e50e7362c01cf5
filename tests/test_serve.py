"""The site over HTTP: its files as they are, and nothing beside them."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import brotli
import pytest
from yarl import URL

from mirror.serve import serve
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
}


@pytest.fixture
async def site(tmp_path: Path) -> Path:
    await write(DirStore(tmp_path / "site"), SITE)
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


async def test_a_head_is_asked_again_and_an_immutable_file_is_not(
    client: aiohttp.ClientSession, address: str
):
    caching = {
        path: (await ask(client, address, path))[1]["Cache-Control"]
        for path in ("checkpoint", "index.html", f"{A}/1.html", "tile/0/000.p/1")
    }

    assert "max-age=300" in caching["checkpoint"]
    assert "max-age=300" in caching["index.html"]
    assert "immutable" in caching[f"{A}/1.html"]
    assert "immutable" in caching["tile/0/000.p/1"]
