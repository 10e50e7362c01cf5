"""What an operator knows of a site: where on its pages the article is, and what names it."""

from dataclasses import dataclass


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
