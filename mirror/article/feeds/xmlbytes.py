"""XML's bytes as UTF-8 that a strict parser gets far with, checked before it does."""

import html.entities
import re
import sys
from typing import TypedDict
from xml.sax.saxutils import escape

from mirror.article.charset import decoded
from mirror.errors import FormatError

MAX_ATTRIBUTES = 250
"""On one element: feedparser takes minutes for 100,000 of them, lxml seconds."""
MAX_REFERENCES = 1_000_000
"""8 MiB of `&`, escaped and unescaped a few times, take 8 s; a feed that writes each Russian
letter as `&#1087;` may have this many letters."""

_DECLARATION = re.compile(r"<\?xml[^<>]*?\?>")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([\w.:-]{1,40})["']""")
_ENTITY = re.compile(rb"<!ENTITY", re.IGNORECASE)
_ATTRIBUTE = rb"""[\s/]++[^\s/>=]++\s*+=\s*+(?:"[^"]*+"|'[^']*+')"""
_CROWDED = re.compile(rb"<[\w:.-]++(?:%b){%d}" % (_ATTRIBUTE, MAX_ATTRIBUTES + 1))
_CLOSINGS = {b"<!--": b"-->", b"<?": b"?>", b"<![CDATA[": b"]]>"}
_OPENING = re.compile(b"|".join(map(re.escape, _CLOSINGS)))
_SECTION = re.compile(rb"(?s)(<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z))")
_BARE = re.compile(rb"&(?!#[0-9]{1,7};|#x[0-9a-fA-F]{1,6};|[a-zA-Z][a-zA-Z0-9]{0,30};)")
_NAMED = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos);)([a-zA-Z][a-zA-Z0-9]{0,30};)")
_ODD_REFERENCE = (
    rb"&#(?:[xX][0-9a-fA-F]*[dD][89a-fA-F][0-9a-fA-F]{2}|[xX][0-9a-fA-F]{6,}|"
    rb"[0-9]*5[5-7][0-9]{3}|[0-9]{7,});"
)
_ODD = re.compile(rb"%b(?:%b)*" % (_ODD_REFERENCE, _ODD_REFERENCE))
"""References that may be to halves of a character in UTF-16, or to none at all."""


class ParserOptions(TypedDict):
    """Options of lxml's parsers: reads on after errors, and nothing but these bytes."""

    recover: bool
    no_network: bool
    load_dtd: bool
    resolve_entities: bool
    huge_tree: bool
    remove_comments: bool
    remove_pis: bool


OPTIONS = ParserOptions(
    recover=True,
    no_network=True,
    load_dtd=False,
    resolve_entities=False,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
)


def utf8_xml(body: bytes, content_type: str) -> bytes:
    """Return a document in UTF-8, without its declaration; header or declaration tell its own."""
    encoding = _ENCODING.search(body[:200])
    if encoding and "charset" not in content_type.lower():
        content_type = f"charset={encoding[1].decode()}"
    text = decoded(body, content_type).lstrip("\ufeff \t\r\n")
    return _DECLARATION.sub("", text, count=1).encode() if text[:5] == "<?xml" else text.encode()


def check_xml(xml: bytes, *, subject: str, max_tags: int) -> None:
    """Refuse UTF-8 that would hurt the parser; names `subject`.

    Raises:
        FormatError: entity definitions, too many tags or references, or too many attributes.
    """
    # Eight nested entities are a billion laughs; no feed that was seen defines any.
    if _ENTITY.search(xml):
        raise FormatError(f"{subject}: refused: it defines entities (<!ENTITY)")
    if xml.count(b"<") > max_tags:
        raise FormatError(f"{subject}: too large: more than {max_tags} tags")
    if xml.count(b"&") > MAX_REFERENCES:
        raise FormatError(f"{subject}: too large: more than {MAX_REFERENCES} references (&)")
    if _CROWDED.search(xml) and _CROWDED.search(elements_only(xml)):
        raise FormatError(
            f"{subject}: refused: more than {MAX_ATTRIBUTES} attributes on one element"
        )


def elements_only(xml: bytes) -> bytes:
    """Return `xml` without comments, instructions and character data, where "<" begins no element.

    One that is never closed stays. Not a regular expression: it would look for the end of each
    of 150,000 such as these once more.
    """
    kept, at, end = [], 0, 0
    closings = dict(_CLOSINGS)
    while opening := _OPENING.search(xml, end):
        closing = closings[opening[0]]
        close = xml.find(closing, opening.end()) if closing else -1
        if close < 0:
            closings[opening[0]], end = b"", opening.end()
            continue
        kept.append(xml[at : opening.start()])
        at = end = close + len(closing)
    return b"".join([*kept, xml[at:]])


def sound(xml: bytes) -> bytes:
    """Return `xml` with characters for references to their halves, and without those to none.

    Some programs write an emoji as `&#55357;&#56832;`: one of these, and feedparser reads
    nothing of the whole feed.
    """
    return _ODD.sub(_characters, xml) if b"&#" in xml else xml


def mended(xml: bytes) -> bytes:
    """Return `xml` with `&` only where XML has it.

    HTML's `&nbsp;` and the `&` of an address are errors, after which a parser that goes on
    loses text without a word.
    """
    if b"&" not in xml:
        return xml
    parts = _SECTION.split(sound(xml))
    parts[::2] = [_NAMED.sub(_numeric, _BARE.sub(b"&amp;", part)) for part in parts[::2]]
    return b"".join(parts)


def local_name(name: str) -> str:
    """Return the name of an element or attribute without its namespace or prefix."""
    return name.rpartition("}")[2].rpartition(":")[2]


def _numeric(found: re.Match[bytes]) -> bytes:
    characters = html.entities.html5.get(found[1].decode())
    if characters is None:
        return b"&amp;" + found[1]
    return b"".join(b"&#%d;" % ord(character) for character in characters)


def _characters(found: re.Match[bytes]) -> bytes:
    units = b""
    for name in found[0][2:-1].split(b";&#"):
        if len(name) > 12:  # no such character, and int() is slow on long ones
            continue
        number = int(name[1:], 16) if name[:1] in b"xX" else int(name)
        if number <= sys.maxunicode:
            units += chr(number).encode("utf-16-le", "surrogatepass")
    return escape(units.decode("utf-16-le", "ignore")).encode()
