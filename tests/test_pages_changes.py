"""The page that shows what a revision changed: all of it, small, harmless, and made in time."""

import gzip
import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from fakes import NOW, story
from hypothesis import given, settings
from hypothesis import strategies as st
from pages_rules import LANGUAGES, MASTHEAD, Page, frame

from mirror.article.article import Article
from mirror.article.lang import Direction, direction
from mirror.article.render.page import render
from mirror.article.render.parts import MAX_PART_BYTES
from mirror.pages.changes import Edition, changes_page, compared
from mirror.pages.words import TABLE
from tests.cost import within

WORDS = st.lists(st.sampled_from("abcdefg"), max_size=30)


def edition(rev: int, article: Article) -> Edition:
    pages = render(article, masthead=MASTHEAD, rev=rev, id_hex="0" * 64)
    return Edition(rev, NOW + 60 * rev, pages)


def article(*texts: str, title: str = "A title", lang: str = "en") -> Article:
    blocks = tuple(f"<p>{text}</p>" for text in texts)
    return replace(story(1, title=title), blocks=blocks, lang=lang, dir=direction(lang, title))


def made(old: Article, new: Article, *, lang: str = "en", dir_: Direction = "ltr") -> str:
    page = changes_page(frame(lang), edition(1, old), edition(2, new), lang=lang, dir_=dir_)
    assert Page(page).flaws == []
    assert len(gzip.compress(page, 9)) <= MAX_PART_BYTES - 900
    return page.decode().partition("</h1>")[2]


def marked(page: str, tag: str) -> list[str]:
    return re.findall(f"<{tag}>(.*?)</{tag}>", page)


def test_the_words_that_were_changed_are_shown_in_their_paragraph():
    before = "The court freed the teacher on Monday.", "Nobody was there."
    after = "The court released the teacher on Monday.", "Nobody was there."

    page = made(article(*before), article(*after))

    assert "The court <del>freed</del><ins>released</ins> the teacher on Monday." in page
    assert "Changed" in page
    assert "Nobody" not in page
    assert {"1.html", "2.html"} <= set(re.findall(r'href="([^"]*)"', page))


def test_paragraphs_that_came_and_went_are_named_and_not_only_coloured():
    before = article("First of all.", "This one goes away.", "Last of all.")
    after = article("First of all.", "Last of all.", "And then some more was known.")

    page = made(before, after)

    assert marked(page, "del") == ["This one goes away."]
    assert marked(page, "ins") == ["And then some more was known."]
    assert page.index("Removed") < page.index("This one")
    assert page.index("Added") < page.index("And then")


def test_a_paragraph_is_compared_with_what_it_became_where_others_were_put_between():
    before = article("one two three four five", "six seven eight nine ten")
    after = article("zero zero zero", "one two 3 four five", "six seven 8 nine ten")

    page = made(before, after)

    assert marked(page, "del") == ["three", "eight"]
    assert marked(page, "ins") == ["zero zero zero", "3", "8"]


def test_a_title_that_was_changed_heads_the_page():
    page = made(article("Text.", title="Old title"), article("Text.", title="New title"))

    assert "<del>Old</del><ins>New</ins> title" in page
    assert TABLE["en"].same_words not in page


def test_where_no_word_was_changed_the_page_says_so():
    before = article('See <a href="https://a.example/">there</a>.')
    after = article('See <a href="https://b.example/">there</a>.')

    assert TABLE["en"].same_words in made(before, after)


def test_the_words_of_a_pictures_link_are_no_change():
    link = '<figure><a itemprop="contentUrl" href="https://x.example/{}.jpg">{}</a></figure>'
    before = replace(article("Text."), blocks=("<p>Text.</p>", link.format(1, "Photo")))
    after = replace(article("Text."), blocks=("<p>Text.</p>", link.format(2, "Image")))

    assert TABLE["en"].same_words in made(before, after)


def test_chinese_is_compared_character_by_character():
    page = made(article("法院释放了教师。"), article("法院关押了教师。"), lang="zh-Hans")

    assert (marked(page, "del"), marked(page, "ins")) == (["释放"], ["关押"])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_is_in_the_articles_language_and_direction(lang: str):
    dir_ = direction(lang, "")
    before, after = article("a b c", lang=lang), article("a b d", "e", lang=lang)
    page = changes_page(frame(lang), edition(1, before), edition(2, after), lang=lang, dir_=dir_)

    words = TABLE[lang]
    assert f'<html lang="{lang}" dir="{dir_}">' in page.decode()
    for word in (words.changes, words.was_changed, words.was_added, words.revision.format(rev=2)):
        assert word in Page(page).text


def test_an_article_in_a_language_without_words_of_its_own_keeps_its_direction():
    before, after = article("a b c"), article("a b d")
    page = changes_page(frame("he"), edition(1, before), edition(2, after), lang="he", dir_="rtl")

    assert '<p lang="he" dir="rtl">' in page.decode()


def noise(n: int, words: int) -> str:
    return " ".join(f"{(n * 7919 + k * 104729) ** 3 % 10**9:x}" for k in range(words))


def test_what_has_no_room_is_cut_to_what_was_changed_and_then_left_out():
    long = [noise(n, 90) for n in range(40)]
    edited = [f"{text[:400]} edited {text[400:]}" for text in long]
    other = [noise(n + 1000, 90) for n in range(80)]

    some = made(article(*long), article(*edited))
    none = made(article(*long), article(*other))

    assert some.count("<ins>") >= 40
    assert " … " in some
    assert TABLE["en"].too_long in none
    assert "<ins>" not in none


def test_parts_are_compared_as_one_text():
    long = [noise(n, 90) for n in range(60)]
    before, after = article(*long), article(*long[:-1], f"{long[-1]} and this")
    assert len(edition(1, before).pages) > 1

    assert marked(made(before, after), "ins") == [" and this"]


@pytest.mark.parametrize("left", [0, 1])
def test_what_is_not_all_there_is_said_to_be_read_elsewhere(left: int):
    whole = edition(1, article(*(noise(n, 90) for n in range(60))))
    for broken in (replace(whole, pages=whole.pages[:left]), replace(whole, pages=[b"\xff"])):
        page = changes_page(frame(), broken, edition(2, article("b")), lang="en", dir_="ltr")

        assert TABLE["en"].too_long in page.decode()


def test_no_words_act_on_the_page():
    evil = "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;/ins&gt; &lt;/p&gt;"

    page = made(article("old text"), article(evil, f"old {evil} text", title="<b> & </h2>"))

    assert "<script" not in page
    assert "&lt;script&gt;" in page


@given(WORDS, WORDS)
def test_both_sides_are_read_back_from_what_was_found(old: list[str], new: list[str]):
    spans = compared(old, new)

    assert [word for span in spans for word in span.old] == old
    assert [word for span in spans for word in span.new] == new
    assert all(list(span.old) == list(span.new) for span in spans if span.same)
    turns = [span.same for span in spans]
    assert all(one != other for one, other in itertools.pairwise(turns))


@settings(max_examples=50)
@given(st.lists(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=6), max_size=8))
def test_an_edit_is_never_shown_as_another(texts: list[list[str]]):
    before = [f"{''.join(text)} and {n}" for n, text in enumerate(texts)]
    after = [line.replace("a", "x y") for line in before[1:]]

    page = made(article("same", *before), article("same", *after))

    shown = re.sub(r"<ins>.*?</ins>", "", page) if before else page
    for line in set(before) - set(after):
        assert line in re.sub("<[^>]*>", "", shown)


def _counted(end: int, step: int) -> str:
    return " ".join(map(str, range(1, end, step)))


def hostile() -> dict[str, tuple[Sequence[str], Sequence[str]]]:
    alike = ["x y"] * 20_000
    return {
        "all alike": (alike, [*alike[:-1], "z"]),
        "half alike": (["x"] * 20_000, ["x", "y"] * 10_000),
        "reversed": ([str(n) for n in range(5000)], [str(n) for n in reversed(range(5000))]),
        "one long": ([" ".join(["x"] * 40_000)], [" ".join(["x", "y"] * 20_000)]),
        "once each": ([_counted(20_000, 1)], [_counted(40_000, 2)]),
    }


@pytest.mark.parametrize("name", hostile())
def test_no_text_takes_long_to_compare(name: str):
    old, new = hostile()[name]
    sides = [edition(rev, article("x")) for rev in (1, 2)]
    pages = [
        side.pages[0].replace(b"<p>x</p>", "\n".join(f"<p>{line}</p>" for line in lines).encode())
        for side, lines in zip(sides, (old, new), strict=True)
    ]
    editions = [replace(side, pages=[page]) for side, page in zip(sides, pages, strict=True)]

    with within(3):
        page = changes_page(frame(), *editions, lang="en", dir_="ltr")

    assert len(gzip.compress(page, 9)) <= MAX_PART_BYTES
