"""The configuration of nginx 1.19.4 or later."""

import re
from collections.abc import Collection, Iterable
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
    Kind,
)

BROTLI = "ngx_http_brotli_static_module.so"
CLEAR_HEADERS = "ngx_http_headers_more_filter_module.so"
MODULES = (BROTLI, CLEAR_HEADERS)
"""Those that are used where they are."""

_REFUSED = "/.refused"
_PREFLIGHT = "/.preflight"
_ERRORS = (400, 404, 405, 408, 411, 412, 413, 414, 416, 421, 429, 494, 500, 501, 502, 503, 504, 505)
_VARYING = (
    ("Cache-Control", "$kept"),
    ("Content-Security-Policy", "$policy"),
    ("Vary", "$varied"),
)


def letsencrypt(name: str) -> tuple[Path, Path]:
    """Return where certbot keeps the chain and the key of a name."""
    folder = Path("/etc/letsencrypt/live", name)
    return folder / "fullchain.pem", folder / "privkey.pem"


def nginx(front: Front, *, modules: Collection[Path] = ()) -> str:
    """Return the whole `nginx.conf`; `modules` are the paths of those of `MODULES` to load."""
    names = {path.name for path in modules}
    lines = [
        f"# {front.name} for readers, made by `mirror front nginx`.",
        *([f"user {front.user};"] if front.user else []),
        *(f"load_module {quoted(path)};" for path in sorted(modules)),
        *_PROCESS,
        "http {",
        *_indented((*_MANNERS, *_server_name(names), *_TLS, "")),
        *_indented(_maps(front)),
        *_indented(("", *_stranger(front), "", "server {")),
        *_indented(_indented(_server(front, names))),
        "    }",
        "}",
        "",
    ]
    return "\n".join(lines)


_PROCESS = (
    "worker_processes auto;",
    "worker_rlimit_nofile 8192;",
    "# Every line of nginx's error log names the reader's address, so there is none at all.",
    "error_log /dev/null emerg;",
    "events {",
    "    worker_connections 2048;",
    "}",
)
_MANNERS = (
    "access_log off;",
    "server_tokens off;",
    "merge_slashes off;",
    "absolute_redirect off;",
    "",
    "# One answer, one connection: a censor that freezes connections counts bytes by connection.",
    "keepalive_timeout 0;",
    "tcp_nodelay on;",
    "",
    "# Who sends or takes slowly, to fill the places of others, is cut off; nobody sends a body.",
    "client_header_timeout 10s;",
    "client_body_timeout 5s;",
    "send_timeout 60s;",
    "reset_timedout_connection on;",
    "client_max_body_size 1;",
    "client_header_buffer_size 4k;",
    "large_client_header_buffers 4 4k;",
    "# Addresses are in memory while their connections are open. Whole towns share one.",
    "limit_conn_zone $binary_remote_addr zone=readers:1m;",
    "limit_conn readers 64;",
    "",
)
_TLS = (
    "ssl_protocols TLSv1.2 TLSv1.3;",
    "ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
    ":ECDHE-ECDSA-AES256-GCM-SHA384;",
    "# A ticket spares the next page the certificates. The zone has the keys of tickets renewed.",
    "ssl_session_cache shared:tickets:1m;",
    "ssl_session_timeout 1h;",
    "ssl_session_tickets on;",
    "ssl_buffer_size 4k;",
)


def _server_name(modules: Collection[str]) -> tuple[str, ...]:
    if CLEAR_HEADERS in modules:
        return ("more_clear_headers Server;", "")
    return ("# With the module headers-more, answers would not say `Server: nginx`.", "")


def _maps(front: Front) -> Iterable[str]:
    if front.site:
        for variable, rules in (("$kept", CACHING), ("$policy", POLICIES), ("$varied", VARYING)):
            *cases, (_, otherwise) = rules
            yield from _map("$uri", variable, ((f"~{p}", v) for p, v in cases), otherwise)
        # Asked again when the answer is a refusal already, which has a path of its own.
        fine = (f"~^{re.escape(_REFUSED)} ", ""), (f"~^.* {SITE}(?:[?][^ ]*)?$", "")
        yield from _map("$uri $request_uri", "$odd", fine, "1")
    if front.onion:
        # The path as it was sent: decoded, it could hold the end of a line.
        address = f"http://{front.onion}$request_uri"
        pages = (("~^text/html", address),)
        yield from _map("$sent_http_content_type", "$onion", pages, "")


def _map(of: str, to: str, cases: Iterable[tuple[str, str]], otherwise: str) -> Iterable[str]:
    yield f'map "{of}" {to} {{'
    yield "    volatile;"
    for case, value in cases:
        yield f'    "{case}" "{value}";'
    yield f'    default "{otherwise}";'
    yield "}"


def _stranger(front: Front) -> Iterable[str]:
    yield "# Who asks for no name, or for another, learns nothing: not even whose machine it is."
    yield "server {"
    yield from _indented(_listen(front, "ssl default_server"))
    yield "    ssl_reject_handshake on;"
    yield "}"


def _server(front: Front, modules: Collection[str]) -> Iterable[str]:
    chain, key = front.certificate or letsencrypt(front.name)
    yield from _listen(front, "ssl")
    yield f"server_name {front.name};"
    yield f"ssl_certificate {quoted(chain)};"
    yield f"ssl_certificate_key {quoted(key)};"
    yield f'add_header {SECURE[0]} "{SECURE[1]}" always;'
    if front.onion:
        yield "add_header Onion-Location $onion;"
    yield from _site(front.site, modules) if front.site else _upstream(front.behind)
    yield ""
    # Not a named location: what cannot be read as a path has no way to one.
    yield f"error_page 403 =404 {_REFUSED};"
    yield f"error_page 497 =400 {_REFUSED};"
    yield f"error_page {' '.join(map(str, _ERRORS))} {_REFUSED};"
    yield f"location = {_REFUSED} {{"
    yield "    internal;"
    fields = (("Content-Security-Policy", NOTHING_RUNS), ("Cache-Control", NOT_KEPT), SECURE)
    for name, value in (*fields, *SAFETY):
        yield f'    add_header {name} "{value}" always;'
    yield '    default_type "text/plain; charset=utf-8";'
    yield '    return 404 "There is nothing here, or not now.\\n";'
    yield "}"


def _listen(front: Front, words: str) -> Iterable[str]:
    yield f"listen {front.listen} {words};"
    if not front.listen.host:
        yield f"listen [::]:{front.listen.port} {words};"


def _site(site: Path, modules: Collection[str]) -> Iterable[str]:
    yield 'add_header Last-Modified "";'
    for name, value in _VARYING:
        yield f"add_header {name} {value};"
    for name, value in SAFETY:
        yield f'add_header {name} "{value}";'
    yield ""
    yield f"root {quoted(site)};"
    yield "types { }"
    yield "max_ranges 0;"
    yield "if_modified_since off;"
    yield f"if ($request_method = OPTIONS) {{ rewrite ^ {_PREFLIGHT} last; }}"
    yield 'if ($request_method !~ "^(?:GET|HEAD)$") { return 405; }'
    yield "if ($odd) { return 404; }"
    yield f"location = {_PREFLIGHT} {{"
    yield "    internal;"
    for name, value in (("Content-Security-Policy", NOTHING_RUNS), SECURE, *SAFETY, *PREFLIGHT):
        yield f'    add_header {name} "{value}";'
    yield "    return 204;"
    yield "}"
    yield f'location ~ "{FORMS}" {{ return 404; }}'
    yield 'location ~ "/$" { rewrite ^ "${uri}index.html" last; }'
    for kind in KINDS:
        yield from _location(kind, modules)


def _location(kind: Kind, modules: Collection[str]) -> Iterable[str]:
    place = f'~ "{kind.pattern}"' if kind.pattern else "/"
    yield f"location {place} {{"
    yield f'    default_type "{kind.type}";'
    if kind.packed:
        yield "    gzip_static on;"
    if kind.packed and BROTLI in modules:
        yield "    brotli_static on;"
    yield "    try_files $uri =404;"
    yield "}"


def _upstream(behind: str) -> Iterable[str]:
    yield ""
    yield "location / {"
    yield f"    proxy_pass {behind};"
    yield "    proxy_http_version 1.1;"
    yield "    proxy_set_header Host $host;"
    yield "    proxy_max_temp_file_size 0;"
    yield "}"


def _indented(lines: Iterable[str]) -> Iterable[str]:
    return (f"    {line}" if line else "" for line in lines)
