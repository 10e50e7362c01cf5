"""Cleaning: what stays as the source wrote it, and that nothing hostile passes."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.article.cleaning.clean import clean
from mirror.article.cleaning.limits import MAX_ATTRIBUTES, MAX_DEPTH
from mirror.article.cleaning.tags import CLEANER
from mirror.errors import FormatError

HOSTILE = Path(__file__).parent / "data" / "hostile"
BODIES = sorted(HOSTILE.glob("*.html"))
TAG = re.compile(r'<(?:[^>"]|"[^"]*")*>')
ADDRESS = re.compile(r'(?:href|src)="([^"]*)"')


def blocks(markup: str, *, lang: str = "en") -> tuple[str, ...]:
    return clean(markup, base="https://h.example/news/1", lang=lang)


def check_harmless(html: str) -> None:
    tags = " ".join(TAG.findall(html)).lower()
    names = set(re.findall(r"</?([a-z0-9]+)", tags))
    assert not names & {"script", "style", "iframe", "img", "svg", "math", "form", "base", "meta"}
    assert not re.search(r"\son\w+\s*=", tags)
    assert not re.search(r"\s(?:style|srcset|src|srcdoc|action)=", tags)
    for address in ADDRESS.findall(tags):
        assert address.startswith(("https://", "http://", "mailto:", "#n")), address


def test_a_paragraph_is_kept_verbatim():
    text = "“It’s 100% bullsh*t, he said – but the report\u00a0stands … 1 < 2 & 3"

    assert blocks(f"<p>{text.replace('&', '&amp;').replace('<', '&lt;')}</p>") == (
        f"<p>{text.replace('&', '&amp;').replace('<', '&lt;')}</p>",
    )


def test_white_space_becomes_what_a_browser_shows():
    assert blocks("<p>\n  one\n  two <b> three </b>\n</p>") == (
        "<p>one two <strong>three </strong></p>",
    )


def test_bare_text_and_line_breaks_become_paragraphs():
    assert blocks("one<br>two<br><br>three<div>four</div>five") == (
        "<p>one<br>two</p>",
        "<p>three</p>",
        "<p>four</p>",
        "<p>five</p>",
    )


def test_headings_begin_at_two_and_skip_no_level():
    assert blocks("<h1>a</h1><h3>b</h3><h6>c</h6><h3>d</h3>") == (
        "<h2>a</h2>",
        "<h3>b</h3>",
        "<h4>c</h4>",
        "<h3>d</h3>",
    )


def test_lists_quotes_and_code_are_kept():
    assert blocks(
        "<ul><li>one<li><p>two</p><ul><li>three</ul></ul><blockquote>q<p>r</p></blockquote>"
        "<pre>a  <b>b</b>\n  c</pre><dl><dt>t<dd>d</dl><ol start=3><li>x</ol><hr>"
    ) == (
        "<ul><li>one</li><li>two<ul><li>three</li></ul></li></ul>",
        "<blockquote><p>q</p><p>r</p></blockquote>",
        "<pre>a  b\n  c</pre>",
        "<dl><dt>t</dt><dd>d</dd></dl>",
        '<ol start="3"><li>x</li></ol>',
        "<hr>",
    )


def test_a_table_of_data_is_kept_and_one_of_layout_is_not():
    assert blocks("<table><caption>C</caption><tr><th colspan=2>a<tr><td>1<td>2</table>") == (
        '<table><caption>C</caption><tbody><tr><th colspan="2">a</th></tr>'
        "<tr><td>1</td><td>2</td></tr></tbody></table>",
    )
    assert blocks("<table><tr><td><p>one</p><p>two</p></td></tr></table>") == (
        "<p>one</p>",
        "<p>two</p>",
    )


MEDALS = "<tr><th>Land<th>Gold" + "".join(
    f'<tr><td><img src="/{n}.svg" width="20" alt="Flag of land {n}">Land {n}<td>{n}'
    for n in range(1, 4)
)
CANDIDATES = "".join(
    f'<tr><td><img src="/{n}.jpg"><td>Candidate {n}<td>Party {n}' for n in range(1, 4)
)
SECTIONS = "<tr><th>Year<th>Ships<tr><td colspan=2><h3>Before the war</h3><tr><td>1912<td>7"
LISTS = "<tr><th>Port<th>Tides<tr><td>North<td><table><tr><td>high<td>4:10</table>"
NEWS = f"<p>{'The harbour office counted the boats again. ' * 20}</p>"


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        (MEDALS, "<td>Flag of land 2 Land 2</td><td>2</td>"),
        (CANDIDATES, "</figure></td><td>Candidate 3</td><td>Party 3</td>"),
        (SECTIONS, '<td colspan="2"><strong>Before the war</strong></td>'),
        (LISTS, "<td>high</td><td>4:10</td>"),
        (MEDALS.replace("Flag of land 2", "LAND 2"), "<td>Land 2</td><td>2</td>"),
    ],
    ids=["icons", "photos", "headings", "tables", "icons of what is said"],
)
def test_a_table_of_data_stays_one_whatever_is_in_its_cells(rows: str, kept: str):
    [block] = blocks(f"<table>{rows}</table>")

    assert block.startswith("<table>")
    assert kept in block


@pytest.mark.parametrize(
    "rows",
    [
        f'<tr><td><img src="/logo.png"><td><h1>Paper</h1><tr><td>Menu<td>{NEWS}',
        f'<tr><th>Menu<th><img src="/logo.png"><tr><td>Weather<td>{NEWS}',
        '<tr><td><img src="/1.jpg"><td><img src="/2.jpg">' * 3,
        '<tr><td><img src="/1.jpg"><td>One picture, and what is said of it.',
        "<tr><td>Left<td><table><tr><td>a<td>b</table>" * 3,
        MEDALS.replace("<th>Land<th>Gold", "<td>Land<td><iframe src='/ad'></iframe>"),
    ],
    ids=["page", "page with headers", "gallery", "picture", "frame", "advertisement"],
)
def test_a_table_of_layout_is_unwrapped_whatever_it_looks_like(rows: str):
    found = blocks(f"<table>{rows}</table>")

    assert not found[0].startswith("<table>")
    assert len(found) > 1


def test_a_table_that_says_that_it_is_none_is_none():
    found = blocks(f'<table role="presentation">{MEDALS}</table>')

    assert not any("<table" in block for block in found)


def test_tables_inside_each_other_are_read_in_no_time():
    rows = "<tr><th>a<th>b" + "<tr><td>x<td>y" * 100
    nested = f"<table>{rows}<tr><td>n<td>" * 25 + "</table>" * 25

    assert len(blocks(nested + "<p>end</p>")) > 1


def test_a_picture_becomes_a_link_with_caption_and_credit_of_their_own():
    assert blocks(
        '<figure><a href="/big"><img src="/p.jpg"></a><figcaption>A <em>ferry</em>. '
        '<span class="credit">Anna / H</span></figcaption></figure>'
    ) == (
        '<figure itemprop="image" itemscope="" itemtype="https://schema.org/ImageObject">'
        '<a itemprop="contentUrl" href="https://h.example/p.jpg">Photo</a>'
        '<figcaption><span itemprop="caption">A <em>ferry</em>.</span> '
        '<span class="credit" itemprop="creditText">Anna / H</span></figcaption></figure>',
    )


def test_the_word_for_a_picture_is_in_the_language_of_the_article():
    [figure] = blocks('<img src="/p.jpg">', lang="fa")

    assert ">عکس</a>" in figure


def test_a_picture_inside_a_paragraph_parts_it():
    parts = blocks('<p><b>one <img src="/p.jpg"> two</b></p>')

    assert parts[0] == "<p><strong>one</strong></p>"
    assert parts[1].startswith("<figure")
    assert parts[2] == "<p><strong>two</strong></p>"


def test_a_lazy_picture_is_found():
    [figure] = blocks('<img src="data:image/gif;base64,R0" data-src="/real.jpg">')
    [other] = blocks('<img src="data:,"><noscript><img src="/real.jpg"></noscript>')

    assert "https://h.example/real.jpg" in figure
    assert "https://h.example/real.jpg" in other


def test_embedded_things_become_titled_links():
    assert blocks(
        '<iframe src="https://v.example/7" title="The <harbour>"></iframe>'
        '<video><source src="/v.mp4"></video><audio src="/a.mp3"></audio>'
    ) == (
        '<p><a href="https://v.example/7">Embedded page: The &lt;harbour&gt;</a></p>',
        '<p><a href="https://h.example/v.mp4">Video: h.example</a></p>',
        '<p><a href="https://h.example/a.mp3">Audio: h.example</a></p>',
    )


def test_footnotes_keep_their_links_under_own_ids():
    assert blocks(
        '<p>text<sup><a href="#fn:1" id="ref:1">1</a></sup></p>'
        '<ol><li id="fn:1">note <a href="#ref:1">back</a></li></ol><p><a href="#gone">x</a></p>'
    ) == (
        '<p>text<sup><a id="n1" href="#n2">1</a></sup></p>',
        '<ol><li id="n2">note <a href="#n1">back</a></li></ol>',
        "<p>x</p>",
    )


@pytest.mark.parametrize(
    "page",
    [
        "https://h.example/news/1",
        "http://h.example/news/1/",
        "https://www.h.example/news/1?utm_source=rss&fbclid=x",
        "/news/1",
        "1",
    ],
)
def test_a_footnote_that_is_linked_by_the_pages_whole_address_is_one(page: str):
    assert blocks(
        f'<p>text<sup><a href="{page}#fn%3A1" id="ref1">1</a></sup></p>'
        f'<ol><li id="fn:1">note <a href="{page}#ref1">back</a></li></ol>'
    ) == (
        '<p>text<sup><a id="n1" href="#n2">1</a></sup></p>',
        '<ol><li id="n2">note <a href="#n1">back</a></li></ol>',
    )


@pytest.mark.parametrize("page", ["https://h.example/news/2", "https://other.example/news/1"])
def test_a_footnote_of_another_page_is_not_taken_for_the_texts_own(page: str):
    assert blocks(f'<p><a href="{page}#fn1">1</a></p><p id="fn1">note</p>') == (
        f'<p><a href="{page}#fn1">1</a></p>',
        "<p>note</p>",
    )


def test_a_link_to_what_the_text_does_not_hold_leads_to_the_original_or_nowhere():
    whole = "https://h.example/news/1#talk"

    assert blocks(
        f'<p><a href="{whole}">whole</a> <a id="up" href="#shut">part</a> <a href="#up">up</a></p>'
        '<div hidden><p id="talk">comments</p><p id="shut">more</p></div>'
    ) == (f'<p><a href="{whole}">whole</a> <a id="n1"></a>part <a href="#n1">up</a></p>',)


def test_language_and_direction_of_a_part_are_kept():
    assert blocks('<p>a <bdo dir="rtl">gpj.exe</bdo></p>') == (
        '<p>a <span dir="rtl">gpj.exe</span></p>',
    )
    assert blocks('<p lang="fr" dir="ltr">a <span dir="rtl">b</span></p><div dir=rtl>c</div>') == (
        '<p lang="fr" dir="ltr">a <span dir="rtl">b</span></p>',
        '<p dir="rtl">c</p>',
    )


def test_addresses_are_absolute_and_only_of_known_kinds():
    [line] = blocks((HOSTILE / "script_addresses.html").read_text())

    assert ADDRESS.findall(line) == [
        "https://evil.example/x",
        "mailto:desk@example.org",
        "https://user:pw@ok.example/",
    ]


def test_trackers_go_and_pictures_stay():
    html = "".join(blocks((HOSTILE / "trackers.html").read_text()))

    assert ADDRESS.findall(html) == ["https://c.example/real.jpg", "https://d.example/l.jpg"]


def test_what_is_hidden_is_not_shown_and_looks_are_dropped():
    html = "".join(blocks((HOSTILE / "styles_classes_and_ids.html").read_text()))

    assert html.startswith('<p><a id="n1"></a>text</p><p>not a credit')
    assert "hidden" not in html
    assert "class" not in html


def test_a_base_element_moves_no_link():
    html = "".join(blocks((HOSTILE / "base_meta_and_frames.html").read_text()))

    assert ADDRESS.findall(html) == ["https://h.example/news/page", "https://player.example/7"]


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_no_hostile_body_leaves_anything_that_acts(path: Path):
    for block in blocks(path.read_bytes().decode("utf-8", "replace")):
        check_harmless(block)


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_clean_blocks_are_what_the_allow_list_would_leave(path: Path):
    for block in blocks(path.read_bytes().decode("utf-8", "replace")):
        assert CLEANER.clean(block) == block.replace("\u00a0", "&nbsp;")


@given(st.text(max_size=300), st.sampled_from([path.read_text("latin-1") for path in BODIES]))
def test_no_text_around_a_hostile_body_makes_it_act(text: str, body: str):
    for block in blocks(text + body) + blocks(body + text) + blocks(body[: len(text)] + text):
        check_harmless(block)


@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<b>",
                "</b>",
                "<a href='/x'>",
                "</a>",
                "<ul>",
                "<li>",
                "</ul>",
                "x ",
                "<table><tr>",
                "<td>",
                "</table>",
                "<img src=/p>",
                "<br>",
                "<h2>",
                "</h2>",
                "<q>",
                "<blockquote>",
                "</blockquote>",
                "<figure>",
                "<figcaption>",
                "</figure>",
                "<pre>",
                "<div id=i>",
                "</div>",
                "<a href=#i>",
                "<span lang=fr>",
                "</span>",
                "<dl><dt>",
            ]
        ),
        max_size=40,
    )
)
def test_any_heap_of_tags_becomes_balanced_blocks(pieces: list[str]):
    for block in blocks("".join(pieces)):
        still_open: list[str] = []
        for tag in TAG.findall(block):
            name = re.sub(r"</?|[\s>].*", "", tag)
            if tag.startswith("</"):
                assert still_open.pop() == name
            elif name not in ("br", "hr", "wbr"):
                still_open.append(name)
        assert not still_open
        check_harmless(block)


def test_markup_that_would_make_a_parser_slow_is_refused():
    with pytest.raises(FormatError, match="nested deeper"):
        blocks("<div>" * 40_000)
    with pytest.raises(FormatError, match="attributes on one tag"):
        blocks("<p " + " ".join(f"a{number}" for number in range(20_000)) + ">x")
    with pytest.raises(FormatError, match="attributes on one tag"):
        blocks("<p " + " ".join(f'a{number}=">"' for number in range(20_000)) + ">x")
    with pytest.raises(FormatError, match="attributes on one tag"):
        blocks("<!--><p " + " ".join(f"a{number}" for number in range(20_000)) + ">x-->")
    with pytest.raises(FormatError, match="more than 50000 tags"):
        blocks("<p>x" * 50_001)
    with pytest.raises(FormatError, match="characters"):
        blocks("x" * 4_000_001)
    with pytest.raises(FormatError, match="more than 1000000 bytes of text"):
        blocks("\u0436" * 500_001)


def test_tags_that_run_into_every_paragraph_do_not_fill_the_memory():
    with pytest.raises(FormatError, match="more than 4000000 characters"):
        blocks(f'<abbr title="{"x" * 200}">' * 100 + "x<br><br>" * 20_000)


def test_a_picture_inside_a_body_does_not_count_as_text():
    [figure] = blocks(f'<img src="data:image/png;base64,{"A" * 3_000_000}" data-src="/p.jpg">')

    assert "https://h.example/p.jpg" in figure


def test_the_long_form_of_an_abbreviation_is_shortened():
    [block] = blocks(f'<abbr title="{"long " * 12_000}">L</abbr>')

    assert block.startswith('<p><abbr title="long long')
    assert block.endswith('…">L</abbr></p>')
    assert len(block) < 250


def test_no_text_turns_round_what_follows_it():
    assert blocks("a\u202egpj.exe\u202c \u202ab\u202c") == ("<p>agpj.exe b</p>",)
    assert blocks("<p>a\u2067b</p><p>c\u2069\u2066d</p>") == ("<p>ab</p>", "<p>cd</p>")
    assert blocks("<pre>a\u202d\u2068b</pre>") == ("<pre>ab</pre>",)
    assert blocks("a \u2067b\u2069 \u200fc") == ("<p>a \u2067b\u2069 \u200fc</p>",)


def test_what_is_just_inside_the_limits_is_read():
    inside = MAX_DEPTH - 3  # html, body and the paragraph's own level

    assert blocks("<div>" * inside + "x") == ("<p>x</p>",)
    assert blocks("<p " + " ".join(f"a{i}" for i in range(MAX_ATTRIBUTES)) + ">x") == ("<p>x</p>",)
    assert blocks(f"<script>{'if (a<b c d) ' * 400}</script><p>x</p>") == ("<p>x</p>",)
    assert blocks("<ul><li>" * (inside // 2) + "x")[0].startswith("<ul><li><ul>")


def test_nothing_gives_no_blocks():
    assert blocks("") == blocks(" \n") == blocks("<!-- x -->") == blocks("<p> </p><ul></ul>") == ()
