"""What a feed's bytes are, before a parser spends time on them."""

import re

from mirror.article.feeds.xmlbytes import check_xml, elements_only
from mirror.errors import FormatError

MAX_TAGS = 200_000
"""feedparser takes 10 to 30 µs for each; the most in a capture are 19,771."""
MAX_ELEMENT_TAGS = 60_000
"""Outside of character data, in the entries that are read: 500 with 60 elements each. Of 90,000
categories in one entry, feedparser compares each with all others."""

_PROLOG = re.compile(
    rb"(?s)(?:\s|\xef\xbb\xbf|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*+(?:\[.*?\])?\s*+>)*+", re.I
)
_HTML = re.compile(rb"<(?:html|head|body|title|meta|script|div|h1)\b", re.I)
_FEED = re.compile(rb"<(?:rss|feed|rdf:RDF)[\s>]")


def check_prolog(xml: bytes) -> None:
    """Refuse what is no feed or would hurt the parser; `xml` is in UTF-8 by now.

    Raises:
        FormatError: HTML, JSON, no XML at all, entity definitions, or too many tags.
    """
    prolog = _PROLOG.match(xml)
    start = prolog.end() if prolog else 0
    root = xml[start : start + 200].lstrip()
    # One capture is a good feed inside an HTML page's body; feedparser reads it.
    if _HTML.match(root) and not _FEED.search(xml):
        raise FormatError("feed: wrong kind: an HTML page, not a feed")
    if root[:1] in (b"{", b"["):
        raise FormatError("feed: wrong kind: a JSON document, not XML")
    if xml.find(b"<", start) < 0:
        raise FormatError("feed: not XML: no tag in it")
    check_xml(xml, subject="feed", max_tags=MAX_TAGS)


def check_elements(xml: bytes) -> None:
    """Refuse more elements than feedparser does in good time; bodies are character data.

    Raises:
        FormatError: too many tags.
    """
    if xml.count(b"<") > MAX_ELEMENT_TAGS and elements_only(xml).count(b"<") > MAX_ELEMENT_TAGS:
        raise FormatError(f"feed: too large: more than {MAX_ELEMENT_TAGS} tags of its own")
