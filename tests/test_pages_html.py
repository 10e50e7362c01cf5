"""Pages for people: in every language complete, harmless, small, and the same from the same."""

import gzip
from dataclasses import fields, replace

import pytest
from fakes import NOW, keys, root
from pages_rules import EVIL, LANGUAGES, Page, frame, story

from mirror.article.strings import _TABLE
from mirror.formats import minisig, sshsig
from mirror.formats.index import Item, Mirror, VoidItem
from mirror.formats.record import Void
from mirror.pages.aliases import alias_page
from mirror.pages.archive import Archive, Line
from mirror.pages.check import check_page, fingerprint
from mirror.pages.front import front_page
from mirror.pages.gone import gone_page
from mirror.pages.mirrors import mirrors_page
from mirror.pages.story import Told, read_page
from mirror.pages.words import TABLE, words

MIRRORS = (
    Mirror("https://one.example/", "https", NOW),
    Mirror("http://abc.onion/", "onion", NOW, ("RU", "BY")),
    Mirror("ipns://k51abc", "ipns", NOW),
)
LONG = {
    "ru": "Суд в порту отпустил учителя, задержанного из-за школьного спектакля: версия {}",
    "fa": "دادگاه معلمی را که به‌خاطر نمایش مدرسه بازداشت شده بود آزاد کرد، روایت {}",
}
TELLS = {
    "ru": "Прежде чем вынести решение номер {}, судья прочитала пьесу целиком. На это ушёл вечер, "
    "сказала она журналистам после заседания, и дважды она рассмеялась в голос, чего с ней обычно "
    "не бывает.",
    "fa": "قاضی پیش از صدور رأی شماره {} همه نمایشنامه را خواند. او پس از جلسه به خبرنگاران گفت که "
    "این کار یک شب وقت برد و دو بار با صدای بلند خندید، کاری که معمولاً از او سر نمی‌زند.",
}


def archive(lang: str = "en", *, title: str = "Story", count: int = 70) -> dict[str, bytes]:
    def lines(start: int, end: int) -> list[Line]:
        return [line(n, title) for n in range(start, min(end, count))]

    return Archive(frame(lang), lines, count, 0).files(range(count))


def line(n: int, title: str) -> Line:
    one = story(n)
    if n % 10 == 3:
        return Line(VoidItem(one.short, n, 1, n, "legal"), one.first)
    shown = one.time, 9, bytes(32), f"{title} {n}", "en", "ltr"
    return Line(Item(one.short, n, 1, n, *shown), one.first)


def pages(lang: str = "en", text: str = "Plain") -> dict[str, bytes]:
    """Return one of each page, with `text` wherever a newsroom's words can stand."""
    shared = frame(lang, newsroom=text)
    shared = replace(shared, masthead=replace(shared.masthead, home=f"https://h.example/{text}"))
    stories = [story(n, title=text, summary=text, lang=lang) for n in range(30)]
    mirrors = [replace(each, url=each.url + text) for each in MIRRORS]
    item = line(1, text).item
    return {
        "front": front_page(shared, stories, issued=NOW, count=412),
        "mirrors": mirrors_page(shared, mirrors),
        "no mirrors": mirrors_page(shared, ()),
        "check": check_page(shared, root(keys())),
        "alias": alias_page(shared, item),
        "void alias": alias_page(shared, line(3, text).item),
        "gone": gone_page(shared, Void(bytes(32), 0, 1, NOW, NOW, "legal", 0), top="../"),
        **archive(lang, title=text),
    }


@pytest.mark.parametrize("lang", [*LANGUAGES, "fr", ""])
def test_every_page_is_well_formed_harmless_and_in_its_readers_language(lang: str):
    for name, data in pages(lang).items():
        page = Page(data)

        assert (name, page.flaws) == (name, [])
        assert "{" not in page.text, name
        shown = lang if lang in LANGUAGES else "en"
        dir_ = "rtl" if lang in ("fa", "ar") else "ltr"
        assert page.html.startswith(f'<!doctype html><html lang="{shown}" dir="{dir_}">')
        assert [link.rpartition("/")[2] for link in page.links[:2]] == ["feed.xml", "feed.json"]
        assert page.links[2] == "about:blank"
        assert page.html.index("about:blank") < page.html.index("index.html")


def test_what_a_newsroom_or_a_mirror_writes_stays_text():
    for name, data in pages(text=EVIL).items():
        page = Page(data)

        assert (name, page.flaws) == (name, [])
        assert not any("<" in link or '"x"' in link for link in page.links if ":" not in link)
        assert "<script" not in page.html


def test_pages_depend_on_their_arguments_alone():
    assert pages("ru") == pages("ru")


def test_an_address_that_no_browser_opens_is_no_link():
    hostile = Mirror("javascript:alert(1)", "https", NOW)

    page = Page(mirrors_page(frame(), (*MIRRORS, hostile)))

    assert "https://one.example/" in page.links
    assert not any(link.startswith(("ipns:", "javascript:")) for link in page.links)
    assert "ipns://k51abc" in page.text
    assert "RU, BY" in page.text


def test_what_an_address_ends_in_does_not_turn_round():
    for lang in ("fa", "ar"):
        assert '<bdi dir="ltr">.onion</bdi>' in Page(mirrors_page(frame(lang), ())).html


def test_a_list_of_no_mirrors_says_so():
    assert words("en").mirrors_none in Page(mirrors_page(frame(), ())).text


def test_the_front_page_shows_titles_dates_and_the_first_sentences_of_the_first():
    stories = [story(n, lang="fa" if n == 4 else "en") for n in (5, 4, 3, 2)]

    page = Page(front_page(frame(), stories, issued=NOW, count=6))

    assert page.text.index("Story 5") < page.text.index("Story 4") < page.text.index("Story 2")
    assert "Summary 3." in page.text
    assert "Summary 2." not in page.text
    assert '<li lang="fa" dir="rtl">' in page.html
    assert '<bdi dir="ltr"><time>2026-11-18</time></bdi>' in page.html
    assert {"archive/index.html", "mirrors.html", "check.html", "feed.xml"} <= set(page.links)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_page_has_one_heading_above_the_others_and_one_landmark_of_links(lang: str):
    for name, data in pages(lang).items():
        html = data.decode()

        tops = html.count("<h1") + html.count('role="heading" aria-level="1"')
        assert tops == (0 if "alias" in name else 1), name
        assert html.count("<nav") - html.count('<nav role="none"') == 1, name
        assert "@media print{nav{display:none}}" in html


def test_a_front_page_without_articles_is_a_page():
    assert Page(front_page(frame(), [], issued=NOW, count=0)).flaws == []


@pytest.mark.parametrize("lang", ["ru", "fa"])
def test_a_front_page_of_long_titles_passes_where_connections_freeze(lang: str):
    stories = [
        story(n, title=LONG[lang].format(n), summary=TELLS[lang].format(n), lang=lang)
        for n in range(30)
    ]

    data = front_page(frame(lang), stories, issued=NOW, count=412)

    assert len(gzip.compress(data, 9)) <= 6_000
    for page in archive(lang, title=LONG[lang]).values():
        assert len(gzip.compress(page, 9)) <= 9_000
    assert all(len(gzip.compress(page, 9)) <= 6_000 for page in pages(lang).values())


def test_the_check_page_has_the_keys_in_full_and_a_command_for_each_tool():
    trusted = root(keys())

    page = Page(check_page(frame(), trusted))

    for key in (minisig.public_line(trusted.minisign), sshsig.public_line(trusted.ssh)):
        assert key in page.text
    assert fingerprint(trusted.ssh) in page.text
    assert str(trusted.open.log) in page.text
    for tool in ("mirror verify", "minisign -V", "signify-openbsd -V", "ssh-keygen -Y verify"):
        assert tool in page.text
    assert {"trust/1.root.json", "trust/minisign.pub", "trust/log.vkey"} <= set(page.links)
    assert words("en").no_voucher in page.text


def test_every_language_has_every_word_and_fills_every_sentence():
    assert set(TABLE) == set(LANGUAGES) == set(_TABLE)
    holes = {"as_of": "time", "articles": "count", "since": "date", "blocked": "countries"}
    holes |= {"how": "file", "mirrors_how": "onion", "revision": "rev"}
    for lang, table in ((each, TABLE[each]) for each in LANGUAGES):
        for field in fields(table):
            text = getattr(table, field.name)
            hole = holes.get(field.name)
            assert text.strip() == text != "", (lang, field.name)
            assert "7" in text.format(**{hole: 7}) if hole else "{" not in text
            english = getattr(TABLE["en"], field.name)
            assert lang == "en" or text != english, (lang, field.name)
        assert Page(check_page(frame(lang), root(keys()))).text.count("1.html") >= 6
        # What the page calls the link is what it says of it.
        assert _TABLE[lang].leave in table.phone, lang


def test_the_dates_of_a_page_never_turn_round():
    html = "".join(data.decode() for data in pages("ar").values())

    alone = html.count('<bdi dir="ltr"><time>2026-11-')
    assert html.count("<time") == alone + html.count('Z"><bdi dir="ltr">2026-11-') > 30


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"\xff\xfe",
        b"<html>a block page</html>",
        b'<div itemprop="articleBody">\n<p>cut',
        b'<div itemprop="articleBody"><p>another template</p></div>',
    ],
)
def test_a_page_that_no_template_of_ours_made_is_not_read(page: bytes):
    assert read_page(page) is None


def test_a_page_is_read_between_its_two_lines():
    page = (
        b'<p class="by"><span itemprop="author">A &amp; B</span></p>'
        b'<div itemprop="articleBody">\n<figure><a>x</a></figure>\n<p>One <em>word</em>.</p>\n'
        b'<p>Two.</p>\n</div><nav></nav><a itemprop="url" href="https://h.example/?a&amp;b">'
    )

    text = read_page(page)

    assert text is not None
    assert text.told == Told("One word.", "https://h.example/?a&b", ("A & B",))
    assert text.body.endswith("<p>Two.</p>")
    assert text.parts == 1
