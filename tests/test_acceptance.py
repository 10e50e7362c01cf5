"""The whole path on collected feeds and pages: init, once, verify, as an operator types them."""

import asyncio
import gzip
import html
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from mirror.formats.paths import article_folder, short_id
from mirror.formats.url import article_id

MIRROR = Path(sys.executable).with_name("mirror")
CREDIT = "U.S. Army / Flickr"
UNREADABLE = 9  # of the 335 files: other JSON, single elements, HTML; see test_feed for each


@asynccontextmanager
async def serving(answer: Callable[[str], tuple[bytes, str] | None]) -> AsyncIterator[str]:
    """Serve `answer(path)` on loopback; yield `host:port`."""

    async def handle(request: web.Request) -> web.Response:
        found = answer(request.match_info["path"])
        if found is None:
            raise web.HTTPNotFound
        return web.Response(body=found[0], headers={"Content-Type": found[1]})

    app = web.Application()
    app.add_routes([web.get("/{path:.*}", handle)])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def mirror(*words: str) -> tuple[int, dict]:
    """Run the command with `--json`; return its exit code and answer."""
    process = await asyncio.create_subprocess_exec(
        *(MIRROR, *words, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    assert out, err.decode()
    return process.returncode, json.loads(out)


async def mirrored(folder: Path, address: str, feeds: list[str], text: str) -> tuple[int, dict]:
    words = [word for feed in feeds for word in ("--feed", f"http://{address}/{feed}")]
    named = ("--name", "Collected", "--origin", "collected.invalid", "--allow-host", address)
    await mirror("init", str(folder), *named, *words)
    settings = folder / "mirror.toml"
    said = settings.read_text().replace('text = "auto"', f'text = "{text}"')
    # No page or picture of the captures is asked of its own host.
    said = said.replace("fetch = true", "fetch = false").replace("robots = true", "robots = false")
    settings.write_text(said)
    return await mirror("once", "-c", str(settings))


async def verified(folder: Path) -> dict:
    root = folder / "root" / "1.root.json"
    code, report = await mirror("verify", str(folder / "site"), "--root", str(root))
    assert (code, report["ok"]) == (0, True), report["others"]
    return report


async def test_all_collected_feeds_become_a_valid_site(shared_data: Path, tmp_path: Path):
    files = sorted(path for path in (shared_data / "feeds").rglob("*") if path.is_file())

    def answer(path: str) -> tuple[bytes, str]:
        return files[int(path)].read_bytes(), "application/xml"

    async with serving(answer) as address:
        names = [str(number) for number in range(len(files))]
        code, summary = await mirrored(tmp_path / "d", address, names, "feed")
    report = await verified(tmp_path / "d")

    assert code == 4
    assert summary["feeds_failed"] == UNREADABLE
    assert summary["refused"] == 1, "an article of 2.4 MB"
    assert not any(re.search("crashed|killed", each) for each in summary["problems"])
    assert summary["new"] == len(report["articles"]) == report["totals"]["valid"] > 4000


async def test_collected_pages_become_a_valid_site(shared_data: Path, tmp_path: Path):
    pages = sorted((shared_data / "pages").rglob("*.html*"))
    assert len(pages) >= 280

    def answer(path: str) -> tuple[bytes, str]:
        if path == "feed":
            return feed_of(len(pages)), "application/rss+xml"
        data = pages[int(path)].read_bytes()
        return unpacked(data), "text/html"

    def feed_of(count: int) -> bytes:
        items = "".join(
            f"<item><title>Page {i}</title><link>http://{address}/{i}</link>"
            "<description>A teaser…</description></item>"
            for i in range(count)
        )
        return f'<rss version="2.0"><channel><title>P</title>{items}</channel></rss>'.encode()

    async with serving(answer) as address:
        code, summary = await mirrored(tmp_path / "d", address, ["feed"], "auto")
    report = await verified(tmp_path / "d")

    assert code in (0, 4)
    assert summary["new"] == len(report["articles"])
    assert summary["new"] + summary["refused"] == len(pages)
    assert summary["refused"] <= 2, summary["problems"]
    assert not any(re.search("crashed|killed", each) for each in summary["problems"])


def unpacked(data: bytes) -> bytes:
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


async def test_the_seed_page_is_complete_and_free_of_its_furniture(
    shared_data: Path, tmp_path: Path
):
    truth = json.loads((shared_data / "seed" / "ground_truth.json").read_text())
    page = (shared_data / "seed" / "page_reconstructed.html").read_bytes()

    def answer(path: str) -> tuple[bytes, str]:
        if path == "article":
            return page, "text/html; charset=utf-8"
        item = (
            f"<item><title>{html.escape(truth['title'])}</title>"
            f"<link>http://{address}/article</link><description>A teaser…</description></item>"
        )
        feed = f'<rss version="2.0"><channel><title>S</title>{item}</channel></rss>'
        return feed.encode(), "application/rss+xml"

    async with serving(answer) as address:
        code, _ = await mirrored(tmp_path / "d", address, ["feed"], "auto")
        original = f"http://{address}/article"
    await verified(tmp_path / "d")
    folder = article_folder(short_id(article_id(original)))
    shown = (tmp_path / "d" / "site" / folder / "1.html").read_text()
    text = html.unescape(re.sub(r"<[^>]+>", "", shown))
    lines = [line.strip() for line in text.splitlines()]

    assert code == 0
    assert sum(paragraph in text for paragraph in truth["body"]) == 8
    assert [line for line in truth["boiler"] if line in lines] == []
    assert [line for line in truth["boiler"] if len(line) > 20 and line in text] == []
    assert truth["caption"].removesuffix(f" {CREDIT}") in text
    assert re.search(rf'creditText"[^>]*>{re.escape(CREDIT)}<', shown)
