"""Makes the pictures in `docs/screens/`: an invented newsroom's pages, as a browser shows them.

Run as `python docs/screens.py [FOLDER]` with `playwright` and `pillow` beside the package and a
Chromium: `CHROMIUM=/usr/bin/chromium`. `ALL=1` shoots every page at every width, light and dark;
`LANGS="ru fa"` only some languages. The articles are in `stories.json`; all are invented.
"""

import asyncio
import hashlib
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from html import escape
from io import BytesIO
from pathlib import Path

from mirror import edition, init
from mirror.article.article import Article
from mirror.article.identity import Identity
from mirror.article.lang import direction
from mirror.article.render.page import Masthead
from mirror.article.strings import strings
from mirror.formats.paths import article_folder, short_id
from mirror.formats.root import trust_files
from mirror.keys import NAMES, Keys
from mirror.signer import Draft, Signer
from mirror.state import State

HERE = Path(__file__).parent
ORIGIN = "harbour-courier.example"
NOW = 1_795_003_200  # 2026-11-18, noon
DAY = 24 * 3600
WIDTHS = (360, 768, 1280)
SCHEMES = ("light", "dark")
LANGUAGES = os.environ.get("LANGS", "en ru fa ar zh-Hans").split()
COLOURS = 16  # of a picture: paper, ink and what lies between them


def site(folder: Path, lang: str) -> str:
    """Write a site of the newsroom in `lang`; return the path of its newest article."""
    stories = json.loads((HERE / "stories.json").read_text())[lang] | {"lang": lang}
    seeds = {name: hashlib.sha256(name.encode()).digest() for name in NAMES}
    keys = Keys(ORIGIN, seeds)
    state = State.open(folder / "state.db", origin=ORIGIN)
    root = init.first_root(keys, hashlib.sha256(b"root").digest(), now=NOW)
    masthead = Masthead(stories["newsroom"], ORIGIN, f"https://{ORIGIN}/")
    signer = Signer(keys, state, root, masthead, lang)
    files = {f"trust/{name}": data for name, data in trust_files(root).items()}
    for number, draft in enumerate(_drafts(stories, lang)):
        now = NOW - DAY * 9 + number * DAY * 9 // len(stories["titles"])
        signer.append([draft], now=now)
        signer.sign_checkpoint(now=now)
        files |= edition.unsigned_files(signer)
        files |= edition.signed_files(signer, files)
        signer.mark_published(now=now)
    state.close()
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return f"{article_folder(short_id(_id(0)))}/index.html"


def _drafts(stories: dict, lang: str) -> Iterator[Draft]:
    """Yield the stories, the oldest first; the newest has the whole text."""
    for number in reversed(range(len(stories["titles"]))):
        lead = stories["leads"][number] if number < len(stories["leads"]) else ""
        blocks = [f"<p>{escape(lead or stories['titles'][number], quote=False)}</p>"]
        if number == 0:
            blocks += _blocks(stories)
        article = Article(
            url=stories["original"] if number == 0 else f"https://{ORIGIN}/{number}",
            title=stories["titles"][number],
            authors=(stories["author"],),
            published="2026-11-16T06:30:00Z",
            lang=lang,
            dir=direction(lang),
            blocks=tuple(blocks),
            partial=False,
        )
        yield Draft(article, Identity((f"guid {number}",), _id(number)), "feed", None)


def _blocks(stories: dict) -> Iterator[str]:
    photo = strings(stories["lang"]).photo
    yield (
        '<figure itemprop="image" itemscope="" itemtype="https://schema.org/ImageObject">'
        f'<a itemprop="contentUrl" href="https://{ORIGIN}/photo.jpg">{photo}</a><figcaption>'
        f'<span itemprop="caption">{escape(stories["caption"])}</span></figcaption></figure>'
    )
    for text in stories["body"]:
        if text.startswith("## "):
            yield f"<h2>{escape(text[3:])}</h2>"
        elif text.startswith("> "):
            yield f"<blockquote><p>{escape(text[2:])}</p></blockquote>"
        else:
            yield f"<p>{escape(text, quote=False)}</p>"


def _id(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


async def main(out: Path) -> None:
    """Shoot the pages in every language; end at one that is wider than its window."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-quic"],
        )
        for lang in LANGUAGES:
            with tempfile.TemporaryDirectory(prefix="mirror-screens-") as name:
                await _shoot(browser, Path(name), lang, out)
        await browser.close()


async def _shoot(browser, folder: Path, lang: str, out: Path) -> None:  # noqa: ANN001
    pages = {
        "article": site(folder, lang),
        "index": "index.html",
        "archive": "archive/0/0.html",
        "check": "check.html",
    }
    for width, scheme in itertools.product(WIDTHS, SCHEMES):
        context = await browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        page = await context.new_page()
        for name, path in pages.items():
            if not _kept(name, lang, width, scheme):
                continue
            await page.goto(f"file://{folder}/{path}")
            wide = await page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                sys.exit(f"{name} {lang}: {wide} px wide at {width}")
            data = await page.screenshot(full_page=True)
            (out / f"{name}-{lang}-{width}-{scheme}.png").write_bytes(_quantised(data))
        await context.close()


def _kept(name: str, lang: str, width: int, scheme: str) -> bool:
    """Return whether a picture is one of the small set in the repository."""
    if os.environ.get("ALL"):
        return True
    if scheme == "dark":
        return width == WIDTHS[0] and name in ("index", "article") and lang in ("en", "fa")
    if name in ("archive", "check"):
        return width == (WIDTHS[1] if lang == "en" else WIDTHS[0])
    return width == WIDTHS[0] or (width == WIDTHS[2] and lang in ("en", "ar"))


def _quantised(data: bytes) -> bytes:
    from PIL import Image

    packed = BytesIO()
    image = Image.open(BytesIO(data)).convert("RGB")
    image.quantize(COLOURS).save(packed, "PNG", optimize=True)
    return packed.getvalue()


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if sys.argv[1:] else HERE / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(folder))
