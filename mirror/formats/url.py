"""From an original's address to the article's id and its path on every mirror.

Formats README, section 3. The address is parsed and serialised as https://url.spec.whatwg.org
says (by the ada library), then freed of what does not change the article.
"""

import hashlib

import ada_url

from mirror.errors import FormatError

MAX_URL = 8 * 1024  # characters; longer than any browser's address bar takes
_TRACKING = frozenset({"fbclid", "gclid", "yclid", "mc_cid", "mc_eid", "igshid", "ref_src"})


def canonical_url(address: str) -> str:
    """Return the one form of `address` that ids are made from.

    Raises:
        FormatError: no absolute http(s) address, or one with a user name.
    """
    if len(address) > MAX_URL:
        raise FormatError(f"address: more than {MAX_URL} characters")
    try:
        url = ada_url.URL(address)
    except ValueError as e:
        raise FormatError(f"address: not an absolute URL: {address!r:.100}") from e
    if url.protocol not in ("http:", "https:"):
        raise FormatError(f"address: only http and https: {address!r:.100}")
    if url.username or url.password:
        raise FormatError("address: it holds a user name or password")
    if url.protocol == "http:":
        url.protocol = "https:"
    url.hash = ""
    query = "&".join(part for part in url.search[1:].split("&") if not _is_tracking(part))
    url.search = f"?{query}" if query else ""  # the setter eats one "?", the query's own perhaps
    if len(url.href) > MAX_URL:
        raise FormatError(f"address: more than {MAX_URL} characters once it is percent-encoded")
    return str(url.href)


def _is_tracking(part: str) -> bool:
    name = part.partition("=")[0]
    return name.startswith("utm_") or name in _TRACKING


def article_id(address: str) -> bytes:
    """Return the id (32 bytes) of the article whose original is at `address`.

    Raises:
        FormatError: see `canonical_url`.
    """
    return hashlib.sha256(canonical_url(address).encode()).digest()


def urn_id(identity: str) -> bytes:
    """Return the id of an article whose link is not its own; `identity` was decided once."""
    return hashlib.sha256(f"urn:tamizdat:{identity}".encode(errors="backslashreplace")).digest()
