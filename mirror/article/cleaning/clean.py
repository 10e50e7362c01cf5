"""Hostile HTML to clean blocks: an allow-list, rebuilt from nothing.

Three steps, each enough against most attacks: the shape is checked before a parser sees it
(`limits`); the tree is walked and new markup written from a fixed set of tags, every address
parsed again (`flow`); and each block with a tag inside passes nh3's allow-list, after which
nothing is added.
Text is not touched: no quote is balanced, no letter changed. Runs of white space become one
space, as a browser shows them.
"""

import re
from collections.abc import Sequence

from lxml import etree, html

from mirror.article.cleaning.context import Context
from mirror.article.cleaning.flow import Flow
from mirror.article.cleaning.limits import (
    MAX_BODY_CHARS,
    MAX_BODY_TAGS,
    MAX_TEXT_BYTES,
    check_depth,
    check_markup,
)
from mirror.article.cleaning.notes import places, resolved
from mirror.article.cleaning.select import article_blocks, letters
from mirror.article.cleaning.tags import CLEANER
from mirror.article.text import visible_text, without_controls
from mirror.errors import FormatError

_HEADING = re.compile(r"<(/?)h([1-6])\b")


def clean(markup: str, *, base: str, lang: str) -> tuple[str, ...]:
    """Return the blocks of a body of HTML; `base` is what its relative addresses refer to.

    Raises:
        FormatError: too large, too crowded or too deeply nested (`limits`).
    """
    if len(markup) > MAX_BODY_CHARS:
        raise FormatError(f"article: too large: more than {MAX_BODY_CHARS} characters")
    markup = without_controls(markup)
    check_markup(markup, subject="article", max_tags=MAX_BODY_TAGS)
    root = parse_html(markup)
    if root is None:
        return ()
    check_depth(root, subject="article")
    return clean_tree(root, base=base, lang=lang)


def clean_tree(root: etree._Element, *, base: str, lang: str) -> tuple[str, ...]:
    """Return the blocks of a tree that `parse_html` made; the tree is used up."""
    context = Context(base=base, lang=lang, places=places(root, base))
    return _cleaned(_flowed(root, context), context)


def page_blocks(
    root: etree._Element, lines: Sequence[str], *, base: str, lang: str, title: str
) -> tuple[str, ...]:
    """Return the blocks of the article in a whole page; `lines` are what `maintext` found."""
    if not lines:
        return ()
    context = Context(base=base, lang=lang, places=places(root, base), whole_page=True)
    return _cleaned(article_blocks(_flowed(root, context), lines, title=title), context)


def body_blocks(body: etree._Element, *, base: str, lang: str, title: str) -> tuple[str, ...]:
    """Return the blocks of a part of a page, all but those that only repeat its title."""
    heading = letters(title)
    context = Context(base=base, lang=lang, places=places(body, base), whole_page=True)
    blocks = _flowed(body, context)
    kept = [each for each in blocks if not heading or letters(visible_text(each)) != heading]
    return _cleaned(kept, context)


def _flowed(part: etree._Element, context: Context) -> list[str]:
    flow = Flow(context)
    flow.children(part)
    flow.end_line()
    return flow.blocks


def parse_page(markup: str) -> html.HtmlElement | None:
    """Return the tree of a whole page, or None if it is empty."""
    parser = html.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True
    )
    try:
        return html.document_fromstring(markup.encode("utf-8", "replace"), parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None


def parse_html(markup: str) -> etree._Element | None:
    """Return the tree of `markup`, read as leniently as a browser does, or None if empty."""
    parser = etree.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True
    )
    try:
        root = etree.fromstring(markup.encode("utf-8", "replace"), parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None  # nothing but space and comments
    return root


def _cleaned(blocks: Sequence[str], context: Context) -> tuple[str, ...]:
    blocks = resolved(blocks, context.places)
    if sum(len(block.encode()) for block in blocks) > MAX_TEXT_BYTES:
        raise FormatError(f"article: too large: more than {MAX_TEXT_BYTES} bytes of text")
    cleaned = (block if _is_bare(block) else CLEANER.clean(block) for block in _renumbered(blocks))
    return tuple(block for block in cleaned if block)


def _is_bare(block: str) -> bool:
    """Return whether this is a paragraph of escaped text alone: nothing could be refused."""
    ends = block.startswith("<p>") and block.endswith("</p>")
    return ends and block.count("<") == 2 and block.count(">") == 2


def _renumbered(blocks: Sequence[str]) -> list[str]:
    """Return blocks whose sub-headings begin at h2 (the title is h1) and skip no level."""
    levels = sorted({match[2] for block in blocks if (match := _HEADING.match(block))})
    new = {level: min(rank, 4) for rank, level in enumerate(levels, 2)}
    if not levels:
        return list(blocks)
    return [
        _HEADING.sub(lambda m: f"<{m[1]}h{new[m[2]]}", block) if _HEADING.match(block) else block
        for block in blocks
    ]
