"""Feeds: valid, small, the same ids everywhere, and every text in pages of three."""

import gzip
import io
import json
from dataclasses import replace

import feedparser
import pytest
from fakes import NOW
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from pages_rules import EVIL, frame, story
from test_pages_html import LONG, TELLS

from mirror.pages.atom import PAGE, full_text_files, summary_feed, touched
from mirror.pages.feeds import Feed
from mirror.pages.jsonfeed import json_feed, remembered
from mirror.pages.story import Story, Text

FEED = Feed(frame(), NOW)
ATOM = "{http://www.w3.org/2005/Atom}"
ITEM_KEYS = {"id", "url", "external_url", "title", "content_text", "date_published"} | {
    "date_modified",
    "authors",
    "language",
}
BASE = "https://one.example/any/folder/feed.xml"


def parsed(data: bytes, *, at: str = BASE) -> feedparser.FeedParserDict:
    headers = {"content-location": at, "content-type": "application/atom+xml; charset=utf-8"}
    found = feedparser.parse(io.BytesIO(data), response_headers=headers)
    assert not found.bozo, found.bozo_exception
    etree.fromstring(data)
    return found


def with_text(one: Story, body: str, parts: int = 1) -> Story:
    assert one.told
    return replace(one, text=Text(one.told, body, parts))


def full(page: int, stories: list[Story], count: int) -> dict[str, bytes]:
    return full_text_files(FEED, page, stories, count=count, changed=NOW)


def test_the_summary_feed_is_valid_atom():
    found = parsed(summary_feed(FEED, [story(n) for n in range(29, -1, -1)], issued=NOW))

    assert found.version == "atom10"
    assert found.feed.title == found.feed.author == "The Harbour"
    assert found.feed.id == "tag:mirror.example,2026-11-18:harbour/feed"
    assert len(found.entries) == 30
    entry = found.entries[0]
    assert entry.id == f"tag:mirror.example,2026-11-19:harbour/{story(29).short}"
    assert entry.summary == "Summary 29."
    assert entry.author == "Ada Marsh"
    assert {each.rel: each.href for each in entry.links} == {
        "alternate": entry.link,
        "via": "https://harbour.example/29",
    }
    assert "content" not in entry
    assert entry.published != entry.updated


def test_what_rfc_4287_demands_is_there():
    untold = replace(story(1), told=None)
    document = etree.fromstring(summary_feed(FEED, [story(2), untold], issued=NOW))

    for each in (document, *document.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(each.findall(ATOM + name)) == 1
        alternate = [link for link in each.findall(f"{ATOM}link") if not link.get("rel")]
        assert len(alternate) == 1  # an entry without content needs it
    assert document.find(f"{ATOM}author/{ATOM}name").text == "The Harbour"


def test_links_lead_to_the_mirror_that_the_feed_was_loaded_from():
    data = summary_feed(FEED, [story(1)], issued=NOW)

    one, two = (parsed(data, at=at) for at in (BASE, "http://abc.onion/feed.xml"))

    path = f"a/{'/'.join(story(1).short[:3])}/{story(1).short[3:]}/index.html"
    assert one.entries[0].link == f"https://one.example/any/folder/{path}"
    assert two.entries[0].link == f"http://abc.onion/{path}"
    assert one.entries[0].id == two.entries[0].id
    assert b"one.example" not in data


def test_the_json_feed_says_the_same():
    stories = [story(n) for n in range(29, -1, -1)]

    found = json.loads(json_feed(FEED, stories))
    atom = parsed(summary_feed(FEED, stories, issued=NOW))

    assert found["version"] == "https://jsonfeed.org/version/1.1"
    assert found["language"] == "en"
    assert [item["id"] for item in found["items"]] == [entry.id for entry in atom.entries]
    for item in found["items"]:
        assert {"id", "url", "title", "content_text", "date_published"} <= set(item)
        assert item["url"].startswith("a/")
        assert item["external_url"].startswith("https://harbour.example/")


def test_a_feed_remembers_what_it_told_of_each_revision():
    stories = [story(1), replace(story(2), told=None), replace(story(3), lang="", dir="ltr")]

    told = remembered(json_feed(FEED, stories))

    assert told == {FEED.key(each): each.told for each in stories if each.told}
    assert FEED.key(replace(story(1), rev=3)) not in told


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no json",
        b"[]",
        b'{"items":7}',
        b'{"items":[7,{},{"id":"x","_mirror":{"rev":1}}]}',
        b'{"items":[{"id":1,"content_text":"","_mirror":{"rev":1}}]}',
        b'{"items":[{"id":"x","content_text":"","authors":7,"_mirror":{"rev":1}}]}',
        b'{"items":[{"id":"x","content_text":"","external_url":7,"_mirror":{"rev":1}}]}',
        b'{"items":[{"id":"x","content_text":"","_mirror":{"rev":"1"}}]}',
        b" " * (1 << 20) + b"{}",
    ],
)
def test_what_is_no_feed_of_ours_is_not_remembered(data: bytes):
    assert remembered(data) == {}


@given(st.binary(max_size=80))
def test_nothing_that_is_read_back_is_an_error(data: bytes):
    assert remembered(data) == {}


@pytest.mark.parametrize("lang", ["ru", "fa"])
def test_feeds_of_long_titles_pass_where_connections_freeze(lang: str):
    feed = Feed(frame(lang), NOW)
    stories = [
        story(n, title=LONG[lang].format(n), summary=TELLS[lang].format(n), lang=lang)
        for n in range(30)
    ]

    for data in (summary_feed(feed, stories, issued=NOW), json_feed(feed, stories)):
        assert len(gzip.compress(data, 9)) <= 9_000


def test_hostile_words_are_text_in_every_feed():
    feed = Feed(frame("en", newsroom=EVIL), NOW)
    evil = with_text(story(1, title=EVIL, summary=EVIL), f"<p>{'&lt;'}\x0b]]></p>")

    atom = parsed(summary_feed(feed, [evil], issued=NOW))
    whole = full_text_files(feed, 0, [evil], count=1, changed=NOW)["feed/full.xml"]
    document = etree.fromstring(whole)

    assert atom.feed.title_detail.type == "text/plain"
    assert document.find(f"{ATOM}title").text == EVIL.replace("\x0b", " ")
    assert document.find(f"{ATOM}entry/{ATOM}content").text == "<p>&lt; ]]></p>"
    assert json.loads(json_feed(feed, [evil]))["items"][0]["title"] == EVIL.removesuffix(" \x0b")


def test_a_full_text_is_html_with_its_direction_and_the_next_part():
    long = with_text(story(1, lang="fa"), "<p>متن</p>", parts=3)

    [entry] = parsed(full(0, [long], 1)["feed/full.xml"], at=f"{BASE}/feed/full.xml").entries
    raw = etree.fromstring(full(0, [long], 1)["feed/full.xml"])

    text = raw.find(f"{ATOM}entry/{ATOM}content")
    assert text.get("type") == "html"
    assert text.text.startswith('<div dir="rtl"><p>متن</p>')
    assert "/2-2.html" in text.text
    assert "بخش 2 از 3" in entry.content[0].value


def test_a_page_of_the_feed_is_there_once_it_is_full():
    stories = [with_text(story(n), f"<p>{n}</p>") for n in range(9)]

    assert list(full(2, stories[6:8], 8)) == ["feed/full.xml"]
    files = full(2, stories[6:], 9)
    assert set(files) == {"feed/2.xml", "feed/full.xml"}
    archived = parsed(files["feed/2.xml"])
    assert {link.rel: link.href.rsplit("/", 1)[1] for link in archived.feed.links} == {
        "self": "2.xml",
        "alternate": "index.html",
        "current": "full.xml",
        "prev-archive": "1.xml",
    }
    assert b"<fh:archive " in files["feed/2.xml"]
    assert b"<fh:archive " not in files["feed/full.xml"]
    assert b'rel="next-archive" type="application/atom+xml" href="2.xml"' in next(
        iter(full(1, stories[3:6], 9).values())
    )


@pytest.mark.parametrize(
    ("numbers", "count", "before", "pages"),
    [
        ([0], 1, 0, {0}),
        ([2], 3, 2, {0}),
        ([3], 4, 3, {1}),
        ([5], 6, 5, {0, 1}),  # page 0 learns that there is a next
        ([0], 6, 6, {0}),
        ([*range(6, 20)], 20, 6, {1, 2, 3, 4, 5, 6}),
    ],
)
def test_a_round_touches_the_pages_of_its_articles(
    numbers: list[int], count: int, before: int, pages: set[int]
):
    assert touched(numbers, count=count, before=before) == pages
    assert PAGE == 3


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("gone", [set(), {0}, {1, 2}, {0, 1, 2, 3}])
def test_a_feed_in_pages_is_what_rfc_5005_says_whatever_was_withdrawn(count: int, gone: set[int]):
    files = {}
    for page in range(-(-count // PAGE)):
        left = [n for n in range(page * PAGE, min((page + 1) * PAGE, count)) if n not in gone]
        files |= full(page, [with_text(story(n), f"<p>{n}</p>") for n in left], count)

    path, seen = "full.xml", []
    while path:
        found = parsed(files[f"feed/{path}"]).feed
        links = {link.rel: link.href.rsplit("/", 1)[1] for link in found.links}
        assert links["self"] == path
        assert found.id == "tag:mirror.example,2026-11-18:harbour/full"
        assert (b"<fh:archive " in files[f"feed/{path}"]) == (path != "full.xml")
        if path != "full.xml":
            assert links["current"] == "full.xml"
        seen += [entry.title for entry in parsed(files[f"feed/{path}"]).entries]
        path = links.get("prev-archive", "")

    assert seen == [f"Story {n}" for n in reversed(range(count)) if n not in gone]


def test_the_json_feed_has_what_version_1_1_demands():
    untold = replace(story(1), told=None, lang="")
    found = json.loads(json_feed(FEED, [story(2), untold]))

    assert {"version", "title", "items"} <= set(found)
    for item in found["items"]:
        assert isinstance(item["id"], str) and isinstance(item["content_text"], str)
        assert all(each.startswith("_") or each in ITEM_KEYS for each in item)
        assert all(set(author) == {"name"} for author in item.get("authors", ()))
    assert "language" not in found["items"][1]
