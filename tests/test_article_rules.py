"""What an operator's rules find on a page, and which rules are refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.article.cleaning.clean import parse_page
from mirror.article.entry import Entry
from mirror.article.extraction.extract import Told, read_page
from mirror.article.extraction.selectors import MAX_STEPS, compiled, select
from mirror.article.extraction.siterules import SiteRules, check_rules
from mirror.article.text import visible_text
from mirror.errors import FormatError
from mirror.settings import Settings
from tests.cost import within

URL = "https://www.harbour.example/2026/11/16/no-ferry-a101"
BARE = Entry("", URL, "", (), "", "", full=False, lang="")
EXAMPLE = Path(__file__).parents[1] / "config" / "mirror.toml"


def shipped() -> SiteRules:
    """Return the rules in the settings file that everybody gets, be they in use or only shown."""
    shown = re.sub(r"(?m)^#(?=\S)", "", EXAMPLE.read_text())
    [site] = Settings.parse(shown.encode(), EXAMPLE).sites
    assert site.host == "themoscowtimes.com"
    return site.rules


RULES = replace(shipped(), host="harbour.example")
FIGURE = re.compile(
    r'<figure .*?href="([^"]*)"(?: title="[^"]*")?>Photo</a><figcaption>'
    r'<span itemprop="caption">(.*?)</span> '
    r'<span class="credit" itemprop="creditText">(.*?)</span></figcaption></figure>'
)
PARAGRAPHS = [
    "The ferry has not run since Tuesday, and the shop in the harbour has sold its last bread.",
    "“We have flour for two days,” its keeper said. “After that we will see who has potatoes.",
    "The council has asked for a helicopter, and was refused twice because of the wind.",
]
PAGE = f"""<html lang="en"><head><title>No ferry - The Harbour</title></head><body>
<div class="contribute-modal"><p>Give what you can, every month, so that we can go on.</p></div>
<article class="article"><header class="article__header"><h1><a href="/x">No ferry</a></h1></header>
<div class="byline"><a class="byline__author__name">Anna Reporter</a><a
class="byline__author__name">Jo Writer</a><time class="byline__datetime timeago"
datetime="2026-11-16T01:30:00+03:00">Nov. 16</time></div>
<figure class="article__featured-image"><img src="/ferry.jpg"><figcaption>
<span class="article__featured-image__caption">The <i>ferry</i> on Tuesday.</span>
<span class="article__featured-image__credits"> Anna / H</span></figcaption></figure>
<div class="article__content"><div class="article__block"><p>{PARAGRAPHS[0]}</p>
<p>{PARAGRAPHS[1]}</p><aside><p>Most read today</p></aside></div>
<div class="contribute-banner"><h4>A letter from us</h4><p>We need your help to go on.</p></div>
<div class="article__block"><p>{PARAGRAPHS[2]}</p></div></div>
<div class="article__tags">Read more about: <a>Ferries</a>, <a>Ice</a></div></article></body></html>
"""


def told(page: str, rules: SiteRules | None = RULES, entry: Entry = BARE) -> Told:
    body = page.encode()
    return read_page(body, entry=entry, url=URL, content_type="", lang="", rules=rules)


def chosen(selector: str, page: str) -> list[str]:
    root = parse_page(page)
    assert root is not None
    return [each.get("id", "") for each in select(root, {"it": compiled(selector)})["it"]]


def test_rules_give_the_text_of_a_page_and_nothing_around_it():
    found = told(PAGE)

    article = found.article
    assert [visible_text(block) for block in article.blocks[1:]] == PARAGRAPHS
    assert FIGURE.fullmatch(article.blocks[0])[2] == "The <em>ferry</em> on Tuesday."
    assert FIGURE.fullmatch(article.blocks[0])[3] == "Anna / H"
    assert article.title == "No ferry"
    assert article.authors == ("Anna Reporter", "Jo Writer")
    assert (article.published, article.stated) == ("2026-11-15T22:30:00Z", "2026-11-15")
    assert article.tags == ("Ferries", "Ice")
    assert found.alert == ""


def test_what_rules_find_goes_before_the_feed_and_the_page():
    head = '<meta property="og:title" content="P"><meta name="author" content="P">'
    entry = replace(BARE, title="F", authors=("F",), published="2026-11-11T00:00:00Z", tags=("F",))
    less = SiteRules("harbour.example", text=RULES.text, remove=RULES.remove, title=".none")

    ruled = told(PAGE.replace("<title>", f"{head}<title>"), entry=entry).article
    fed = told(PAGE, less, entry).article

    assert (ruled.title, ruled.authors[0]) == ("No ferry", "Anna Reporter")
    assert (ruled.published, ruled.tags[0]) == ("2026-11-15T22:30:00Z", "Ferries")
    assert (fed.title, fed.authors, fed.published) == ("F", ("F",), "2026-11-11T00:00:00Z")


def test_rules_that_find_no_text_are_told_and_the_page_is_read_without():
    changed = PAGE.replace("article__content", "text-2027")
    text = [visible_text(block) for block in told(changed).article.blocks]

    assert text[-1] == PARAGRAPHS[-1]
    assert told(changed).alert == (
        f"the rules for harbour.example find no text on {URL}: look whether the site changed"
    )
    assert told(changed, replace(RULES, text="")).alert == ""


def test_an_element_that_is_emptied_hides_its_text_and_not_what_follows():
    page = PAGE.replace("<aside>", "<aside class=contribute>").replace("</aside>", "</aside>After.")

    text = [visible_text(block) for block in told(page).article.blocks]

    assert text[1:] == [*PARAGRAPHS[:2], "After.", PARAGRAPHS[2]]


def test_selected_elements_keep_what_they_are_and_none_comes_twice():
    rules = replace(RULES, text="article, .article p, .article h4, .article ul", remove=())
    page = f"<article class=article><h4>Why</h4><p>{'a b ' * 60}</p><ul><li>c</ul></article>tail"

    inner = told(page, replace(rules, text=rules.text.removeprefix("article, "))).article

    kinds = [block[:3] for block in inner.blocks]
    assert kinds == ["<h2", "<p>", "<ul"]
    assert told(page, rules).article.blocks == inner.blocks


def test_a_block_that_only_repeats_the_title_is_left_out():
    article = told(PAGE, replace(RULES, text="article")).article

    assert not any("No ferry" in block for block in article.blocks)


def test_a_caption_beside_the_lead_picture_belongs_to_it():
    lead = (
        '<div class="pic"><img src="/p.jpg"></div><p class="cap">Ice. <b class="by">A / H</b></p>'
    )
    rules = replace(RULES, figure=".pic", caption=".cap", credit=".by")
    page = PAGE.replace('<div class="article__content">', f'{lead}<div class="article__content">')

    first, *rest = told(page, rules).article.blocks

    match = FIGURE.fullmatch(first)
    assert match
    assert match.groups() == ("https://www.harbour.example/p.jpg", "Ice.", "A / H")
    assert not any("A / H" in block for block in rest)


def test_pictures_inside_the_text_stay_where_they_are():
    inside = (
        '<div class="image"><img src="/q.jpg"><span class="c">A boat.<i class="k">Jo</i></span>'
        "</div>"
    )
    rules = replace(RULES, figure=".image", caption=".c", credit=".k")
    page = PAGE.replace(f"<p>{PARAGRAPHS[1]}", f"{inside}<p>{PARAGRAPHS[1]}")

    blocks = told(page, rules).article.blocks

    match = FIGURE.fullmatch(blocks[1])
    assert match
    assert match.groups() == ("https://www.harbour.example/q.jpg", "A boat.", "Jo")
    assert sum("/q.jpg" in block for block in blocks) == 1


@pytest.mark.parametrize(
    ("selector", "ids"),
    [
        ("p", "abcd"),
        ("div p", "bcd"),
        ("div > p", "bd"),
        ("p + p", ""),
        ("section ~ p", "d"),
        ("section + p", "d"),
        (".x.y, #a", "ac"),
        ("p:not(.x)", "abd"),
        ("p[lang|=en]", "b"),
        ("[class~=y]", "c"),
        ('p[id="d"]', "d"),
        ("p[lang$=GB], p[lang^=fr], p[class*=' ']", "bc"),
        ("p:first-child", "bc"),
        ("section :last-child", "c"),
        ("P.X", ""),
        ("* > div > *", "bd"),
    ],
)
def test_a_selector_means_what_css_says(selector: str, ids: str):
    page = (
        "<body><i>1</i><p id=a>a</p><div><p id=b lang=en-GB>b</p><section><p id=c class='x y'>c</p>"
        "</section><p id=d>d</p></div></body>"
    )

    assert "".join(chosen(selector, page)) == ids


@pytest.mark.parametrize(
    "wrong",
    [
        SiteRules("h", text="div >"),
        SiteRules("h", text="p:contains('x')"),
        SiteRules("h", text="p:nth-child(2)"),
        SiteRules("h", text="p::before"),
        SiteRules("h", text="svg|p"),
        SiteRules("h", text=":not(" * 90),
        SiteRules("h", title="p:hover"),
        SiteRules("h", remove=("p", "")),
        SiteRules("h", text="p " * 300),
        SiteRules("h", remove=("p",) * (MAX_STEPS + 1)),
        SiteRules("h", number="a("),
        SiteRules("h", number="a[0-9]+"),
        SiteRules("h", number="(a)([0-9]+)"),
    ],
)
def test_rules_that_no_page_can_be_read_by_are_refused(wrong: SiteRules):
    with pytest.raises(FormatError, match=r"^(selectors?|number): "):
        check_rules(wrong)


def test_good_rules_are_good():
    check_rules(RULES)
    check_rules(SiteRules("harbour.example"))


@pytest.mark.parametrize(
    "page",
    ["<p class=a>x" * 29_900, ("<div class=a>" * 100 + "x" + "</div>" * 100) * 149],
    ids=["wide", "deep"],
)
def test_no_page_makes_a_selector_slow(page: str):
    with within(8):  # as XPath, minutes for each
        for selector in (".a .a .a .a", ".a + .a + .a", ".a ~ .a ~ .a", ":not(.b) :not(.b)"):
            chosen(selector, page)


def test_elements_that_a_rule_finds_in_each_other_are_not_read_again_and_again():
    every = ".a"
    fields = (every, (".b",), every, every, every, every, ".f", every, every)
    rules = SiteRules("h", *fields)
    nested = '<div class="a f">' * 100 + "<img src=/x>" + "y" * 2000 + "</div>" * 100

    with within(8), pytest.raises(FormatError, match="no article text"):
        told(nested * 100, rules)


@settings(max_examples=50)
@given(st.lists(st.sampled_from(re.findall("<[^>]*>|[^<]+", PAGE)), max_size=40))
def test_whatever_a_page_holds_rules_give_an_article_or_a_format_error(pieces: list[str]):
    try:
        article = told("".join(pieces)).article
    except FormatError:
        return

    assert all(block.startswith("<") for block in article.blocks)


def test_the_seed_is_complete_by_rules_too(shared_data: Path):
    truth = json.loads((shared_data / "seed" / "ground_truth.json").read_text())
    page = (shared_data / "seed" / "page_reconstructed.html").read_text()

    found = told(page)

    article = found.article
    text = [visible_text(block) for block in article.blocks]
    figure = FIGURE.fullmatch(article.blocks[0])
    assert text[1:] == truth["body"]
    assert article.title == truth["title"]
    assert article.published == "2021-04-16T06:00:00Z"
    assert article.stated == "2021-04-16"
    assert article.tags == ("Afghanistan", "United States")
    assert figure
    assert f"{figure[2]} {figure[3]}" == truth["caption"]
    assert figure[3] == "U.S. Army / Flickr"
    assert not [line for line in truth["boiler"] if any(line in block for block in text)]
    assert found.alert == ""


def test_the_number_of_an_article_survives_a_change_of_its_slug():
    for path in ("/2021/04/16/x-a73622", "/articles/an-old-slug-73622", "/2021/new-slug-a73622/"):
        assert re.search(RULES.number, path)[1] == "73622"
