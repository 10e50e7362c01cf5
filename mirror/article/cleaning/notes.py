"""Links to a place in the same page: to footnotes, and back."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from urllib.parse import unquote

from lxml import etree

from mirror.article.links import absolute, linkable, original

_LINK = re.compile(r'<a ((?:id="n[0-9]+" )?)href="#(n[0-9]+)"([^>]*)>(.*?)</a>', re.DOTALL)
_ID = re.compile(r'<[a-z]+ id="(n[0-9]+)"')


@dataclass(frozen=True, slots=True)
class Places:
    """Where links inside a text lead to."""

    targets: Mapping[str, str] = field(default_factory=dict)
    """The source's id → the page's own."""
    links: Mapping[str, str] = field(default_factory=dict)
    """A link's `href`, as it was written → the page's own id."""
    originals: Mapping[str, str] = field(default_factory=dict)
    """The page's own id → its whole address at the source, where a link said that."""


def places(root: etree._Element, base: str) -> Places:
    """Return new ids for what the links inside the text point to.

    Some editors write the page's whole address before the fragment: it counts as one in the same
    page where the rest is the address `base`, but for what tells no two pages apart.
    """
    links = dict(_links(root, base))
    wanted = {name for names in links.values() for name in names}
    found = [
        name
        for element in (root.iter(etree.Element) if wanted else ())
        for name in (element.get("id") or element.get("name"),)
        if name in wanted
    ]
    targets = {name: f"n{number}" for number, name in enumerate(dict.fromkeys(found), 1)}
    inside = {
        href: targets[name] for href, names in links.items() for name in names if name in targets
    }
    whole = {name: linkable(href, base) for href, name in inside.items() if href.strip()[:1] != "#"}
    return Places(targets, inside, whole)


def _links(root: etree._Element, base: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the links to a place in the same page, and what that place may be called."""
    same = {"": True}
    for link in root.iter("a"):
        href = link.get("href", "")
        page, _, name = href.strip().partition("#")
        if not name:
            continue
        if page not in same:
            same[page] = _page(absolute(page, base)) == _page(base) != ""
        if same[page]:
            yield href, (unquote(name), name)


def _page(address: str) -> str:
    """Return what two addresses of one page have in common, or ""."""
    path, mark, query = original(address).removeprefix("https://").partition("?")
    return path.removeprefix("www.").rstrip("/") + mark + query


def resolved(blocks: Sequence[str], known: Places) -> list[str]:
    """Return blocks in which no link leads to a place that is in none of them.

    It was dropped, or is in another part of the page. Where the source wrote the whole address,
    that is where the link leads; else there is none.
    """
    if not known.links:
        return list(blocks)
    here = {name for block in blocks for name in _ID.findall(block)}

    def link(match: re.Match[str]) -> str:
        identity, name, more, inner = match.groups()
        if name in here:
            return match[0]
        if address := known.originals.get(name):
            return f'<a {identity}href="{escape(address)}"{more}>{inner}</a>'
        return f"<a {identity.strip()}></a>{inner}" if identity else inner

    return [_LINK.sub(link, block) if 'href="#n' in block else block for block in blocks]
