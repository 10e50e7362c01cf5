"""Of a feed with more entries than are read, the newest are kept, wherever they stand in it."""

import itertools
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from cost import within
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mirror.article.feeds.cap import MAX_ENTRIES, MAX_LISTED, MAX_MENTIONS, capped, newest
from mirror.article.feeds.feed import MAX_FEED_BYTES, parse_feed
from mirror.article.feeds.fields import AS_IT_SAYS, Fields, Reading
from mirror.errors import FormatError

COUNT = MAX_ENTRIES + 100
FIELDS = Reading(Fields(entry="item", title="title", published="pubDate"))
MENTION = "<![CDATA[<p>An <item> ends with </item>, an <entry> with </entry>.</p>]]>"


def date(number: int) -> str:
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)).isoformat()


def rss(numbers: Sequence[int], inside: str = "", tag: str = "pubDate") -> bytes:
    entries = "\n".join(
        f"<item><title>{number}</title><{tag}>{date(number)}</{tag}>{inside}</item>"
        for number in numbers
    )
    head = '<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    return f"{head}<channel><title>T</title>{entries}</channel></rss>".encode()


def atom(numbers: Sequence[int]) -> bytes:
    entries = "".join(
        f"<entry><title>{number}</title><updated>{date(number)}</updated></entry>"
        for number in numbers
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom">{entries}</feed>'.encode()


def json_feed(numbers: Sequence[int]) -> bytes:
    items = [{"title": str(number), "date_published": date(number)} for number in numbers]
    return json.dumps({"version": "1.1", "items": items}).encode()


def titles(body: bytes, reading: Reading = AS_IT_SAYS) -> list[int]:
    feed = parse_feed(body, url="https://h.example/feed", content_type="", reading=reading)
    return [int(entry.title) for entry in feed.entries]


FORMS: dict[str, Callable[[Sequence[int]], list[int]]] = {
    "rss": lambda numbers: titles(rss(numbers)),
    "rss with dc:date": lambda numbers: titles(rss(numbers, tag="dc:date")),
    "atom": lambda numbers: titles(atom(numbers)),
    "json": lambda numbers: titles(json_feed(numbers)),
    "plain xml": lambda numbers: titles(rss(numbers), FIELDS),
}


@pytest.mark.parametrize("form", FORMS)
def test_of_many_entries_the_newest_are_kept_in_the_feeds_own_order(form: str):
    oldest_first = range(COUNT)
    # As a feed that is put together of two sections', each with its newest first.
    sections = [*range(0, COUNT, 2)][::-1] + [*range(1, COUNT, 2)][::-1]

    assert FORMS[form](oldest_first) == list(oldest_first[-MAX_ENTRIES:])
    assert FORMS[form](oldest_first[::-1]) == list(oldest_first[: -MAX_ENTRIES - 1 : -1])
    assert FORMS[form](sections) == [number for number in sections if number >= 100]


def test_of_entries_without_dates_the_first_are_kept():
    assert titles(rss(range(COUNT), tag="author")) == list(range(MAX_ENTRIES))


def test_an_entry_without_a_date_is_as_new_as_the_one_before_it():
    some = ["", "2026-01-02", "2026-01-03", "", "2026-01-01", ""]

    def kept(most: int) -> list[int]:
        return newest(range(len(some)), some.__getitem__, most=most)

    assert [kept(most) for most in (2, 3, 4, 5)] == [
        [2, 3],
        [0, 2, 3],
        [0, 1, 2, 3],
        [0, 1, 2, 3, 4],
    ]


@given(st.lists(st.sampled_from([date(hour) for hour in range(30)])), st.integers(1, 40))
def test_nothing_that_is_left_out_is_newer_than_what_is_kept(dates: list[str], most: int):
    kept = newest(range(len(dates)), dates.__getitem__, most=most)
    left = set(range(len(dates))) - set(kept)

    assert kept == sorted(kept)
    assert len(kept) == min(len(dates), most)
    assert all(
        dates[one] < dates[other] or (dates[one] == dates[other] and one > other)
        for one, other in itertools.product(left, kept)
    )


@pytest.mark.parametrize("mention", [MENTION, "<!-- an <item> is no <entry> -->"])
def test_what_articles_say_of_entries_takes_none_of_the_feeds(mention: str):
    few, many = range(99), range(COUNT)[::-1]

    assert titles(rss(few, f"<description>{mention * 9}</description>")) == list(few)
    assert titles(rss(many, f"<description>{mention}</description>")) == list(many[:MAX_ENTRIES])


@pytest.mark.parametrize("numbers", [range(COUNT), range(COUNT)[::-1]])
def test_what_is_kept_is_well_formed(numbers: Sequence[int]):
    body = rss(numbers, f"<description>{MENTION}</description>")
    root = etree.fromstring(capped(body), etree.XMLParser(resolve_entities=False))

    assert len(root.findall("channel/item")) == MAX_ENTRIES
    assert root.findtext("channel/title") == "T"


def test_a_long_feed_that_was_cut_is_read_as_far_as_it_goes():
    body = rss(range(COUNT)[::-1])

    assert len(titles(body[: len(body) - 200])) == MAX_ENTRIES


def test_a_feed_is_kept_as_it_is_whose_entries_are_few():
    for body in (
        rss(range(MAX_ENTRIES)),
        rss(range(9), MENTION * 99),
        b"",
        b"<item>",
        b"<![CDATA[",
    ):
        assert capped(body) == body


ENTRY = "<item><title>1</title></item>"
HIDDEN = {  # by the book, there is no entry in these; feedparser, which mends them, finds them all
    "in an attribute": ('<x a="<![CDATA[">', '<y b="]]>"/>'),
    "after half an end": ("<!-- -- ><z>", "-->"),
    "in an instruction": ("<?x><z>", "?>&bad;<b"),
}


@pytest.mark.parametrize("count", [MAX_MENTIONS, MAX_LISTED])
@pytest.mark.parametrize("where", HIDDEN)
def test_entries_that_only_a_mending_parser_finds_are_counted(where: str, count: int):
    start, end = HIDDEN[where]
    body = b"<rss><channel>%b</channel></rss>" % (start + ENTRY * count + end).encode()
    if where != "after half an end" and count > MAX_MENTIONS:
        with pytest.raises(FormatError, match="more than 5000 entries inside its texts"):
            titles(body)
        return

    assert len(titles(body)) <= MAX_ENTRIES
    assert capped(body).count(b"<item>") <= MAX_MENTIONS


FORGED = f"<item><title>100</title><pubDate>{date(999_999)}</pubDate></item>"
TEXTS = {
    "character data": ("<![CDATA[", "]]>"),
    "a comment": ("<!--", "-->"),
    "character data that is cut off": ("<![CDATA[", ""),
    "a comment that is cut off": ("<!--", ""),
}


@pytest.mark.parametrize("count", [MAX_ENTRIES, MAX_MENTIONS, MAX_MENTIONS + 1, MAX_LISTED + 1])
@pytest.mark.parametrize("where", TEXTS)
def test_what_an_author_writes_becomes_no_entry(where: str, count: int):
    start, end = TEXTS[where]
    body = rss(range(9)).decode().replace("</item></channel>", f"{start}{FORGED * count}{end}")
    body += "</item></channel></rss>" if end else ""
    if count > MAX_MENTIONS:
        with pytest.raises(FormatError, match="refused"):
            titles(body.encode())
    else:
        assert titles(body.encode()) == list(range(9))


def test_what_stands_in_an_instruction_becomes_no_entry_by_the_cut():
    end = "</item></channel>"
    body = rss(range(9)).decode().replace(end, f"<?php {FORGED * MAX_ENTRIES}?>{end}")

    assert titles(body.encode()) == list(range(9))


def test_what_is_written_in_a_feed_of_more_than_are_looked_at_becomes_no_entry():
    last = f"<description><![CDATA[{FORGED * 9}</item>{FORGED}]]></description>"
    body = rss(range(MAX_LISTED + 9)).replace(b"</item></channel>", last.encode() + b"</item>")

    assert 100 not in titles(body + b"</channel></rss>")


FLOODS = {
    "starts": "<item ",
    "empty entries": "<item/>",
    "character data": "<![CDATA[",
    "comments": "<!--",
    "instructions": "<?",
    "closed character data": "<![CDATA[]]>",
    "closed comments": "<!---->",
    "texts with an entry": "<!--<item>-->",
    "both, never closed": "<!--<![CDATA[",
    "halves of an end": "-- ",
    "long names": "<" + "a" * 40,
    "half a date": "<item><pubDate>          ",
    "dates": "<item><pubDate>Mon, 16 Nov 2026 06:30:00 GMT</pubDate></item>",
    "ends": "</item></item  ",
}


@pytest.mark.parametrize("name", FLOODS)
def test_the_cut_of_a_hostile_feed_takes_little_time(name: str):
    flood = FLOODS[name]
    body = "<item/>" * COUNT + flood * (MAX_FEED_BYTES // len(flood))
    with within(4):
        try:
            kept = capped(body.encode())
        except FormatError:
            kept = b""

    assert len(kept) <= len(body)


@pytest.mark.parametrize("form", ["rss", "json"])
def test_what_comes_after_as_many_as_are_looked_at_is_left_out(form: str):
    many = range(MAX_LISTED + 1)

    assert FORMS[form](many) == list(many[-MAX_ENTRIES - 1 : -1])
