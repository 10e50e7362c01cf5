"""Which lines of a page are the article: trafilatura's judgement, in precision mode.

Only its judgement is used: the markup, links and figures come from the page itself
(`select`), because here they would be lost or moved.
"""

import trafilatura
from lxml import html
from trafilatura.external import jt_stoplist_init
from trafilatura.settings import Document

from mirror.article.cleaning.limits import LIBRARY_ERRORS
from mirror.article.cleaning.shape import text_of
from mirror.errors import FormatError


def warm_up() -> None:
    """Load the stop lists that the library opens on first use, when the box has no files left."""
    jt_stoplist_init()


def main_lines(root: html.HtmlElement) -> list[str]:
    """Return the article's paragraphs, headings, list items and cells, as text.

    Raises:
        FormatError: the library failed on this tree.
    """
    try:
        document = trafilatura.bare_extraction(root, favor_precision=True, include_comments=False)
    except LIBRARY_ERRORS as e:
        raise FormatError(f"page: unreadable: {type(e).__name__}: {e!s:.100}") from e
    if not isinstance(document, Document) or document.body is None:
        return []
    lines = []
    for element in document.body.iter("p", "head", "item", "quote", "cell", "code"):
        if not any(True for _ in element.iterchildren("p", "item", "quote", "cell", "list")):
            lines.append(text_of(element))
    return [line for line in lines if line.strip()]
