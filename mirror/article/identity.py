"""Which article an entry is: the keys by which it is found again, and the id it gets once.

Feeds repeat links (one real newsroom gives every entry the same), repeat guids, have neither,
or list one entry twice, so a name counts only where no other entry of the feed has it. Names,
strongest first: what the site's rule says, guid, link, link and title, link and title and date,
the text. A name found once leads to its article for ever.

A feed may not name another's articles. Every name without a link is only its own feed's. A link on
the host of another configured feed is no name: its entry could take the address before the
article is there. Not kept apart here: hosts that are no feed's own, and feeds on one host.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from mirror.article.article import NO_BREAK
from mirror.article.extraction.siterules import SiteRules
from mirror.article.feeds.feed import Entry, Feed
from mirror.errors import FormatError
from mirror.formats.url import article_id, canonical_url, urn_id

MAX_PATH_CHARS = 500
"""Of an address that a rule looks at: the rule is the operator's own and may be a slow one."""

NO_RULES: Mapping[str, SiteRules] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Identity:
    """The entry is the article that any of `keys` was stored for, else a new one with `id`."""

    keys: tuple[str, ...]
    id: bytes


def identify(
    feed: Feed,
    *,
    url: str,
    feeds: Iterable[str] = (),
    rules: Mapping[str, SiteRules] = NO_RULES,
) -> list[tuple[Identity, Entry]]:
    """Return the feed's entries, each with its identity; of an entry listed twice, the first.

    `url` is the feed's own address, `feeds` are those of all that are configured, `rules` are by
    their host.
    """
    scope = hashlib.sha256(url.encode()).hexdigest()[:16]  # no space in it: a guid may have any
    foreign = {_host(_canonical(each)) for each in feeds} - {_host(_canonical(url)), ""}
    entries = list({_all(entry): entry for entry in reversed(feed.entries)}.values())[::-1]
    # Without the text, which few need.
    names = [_names(entry, scope, foreign, rules) for entry in entries]
    counts = Counter(name for each in names for name in each)
    found: dict[tuple[str, ...], tuple[Identity, Entry]] = {}
    for entry, each in zip(entries, names, strict=True):
        own = [name for name in each if counts[name] == 1] or [_by_text(entry, scope)]
        keys = tuple(_strong(own))
        link = next((key.removeprefix("link ") for key in keys if key.startswith("link ")), "")
        id_ = article_id(link) if link else urn_id(keys[0])
        found.setdefault(keys, (Identity(keys, id_), entry))
    return list(found.values())


def _all(entry: Entry) -> tuple[str, ...]:
    return entry.guid, entry.link, entry.title, entry.published


def rules_for(rules: Mapping[str, SiteRules], address: str) -> SiteRules | None:
    """Return the rules of the site that an address is on: of its host, or of one above it."""
    host = _host(address) if rules else ""
    while host:
        if host in rules:
            return rules[host]
        host = host.partition(".")[2]
    return None


def named_by(rules: SiteRules, path: str) -> str:
    """Return what in a path names the article, as the operator's rule says, or ""."""
    if not rules.number or len(path) > MAX_PATH_CHARS:
        return ""
    match = re.search(rules.number, path)
    return (match[1] or "") if match else ""


def _names(
    entry: Entry, scope: str, foreign: Set[str], rules: Mapping[str, SiteRules]
) -> Sequence[str]:
    """Return what the entry could be called by its fields, the strongest first."""
    link = _canonical(entry.link)
    if _host(link) in foreign:
        link = ""
    names = []
    rule = rules_for(rules, link)
    if rule and (number := named_by(rule, urlsplit(link).path)):
        names.append(f"number {rule.host} {number}")
    if entry.guid:
        names.append(f"guid {scope} {entry.guid}")
    if link:
        names.append(f"link {link}")
    if title := entry.title.replace(NO_BREAK, " "):
        names.append(f"title {link or scope} {title}")
        names.append(f"date {link or scope} {title} {entry.published}")
    return names


def _by_text(entry: Entry, scope: str) -> str:
    """Return the name of an entry that has no other for itself alone."""
    text = hashlib.sha256(entry.html.encode(errors="surrogatepass")).hexdigest()
    return f"text {scope} {_canonical(entry.link)} {text}"


def _strong(own: Sequence[str]) -> list[str]:
    """Return the names to keep: guid and link where there is one, else the first of the rest.

    Link and title stand beside a link: it is the only name left when others take the link too.
    """
    has_link = any(name.startswith("link ") for name in own)
    kinds = ("number ", "guid ", "link ", "title ") if has_link else ("number ", "guid ")
    return [name for name in own if name.startswith(kinds)] or list(own[:1])


def _canonical(address: str) -> str:
    try:
        return canonical_url(address) if address else ""
    except FormatError:
        return ""


def _host(canonical: str) -> str:
    return urlsplit(canonical).hostname or ""
