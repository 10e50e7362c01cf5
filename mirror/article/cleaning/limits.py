"""Refuses markup whose shape makes a parser slow, before any parser sees it."""

import re

from lxml import etree

from mirror.errors import FormatError

LIBRARY_ERRORS = (
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
    RecursionError,
    OverflowError,
    etree.LxmlError,
)
"""What feedparser and trafilatura raised on hostile bytes; they declare none of them. The last is
also how libxml2 says that there is no memory left."""

MAX_DEPTH = 120
"""nh3 is quadratic in nesting (40,000 `<div>`: 12.6 s), libxml2 drops what is deeper than 255,
and `flow` needs up to four stack frames for each level; the deepest of 282 news pages has 51."""
MAX_ATTRIBUTES = 250
"""On one tag: lxml is quadratic in them (50,000: 20 s); the largest number seen is 73."""
MAX_BODY_CHARS = 4_000_000
"""Of one entry's body: a book, or a text with its pictures inside (2.7 MB in one capture)."""
MAX_TEXT_BYTES = 1_000_000
"""Of an article's clean blocks, pictures gone: a book of 160,000 words; the longest honest
articles have a tenth. Cutting it into parts takes up to 2 s."""
MAX_BODY_TAGS = 50_000
"""Cleaning takes about 10 µs for each; the most in a captured body are 2,258."""
MAX_PAGE_BYTES = 5 * 1024 * 1024
"""The fetcher's cap, once more: bytes may come from elsewhere."""
MAX_PAGE_TAGS = 30_000
"""Extraction takes up to 170 µs for each; the most in 282 news pages are 6,805."""

_ATTRIBUTE = (
    r"""[\s/]*+[^\s/>][^\s/>=]{0,200}+"""
    r"""(?:\s*+=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\s>]{0,200}+))?+"""
)
_CROWDED = re.compile(rf"<[a-zA-Z][^\s/>]{{0,200}}+(?:{_ATTRIBUTE}){{{MAX_ATTRIBUTES + 1}}}")
"""A tag with too many attributes, read as the HTML standard's tokenizer does; every quantifier
is possessive, and those that could run to the end from each of 50,000 places are short: what goes
on behind them counts as one attribute more."""
_TEXT_ONLY = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))|<(script|style|textarea|title|xmp|iframe|noembed|noframes)\b.*?(?:</\1|\Z)",
    re.IGNORECASE | re.DOTALL,
)
"""In these a "<" begins no tag: scripts compare numbers with it."""
_TOO_DEEP = etree.XPath(f"boolean({'/*' * (MAX_DEPTH + 1)})")


def check_markup(markup: str, *, subject: str, max_tags: int) -> None:
    """Refuse markup that is too crowded for a parser.

    Raises:
        FormatError: more than `max_tags` tags, or too many attributes; names `subject`.
    """
    if markup.count("<") > max_tags:
        raise FormatError(f"{subject}: too large: more than {max_tags} tags")
    if len(markup) <= 2 * MAX_ATTRIBUTES or not _CROWDED.search(markup):
        return
    if _CROWDED.search(_TEXT_ONLY.sub("<i>", markup)):
        raise FormatError(f"{subject}: refused: more than {MAX_ATTRIBUTES} attributes on one tag")


def check_depth(root: etree._Element, *, subject: str) -> None:
    """Refuse a tree that is too deep for what walks it.

    Raises:
        FormatError: deeper than `MAX_DEPTH`; names `subject`.
    """
    if _TOO_DEEP(root):
        raise FormatError(f"{subject}: refused: tags nested deeper than {MAX_DEPTH}")
