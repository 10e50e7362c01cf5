"""Lists and feeds that pass where connections freeze, however long a newsroom's words are.

What does not fit is cut, in lists only: an article's own page has its whole title. One hostile
feed with thirty titles of 600 bytes would else take the front page away from all readers.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from mirror.article.render.parts import HEADER_BYTES, MAX_PART_BYTES, compressed_size
from mirror.article.render.shell import in_line
from mirror.article.text import plain, shortened
from mirror.pages.story import Story, Told

T = TypeVar("T")
MAX_PAGE = MAX_PART_BYTES - HEADER_BYTES
MAX_FRONT = 6_000
MAX_FEED = 9_000
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and a symbol by their category, and nothing to see."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many characters of a title, a summary and an address a list shows, how many authors."""

    title: int
    summary: int
    url: int
    authors: int


ROOMS = (
    Room(300, 200, 2000, 20),
    Room(160, 160, 300, 3),
    Room(120, 120, 200, 2),
    Room(90, 90, 150, 1),
    Room(60, 60, 0, 0),
    Room(40, 30, 0, 0),
    Room(24, 0, 0, 0),
    Room(12, 0, 0, 0),
)
"""From all that an article has to what fits with thirty titles that do not compress."""
_NAME_CHARS = 40


def fitting(make: Callable[[T], bytes], rooms: Sequence[T], *, max_bytes: int) -> bytes:
    """Return what `make` writes with the first of `rooms` in which it passes, compressed."""
    data = b""
    for room in rooms:
        data = make(room)
        # Mostly it passes by far, and the quick look is a third of the work.
        if any(compressed_size(data, level=level) <= max_bytes for level in (1, 9)):
            break
    return data


def cut(story: Story, room: Room) -> Story:
    """Return `story` as a list with this much room shows it."""
    told = story.told
    if told and room != ROOMS[0]:
        told = Told(
            plain(shortened(told.summary, max_chars=room.summary)) if room.summary else "",
            told.original if len(told.original) <= room.url else "",
            tuple(
                plain(shortened(name, max_chars=_NAME_CHARS))
                for name in told.authors[: room.authors]
            ),
        )
    return replace(story, title=shown(story.title, story.short, room), told=told)


@lru_cache(4096)  # a title stands on four lists, in this round and in the next ones
def shown(title: str, short: str, room: Room) -> str:
    """Return a title as a list shows it, or `short` where there would be nothing to see.

    An embedding that the cut left open would turn round what stands after the title: `plain`
    takes it out.
    """
    text = in_line(plain(shortened(title, max_chars=room.title)))
    return text if any(map(_is_seen, text)) else short


def _is_seen(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNPS" and char not in _BLANK
