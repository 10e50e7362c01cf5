"""JSON Feed: what is read, and that no type in a wrong place ends a cycle."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.article.entry import Entry, Feed
from mirror.article.feeds.feed import parse_feed
from mirror.article.feeds.fields import AS_IT_SAYS, Reading
from mirror.errors import FormatError
from tests.cost import within
from tests.feed_zones import BERLIN

URL = "https://h.example/feed.json"
TEXT = "<p>The ferry did not come, and the bread did not either.</p>" * 20
KEYS = re.findall(
    r"\w+",
    "version title home_page_url next_url language authors author items id url content_html "
    "content_text summary date_published date_modified tags image banner_image name",
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["https://h.example/1", "\ud800", "2026-11-16", "ru"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=30,
)


def read(head: object, reading: Reading = AS_IT_SAYS) -> Feed:
    return parse(json.dumps(head).encode(), reading)


def parse(body: bytes, reading: Reading = AS_IT_SAYS) -> Feed:
    return parse_feed(body, url=URL, content_type="application/feed+json", reading=reading)


def item(reading: Reading = AS_IT_SAYS, **fields: object) -> Entry:
    [entry] = read({"items": [{"id": "1", **fields}]}, reading).entries
    return entry


def test_every_field_is_read():
    feed = read(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": "The Harbour &amp; sea",
            "home_page_url": "https://h.example/news/",
            "next_url": "/feed.json?page=2",
            "language": "en_gb",
            "items": [
                {
                    "id": "harbour-101",
                    "url": "ferry-101",
                    "title": "No ferry,\n no <bread>",
                    "content_html": TEXT,
                    "content_text": "The ferry",
                    "summary": "Short",
                    "date_published": "2026-11-16T08:30:00+02:00",
                    "date_modified": "2026-11-17T05:00:00Z",
                    "authors": [{"name": "Anna Reporter"}, {"name": "Jo Writer"}],
                    "tags": ["sea", "ice", "sea"],
                    "image": "/wide.jpg",
                    "banner_image": "/banner.jpg",
                }
            ],
        }
    )

    assert feed == Feed(
        title="The Harbour & sea",
        lang="en-GB",
        older="https://h.example/feed.json?page=2",
        entries=(
            Entry(
                guid="harbour-101",
                link="https://h.example/news/ferry-101",
                title="No ferry, no <bread>",
                authors=("Anna Reporter", "Jo Writer"),
                published="2026-11-16T06:30:00Z",
                html=TEXT,
                full=True,
                lang="en-GB",
                updated="2026-11-17T05:00:00Z",
                tags=("sea", "ice"),
                picture="https://h.example/wide.jpg",
            ),
        ),
    )


def test_the_author_of_version_1_is_read_and_a_feeds_authors_are_its_entries():
    feed = read(
        {
            "author": {"name": "The Harbour"},
            "items": [{"id": "1", "author": {"name": "Anna"}}, {"id": "2"}, {"id": "3"}],
        }
    )

    assert [entry.authors for entry in feed.entries] == [
        ("Anna",),
        ("The Harbour",),
        ("The Harbour",),
    ]


def test_an_id_may_be_a_number_however_long():
    assert item(id=101).guid == "101"
    assert item(id=1.5).guid == "1.5"
    assert parse(b'{"items": [{"id": %s}]}' % (b"9" * 900)).entries[0].guid == "9" * 900


def test_plain_text_becomes_escaped_paragraphs():
    assert item(content_text="One <b>.\nTwo.").html == "<p>One &lt;b&gt;.</p><p>Two.</p>"


def test_a_banner_stands_in_for_an_image_and_only_a_web_address_is_one():
    assert item(image="javascript:1", banner_image="https://h.example/b.jpg").picture == (
        "https://h.example/b.jpg"
    )


def test_zone_and_language_are_the_operators_where_the_feed_has_none():
    entry = item(Reading(lang="ru", zone=BERLIN), date_published="2026-11-16T06:30")

    assert (entry.published, entry.lang) == ("2026-11-16T05:30:00Z", "ru")
    assert item(Reading(lang="ru"), language="fa").lang == "fa"


def test_a_date_of_change_stands_in_for_that_of_publication():
    entry = item(date_modified="2026-11-16T06:30:00Z")

    assert (entry.published, entry.updated) == ("2026-11-16T06:30:00Z", "")


def test_a_byte_order_mark_space_and_line_breaks_in_strings_do_no_harm():
    [entry] = parse(b'\xef\xbb\xbf \n{"items": [{"id": "1", "title": "a\n\tb"}]}').entries

    assert entry.title == "a b"


def test_of_two_values_by_one_name_the_last_counts():
    [entry] = parse(b'{"items": [], "items": [{"id": "1", "id": "2"}]}').entries

    assert entry.guid == "2"


def test_what_has_neither_id_nor_address_nor_title_nor_text_is_left_out():
    feed = read({"items": [{}, None, 5, "x", [], {"summary": ""}, {"id": None, "url": 7.5}]})

    assert feed.entries == ()


def test_no_number_and_half_a_character_are_read_past():
    entry = parse(b'{"items": [{"id": NaN, "title": "a\\ud800b", "tags": [Infinity]}]}').entries[0]

    assert (entry.guid, entry.title, entry.tags) == ("", "ab", ())


def test_of_many_entries_the_first_are_kept():
    feed = read({"items": [{"id": number} for number in range(20_000)]})

    assert [entry.guid for entry in feed.entries] == [str(number) for number in range(500)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not JSON"),
        (b'{"items": [}', "not JSON"),
        (b'{"items": "\xff"}', "not JSON"),
        (b"{}", "no list of items"),
        (b'{"items": {}}', "no list of items"),
        (b"[1]", "a JSON document"),
        (b'{"items":' + b"[" * 90_000, "nested too deep"),
        (b'{"items":' + b'{"a":' * 90_000, "nested too deep"),
        (b'{"items": [' + b"[]," * 200_000 + b"[]]}", "more than 100000 objects and lists"),
        (b'{"items": [' + b"1," * 1_100_000 + b"1]}", "more than 1000000 values"),
        (b'{"items": [{"title": "' + b"<" * 300_000 + b'"}]}', "more than 200000 tags"),
        (b'{"items": [{"title": "' + b"&" * 1_100_000 + b'"}]}', "more than 1000000 references"),
    ],
)
def test_what_is_no_feed_or_would_hurt_is_refused_with_the_reason(body: bytes, reason: str):
    with within(2), pytest.raises(FormatError, match=reason):
        parse(body)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES) | st.fixed_dictionaries({"items": VALUES}))
def test_a_wrong_type_anywhere_is_no_crash(head: object):
    try:
        feed = read(head)
    except FormatError:
        return
    for entry in feed.entries:
        assert entry.guid or entry.link or entry.title
        assert json.dumps(entry.title, ensure_ascii=False).encode()
