"""feedparser, told to do otherwise: the same must come out, for less."""

import io
from xml.sax import make_parser
from xml.sax.handler import ContentHandler

import feedparser
import pytest

from mirror.article.feeds.faster import Text
from mirror.article.feeds.feed import parse_feed

WHOLE = "<rss version='2.0'><channel><title>T</title><item>{}</item></channel></rss>"
BROKEN = WHOLE.replace("</item>", "<b>")


@pytest.mark.parametrize("feed", [WHOLE, BROKEN])
@pytest.mark.parametrize("written", ["\x96", "&#150;"])
def test_a_character_of_windows_is_what_was_meant(feed: str, written: str):
    body = feed.format(f"<title>Да {written} нет \x81</title><link>https://h.example/1</link>")

    [entry] = parse_feed(body.encode(), url="https://h.example/feed", content_type="").entries

    assert entry.title.startswith("Да – нет")


class Counter(ContentHandler):
    def __init__(self) -> None:
        self.pieces: list[str] = []

    def characters(self, content: str) -> None:
        self.pieces.append(content)


def test_a_text_is_handed_on_whole():
    counter, parser = Counter(), make_parser(feedparser.api.PREFERRED_XML_PARSERS)
    parser.setContentHandler(counter)

    parser.parse(io.BytesIO(b"<a>" + b"&lt;p&gt;one\n" * 1000 + b"</a>"))

    assert counter.pieces == ["<p>one\n" * 1000]


def test_a_text_without_such_characters_is_left_as_it_is():
    class Table(dict[int, str]):
        def __missing__(self, code: int) -> str:
            raise AssertionError(f"{code} was looked up")

    assert type(Text("Да").translate(Table())) is str
    assert Text("Да\x80").translate({0x80: "€"}) == "Да€"
