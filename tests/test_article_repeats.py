"""Paragraphs that many articles of a site share are no article's own."""

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest

from mirror.article.article import Article
from mirror.article.entry import Entry
from mirror.article.extraction.extract import read_page
from mirror.article.repeats import prints, without
from mirror.article.text import visible_text

LETTER = "Please give what you can, every month, so that we can go on writing."
OWN = "<p>The ferry has not run since Tuesday, and the shop has sold its last bread. </p>" * 5
ARTICLE = Article("", "T", (), "", "en", "ltr", (), partial=False)


def article(*blocks: str) -> Article:
    return replace(ARTICLE, blocks=blocks)


def printed(*blocks: str) -> set[bytes]:
    return set(prints(article(*blocks)))


def texts(made: Article) -> list[str]:
    return [visible_text(block) for block in made.blocks]


def ledger(articles: Collection[Article]) -> set[bytes]:
    seen = Counter(each for made in articles for each in set(prints(made)) if each)
    return {each for each, count in seen.items() if count >= 3}


def test_a_print_tells_letters_and_nothing_else():
    one, two, other = prints(
        article(f"<p>{LETTER}</p>", f"<h2><em>{LETTER.upper()}</em>!</h2>", "<p>Something else</p>")
    )

    assert one == two != other
    assert len(one) == 8


def test_pictures_tables_code_and_rules_have_no_print():
    blocks = (f"<table>{LETTER}</table>", f"<pre>{LETTER}</pre>", "<hr>", "<p>…</p>", "<figure>x")

    assert prints(article(*blocks)) == (b"",) * 5


def test_what_is_repeated_goes_and_the_rest_stays_as_it_was():
    made = article(OWN, f"<ul><li>{LETTER}</li></ul>", "<hr>", OWN)

    assert without(made, printed(f"<p>{LETTER}</p>"), own="") == (article(OWN, "<hr>", OWN), False)
    assert without(made, (), own="") == (made, False)


def test_what_the_feed_s_own_body_holds_is_the_article_s():
    made = article(OWN, f"<p>{LETTER}</p>")

    own = f"<div>Before. <b>{LETTER[:20]}</b>{LETTER[20:]} After.</div>"
    assert without(made, printed(f"<p>{LETTER}</p>"), own=own) == (made, False)


def test_a_short_block_goes_only_beside_one_that_goes():
    repeated = printed(f"<p>{LETTER}</p>", "<p>Once</p>", "<p>Dear readers,</p>", "<p>Give</p>")
    letter = ("<p>Dear readers,</p>", f"<p>{LETTER}</p>", "<p>Once</p>", "<p>Give</p>")
    made = article("<p>Give</p>", OWN, *letter, OWN, "<p>Once</p>")

    assert without(made, repeated, own="")[0].blocks == ("<p>Give</p>", OWN, OWN, "<p>Once</p>")
    assert without(made, repeated, own="Once")[0].blocks[2:-2] == ("<p>Once</p>", "<p>Give</p>")


@pytest.mark.parametrize(
    "blocks",
    [(f"<p>{'The ferry ran. ' * 12}</p>", f"<p>{LETTER}</p>"), (OWN, f"<p>{LETTER * 9}</p>")],
    ids=["less than 200 characters would be left", "more than half would go"],
)
def test_where_too_much_is_repeated_all_stays_and_that_is_said(blocks: tuple[str, str]):
    made = article(*blocks)

    assert without(made, printed(blocks[1]), own="") == (made, True)


def page(number: int, lines: Collection[str]) -> bytes:
    """Return a page whose letter from the newsroom stands in its text, under no telling name."""
    text = "".join(
        f"<p>Sentence {row} of story {number} tells what happened on that day in the harbour, "
        f"and what the council of {number} said of it.</p>"
        for row in range(30)
    )
    letter = "".join(f"<p>{escape(line)}</p>" for line in lines)
    half = len(text) // 2 + text[len(text) // 2 :].index("<p>")
    body = f"{text[:half]}{letter}{text[half:]}"
    return f"<html><body><article><h1>Story {number}</h1>{body}</article></body></html>".encode()


def read(body: bytes, number: int) -> Article:
    entry = Entry("", f"https://h.example/{number}", f"Story {number}", (), "", "", False, "")
    return read_page(body, entry=entry, url=entry.link, content_type="", lang="en").article


def test_a_letter_in_three_articles_is_in_none_of_them():
    lines = ("A letter from us", LETTER, "Thank you.", f"{LETTER} Even a little helps.")
    leaking = [read(page(number, lines), number) for number in range(3)]
    assert all(LETTER in texts(made) for made in leaking)

    clean = [without(made, ledger(leaking), own="")[0] for made in leaking]

    for made in clean:
        assert len(made.blocks) == 30
        assert not set(texts(made)) & set(lines)


def test_the_seed_s_letter_goes_without_any_rule(shared_data: Path):
    truth = json.loads((shared_data / "seed" / "ground_truth.json").read_text())
    leaking = [read(page(number, truth["boiler"]), number) for number in range(3)]
    assert all(set(texts(made)) & set(truth["boiler"]) for made in leaking)

    clean = [without(made, ledger(leaking), own="") for made in leaking]

    for made, refused in clean:
        assert not refused
        assert len(made.blocks) == 30
        assert not set(texts(made)) & set(truth["boiler"])
