"""The pages of a sitemap that an archive is made of, some at a time.

Chosen where the sitemap is parsed: whoever checks 50,000 entries, and keeps them, needs a quarter
of a second in which it does nothing else, and 60 MB.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from mirror.article.entry import Entry
from mirror.article.feeds.sitemap import Sitemap


@dataclass(frozen=True, slots=True)
class Choice:
    """Pages on `hosts` that are not from before `since`; `most` of them, from `offset` on.

    They are counted in the order of their dates. `offset` was found when there were `count`: where
    some are no longer listed, others have moved to before it.
    """

    hosts: tuple[str, ...]
    since: str = ""
    offset: int = 0
    count: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class Chosen:
    """Pages of a sitemap, and what is to be known of it as a whole."""

    pages: tuple[Entry, ...]
    """The oldest first."""
    end: int
    """Where the next ones begin."""
    count: int
    """How many could be chosen from."""
    newest: str
    """The latest of their dates, or ""."""
    foreign: int
    """How many pages are on other hosts."""
    sitemaps: tuple[str, ...]


def chosen(sitemap: Sitemap, choice: Choice) -> Chosen:
    """Return the pages of a sitemap that are asked for."""
    own = [each for each in sitemap.pages if urlsplit(each.link).hostname in choice.hosts]
    taken = [each for each in own if not date_of(each) or date_of(each) >= choice.since]
    taken.sort(key=date_of)
    start = max(choice.offset - max(choice.count - len(taken), 0), 0)
    pages = tuple(taken[start : start + choice.most])
    return Chosen(
        pages,
        end=start + len(pages),
        count=len(taken),
        newest=max(map(date_of, taken), default=""),
        foreign=len(sitemap.pages) - len(own),
        sitemaps=sitemap.sitemaps,
    )


def date_of(entry: Entry) -> str:
    """Return when an entry was published, else when it changed, or ""."""
    return entry.published or entry.updated
