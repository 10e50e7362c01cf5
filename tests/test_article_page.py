"""Rendered pages: complete, harmless, and small enough for a curtain of 12,000 B."""

import base64
import gzip
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.article.article import Article
from mirror.article.cleaning.clean import clean
from mirror.article.picture import Picture, name
from mirror.article.render.page import Masthead, render
from mirror.article.render.parts import MAX_RAW_BYTES
from mirror.article.render.revisions import MAX_LISTED, Revision
from mirror.article.render.split import split_block
from mirror.article.strings import _TABLE, strings, ui_language
from mirror.errors import FormatError
from mirror.pages.story import read_page
from tests.cost import within

HOSTILE = Path(__file__).parent / "data" / "hostile"
MASTHEAD = Masthead("The Harbour", "mirror.example/harbour", "https://harbour.example/")
ID = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
ARTICLE = Article(
    url="https://harbour.example/news/1",
    title="No ferry & no <bread>",
    authors=("Anna Reporter", "Jo Writer"),
    published="2026-11-16T06:30:00Z",
    lang="en",
    dir="ltr",
    blocks=("<p>The ferry has not run.</p>", "<h2>Council</h2>", "<p>No word.</p>"),
    partial=False,
)
WORDS = [hashlib.sha256(b"%d" % number).hexdigest()[:7] for number in range(9000)]
TAG = re.compile(r'<(?:[^>"]|"[^"]*")*>')


def parts(article: Article, rev: int = 3, revisions: tuple[Revision, ...] = ()) -> list[str]:
    files = render(article, masthead=MASTHEAD, rev=rev, id_hex=ID, revisions=revisions)
    for data in files:
        assert len(gzip.compress(data, 9)) + 900 <= 12_000
        check_harmless(data.decode())
    return [data.decode() for data in files]


def check_harmless(html: str) -> None:
    tags = " ".join(TAG.findall(html)).lower()
    assert "<script" not in tags
    assert not re.search(r"\son\w+\s*=", re.sub(r'"[^"]*"', '""', tags))
    assert not re.search(r'(?:href|src)="\s*(?:javascript|data|vbscript):', tags)
    assert set(re.findall(r"<(\w+)", tags)) & {"img", "iframe", "svg", "form", "base"} == set()


def body_text(html: str) -> str:
    inner = html.split('itemprop="articleBody">', 1)[1].split("</div>", 1)[0]
    return re.sub(r"\s+", " ", TAG.sub(" ", inner)).strip()


def long_article(blocks: tuple[str, ...]) -> Article:
    return replace(ARTICLE, blocks=blocks)


def test_a_page_says_all_that_a_reader_needs():
    [html] = parts(ARTICLE)

    for piece in (
        '<html lang="en" dir="ltr">',
        "<title>No ferry &amp; no &lt;bread&gt; · The Harbour</title>",
        '<body><header><nav role="none"><a href="about:blank" rel="noreferrer">',
        "<b>Quick exit</b></a></nav>",
        '<a href="../../../../../index.html" dir="auto">The Harbour</a></header>',
        '<h1 itemprop="headline">No ferry &amp; no &lt;bread&gt;</h1>',
        '<span itemprop="author">Anna Reporter</span>, <span itemprop="author">Jo Writer</span>',
        '<time itemprop="datePublished" datetime="2026-11-16T06:30:00Z"><bdi dir="ltr">'
        "2026-11-16 06:30 UTC</bdi></time>",
        '<a itemprop="url" href="https://harbour.example/news/1">',
        "Mirrored copy, revision 3",
        '<a href="3.html.tlog-proof">',
        '<a href="3.html.minisig">',
        '<a href="3.html.sig">',
        '<a href="../../../../../mirrors.html">Other mirrors</a>',
        '<a href="../../../../../check.html">How to check</a>',
        '<a href="../../../../../archive/index.html">Archive</a>',
        ID,
        "mirror.example/harbour",
        '<a href="https://harbour.example/">',
    ):
        assert piece in html, piece


def test_the_policy_permits_the_page_s_own_style_and_nothing_else():
    [html] = parts(ARTICLE)

    [style] = re.findall(r"<style>(.*?)</style>", html)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert len(style.encode()) <= 1024
    assert (
        f"content=\"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'\""
    ) in html
    assert html.index("Content-Security-Policy") < html.index("<style>")
    assert '<meta name="referrer" content="no-referrer">' in html
    assert '<meta http-equiv="x-dns-prefetch-control" content="off">' in html


def test_the_same_article_gives_the_same_bytes():
    assert parts(ARTICLE) == parts(ARTICLE)


def test_what_is_unknown_is_left_out():
    [html] = parts(replace(ARTICLE, url="", authors=(), published=""))

    assert "datePublished" not in html
    assert 'itemprop="url"' not in html
    assert 'itemprop="author"' not in html


def test_a_partial_text_says_so():
    [html] = parts(replace(ARTICLE, partial=True))

    assert strings("en").partial in html


def test_a_page_names_its_subjects_and_when_it_was_changed():
    told = replace(
        ARTICLE,
        lang="fr",
        tags=("Îles & ports", "<b>", "x" * 90, *map(str, range(30))),
        modified="2026-11-17T08:00:00Z",
    )
    [html] = parts(told)

    assert (
        '<p class="by"><span lang="en">Subjects</span>: <span itemprop="keywords">Îles &amp; ports'
        '</span>, <span itemprop="keywords">&lt;b&gt;</span>'
    ) in html
    assert html.count('itemprop="keywords"') == 20
    assert "x" * 61 not in html
    assert (
        ' · <span lang="en">Changed on <time itemprop="dateModified" '
        'datetime="2026-11-17T08:00:00Z"><bdi dir="ltr">2026-11-17 08:00 UTC</bdi></time></span>'
    ) in html
    assert "dateModified" not in parts(replace(told, modified=told.published))[0]
    assert "keywords" not in parts(ARTICLE)[0]


def test_the_subjects_are_named_once_in_a_long_article():
    blocks = tuple(f"<p>{' '.join(WORDS[i : i + 60])}.</p>" for i in range(0, 9000, 60))

    files = parts(replace(ARTICLE, blocks=blocks, tags=("Ports",)))

    assert [html.count('itemprop="keywords"') for html in files] == [1] + [0] * (len(files) - 1)


def test_what_the_source_no_longer_has_says_so_in_every_language():
    for lang, words in _TABLE.items():
        [html] = parts(replace(ARTICLE, lang=lang, gone="2026-11-20"))

        date = '<bdi dir="ltr">2026-11-20</bdi>'
        assert f"<p><strong>{words.gone.format(date=date)}</strong></p>" in html


def test_a_page_lists_the_revisions_up_to_its_own_and_what_each_changed():
    known = tuple(Revision(rev, f"2026-11-{15 + rev}T06:30:00Z") for rev in (1, 2, 3))

    [html] = parts(ARTICLE, revisions=known)

    assert (
        "<p>Revisions:</p><ul>"
        '<li><a href="1.html"><bdi dir="ltr">2026-11-16 06:30 UTC</bdi></a></li>'
        '<li><a href="2.html"><bdi dir="ltr">2026-11-17 06:30 UTC</bdi></a> '
        '<a href="2.diff.html">what changed</a></li>'
        '<li><a href="3.html"><bdi dir="ltr">2026-11-18 06:30 UTC</bdi></a> '
        '<a href="3.diff.html">what changed</a></li></ul>'
    ) in html
    assert '<a href="index.html">Newer revisions, if any</a>' in html


def test_an_article_of_one_revision_lists_none():
    alone = parts(ARTICLE, 1, (Revision(1, "2026-11-16T06:30:00Z"),))

    assert alone == parts(ARTICLE, 1)
    assert "diff.html" not in alone[0]
    assert '<a href="index.html">Newer revisions, if any</a>' in alone[0]


def test_of_a_thousand_revisions_the_first_and_the_newest_are_listed():
    known = tuple(Revision(rev, "2026-11-16T06:30:00Z") for rev in range(1, 1001))
    few = (known[0], *known[-MAX_LISTED:])

    [html] = parts(ARTICLE, 1000, known)

    listed = [int(rev) for rev in re.findall(r'<li><a href="([0-9]+)\.html">', html)]
    assert listed == [1, *range(1001 - MAX_LISTED, 1001)]
    assert html.count("<li>…</li>") == 1
    assert [html] == parts(ARTICLE, 1000, few)
    assert "…" not in "".join(parts(ARTICLE, 21, known[:21]))


def test_only_the_first_part_lists_the_revisions():
    blocks = tuple(f"<p>{' '.join(WORDS[i : i + 60])}.</p>" for i in range(0, 9000, 60))
    known = (Revision(1, "2026-11-16T06:30:00Z"), Revision(3, "2026-11-17T06:30:00Z"))

    files = parts(long_article(blocks), revisions=known)

    assert [html.count("3.diff.html") for html in files] == [1] + [0] * (len(files) - 1)
    assert all('<a href="index.html">' in html for html in files)


def test_a_picture_at_hand_is_behind_a_link_beside_the_page():
    blocks = clean('<img src="/1.jpg"><img src="/2.jpg">', base="https://cdn.example/", lang="fa")
    picture = Picture("https://cdn.example/1.jpg", b"x" * 9000, 480, 320, b"y" * 90_000)

    [html] = parts(replace(ARTICLE, blocks=blocks, pictures=(picture,), lang="fa", dir="rtl"))

    own, large = (f'<a{{}} href="{name(data)}">عکس، ' for data in (picture.webp, picture.large))
    assert own.format(' itemprop="contentUrl"') + '<bdi dir="ltr">9 kB</bdi></a>' in html
    assert large.format("") + '<bdi dir="ltr">90 kB</bdi></a>' in html
    assert 'href="https://cdn.example/2.jpg">عکس (<bdi dir="ltr">cdn.example</bdi>)</a>' in html
    assert "cdn.example/1.jpg" not in html


def test_all_that_is_new_on_a_page_leaves_its_text_between_the_same_lines():
    picture = Picture("https://h.example/p.jpg", b"x" * 9000, 480, 320)
    blocks = clean('<p>One.</p><img src="/p.jpg">', base="https://h.example/", lang="en")
    whole = replace(
        ARTICLE,
        blocks=blocks,
        pictures=(picture,),
        tags=("Ports",),
        modified="2026-11-17T08:00:00Z",
        gone="2026-11-20",
        partial=True,
    )
    known = (Revision(1, "2026-11-16T06:30:00Z"), Revision(2, "2026-11-17T06:30:00Z"))

    read = read_page(parts(whole, 2, known)[0].encode())

    assert read is not None
    assert read.told.authors == ARTICLE.authors
    assert read.told.original == ARTICLE.url
    assert (read.parts, read.told.summary) == (1, "One.")


def test_a_persian_page_runs_from_right_to_left_in_its_own_words():
    [html] = parts(replace(ARTICLE, lang="fa", dir="rtl"))

    assert '<html lang="fa" dir="rtl">' in html
    assert strings("fa").mirrors in html
    assert "<footer>" in html


def test_words_in_another_language_than_the_text_are_marked():
    assert '<footer lang="en" dir="ltr">' in parts(replace(ARTICLE, lang="he", dir="rtl"))[0]
    assert '<footer lang="en">' in parts(replace(ARTICLE, lang="fr"))[0]


def test_every_language_fills_every_sentence():
    for words in _TABLE.values():
        assert "7" in words.mirrored.format(rev=7)
        assert "7" in words.parts.format(parts=7)
        assert {"7", "9"} <= set(words.part.format(part=7, parts=9))
        assert "f.html" in words.check.format(file="f.html")
        assert "7" in words.picture.format(size=7)
        assert "7" in words.changed.format(time=7)
        assert "7" in words.gone.format(date=7)
    assert ui_language("zh-TW") == ui_language("zh-Hant-HK") == "zh-Hant"
    assert ui_language("zh") == ui_language("zh-CN") == "zh-Hans"
    assert ui_language("pt-BR") == ui_language("") == "en"


def test_a_long_article_comes_in_parts_that_the_first_one_vouches_for():
    blocks = tuple(f"<p>{' '.join(WORDS[i : i + 60])}.</p>" for i in range(0, 9000, 60))

    files = parts(long_article(blocks))

    assert len(files) > 3
    for number, html in enumerate(files[1:], 2):
        assert f'<a href="3-{number}.html">' in files[0]
        assert hashlib.sha256(html.encode()).hexdigest() in files[0]
        assert '<a href="3.html">' in html
        assert f"3-{number}.html.minisig" in html
        assert (f'href="3-{number + 1}.html" rel="next"' in html) == (number < len(files))
    assert " ".join(map(body_text, files)) == " ".join(TAG.sub("", block) for block in blocks)


@pytest.mark.parametrize(
    "template",
    [
        "<p>{}</p>",
        '<p>a <a href="https://x.example/">{}</a></p>',
        "<blockquote><p>{}</p></blockquote>",
        "<pre>{}</pre>",
        "<table><tbody><tr><td>{}</td></tr></tbody></table>",
        "<ul><li>{}</li></ul>",
    ],
)
def test_one_huge_block_is_cut_between_words_and_nothing_is_lost(template: str):
    files = parts(long_article((template.format(". ".join(WORDS)),)))

    assert len(files) > 3
    assert " ".join(map(body_text, files)).removeprefix("a ") == ". ".join(WORDS)


def test_a_text_without_spaces_is_cut_too():
    text = "".join(chr(0x4E00 + int(word, 16) % 20000) * 2 for word in WORDS)

    files = parts(long_article((f"<p>{text}</p>",)))

    assert "".join(map(body_text, files)).replace(" ", "") == text


def test_rows_and_items_stay_whole_where_they_fit():
    rows = "".join(f"<tr><td>{word}</td><td>&amp;</td></tr>" for word in WORDS)

    pieces = list(split_block(f"<table><tbody>{rows}</tbody></table>", max_bytes=4000))

    assert all(piece.endswith("</td></tr></tbody></table>") for piece in pieces)
    assert all(piece.startswith("<table><tbody><tr><td>") for piece in pieces)
    assert "".join(pieces).count("&amp;") == len(WORDS)


def test_an_article_that_no_first_part_could_list_is_refused():
    text = " ".join(hashlib.sha256(b"%d" % number).hexdigest() for number in range(30_000))

    with pytest.raises(FormatError, match="more than 60 parts"):
        render(long_article((f"<p>{text}</p>",)), masthead=MASTHEAD, rev=1, id_hex=ID)


def test_a_text_that_compresses_to_nothing_comes_in_parts_that_a_phone_can_show():
    [block] = clean("&" * 190_000, base="", lang="")

    files = parts(long_article((block,)))

    assert len(files) > 3
    assert max(len(html.encode()) for html in files) <= MAX_RAW_BYTES == 256 * 1024
    assert "".join(map(body_text, files)).replace(" ", "") == "&amp;" * 190_000


def test_a_text_of_more_than_all_parts_may_hold_is_refused_at_once():
    article = long_article((f"<p>{'&amp;' * 3_354_000}</p>",))

    with within(2), pytest.raises(FormatError, match="more than 60 parts"):
        render(article, masthead=MASTHEAD, rev=1, id_hex=ID)


@pytest.mark.parametrize(
    "text",
    [
        " ".join(WORDS[:4500]) + " " + "spam " * 190_000,
        "spam " * 190_000 + " ".join(WORDS[:4500]),
        "".join(bin(int(word, 16))[2:] for word in WORDS * 4)[:980_000],
        " ".join("".join(bin(int(word, 16))[2:] for word in WORDS * 2)[:490_000]),
    ],
    ids=["dense beginning", "dense end", "two letters", "words of one letter"],
)
def test_no_text_that_the_limits_admit_takes_long(text: str):
    article = long_article(clean(text, base="", lang=""))

    with within(4):  # it takes 1 s
        try:
            render(article, masthead=MASTHEAD, rev=1, id_hex=ID)
        except FormatError as e:
            assert "more than 60 parts" in str(e)


def test_open_tags_that_would_fill_each_piece_are_refused():
    block = f'<p><abbr title="{"x" * 60_000}">{"word " * 100_000}</abbr></p>'

    with pytest.raises(FormatError, match="a quarter of a piece"):
        render(long_article((block,)), masthead=MASTHEAD, rev=1, id_hex=ID)
    with pytest.raises(FormatError, match="a quarter of a piece"):
        list(split_block(block, max_bytes=4000))


def test_a_head_that_fills_a_part_is_refused():
    names = tuple("".join(WORDS[i : i + 9]) for i in range(0, 9000, 9))

    with pytest.raises(FormatError, match="its head alone"):
        render(replace(ARTICLE, authors=names), masthead=MASTHEAD, rev=1, id_hex=ID)


@given(
    st.text(max_size=60),
    st.lists(st.text(max_size=20), max_size=2),
    st.sampled_from(sorted(HOSTILE.glob("*.html"))),
    st.text(max_size=200),
)
def test_no_field_and_no_body_makes_a_page_act(
    title: str, authors: list[str], body: Path, text: str
):
    fields = ['"><script>alert(1)</script>', "' onload=x", title]
    blocks = clean(text + body.read_text("latin-1"), base="https://h.example/", lang="")
    article = replace(
        ARTICLE,
        title="".join(fields).replace("\ud800", ""),
        authors=(*authors, *fields),
        blocks=blocks,
        tags=(*authors, *fields),
    )

    parts(article)


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from([100, 1000, 9000, 30_000]), min_size=1, max_size=8),
    st.sampled_from(["<p>{}</p>", "<ul><li>{}</li></ul>", "<p><strong>{}</strong></p>"]),
    st.integers(0, 100),
)
def test_every_part_passes_the_curtain(sizes: list[int], template: str, start: int):
    text = " ".join(WORDS[start:])
    blocks = tuple(template.format(text[size : size * 2].strip()) for size in sizes)

    assert parts(long_article(blocks))
