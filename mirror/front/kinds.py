"""What another program's server is told of the site's files, by the pattern of a path.

The built-in server decides the same by functions (`mirror.serve.headers`); a server in front of
readers knows patterns only, in the dialect that PCRE and Go's RE2 share. The first one that
matches holds. Not told here: which policy a page has in its own `<meta>`. A header cannot
be chosen by it, so it permits the sheets of all pages, and the `<meta>` narrows that to one. A
signed page is never written anew: when a sheet changes, the hash of the old one stays here.
"""

import re
from dataclasses import dataclass

from mirror.article.render.shell import ARTICLE_HEAD, LISTS_HEAD
from mirror.labels import HEAD, IMMUTABLE, POLLED

_SHEETS = re.findall(r"'sha256-[A-Za-z0-9+/=]+'", ARTICLE_HEAD + LISTS_HEAD)


def _page(sheets: str) -> str:
    return (
        f"default-src 'none'; style-src {sheets}; img-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )


ARTICLE = _page(_SHEETS[0])
PAGE = _page(" ".join(_SHEETS))
SCRIPT = "default-src 'none'; connect-src *; frame-ancestors 'none'"
"""A service worker has the policy of its own file: with `NOTHING_RUNS` it could fetch nothing."""
NOTHING_RUNS = "default-src 'none'; frame-ancestors 'none'"

NOT_KEPT = "no-store"

SITE = "/(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*(?:[A-Za-z0-9_-][A-Za-z0-9._-]*)?"
"""The targets of requests that may be files of a site. They are compared as they were sent: what
is first decoded and tidied up lets `//`, `..` and hidden files pass under other spellings."""

FORMS = r"\.(?:html|json|xml)\.(?:br|gz)$"
"""Compressed forms: beside the files, and no files of the site."""

SAFETY: tuple[tuple[str, str], ...] = (
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    (
        "Permissions-Policy",
        "camera=(),microphone=(),geolocation=(),display-capture=(),bluetooth=(),usb=(),payment=(),"
        "browsing-topics=()",
    ),
    ("Access-Control-Allow-Origin", "*"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
    ("Accept-Ranges", "none"),
)
PREFLIGHT: tuple[tuple[str, str], ...] = (
    ("Allow", "GET, HEAD, OPTIONS"),
    ("Access-Control-Allow-Methods", "GET, HEAD"),
    ("Access-Control-Allow-Headers", "*"),
    ("Access-Control-Max-Age", "86400"),
)
SECURE = ("Strict-Transport-Security", "max-age=63072000")
"""Two years, for this name alone: what else is under it need not be the operator's."""

_ARTICLE = "^/a/[a-z2-7]/[a-z2-7]/[a-z2-7]/[a-z2-7]{17}"
_REVISION = r"[1-9][0-9]{0,15}(?:-[1-9][0-9]{0,4}|\.diff)?\.html(?:\.minisig|\.sig)?"

CACHING: tuple[tuple[str, str], ...] = (
    (r"^/(?:checkpoint|index\.tlog-proof)$", POLLED),
    (f"{_ARTICLE}/(?:{_REVISION}|[0-9a-f]{{64}}\\.webp)$", IMMUTABLE),
    ("^/(?:index|tile)/", IMMUTABLE),
    (r"^/trust/.*\.root\.json$", IMMUTABLE),
    ("", HEAD),
)
POLICIES: tuple[tuple[str, str], ...] = (
    (f"{_ARTICLE}/[1-9][0-9]*(?:-[0-9]+)?\\.html$", ARTICLE),
    (r"\.html$", PAGE),
    (r"\.js$", SCRIPT),
    ("", NOTHING_RUNS),
)
VARYING: tuple[tuple[str, str], ...] = (
    (r"\.(?:html|json|xml)$", "Accept-Encoding"),
    ("", ""),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """Files whose path matches `pattern` are of this type; `packed` ones have compressed forms."""

    pattern: str
    type: str
    packed: bool = False


KINDS: tuple[Kind, ...] = (
    Kind(r"^/tile/.*\.(?:html|json|xml)$", "application/octet-stream", packed=True),
    Kind("^/tile/", "application/octet-stream"),
    Kind(r"^/feed(?:[./].*)?\.xml$", "application/atom+xml", packed=True),
    Kind(r"^/feed(?:[./].*)?\.json$", "application/feed+json", packed=True),
    Kind(r"\.html$", "text/html; charset=utf-8", packed=True),
    Kind(r"\.json$", "application/json", packed=True),
    Kind(r"\.xml$", "application/xml", packed=True),
    Kind(r"\.css$", "text/css; charset=utf-8"),
    Kind(r"\.js$", "text/javascript; charset=utf-8"),
    Kind(r"\.webp$", "image/webp"),
    Kind(r"\.epub$", "application/epub+zip"),
    Kind(r"\.car$", "application/vnd.ipld.car; version=1"),
    Kind(r"\.tar$", "application/x-tar"),
    Kind(r"\.gz$", "application/gzip"),
    Kind(r"\.zim$", "application/octet-stream"),
    Kind("", "text/plain; charset=utf-8"),
)
