"""Addresses in hostile markup: absolute http, https or mailto, or nothing."""

import ada_url

from mirror.article.text import without_controls
from mirror.errors import FormatError
from mirror.formats.url import canonical_url

MAX_URL_CHARS = 2000
"""Longer ones are tracking or payload; an article's parts must hold its longest link."""


def absolute(url: str, base: str) -> str:
    """Return `url`, relative to `base`, as an absolute http or https address, or "".

    Parsed as WHATWG says, which is what a browser will do with it: tabs inside
    `java\\tscript:` and backslashes mean there what they mean here.
    """
    href = _parsed(url, base)
    return href if href.startswith(("https://", "http://")) else ""


def linkable(url: str, base: str) -> str:
    """Return `url` as an address that an article may link to (mailto included), or ""."""
    href = _parsed(url, base)
    return href if href.startswith(("https://", "http://", "mailto:")) else ""


def host_of(url: str) -> str:
    """Return the host of an absolute `url`, without `www.`."""
    return str(ada_url.URL(url).hostname).removeprefix("www.")


def original(link: str) -> str:
    """Return the canonical form of an entry's `link` (FORMAT section 3), or ""."""
    if not link:
        return ""
    try:
        return canonical_url(link)
    except FormatError:
        return ""


def _parsed(url: str, base: str) -> str:
    url = without_controls(url).strip()
    if not url or len(url) > MAX_URL_CHARS:
        return ""
    try:
        href = ada_url.join_url(base, url) if base else ada_url.URL(url).href
    except ValueError:
        return ""
    return str(href) if len(href) <= MAX_URL_CHARS else ""
