"""Real nginx and Caddy as `mirror front` configures them, asked as readers and strangers ask."""

import asyncio
import base64
import gzip
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import brotli
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from free_ports import free_port, free_ports
from front_servers import (
    ADDRESS,
    NAME,
    ROOT,
    Reader,
    caddy_running,
    certificate,
    everything,
    nginx_running,
    program,
    request,
    running,
    wait_for,
)
from serve_wire import Got, get

from mirror.article.render.shell import ARTICLE_HEAD, LISTS_HEAD
from mirror.formats.paths import article_folder
from mirror.front import Front, Listen
from mirror.front.caddy import caddy
from mirror.front.nginx import MODULES, nginx
from mirror.onion.key import address_of
from mirror.serve import serve
from mirror.stores import write
from mirror.stores.dir import DirStore

ONION = address_of(bytes(32))
MODULE_FOLDER = Path("/usr/lib/nginx/modules")
A = article_folder("oqxw64tnmfzrgi3damf2")
WORDS = base64.b64encode(random.Random(1).randbytes(9_900))  # that compress to what they were
PAGE = f"<!doctype html><html><head>{ARTICLE_HEAD}</head><p>words".encode() + b" of it" * 100
HEADERS = 960  # bytes of a front's at most
LARGE = next(
    page
    for end in range(len(WORDS), 0, -8)
    if len(gzip.compress(page := PAGE + WORDS[:end], 9)) <= 12_000 - HEADERS
)
SITE = {
    "index.html": PAGE,
    "archive/index.html": PAGE,
    f"{A}/1.html": PAGE,
    f"{A}/2.html": LARGE,
    f"{A}/2.diff.html": PAGE,
    f"{A}/index.html": LARGE,
    f"{A}/1.html.tlog-proof": b"c2sp.org/tlog-proof@v1\n",
    f"{A}/1.html.minisig": b"untrusted comment",
    f"{A}/1.html.sig": b"-----BEGIN SSH SIGNATURE-----",
    f"{A}/{'0f' * 32}.webp": b"RIFF",
    "index/00.json": b'{"v":1}',
    "tile/0/000.p/1": bytes(32),
    "tile/entries/x001/000": b"\x00\x01x",
    "checkpoint": b"origin\n",
    "index.tlog-proof": b"proof\n",
    "trust/1.root.json": b"{}",
    **dict.fromkeys(("feed.xml", "feed/2.xml", "feed.json", "other.xml"), b"words"),
    **dict.fromkeys(("sw.js", "style.css", "robots.txt", "week.epub", "week.car"), b"words"),
}
NOT_THERE = [
    "/none", "/a", "/archive", "/archive/none/", "/index.html/", "/index.html.gz", "/.hidden",
    "/.staging/x", "/a/.hidden", f"/{A}/1.html.br", "/../index.html", "/archive/../index.html",
    "/archive/..%2findex.html", "/%2e%2e/index.html", "//index.html", "/./index.html",
    "/archive//index.html", "/index.html%00", "/%", "/..", "/~root", "/link.html", "/closed.html",
]  # fmt: skip
# A header cannot know which of the sheets a page has.
LISTS_SHEET = LISTS_HEAD.partition("style-src")[2].partition(";")[0].lower()
PROGRAMS = ("nginx", "caddy")


def written(kind: str, front: Front) -> str:
    if kind == "caddy":
        return caddy(front)
    for name in MODULES:
        if not (MODULE_FOLDER / name).exists():
            pytest.skip(f"{name}: apt: libnginx-mod-http-{{headers-more-filter,brotli-static}}")
    return nginx(front, modules=[MODULE_FOLDER / name for name in MODULES])


def started(kind: str, config: str, folder: Path) -> AbstractContextManager[object]:
    folder.mkdir(exist_ok=True)
    return nginx_running(config, folder) if kind == "nginx" else caddy_running(config, folder)


class Fronts:
    """A site in a folder with a name that means much to shells, and each program before it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = folder / "the 'site' #1; \"of\" us"
        asyncio.run(write(DirStore(self.site), SITE))
        (self.site / "index.html.br").write_bytes(brotli.compress(PAGE))
        (self.site / ".hidden").write_text("words")
        (self.site / "empty").mkdir()
        self.chain, self.key = certificate(folder)
        self.readers: dict[str, Reader] = {}

    def front(self, **more: object) -> Front:
        more = {"site": self.site, "onion": ONION, **more}
        listen = Listen("127.0.0.1", free_port())
        return Front(name=NAME, certificate=(self.chain, self.key), listen=listen, **more)

    @contextmanager
    def running(
        self, kind: str, change: Callable[[str], str] = str, **more: object
    ) -> Iterator[Reader]:
        front = self.front(**more)
        folder = self.folder / f"{kind}-{front.listen.port}"
        with started(kind, change(written(kind, front)), folder):
            yield Reader(front.listen.port, self.chain)


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronts]:
    made = Fronts(tmp_path_factory.mktemp("fronts"))
    with ExitStack() as stack:
        made.readers = {kind: stack.enter_context(made.running(kind)) for kind in PROGRAMS}
        yield made


@pytest.fixture(params=PROGRAMS)
def reader(request: pytest.FixtureRequest, fronts: Fronts) -> Reader:
    found: Reader = fronts.readers[request.param]
    return found


def own_answer(site: Path, target: str, *lines: str, method: str = "GET") -> Got:
    """Return what the built-in server answers."""

    async def ask() -> Got:
        async with serve(site, host="127.0.0.1", port=0) as address:
            return await get(address, target, *lines, method=method)

    return asyncio.run(ask())


def compared(got: Got) -> dict[str, str]:
    """Return the headers but those that are each server's own."""
    own = ("date", "etag", "strict-transport-security", "onion-location", "content-security-policy")
    return {name: value for name, value in got.headers.items() if name not in own}


def has_address(file: Path) -> bool:
    """Return whether a file holds the reader's address, as text or in four bytes."""
    if not file.is_file():
        return False
    data = file.read_bytes()
    return ADDRESS.encode() in data or socket.inet_aton(ADDRESS) in data


def curve_of(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key.curve.name


# Files.


@pytest.mark.parametrize("coding", ["identity", "gzip", "gzip, br"])
def test_every_file_is_answered_as_the_built_in_server_answers(
    reader: Reader, fronts: Fronts, coding: str
):
    for path in ("", "archive/", f"{A}/", "index.html?x=1", *SITE):
        got = reader.get(f"/{path}", f"Accept-Encoding: {coding}")
        own = own_answer(fronts.site, f"/{path}", f"Accept-Encoding: {coding}")

        assert (path, got.status, got.body) == (path, own.status, own.body)
        assert compared(got) == compared(own)
        policy, strict = (each.headers["content-security-policy"] for each in (got, own))
        assert policy.replace(LISTS_SHEET, "") == strict


def test_a_page_permits_its_own_sheet_and_no_script(reader: Reader):
    for path in SITE:
        if path.endswith(".html"):
            policy = reader.get(f"/{path}").headers["content-security-policy"]

            assert ARTICLE_HEAD.partition("style-src ")[2].partition(";")[0].lower() in policy
            assert "unsafe" not in policy
            assert "script-src" not in policy


def test_what_is_unchanged_is_not_sent_again(reader: Reader):
    tag = reader.get("/checkpoint").headers["etag"]

    again = reader.get("/checkpoint", f"If-None-Match: {tag}")
    assert (again.status, again.body) == (304, b"")
    assert again.headers["cache-control"] == "private, max-age=60"
    assert again.headers["access-control-allow-origin"] == "*"
    assert "last-modified" not in again.headers
    late = "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"
    assert reader.get("/checkpoint", late).status == 200


def test_a_part_of_a_file_is_the_whole(reader: Reader):
    got = reader.get(f"/{A}/1.html", "Range: bytes=0-3", "Accept-Encoding: identity")

    assert (got.status, got.body) == (200, PAGE)


@pytest.mark.parametrize("target", NOT_THERE)
def test_what_is_no_file_of_the_site_is_not_there(reader: Reader, fronts: Fronts, target: str):
    got = reader.get(target)

    assert got.status in (404, 400)
    assert "location" not in got.headers
    if got.status == 404:
        own = own_answer(fronts.site, "/none")
        assert compared(got) | {"content-length": ""} == compared(own) | {"content-length": ""}
        assert (
            got.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        )


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PROPFIND", "TRACE", "X"])
def test_other_methods_are_refused(reader: Reader, method: str):
    got = reader.get("/index.html", "Content-Length: 0", method=method)

    assert got.status in (405, 400)
    assert got.headers["connection"] == "close"


def test_a_preflight_is_answered_as_by_the_built_in_server(reader: Reader, fronts: Fronts):
    got, own = (
        ask("/checkpoint", method="OPTIONS")
        for ask in (reader.get, lambda *a, **k: own_answer(fronts.site, *a, **k))
    )

    assert (got.status, compared(got)) == (own.status, compared(own))


def test_nginx_without_modules_lacks_only_what_they_do(fronts: Fronts):
    front = fronts.front()
    folder = fronts.folder / "bare"
    folder.mkdir()
    with nginx_running(nginx(front), folder):
        got = Reader(front.listen.port, fronts.chain).get(
            f"/{A}/1.html", "Accept-Encoding: br, gzip"
        )
    own = own_answer(fronts.site, f"/{A}/1.html", "Accept-Encoding: gzip")

    assert got.body == own.body
    assert compared(got) == compared(own) | {"server": "nginx"}


# The connection.


def test_a_page_passes_a_curtain_with_its_headers(reader: Reader):
    for path in (f"{A}/2.html", f"{A}/index.html"):
        asked = request(f"/{path}", "Accept-Encoding: gzip")
        came, answer = reader.on_the_wire(asked)
        head, _, body = answer.partition(b"\r\n\r\n")

        assert gzip.decompress(body) == LARGE
        assert len(body) > 10_900
        assert len(answer) <= 12_000
        assert len(head) + 4 <= HEADERS
        assert came <= 14_500  # with the handshake; the curtain falls after some 16,000


def test_one_answer_is_all_that_a_connection_has(reader: Reader):
    for target in ("/checkpoint", "/none", "/index.html"):
        asked = request(target, "Connection: keep-alive")
        answer = reader.raw(asked + asked)

        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_ticket_resumes_a_session_that_an_ecdsa_key_began(
    reader: Reader, version: ssl.TLSVersion
):
    context = reader.context()
    context.minimum_version = context.maximum_version = version
    with reader.connected(context) as tls:
        tls.sendall(request("/checkpoint"))
        everything(tls)
        session, cipher = tls.session, tls.cipher()
        public = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
    with reader.connected(context, session) as again:
        reused = again.session_reused

    assert session is not None
    assert session.has_ticket
    assert reused
    assert curve_of(public) == "secp256r1"
    assert version != ssl.TLSVersion.TLSv1_2 or "ECDSA" in cipher[0]


def test_only_http_1_1_is_spoken(reader: Reader):
    context = reader.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with reader.connected(context) as tls:
        assert tls.selected_alpn_protocol() in (None, "http/1.1")


def test_who_asks_for_another_name_learns_nothing(reader: Reader):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name in ("other.example", None):
        with reader.plainly() as plain, pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(plain, server_hostname=name)
    got = Got.parse(reader.raw(request("/", "Connection: close", host="other.example")))
    assert got.status in (404, 421)


@pytest.mark.parametrize("kind", PROGRAMS)
def test_without_an_address_a_front_listens_at_all(fronts: Fronts, kind: str):
    front = replace(fronts.front(), listen=Listen("", free_port()))
    with started(kind, written(kind, front), fronts.folder / f"{kind}-all"):
        got = Reader(front.listen.port, fronts.chain).get("/checkpoint")

    assert got.body == SITE["checkpoint"]


@pytest.mark.parametrize("kind", PROGRAMS)
def test_who_sends_slowly_is_cut_off(fronts: Fronts, kind: str):
    def hurried(config: str) -> str:
        made = config.replace("client_header_timeout 10s", "client_header_timeout 1s")
        made = made.replace("read_header 10s", "read_header 1s")
        assert made != config
        return made

    with fronts.running(kind, hurried) as reader, reader.connected() as tls:
        start = time.monotonic()
        tls.sendall(request("/index.html")[:-2])
        with suppress(ConnectionError):
            everything(tls)
        assert time.monotonic() - start < 8


# Nobody's address.


@pytest.mark.parametrize("kind", PROGRAMS)
def test_no_file_has_the_address_of_a_reader(fronts: Fronts, kind: str):
    with fronts.running(kind) as reader:
        (fronts.site / "closed.html").mkdir(exist_ok=True)
        for target in ("/index.html", "/none", "/closed.html", "/\x00", "/%", "/" + "x" * 9_000):
            with suppress(AssertionError, ValueError, OSError):
                reader.get(target)
        with suppress(OSError), reader.plainly() as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            plain.recv(999)
        with suppress(OSError), reader.plainly() as plain:
            plain.sendall(b"\x16\x03\x01\xff\xff" + b"x" * 99)
            plain.recv(999)
    folder = fronts.folder / f"{kind}-{reader.port}"
    files = [file for file in folder.rglob("*") if file.is_file()]
    files += [file for file in Path("/var/log").rglob("*.log") if "nginx" in str(file)]

    assert folder / "log" in files
    assert [file for file in files if has_address(file)] == []
    (fronts.site / "closed.html").rmdir()


def test_tor_browser_is_told_of_the_onion_where_a_page_is(reader: Reader):
    address = f"http://{ONION}"
    for path in ("/", "/index.html", f"/{A}/1.html"):
        assert reader.get(path).headers["onion-location"] == f"{address}{path}"
    for path in ("/checkpoint", "/none", "/feed.xml"):
        assert "onion-location" not in reader.get(path).headers


# Before the built-in server.


@pytest.mark.parametrize("kind", PROGRAMS)
async def test_the_built_in_servers_answers_are_passed_on_as_they_are(fronts: Fronts, kind: str):
    async with serve(fronts.site, host="127.0.0.1", port=0) as address:
        with fronts.running(kind, site=None, upstream=address) as reader:
            for target in ("/", f"/{A}/index.html", "/checkpoint", "/none", "/a/%2e%2e/x", "//x"):
                lines = ("Accept-Encoding: gzip",)
                got = await asyncio.to_thread(reader.get, target, *lines)
                own = await get(address, target, *lines)

                assert (got.status, got.body) == (own.status, own.body)
                assert compared(got) == compared(own)
                policy = "content-security-policy"
                assert got.headers[policy] == own.headers[policy]
                assert got.headers["strict-transport-security"] == "max-age=63072000"


@pytest.mark.parametrize("kind", PROGRAMS)
def test_the_server_behind_is_not_told_who_asks(fronts: Fronts, kind: str):
    heard: list[bytes] = []

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            heard.append(connection.recv(9_999))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        upstream = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with fronts.running(kind, site=None, upstream=upstream) as reader:
            reader.get("/words", "X-Forwarded-For: 192.0.2.1")
        thread.join()

    assert heard[0].startswith(b"GET /words HTTP/1.1\r\n")
    assert ADDRESS.encode() not in heard[0]


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_server_behind_that_is_away_is_said_without_a_word_of_it(fronts: Fronts, kind: str):
    with fronts.running(kind, site=None, upstream=f"http://127.0.0.1:{free_port()}") as reader:
        got = reader.get("/index.html")

    assert got.status == 502
    assert got.headers["cache-control"] == "no-store"
    assert got.headers["connection"] == "close"
    assert "server" not in got.headers or kind == "nginx"


# Judges.


def test_a_certificate_is_got_from_an_acme_server(fronts: Fronts, tmp_path: Path):
    api, management, dns, tests, listen = free_ports(5)
    own = tmp_path / "pebble"
    own.mkdir()
    chain, key = certificate(own, "localhost")
    settings = {
        "listenAddress": f"127.0.0.1:{api}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(chain),
        "privateKey": str(key),
        "httpPort": 1,
        "tlsPort": listen,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    (own / "config").write_text(json.dumps({"pebble": settings}))
    names = [program("pebble-challtestsrv"), "-dns01", f"127.0.0.1:{dns}"]
    names += ["-management", f"127.0.0.1:{tests}", "-http01", "", "-https01", "", "-tlsalpn01", ""]
    names += ["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]
    pebble = [program("pebble"), "-config", own / "config", "-dnsserver", f"127.0.0.1:{dns}"]
    front = Front(
        name=NAME,
        site=fronts.site,
        acme=f"https://localhost:{api}/dir",
        listen=Listen("127.0.0.1", listen),
    )
    quick = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
    with (
        running(names, own) as first,
        running(pebble, own, env=quick) as second,
    ):
        wait_for(tests, first, own)
        wait_for(api, second, own)
        with caddy_running(caddy(front), tmp_path, {"SSL_CERT_FILE": str(chain)}):
            root = tmp_path / "root.pem"
            root.write_bytes(_root_of(management, chain))
            reader = Reader(listen, root)
            got = _in_time(lambda: reader.get("/checkpoint"), tmp_path / "log")
            with reader.connected() as tls:
                public = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")

    assert got.body == SITE["checkpoint"]
    assert curve_of(public) == "secp256r1"
    assert [file for file in tmp_path.rglob("*") if has_address(file)] == []


def test_a_certificate_that_cannot_be_had_is_told(fronts: Fronts, tmp_path: Path):
    front = Front(
        name=NAME,
        site=fronts.site,
        acme=f"https://localhost:{free_port()}/dir",
        listen=Listen("127.0.0.1", free_port()),
    )
    with caddy_running(caddy(front), tmp_path):
        end = time.monotonic() + 30
        while "connection refused" not in (tmp_path / "log").read_text():
            assert time.monotonic() < end
            time.sleep(0.1)


def _root_of(port: int, trusts: Path) -> bytes:
    asked = Reader(port, trusts, "localhost").raw(
        request("/roots/0", "Connection: close", host="localhost")
    )
    return Got.parse(asked).body


def _in_time(ask: Callable[[], Got], log: Path) -> Got:
    end = time.monotonic() + 30
    while True:
        try:
            return ask()
        except OSError:
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)


def test_an_observatory_of_headers_gives_its_best_grade(reader: Reader):
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    package = cache / "tamizdat/observatory-1.4.8/node_modules/@mdn/mdn-http-observatory"
    node = shutil.which("node")
    if not node or not package.is_dir():
        pytest.skip(f"no node, or no HTTP Observatory at {package}: .ci/observatory installs it")
    command = [node, ROOT / "tests/front_grade.mjs", package, NAME, str(reader.port)]
    trusted = {"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": str(reader.trusts)}
    done = subprocess.run(command, env=trusted, capture_output=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert (found["scan"]["grade"], found["scan"]["testsFailed"]) == ("A+", 0)
