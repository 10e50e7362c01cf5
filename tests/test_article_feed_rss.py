"""RSS and Atom: what an entry says beside its text, and what the feed says of itself."""

import pytest

from mirror.article.entry import Entry, Feed
from mirror.article.feeds.feed import parse_feed
from mirror.article.feeds.fields import AS_IT_SAYS, Reading
from tests.feed_zones import BERLIN

URL = "https://h.example/feed"
NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
}
WIDE = "https://h.example/wide.jpg"


def rss(*items: str, head: str = "", root: str = "", reading: Reading = AS_IT_SAYS) -> Feed:
    prefixes = " ".join(f'xmlns:{name}="{uri}"' for name, uri in NAMESPACES.items())
    body = (
        f'<?xml version="1.0"?><rss version="2.0" {prefixes}{root}><channel><title>T</title>'
        f"<link>https://h.example/</link>{head}{''.join(items)}</channel></rss>"
    )
    return parse_feed(body.encode(), url=URL, content_type="", reading=reading)


def item(inside: str, reading: Reading = AS_IT_SAYS) -> Entry:
    [entry] = rss(f"<item><title>One</title>{inside}</item>", reading=reading).entries
    return entry


def atom(inside: str, root: str = "", reading: Reading = AS_IT_SAYS) -> Feed:
    body = f'<feed xmlns="http://www.w3.org/2005/Atom"{root}><title>T</title>{inside}</feed>'
    return parse_feed(body.encode(), url=URL, content_type="", reading=reading)


def test_an_update_is_told_from_the_publication():
    dates = (
        "<published>2026-11-16T06:30:00Z</published><updated>2026-11-17T08:00:00+03:00</updated>"
    )
    [entry] = atom(f"<entry><id>1</id>{dates}</entry>").entries

    assert (entry.published, entry.updated) == ("2026-11-16T06:30:00Z", "2026-11-17T05:00:00Z")


def test_a_modification_of_dublin_core_is_an_update():
    entry = item(
        "<pubDate>Mon, 16 Nov 2026 06:30:00 GMT</pubDate>"
        "<dcterms:modified>2026-11-17T05:00:00Z</dcterms:modified>"
    )

    assert entry.updated == "2026-11-17T05:00:00Z"


@pytest.mark.parametrize(
    "dates",
    [
        "<updated>2026-11-16T06:30:00Z</updated>",
        "<published>2026-11-16T06:30:00Z</published><updated>2026-11-16T07:30:00+01:00</updated>",
    ],
)
def test_an_update_at_the_time_of_publication_is_none(dates: str):
    [entry] = atom(f"<entry><id>1</id>{dates}</entry>").entries

    assert (entry.published, entry.updated) == ("2026-11-16T06:30:00Z", "")


@pytest.mark.parametrize(
    ("date", "utc"),
    [
        ("Mon, 16 Nov 2026 06:30:00", "2026-11-16T05:30:00Z"),
        ("2026-11-16 06:30:00", "2026-11-16T05:30:00Z"),
        ("2026-11-16", "2026-11-15T23:00:00Z"),
        ("16.11.2026 06:30", "2026-11-16T05:30:00Z"),
        ("Mon, 16 Nov 2026 06:30:00 GMT", "2026-11-16T06:30:00Z"),
        ("2026-11-16T06:30:00Z", "2026-11-16T06:30:00Z"),
        ("2026-11-16T06:30:00-05:00", "2026-11-16T11:30:00Z"),
    ],
)
def test_only_a_date_without_a_zone_is_in_the_operators(date: str, utc: str):
    entry = item(f"<pubDate>{date}</pubDate>", reading=Reading(zone=BERLIN))

    assert entry.published == utc


def test_a_date_that_only_the_library_knows_is_read():
    entry = item("<pubDate>2004-07-13T14:15-06:00</pubDate>")  # ours
    greek = item("<pubDate>Κυρ, 11 Ιούλ 2004 12:00:00 EST</pubDate>")

    assert entry.published == "2004-07-13T20:15:00Z"
    assert greek.published == "2004-07-11T17:00:00Z"


def test_subjects_are_labels_or_terms_each_once():
    [entry] = atom(
        "<entry><id>1</id>"
        '<category term="sea" label="Sea &amp;amp; ice"/><category term="ferry"/>'
        '<category term="ferry"/><category term="http://schemas.example/kind#post"/></entry>'
    ).entries

    assert entry.tags == ("Sea & ice", "ferry")
    assert item("<category>Море</category><media:keywords>a, b</media:keywords>").tags == (
        "Море",
        "a",
        "b",
    )


def test_subjects_are_few_and_short():
    words = "".join(f"<category>{number} {'x' * 200}</category>" for number in range(50))
    entry = item(words)

    assert len(entry.tags) == 20
    assert all(len(tag) <= 100 for tag in entry.tags)


@pytest.mark.parametrize(
    "inside",
    [
        f'<media:content url="{WIDE}" medium="image"/>',
        f'<media:content url="{WIDE}" type="image/jpeg"/>',
        f'<media:content url="{WIDE}"/>',
        f'<media:group><media:content url="{WIDE}" type="image/jpeg"/></media:group>',
        f'<media:thumbnail url="{WIDE}"/>',
        f'<enclosure url="{WIDE}" type="image/jpeg" length="1"/>',
        f'<itunes:image href="{WIDE}"/>',
        '<enclosure url="/wide.jpg" type="image/jpeg" length="1"/>',
        f'<media:content url="/s.jpg" medium="image" width="140"/><media:content url="{WIDE}"'
        ' medium="image" width="700"/><media:content url="/m.jpg" medium="image" width="460"/>',
        f'<media:thumbnail url="/s.jpg" width="140"/><media:content url="{WIDE}" medium="image"/>',
        '<media:content url="https://1.gravatar.com/avatar/7" medium="image"/>'
        f'<media:content url="{WIDE}" medium="image"/>',
        f'<media:content url="/1.gif" medium="image" width="1"/><enclosure url="{WIDE}"'
        ' type="image/jpeg"/>',
    ],
)
def test_the_lead_picture_is_the_widest_that_is_named(inside: str):
    assert item(inside).picture == WIDE


@pytest.mark.parametrize(
    "inside",
    [
        '<media:content url="https://h.example/a.mp4" medium="video"/>',
        '<media:content url="https://h.example/a.svg" type="image/svg+xml" medium="image"/>',
        '<media:content url="javascript:a.jpg" medium="image"/>',
        '<media:content url="https://h.example/page"/>',
        '<enclosure url="https://h.example/a.mp3" type="audio/mpeg" length="1"/>',
        '<media:thumbnail url="https://h.example/a.gif" width="1"/>',
        "<media:content/><media:thumbnail/><itunes:image/><enclosure/>",
    ],
)
def test_what_is_no_picture_is_not_the_lead_picture(inside: str):
    assert item(inside).picture == ""


def test_the_archive_is_preferred_to_the_next_page():
    following = '<atom:link rel="next" href="https://h.example/feed?page=2"/>'
    archive = '<atom:link rel="prev-archive" href="/feed/2026-10"/>'

    assert rss(head=following).older == "https://h.example/feed?page=2"
    assert rss(head=following + archive).older == "https://h.example/feed/2026-10"
    assert atom('<link rel="next" href="?page=2"/>').older == "https://h.example/feed?page=2"


@pytest.mark.parametrize(
    "href", ["", "#2", "https://h.example/feed", "https://h.example/feed#2", "ftp://h.example/2"]
)
def test_a_feed_is_not_followed_by_itself_or_by_no_web_page(href: str):
    assert rss(head=f'<atom:link rel="next" href="{href}"/>').older == ""


def test_a_next_link_of_an_entry_is_not_the_feeds():
    assert atom('<entry><id>1</id><link rel="next" href="/2"/></entry>').older == ""


@pytest.mark.parametrize(
    ("head", "ttl_s"),
    [
        ("", 0),
        ("<ttl>15</ttl>", 900),
        ("<ttl> 600 </ttl>", 36_000),
        ("<ttl>999999999</ttl>", 7 * 86_400),
        ("<ttl>-5</ttl>", 0),
        ("<ttl>soon</ttl>", 0),
        ("<ttl>١٥</ttl>", 0),
        (f"<ttl>{'9' * 5000}</ttl>", 0),
        ("<sy:updatePeriod> hourly </sy:updatePeriod>", 3600),
        (
            "<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>",
            21_600,
        ),
        ("<sy:updatePeriod>yearly</sy:updatePeriod>", 7 * 86_400),
        (
            "<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>0</sy:updateFrequency>",
            3600,
        ),
        ("<ttl>5</ttl><sy:updatePeriod>hourly</sy:updatePeriod>", 300),
    ],
)
def test_how_long_a_feed_need_not_be_asked(head: str, ttl_s: int):
    assert rss(head=head).ttl_s == ttl_s


def test_the_operators_language_goes_before_the_feeds():
    feed = rss("<item><title>1</title></item>", head="<language>en-us</language>")
    told = rss(
        "<item><title>1</title></item>",
        head="<language>en-us</language>",
        root=' xml:lang="en"',
        reading=Reading(lang="ru"),
    )

    assert [feed.lang, feed.entries[0].lang] == ["en-US", "en-US"]
    assert [told.lang, told.entries[0].lang] == ["ru", "ru"]


def test_what_an_entry_says_of_its_own_language_goes_before_both():
    entries = (
        '<entry><id>1</id><content xml:lang="fa">x</content></entry>'
        "<entry><id>2</id><content>x</content></entry>"
    )
    feed = atom(entries, root=' xml:lang="en"', reading=Reading(lang="ru"))

    assert [entry.lang for entry in feed.entries] == ["fa", "ru"]
    assert item("<dc:language>uk</dc:language>", reading=Reading(lang="ru")).lang == "uk"


def test_elements_by_the_names_of_lists_end_nothing():
    names = ("links", "authors", "tags", "content", "media_content", "image", "title_detail")
    inside = "".join(f"<{name}>x</{name}>" for name in names)
    feed = rss(f"<item><guid>1</guid>{inside}</item>", head=inside)

    assert [entry.guid for entry in feed.entries] == ["1"]


def test_a_cut_line_leaves_no_direction_open():
    isolate = f"\u2067{'א' * 60} {'ב' * 600}\u2069"
    entry = item(f"<category>{isolate}</category><author>{isolate}</author>")
    [titled] = rss(f"<item><title>{isolate}</title></item>").entries

    for line in (*entry.tags, *entry.authors, titled.title):
        assert line
        assert "\u2067" not in line


def test_a_character_written_as_its_two_halves_is_read_and_a_single_half_is_none():
    for half in ("&#55357;&#56832;", "&#xD83D;&#xde00;"):
        [entry] = rss(f"<item><title>1 {half} &#xD800;2&#x110000;&#38;3</title></item>").entries

        assert entry.title == "1 \U0001f600 2&3"
