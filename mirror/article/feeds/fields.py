"""Where the fields of an entry stand in a feed that is plain XML."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fields:
    """Paths of elements below an entry's own, such as `link`, `media/image` or `image@url`.

    "" where the feed has no such thing. Prefixes of namespaces are left out.
    """

    entry: str
    """The name of the element that is an entry, wherever it stands."""
    link: str = ""
    guid: str = ""
    title: str = ""
    html: str = ""
    authors: str = ""
    published: str = ""
    tags: str = ""
    picture: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a feed is to be read where it does not say itself."""

    fields: Fields | None = None
    """Of a feed in plain XML; None for RSS, Atom and JSON Feed."""
    lang: str = ""
    """BCP 47: the language of its entries, before what the feed says; "" for what it says."""
    zone: bytes = b""
    """The time zone (a TZif file) of dates that name none; empty for UTC."""


AS_IT_SAYS = Reading()
"""As the feed itself says."""
