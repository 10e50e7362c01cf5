"""The lead picture that an `<item>` or `<entry>` names, in one of four ways."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from mirror.article.feeds.rssvalues import dicts_in, text_in, value_in
from mirror.article.links import absolute, host_of

MIN_WIDTH = 3
"""Narrower ones count readers."""

_IMAGE = re.compile(r"image/(?!svg)")
"""An SVG is a program; none is ever shown."""
_IMAGE_NAME = re.compile(r"\.(?:jpe?g|png|webp|gif|avif)(?:\?|\Z)", re.IGNORECASE)
_WIDTH = re.compile(r"([0-9]{1,5})(?:px)?")
_Sized = tuple[str, int | None]


def picture_of(item: Any, base: str) -> str:  # noqa: ANN401 - of feedparser
    """Return the absolute address of an entry's lead picture, or "".

    The widest of those that are given as pictures; a thumbnail only where there is no other.
    """
    named = [*_media(item), *_enclosures(item), *_itunes(item)]
    return _widest(named, base) or _widest(_thumbnails(item), base)


def _widest(pictures: Iterable[_Sized], base: str) -> str:
    """Return the address of the widest, of the first where no widths are given."""
    best, best_width = "", -1
    for url, width in pictures:
        if width is not None and width < MIN_WIDTH:
            continue
        if (width or 0) <= best_width or not (address := absolute(url, base)):
            continue
        # WordPress.com lists the author's portrait as the first picture of each entry.
        if not host_of(address).endswith("gravatar.com"):
            best, best_width = address, width or 0
    return best


def _media(item: Any) -> Iterator[_Sized]:  # noqa: ANN401
    for media in dicts_in(item, "media_content"):
        url = text_in(media, "url")
        if _is_image(text_in(media, "medium"), text_in(media, "type"), url):
            yield url, _width(media)


def _is_image(medium: str, media_type: str, url: str) -> bool:
    if media_type:
        return bool(_IMAGE.match(media_type))
    return medium == "image" or (not medium and bool(_IMAGE_NAME.search(url)))


def _enclosures(item: Any) -> Iterator[_Sized]:  # noqa: ANN401
    for link in dicts_in(item, "links"):
        if text_in(link, "rel") == "enclosure" and _IMAGE.match(text_in(link, "type")):
            yield text_in(link, "href"), None


def _itunes(item: Any) -> Iterator[_Sized]:  # noqa: ANN401
    if href := text_in(value_in(item, "image", dict), "href"):
        yield href, None


def _thumbnails(item: Any) -> Iterator[_Sized]:  # noqa: ANN401
    for media in dicts_in(item, "media_thumbnail"):
        yield text_in(media, "url"), _width(media)


def _width(media: Any) -> int | None:  # noqa: ANN401
    width = _WIDTH.fullmatch(text_in(media, "width").strip())
    return int(width[1]) if width else None
