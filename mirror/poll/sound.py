"""The addresses in a worker's answer, before anything is done with them.

All that our jobs answer are as `absolute` gives them. A captured worker may say `https://[bad/`,
which whoever takes an address apart would fall over, and the cycle with it.
"""

from collections.abc import Iterator
from typing import TypeVar

from mirror.article.article import Article
from mirror.article.entry import Entry, Feed
from mirror.article.extraction.extract import Told
from mirror.article.feeds.chosen import Chosen
from mirror.article.links import absolute
from mirror.article.picture import picture_addresses
from mirror.box import Refused

T = TypeVar("T")


def sound(made: T | Refused) -> T | Refused:
    """Return what a worker answered, refused as a whole if an address in it is no address."""
    if all(each == absolute(each, "") for each in _addresses(made)):
        return made
    return Refused("an answer with an address that is none", killed=False)


def _addresses(made: object) -> Iterator[str]:
    if isinstance(made, Feed):
        yield made.older
        yield from _addresses(made.entries)
    elif isinstance(made, Chosen):
        yield from made.sitemaps
        yield from _addresses(made.pages)
    elif isinstance(made, Told):
        yield from _addresses(made.article)
    elif isinstance(made, Entry):
        yield made.link
        yield made.picture
    elif isinstance(made, Article):
        yield made.url
        yield from picture_addresses(made.blocks)
    elif isinstance(made, tuple | list):
        for each in made:
            yield from _addresses(each)
