"""Judges a published article page by its bytes alone: what may stand in it, said once more.

Written from the format and not from the cleaner, whose lists are not used. Three readers must
agree that nothing else is there: a strict one that accepts one way to write a tag, Python's, and
libxml2's.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser

from lxml import html as lxml_html

BLOCKS = (
    "p h2 h3 h4 ul ol li dl dt dd blockquote figure figcaption table caption tbody tr td th pre hr"
)
INLINE = (
    "a abbr bdi br cite code del em ins kbd mark q rp rt ruby s samp small span strong sub sup "
    "u var wbr"
)
FRAME = "html head meta style title body header nav main h1 div footer time b"
BODY_ELEMENTS = frozenset(f"{BLOCKS} {INLINE}".split())
ELEMENTS = BODY_ELEMENTS | frozenset(FRAME.split())
EVERYWHERE = {"lang": r"[A-Za-z0-9-]{1,40}", "dir": "ltr|rtl|auto"}
ADDRESS = r"https?://[^\s\"<>]+|mailto:[^\s\"<>]*|#n[1-9][0-9]*|[0-9a-f]{64}\.webp"
IN_BODY = {
    ("a", "href"): ADDRESS,
    ("a", "id"): "n[1-9][0-9]*",
    ("li", "id"): "n[1-9][0-9]*",
    ("a", "itemprop"): "contentUrl",
    ("abbr", "title"): ".*",
    ("figure", "itemprop"): "image",
    ("figure", "itemscope"): "",
    ("figure", "itemtype"): r"https://schema\.org/ImageObject",
    ("ol", "start"): "[1-9][0-9]?",
    ("span", "class"): "credit",
    ("span", "itemprop"): "caption|creditText",
    **{(tag, name): "[1-9][0-9]?" for tag in ("td", "th") for name in ("colspan", "rowspan")},
}
"""Attributes inside the article's body, and what their values are."""
OWN_FILE = (
    r"[0-9]+(?:-[0-9]+)?\.html(?:\.(?:tlog-proof|minisig|sig))?|index\.html|[0-9]+\.diff\.html"
)
IN_FRAME = {
    ("a", "href"): rf"about:blank|(?:\.\./){{5}}[a-z/]+\.(?:html|xml|json)|{OWN_FILE}|{ADDRESS}",
    ("a", "itemprop"): "url",
    ("a", "rel"): "noreferrer|next",
    ("div", "itemprop"): "articleBody",
    ("h1", "itemprop"): "headline",
    ("main", "class"): "t",
    ("main", "itemscope"): "",
    ("main", "itemtype"): r"https://schema\.org/NewsArticle",
    ("meta", "charset"): "utf-8",
    ("meta", "content"): ".*",
    ("meta", "http-equiv"): "Content-Security-Policy|x-dns-prefetch-control",
    ("meta", "name"): "viewport|referrer",
    ("nav", "aria-label"): ".*",
    ("nav", "role"): "none",
    ("p", "class"): "by|[a-z]",
    ("span", "itemprop"): "author|keywords",
    ("time", "datetime"): r"[0-9T:Z-]{20}",
    ("time", "itemprop"): "datePublished|dateModified",
}
"""The same around it."""
VOID = frozenset({"br", "hr", "meta", "wbr"})

_TOKEN = re.compile(
    r'<(?:(/)([a-z][a-z0-9]*)|([a-z][a-z0-9]*)((?: [a-z-]+(?:="[^"]*")?)*))>|([^<>]+)|(.)',
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r' ([a-z-]+)(?:="([^"]*)")?')
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CLOSED_BY = {"\u2066": "\u2069", "\u2067": "\u2069", "\u2068": "\u2069"}
_POLICY = (
    "default-src 'none'; style-src 'sha256-{}'; img-src 'self'; base-uri 'none'; form-action 'none'"
)


def flaws(page: bytes) -> list[str]:
    """Return what is wrong with a published page, nothing for a harmless one."""
    try:
        text = page.decode()
    except UnicodeDecodeError as e:
        return [f"not UTF-8: {e.reason}"]
    if not text.startswith("<!doctype html><html "):
        return ["it does not begin as a page"]
    strict = _Judge()
    for kind, name, value, attributes in _tokens(text.removeprefix("<!doctype html>")):
        strict.token(kind, name, value, attributes)
    reader = _Reader()
    reader.feed(text)
    reader.close()
    found = [*_characters(text), *strict.flaws, *strict.at_the_end()]
    if reader.seen != strict.seen:
        found.append(f"read in two ways: {_difference(reader.seen, strict.seen)}")
    return [*found, *_as_a_tree(page)][:20]


def _tokens(text: str) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """Yield (kind, name, text, attributes); kind is open, close, text or wrong."""
    sheet = re.search(r"<style>[^<]*</style>", text)
    for match in _TOKEN.finditer(text):
        closes, closed, opened, rest, words, wrong = match.groups()
        in_sheet = sheet is not None and sheet.start() <= match.start() < sheet.end()
        if wrong is not None:
            # A style sheet may say "a>b"; it is ours, and its hash is in the policy.
            yield ("text" if in_sheet else "wrong"), "", wrong, {}
        elif words is not None:
            yield "text", "", words, {}
        elif closes:
            yield "close", closed, "", {}
        else:
            pairs = _ATTRIBUTE.findall(rest)
            kind = "open" if len({name for name, _ in pairs}) == len(pairs) else "wrong"
            yield kind, opened, match[0], {name: unescape(value) for name, value in pairs}


class _Judge:
    """Follows the tokens of a page and notes what may not be there."""

    def __init__(self) -> None:
        self.flaws: list[str] = []
        self.seen: list[str] = []
        self._open: list[str] = []
        self._body_depth = 0
        self._bodies = 0
        self._ids: set[str] = set()
        self._sheet = ""
        self._policies: list[str] = []
        self._line = ""

    def token(self, kind: str, name: str, value: str, attributes: dict[str, str]) -> None:
        if kind == "text":
            self._line += value
            if self._open[-1:] == ["style"]:
                self._sheet += value
            return
        self._end_line()
        if kind == "wrong":
            self.flaws.append(f"not a tag: {value!r:.80}")
        elif kind == "open":
            self._opened(name, attributes)
        elif not self._open or self._open.pop() != name:
            self.flaws.append(f"</{name}> closes something else")
        elif len(self._open) < self._body_depth:
            self._body_depth = 0

    def _opened(self, name: str, attributes: dict[str, str]) -> None:
        self.seen.append(name)
        if name not in (BODY_ELEMENTS if self._body_depth else ELEMENTS):
            self.flaws.append(f"<{name}> may not be here")
        for key, value in attributes.items():
            self._attribute(name, key, value)
        if name == "div" and "itemprop" not in attributes:
            self.flaws.append("<div> without a meaning may not be here")
        if name == "meta" and attributes.get("http-equiv") == "Content-Security-Policy":
            self._policies.append(attributes.get("content", ""))
        if name not in VOID:
            self._open.append(name)
        if attributes.get("itemprop") == "articleBody":
            self._bodies += 1
            self._body_depth = len(self._open)

    def _attribute(self, name: str, key: str, value: str) -> None:
        table = IN_BODY if self._body_depth else IN_FRAME | IN_BODY | IN_FRAME
        pattern = EVERYWHERE.get(key) or table.get((name, key))
        if pattern is None or not re.fullmatch(pattern, value, re.DOTALL):
            self.flaws.append(f"<{name} {key}={value!r:.80}> may not be here")
        if key == "id":
            if value in self._ids:
                self.flaws.append(f"id {value} is there twice")
            self._ids.add(value)
        self.flaws += _turned(value)

    def _end_line(self) -> None:
        self.flaws += _turned(unescape(self._line))
        self._line = ""

    def at_the_end(self) -> list[str]:
        """Return what can be said only of a whole page."""
        digest = base64.b64encode(hashlib.sha256(self._sheet.encode()).digest()).decode()
        found = [f"never closed: {self._open}"] if self._open else []
        if self._policies != [_POLICY.format(digest)]:
            found.append(f"another policy: {self._policies}")
        if self._bodies != 1:
            found.append(f"{self._bodies} bodies")
        return found


class _Reader(HTMLParser):
    """Python's reading of the same page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_comment(self, data: str) -> None:
        self.seen.append("a comment")

    def unknown_decl(self, data: str) -> None:
        self.seen.append("a declaration")

    def handle_pi(self, data: str) -> None:
        self.seen.append("a processing instruction")


def _characters(text: str) -> Iterator[str]:
    if found := _CONTROL.search(text):
        around = text[max(found.start() - 20, 0) : found.end()]
        yield f"character U+{ord(found[0]):04X} in {around!r}"
    for number in re.findall(r"&#(x?[0-9a-fA-F]{1,8});", text):
        code = int(number[1:], 16) if number[0] == "x" else int(number)
        if code not in (39, 0x27):
            yield f"a character written as a number: {code}"


def _turned(text: str) -> list[str]:
    """Return a flaw where a text turns what follows it, or shows itself in another order."""
    waiting: list[str] = []
    for char in _TURNS.findall(text):
        if char in _CLOSED_BY:
            waiting.append(_CLOSED_BY[char])
        elif char == "\u2069" and waiting:
            waiting.pop()
        elif char in "\u202a\u202b":
            waiting.append("\u202c")
        elif char == "\u202c" and waiting[-1:] == ["\u202c"]:
            waiting.pop()
        else:
            return [f"U+{ord(char):04X} in {text!r:.60}"]
    return [f"a direction left open in {text!r:.60}"] if waiting else []


def _as_a_tree(page: bytes) -> Iterator[str]:
    tree = lxml_html.document_fromstring(page)
    for element in tree.iter():
        if not isinstance(element.tag, str) or element.tag not in ELEMENTS:
            yield f"libxml2 sees {element.tag!s:.40}"
        for name in element.attrib:
            if name not in EVERYWHERE and (element.tag, name) not in IN_FRAME | IN_BODY:
                yield f"libxml2 sees <{element.tag} {name}>"


def _difference(ours: list[str], theirs: list[str]) -> str:
    for place, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other:
            return f"{one} and {other} at tag {place}"
    return f"{len(ours)} and {len(theirs)} tags"
