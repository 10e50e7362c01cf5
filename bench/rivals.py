"""What pages are read with elsewhere, each as its documentation says to call it.

None may fetch anything: they are given the page, and what they run in is sealed. So newspaper4k
refuses pages in Korean and Japanese, for which it wants models and packages of their own.
"""

import logging
import re
import warnings
from collections.abc import Callable

import lxml.etree
import newspaper
import readability
import trafilatura
from readability.readability import Unparseable

from mirror.article.charset import decoded
from mirror.article.text import visible_text

Extractor = Callable[[bytes, str], str]
"""From a page and its address to its text, "" where it is refused."""

UNABLE = (newspaper.ArticleException, lxml.etree.LxmlError, ValueError, LookupError, ImportError)
_BLOCK_END = re.compile(r"</(?:p|div|h[1-6]|li|figcaption|blockquote|tr)>|<br\s*/?>")


logging.getLogger("readability").setLevel(logging.CRITICAL)  # what it logs, it raises too


def readability_lxml(page: bytes, url: str) -> str:
    """Return the text of the summary."""
    try:
        summary = readability.Document(decoded(page, "text/html"), url=url or None).summary()
    except (Unparseable, lxml.etree.LxmlError, ValueError):
        return ""
    return "\n".join(filter(None, map(visible_text, _BLOCK_END.split(summary))))


def newspaper4k(page: bytes, url: str) -> str:
    """Return the text of the article, whose pictures are not asked for."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of time zones that it does not know
            article = newspaper.article(
                url or "https://news.example/1",
                input_html=decoded(page, "text/html"),
                fetch_images=False,
            )
    except UNABLE:
        return ""
    return str(article.text)


def trafilatura_defaults(page: bytes, url: str) -> str:
    """Return the text with every option as it comes."""
    return trafilatura.extract(page, url=url or None) or ""


RIVALS: dict[str, Extractor] = {
    "trafilatura, defaults": trafilatura_defaults,
    "readability-lxml": readability_lxml,
    "newspaper4k": newspaper4k,
}
