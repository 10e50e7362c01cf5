"""A web server before a folder store: as a good mirror is, or with one habit of bad ones."""

import asyncio
import datetime
import gzip
import ipaddress
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import fetch_servers
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fetch_servers import LOOPBACK

from mirror.formats.paths import is_head
from mirror.labels import caching_of, is_packed, type_of
from mirror.trial import Finding

SCRIPT = b"<script>new Image().src='//count.example'</script></body>"


class Front:
    """Serves `folder`; `habits` name what it does wrong."""

    def __init__(self, folder: Path, *habits: str) -> None:
        self.folder = folder
        self.habits = frozenset(habits)  # a test may change them
        self.asked: list[str] = []
        self._first: dict[str, bytes] = {}

    def has(self, habit: str) -> bool:
        return habit in self.habits

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.lstrip("/")
        self.asked.append(path)
        if self.has("is ill"):
            return web.Response(status=503)
        if self.has("lets nobody in"):
            return web.Response(status=403)
        if self.has("redirects") and not path.startswith("to/"):
            return web.Response(status=302, headers={"Location": f"/to/{path}"})
        data = self._data(path.removeprefix("to/"))
        if data is None:
            return self._missing()
        body = self._altered(path, data)
        fields = self._fields(path)
        if "Content-Encoding" in fields:
            body = gzip.compress(body, 9, mtime=0)
        if self.has("loses the coding"):
            fields.pop("Content-Encoding", None)
        return self._sent(body, fields)

    def _data(self, path: str) -> bytes | None:
        name = path.lower() if self.has("ignores case") else path
        known = name.endswith((".html", ".json", ".webp"))
        if self.has("drops endings") and not known:
            return None
        file = self.folder / name
        if not file.is_file():
            return None
        data = file.read_bytes()
        return self._first.setdefault(name, data) if self.has("stale") else data

    def _missing(self) -> web.Response:
        if self.has("answers all"):
            return self._sent(b"<html>Welcome!</html>", self._fields("index.html"))
        return web.Response(status=403 if self.has("forbids") else 404)

    def _altered(self, path: str, data: bytes) -> bytes:
        if not path.endswith(".html"):
            return data + b" " if self.has("changes bytes") else data
        if self.has("adds scripts") or (self.has("adds to heads") and is_head(path)):
            return data.replace(b"</body>", SCRIPT)
        return b" ".join(data.split()) if self.has("rewrites") else data

    def _fields(self, path: str) -> dict[str, str]:
        fields = {
            "Content-Type": type_of(path),
            "Cache-Control": caching_of(path),
            "Access-Control-Allow-Origin": "*",
            "Server": "",
        }
        if is_packed(path) and not self.has("sends plain text"):
            fields["Content-Encoding"] = "gzip"
        for habit, changed in _FIELDS.items():
            if self.has(habit):
                fields |= changed
        return {name: value for name, value in fields.items() if value or name == "Server"}

    def _sent(self, body: bytes, fields: Mapping[str, str]) -> web.Response:
        response = web.Response(body=body, headers=fields)
        if not self.has("keeps connections"):
            response.force_close()
        if self.has("adds cookies"):
            response.set_cookie("visitor", "1795404837")
        return response


_FIELDS = {
    "no cors": {"Access-Control-Allow-Origin": ""},
    "cors for one": {"Access-Control-Allow-Origin": "https://reader.example"},
    "no types": {"Content-Type": "application/octet-stream"},
    "plain types": {"Content-Type": "text/plain"},
    "no charset": {"Content-Type": "text/html"},
    "another charset": {"Content-Type": "text/html; charset=windows-1251"},
    "keeps long": {"Cache-Control": "public, max-age=86400"},
    "keeps for ten minutes": {"Cache-Control": "max-age=600"},
    "keeps long elsewhere": {"Cache-Control": "max-age=60, s-maxage=86400"},
    "no caching": {"Cache-Control": ""},
    "says who": {"Server": "nginx/1.18.0 (Ubuntu)"},
    "many headers": {"X-Trace": "t" * 7000},
    "sends elsewhere": {"Refresh": "0; url=https://other.example/"},
    "adds a stylesheet": {"Link": "</x.css>; rel=Stylesheet"},
    "links": {"Link": "<https://news.example/>; rel=canonical"},
    "lies about coding": {"Content-Encoding": "br"},
}


HABITS = [
    ("rewrites", "bytes", "bad", ".html: HTML is rewritten"),
    ("adds scripts", "bytes", "bad", ".html: a script was put in"),
    ("changes bytes", "bytes", "bad", "bytes are changed"),
    ("loses the coding", "bytes", "bad", "the Content-Encoding is lost"),
    ("lies about coding", "bytes", "bad", "not what its Content-Encoding says"),
    ("adds cookies", "cookies", "bad", "adds cookies to .html"),
    ("answers all", "missing", "bad", "status 200 for a file that is not there"),
    ("forbids", "missing", "bad", "status 403 for a file that is not there"),
    ("ignores case", "case", "bad", "ignores case: status 200"),
    ("redirects", "redirects", "bad", "status 302 to '/to/"),
    ("sends elsewhere", "redirects", "bad", "sends Refresh: '0; url=https://other.example/'"),
    ("adds a stylesheet", "redirects", "bad", "sends Link: '</x.css>; rel=Stylesheet'"),
    ("no cors", "cors", "bad", "no Access-Control-Allow-Origin: *"),
    ("cors for one", "cors", "bad", "no Access-Control-Allow-Origin: *"),
    ("no types", "types", "bad", ".html: application/octet-stream"),
    ("plain types", "types", "bad", ".html: text/plain"),
    ("no charset", "types", "poor", ".html: text/html"),
    ("another charset", "types", "bad", ".html: text/html; charset=windows-1251"),
    ("keeps long", "caching", "bad", "kept too long: public, max-age=86400"),
    ("keeps long elsewhere", "caching", "bad", "kept too long: max-age=60, s-maxage=86400"),
    ("keeps for ten minutes", "caching", "poor", "kept too long: max-age=600"),
    ("no caching", "caching", "poor", "not said for"),
    ("many headers", "size", "poor", "over 12,000"),
    ("keeps connections", "connection", "poor", "connections are kept open"),
    ("says who", "server", "poor", "says: nginx/1.18.0 (Ubuntu)"),
]
"""What a mirror does wrong, as what it is found, how bad that is, and some words of what is said;
whether it is tried with a probe or with what is published."""


def faults(found: Mapping[str, Finding]) -> dict[str, str]:
    """Return how bad each finding is that is not good, by what it is of."""
    return {what: each.level for what, each in found.items() if each.level != "good"}


def certificate(path: Path, *, first: int, last: int) -> Path:
    """Write a key and a certificate for loopback to `path`, valid from day to day from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mirror.example")])
    now, address = datetime.datetime.now(datetime.UTC), ipaddress.ip_address(LOOPBACK)
    names = x509.SubjectAlternativeName([x509.IPAddress(address)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=first))
        .not_valid_after(now + datetime.timedelta(days=last))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(*pem, serialization.NoEncryption())
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def fronted(
    folder: Path, *habits: str, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, Front]]:
    """Serve in a thread, for a test that calls the command; yields `host:port`."""
    front, loop = Front(folder, *habits), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="front")
    thread.start()
    serving = fetch_servers.site(front.answer, tls)
    try:
        yield asyncio.run_coroutine_threadsafe(serving.__aenter__(), loop).result(), front
    finally:
        ended = serving.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(ended, loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
