"""What feedparser found in one `<item>` or `<entry>`, made an entry."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from mirror.article.dates import utc
from mirror.article.entry import (
    MAX_TITLE_CHARS,
    Entry,
    change_of,
    guid_of,
    line_of,
    markup_of,
    names_of,
    paragraphs,
    tags_of,
    title_of,
)
from mirror.article.feeds.fulltext import Body, best_body
from mirror.article.feeds.rsspicture import picture_of
from mirror.article.feeds.rssvalues import dicts_in, text_in, value_in
from mirror.article.lang import normalised
from mirror.article.links import absolute
from mirror.article.text import plain, plain_of_html, without_controls


@dataclass(frozen=True, slots=True)
class Around:
    """What an entry takes from the feed that it is in."""

    version: str
    """As feedparser calls it: `rss20`, `atom10`."""
    base: str
    lang: str
    inherited: frozenset[str]
    """Languages that a text in an entry has from the feed, and not of its own."""
    zone: tzinfo
    """Of dates that name none."""


def entry_of(item: Any, around: Around) -> Entry | None:  # noqa: ANN401 - of feedparser
    """Return the entry; None for one with neither guid nor link nor title nor text."""
    own = text_in(value_in(item, "title_detail", dict), "base")
    base = absolute(own, around.base) or around.base
    body, full = best_body(_bodies(item, around.version))
    guid = guid_of(text_in(item, "id"))
    link = _link(item, base)
    title = line_in(item, "title", around.version) or title_of("", body.html)
    if not (guid or link or title):
        return None
    published, updated = _dates(item, around.zone)
    return Entry(
        guid=guid,
        link=link,
        title=title,
        authors=_authors(item),
        published=published,
        html=body.html,
        full=full,
        lang=_own_lang(item, body, around) or around.lang,
        updated=change_of(updated, published),
        tags=_tags(item),
        picture=picture_of(item, base),
    )


def line_in(item: Any, name: str, version: str) -> str:  # noqa: ANN401
    """Return a title as a line: Atom says whether it is HTML; in RSS it often is, unsaid."""
    text = text_in(item, name)
    detail = value_in(item, f"{name}_detail", dict)
    is_plain = version.startswith("atom") and text_in(detail, "type") == "text/plain"
    return line_of(plain(text) if is_plain else plain_of_html(text), max_chars=MAX_TITLE_CHARS)


def _bodies(item: Any, version: str) -> Iterator[Body]:  # noqa: ANN401
    """Yield every text that the entry has, the most promising kinds first."""
    for name in ("yandex_full-text", "turbo_content"):
        if text := text_in(item, name):
            yield Body(markup_of(without_controls(text)), kind="content")
    for detail in dicts_in(item, "content"):
        yield _body(detail, "content", version)
    if detail := value_in(item, "summary_detail", dict):
        yield _body(detail, "summary", version)


def _body(detail: Any, kind: str, version: str) -> Body:  # noqa: ANN401
    media_type = text_in(detail, "type")
    if media_type and not media_type.startswith(("text/", "application/xhtml")):
        return Body("", kind=kind)
    text = without_controls(text_in(detail, "value"))
    # Atom means it when it says that a text is plain; RSS says it of HTML too.
    is_plain = media_type == "text/plain" and version.startswith("atom")
    html = paragraphs(text) if is_plain else markup_of(text)
    return Body(html, kind=kind, lang=text_in(detail, "language"))


def _link(item: Any, base: str) -> str:  # noqa: ANN401
    """Return the original's address; feedburner's own links are redirects that count readers."""
    candidates = [text_in(item, "feedburner_origlink"), text_in(item, "link")]
    for link in dicts_in(item, "links"):
        if text_in(link, "rel") == "alternate":
            candidates.append(text_in(link, "href"))
    links = (absolute(candidate, base) for candidate in candidates)
    return next((link for link in links if link), "")


def _authors(item: Any) -> tuple[str, ...]:  # noqa: ANN401
    names = [text_in(author, "name") for author in dicts_in(item, "authors")]
    # feedparser repeats the first of several names as `author`, and mail addresses beside names.
    return names_of((*names, text_in(item, "author")))


def _tags(item: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Return labels, which are for people, and of categories without one the term."""
    return tags_of(text_in(tag, "label") or text_in(tag, "term") for tag in dicts_in(item, "tags"))


def _own_lang(item: Any, body: Body, around: Around) -> str:  # noqa: ANN401
    """Return the language that the entry names for itself, or ""."""
    lang = normalised(body.lang)
    return lang if lang not in around.inherited else normalised(text_in(item, "language"))


def _dates(item: Any, zone: tzinfo) -> tuple[str, str]:  # noqa: ANN401
    """Return when an entry was published, as near as the feed says it, and when updated."""
    updated = _date(item, "updated", zone)
    return _date(item, "published", zone) or updated or _date(item, "created", zone), updated


def _date(item: Any, name: str, zone: tzinfo) -> str:  # noqa: ANN401
    if when := utc(text_in(item, name), zone):
        return when
    # The library knows some more forms, Greek and Korean ones, whose zones it knows too.
    parsed = dict.get(item, f"{name}_parsed")
    if isinstance(parsed, time.struct_time) and 1970 <= parsed.tm_year <= 9999:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", parsed)
    return ""
