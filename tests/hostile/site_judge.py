"""Judges the files of a site beside the article's page: in none of them may anything act.

Front page and archive, pages of differences, feeds, documents of the index, signatures: what is
shown by a browser or by a reader of feeds is taken apart as those do.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html.parser import HTMLParser
from urllib.parse import urlsplit

from lxml import etree
from pages_rules import Page

from hostile.judge import flaws

PLAIN = (
    "a abbr b bdi blockquote br caption cite code dd del dfn div dl dt em figcaption figure h2 h3 "
    "h4 h5 h6 hr i ins kbd li mark ol p pre q rp rt ruby s samp small span strong sub sup table "
    "tbody td tfoot th thead time tr u ul var wbr"
)
"""What a text in a feed may hold: nothing of it acts or asks."""
ADDRESSES = ("", "http", "https", "mailto")
ARTICLE = re.compile(r"a/./././[^/]+/(?:index|[0-9]+(?:-[0-9]+)?)\.html")
IN_JSON = ("url", "external_url", "home_page_url", "feed_url")


class Fragment(HTMLParser):
    """A text in a feed, taken apart as a reader's program does; `flaws` is what may act."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.flaws = [f"{char!r}" for char in text if char < " " and char not in "\t\n\r"]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in PLAIN.split():
            self.flaws.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "src", "srcset", "formaction"):
                self.flaws.append(f"<{tag} {name}>")
            if name == "href" and not leads_somewhere(value or ""):
                self.flaws.append(f"<{tag} href={value!r:.80}>")

    def handle_comment(self, data: str) -> None:
        self.flaws.append(f"<!--{data:.20}")

    def handle_decl(self, decl: str) -> None:
        self.flaws.append(f"<!{decl:.20}")

    def handle_pi(self, data: str) -> None:
        self.flaws.append(f"<?{data:.20}")


def leads_somewhere(address: str) -> bool:
    """Return whether an address is one to go to, or a path of the site."""
    bare = "".join(char for char in address if char > " ")
    return bare == "about:blank" or urlsplit(bare).scheme in ADDRESSES


def acting(files: Mapping[str, bytes]) -> list[str]:
    """Return what could act in files of a site, each with its path."""
    return [f"{path}: {flaw}" for path, data in files.items() for flaw in _judge_of(path)(data)]


def _judge_of(path: str) -> Callable[[bytes], Iterable[str]]:
    if ARTICLE.fullmatch(path):
        return flaws
    return {"html": _page, "xml": _atom, "json": _json}.get(path.rpartition(".")[2], _bare)


def _page(data: bytes) -> Iterable[str]:
    page = Page(data)
    return [*page.flaws, *(link for link in page.links if not leads_somewhere(link))]


def _atom(data: bytes) -> Iterator[str]:
    if b"<!" in data or data.count(b"<?") != 1:
        yield "a declaration"
    for element in etree.fromstring(data).iter():
        name = etree.QName(element)
        if name.namespace not in (
            "http://www.w3.org/2005/Atom",
            "http://purl.org/syndication/history/1.0",
        ):
            yield f"<{element.tag}>"
        if not leads_somewhere(element.get("href", "")):
            yield f"<{name.localname} href={element.get('href')!r:.80}>"
        if element.get("type") == "html":
            yield from Fragment(element.text or "").flaws
        elif element.get("type") not in (None, "application/atom+xml", "text/html"):
            yield f"type {element.get('type')}"


def _json(data: bytes) -> Iterator[str]:
    waiting = [json.loads(data)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        if not isinstance(value, dict):
            continue
        waiting += value.values()
        yield from Fragment(str(value.get("content_html", ""))).flaws
        for name in IN_JSON:
            if not leads_somewhere(str(value.get(name, ""))):
                yield f"{name}: {value[name]!r:.80}"


def _bare(data: bytes) -> Iterable[str]:
    """Judge what no browser shows: signatures, proofs, the log."""
    return [] if not data[:64].lstrip().startswith((b"<", b"\xef\xbb\xbf<")) else ["markup"]
