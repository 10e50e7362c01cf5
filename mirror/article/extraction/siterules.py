"""What an operator knows of a site: where on its pages the article is, and what names it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mirror.article.extraction.selectors import MAX_STEPS, Selector, compiled
from mirror.errors import FormatError


@dataclass(frozen=True, slots=True)
class SiteRules:
    """CSS selectors for the pages of `host`, and of the hosts under it; "" and () where none.

    What a selector finds goes before what is found without; one that finds nothing changes nothing.
    """

    host: str
    text: str = ""
    """The elements whose content is the body."""
    remove: tuple[str, ...] = ()
    """What is no part of it, wherever it stands."""
    title: str = ""
    authors: str = ""
    """One element an author."""
    published: str = ""
    """An element with a date in `datetime`, `content` or its text."""
    tags: str = ""
    figure: str = ""
    """Elements that hold one picture with its caption, the lead picture's among them."""
    caption: str = ""
    credit: str = ""
    number: str = ""
    """A regular expression with one group: what in the path of an address names the article,
    whatever else in it changes."""


def check_rules(rules: SiteRules) -> None:
    """Refuse rules that no page could be read by.

    Raises:
        FormatError: a selector that is not read, too many of them, or a `number` that is not a
            regular expression with one group; names what is wrong.
    """
    compiled_rules(rules)
    try:
        groups = re.compile(rules.number).groups if rules.number else 1
    except (re.error, RecursionError, OverflowError) as e:
        raise FormatError(f"number: not a regular expression: {rules.number!r:.200}: {e}") from e
    if groups != 1:
        raise FormatError(f"number: needs one group and has {groups}: {rules.number!r:.200}")


def compiled_rules(rules: SiteRules) -> dict[str, Selector]:
    """Return the selectors that there are, by their fields' names.

    Raises:
        FormatError: as `check_rules`, for the selectors.
    """
    selectors = dict(_selectors(rules))
    if sum(len(steps) for selector in selectors.values() for steps in selector) > MAX_STEPS:
        raise FormatError(f"selectors: too many: more than {MAX_STEPS} parts in all")
    return selectors


def _selectors(rules: SiteRules) -> Iterator[tuple[str, Selector]]:
    texts = {
        "text": (rules.text,),
        "remove": rules.remove,
        "title": (rules.title,),
        "authors": (rules.authors,),
        "published": (rules.published,),
        "tags": (rules.tags,),
        "figure": (rules.figure or ("figure" if rules.caption or rules.credit else ""),),
        "caption": (rules.caption,),
        "credit": (rules.credit,),
    }
    for name, each in texts.items():
        if any(each):
            yield name, tuple(steps for text in each for steps in compiled(text))
