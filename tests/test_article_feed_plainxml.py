"""Feeds in a newsroom's own XML, read by the operator's map of fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.article.entry import Entry, Feed
from mirror.article.feeds.feed import parse_feed
from mirror.article.feeds.fields import Fields, Reading
from mirror.errors import FormatError
from tests.cost import within
from tests.feed_zones import MOSCOW

URL = "https://h.example/partner.xml"
FIELDS = Fields(
    entry="item",
    link="link",
    guid="id",
    title="title",
    html="text",
    authors="authors/author",
    published="pubDate",
    tags="tag@name",
    picture="media/image@url",
)
READING = Reading(fields=FIELDS, lang="ru", zone=MOSCOW)
TEXT = "<p>Паром не пришёл, и хлеба тоже не было.</p>" * 20
PARTNER = f"""<?xml version="1.0" encoding="utf-8"?>
<!-- for partners --><articles xmlns:m="urn:harbour"><item>
<id>101</id><link>/news/101?a=1&b=2</link><title>Паром&nbsp;&laquo;Заря&raquo; &amp; хлеб</title>
<lead>Коротко</lead><text><![CDATA[{TEXT}]]></text><pubDate>22.11.2026 10:30</pubDate>
<authors><author>Анна Репортёр</author><author> Иван </author></authors>
<m:tag m:name="море"/><m:tag m:name="лёд"/><media><image/><image url="/wide.jpg"/></media>
</item></articles>"""


def read(body: str | bytes, reading: Reading = READING, content_type: str = "") -> Feed:
    body = body.encode() if isinstance(body, str) else body
    return parse_feed(body, url=URL, content_type=content_type, reading=reading)


def item(inside: str, **fields: str) -> Entry:
    reading = Reading(fields=Fields(entry="item", **fields))
    [entry] = read(f"<a><item>{inside}</item></a>", reading).entries
    return entry


def test_every_field_of_a_partners_feed_is_read():
    [entry] = read(PARTNER).entries

    assert entry == Entry(
        guid="101",
        link="https://h.example/news/101?a=1&b=2",
        title="Паром\xa0«Заря» & хлеб",
        authors=("Анна Репортёр", "Иван"),
        published="2026-11-22T07:30:00Z",
        html=TEXT,
        full=True,
        lang="ru",
        tags=("море", "лёд"),
        picture="https://h.example/wide.jpg",
    )


@pytest.mark.parametrize("declared", ["windows-1251", "koi8-r", "utf-16"])
def test_an_old_charset_is_read_as_declared(declared: str):
    body = PARTNER.replace("utf-8", declared).encode(declared, "xmlcharrefreplace")

    assert read(body).entries == read(PARTNER).entries


def test_prefixes_of_namespaces_do_not_matter():
    entry = item(
        '<x:head xmlns:x="urn:x" x:id="7"><x:title>One</x:title></x:head>',
        guid="h:head@id",
        title="head/title",
    )

    assert (entry.guid, entry.title) == ("7", "One")


def test_an_attribute_of_the_entry_itself_is_a_field():
    [entry] = read('<a><item id="7"/></a>', Reading(fields=Fields("item", guid="@id"))).entries

    assert entry.guid == "7"


def test_an_entry_is_found_wherever_it_stands_and_the_first_of_several_texts_counts():
    body = "<a><b><c><item><id> </id><id>1</id><id>2</id></item></c></b><item><id>3</id></item></a>"

    assert [entry.guid for entry in read(body).entries] == ["1", "3"]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("&lt;p&gt;A &amp;amp; B&lt;/p&gt;", "<p>A &amp; B</p>"),
        ("<![CDATA[<p>A &amp; B</p>]]>", "<p>A &amp; B</p>"),
        ("<p>A &amp; B</p><br/><p/>", "<p>A &amp; B</p><br><p></p>"),
        ("A &lt; B\nC", "<p>A &lt; B</p><p>C</p>"),
        ("", ""),
    ],
)
def test_a_text_is_html_however_it_is_wrapped(text: str, html: str):
    assert item(f'<id>1</id><text type="a">{text}</text>', guid="id", html="text").html == html


def test_ampersands_that_xml_does_not_know_lose_no_text():
    title = "A & B &nbsp;&copy; &unknown; &amp; &#1103; C &#55357;&#56832;"

    assert item(f"<t>{title}</t>", title="t").title == "A & B \xa0© &unknown; & я C \U0001f600"
    assert item(f"<t>&amp;<![CDATA[{'&copy & x'}]]></t>", title="t").title == "&© & x"


def test_nested_entries_are_read_once():
    body = "<a>" + "<item><id>1</id>" * 100 + "</item>" * 100 + "</a>"

    assert len(read(body).entries) == 1


def test_a_feed_that_was_cut_is_read_as_far_as_it_goes():
    assert [e.guid for e in read("<a><item><id>1</id></item><item><id>2</i").entries] == ["1", "2"]


def test_an_entry_with_nothing_in_it_is_left_out():
    assert read("<a><item><x/></item><item><id>1</id></item></a>").entries[0].guid == "1"


def test_the_entrys_own_language_goes_before_the_operators_and_that_before_the_feeds():
    body = '<a xml:lang="en"><item xml:lang="be"><id>1</id></item><item><id>2</id></item></a>'

    assert [entry.lang for entry in read(body).entries] == ["be", "ru"]
    assert read(body, Reading(fields=FIELDS)).lang == "en"


def test_of_many_entries_the_first_are_kept():
    items = "".join(f"<item><id>{number}</id></item>" for number in range(40_000))

    assert [entry.guid for entry in read(f"<a>{items}</a>").entries] == [str(i) for i in range(500)]


LAUGHS = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a><item><id>&y;</id></item></a>'


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<a><article/></a>", "no <item> element"),
        ("<", "no <item> element"),
        ("item", "not XML"),
        ("{}", "a JSON document"),
        ("<html><item/></html>", "an HTML page"),
        (LAUGHS, "<!ENTITY"),
        (LAUGHS.encode("utf-16"), "<!ENTITY"),
        (f"<a>{'<item/>' * 200_000}</a>", "more than 200000 tags"),
        ("<a><item " + 'a="1" ' * 1_000_000 + "/></a>", "more than 250 attributes"),
        (f"<a><item><id>{'&' * 1_100_000}</id></item></a>", "more than 1000000 references"),
    ],
)
def test_what_has_no_entry_or_would_hurt_is_refused_with_the_reason(body: str | bytes, reason: str):
    with within(2), pytest.raises(FormatError, match=reason):
        read(body)


def test_a_document_type_elsewhere_is_not_fetched():
    body = '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a><item><id>1</id></item></a>'

    assert read(body).entries[0].guid == "1"


@pytest.mark.parametrize(
    "body",
    [
        "<a>" + "<item>" * 190_000,
        "<a>" + "<b>" * 190_000 + "<item/>",
        "<a><item>" + "<text>" * 50_000 + "x",
        "<a><item>" + "<tag name='1'/>" * 100_000,
        "<a><item><text>" + "<![CDATA[" * 150_000,
        "<a "
        + " ".join(f'xmlns:n{i}="{"u" * 2000}"' for i in range(240))
        + ">"
        + "<item><id>1</id><text><p/>x</text></item>" * 20_000,
    ],
    ids=["nested", "deep", "texts", "tags", "sections", "namespaces"],
)
def test_a_hostile_feed_takes_no_time(body: str):
    with within(4):
        try:
            assert len(read(body).entries) <= 500
        except FormatError as e:
            assert str(e).startswith("feed: ")


@given(st.binary(max_size=500) | st.text(max_size=300).map(lambda x: f"<a><item>{x}</item></a>"))
def test_whatever_comes_is_a_feed_or_a_format_error(body: str | bytes):
    try:
        feed = read(body)
    except FormatError:
        return
    assert all(entry.guid or entry.link or entry.title for entry in feed.entries)
