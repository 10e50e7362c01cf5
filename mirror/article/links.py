"""Addresses in hostile markup: absolute http, https or mailto, or nothing."""

import ada_url

from mirror.errors import FormatError
from mirror.formats.url import canonical_url

MAX_URL_CHARS = 2000
"""Longer ones are tracking or payload; an article's parts must hold its longest link."""


def absolute(url: str, base: str) -> str:
    """Return `url`, relative to `base`, as an absolute http or https address, or "".

    Parsed as WHATWG says, which is what a browser will do with it: a tab inside of
    `javascript:` and a backslash mean here what they mean there.
    """
    href = _parsed(url, base)
    return href if href.startswith(("https://", "http://")) else ""


def linkable(url: str, base: str) -> str:
    """Return `url` as an address that an article may link to (mailto included), or ""."""
    href = _parsed(url, base)
    return href if href.startswith(("https://", "http://", "mailto:")) else ""


def host_of(url: str) -> str:
    """Return the host of an absolute `url`, without `www.`; "" if it is no address."""
    try:
        return str(ada_url.URL(url).hostname).removeprefix("www.")
    except ValueError:  # in an article that a captured worker wrote
        return ""


def original(link: str) -> str:
    """Return the canonical form of an entry's `link` (FORMAT section 3), or ""."""
    if not link:
        return ""
    try:
        return canonical_url(link)
    except FormatError:
        return ""


def _parsed(url: str, base: str) -> str:
    url = url.strip()
    if not url or len(url) > MAX_URL_CHARS:
        return ""
    try:
        # One that begins like this means the same with any base, and is parsed twice as fast.
        whole = not base or url.startswith(("https://", "http://"))
        href = ada_url.normalize_url(url) if whole else ada_url.join_url(base, url)
    except (ValueError, UnicodeError):
        return ""
    # The path of a `mailto:` may hold any character.
    href = str(href).replace("<", "%3C").replace(">", "%3E")
    return href if len(href) <= MAX_URL_CHARS else ""
