"""The Atom feeds: summaries of the newest, and the full text of all in pages of three.

RFC 4287; the pages are RFC 5005's archived feed: `feed/full.xml` has the newest articles and
leads, by `prev-archive`, through `feed/<j>.xml` with articles number 3j to 3j + 2, to the first.
An archive page is there once it is full; a revision rewrites the one page that holds it.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape

from mirror.article.strings import strings
from mirror.article.text import without_controls
from mirror.formats.encoding import encode_time
from mirror.formats.paths import article_folder
from mirror.pages.feeds import FULL_FEED, SUMMARY_FEED, Feed
from mirror.pages.fit import MAX_FEED, MAX_PAGE, ROOMS, Room, cut, fitting
from mirror.pages.frame import article_path
from mirror.pages.story import Story, Text

PAGE = 3  # articles: three texts of the usual length pass where connections freeze
_ROOMS = (
    *((ROOMS[0], size) for size in (1 << 20, 24_000, 16_000, 12_000, 9_000, 7_000, 5_000)),
    *((ROOMS[1], size) for size in (3_500, 2_000, 1_000)),
    (ROOMS[4], 0),
)
"""Longer texts are cut between two blocks, the longest first, and lead to the article's page."""
_LINKS = 500  # bytes of a document beside its entries, compressed
_BLOCK_END = re.compile(r"\n(?=<[a-z])")
_BESIDE = re.compile(r'(<a(?: itemprop="contentUrl")? href=)"([0-9a-f]{64}\.webp)(?=")')
"""A link to a picture beside its page, which a feed is not."""
_NO_XML = {0x0B: " ", 0x0C: " "}
_TYPE = 'type="application/atom+xml"'
_HISTORY = "http://purl.org/syndication/history/1.0"


def summary_feed(feed: Feed, stories: Sequence[Story], *, issued: int) -> bytes:
    """Return `feed.xml`: the newest articles, newest first."""
    links = f'<link rel="self" {_TYPE} href="{SUMMARY_FEED}"/><link href="index.html"/>'

    def document(room: Room) -> bytes:
        fitted = [cut(story, room) for story in stories]
        entries = (_entry(feed, story, "", _summary(story)) for story in fitted)
        return _document(feed, "feed", encode_time(issued), links, "".join(entries))

    return fitting(document, ROOMS, max_bytes=MAX_FEED)


def touched(numbers: Iterable[int], *, count: int, before: int) -> set[int]:
    """Return the pages of three that articles `numbers` change; `before` were there before.

    With a page that is now full, the one before it learns that there is a next.
    """
    pages = {n // PAGE for n in numbers}
    newer = range(max(before // PAGE - 1, 0), count // PAGE)
    return pages | (set(newer) if count // PAGE > before // PAGE else set())


def full_text_files(
    feed: Feed, page: int, stories: Sequence[Story], *, count: int, changed: int
) -> dict[str, bytes]:
    """Return the files that show page `page` of three, whose records are from `changed` at last.

    `stories` are its articles that are not withdrawn, of `count` articles in all.
    """
    newest, full = (count - 1) // PAGE, count // PAGE
    previous = f'<link rel="prev-archive" {_TYPE} href="{page - 1}.xml"/>' if page else ""
    entries = fitting(
        lambda room: _texts(feed, stories, *room), _ROOMS, max_bytes=MAX_PAGE - _LINKS
    ).decode()
    when = encode_time(changed)
    files = {}
    if page < full:
        following = (
            f'<link rel="next-archive" {_TYPE} href="{page + 1}.xml"/>' if page + 1 < full else ""
        )
        links = (
            f'<fh:archive xmlns:fh="{_HISTORY}"/>{_own(f"{page}.xml")}'
            f'<link rel="current" {_TYPE} href="full.xml"/>{previous}{following}'
        )
        files[f"feed/{page}.xml"] = _document(feed, "full", when, links, entries)
    if page == newest:
        files[FULL_FEED] = _document(feed, "full", when, _own("full.xml") + previous, entries)
    return files


def _texts(feed: Feed, stories: Sequence[Story], room: Room, max_bytes: int) -> bytes:
    """Return the entries of `stories`, newest first, each with at most so much of its text."""
    fitted = [cut(story, room) for story in reversed(stories)]
    entries = (_entry(feed, story, "../", _content(story, max_bytes)) for story in fitted)
    return "".join(entries).encode()


def _own(name: str) -> str:
    return f'<link rel="self" {_TYPE} href="{name}"/><link href="../index.html"/>'


def _document(feed: Feed, name: str, when: str, links: str, entries: str) -> bytes:
    newsroom = _xml(feed.frame.masthead.newsroom)
    lang = f' xml:lang="{escape(feed.frame.lang)}"' if feed.frame.lang else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom"{lang}>'
        f"<id>{feed.id(name)}</id><title>{newsroom}</title><updated>{when}</updated>"
        f"<author><name>{newsroom}</name></author>{links}\n{entries}</feed>\n"
    ).encode()


def _entry(feed: Feed, story: Story, top: str, text: str) -> str:
    told = story.told
    via = f'<link rel="via" href="{_xml(told.original)}"/>' if told and told.original else ""
    authors = told.authors if told else ()
    names = "".join(f"<author><name>{_xml(name)}</name></author>" for name in authors)
    lang = f' xml:lang="{escape(story.lang)}"' if story.lang != feed.frame.lang else ""
    return (
        f"<entry{lang}><id>{feed.entry_id(story)}</id><title>{_xml(story.title)}</title>"
        f'<link href="{top}{article_path(story.short)}"/>{via}'
        f"{_first(story)}<updated>{encode_time(story.time)}</updated>{names}{text}</entry>\n"
    )


def _first(story: Story) -> str:
    """Return when an article that was revised since was published first."""
    if story.first == story.time:
        return ""
    return f"<published>{encode_time(story.first)}</published>"


def _summary(story: Story) -> str:
    if story.told is None or not story.told.summary:
        return ""
    return f"<summary>{_xml(story.told.summary)}</summary>"


def _content(story: Story, max_bytes: int) -> str:
    """Return the text as escaped HTML: not every reader takes XHTML, and none needs it."""
    text = story.text
    if text is None:
        return ""
    whole = _BESIDE.sub(rf'\1"../{article_folder(story.short)}/\2', text.body)
    body = _beginning(whole, max_bytes)
    if body != whole:
        title = escape(story.title, quote=False)
        body += f'\n<p><a href="../{article_path(story.short)}">{title} …</a></p>'
    else:
        body += _next_part(story, text)
    if story.dir == "rtl":  # a feed has no direction, and readers' own pages run the other way
        body = f'<div dir="rtl">{body}</div>'
    return f'<content type="html">{_xml(body)}</content>'


def _beginning(body: str, max_bytes: int) -> str:
    """Return as many whole blocks of `body` as fit; within a block, no line begins with a tag."""
    size, blocks = 0, []
    for block in _BLOCK_END.split(body):
        size += len(block.encode()) + 1
        if size > max_bytes:
            break
        blocks.append(block)
    return "\n".join(blocks)


def _next_part(story: Story, text: Text) -> str:
    if text.parts == 1:
        return ""
    label = strings(story.lang).part.format(part=2, parts=text.parts)
    path = f"../{article_folder(story.short)}/{story.rev}-2.html"
    return f'\n<p><a href="{path}">{label}</a></p>'


def _xml(text: str) -> str:
    """Return `text` for an XML document, without the characters that none may hold."""
    return escape(without_controls(text).translate(_NO_XML))
