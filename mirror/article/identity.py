"""Which article an entry is: the keys by which it is found again, and the id it gets once.

Feeds repeat links (one real newsroom gives every entry the same), repeat guids, have neither,
or list one entry twice, so a name counts only where no other entry of the feed has it. Names,
strongest first: guid, link, link and title, link and title and date, the text. A name found once
leads to its article for ever.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mirror.article.feed import Entry, Feed
from mirror.errors import FormatError
from mirror.formats.url import article_id, canonical_url, urn_id


@dataclass(frozen=True, slots=True)
class Identity:
    """The entry is the article that any of `keys` was stored for, else a new one with `id`."""

    keys: tuple[str, ...]
    id: bytes


def identify(feed: Feed, *, url: str) -> list[tuple[Identity, Entry]]:
    """Return the feed's entries, each with its identity; of an entry listed twice, the first.

    `url` is the feed's own address: a guid that is no address is only unique within it.
    """
    entries = list({_all(entry): entry for entry in reversed(feed.entries)}.values())[::-1]
    names = [_names(entry, url) for entry in entries]  # without the text, which few need
    counts = Counter(name for each in names for name in each)
    found: dict[tuple[str, ...], tuple[Identity, Entry]] = {}
    for entry, each in zip(entries, names, strict=True):
        own = [name for name in each if counts[name] == 1] or [_by_text(entry, url)]
        keys = tuple(_strong(own))
        link = next((key.removeprefix("link ") for key in keys if key.startswith("link ")), "")
        id_ = article_id(link) if link else urn_id(keys[0])
        found.setdefault(keys, (Identity(keys, id_), entry))
    return list(found.values())


def _all(entry: Entry) -> tuple[str, ...]:
    return entry.guid, entry.link, entry.title, entry.published


def _names(entry: Entry, url: str) -> Sequence[str]:
    """Return what the entry could be called by its fields, the strongest first."""
    link = _canonical(entry)
    names = []
    if entry.guid:
        names.append(f"guid {entry.guid if '://' in entry.guid else f'{url} {entry.guid}'}")
    if link:
        names.append(f"link {link}")
    if entry.title:
        names.append(f"title {link} {entry.title}")
        names.append(f"date {link} {entry.title} {entry.published}")
    return names


def _by_text(entry: Entry, url: str) -> str:
    """Return the name of an entry that has no other for itself alone."""
    text = hashlib.sha256(entry.html.encode(errors="surrogatepass")).hexdigest()
    return f"text {url} {_canonical(entry)} {text}"


def _strong(own: Sequence[str]) -> list[str]:
    """Return the names to keep: guid and link where there is one, else the first of the rest.

    Link and title stand beside a link: it is the only name left when others take the link too.
    """
    has_link = any(name.startswith("link ") for name in own)
    kinds = ("guid ", "link ", "title ") if has_link else ("guid ",)
    return [name for name in own if name.startswith(kinds)] or list(own[:1])


def _canonical(entry: Entry) -> str:
    try:
        return canonical_url(entry.link) if entry.link else ""
    except FormatError:
        return ""
