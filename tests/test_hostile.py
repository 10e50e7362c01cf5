"""The hostile corpus: each file is done or killed in time, and nothing of it acts in a page."""

import asyncio
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pages_rules
import pytest
import pytest_asyncio
from fakes import NOW
from hostile import browser, xss
from hostile.corpus import Item, items
from hostile.judge import flaws
from hostile.meter import MIB
from hostile.site_judge import Fragment, acting
from hostile.through import URL, Outcome, Way, render_of
from newsroom import Newsroom, feed, numbered
from pages_rules import publish_all
from test_cycle import RSS, Mirror

from mirror.article.article import Article
from mirror.article.cleaning.clean import clean
from mirror.article.identity import Identity
from mirror.box import Box
from mirror.fetch import Fetcher
from mirror.signer import Draft, Signer

on_one_loop = pytest.mark.asyncio(loop_scope="module")

MAX_S = 10  # of processor time; a machine that does other things takes longer
MAX_WALL_S = 10  # of one job, its worker's end included
MAX_GROWTH = 64 * MIB
ITEMS = {f"{item.kind}-{item.name}": item for item in items()}
BESIDE = [name for name in ITEMS if name.startswith("feed-body_of_")]
SHOWN = ("in_content", "in_content_inside_everything", "in_content_as_attributes", "in_title")
TWISTED = [f"feed-payloads_{where}" for where in SHOWN]
TWISTED += [name for name in ITEMS if name.startswith("page-every_payload") or "-file_" in name]
ROUND = 20  # articles: a front page and a feed tell of as many
REVISION = re.compile(r"a/./././[^/]+/[0-9]+(-[0-9]+)?\.html")
POLICY = re.compile(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def way() -> AsyncIterator[Way]:
    async with Box(workers=1) as box:
        yield Way(box)


async def outcome_of(way: Way, name: str) -> Outcome:
    return await way.through(ITEMS[name])


def test_the_corpus_is_large_and_no_name_is_there_twice():
    assert len(ITEMS) == len(items()) > 300


@on_one_loop
@pytest.mark.parametrize("name", ITEMS)
async def test_a_hostile_file_is_done_or_killed_and_publishes_nothing_that_acts(
    way: Way, name: str
):
    outcome = await outcome_of(way, name)

    assert outcome.cpu_s <= MAX_S
    assert outcome.wall_s <= MAX_WALL_S
    assert max(outcome.growth, outcome.asker_growth) < MAX_GROWTH, outcome.growth_mib
    assert [reason for reason in outcome.refused if "crashed" in reason] == []
    assert [flaw for page in outcome.pages for flaw in flaws(page)] == []
    assert {(webp[:4], webp[8:16]) for webp in outcome.webps} <= {(b"RIFF", b"WEBPVP8 ")}


@on_one_loop
@pytest.mark.parametrize("name", BESIDE)
async def test_the_entries_beside_a_hostile_one_are_published(way: Way, name: str):
    outcome = await outcome_of(way, name)

    assert sum(b"counted again and found" in page for page in outcome.pages) >= 2


@on_one_loop
async def test_nothing_acts_in_any_file_of_the_site(way: Way, tmp_path: Path):
    # The others are floods, which are judged page by page.
    outcomes = [await outcome_of(way, name) for name in TWISTED]
    articles = list({each.digest: each for one in outcomes for each in one.articles}.values())
    signer, store = pages_rules.opened(tmp_path)
    found: list[str] = []
    seen: set[str] = set()
    # The first come once more, edited: a page of differences shows both texts.
    edited = [replace(each, title=f"{each.title} edited") for each in articles[:ROUND]]
    for now, drafts in enumerate(_rounds(signer, [*enumerate(articles), *enumerate(edited)]), NOW):
        before = dict(store.kept)
        await publish_all(signer, store, *drafts, now=now)
        changed = {path: data for path, data in store.kept.items() if before.get(path) != data}
        found += acting(changed)
        seen |= changed.keys()
    signer.state.close()

    assert len(articles) > 500
    assert found == []
    assert {"index.html", "feed.xml", "feed.json", "feed/full.xml", "archive/0/0.html"} <= seen
    assert any(path.startswith("index/") for path in seen)
    assert any(path.endswith(".diff.html") for path in seen)


def _rounds(signer: Signer, some: Sequence[tuple[int, Article]]) -> Iterator[list[Draft]]:
    """Yield the drafts of one round after another, as the log is then."""
    for start in range(0, len(some), ROUND):
        yield [_draft(signer, *each) for each in some[start : start + ROUND]]


def _draft(signer: Signer, number: int, article: Article) -> Draft:
    identity = Identity((f"guid {number}",), hashlib.sha256(b"%d" % number).digest())
    return Draft(article, identity, URL, signer.state.find(identity.keys))


@on_one_loop
async def test_nothing_published_acts_or_asks_in_a_browser(way: Way, tmp_path: Path):
    chromium, unshare = shutil.which("chromium"), shutil.which("unshare")
    if not chromium or not unshare:
        pytest.skip("no chromium, or no unshare to keep it from every network")
    pages = {page for name in TWISTED for page in (await outcome_of(way, name)).pages}
    for number, page in enumerate(sorted(pages)):
        # Without its policy: the page is to be harmless where a mirror or a browser drops that.
        (tmp_path / f"{number}.html").write_text(POLICY.sub("", page.decode()))
    told = await opened(unshare, chromium, tmp_path)

    assert len(pages) > 500
    assert told == {"finished": True, "acted": 0, "asked": []}


@on_one_loop
async def test_the_browser_would_have_told(tmp_path: Path):
    chromium, unshare = shutil.which("chromium"), shutil.which("unshare")
    if not chromium or not unshare:
        pytest.skip("no chromium, or no unshare to keep it from every network")
    for number, payload in enumerate((xss.ELEMENTS["script"], xss.ELEMENTS["link_stylesheet"])):
        (tmp_path / f"{number}.html").write_text(f"<!doctype html><title>x</title>{payload}")
    told = await opened(unshare, chromium, tmp_path)

    assert told == {"finished": True, "acted": 1, "asked": [f"{xss.CANARY}/s.css"]}


async def opened(unshare: str, chromium: str, folder: Path) -> object:
    command = [unshare, "-rn", sys.executable, str(browser.__file__), chromium, str(folder)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    return json.loads(done.stdout)


@on_one_loop
async def test_other_feeds_go_on(signer: Signer, newsroom: Newsroom):
    bad = ("an_author_of_signs", "payloads_in_content", "body_of_definitions_nested")
    urls = [newsroom.says("/good/1", feed(*numbered(3)), content_type=RSS)]
    for name in bad:
        item = ITEMS[f"feed-{name}"]
        urls.append(newsroom.says(f"/{name}", item.make(), content_type=RSS))
    urls.append(newsroom.says("/good/2", feed(*numbered(3, start=11)), content_type=RSS))
    allowed = [newsroom.address]
    async with Box(workers=2) as box, Fetcher(allow_hosts=allowed, timeout_s=30) as fetcher:
        mirror = Mirror(signer, fetcher, box)
        await mirror.cycle(*urls, text="feed")
        pages = [data for path, data in mirror.store.kept.items() if REVISION.fullmatch(path)]
        good = [f"https://news.example/story/{n}" for n in (1, 2, 3, 11, 12, 13)]

        assert all("which nobody on the quay" in mirror.read(address) for address in good)
        assert len(pages) > 100
        assert [flaw for page in pages for flaw in flaws(page)] == []
        assert await mirror.wrong() == []


# The judge is itself judged: what it must refuse, put where the cleaner would never put it.


@pytest.mark.parametrize("payload", xss.ELEMENTS.values(), ids=xss.ELEMENTS)
def test_the_judge_refuses_an_element_that_passed(payload: str):
    assert flaws(render_of(f"<p>x</p>{payload}")) != []


@pytest.mark.parametrize(
    "block",
    [
        '<p onclick="x">y</p>',
        '<p style="x">y</p>',
        '<a href="javascript:x">y</a>',
        '<a href="&#106;avascript:x">y</a>',
        '<a href="//a.example/">y</a>',
        '<a href="../../../../../index.html">y</a>',
        "<p>\u202ex</p>",
        "<p>\u2067x</p><p>\u2069</p>",
        "<p>a\x0bb</p>",
        "<p>a\x85b</p>",
        '<p id="main">x</p>',
        "<p>x",
        "</div><p>x</p><div>",
        '<span itemprop="author">x</span>',
        '<a id="n1"></a><a id="n1"></a>',
        "<p>1 < 2</p>",
        "<P>x</P>",
        "<!-- x -->",
    ],
)
def test_the_judge_refuses_a_block_that_no_cleaner_makes(block: str):
    assert flaws(render_of(block)) != []


def test_the_judge_passes_what_an_article_may_hold():
    body = (
        '<p lang="ru">x <a href="https://a.example/?a=b&amp;c">y</a> <a href="#f">1</a></p>'
        "<h2>z</h2>"
        '<p id="f">note</p><table><tr><td colspan="2">c<td>d</table><ol start="3"><li>e</ol>'
        '<figure><img src="/a.jpg" alt="What is to be seen"><figcaption>f</figcaption></figure>'
        '<abbr title="long">s</abbr><pre>a &lt; b</pre><iframe src="https://v.example/"></iframe>'
    )

    assert flaws(render_of(*clean(body, base="https://news.example/", lang="en"))) == []


def kinds() -> set[str]:
    return {item.kind for item in ITEMS.values()}


def test_every_kind_of_file_is_in_the_corpus():
    assert kinds() == {"feed", "json", "partner", "page", "picture", "sitemap"}
    assert all(isinstance(item, Item) and item.make for item in ITEMS.values())


@pytest.mark.parametrize("payload", xss.ELEMENTS.values(), ids=xss.ELEMENTS)
def test_a_payload_in_a_text_of_a_feed_is_seen(payload: str):
    assert Fragment(payload).flaws != []


@pytest.mark.parametrize(
    "address", ["javascript:x", " java\nscript:x", "data:text/html,x", "vbscript:x", "blob:x"]
)
def test_an_address_that_acts_is_seen_in_each_kind_of_file(address: str):
    entry = f'<feed xmlns="http://www.w3.org/2005/Atom"><link href="{address}"/></feed>'

    assert acting({"x.xml": entry.encode()}) != []
    assert acting({"x.json": json.dumps({"items": [{"url": address}]}).encode()}) != []
    assert acting({"x.html": f'<a href="{address}">x</a>'.encode()}) != []
    assert Fragment(f'<a href="{address}">x</a>').flaws != []
