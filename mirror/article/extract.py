"""An entry, and the page it links to, to an article."""

from dataclasses import replace

from mirror.article.article import Article
from mirror.article.charset import decoded
from mirror.article.clean import clean, page_blocks, parse_page
from mirror.article.feed import Entry
from mirror.article.lang import direction, normalised
from mirror.article.limits import MAX_PAGE_BYTES, MAX_PAGE_TAGS, check_depth, check_markup
from mirror.article.links import original
from mirror.article.maintext import main_lines
from mirror.article.metadata import metadata
from mirror.article.select import letters
from mirror.article.text import visible_text, without_controls
from mirror.errors import FormatError

MIN_PAGE_CHARS = 200
"""Below it a page is a video, a login form or a challenge, unless it holds the feed's words."""
MIN_LOCKED_CHARS = 1500
"""A page that says it is not free and shows less than this shows a teaser."""
MIN_KEPT = 0.3
"""Of an entry's visible text; with less, the cleaner dropped the article and kept its frame."""


def from_entry(entry: Entry, *, lang: str) -> Article:
    """Return the article that the feed itself holds; `lang` where the feed names none.

    Raises:
        FormatError: the body is one that no parser should see (`limits`), or has text and
            none of it is left.
    """
    tag = entry.lang or normalised(lang)
    blocks = clean(entry.html, base=entry.link, lang=tag)
    counted = len(visible_text(entry.html))
    kept = len(visible_text(" ".join(blocks)))
    if counted and not kept:
        raise FormatError("entry: no article text found in it")
    partial = not entry.full or kept < counted * MIN_KEPT
    return _article(entry, url=original(entry.link), lang=tag, blocks=blocks, partial=partial)


def from_page(page: bytes, *, entry: Entry, url: str, content_type: str, lang: str) -> Article:
    """Return the article in the page that `url` answered with.

    The entry's own title, authors and date go before the page's.

    Raises:
        FormatError: too large or too deep for a parser, or there is no article text in it.
    """
    if len(page) > MAX_PAGE_BYTES:
        raise FormatError(f"page: too large: more than {MAX_PAGE_BYTES} bytes")
    markup = without_controls(decoded(page, content_type))
    check_markup(markup, subject="page", max_tags=MAX_PAGE_TAGS)
    root = parse_page(markup)
    if root is None:
        raise FormatError("page: empty: no tag in it")
    check_depth(root, subject="page")
    about = metadata(root)
    tag = entry.lang or about.lang or normalised(lang)
    title = entry.title or about.title
    lines = main_lines(root)
    blocks = page_blocks(root, lines, base=url, lang=tag, title=title)
    text = visible_text(" ".join(blocks))
    size = len(text)
    if size < MIN_PAGE_CHARS and not _holds(text, visible_text(entry.html)):
        raise FormatError(f"page: no article text found in it: {size} characters")
    return _article(
        replace(
            entry,
            title=title,
            authors=entry.authors or about.authors,
            published=entry.published or about.published,
        ),
        url=original(entry.link or url),
        lang=tag,
        blocks=blocks,
        partial=size < MIN_PAGE_CHARS or (about.locked and size < MIN_LOCKED_CHARS),
    )


def _holds(text: str, brief: str) -> bool:
    return bool(brief) and letters(brief.rstrip("….")) in letters(text)


def _article(
    entry: Entry, *, url: str, lang: str, blocks: tuple[str, ...], partial: bool
) -> Article:
    sample = visible_text(" ".join((entry.title, *blocks[:3]))[:2000])
    return Article(
        url=url,
        title=entry.title,
        authors=entry.authors,
        published=entry.published,
        lang=lang,
        dir=direction(lang, sample),
        blocks=blocks,
        partial=partial,
    )
