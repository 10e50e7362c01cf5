"""The verb `source`: what an address would bring, before anything is signed."""

import argparse
import asyncio
import tempfile
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mirror import build, init
from mirror.article.article import Article
from mirror.article.picture import files as picture_files
from mirror.article.picture import had
from mirror.article.render.page import Masthead, render
from mirror.article.text import visible_text
from mirror.cli import backfill
from mirror.cli.terminal import (
    DONE,
    FAILED,
    Verbs,
    add_allow_host,
    answer,
    complain,
    count,
    progress,
    proxy,
    say,
    verb,
)
from mirror.errors import FormatError, SettingsError
from mirror.formats.url import canonical_url
from mirror.look import Looked, look
from mirror.poll import Found
from mirror.settings import Settings
from mirror.settings.sections import FeedSettings

MOST = 5  # entries: what a person looks at; a page each, at most


def add(verbs: Verbs) -> None:
    """Add the verb."""
    words = "look at a source before it is mirrored"
    made = verbs.add_parser("source", help=words, description=words)
    kinds = made.add_subparsers(required=True, metavar="VERB")
    check = verb(kinds, "check", _check, "show what would be mirrored from an address")
    check.add_argument("url", metavar="URL", help="a feed, or a page that names its feeds")
    check.add_argument("-c", "--config", type=Path, metavar="FILE", help="with these settings")
    check.add_argument("--text", choices=("auto", "feed", "page"), help="where the text comes from")
    words = 'ask over it, such as socks5h://127.0.0.1:9050; "" for none, whatever the settings say'
    check.add_argument("--proxy", type=proxy, metavar="URL", help=words)
    check.add_argument("--most", type=count, default=MOST, metavar="N", help="entries, the newest")
    check.add_argument("--out", type=Path, metavar="DIR", help="keep the rendered pages there")
    check.add_argument("--open", action="store_true", help="show the rendered pages in a browser")
    add_allow_host(check, "ask HOST:PORT although it is private")
    backfill.add(kinds)


def _check(arguments: argparse.Namespace) -> int:
    looked = asyncio.run(_looked(arguments))
    pages = _written(looked, arguments)
    if arguments.json:
        answer(_json(looked, pages))
    else:
        _show(looked, pages)
    if arguments.open and pages:
        webbrowser.open(pages[0].as_uri())
    return DONE if any(each.article for each in looked.found) else FAILED


async def _looked(arguments: argparse.Namespace) -> Looked:
    settings, beside = _settings(arguments)
    with tempfile.TemporaryDirectory() as folder:
        hosts = arguments.allow_host
        async with build.looker(Path(folder), settings, beside=beside, allow_hosts=hosts) as poller:
            [source] = [each for each in poller.sources if each.url == arguments.url]
            progress(arguments.url)
            try:
                return await look(poller, source, most=arguments.most)
            finally:
                progress("")


def _settings(arguments: argparse.Namespace) -> tuple[Settings, Path]:
    """Return settings in which the address is a feed, and the folder that they are in."""
    url, text = arguments.url, {"text": arguments.text} if arguments.text else {}
    over = {} if arguments.proxy is None else {"proxy": arguments.proxy}
    try:
        canonical_url(url)
    except FormatError as e:
        raise SettingsError(f"{url!r:.100}: an address, https://…, was expected") from e
    if arguments.config is None:
        newsroom = {"name": url[:200], "origin": "look.example/before"}
        value = {"newsroom": newsroom, "feeds": [{"url": url, **text}], "fetch": over}
        known = Settings.load(init.example()).sites
        return Settings.of(value, Path("source")).model_copy(update={"sites": known}), Path()
    settings = Settings.load(arguments.config)
    named = [feed.model_copy(update=text) for feed in settings.feeds if feed.url == url]
    feeds = named or [FeedSettings(url=url, **text)]
    fetch = settings.fetch.model_copy(update=over)
    return settings.model_copy(update={"feeds": feeds, "fetch": fetch}), arguments.config.parent


def _written(looked: Looked, arguments: argparse.Namespace) -> list[Path]:
    """Write the pages that readers would get, if somebody wants to see them."""
    if not (arguments.open or arguments.out):
        return []
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="mirror-look-"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write_all(looked, folder)
    except OSError as e:
        raise SettingsError(f"{folder}: cannot be written: {e.strerror}") from e


def _write_all(looked: Looked, folder: Path) -> list[Path]:
    masthead = Masthead(looked.feed.title or looked.url, "not signed", "")
    written = []
    for number, each in enumerate(looked.found, 1):
        if each.article is None:
            continue
        try:
            files = render(
                each.article, masthead=masthead, rev=number, id_hex=each.identity.id.hex()
            )
        except FormatError as e:  # it would be refused; the listing is still to be seen
            complain(f"{each.name}: {e}")
            continue
        for part, data in enumerate(files, 1):
            name = f"{number}.html" if part == 1 else f"{number}-{part}.html"
            (folder / name).write_bytes(data)
        for name, data in picture_files(each.article.pictures).items():
            (folder / name).write_bytes(data)
        written.append(folder / f"{number}.html")
    return written


def _show(looked: Looked, pages: list[Path]) -> None:
    feed = looked.feed
    say(f"{looked.url}")
    language = f", in {feed.lang}" if feed.lang else ""
    say(f"  {feed.title or '(no title)'}: {len(feed.entries)} entries{language}")
    say(f"  {looked.whole} of them have the whole text; for the others their page is asked")
    for other in looked.others:
        say(f"  also named there: {other}")
    for number, each in enumerate(looked.found, 1):
        for line in _lines(number, each):
            say(line)
    for path in pages[:1]:
        say(f"Rendered: {path}" + (f" and {len(pages) - 1} more" if len(pages) > 1 else ""))
    say("Nothing was signed, and nothing kept.")


def _lines(number: int, found: Found) -> Iterator[str]:
    article = found.article
    if article is None:
        yield f"{number:3}. not mirrored: {found.problem}"
        return
    yield f"{number:3}. {article.title or '(no title)'}"
    yield f"     {article.url or '(no address)'}"
    by = ", ".join(article.authors) or "no author"
    yield f"     {article.published or 'undated'}, {by}, {article.lang or 'no language'}"
    where = "its page" if found.entry else "the feed"
    part = ", only a part" if article.partial else ""
    yield f"     {_size(article)} from {where}{part}, {len(had(article.pictures))} pictures"
    if found.alert:
        yield f"     look: {found.alert}"


def _size(article: Article) -> str:
    return f"{len(visible_text(' '.join(article.blocks))):,} characters"


def _json(looked: Looked, pages: list[Path]) -> dict[str, Any]:
    return {
        "url": looked.url,
        "title": looked.feed.title,
        "lang": looked.feed.lang,
        "entries": len(looked.feed.entries),
        "whole": looked.whole,
        "others": list(looked.others),
        "found": [_entry(each) for each in looked.found],
        "pages": [str(path) for path in pages],
    }


def _entry(found: Found) -> dict[str, Any]:
    article = found.article
    if article is None:
        return {"problem": found.problem}
    return {
        "url": article.url,
        "title": article.title,
        "published": article.published,
        "authors": list(article.authors),
        "lang": article.lang,
        "characters": len(visible_text(" ".join(article.blocks))),
        "partial": article.partial,
        "pictures": len(had(article.pictures)),
        "from": "page" if found.entry else "feed",
        "alert": found.alert,
    }
