"""What an operator's rules find on a page: its text, its pictures, and what it says of itself.

The tree itself is changed first: what is to be removed is emptied, and each picture that a rule
names becomes a `<figure>` with its caption and credit marked, which `flow` then reads as any other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice

from lxml import etree

from mirror.article.cleaning.figure import picture_url
from mirror.article.cleaning.tags import PARAGRAPHS
from mirror.article.dates import utc
from mirror.article.entry import MAX_TITLE_CHARS, names_of, tags_of
from mirror.article.extraction.selectors import select
from mirror.article.extraction.siterules import SiteRules, compiled_rules
from mirror.article.text import plain, shortened

MAX_VALUES = 50
"""Elements that name a title, authors, a date or subjects: a hundred in each other, each with
all the text of the page, would be read a hundred times."""
MAX_PIECES = 200
"""Of text in one of them, or in a credit."""

_Found = Mapping[str, Sequence[etree._Element]]


@dataclass(frozen=True, slots=True)
class Ruled:
    """What the rules for a site find on one of its pages; "", () and None for nothing."""

    title: str = ""
    authors: tuple[str, ...] = ()
    published: str = ""
    """`YYYY-MM-DDTHH:MM:SSZ`."""
    tags: tuple[str, ...] = ()
    body: etree._Element | None = None
    """A tree of its own: the text, with the lead picture in front."""


def ruled(root: etree._Element, rules: SiteRules, *, base: str) -> Ruled:
    """Return what `rules` find in the page at `base`; its tree is changed.

    Raises:
        FormatError: the rules are none (`siterules.check_rules`).
    """
    found = select(root, compiled_rules(rules))
    texts = {
        name: [_value(each) for each in found.get(name, ())[:MAX_VALUES]]
        for name in ("title", "authors", "tags")
    }
    dates = (utc(text) for each in found.get("published", ())[:MAX_VALUES] for text in _dates(each))
    title = next((line for text in texts["title"] if (line := plain(text))), "")
    return Ruled(
        title=shortened(title, max_chars=MAX_TITLE_CHARS),
        authors=names_of(texts["authors"]),
        published=next((date for date in dates if date), ""),
        tags=tags_of(texts["tags"]),
        body=_body(root, found, base),
    )


def _value(element: etree._Element) -> str:
    if element.tag == "meta":
        return element.get("content", "")
    return "".join(islice(map(str, element.itertext()), MAX_PIECES))


def _dates(element: etree._Element) -> Iterator[str]:
    yield from (element.get("datetime", ""), element.get("content", ""), _value(element))


def _body(root: etree._Element, found: _Found, base: str) -> etree._Element | None:
    removed = _emptied(found.get("remove", ()))
    kept = {name: [each for each in some if each not in removed] for name, some in found.items()}
    figures = _figures(kept, base)
    texts = [figures.get(each, each) for each in kept.get("text", ())]
    if not texts:
        return None
    body = root.makeelement("div")
    inside: set[etree._Element] = set()
    for element in texts:
        if element not in inside:
            inside.update(element.iter(etree.Element))
            body.append(_wrapped(element))
    lead = next((figure for figure in figures.values() if figure not in inside), None)
    if lead is not None:
        body.insert(
            0, _completed(_copy(lead), kept, inside.union(*(old.iter() for old in figures)))
        )
    return body


def _emptied(elements: Iterable[etree._Element]) -> set[etree._Element]:
    """Empty `elements`; return them and what was in them.

    None is taken out: the text behind it would have to be joined to the text before it, and
    for many in a row that is quadratic.
    """
    gone: set[etree._Element] = set()
    for element in elements:
        if element not in gone:
            gone.update(element.iter(etree.Element))
            tail = element.tail
            element.clear()
            element.tag = "div" if element.tag in PARAGRAPHS else "span"
            element.tail = tail
    return gone


def _wrapped(element: etree._Element) -> etree._Element:
    """Return a copy of `element`, without the text behind it, that is a block whatever it is."""
    block = element.makeelement("div")
    block.append(_copy(element))
    return block


def _copy(element: etree._Element) -> etree._Element:
    copy = deepcopy(element)
    copy.tail = None
    return copy


def _figures(kept: _Found, base: str) -> dict[etree._Element, etree._Element]:
    """Put a `<figure>` in the place of each picture; return the new ones by the old."""
    wanted = kept.get("figure", ())
    # Of one in another the inner ones are the pictures, and the outer a gallery.
    outer = {above for each in wanted for above in each.iterancestors()}
    marks = {each: name for name in ("caption", "credit") for each in kept.get(name, ())}
    made = {}
    for element in wanted:
        parent = element.getparent()
        if element in outer or parent is None:
            continue
        figure = _figure(element, marks, base)
        if figure is not None:
            figure.tail = element.tail
            parent.replace(element, figure)
            made[element] = figure
    return made


def _figure(
    element: etree._Element, marks: Mapping[etree._Element, str], base: str
) -> etree._Element | None:
    pictures = (img for img in element.iter("img") if picture_url(img, base))
    img = next(pictures, None)
    if img is None:
        return None
    figure = element.makeelement("figure")
    marked = [each for each in element.iter(etree.Element) if each in marks]
    if marked:
        figure.append(_copy(img))
        _add_legend(figure, marked, marks)
        return figure
    for other in pictures:
        other.attrib.clear()
        other.tag = "span"
    figure.append(_copy(element))
    if element.tag == "figure":
        figure[0].tag = "div"
    return figure


def _add_legend(
    figure: etree._Element, marked: Sequence[etree._Element], marks: Mapping[etree._Element, str]
) -> None:
    """Add the caption and credit that were found; a credit inside the caption is cut out of it."""
    credits_ = [each for each in marked if marks[each] == "credit"]
    credit = " ".join(dict.fromkeys(plain(_value(each)) for each in credits_))
    _emptied(credits_)
    legend = figure.makeelement("figcaption")
    inside: set[etree._Element] = set()
    for element in marked:
        if marks[element] == "caption" and element not in inside:
            inside.update(element.iter(etree.Element))
            part = _copy(element)
            part.tag = "span"
            part.attrib.clear()
            part.tail = " "
            legend.append(part)
    if plain(credit):
        etree.SubElement(legend, "span", {"class": "credit"}).text = credit
    figure.append(legend)


def _completed(lead: etree._Element, kept: _Found, taken: set[etree._Element]) -> etree._Element:
    """Return the lead picture with the caption and credit that stand beside it, if it has none."""
    names = {
        each: name
        for name in ("caption", "credit")
        for each in [other for other in kept.get(name, ()) if other not in taken][:1]
    }
    if names and next(lead.iter("figcaption"), None) is None:
        _add_legend(lead, list(names), names)
    return lead
