"""A feed in XML of a newsroom's own making, read by a map of its fields.

Some give their partners one such as this::

    <articles><item id="7"><title>No ferry</title><text>&lt;p&gt;The ferry …</text>
      <pubDate>22.11.2026 10:30</pubDate></item></articles>
"""

from collections.abc import Iterator
from datetime import tzinfo
from itertools import islice

from lxml import etree

from mirror.article.dates import utc
from mirror.article.entry import Entry, Feed, guid_of, markup_of, names_of, tags_of, title_of
from mirror.article.feeds.cap import MAX_LISTED, newest
from mirror.article.feeds.fields import Fields
from mirror.article.feeds.fulltext import Body, best_body
from mirror.article.feeds.prolog import check_prolog
from mirror.article.feeds.xmlbytes import OPTIONS, local_name, mended, utf8_xml
from mirror.article.lang import normalised
from mirror.article.links import absolute
from mirror.article.text import plain_of_html, without_controls
from mirror.errors import FormatError

MAX_VALUES = 100
"""Of one field in one entry: far more than is kept of authors or tags."""

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def parse_fields(
    body: bytes, fields: Fields, *, url: str, content_type: str, lang: str, zone: tzinfo
) -> Feed:
    """Return the entries of a feed in plain XML; `lang` goes before its own word, if not "".

    Raises:
        FormatError: not XML, it would hurt the parser, or it has no such entry as `fields` says.
    """
    xml = utf8_xml(body, content_type)
    check_prolog(xml)
    name = local_name(fields.entry)
    try:
        root = etree.fromstring(mended(xml), etree.XMLParser(encoding="utf-8", **OPTIONS))
    except etree.XMLSyntaxError as e:
        raise FormatError(f"feed: unreadable: {e!s:.100}") from e
    # Not cut before it is parsed, as for feedparser: lxml needs 0.2 s for all the tags that
    # `check_prolog` lets pass.
    found = list(islice(_outermost(root, name), MAX_LISTED))
    if not found:
        raise FormatError(f"feed: wrong kind: no <{name}> element in it")
    lang = lang or normalised(root.get(_LANG, ""))
    kept = newest(found, lambda element: utc(_first(element, fields.published), zone))
    entries = (_entry(element, fields, url=url, lang=lang, zone=zone) for element in kept)
    return Feed(title="", lang=lang, entries=tuple(entry for entry in entries if entry))


def _outermost(root: etree._Element | None, name: str) -> Iterator[etree._Element]:
    """Yield the elements of a name that are in no other: nested ones repeat all they hold."""
    if root is None:  # what lxml returns for bytes without any element
        return
    walk = etree.iterwalk(root, events=("start",))
    for _, element in walk:
        if local_name(str(element.tag)) == name:
            yield element
            walk.skip_subtree()


def _entry(
    element: etree._Element, fields: Fields, *, url: str, lang: str, zone: tzinfo
) -> Entry | None:
    html = next((_markup(part) for part in _parts(element, fields.html)), "")
    body, full = best_body([Body(html, kind="content")])
    guid = guid_of(_first(element, fields.guid))
    link = absolute(_first(element, fields.link), url)
    title = title_of(plain_of_html(_first(element, fields.title)), body.html)
    if not (guid or link or title):
        return None
    return Entry(
        guid=guid,
        link=link,
        title=title,
        authors=names_of(_texts(element, fields.authors)),
        published=utc(_first(element, fields.published), zone),
        html=body.html,
        full=full,
        lang=normalised(element.get(_LANG, "")) or lang,
        tags=tags_of(_texts(element, fields.tags)),
        picture=absolute(_first(element, fields.picture), url),
    )


def _first(element: etree._Element, path: str) -> str:
    return next((text for part in _texts(element, path) if (text := part.strip())), "")


def _texts(element: etree._Element, path: str) -> list[str]:
    """Return the texts that a path leads to."""
    return [
        part if isinstance(part, str) else "".join(map(str, part.itertext()))
        for part in islice(_parts(element, path), MAX_VALUES)
    ]


def _parts(element: etree._Element, path: str) -> Iterator[etree._Element | str]:
    """Yield the elements or attributes at the end of a path such as `media/image@url`."""
    steps, _, attribute = path.partition("@")
    if not path:
        return
    names = [local_name(name) for name in steps.split("/") if name]
    for each in _below(element, names):
        if not attribute:
            yield each
            continue
        for name, value in each.items():
            if local_name(str(name)) == local_name(attribute):
                yield str(value)


def _below(element: etree._Element, names: list[str]) -> Iterator[etree._Element]:
    if not names:
        yield element
        return
    for child in element:
        if local_name(str(child.tag)) == names[0]:
            yield from _below(child, names[1:])


def _markup(part: etree._Element | str) -> str:
    """Return what a field holds as HTML: escaped, as is usual, or as elements of its own."""
    if isinstance(part, str):
        return markup_of(without_controls(part))
    if len(part) == 0:
        return markup_of(without_controls(part.text or ""))
    whole = str(etree.tostring(part, encoding="unicode", method="html", with_tail=False))
    return whole[whole.find(">") + 1 : whole.rfind("</")]
