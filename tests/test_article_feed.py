"""Feeds: what is read, what is refused, and what no field ever holds."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.article.entry import MAX_NAME_CHARS, MAX_TAGS
from mirror.article.feeds.cap import MAX_ENTRIES
from mirror.article.feeds.feed import MAX_FEED_BYTES, Entry, Feed, fingerprint, parse_feed
from mirror.article.text import plain, single_spaced, without_controls
from mirror.errors import FormatError

FEEDS = Path(__file__).parent / "data" / "feeds"
HOSTILE = Path(__file__).parent / "data" / "hostile"
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202d\u202e\ud800-\udfff]")
DATE = re.compile(r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?")
REFUSED_CAPTURES = {  # by their name; the reason is in the message
    "AmazonWebServicesBlogFirstEntryContent.xml",
    "ScriptingNews.json",
    "allthis-partial.json",
    "PaulDixExplainsNothingFirstEntryContent.xml",
    "TechCrunchFirstEntry.xml",
    "TechCrunchFirstEntryDescription.xml",
    "TenderLovemakingFirstEntry.xml",
    "illformed_rss_empty_document.xml",
    "unrecognized.rss",
}


def read(path: Path, content_type: str = "") -> Feed:
    return parse_feed(path.read_bytes(), url="https://h.example/feed", content_type=content_type)


def rss(*items: str, head: str = "") -> bytes:
    return (
        '<?xml version="1.0"?><rss version="2.0"><channel><title>T</title>'
        f"<link>https://h.example/</link>{head}{''.join(items)}</channel></rss>"
    ).encode()


def check_entry(entry: Entry) -> None:
    lines = (entry.guid, entry.link, entry.title, entry.lang, *entry.authors, *entry.tags)
    assert entry.guid or entry.link or entry.title
    assert DATE.fullmatch(entry.published)
    assert DATE.fullmatch(entry.updated)
    assert entry.updated != entry.published or not entry.updated
    for address in (entry.link, entry.picture):
        assert address == "" or address.startswith(("https://", "http://"))
    assert not any(UNSEEN.search(line) or "\n" in line for line in lines)
    assert len(entry.tags) <= MAX_TAGS
    assert max(map(len, entry.tags), default=0) <= MAX_NAME_CHARS
    assert "\x00" not in entry.html


def test_a_full_text_feed_gives_every_field():
    feed = read(FEEDS / "full_text.rss")

    [entry] = feed.entries
    assert (feed.title, feed.lang) == ("The Harbour", "en-GB")
    assert entry.guid == "harbour-101"
    assert entry.link == "https://harbour.example/news/ferry-101?utm_source=rss"
    assert entry.title == "No ferry, no bread"
    assert entry.authors == ("Anna Reporter", "Jo Writer")
    assert entry.published == "2026-11-16T06:30:00Z"
    assert entry.html.startswith("<p>The ferry")
    assert entry.full
    assert entry.lang == "en-GB"


def test_a_teaser_is_not_taken_for_the_text():
    feed = read(FEEDS / "teasers.rss")

    assert [entry.full for entry in feed.entries] == [False, False]


def test_titles_in_rss_lose_their_markup_and_relative_links_become_absolute():
    feed = read(FEEDS / "teasers.rss")

    assert feed.entries[0].title == "Ice & wind again"
    assert feed.entries[0].link == "https://harbour.example/news/ice-102"


def test_atom_titles_are_what_their_type_says():
    feed = read(FEEDS / "atom_relative_links.xml")

    assert feed.title == "Bandar <1>"
    assert [entry.title for entry in feed.entries] == ["A & B", "1 < 2 &amp; 3"]


def test_atom_links_follow_the_base_of_the_document():
    feed = read(FEEDS / "atom_relative_links.xml")

    assert [entry.link for entry in feed.entries] == [
        "https://bandar.example/blog/posts/1",
        "https://bandar.example/blog/posts/2",
    ]
    assert [entry.lang for entry in feed.entries] == ["fa", "fa"]
    assert [entry.published for entry in feed.entries] == [
        "2026-11-16T08:30:00Z",
        "2026-11-15T00:00:00Z",
    ]


def test_plain_text_content_becomes_escaped_paragraphs():
    feed = read(FEEDS / "atom_relative_links.xml")

    assert feed.entries[1].html == "<p>First.</p><p>Second &lt;script&gt;.</p>"


@pytest.mark.parametrize("name", ["windows_1251.rss", "declares_1251_but_is_utf8.rss", "utf16.rss"])
@pytest.mark.parametrize("content_type", ["", "application/rss+xml", "text/xml; charset=koi8-bad"])
def test_a_wrong_or_old_charset_is_read(name: str, content_type: str):
    feed = read(FEEDS / name, content_type)

    assert feed.title == "Гавань"
    assert feed.entries[0].title == "Паром не пришёл"


def test_rss_1_0_is_read():
    feed = read(FEEDS / "rdf_1.0.rdf")

    assert [entry.link for entry in feed.entries] == ["https://h.example/1"]
    assert feed.entries[0].published == "2026-11-16T06:30:00Z"


def test_an_entry_needs_a_guid_a_link_or_a_title_and_an_unreadable_date_is_undated():
    feed = read(FEEDS / "no_guid_no_date_no_link.rss")

    assert [entry.title for entry in feed.entries] == [
        "Only a title",
        "Only a text, which begins like this and goes on for a while so that it has to be cut for"
        " a title…",
    ]
    assert [entry.published for entry in feed.entries] == ["", ""]


def test_the_full_text_of_yandex_is_preferred_to_a_description():
    feed = read(FEEDS / "yandex_full_text.rss")

    assert feed.entries[0].html.startswith("<p>Пролив замёрз")
    assert feed.entries[0].full


def test_a_feed_that_was_cut_is_read_as_far_as_it_goes():
    feed = read(FEEDS / "cut_in_the_middle.rss")

    assert feed.entries[0].title == "Ice & wind again"


def test_a_feed_with_no_entry_is_a_feed():
    assert parse_feed(rss(), url="https://h.example/feed", content_type="").entries == ()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("html_instead_of_feed.html", "an HTML page, not a feed"),
        ("json_instead_of_feed.json", "a JSON document"),
        ("not_xml.txt", "not XML"),
        ("empty.rss", "empty"),
        ("only_space.rss", "empty"),
        ("no_feed_element.xml", "no RSS or Atom element"),
        ("entity_bomb.rss", "<!ENTITY"),
        ("entity_bomb_in_utf16.rss", "<!ENTITY"),
        ("entity_bomb_in_utf7.rss", "<!ENTITY"),
    ],
)
def test_what_is_no_feed_is_refused_with_the_reason(name: str, reason: str):
    with pytest.raises(FormatError, match=reason):
        read(HOSTILE / name)


def test_a_feed_over_the_cap_is_refused_before_it_is_parsed():
    with pytest.raises(FormatError, match="more than 8388608 bytes"):
        parse_feed(b"<rss>" + b" " * MAX_FEED_BYTES, url="", content_type="")


def test_of_many_entries_the_first_are_kept():
    items = [f"<item><title>{number}</title></item>" for number in range(20_000)]

    feed = parse_feed(rss(*items), url="https://h.example/feed", content_type="")

    assert [entry.title for entry in feed.entries] == [str(i) for i in range(MAX_ENTRIES)]


def test_too_many_tags_are_refused():
    with pytest.raises(FormatError, match="more than 200000 tags"):
        parse_feed(rss("<a/>" * 200_000), url="https://h.example/feed", content_type="")


def test_too_many_attributes_are_refused():
    crowd = " ".join(f'a{number}="1"' for number in range(20_000))

    with pytest.raises(FormatError, match="more than 250 attributes"):
        parse_feed(rss(f"<item {crowd}></item>"), url="https://h.example/feed", content_type="")


def test_markup_and_controls_reach_no_field():
    feed = read(HOSTILE / "markup_and_controls_in_every_field.rss")

    [entry] = feed.entries
    check_entry(entry)
    assert feed.lang == ""
    assert entry.link == ""
    assert entry.guid == "ab<c>"
    assert entry.title == "Sale gpj.exe…"  # U+0085 is an ellipsis in windows-1252
    assert entry.authors == ('">alert(1)',)


def test_a_very_long_guid_is_known_by_its_hash():
    items = [f"<item><guid>{'g' * 2000}{end}</guid></item>" for end in ("a", "b")]

    feed = parse_feed(rss(*items), url="https://h.example/feed", content_type="")

    assert all(entry.guid.startswith("sha256:") for entry in feed.entries)
    assert feed.entries[0].guid != feed.entries[1].guid


def test_the_fingerprint_overlooks_what_moves_when_nothing_happened():
    item = "<item><title>1</title><pubDate>Mon, 16 Nov 2026 08:30:00 GMT</pubDate></item>"
    old = rss(item, head="<lastBuildDate>a</lastBuildDate><ttl>1</ttl><pubDate>a</pubDate>")
    new = rss(item, head="<lastBuildDate>b</lastBuildDate><ttl>2</ttl><pubDate>b</pubDate>")

    assert fingerprint(old) == fingerprint(new)


@pytest.mark.parametrize("old", [b"<title>1</title>", b"08:30", b"https://h.example/"])
def test_the_fingerprint_sees_every_other_change(old: bytes):
    item = "<item><title>1</title><pubDate>Mon, 16 Nov 2026 08:30:00 GMT</pubDate></item>"
    feed = rss(item)

    assert fingerprint(feed) != fingerprint(feed.replace(old, old[:-1] + b"?"))


@given(st.binary(max_size=2000) | st.text(max_size=500).map(lambda text: rss(text)))
def test_whatever_comes_is_a_feed_or_a_format_error(body: bytes):
    try:
        feed = parse_feed(body, url="https://h.example/feed", content_type="")
    except FormatError:
        return
    for entry in feed.entries:
        check_entry(entry)


def test_all_captures_are_read_or_refused_for_a_reason(shared_data: Path):
    refused = set()
    files = [path for path in (shared_data / "feeds").rglob("*") if path.is_file()]
    for path in files:
        try:
            feed = read(path)
        except FormatError as e:
            assert str(e).startswith("feed: "), (path, e)
            refused.add(path.name)
            continue
        assert feed.ttl_s in range(7 * 86400 + 1)
        for entry in feed.entries:
            check_entry(entry)

    assert len(files) == 335
    assert refused == REFUSED_CAPTURES


def test_an_encoding_named_in_the_text_of_a_feed_of_one_line_is_not_the_feeds():
    title = '<title>&lt;?xml encoding="utf-16"?&gt; is "обычный" текст</title>'
    body = rss(f"<item>{title}</item>").replace(b'"1.0"?>', b'"1.0" encoding="utf-8"?>', 1)
    [entry] = parse_feed(body, url="https://h.example/feed", content_type="").entries

    assert entry.title == '<?xml encoding="utf-16"?> is "обычный" текст'


@given(st.text(st.sampled_from("ab \t\n\r\x0b\x0c\x00\x1f\x7f\x80\x85\xa0\u2028й")))
def test_a_text_loses_its_controls_and_runs_of_space_however_it_is_read(text: str):
    spaced = re.sub("[ \t\n\x0c\r]+", " ", text)
    seen = re.sub("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]", "", text)

    assert single_spaced(text) == spaced
    assert without_controls(text) == seen
    assert plain(text) == re.sub("[ \t-\r\x85\u2028\u2029]+", " ", seen).strip(" ")
