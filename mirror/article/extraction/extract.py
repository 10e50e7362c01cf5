"""An entry, and the page it links to, to an article."""

import re
from dataclasses import dataclass, replace

from lxml import html

from mirror.article.article import Article
from mirror.article.charset import decoded
from mirror.article.cleaning.clean import body_blocks, clean, page_blocks, parse_page
from mirror.article.cleaning.figure import Figure, figure_html
from mirror.article.cleaning.limits import MAX_PAGE_BYTES, MAX_PAGE_TAGS, check_depth, check_markup
from mirror.article.cleaning.select import letters
from mirror.article.entry import MAX_TAGS, Entry, change_of
from mirror.article.extraction.maintext import main_lines
from mirror.article.extraction.metadata import Metadata, metadata
from mirror.article.extraction.siterules import SiteRules
from mirror.article.extraction.sitetext import Ruled, ruled
from mirror.article.lang import direction, normalised
from mirror.article.links import absolute, original
from mirror.article.strings import strings
from mirror.article.text import visible_text, without_controls
from mirror.errors import FormatError

MIN_PAGE_CHARS = 200
"""Below it a page is a video, a login form or a challenge, unless it holds the feed's words."""
MIN_LOCKED_CHARS = 1500
"""A page that says it is not free and shows less than this shows a teaser."""
MIN_KEPT = 0.3
"""Of an entry's visible text; with less, the cleaner dropped the article and kept its frame."""

_NO_PICTURE = re.compile(
    r"(?i)logos?(?![a-z])|placeholder|(?<![a-z])(?:default|share|sharing)(?![a-z])[^/]*\Z"
)
"""In the path of a picture that stands for any article, or for none. Drupal keeps all that are
uploaded in `/sites/default/files/`."""


@dataclass(frozen=True, slots=True)
class Told:
    """The article in a page, and what the operator should know of it, "" for nothing."""

    article: Article
    alert: str = ""


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
    return _article(entry, lang=tag, blocks=blocks, partial=partial)


def from_page(page: bytes, *, entry: Entry, url: str, content_type: str, lang: str) -> Article:
    """Return the article of `read_page`, without rules."""
    return read_page(page, entry=entry, url=url, content_type=content_type, lang=lang).article


def read_page(
    page: bytes,
    *,
    entry: Entry,
    url: str,
    content_type: str,
    lang: str,
    rules: SiteRules | None = None,
) -> Told:
    """Return the article in the page that `url` answered with.

    What `rules` find goes before what the entry says, and that before what the page says. Where
    the page has no text, the entry's own is a partial article.

    Raises:
        FormatError: too large or too deep for a parser, or there is no article text in it and
            none in the entry; or the rules are none (`siterules.check_rules`).
    """
    root = _tree(page, content_type)
    about = metadata(root)
    found = ruled(root, rules, base=url) if rules else Ruled()
    merged = _merged(entry, about, found, url)
    tag = entry.lang or about.lang or normalised(lang)
    blocks, alert = _text(root, found, rules, url=url, lang=tag, title=merged.title)
    text = visible_text(" ".join(blocks))
    short = len(text) < MIN_PAGE_CHARS
    if alert and entry.full and entry.html:  # what the feed has whole is better than a guess
        return Told(from_entry(entry, lang=lang), f"{alert}; the feed's own text stands for it")
    if short and not _holds(text, visible_text(entry.html)):
        return _instead(entry, lang=lang, size=len(text), alert=alert)
    partial = short or (about.locked and len(text) < MIN_LOCKED_CHARS)
    article = _article(merged, lang=tag, blocks=blocks, partial=partial)
    return Told(replace(article, stated=found.published[:10] or about.stated), alert)


def _tree(page: bytes, content_type: str) -> html.HtmlElement:
    if len(page) > MAX_PAGE_BYTES:
        raise FormatError(f"page: too large: more than {MAX_PAGE_BYTES} bytes")
    markup = without_controls(decoded(page, content_type))
    check_markup(markup, subject="page", max_tags=MAX_PAGE_TAGS)
    root = parse_page(markup)
    if root is None:
        raise FormatError("page: empty: no tag in it")
    check_depth(root, subject="page")
    return root


def _text(
    root: html.HtmlElement,
    found: Ruled,
    rules: SiteRules | None,
    *,
    url: str,
    lang: str,
    title: str,
) -> tuple[tuple[str, ...], str]:
    """Return the page's blocks, and the alert that its rules find none."""
    alert = ""
    if found.body is not None:
        blocks = body_blocks(found.body, base=url, lang=lang, title=title)
        if any(not block.startswith("<figure") for block in blocks):
            return blocks, ""
    if rules and rules.text:
        alert = f"the rules for {rules.host} find no text on {url}: look whether the site changed"
    return page_blocks(root, main_lines(root), base=url, lang=lang, title=title), alert


def _merged(entry: Entry, about: Metadata, found: Ruled, url: str) -> Entry:
    """Return the entry with what the rules and the page say of the article."""
    published = found.published or entry.published or about.published
    named = (*found.tags, *entry.tags) if found.tags else (*entry.tags, *about.tags)
    return replace(
        entry,
        link=entry.link or url,
        title=found.title or entry.title or about.title,
        authors=found.authors or entry.authors or about.authors,
        published=published,
        updated=entry.updated or change_of(about.modified, published),
        tags=tuple(dict.fromkeys(named))[:MAX_TAGS],
        picture=entry.picture or absolute(about.picture, url),
    )


def _instead(entry: Entry, *, lang: str, size: int, alert: str) -> Told:
    """Return the entry's own text where its page has none: a teaser is better than silence."""
    missing = f"page: no article text found in it: {size} characters"
    if not visible_text(entry.html):
        raise FormatError(missing)
    article = from_entry(entry, lang=lang)  # partial, if the feed has not all of it
    alerts = (alert, f"{missing}: the feed's own text stands for it: {entry.link}")
    return Told(article, "; ".join(each for each in alerts if each))


def _holds(text: str, brief: str) -> bool:
    return bool(brief) and letters(brief.rstrip("….")) in letters(text)


def _article(entry: Entry, *, lang: str, blocks: tuple[str, ...], partial: bool) -> Article:
    sample = visible_text(" ".join((entry.title, *blocks[:3]))[:2000])
    return Article(
        url=original(entry.link),
        title=entry.title,
        authors=entry.authors,
        published=entry.published,
        lang=lang,
        dir=direction(lang, sample),
        blocks=_with_lead(blocks, entry.picture, lang),
        partial=partial,
        tags=entry.tags,
        modified=entry.updated,
    )


def _with_lead(blocks: tuple[str, ...], picture: str, lang: str) -> tuple[str, ...]:
    """Return blocks with the named lead picture in front, if there is none in them."""
    if not blocks or not picture or any("<figure" in block for block in blocks):
        return blocks
    path = picture.partition("?")[0].partition("#")[0]
    if _NO_PICTURE.search(path.split("/", 3)[-1]):
        return blocks
    return (figure_html(Figure(picture, "", ""), strings(lang)), *blocks)
