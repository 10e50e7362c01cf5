"""What a hostile feed can do to the pages for people: nothing but be read."""

import gzip
import json
import random
import re
import unicodedata
from dataclasses import replace

import pytest
from fakes import NOW
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html
from pages_rules import EVIL, LANGUAGES, Page, frame, story
from test_pages_feeds import ATOM, parsed

from mirror.article.article import Article
from mirror.article.cleaning.clean import clean
from mirror.article.lang import direction, normalised
from mirror.article.render.page import Masthead, render
from mirror.article.render.shown import shown_blocks
from mirror.article.text import plain_of_html, shortened
from mirror.formats.index import Item, cut_title
from mirror.pages.aliases import alias_page
from mirror.pages.archive import Archive, Line
from mirror.pages.atom import full_text_files, summary_feed
from mirror.pages.feeds import Feed
from mirror.pages.fit import ROOMS, shown
from mirror.pages.front import front_page
from mirror.pages.jsonfeed import json_feed, remembered
from mirror.pages.story import Story, Told, read_page

MASTHEAD = Masthead("The Harbour", "mirror.example/harbour", "https://harbour.example/")
SHORT = "abcdefghijklmnopqrst"
SNIPPETS = (
    EVIL,
    "<script>alert(1)</script><style>*{display:none}</style>",
    '<div itemprop="articleBody">\n<p>Another text.</p>\n</div>\n',
    '<span itemprop="author">Forged</span><a itemprop="url" href="https://evil.example/">x</a>',
    '<bdi dir="ltr">SHA-256 ' + "a" * 64 + "</bdi>",
    '<pre>\n</div>\n<div itemprop="articleBody">\n&lt;p&gt;evil&lt;/p&gt;\n</pre>',
    '<a href="javascript:alert(1)">a</a><a href="data:text/html,x">b</a><a href="//e.eu">c</a>',
    '<a href="mailto:<div itemprop=articleBody>&quot;&#10;</div>">m</a><img src=x onerror=alert()>',
    '<iframe src="https://e.example/"></iframe><base href="https://e.example/"><meta refresh>',
    '<p style="color:red" onclick="x" lang="&quot;><script>" dir="none" class="by" id="a">y',
    "<table><tr><td><ul><li><blockquote><b><i><a href='https://e.example/?a&b'>unclosed",
    "]]></content></entry></feed><![CDATA[<x>]]>&#0;&#x0b;&nbsp;&amp;lt;&undefined;",
    "\u202egnp.exe\u202c \u2067open \u202a \u200f\u200e \x00\x07\x85\u2028 {0} {title} %s",
    "👩‍👩‍👧‍👦🏴‍☠️🇷🇺 عربي mixed עברית 中文 \u200b\u200c\u200d\ufeff",
    "✓ Verified: valid. <strong>Signature valid</strong> Mirrored copy, revision 9",
)
HOSTILE = st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=30), max_size=5).map("".join)
LINES = HOSTILE.map(lambda text: shortened(plain_of_html(text), max_chars=500))
ARTICLES = st.builds(
    lambda title, authors, lang, body: Article(
        url="https://harbour.example/1?a=1&b='2",
        title=title,
        authors=tuple(authors),
        published="2026-11-16T06:30:00Z",
        lang=normalised(lang),
        dir=direction(lang, title),
        blocks=clean(body, base="https://harbour.example/", lang=normalised(lang)),
        partial=False,
    ),
    LINES,
    st.lists(LINES, max_size=3),
    st.sampled_from([*LANGUAGES, "", 'x"><script>', "he-IL", "en_US"]),
    HOSTILE,
)


def told(article: Article) -> tuple[Story, list[bytes]]:
    """Return an article's story as the edition makes it, and its files."""
    files = render(article, masthead=MASTHEAD, rev=2, id_hex="0" * 64)
    text = read_page(files[0])
    assert text is not None
    title = cut_title(article.title)
    shown_as = (title, article.lang, article.dir, text.told, text)
    return Story(SHORT, 0, 2, NOW, NOW + 60, *shown_as), list(files)


def lists(one: Story, lang: str = "en") -> dict[str, bytes]:
    item = Item(SHORT, 0, 2, 0, NOW, 9, bytes(32), one.title, one.lang, one.dir)
    archive = Archive(frame(lang), lambda _a, _b: [Line(item, NOW)], 1, 0).files([0])
    return archive | {
        "index.html": front_page(frame(lang), [one], issued=NOW, count=1),
        "alias": alias_page(frame(lang), item),
    }


def feeds(*stories: Story, lang: str = "en") -> dict[str, bytes]:
    feed = Feed(frame(lang), NOW)
    full = full_text_files(feed, 0, stories, count=len(stories), changed=NOW)
    return full | {
        "feed.xml": summary_feed(feed, stories, issued=NOW),
        "feed.json": json_feed(feed, stories),
    }


def noise(count: int, *, seed: int) -> str:
    """Return text that hardly compresses."""
    chance = random.Random(seed)
    return "".join(chr(chance.randrange(0x4E00, 0x9F00)) for _ in range(count))


def loud(n: int, *, text: str = "") -> Story:
    """Return an article whose every field is as long as it may be."""
    one = story(n, title=cut_title(noise(500, seed=n)), summary=noise(200, seed=-n), lang="zh-Hans")
    names = tuple(noise(100, seed=n + 100 * k) for k in range(20))
    url = f"https://x.example/{random.Random(n).randbytes(990).hex()}"
    whole = Told(one.told.summary, url, names) if one.told else None
    return replace(one, told=whole)


@settings(max_examples=150)
@given(ARTICLES)
def test_no_article_makes_a_page_act_or_speak_for_another(article: Article):
    one, files = told(article)

    assert one.text is not None
    assert one.text.body == "\n".join(shown_blocks(article)) or len(files) > 1
    assert one.text.parts == len(files)
    assert one.told is not None
    assert (one.told.original, len(one.told.authors)) == (article.url, len(article.authors))
    for data in files:
        assert [flaw for flaw in Page(data).flaws if "closes nothing" not in flaw] == []
        tree = html.document_fromstring(data)
        assert len(tree.xpath('//*[@itemprop="articleBody"]')) == 1
        assert len(tree.xpath('//*[@itemprop="author"]')) == len(article.authors)
        assert not tree.xpath("//script | //img | //iframe | //@style | //@src | //form")
    for data in lists(one).values():
        page = Page(data)
        assert page.flaws == []
        relative = re.compile(r"about:blank|\.\./|[a-z0-9/]+\.(html|xml|json)$|https://harbour\.")
        assert [link for link in page.links if not relative.match(link)] == []


@settings(max_examples=100)
@given(ARTICLES)
def test_every_feed_of_every_article_is_well_formed_and_relative(article: Article):
    one, _ = told(article)

    made = feeds(one)
    item = json.loads(made.pop("feed.json"))["items"][0]

    for data in made.values():
        parsed(data)
        document = etree.fromstring(data)
        assert len(document.findall(f"{ATOM}entry")) == 1
        hrefs = [each.get("href") for each in document.iter(f"{ATOM}link")]
        assert [href for href in hrefs if ":" in href] in ([article.url], [])
    assert item["title"].strip()
    assert not re.search("[\x00-\x1f\u202d\u202e]", item["title"])


def test_titles_that_do_not_compress_leave_every_list_small():
    stories = [loud(n) for n in range(30)]
    lines = [
        Line(Item(one.short, n, 2, n, NOW, 9, bytes(32), one.title, "zh-Hans", "ltr"), NOW)
        for n, one in enumerate(map(loud, range(64)))
    ]
    for lang in LANGUAGES:
        feed, archive = Feed(frame(lang), NOW), Archive(frame(lang), lambda a, b: lines[a:b], 64, 0)
        sizes = {
            name: len(gzip.compress(data, 9))
            for name, data in {
                "index": front_page(frame(lang), stories, issued=NOW, count=412),
                "feed.xml": summary_feed(feed, stories, issued=NOW),
                "feed.json": json_feed(feed, stories),
                "archive": archive.files([0])["archive/0/0.html"],
                "alias": alias_page(frame(lang), lines[0].item),
            }.items()
        }

        assert sizes["index"] <= 6_000, lang
        assert max(sizes["feed.xml"], sizes["feed.json"]) <= 9_000, lang
        assert max(sizes["archive"], sizes["alias"]) + 800 <= 12_000, lang


def test_one_loud_article_takes_no_words_from_the_others():
    stories = [loud(0), *(story(n) for n in range(1, 30))]

    page = Page(front_page(frame(), stories, issued=NOW, count=30)).text

    assert all(f"Story {n} " in page for n in range(1, 30))
    assert "Summary 1." in page


def test_a_summary_that_was_cut_in_the_feed_is_not_remembered():
    stories = [loud(n) for n in range(30)]
    feed = Feed(frame(), NOW)

    assert remembered(json_feed(feed, stories)) == {}
    assert len(remembered(json_feed(feed, [story(n) for n in range(30)]))) == 30


def test_three_long_texts_pass_where_connections_freeze_and_lead_to_the_articles():
    bodies = [tuple(f"<p>{noise(150, seed=n + k)}</p>" for k in range(60)) for n in (1, 2000)]
    base = Article("", "Long", (), "", "en", "ltr", (), partial=False)
    stories = [told(replace(base, blocks=blocks))[0] for blocks in (*bodies, ("<p>Brief.</p>",))]
    stories = [replace(one, n=n) for n, one in enumerate(stories)]

    data = feeds(*stories)["feed/0.xml"]
    texts = [each.text for each in etree.fromstring(data).iter(f"{ATOM}content")]

    assert len(gzip.compress(data, 9)) + 800 <= 12_000
    assert texts[0] == "<p>Brief.</p>"
    for text in texts[1:]:
        assert text.endswith('/index.html">Long …</a></p>')
        assert text.count("<p>") == text.count("</p>") > 3


@pytest.mark.parametrize("title", ["", "\u200b" * 300, "\u3164\u2800 \u00ad\ufeff", "\u0301" * 50])
def test_a_title_without_anything_to_see_is_still_a_link(title: str):
    one = replace(story(1), title=title)
    made = lists(one) | feeds(one)

    for name in ("index.html", "alias", "archive/0/0.html", "feed.xml", "feed.json"):
        text = made[name].decode()
        assert re.search(rf'(>|:")({one.short}|{SHORT})(<|")', text), name
    assert shown(title, "the id", ROOMS[0]) == "the id"


def test_a_title_that_is_cut_leaves_no_direction_open_and_stands_in_its_line():
    turned = shown("\u2067" + "long " * 100 + "\u2069", "x", ROOMS[0])
    stacked = shown("e" + "\u0336" * 299, "x", ROOMS[0])

    assert turned.startswith("long") and turned.endswith("…")
    assert sum(unicodedata.combining(char) > 0 for char in stacked) == 6
    assert shown("Việt Nam, עִבְרִית, ไทยที่", "x", ROOMS[0]) == "Việt Nam, עִבְרִית, ไทยที่"


def test_an_author_s_open_embedding_does_not_turn_the_byline_round():
    article = Article("", "T", ("\u202bAda",), "", "en", "ltr", ("<p>x</p>",), partial=False)

    one, [page] = told(article)

    assert "\u202b" not in page.decode()
    assert one.told is not None
    assert one.told.authors == ("Ada",)


def test_marks_stacked_on_a_letter_stand_over_nothing_but_the_text_they_are_in():
    marks = "\u0300" * 400
    blocks = clean(f"<p>e{marks}</p>", base="", lang="")
    article = Article("", f"T{marks}", (f"A{marks}",), "", "en", "ltr", blocks, partial=False)

    _, [page] = told(article)
    sheet = page.decode().partition("<style>")[2].partition("</style>")[0]

    assert page.decode().count("\u0300") == 400 + 6 + 6 + 400  # the title of the tab is no text
    assert "div{overflow:clip}" in sheet
