"""Pictures and embedded things in hostile markup: their address, caption and credit."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import chain, islice, takewhile

from lxml import etree

from mirror.article.cleaning.shape import text_of
from mirror.article.links import absolute, host_of
from mirror.article.strings import Strings
from mirror.article.text import plain, plain_of_html, shortened

_CREDIT = re.compile(
    r"credit|copyright|photographer|(?:^|[-_\s])(?:source|author|byline|agency)(?:$|[-_\s])", re.I
)
_CAPTION = re.compile(r"(?:^|[-_\s])(?:caption|description|legend|cutline)", re.I)
_LAZY = ("data-src", "data-lazy-src", "data-original", "data-full-url", "data-image", "src")
_SMALL = re.compile(r"\s*[012](?:\.\d*)?(?:px)?\s*\Z")
_SMALL_STYLE = re.compile(r"(?:^|[;\s])(?:width|height)\s*:\s*[012](?:px)?\s*(?:;|!|\Z)", re.I)
_TRACKER = re.compile(
    r"https?://(?:[^/]*\.)?(?:pixel\.wp\.com|stats\.wordpress\.com|feeds\.feedburner\.com/~|"
    r"feedsportal\.com|doubleclick\.net|google-analytics\.com|googlesyndication\.com|"
    r"scorecardresearch\.com|mc\.yandex\.ru|counter\.yadro\.ru|top-fwz1\.mail\.ru|"
    r"facebook\.com/tr|pixel\.quantserve\.com|b\.scorecardresearch\.com|pi\.feedsportal\.com)",
    re.I,
)
"""Counters that some feeds put in as pictures without saying their size."""
MAX_ALT_CHARS = 300
"""Of what stands for a picture where it is not seen: longer ones are lists of search words."""
_MAX_SOURCES = 8
_FILE_NAME = re.compile(r"\.(?:jpe?g|png|gif|webp)\b", re.I)


@dataclass(frozen=True, slots=True)
class Figure:
    """One picture: where its original is, and what the source says of it."""

    url: str
    caption: str
    """Inline HTML, clean already, or ""."""
    credit: str
    """Plain text, or ""."""
    alt: str = ""
    """What is to be seen, for who cannot see it: plain text, or ""."""


def picture_url(img: etree._Element, base: str) -> str:
    """Return the absolute address of an `<img>`, or "" for a tracker, an icon or none.

    Lazy loaders keep the real address in an attribute of their own and a blank in `src`.
    """
    sizes = (img.get("width", ""), img.get("height", ""))
    if any(_SMALL.match(size) for size in sizes) or _SMALL_STYLE.search(img.get("style", "")):
        return ""
    for candidate in _candidates(img):
        url = absolute(candidate, base)
        if url:
            return "" if _TRACKER.match(url) else url
    return ""


def is_icon(img: etree._Element) -> bool:
    """Return whether a picture stands for a character: an emoji or a smiley."""
    classes = img.get("class", "").split()
    return "emoji" in classes or "wp-smiley" in classes


def described(img: etree._Element) -> str:
    """Return an `alt` text that can serve as a caption: words, and no file name."""
    alt = plain(img.get("alt", ""))
    return "" if len(alt.split()) < 3 or _FILE_NAME.search(alt) else alt


def alternative(img: etree._Element, caption: str) -> str:
    """Return an `alt` text that says something, and more than the `caption` (HTML) does, or ""."""
    alt = plain(img.get("alt", ""))
    told = plain_of_html(caption).casefold()
    if _FILE_NAME.search(alt) or alt.casefold() in told:
        return ""
    return shortened(alt, max_chars=MAX_ALT_CHARS)


def figure_html(figure: Figure, words: Strings) -> str:
    """Return the block that stands for a picture: a link to the original, caption, credit."""
    parts = []
    if figure.caption:
        parts.append(f'<span itemprop="caption">{figure.caption}</span>')
    if figure.credit:
        credit = escape(figure.credit, quote=False)
        parts.append(f'<span class="credit" itemprop="creditText">{credit}</span>')
    legend = f"<figcaption>{' '.join(parts)}</figcaption>" if parts else ""
    title = f' title="{escape(figure.alt)}"' if figure.alt else ""
    return (
        '<figure itemprop="image" itemscope="" itemtype="https://schema.org/ImageObject">'
        f'<a itemprop="contentUrl" href="{escape(figure.url)}"{title}>{words.photo}</a>'
        f"{legend}</figure>"
    )


def split_legend(figure: etree._Element) -> tuple[etree._Element | None, str]:
    """Return the element of a figure's caption and the text of its credit.

    The credit is cut out of the tree, so that what is left of the caption is the caption.
    """
    credits_ = []
    for element in list(figure.iterdescendants()):
        if _is_credit(element) and not element.xpath(".//img"):
            credits_.append(plain(text_of(element)))
            _cut(element)
    return _caption_of(figure), " ".join(dict.fromkeys(text for text in credits_ if text))


def embed_html(element: etree._Element, base: str, words: Strings) -> str:
    """Return a link, titled, in place of an embedded player or page, or ""."""
    sources = [element, *element.iterdescendants("source")]
    candidates = (part.get(name, "") for part in sources for name in ("src", "data-src", "data"))
    url = next((url for url in (absolute(text, base) for text in candidates if text) if url), "")
    sizes = (element.get("width", ""), element.get("height", ""))
    if not url or _TRACKER.match(url) or any(_SMALL.match(size) for size in sizes):
        return ""
    label = {"video": words.video, "audio": words.audio}.get(str(element.tag), words.embed)
    title = plain(element.get("title", "")) or host_of(url)
    return f'<p><a href="{escape(url)}">{label}: {escape(title, quote=False)}</a></p>'


def _candidates(img: etree._Element) -> Iterator[str]:
    for name in _LAZY:
        value = img.get(name, "").strip()
        if value and not value.lower().startswith("data:"):
            yield value
    for element in (img, *_sources(img)):
        for name in ("data-srcset", "srcset"):
            # The last candidate is the largest in most sets; commas may be part of an address.
            sets = re.split(r",\s+", element.get(name, ""))
            entries = [part.split()[0] for part in sets if part.split()]
            yield from entries[-1:]


def _sources(img: etree._Element) -> Iterator[etree._Element]:
    """Yield the `<source>` elements of a picture, which libxml2 may have put around it."""
    beside = takewhile(lambda each: each.tag == "source", img.itersiblings(preceding=True))
    around = takewhile(lambda each: each.tag == "source", img.iterancestors())
    yield from islice(chain(beside, around), _MAX_SOURCES)


def _is_credit(element: etree._Element) -> bool:
    if element.tag in ("img", "figcaption", "a", "picture"):
        return element.tag == "a" and element.get("rel") == "author"
    names = f"{element.get('class', '')} {element.get('itemprop', '')}"
    return names != " " and bool(_CREDIT.search(names)) and not _CAPTION.search(names)


def _caption_of(figure: etree._Element) -> etree._Element | None:
    for element in figure.iterdescendants("figcaption"):
        return element
    for element in figure.iterdescendants():
        if _CAPTION.search(element.get("class", "")) and not element.xpath(".//img"):
            return element
    return None


def _cut(element: etree._Element) -> None:
    """Remove `element` but not the text behind it, which lxml counts as a part of it."""
    parent = element.getparent()
    if parent is None:
        return
    before, tail = element.getprevious(), element.tail or ""
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    parent.remove(element)
