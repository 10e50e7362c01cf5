"""What an element of a hostile tree is used for, as far as its looks tell."""

import re

from lxml import etree

_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_HEADING = re.compile(r"<h[1-6]([^>]*)>(.*)</h[1-6]>\Z", re.DOTALL)


def text_of(element: etree._Element) -> str:
    """Return all text inside `element`."""
    return "".join(str(part) for part in element.itertext())


def is_hidden(element: etree._Element) -> bool:
    """Return whether the element says itself that nobody should see it."""
    if not element.attrib:
        return False
    return "hidden" in element.attrib or bool(_HIDDEN.search(element.get("style", "")))


def is_list(element: etree._Element) -> bool:
    """Return whether a list lists; some sites put a whole page into one."""
    return next(element.iterdescendants("h1", "h2", "h3", "article", "figure"), None) is None


def is_figure(element: etree._Element) -> bool:
    """Return whether this is a picture with its caption."""
    return element.tag == "figure" or "wp-caption" in element.get("class", "").split()


def demoted(block: str) -> str:
    """Return a block for the inside of another: its headings are no part of the outline."""
    match = _HEADING.match(block)
    return f"<p{match[1]}><strong>{match[2]}</strong></p>" if match else block
