"""Published pages read back: what was rendered, and None for what was not."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.article.article import Article
from mirror.article.cleaning.clean import clean
from mirror.article.render.page import Masthead, render
from mirror.article.render.readback import body_of, read_back
from mirror.article.text import plain

MASTHEAD = Masthead("The Harbour", "mirror.example/harbour", "https://harbour.example/")
ARTICLE = Article(
    url="https://harbour.example/news/1?a=1&b=%22",
    title="No ferry & no <bread>",
    authors=("Anna Reporter", 'Jo "W" & Son'),
    published="2026-11-16T06:30:00Z",
    lang="en",
    dir="ltr",
    blocks=("<p>The ferry has not run.</p>", "<pre>a\n\n  b</pre>", "<hr>", "<p>No word.</p>"),
    partial=False,
)
PIECES = [
    *(
        "<p>",
        "</p>",
        "<b>",
        "</b>",
        "<a href='/x?a&b'>",
        "</a>",
        "<ul><li>",
        "</ul>",
        "x ",
        "&lt;/div>",
    ),
    *("<table><tr><td>1<td>2</table>", "<img src=/p alt='a b c d'>", "<br>", "<h2>", "</h2>", "\n"),
    *("<blockquote>", "</blockquote>", "<pre>", "</pre>", "a\n\n</div>\nb", "<dl><dt>", "é\u2028"),
    *('<abbr title="long\nform">', "</abbr>", "&lt;div itemprop=", '<div itemprop="articleBody">'),
]
LINES = st.text(max_size=40).map(plain)
ARTICLES = st.builds(
    Article,
    url=st.sampled_from(["", "https://h.example/a", "https://h.example/?a=1&b=%22"]),
    title=LINES,
    authors=st.lists(LINES.filter(bool), max_size=3).map(tuple),
    published=st.sampled_from(["", "2026-11-16T06:30:00Z"]),
    lang=st.sampled_from(["en", "fa", "ru-RU", "xx", ""]),
    dir=st.sampled_from(["ltr", "rtl"]),
    blocks=st.lists(st.sampled_from(PIECES), max_size=30).map(
        lambda pieces: clean("".join(pieces), base="https://h.example/", lang="en")
    ),
    partial=st.booleans(),
    tags=st.lists(LINES.filter(bool), max_size=3).map(tuple),
    modified=st.sampled_from(["", "2026-11-17T06:30:00Z"]),
    gone=st.sampled_from(["", "2026-11-18"]),
)


def rendered(article: Article) -> tuple[bytes, ...]:
    return render(article, masthead=MASTHEAD, rev=2, id_hex="9f" * 32)


def test_a_page_is_read_back_as_the_article_that_it_shows():
    assert read_back(rendered(ARTICLE)) == ARTICLE


@given(ARTICLES)
def test_whatever_is_rendered_is_read_back(article: Article):
    pages = rendered(article)
    again = read_back(pages)

    assert again is not None
    assert rendered(again) == pages
    assert replace(again, blocks=(), title="", authors=(), tags=()) == replace(
        article, blocks=(), title="", authors=(), tags=()
    )
    if "contentUrl" not in "".join(article.blocks):
        assert again.blocks == article.blocks


def test_all_parts_of_a_long_article_are_read_back_in_order():
    words = [f"{number * number:x}" for number in range(9000)]
    blocks = (f"<p>{' '.join(words)}</p>", f"<pre>{chr(10).join(words)}</pre>")
    article = replace(ARTICLE, blocks=blocks)
    pages = rendered(article)
    assert len(pages) > 2

    again = read_back(pages)

    assert again is not None
    assert again.title == article.title
    assert again.authors == article.authors
    text = "".join(again.blocks)
    assert [word for word in words if word not in text] == []
    assert all(block.startswith(("<p>", "<pre>")) for block in again.blocks)
    assert all(block.endswith(("</p>", "</pre>")) for block in again.blocks)


def test_pages_that_are_not_all_there_are_no_article():
    pages = rendered(replace(ARTICLE, blocks=tuple(f"<p>{n**9:x}</p>" for n in range(4000))))

    assert read_back(pages) is not None
    assert read_back(pages[:-1]) is None
    assert read_back(pages[1:]) is None
    assert read_back(()) is None


@pytest.mark.parametrize(
    "page", [b"", b"\xff", b"<html>", b'<div itemprop="articleBody">\n<p>x</p>\n</div>']
)
def test_what_no_template_made_is_no_article(page: bytes):
    assert read_back([page]) is None


def test_the_page_of_an_older_template_is_read(tmp_path: Path):
    old = rendered(ARTICLE)[0].replace(b"<style>", b"<style>p{}").replace(b'<p class="by">', b"<p>")

    body = body_of(old)
    assert body is not None
    assert body.blocks == ARTICLE.blocks
    assert read_back([old]) == ARTICLE


@given(st.binary(max_size=300), st.integers(0, 3000))
def test_whatever_a_page_holds_is_an_article_or_none(raw: bytes, place: int):
    page = rendered(ARTICLE)[0]

    read_back([raw])
    read_back([page[:place] + raw + page[place:]])
