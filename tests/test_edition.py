"""The site for people, as it grows: what is written, what is kept, and where all links lead."""

import io
import itertools
import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import feedparser
import pytest
from fakes import NOW, MemoryStore, fill, quiet_desk
from lxml import etree
from pages_rules import Page, broken_links, draft, opened, publish_all, story

from mirror.cycle import publish, run_cycle
from mirror.edition import signed_files, wanted
from mirror.errors import StoreError
from mirror.formats.index import Item, levels
from mirror.formats.minisig import MiniSignature
from mirror.formats.paths import article_folder
from mirror.pages.archive import Archive, Line, last_written, missing
from mirror.pages.feeds import JSON_FEED
from mirror.pages.frame import Frame
from mirror.signer import Signer
from mirror.state import ArticleState

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Signer, MemoryStore]]:
    signer, store = opened(tmp_path)
    yield signer, store
    signer.state.close()


async def grown(signer: Signer, store: MemoryStore, *numbers: int) -> None:
    """Publish articles one a round, as a quiet newsroom does."""
    for number in numbers:
        await publish_all(signer, store, draft(signer, number), now=NOW + 600 * number)


def walked(files: dict[str, bytes]) -> list[list[str]]:
    """Return the titles in each document of RFC 5005's chain, from the newest to the first."""
    path, seen = "feed/full.xml", []
    while path:
        document = etree.fromstring(files[path])
        entries = document.findall(f"{ATOM}entry")
        assert all(entry.find(f"{ATOM}content") is not None for entry in entries)
        seen.append([entry.find(f"{ATOM}title").text for entry in entries])
        links = {link.get("rel"): link.get("href") for link in document.findall(f"{ATOM}link")}
        assert path == "feed/full.xml" or links["current"] == "full.xml"
        before = links.get("prev-archive")
        path = posixpath.join("feed", before) if before else ""
    return seen


def reached(files: dict[str, bytes]) -> list[str]:
    """Return the articles that the archive leads to, from `archive/index.html` on."""
    found, waiting, seen = [], ["archive/index.html"], set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        listing = re.findall(r'<ol class="l">(.*?)</ol>', files[path].decode(), re.DOTALL)
        for link in Page(b"<!doctype html>" + "".join(listing).encode()).links:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
            if target.startswith("archive/"):
                assert target not in seen
                waiting.append(target)
            else:
                found.append(target)
    return found


async def test_every_link_of_every_page_leads_to_a_file_of_the_site(
    site: tuple[Signer, MemoryStore],
):
    signer, store = site
    await grown(signer, store, *range(10))
    await publish_all(signer, store, draft(signer, 3, text="corrected"), now=NOW + 9000)

    pages = [path for path in store.kept if path.endswith(".html")]

    assert len(pages) >= 10 + 11 + 5
    assert broken_links(store.kept, pages) == []
    assert [path for path in pages if Page(store.kept[path]).flaws] == []
    for path in (each for each in store.kept if each.endswith(".xml")):
        found = feedparser.parse(io.BytesIO(store.kept[path]))
        assert (path, found.bozo) == (path, False)
        for link in re.findall(rb'href="([^":]*)"', store.kept[path]):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link.decode()))
            assert target in store.kept, (path, link)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 7, 11])
async def test_the_feed_of_full_texts_leads_to_the_first_article(
    site: tuple[Signer, MemoryStore], count: int
):
    signer, store = site
    await grown(signer, store, *range(count))

    titles = [title for each in walked(store.kept) for title in each]

    assert titles == [f"Story {n}" for n in reversed(range(count))]


async def test_one_round_of_many_writes_what_many_rounds_write(tmp_path: Path):
    signer, store = opened(tmp_path / "one by one")
    await grown(signer, store, *range(10))
    other, at_once = opened(tmp_path / "at once")
    await publish_all(other, at_once, *(draft(other, n) for n in range(10)), now=NOW)
    paths = {path for path in store.kept if path.startswith(("archive/", "feed"))}

    assert paths <= set(at_once.kept)
    assert walked(store.kept) == walked(at_once.kept)
    assert reached(store.kept) == reached(at_once.kept)
    for each in (signer, other):
        each.state.close()


async def test_no_mirror_s_address_is_in_a_feed_or_on_the_front_page(
    site: tuple[Signer, MemoryStore],
):
    signer, store = site
    await grown(signer, store, *range(4))

    shown = b"".join(store.kept[path] for path in ("feed.xml", JSON_FEED, "index.html"))

    assert not re.search(rb"https?://(?!news\.example|www\.w3\.org|jsonfeed\.org)", shown)
    assert shown.count(b"tag:test.example,2026-11-18:news/") >= 8


async def test_a_revision_rewrites_the_one_page_of_the_feed_that_holds_it(
    site: tuple[Signer, MemoryStore],
):
    signer, store = site
    await grown(signer, store, *range(10))
    before = dict(store.kept)

    await publish_all(signer, store, draft(signer, 4, text="Corrected."), now=NOW + 9000)
    changed = {path for path, data in store.kept.items() if before.get(path) != data}

    assert {path for path in changed if path.startswith("feed/")} == {"feed/1.xml"}
    assert b"Corrected." in store.kept["feed/1.xml"]
    assert b"The text of story 5." in store.kept["feed/1.xml"]
    assert b"Corrected." in store.kept["feed.xml"]
    entry = next(
        each
        for each in feedparser.parse(io.BytesIO(store.kept["feed.xml"])).entries
        if each.title == "Story 4"
    )
    assert entry.published == "2026-11-18T11:46:40Z"
    assert entry.updated > entry.published


async def test_summaries_of_older_articles_come_from_the_feed_before(
    site: tuple[Signer, MemoryStore],
):
    signer, store = site
    await grown(signer, store, *range(8))
    signer.append([draft(signer, 8)], now=NOW + 9000)

    asked = wanted(signer, store.kept[JSON_FEED])
    asked_without = wanted(signer, None)

    folders = {article_folder(signer.state.articles(n, n + 1)[0].short) for n in (6, 7, 3, 4, 5)}
    assert "archive/0/0.html" in asked
    found = {posixpath.dirname(path) for path in asked if path.startswith("a/")}
    assert found == folders  # pages 2, and 1 before it
    assert len(asked_without) == 9

    await publish(quiet_desk(signer, store), now=lambda: NOW + 9000)

    assert store.kept["feed.xml"].count(b"<summary>") == 9


async def test_a_lost_feed_is_made_anew_from_the_articles(site: tuple[Signer, MemoryStore]):
    signer, store = site
    await grown(signer, store, *range(5))
    whole = store.kept.pop(JSON_FEED)
    await grown(signer, store, 5)

    assert store.kept[JSON_FEED].count(b'"content_text":"The text') == 6
    assert whole.count(b'"content_text":"The text') == 5


async def test_a_text_that_is_missing_in_the_site_is_an_entry_without_it(
    site: tuple[Signer, MemoryStore],
):
    signer, store = site
    await grown(signer, store, 0, 1)
    folder = article_folder(signer.state.articles(0, 1)[0].short)
    store.kept.pop(JSON_FEED)
    store.kept[f"{folder}/1.html"] = b"<html>cut off"
    await grown(signer, store, 2)

    document = etree.fromstring(store.kept["feed/full.xml"])
    texts = [entry.find(f"{ATOM}content") for entry in document.findall(f"{ATOM}entry")]

    assert [text is None for text in texts] == [False, False, True]
    assert store.kept["feed.xml"].count(b"<summary>") == 2
    assert store.kept["index.html"].count(b"Story 0") == 1


async def test_a_withdrawn_article_is_a_line_in_the_archive_and_in_no_feed(
    site: tuple[Signer, MemoryStore],
):
    signer, store = site
    await grown(signer, store, 0, 1)
    row = signer.state.articles(1, 2)[0]
    values = {name: getattr(row, name) for name in ArticleState.__slots__}
    signer.state.put_article(ArticleState(**values | {"void": "legal"}))
    await grown(signer, store, 2)

    assert walked(store.kept) == [["Story 2", "Story 0"]]
    assert "Story 1" not in store.kept["feed.xml"].decode() + store.kept["index.html"].decode()
    assert "Withdrawn by the newsroom" in Page(store.kept["archive/0/0.html"]).text


async def test_the_front_page_is_signed_with_until_when(site: tuple[Signer, MemoryStore]):
    signer, store = site
    await grown(signer, store, 0)

    signature = MiniSignature.parse(store.kept["index.html.minisig"])

    assert signature.accepts(signer.root.minisign, store.kept["index.html"])
    assert "path=index.html" in signature.trusted
    assert " expires=" in signature.trusted


async def test_the_same_edition_is_made_again_after_a_crash(site: tuple[Signer, MemoryStore]):
    signer, store = site
    await grown(signer, store, *range(7))
    signer.append([draft(signer, 7), draft(signer, 1, text="Corrected.")], now=NOW + 9000)
    signer.sign_checkpoint(now=NOW + 9000)
    asked = wanted(signer, store.kept[JSON_FEED]) | {JSON_FEED}
    held = {path: store.kept[path] for path in asked & store.kept.keys()}
    files = signed_files(signer, held)
    store.fails, store.keeps_when_failing = "feed.xml".__eq__, True
    with pytest.raises(StoreError):
        await publish(quiet_desk(signer, store), now=lambda: NOW + 9000)
    store.fails = lambda _: False
    await run_cycle(quiet_desk(signer, store), now=lambda: NOW + 9300)
    made = {path: store.kept[path] for path in files if path.endswith((".json", ".xml", ".html"))}

    assert made == {path: files[path] for path in made}
    assert {"index.html", "feed/0.xml", "feed/full.xml", "archive/0/0.html"} <= set(made)
    assert any(path.endswith("/2.diff.html") for path in made)


# Archives of many articles.


def rows(count: int, asked: list[tuple[int, int]]) -> Callable[[int, int], list[Line]]:
    """Return a stand-in for the database: `count` articles, one an hour."""

    def lines(start: int, end: int) -> list[Line]:
        asked.append((start, end))
        found = []
        for one in map(story, range(start, min(end, count))):
            shown = one.time, 9, bytes(32), one.title, "en", "ltr"
            found.append(Line(Item(one.short, one.n, 1, one.n, *shown), one.first))
        return found

    return lines


def archive(signer: Signer, count: int, before: int, asked: list[tuple[int, int]]) -> Archive:
    frame = Frame(signer.masthead, signer.lang)
    return Archive(frame, rows(count, asked), count, before)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 4096, 4097, 4200])
def test_the_archive_reaches_every_article_once(site: tuple[Signer, MemoryStore], count: int):
    files = archive(site[0], count, 0, []).files(range(count))

    articles = reached(files)

    assert len(articles) == len(set(articles)) == count


def test_an_archive_that_grew_is_the_one_made_from_scratch(site: tuple[Signer, MemoryStore]):
    signer, _ = site
    steps = [0, 1, 63, 64, 65, 128, 130, 4095, 4096, 4097, 4161, 8300]
    files: dict[str, bytes] = {}
    for before, count in itertools.pairwise(steps):
        files |= archive(signer, count, before, []).files(range(before, count))

        assert files == archive(signer, count, 0, []).files(range(count)), count


@pytest.mark.parametrize("count", [10_000, 1_000_010])
def test_one_new_article_changes_a_page_a_level(site: tuple[Signer, MemoryStore], count: int):
    asked: list[tuple[int, int]] = []

    files = archive(site[0], count + 1, count, asked).files([count])

    assert len(files) == levels(count + 1) + 1
    assert sum(end - start for start, end in asked) <= 64 + 3 * 64 * levels(count)


async def test_a_site_from_before_there_was_an_archive_gets_it_in_few_rounds(tmp_path: Path):
    signer, store = opened(tmp_path)
    fill(signer.state, 10_000)
    made = []
    for number in (1, 2):
        store.order.clear()
        await grown(signer, store, number)
        made.append(sum(path.startswith("archive/0/") for path in set(store.order)))
    store.fails, store.keeps_when_failing = "archive/0/30.html".__eq__, True
    with pytest.raises(StoreError):
        await grown(signer, store, 3)
    store.fails = lambda _: False
    await run_cycle(quiet_desk(signer, store), now=lambda: NOW + 9000)

    assert max(made) <= 65
    assert len(reached(store.kept)) == 10_003
    signer.state.close()


@pytest.mark.parametrize(
    ("count", "before"), [(1, 0), (64, 63), (65, 64), (4097, 4096), (9000, 8999)]
)
def test_a_site_that_has_its_archive_lacks_none_of_it(count: int, before: int):
    held = set(last_written(before).values())

    assert missing(range(before, count), before=before, held=held) == set()
    assert last_written(0) == {}
    assert not before or missing([], before=before, held=()) != set()


def test_a_touched_page_never_hides_that_those_beside_it_are_missing():
    held = {"archive/1/2.html"}  # of 10,000 articles: 0 and 1 are missing

    assert min(missing([], before=10_000, held=held)) == 4096
    assert min(missing([7], before=10_000, held=held)) == 0
    assert len(missing([7], before=10_000, held=held)) == 128


async def test_one_new_article_among_ten_thousand_touches_few_paths(tmp_path: Path):
    signer, store = opened(tmp_path)
    fill(signer.state, 10_000)
    reads: list[str] = []
    get = store.get

    async def counted(path: str) -> bytes | None:
        reads.append(path)
        return await get(path)

    # The filled archive has no feed yet, and its pages are made 64 a round.
    await grown(signer, store, 1, 2, 3)
    store.order.clear()
    store.get = counted  # type: ignore[method-assign]
    await grown(signer, store, 4)
    people = [path for path in store.order if path.endswith((".html", ".xml", ".json"))]

    assert len(people) <= 16
    assert len(reads) <= 40  # the filled archive has no documents; a real one has its feed
    signer.state.close()
