"""Entries and pages to articles."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.article.article import Article
from mirror.article.entry import Entry
from mirror.article.extraction.extract import Told, from_entry, read_page
from mirror.article.feeds.feed import parse_feed
from mirror.article.text import visible_text
from mirror.errors import FormatError
from tests.cost import within

DATA = Path(__file__).parent / "data"
URL = "https://harbour.example/news/ferry-101"
BARE = Entry("", URL, "", (), "", "", full=False, lang="")
FIGURE = re.compile(
    r'<figure .*?href="([^"]*)"(?: title="[^"]*")?>Photo</a><figcaption>'
    r'<span itemprop="caption">(.*?)</span> '
    r'<span class="credit" itemprop="creditText">(.*?)</span></figcaption></figure>'
)


TEXT = "".join(
    f"<p>Sentence {number} of a text that is long enough to be taken for an article.</p>"
    for number in range(9)
)


def told(body: bytes, entry: Entry = BARE, content_type: str = "text/html") -> Told:
    return read_page(body, entry=entry, url=URL, content_type=content_type, lang="")


def page(name: str, entry: Entry = BARE, content_type: str = "text/html") -> Article:
    return told((DATA / "pages" / name).read_bytes(), entry, content_type).article


def saying(head: str, text: str = TEXT, entry: Entry = BARE) -> Article:
    html = f"<html><head>{head}</head><body><article><h1>T</h1>{text}</article></body></html>"
    return told(html.encode(), entry).article


def full_entry() -> Entry:
    body = (DATA / "feeds" / "full_text.rss").read_bytes()
    [entry] = parse_feed(body, url="https://harbour.example/feed", content_type="").entries
    return entry


def test_a_feed_with_the_full_text_gives_the_article():
    article = from_entry(full_entry(), lang="en")

    kinds = [re.sub(r"<(\w+).*", r"\1", block, flags=re.DOTALL) for block in article.blocks]
    assert kinds == ["p", "figure", "p", "h2", "p", "ul", "p", "p", "ol"]
    assert article.url == URL
    assert article.blocks[2].endswith("After that we will see who still has potatoes.</p>")
    assert not article.partial


def test_a_teaser_is_a_partial_article():
    article = from_entry(replace(full_entry(), html="<p>Short…</p>", full=False), lang="en")

    assert article.partial


def test_an_entry_whose_text_the_cleaner_drops_is_no_article():
    dropped = f"<select>{'x ' * 600}</select>"

    with pytest.raises(FormatError, match="entry: no article text found in it"):
        from_entry(replace(BARE, html=dropped, full=True), lang="en")


def test_an_entry_that_loses_most_of_its_text_is_a_partial_article():
    def kept(chars: int) -> Article:
        html = f"<p>{'k' * chars}</p><select>{'x' * (1000 - chars)}</select>"
        return from_entry(replace(BARE, html=html, full=True), lang="en")

    assert kept(290).partial
    assert not kept(310).partial


def test_an_entry_without_a_text_is_an_empty_article():
    assert from_entry(replace(BARE, html=""), lang="en").blocks == ()
    assert from_entry(replace(BARE, html='<img src="/p.gif" width=1>'), lang="en").blocks == ()


def test_the_language_is_the_entry_s_then_the_page_s_then_the_newsroom_s():
    entry = replace(BARE, html="<p>x</p>", lang="fa")

    assert from_entry(entry, lang="en").lang == "fa"
    assert from_entry(replace(entry, lang=""), lang="ru_ru").lang == "ru-RU"
    assert page("news_page.html").lang == "en-GB"
    assert page("news_page.html", replace(BARE, lang="en-US")).lang == "en-US"


def test_a_persian_text_runs_from_right_to_left_whatever_the_feed_says():
    text = "<p>سه روزنامه‌نگار روز چهارشنبه در تهران بازداشت شدند.</p>"

    assert from_entry(replace(BARE, html=text, lang="en-US"), lang="").dir == "rtl"
    assert from_entry(replace(BARE, html="<p>abc</p>", lang="fa"), lang="").dir == "rtl"
    assert from_entry(replace(BARE, html="<p>abc</p>", lang="az-Arab"), lang="").dir == "rtl"
    assert from_entry(replace(BARE, html="<p>abc</p>", lang="ks-Latn"), lang="").dir == "ltr"
    assert from_entry(replace(BARE, html="<p>abc</p>", lang="ru"), lang="").dir == "ltr"


def test_a_page_gives_its_text_and_nothing_around_it():
    article = page("news_page.html")

    text = [visible_text(block) for block in article.blocks]
    assert text[1].startswith("The ferry to the island")
    assert text[-1].endswith("until eleven years ago.")
    assert len(text) == 6
    assert not re.search("gifts|Support|Most read|Read also|rights|By Anna", " ".join(text))
    assert '<a href="https://harbour.example/tag/helicopter">helicopter</a>' in article.blocks[4]
    assert article.blocks[3] == "<h2>What the council says</h2>"


def test_a_page_s_picture_keeps_caption_and_credit_apart():
    article = page("news_page.html")

    match = FIGURE.fullmatch(article.blocks[0])
    assert match
    assert match.groups() == (
        "https://harbour.example/pictures/ferry.jpg",
        "The ferry in the harbour on Tuesday.",
        "Anna Reporter / The Harbour",
    )


def test_the_page_s_own_word_fills_what_the_feed_left_open():
    article = page("news_page.html")
    named = page("news_page.html", replace(BARE, title="T", authors=("A",), published="2026-01-01"))

    assert article.title == "No ferry, no bread"
    assert article.authors == ("Anna Reporter", "Jo Writer")
    assert article.published == "2026-11-16T06:30:00Z"
    assert (named.title, named.authors, named.published) == ("T", ("A",), "2026-01-01")


@pytest.mark.parametrize("content_type", ["text/html", "text/html; charset=windows-1251"])
def test_a_page_in_an_old_charset_is_read(content_type: str):
    article = page("windows_1251.html", content_type=content_type)

    assert article.title == "Паром не пришёл"
    assert article.blocks[0].startswith("<p>Паром на остров не ходит")


def test_a_page_without_a_text_is_refused():
    with pytest.raises(FormatError, match="no article text"):
        page("sign_in.html")
    with pytest.raises(FormatError, match=r"no article text|empty"):
        told(b"")


def test_a_short_page_that_holds_the_feed_s_words_is_a_partial_article():
    words = "The ferry to the island has not run since Tuesday, when the ice broke."
    html = f"<html><body><article><h1>T</h1><p>{words}</p></article></body></html>".encode()

    entry = replace(BARE, title="T", html=f"<p>{words}</p>")
    found = told(html, entry)

    assert found.article.blocks == (f"<p>{words}</p>",)
    assert found.article.partial
    assert not found.alert


def test_where_the_page_has_no_text_the_feed_s_stands_for_it_and_the_operator_is_told():
    entry = replace(BARE, title="T", html="<p>A teaser of the article…</p>", lang="en")

    found = told((DATA / "pages" / "sign_in.html").read_bytes(), entry)

    assert found.article.blocks == ("<p>A teaser of the article…</p>",)
    assert found.article.title == "T"
    assert found.article.partial
    assert found.alert == (
        f"page: no article text found in it: 0 characters: the feed's own text stands for it: {URL}"
    )


def test_subjects_and_the_day_of_a_change_are_the_feed_s_and_the_page_s():
    head = (
        '<meta property="article:tag" content="Ferries"><meta property="article:tag" content="Ice">'
        '<meta property="article:published_time" content="2026-11-17T00:30:00+02:00">'
        '<meta property="article:modified_time" content="2026-11-18T08:30:00Z">'
        '<meta name="keywords" content="news, best news"><meta name="date" content="2026-11-30">'
    )
    entry = replace(BARE, tags=("Sea", "Ice"), published="2026-11-20T00:00:00Z")

    article = saying(head, entry=entry)

    assert article.tags == ("Sea", "Ice", "Ferries")
    assert article.published == "2026-11-20T00:00:00Z"
    assert article.modified == "2026-11-18T08:30:00Z"
    assert article.stated == "2026-11-16"
    assert saying(head, entry=replace(entry, updated="2026-11-19T00:00:00Z")).modified == (
        "2026-11-19T00:00:00Z"
    )
    assert saying('<meta name="date" content="2026-11-30">').stated == ""


@pytest.mark.parametrize("keywords", ['"Sea, Ice ,"', '["Sea", "Ice"]', '[{"name": "Sea"}, "Ice"]'])
def test_keywords_of_json_ld_are_subjects(keywords: str):
    node = f'{{"@type": "NewsArticle", "keywords": {keywords}}}'

    assert saying(f'<script type="application/ld+json">{node}</script>').tags == ("Sea", "Ice")


def test_a_lead_picture_that_is_only_named_stands_in_front():
    head = '<meta property="og:type" content="article"><meta property="og:image" content="/p.jpg">'
    inside = '<figure><img src="/q.jpg"></figure>'
    whole = TEXT.replace("<p>Sentence 1", f"{inside}<p>Sentence 1")

    assert 'href="https://harbour.example/p.jpg">Photo</a>' in saying(head).blocks[0]
    assert "/p.jpg" not in "".join(saying(head, whole).blocks)
    assert saying(head.replace("article", "website")).blocks == saying("").blocks
    named = replace(BARE, picture="https://harbour.example/f.jpg")
    assert "/f.jpg" in saying(head, entry=named).blocks[0]
    assert "/f.jpg" in from_entry(replace(named, html=TEXT), lang="").blocks[0]
    assert from_entry(replace(named, html=""), lang="").blocks == ()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/sites/default/files/ferry.jpg", True),
        ("/2026/blogosphere.jpg", True),
        ("/img/site-logo.png", False),
        ("/logo/1.png", False),
        ("/img/default_image.jpg", False),
        ("/share.png", False),
        ("/placeholder/3.jpg", False),
    ],
)
def test_a_picture_for_any_article_is_not_a_lead_picture(path: str, shown: bool):
    entry = replace(BARE, html=TEXT, picture=f"https://harbour.example{path}")

    assert from_entry(entry, lang="").blocks[0].startswith("<figure") == shown


def test_a_number_that_is_no_character_breaks_nothing():
    assert from_entry(replace(BARE, html=f"<p>a&#{'1' * 5000};</p>"), lang="").blocks


def test_end_tags_without_an_end_are_searched_once():
    with within(5):
        visible_text("<script>" + "</script" * 300_000)


def test_a_page_that_would_make_a_parser_slow_is_refused():
    for body, reason in (
        (b"x" * (5 * 1024 * 1024 + 1), "more than 5242880 bytes"),
        (b"<p>x" * 30_001, "more than 30000 tags"),
        (b"<div>" * 20_000, "nested deeper"),
        (b"<p " + b" ".join(b"a%d" % number for number in range(9999)) + b">", "attributes"),
    ):
        with pytest.raises(FormatError, match=reason):
            told(body)


def test_only_an_edit_changes_the_digest():
    article = from_entry(full_entry(), lang="en")

    assert article.digest == replace(article, published="", url="", partial=True).digest
    assert (
        article.digest
        == replace(
            article, blocks=tuple(b.replace(">Photo<", ">Picture<") for b in article.blocks)
        ).digest
    )
    for edit in (
        replace(article, title="x"),
        replace(article, authors=article.authors[:1]),
        replace(article, authors=("Anna ReporterJo Writer",)),
        replace(article, lang="fr"),
        replace(article, blocks=article.blocks[:-1]),
        replace(article, blocks=("".join(article.blocks),)),
    ):
        assert edit.digest != article.digest


@given(st.text(max_size=400) | st.binary(max_size=400).map(lambda raw: raw.decode("latin-1")))
def test_whatever_a_body_holds_is_an_article_or_a_format_error(html: str):
    try:
        article = from_entry(replace(BARE, html=html), lang="")
    except FormatError:
        return

    assert all(block.startswith("<") for block in article.blocks)
    assert "\x00" not in "".join(article.blocks)


@settings(max_examples=30)
@given(st.binary(max_size=400), st.booleans())
def test_whatever_a_page_holds_is_an_article_or_a_format_error(raw: bytes, inside: bool):
    whole = (DATA / "pages" / "news_page.html").read_bytes()
    body = whole[:900] + raw + whole[900:] if inside else raw
    try:
        told(body)
    except FormatError:
        return


def test_the_seed_is_kept_verbatim_and_its_boilerplate_is_not(shared_data: Path):
    truth = json.loads((shared_data / "seed" / "ground_truth.json").read_text())
    body = (shared_data / "seed" / "page_reconstructed.html").read_bytes()

    article = told(body).article

    text = [visible_text(block) for block in article.blocks]
    figure = FIGURE.fullmatch(article.blocks[0])
    assert text[1:] == truth["body"]
    assert article.title == truth["title"]
    assert figure
    assert f"{figure[2]} {figure[3]}" == truth["caption"]
    assert figure[3] == "U.S. Army / Flickr"
    assert not [line for line in truth["boiler"] if any(line in block for block in text)]
