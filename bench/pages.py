"""What a reader's connection carries: article pages of all collected articles, lists and feeds.

The articles are those of the collected feeds and pages; where they are not beside the
repository, only the lists and feeds of invented ones are measured.
"""

import gzip
import json
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import brotli

from bench import corpus
from bench.table import Row
from bench.text import page_bytes
from mirror import edition
from mirror.article.article import Article
from mirror.article.extraction.extract import from_page
from mirror.article.feeds.feed import Entry
from mirror.article.identity import Identity
from mirror.article.jobs import read_entry, read_feed
from mirror.article.render.page import Masthead, render
from mirror.errors import FormatError
from mirror.formats.url import article_id
from mirror.init import first_root
from mirror.keys import Keys
from mirror.signer import Draft, Signer
from mirror.state import State

DATA = Path(__file__).parents[2] / "shared" / "data"
HEADERS = 700  # bytes of an answer beside its body, as our own server sends them
MASTHEAD = Masthead("The Moscow Times", "bench.example", "https://bench.example/")
NOW = 1_795_000_000
LISTED = 150  # articles: the newest thirty, and an archive of three pages
LISTS = {
    "index.html": "≤ 6 kB",
    "feed.xml": "≤ 9 kB",
    "feed.json": "≤ 9 kB",
    "feed/full.xml": "",
    "archive/0/1.html": "≤ 12 kB",
    "check.html": "",
}


def run() -> list[Row]:
    """Measure collected articles if they are there, and the lists of invented ones."""
    return [*_articles("collected feeds", _of_feeds()), *_articles("pages", _of_pages()), *_lists()]


def _articles(what: str, articles: Iterator[Article]) -> list[Row]:
    sizes: list[int] = []
    smaller: list[int] = []
    firsts = 0
    for article in articles:
        try:
            files = render(article, masthead=MASTHEAD, rev=1, id_hex="0" * 64)
        except FormatError:
            continue
        firsts += 1
        sizes += [len(gzip.compress(data, 9, mtime=0)) for data in files]
        smaller += [len(brotli.compress(data, quality=5)) for data in files]
    if not sizes:
        return [Row(f"{what}: articles", "left out")]
    return [
        Row(
            f"{what}: {firsts:,} articles in {len(sizes):,} pages, gzip -9, median",
            _kb(sizes, 50),
            "≤ 5 kB",
        ),
        Row("  95 of 100", _kb(sizes, 95), "≤ 9 kB"),
        Row("  largest, with headers", f"{max(sizes) + HEADERS:,} B", "≤ 12,000 B"),
        Row("  brotli 5: median, 95 of 100", f"{_kb(smaller, 50)}, {_kb(smaller, 95)}"),
    ]


def _of_feeds() -> Iterator[Article]:
    for path in sorted((DATA / "feeds").rglob("*")):
        if not path.is_file():
            continue
        try:
            found = read_feed(path.read_bytes(), url="https://x.example/", content_type="text/xml")
        except FormatError:
            continue
        for entry in found.entries:
            try:
                yield read_entry(b"", entry=entry, lang="en")
            except FormatError:
                continue


def _of_pages() -> Iterator[Article]:
    for folder in sorted(path.parent for path in (DATA / "pages").glob("*/ground-truth.json")):
        for name, known in json.loads((folder / "ground-truth.json").read_text()).items():
            url = known.get("url", "")
            entry = Entry("", url, "", (), "", "", full=False, lang="")
            page = page_bytes(folder / "html", name)
            try:
                yield from_page(page, entry=entry, url=url, content_type="text/html", lang="")
            except FormatError:
                continue


def _lists() -> list[Row]:
    rows = []
    for lang in ("ru", "fa"):
        files = _site(lang)
        for path, target in LISTS.items():
            size = len(gzip.compress(files[path], 9, mtime=0))
            small = len(brotli.compress(files[path], quality=5))
            rows.append(
                Row(f"{lang}: {path}, gzip -9 (brotli 5)", f"{size:,} ({small:,}) B", target)
            )
    return rows


def _site(lang: str) -> dict[str, bytes]:
    """Return the files of a site of `LISTED` invented articles."""
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
        keys = Keys.make("bench.example")
        state = State.open(Path(name) / "state.db", origin="bench.example")
        root = first_root(keys, bytes(range(32)), now=NOW)
        signer = Signer(keys, state, root, MASTHEAD, lang)
        signer.append([_draft(number, lang) for number in range(LISTED)], now=NOW)
        signer.sign_checkpoint(now=NOW)
        files = edition.signed_files(signer)
        state.close()
    return files


def _draft(number: int, lang: str) -> Draft:
    url = f"https://example.org/{lang}/{number}"
    found = read_feed(
        corpus.feed(lang, range(number, number + 1)), url=url, content_type="text/xml"
    )
    article = read_entry(b"", entry=found.entries[0], lang=lang)
    return Draft(article, Identity((f"link {url}",), article_id(url)), "bench", None)


def _kb(sizes: Sequence[int], percent: int) -> str:
    cut = statistics.quantiles(sizes, n=100)[percent - 1] if len(sizes) > 1 else sizes[0]
    return f"{cut / 1000:.1f} kB"
