"""Object storage as a store: on a real S3 server, and what is said when one does not do."""

import asyncio
import datetime
import gzip
import ipaddress
import json
import re
import shutil
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import fetch_servers
import obstore
import pytest
import store_s3
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from free_ports import free_port
from obstore.exceptions import GenericError
from small_disk import small_disk
from store_s3 import BUCKET, SECRET, Server

from mirror import labels
from mirror.errors import SettingsError, StoreError
from mirror.fetch import Fetcher
from mirror.formats.paths import is_head
from mirror.stores import objects
from mirror.stores.objects import PARALLEL, ObjectStore, bucket
from mirror.trial import Reading, Wire, try_store, worst

A = "a/o/q/x/w64tnmfzrgi3damf2"
PAGE = f"{A}/1.html"
PICTURE = f"{A}/{'0f' * 32}.webp"
IMMUTABLE = [PAGE, f"{PAGE}.sig", PICTURE, "tile/0/000.p/7", "index/00.json"]
HEADS = ["checkpoint", "index.html", f"{PAGE}.tlog-proof", "index.tlog-proof", "trust/policy"]
KINDS = [*IMMUTABLE, *HEADS, "feed.xml", "feed.json", "sw.js", "tile/entries/000", "archive/1.html"]
SITE = {PAGE: b"<p>1</p>" * 99, "tile/0/000.p/1": bytes(32), "checkpoint": b"c", "index.html": b"i"}
WRONG = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "wrong/one+of=test"}

Answering = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with store_s3.serving(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def store(server: Server) -> Iterator[ObjectStore]:
    yield server.store()
    server.wipe()


async def put(store: ObjectStore, path: str, data: bytes) -> None:
    await store.put(path, data)
    await store.flush()


def at(address: str, **options: str) -> ObjectStore:
    """Return a store at an address of loopback; what is secret there is known here."""
    told = {"endpoint": f"http://{address}", "allow_http": "true", **options}
    return ObjectStore("copy", f"s3://{BUCKET}/site", secret=SECRET, options=told)


def s3_error(status: int, code: str) -> Answering:
    """Answer as Amazon's does, which repeats the key's name, the signature and what was signed."""

    async def answer(request: web.Request) -> web.Response:
        signed = request.headers["Authorization"]
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>No.'
            f"</Message><AWSAccessKeyId>{SECRET['AWS_ACCESS_KEY_ID']}</AWSAccessKeyId>"
            f"<StringToSign>AWS4-HMAC-SHA256 {signed}</StringToSign>"
            f"<SignatureProvided>{signed.rpartition('Signature=')[2]}</SignatureProvided></Error>"
        )
        return web.Response(status=status, text=body, content_type="application/xml")

    return lambda: fetch_servers.site(answer)


def assert_tells_no_secret(error: BaseException) -> None:
    text = "".join(traceback.format_exception(error)).lower()

    for each in (*SECRET.values(), "signature=", "x-amz", "aws4", "credential="):
        assert each.lower() not in text


# What readers are told.


@pytest.mark.parametrize("path", KINDS)
async def test_the_place_is_told_type_cache_time_and_coding_and_nothing_else(
    store: ObjectStore, server: Server, path: str
):
    await put(store, path, b"words " * 99)
    told = dict(obstore.get(server.bucket(), path).attributes)
    coding = {"Content-Encoding": "gzip"} if labels.is_packed(path) else {}

    assert told == {
        "Content-Type": labels.type_of(path),
        "Cache-Control": labels.caching_of(path),
        **coding,
    }
    assert ("immutable" in told["Cache-Control"]) == (not is_head(path))


async def test_text_is_kept_compressed_and_read_back_as_it_was(store: ObjectStore, server: Server):
    data = b"<p>words and words</p>" * 999
    await put(store, PAGE, data)
    kept = server.file(PAGE).read_bytes()

    assert gzip.decompress(kept) == data
    assert len(kept) < len(data) / 20
    assert await store.get(PAGE) == data


async def test_a_place_that_loses_the_coding_may_be_sent_plain_text(server: Server):
    data = b"<p>words and words</p>" * 99
    store = server.store(encoding="plain")
    await put(store, "index.html", data)

    assert server.file("index.html").read_bytes() == data
    assert await store.get("index.html") == data
    server.wipe()


async def test_the_same_text_in_another_coding_is_the_same_file(store: ObjectStore, server: Server):
    await put(server.store(encoding="plain"), PAGE, b"words " * 99)
    await put(store, PAGE, b"words " * 99)

    assert await store.get(PAGE) == b"words " * 99


async def test_readers_of_a_public_bucket_get_what_they_need(tmp_path: Path):
    with store_s3.serving(tmp_path, public=True) as server:
        host = server.endpoint.removeprefix("http://")
        async with Fetcher(allow_hosts=[host]) as fetcher:
            url = f"{server.endpoint}/{BUCKET}/{store_s3.FOLDER}/"
            reading = Reading(url, Wire(allow_hosts=[host]), fetcher, wait_s=3.0)
            found = await try_store(server.store(), reading, noise=bytes(32))

    # It says which program it is, and keeps connections open: of a place that is not ours.
    assert {each.what for each in found if each.level != "good"} == {"server", "connection"}
    assert worst(found) == "poor"


# The promises of every store.


async def test_nothing_is_there_before_the_flush(store: ObjectStore, server: Server):
    await store.put(PAGE, b"x")

    assert server.read(PAGE) is None
    assert await store.get(PAGE) is None


async def test_what_was_put_and_deleted_before_a_flush_never_comes(store: ObjectStore):
    await store.put(PAGE, b"x")
    await store.delete(PAGE)
    await store.flush()

    assert await store.get(PAGE) is None


async def test_a_flush_sends_a_thousand_files(store: ObjectStore, server: Server):
    for number in range(1000):
        await store.put(f"tile/0/x001/{number:03}", b"%d" % number * 9)
    await store.flush()

    assert len(await server.store().names("tile/0/x001")) == 1000


# What is said when a place does not do.


async def test_wrong_credentials_are_named_and_not_shown(server: Server):
    store = server.store(secret=WRONG)
    for verb in (put(store, PAGE, b"x"), put(store, "checkpoint", b"x"), store.get("checkpoint")):
        with pytest.raises(StoreError, match="wrong credentials: put the right ones into") as e:
            await verb
        assert_tells_no_secret(e.value)
    with pytest.raises(StoreError, match="wrong credentials"):
        await store.names(A)
    with pytest.raises(StoreError, match="wrong credentials"):
        await put(server.store(secret={**SECRET, "AWS_ACCESS_KEY_ID": "AKIANOBODY"}), PAGE, b"x")


async def test_a_bucket_that_is_not_there_is_no_empty_one(server: Server):
    store = server.store(bucket="no-such-bucket")
    await store.delete(PAGE)
    for verb in (store.flush(), put(store, PAGE, b"x"), store.get(PAGE), store.names(A)):
        with pytest.raises(StoreError, match="no such bucket: make it at the provider"):
            await verb


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "SignatureDoesNotMatch", "wrong credentials"),
        (403, "AccessDenied", "forbidden: give these credentials the right"),
        (403, "RequestTimeTooSkewed", "clock skew: .* set the clock"),
        (403, "QuotaExceeded", "full: make room there, or raise the quota"),
        (403, "SomethingNew", "forbidden"),
        (400, "AuthorizationHeaderMalformed", "another region: fix options.region"),
        (507, "InsufficientStorage", "full"),
        (418, "Teapot", "status 418: tried again later"),
    ],
)
async def test_what_a_place_says_no_with_is_told_in_words_of_our_own(
    status: int, code: str, words: str
):
    async with s3_error(status, code)() as address:
        for path in (PAGE, "checkpoint"):
            with pytest.raises(StoreError, match=f"copy: {path}: {words}") as e:
                await put(at(address), path, b"x")
            assert_tells_no_secret(e.value)


@pytest.mark.parametrize("wrong", ["-20m", "-2d", "+20m", "+2d"])
def test_a_clock_that_is_wrong_by_minutes_is_named(server: Server, wrong: str):
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed (apt install faketime)")
    command = ["faketime", "-f", wrong, sys.executable, "-c", LATE, server.endpoint]
    made = subprocess.run(command, input=json.dumps(SECRET), capture_output=True, text=True)

    assert made.returncode == 0, made.stderr
    assert made.stdout == f"copy: checkpoint: {CLOCK}\n" * 2


CLOCK = "clock skew: this machine's clock and the place's differ by minutes: set the clock"
LATE = f"""
import asyncio, json, os, sys
from mirror.errors import StoreError
from mirror.stores.objects import ObjectStore
async def main():
    options = {{"endpoint": sys.argv[1], "allow_http": "true"}}
    secret = json.load(sys.stdin)
    store = ObjectStore("copy", "s3://{BUCKET}/site", secret=secret, options=options)
    await store.put("checkpoint", b"x")
    for verb in (store.flush(), store.get("checkpoint")):
        try:
            await verb
        except StoreError as e:
            print(e, flush=True)
    os._exit(0)  # the client's threads, which end with the interpreter, abort under faketime
asyncio.run(main())
"""


def test_a_process_ends_with_its_own_code_while_the_client_still_tells_the_loop():
    command = [sys.executable, "-c", SLOW, f"http://127.0.0.1:{free_port()}"]
    made = subprocess.run(command, input=json.dumps(SECRET), capture_output=True, text=True)

    assert "does not answer: connection refused" in made.stdout
    assert made.returncode == 4, made.stderr


SLOW = """
import asyncio, json, sys, threading, time
from mirror.errors import StoreError
from mirror.stores.objects import ObjectStore, bucket
class Loop(asyncio.SelectorEventLoop):
    def _write_to_self(self):
        super()._write_to_self()
        if threading.get_ident() != threading.main_thread().ident:
            time.sleep(0.3)
class Last:  # taken apart with the interpreter, which ends no sooner
    def __del__(self, sleep=time.sleep):
        sleep(0.6)
sys.last = Last()
async def main():
    options = {"endpoint": sys.argv[1], "allow_http": "true"}
    store = ObjectStore("copy", "s3://bucket/site", secret=json.load(sys.stdin), options=options)
    try:
        await store.get("checkpoint")
    except StoreError as e:
        print(e)
bucket.RETRIES = 0
with asyncio.Runner(loop_factory=Loop) as runner:
    runner.run(main())
sys.exit(4)
"""


async def test_a_full_disk_at_the_place_is_what_its_failure_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bucket, "RETRIES", 0)
    with store_s3.serving(tmp_path) as server, small_disk(server.folder / BUCKET) as grow:
        store = server.store()
        for words in (put_all(store), put_all(store)):
            with pytest.raises(StoreError, match="fails there: its owner's log says of what"):
                await words
        await (await asyncio.create_subprocess_exec(*grow)).wait()
        await put_all(store)

        assert len(await store.names("a")) == 20


async def put_all(store: ObjectStore) -> None:
    for number in range(20):
        await store.put(f"a/{number}.webp", b"%02d" % number * 50_000)
    await store.flush()


async def test_a_place_that_asks_for_less_is_tried_again_a_few_times_only(
    monkeypatch: pytest.MonkeyPatch,
):
    asked: list[str] = []

    async def busy(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=503, text="<Error><Code>SlowDown</Code></Error>")

    monkeypatch.setattr(bucket, "MAX_WAIT_S", 0.3)
    async with fetch_servers.site(busy) as address:
        with pytest.raises(StoreError, match="asked for less: tried again later"):
            await put(at(address), "checkpoint", b"x")

    assert len(asked) == 1 + bucket.RETRIES


async def test_after_a_failure_no_more_is_sent():
    asked: list[str] = []

    async def forbid(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=403)

    async with fetch_servers.site(forbid) as address:
        store = at(address)
        for number in range(500):
            await store.put(f"archive/{number}.html", b"x")
        with pytest.raises(StoreError, match="forbidden"):
            await store.flush()

    assert len(asked) <= PARALLEL


async def test_a_place_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bucket, "RETRIES", 0)
    monkeypatch.setattr(bucket, "REQUEST_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(StoreError, match="does not answer: too slow"):
            await put(at(address), "checkpoint", b"x")
    with pytest.raises(StoreError, match="does not answer: connection refused"):
        await put(at(address), "checkpoint", b"x")


@pytest.mark.parametrize(
    ("to", "endpoint", "words"),
    [
        ("s3://news", "", "no endpoint given, so Amazon was asked: --option endpoint=https://…"),
        ("s3://news", "https://s.example", "no such host: fix options.endpoint"),
        ("az://news", "", "no such host: fix options.endpoint"),
    ],
)
async def test_who_names_no_endpoint_is_told_who_was_asked(
    monkeypatch: pytest.MonkeyPatch, to: str, endpoint: str, words: str
):
    async def found_nobody(*_: object, **__: object) -> None:
        raise GenericError("error sending request: dns error: failed to lookup address")

    monkeypatch.setattr(obstore, "get_async", found_nobody)
    keys = {"AZURE_STORAGE_ACCOUNT_NAME": "name", "AZURE_STORAGE_ACCOUNT_KEY": "a2V5"}
    options = {"endpoint": endpoint} if endpoint else {}
    secret = keys if to.startswith("az") else SECRET
    with pytest.raises(StoreError) as e:
        await ObjectStore("far", to, secret=secret, options=options).get(PAGE)

    assert str(e.value) == f"far: {PAGE}: {words}"


@pytest.mark.parametrize(
    ("from_day", "until_day", "trusted", "words"),
    [
        (-9, -2, True, "certificate expired: who runs the place must renew it"),
        (2, 9, True, "certificate not valid yet: set this machine's clock"),
        (-2, 2, False, "certificate not trusted: name its authority's file in options.ca"),
    ],
)
async def test_a_certificate_that_does_not_do_is_named(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    from_day: int,
    until_day: int,
    trusted: bool,
    words: str,
):
    monkeypatch.setattr(bucket, "RETRIES", 0)
    file = certificate(tmp_path / "own.pem", from_day, until_day)
    tls = fetch_servers.encrypted(file)
    ca = {"ca": str(file)} if trusted else {}
    async with fetch_servers.answer(b"") as _, fetch_servers.raw(tls=tls) as address:
        with pytest.raises(StoreError, match=words):
            await put(at(address, endpoint=f"https://{address}", **ca), "checkpoint", b"x")


async def test_a_certificate_of_an_own_authority_is_believed(tmp_path: Path):
    file = certificate(tmp_path / "own.pem", -1, 1)

    async def keep(request: web.Request) -> web.Response:
        return web.Response(headers={"ETag": '"x"'})

    async with fetch_servers.site(keep, tls=fetch_servers.encrypted(file)) as address:
        await put(at(address, endpoint=f"https://{address}", ca=str(file)), "checkpoint", b"x")


def certificate(file: Path, from_day: int, until_day: int) -> Path:
    """Write a key and a certificate for 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "store")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=from_day))
        .not_valid_after(now + datetime.timedelta(days=until_day))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    file.write_bytes(key.private_bytes(pem, *form) + made.public_bytes(pem))
    return file


async def test_a_file_that_was_damaged_there_is_no_text(store: ObjectStore, server: Server):
    await put(store, PAGE, b"words " * 99)
    whole = server.file(PAGE).read_bytes()
    for damaged in (whole[:-9], b"\x1f\x8b\x08" + bytes(99)):
        obstore.put(server.bucket(), PAGE, damaged)
        with pytest.raises(StoreError, match=f"copy: {PAGE}: damaged there"):
            await store.get(PAGE)


async def test_a_file_that_is_made_to_fill_the_memory_is_refused(
    store: ObjectStore, server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(objects, "MAX_BYTES", 100_000)
    await put(store, PAGE, bytes(100_001))
    await put(store, PICTURE, bytes(100_001))
    for path in (PAGE, PICTURE):
        with pytest.raises(StoreError, match=f"{path}: more than 100000 bytes"):
            await store.get(path)


async def test_a_file_is_not_unpacked_beyond_what_may_be(
    store: ObjectStore, server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(objects, "MAX_BYTES", 100_000)
    bomb = gzip.compress(bytes(1 << 20))[:-9]  # whoever unpacks it all finds that it is cut short
    obstore.put(server.bucket(), PAGE, bomb)

    with pytest.raises(StoreError, match="more than 100000 bytes"):
        await store.get(PAGE)


async def test_a_longer_text_where_one_was_put_for_good_is_other_bytes(store: ObjectStore):
    await put(store, PAGE, bytes(100_000))

    with pytest.raises(StoreError, match=f"{PAGE}: already holds other bytes"):
        await put(store, PAGE, b"words")


# Settings.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"enpoint": "https://s3.example"}, "options.enpoint: no such option: expected one of"),
        ({"endpoint": "http://s3.example"}, "over http all on the way read and alter"),
        ({"endpoint": "https://name:secret@s3.example"}, "options.endpoint: https://HOST was"),
        ({"endpoint": "s3.example"}, "options.endpoint: https://HOST was expected"),
        ({"allow_http": "yes"}, "options.allow_http: true or false was expected"),
        ({"encoding": "br"}, "options.encoding: gzip or plain was expected"),
        ({"ca": "/nowhere.pem"}, "options.ca: /nowhere.pem: not readable"),
    ],
)
def test_an_option_of_no_meaning_is_refused(options: dict[str, str], words: str):
    with pytest.raises(SettingsError, match=words) as e:
        ObjectStore("copy", "s3://bucket/f", secret=SECRET, options=options)

    assert "name:secret" not in str(e.value)


@pytest.mark.parametrize(
    ("to", "secret", "words"),
    [
        ("s3://bucket", {}, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY were expected"),
        ("s3://bucket", {**SECRET, "AWS_KEY": "top"}, "secret: nothing but AWS_ACCESS_KEY_ID, "),
        ("gs://bucket", {"GOOGLE_SERVICE_ACCOUNT_KEY": "{top"}, "not usable together"),
        ("az://bucket", {"AZURE_STORAGE_ACCOUNT_NAME": "top"}, "and AZURE_STORAGE_SAS_TOKEN were"),
        ("s3://b?x/f", SECRET, "to: one of s3://BUCKET/FOLDER, gs://"),
        ("s3://bucket/../f", SECRET, "to: one of s3://BUCKET/FOLDER, gs://"),
        ("ftp://bucket", SECRET, "to: one of s3://BUCKET/FOLDER, gs://"),
    ],
)
def test_a_secret_or_a_place_of_no_meaning_is_refused(to: str, secret: dict[str, str], words: str):
    with pytest.raises(SettingsError, match=words) as e:
        ObjectStore("copy", to, secret=secret, options={})

    assert "top" not in str(e.value)


async def test_what_the_environment_says_is_not_asked(
    server: Server, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
):
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.setenv(name, "other")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    await put(server.store(), "checkpoint", b"x")

    assert server.read("checkpoint") == b"x"


# Google's and Azure's, of which no server runs here: what is sent to them.


class Kept:
    """Keeps what is sent to it; says what Google's and Azure's say of a blob."""

    def __init__(self) -> None:
        self.sent: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.no: web.Response | None = None

    async def answer(self, request: web.Request) -> web.Response:
        if self.no is not None:
            return self.no
        if request.method == "PUT":
            fields = {name.lower(): value for name, value in request.headers.items()}
            # A body with `Content-Encoding`, which is Google's way, the server here has undone.
            self.sent[request.path] = await request.read(), fields
            return web.Response(status=201, headers={"ETag": '"new"'})
        if request.method == "POST":
            return self.batch(await request.text())
        found = self.sent.get(request.path)
        if found is None:
            return web.Response(status=404, text="<Error><Code>BlobNotFound</Code></Error>")
        if request.method == "DELETE":
            del self.sent[request.path]
            return web.Response(status=202)
        held = {"ETag": '"new"', "Last-Modified": "Mon, 23 Nov 2026 00:00:00 GMT"}
        return web.Response(body=found[0], headers=held)

    def batch(self, text: str) -> web.Response:
        """Answer to several deletions at once, as Azure has them."""
        parts = []
        for number, path in enumerate(re.findall(r"^DELETE (\S+) HTTP/1.1", text, re.MULTILINE)):
            status = "202 Accepted" if self.sent.pop(path.partition("?")[0], None) else "404 No"
            head = f"Content-Type: application/http\r\nContent-ID: {number}\r\n\r\n"
            parts.append(f"--b\r\n{head}HTTP/1.1 {status}\r\nx-ms-version: 1\r\n\r\n")
        sent = {"Content-Type": "multipart/mixed; boundary=b"}
        return web.Response(status=202, body="".join(parts).encode() + b"--b--\r\n", headers=sent)


def google(address: str) -> ObjectStore:
    key = {"gcs_base_url": f"http://{address}", "disable_oauth": True}
    told = json.dumps({**key, "client_email": "", "private_key": "", "private_key_id": ""})
    secret = {"GOOGLE_SERVICE_ACCOUNT_KEY": told}
    options = {"endpoint": f"http://{address}", "allow_http": "true"}
    return ObjectStore("copy", "gs://news-copy/site", secret=secret, options=options)


def azure(address: str) -> ObjectStore:
    sas = "sv=2026-01-01&sig=top%2Fsecret%3D"
    secret = {"AZURE_STORAGE_ACCOUNT_NAME": "news", "AZURE_STORAGE_SAS_TOKEN": sas}
    options = {"endpoint": f"http://{address}/news", "allow_http": "true"}
    return ObjectStore("copy", "az://$web/site", secret=secret, options=options)


@pytest.mark.parametrize("make", [google, azure])
async def test_other_families_are_told_the_same(make: Callable[[str], ObjectStore]):
    kept = Kept()
    async with fetch_servers.site(kept.answer) as address:
        store = make(address)
        await put(store, PAGE, b"words " * 99)
        await put(store, PAGE, b"words " * 99)
        [(path, (body, fields))] = kept.sent.items()

        assert await store.get(PAGE) == b"words " * 99
        with pytest.raises(StoreError, match="already holds other bytes"):
            await put(store, PAGE, b"other")

        await store.delete(PAGE)
        await store.delete(PAGE)
        await store.flush()

        assert await store.get(PAGE) is None

    assert path.endswith(f"/site/{PAGE}")
    assert body in (b"words " * 99, gzip.compress(b"words " * 99, 9, mtime=0))
    said = {name.removeprefix("x-ms-blob-"): value for name, value in fields.items()}
    assert said["content-type"] == labels.type_of(PAGE)
    assert said["cache-control"] == labels.IMMUTABLE
    assert said["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (403, "<Error><Code>AuthenticationFailed</Code></Error>", "wrong credentials"),
        (403, "<Code>AuthenticationFailed</Code> request date header too old", "clock skew"),
        (404, "<Error><Code>ContainerNotFound</Code></Error>", "no such bucket"),
    ],
)
async def test_an_address_that_is_a_secret_is_not_shown(status: int, text: str, words: str):
    kept = Kept()
    kept.no = web.Response(status=status, text=text)
    async with fetch_servers.site(kept.answer) as address:
        with pytest.raises(StoreError, match=words) as e:
            await put(azure(address), "checkpoint", b"x")

    assert "sig=" not in "".join(traceback.format_exception(e.value))
