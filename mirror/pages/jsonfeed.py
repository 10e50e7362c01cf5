"""The JSON Feed of the newest articles, from which the next edition takes their summaries.

Format: https://www.jsonfeed.org/version/1.1/ (`_mirror` is an extension: the revision told of).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mirror.errors import FormatError
from mirror.formats.encoding import decode_json, encode_time
from mirror.pages.feeds import JSON_FEED, Feed
from mirror.pages.fit import MAX_FEED, ROOMS, Room, cut, fitting
from mirror.pages.frame import article_path
from mirror.pages.story import Story, Told

MAX_BYTES = 1 << 20  # of a feed that is read back; thirty items take some 30 kB
Remembered = Mapping[tuple[str, int], Told]
"""What was told of an article's revision, by its id in feeds and the revision's number."""


def json_feed(feed: Feed, stories: Sequence[Story]) -> bytes:
    """Return `feed.json`: the newest articles, newest first."""
    return fitting(lambda room: _document(feed, stories, room), ROOMS, max_bytes=MAX_FEED)


def _document(feed: Feed, stories: Sequence[Story], room: Room) -> bytes:
    shown: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.frame.masthead.newsroom,
        "home_page_url": "index.html",
        "feed_url": JSON_FEED,
    }
    if feed.frame.lang:
        shown["language"] = feed.frame.lang
    shown["items"] = [_item(feed, cut(each, room), each.told) for each in stories]
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _item(feed: Feed, story: Story, whole: Told | None) -> dict[str, Any]:
    """Return an item; what was cut from `whole` is not remembered but read again from its page."""
    item: dict[str, Any] = {
        "id": feed.entry_id(story),
        "url": article_path(story.short),
        "title": story.title,
        "date_published": encode_time(story.first),
        "content_text": "",  # an item without content is not valid; here it is the summary
    }
    if story.time != story.first:
        item["date_modified"] = encode_time(story.time)
    if story.lang and story.lang != feed.frame.lang:
        item["language"] = story.lang
    if story.told:
        item["content_text"] = story.told.summary
        if story.told == whole:
            item["_mirror"] = {"rev": story.rev}
        if story.told.original:
            item["external_url"] = story.told.original
        if story.told.authors:
            item["authors"] = [{"name": name} for name in story.told.authors]
    return item


def remembered(data: bytes) -> Remembered:
    """Return what a `feed.json` of this program told, as far as it is one; nothing is an error."""
    try:
        value = decode_json(data) if len(data) <= MAX_BYTES else None
    except FormatError:
        return {}
    items = value.get("items") if isinstance(value, dict) else None
    found = map(_told, items if isinstance(items, list) else ())
    return dict(each for each in found if each)


def _told(item: object) -> tuple[tuple[str, int], Told] | None:
    if not isinstance(item, dict):
        return None
    match item | {"external_url": item.get("external_url", ""), "authors": item.get("authors", [])}:
        case {
            "id": str(id_),
            "content_text": str(summary),
            "external_url": str(original),
            "authors": list(authors),
            "_mirror": {"rev": int(rev)},
        }:
            names = [each.get("name") for each in authors if isinstance(each, dict)]
            known = tuple(name for name in names if isinstance(name, str))
            return (id_, rev), Told(summary, original, known)
    return None
