"""What both feeds need: ids that are the same on every mirror, and texts told once.

An id is a `tag:` URI (RFC 4151): the origin's host, the day of first publication, which no
revision changes, and the article's place in the site. No mirror's address is in a feed: all
links are relative to where it was loaded from.
"""

from dataclasses import dataclass

from mirror.formats.encoding import encode_time
from mirror.pages.frame import Frame
from mirror.pages.story import Story

SUMMARY_FEED = "feed.xml"
JSON_FEED = "feed.json"
FULL_FEED = "feed/full.xml"


@dataclass(frozen=True, slots=True)
class Feed:
    """The feeds of a newsroom whose first article was published at `since` (Unix seconds)."""

    frame: Frame
    since: int

    def id(self, name: str) -> str:
        """Return the id of a feed of this newsroom."""
        return self._tag(self.since, name)

    def entry_id(self, story: Story) -> str:
        """Return the id of an article, the same in all feeds and in all revisions."""
        return self._tag(story.first, story.short)

    def key(self, story: Story) -> tuple[str, int]:
        """Return what tells this revision of an article from all others."""
        return self.entry_id(story), story.rev

    def _tag(self, seconds: int, name: str) -> str:
        host, _, rest = self.frame.masthead.origin.partition("/")
        place = f"{rest}/{name}" if rest else name
        return f"tag:{host},{encode_time(seconds)[:10]}:{place}"
