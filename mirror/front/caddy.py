"""The configuration of Caddy 2.8 or later: a Caddyfile."""

from collections.abc import Iterable
from pathlib import Path

from mirror.front import Front, quoted
from mirror.front.kinds import (
    CACHING,
    FORMS,
    KINDS,
    NOT_KEPT,
    NOTHING_RUNS,
    POLICIES,
    PREFLIGHT,
    SAFETY,
    SECURE,
    SITE,
    VARYING,
)

_CLOSE = (("Connection", "close"),)
_OWN = ("Server", "Via")


def caddy(front: Front) -> str:
    """Return the whole Caddyfile."""
    lines = [
        f"# {front.name} for readers, made by `mirror front caddy`.",
        "{",
        *_indented(_options(front)),
        "}",
        "",
        f"https://{front.name}:{front.listen.port} {{",
        *_indented(_server(front)),
        "}",
        "",
    ]
    return "\n".join(lines)


def _options(front: Front) -> Iterable[str]:
    yield "admin off"
    yield "persist_config off"
    # A redirect from http tells everyone on the way which page was asked for.
    yield "auto_https disable_redirects"
    yield f"https_port {front.listen.port}"
    if front.listen.host:
        yield f"default_bind {front.listen.host}"
    yield "key_type p256"
    yield "# Only what goes wrong with certificates is told: in the rest are readers' addresses."
    yield "log default {"
    yield "\toutput stderr"
    yield "\tlevel ERROR"
    yield "\tinclude tls.obtain tls.renew tls.issuance"
    yield "}"
    yield from _MANNERS


_MANNERS = (
    "servers {",
    "\tprotocols h1",
    "\tstrict_sni_host on",
    "\tmax_header_size 16KB",
    "\t# Who sends or takes slowly, to fill the places of others, is cut off.",
    "\ttimeouts {",
    "\t\tread_header 10s",
    "\t\tread_body 5s",
    "\t\twrite 10m",
    "\t\tidle 10s",
    "\t}",
    "}",
)


def _server(front: Front) -> Iterable[str]:
    yield from _tls(front)
    yield from _header((SECURE, *_CLOSE), without=_OWN)
    if front.onion:
        yield "@page {"
        yield "\tmethod GET HEAD"
        yield "\tpath *.html */"
        yield "}"
        yield f"header @page Onion-Location http://{front.onion}{{http.request.orig_uri}}"
    yield "route {"
    yield from _indented(_site(front.site) if front.site else _upstream(front.behind))
    yield "}"
    yield "handle_errors {"
    fields = (("Content-Security-Policy", NOTHING_RUNS), ("Cache-Control", NOT_KEPT), *SAFETY)
    text = ("Content-Type", "text/plain; charset=utf-8")
    found = ("ETag", "Vary", "Onion-Location")
    yield from _indented(_header((*fields, text, SECURE, *_CLOSE), without=(*_OWN, *found)))
    yield '\trespond "There is nothing here, or not now."'
    yield "}"


def _header(fields: Iterable[tuple[str, str]], *, without: Iterable[str] = ()) -> Iterable[str]:
    yield "header {"
    for name, value in fields:
        yield f'\t{name} "{value}"'
    for name in without:
        yield f"\t-{name}"
    yield "}"


def _tls(front: Front) -> Iterable[str]:
    if front.certificate:
        chain, key = front.certificate
        yield f"tls {quoted(chain)} {quoted(key)}"
        return
    yield "tls {"
    yield "\tissuer acme {"
    if front.acme:
        yield f"\t\tdir {front.acme}"
    yield "\t\tdisable_http_challenge"
    yield "\t\tpreferred_chains smallest"
    yield "\t}"
    yield "}"


def _site(site: Path) -> Iterable[str]:
    yield f"root * {quoted(site)}"
    # `>`: put in place of what the program says itself, which is known only at the end.
    yield from _header((f">{k}" if k == "Accept-Ranges" else k, v) for k, v in SAFETY)
    yield from _refusals()
    yield "@folder path */"
    yield "rewrite @folder {path}index.html"
    yield "@missing not file {path}"
    yield "error @missing 404"
    types = tuple((kind.pattern, kind.type) for kind in KINDS)
    for name, rules in (
        ("Cache-Control", CACHING),
        ("Content-Security-Policy", POLICIES),
        ("Content-Type", types),
    ):
        yield from _map(name, rules)
    yield "header -Last-Modified"
    for name in ("Range", "If-Range", "If-Modified-Since", "If-Unmodified-Since", "If-Match"):
        yield f"request_header -{name}"
    [(packed, _), _] = VARYING
    yield f'@packed path_regexp "{packed}"'
    yield "file_server @packed {"
    yield "\tprecompressed br gzip"
    yield "\tdisable_canonical_uris"
    yield "}"
    yield f'@plain not path_regexp "{packed}"'
    yield "header @plain -Vary"
    yield "file_server {"
    yield "\tdisable_canonical_uris"
    yield "}"


def _map(header: str, rules: Iterable[tuple[str, str]]) -> Iterable[str]:
    variable = header.lower().replace("-", "_")
    yield f"map {{path}} {{{variable}}} {{"
    for pattern, value in rules:
        yield f'\t"~{pattern}" "{value}"' if pattern else f'\tdefault "{value}"'
    yield "}"
    yield f"header {header} {{{variable}}}"


def _refusals() -> Iterable[str]:
    yield "@preflight method OPTIONS"
    yield "handle @preflight {"
    yield from _indented(_header((("Content-Security-Policy", NOTHING_RUNS), *PREFLIGHT)))
    yield "\trespond 204"
    yield "}"
    yield "@other not method GET HEAD"
    yield "error @other 405"
    yield f'@odd not vars_regexp {{http.request.orig_uri}} "^{SITE}(?:[?].*)?$"'
    yield "error @odd 404"
    yield f'@form path_regexp "{FORMS}"'
    yield "error @form 404"


def _upstream(behind: str) -> Iterable[str]:
    yield f"reverse_proxy {behind} {{"
    yield "\theader_up -X-Forwarded-For"
    yield "}"


def _indented(lines: Iterable[str]) -> Iterable[str]:
    return (f"\t{line}" if line else "" for line in lines)
