"""Object storage behind rclone: what readers are told, what it costs, and what is said of a no."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import fetch_servers
import obstore
import pytest
import store_s3
from aiohttp import web
from small_disk import small_disk
from store_s3 import BUCKET, SECRET, Server

from mirror import labels
from mirror.errors import StoreError
from mirror.stores import Store, rclone, write
from mirror.stores.rclone.words import explain

A = "a/o/q/x/w64tnmfzrgi3damf2"
PAGE = f"{A}/1.html"
WORDS = b"<p>words and words</p>" * 99
SITE = {
    PAGE: WORDS,
    f"{PAGE}.sig": b"sig",
    f"{A}/{'0f' * 32}.webp": b"picture",
    "index/00.json": b"{}",
    "tile/0/000.p/1": bytes(32),
    f"{PAGE}.tlog-proof": b"proof",
    "index.html": WORDS,
    "feed.xml": WORDS,
    "checkpoint": b"c",
    "index.tlog-proof": b"i",
}
VERBS = ("put", "get", "names", "delete")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with store_s3.serving(tmp_path_factory.mktemp("s3"), tells=True) as server:
        yield server


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return tmp_path / "room"


async def why(store: Store, verb: str) -> str:
    """Return what is said of a verb that does not do."""
    with pytest.raises(StoreError) as caught:
        match verb:
            case "put":
                await write(store, {PAGE: b"x"})
            case "delete":
                await store.delete(PAGE)
                await store.flush()
            case "get":
                await store.get(PAGE)
            case _:
                await store.names(A)
    return str(caught.value)


async def test_readers_are_told_the_same_as_at_our_own_kind_of_store(server: Server, room: Path):
    await write(server.by_rclone(room), SITE)
    there = {path: dict(obstore.get(server.bucket(), path).attributes) for path in SITE}
    own = {path: dict(server_told(told)) for path, told in there.items()}
    server.wipe()
    await write(server.store(), SITE)

    assert own == {path: dict(obstore.get(server.bucket(), path).attributes) for path in SITE}
    assert own[PAGE]["Cache-Control"] == labels.IMMUTABLE
    assert own[PAGE]["Content-Encoding"] == "gzip"
    server.wipe()


def server_told(told: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what readers are told, but for the time that rclone sends too, the same for all."""
    for name, value in told.items():
        if "mtime" in name:
            assert value == "1"
        else:
            yield name, value


async def test_text_is_kept_compressed_and_read_back_as_it_was(server: Server, room: Path):
    store = server.by_rclone(room)
    await write(store, {PAGE: WORDS, "checkpoint": b"c"})
    kept = server.file(PAGE).read_bytes()

    assert gzip.decompress(kept) == WORDS
    assert len(kept) < len(WORDS) / 10
    assert await store.get(PAGE) == WORDS
    assert await store.get("checkpoint") == b"c"
    server.wipe()


async def test_a_file_costs_one_request(server: Server, room: Path):
    before = len(server.asked())
    await write(server.by_rclone(room), SITE)

    assert server.asked()[before:] == ["CREATE OBJECT"] * len(SITE)
    server.wipe()


async def test_what_was_damaged_there_or_fills_the_memory_is_refused(
    server: Server, room: Path, monkeypatch: pytest.MonkeyPatch
):
    store = server.by_rclone(room)
    await write(store, {PAGE: WORDS})
    whole = server.file(PAGE).read_bytes()
    obstore.put(server.bucket(), PAGE, whole[:-9])
    assert f"far: {PAGE}: damaged there: cut short" in await why(store, "get")
    obstore.put(server.bucket(), PAGE, gzip.compress(bytes(9_000_000)))
    monkeypatch.setattr(rclone, "MAX_FILE", 100_000)

    assert f"far: {PAGE}: more than 100000 bytes" in await why(store, "get")
    server.wipe()


# What the operator must mend.


@pytest.mark.parametrize("wrong", [{"key": "AKIANOBODY"}, {"secret": "wr0ng/s3cret+"}])
async def test_wrong_credentials_are_named_and_not_shown(
    server: Server, room: Path, wrong: dict[str, str]
):
    store = server.by_rclone(room, **wrong)
    said = {verb: await why(store, verb) for verb in VERBS}

    for verb in ("put", "names"):
        assert ": not let in: the user, password or key is wrong" in said[verb]
    for verb in ("get", "delete"):  # a look at one file, of which the answer has no words
        assert ": forbidden: the key is wrong, or not permitted" in said[verb]
    assert not [each for each in said.values() if any(v in each for v in SECRET.values())]
    assert "wr0ng" not in "".join(said.values())


async def test_a_bucket_that_is_not_there_is_not_made(server: Server, room: Path):
    said = await why(server.by_rclone(room, bucket="news-cpoy"), "put")

    assert "far: not kept: no such bucket: make it at the provider, or fix `to`" in said
    assert not (server.folder / "news-cpoy").exists()


async def test_a_full_disk_at_the_place_is_what_its_failure_may_be(tmp_path: Path, room: Path):
    with store_s3.serving(tmp_path) as server, small_disk(server.folder / BUCKET):
        store = server.by_rclone(room)
        for number in range(20):
            await store.put(f"a/{number}.webp", bytes(100_000))
        with pytest.raises(StoreError, match="far: not kept: the server fails: "):
            await store.flush()


# As the server above answers a request that is signed by a clock of two days ago, or ahead.
BEHIND = (
    400,
    "<Error><Code>AccessDenied</Code><Message>The difference between the request time and the"
    " server&#39;s time exceeds the maximum allowed.</Message></Error>",
)
AHEAD = (
    403,
    "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and"
    " the current time is too large</Message></Error>",
)


@pytest.mark.parametrize(("status", "text"), [BEHIND, AHEAD])
async def test_a_clock_that_is_wrong_by_minutes_is_named(room: Path, status: int, text: str):
    async def no(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, content_type="application/xml")

    async with fetch_servers.site(no) as address:
        store = Server(f"http://{address}", room).by_rclone(room)

        assert "far: not kept: clock skew: this machine's clock" in await why(store, "put")


# As rclone 1.75 writes what Amazon, Google, Azure and MinIO call it.
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("api error ExpiredToken: The provided token has expired.", "not let in"),
        ("api error AccessDenied: Access Denied", "not permitted"),
        ("api error AuthorizationHeaderMalformed: the region is wrong", "another region"),
        ("api error QuotaExceeded: The quota set for the bucket is exceeded", "disk full"),
        ("api error XMinioStorageFull: Storage backend has reached its limit", "disk full"),
        ("RESPONSE 403: 403 Server failed to authenticate the request.", "not let in"),
        ("RESPONSE 404: 404 ERROR CODE: ContainerNotFound", "no such bucket"),
        ("operation error S3: GetObject, RequestID: NDceoFRjU1, api error New: New", None),
    ],
)
def test_what_other_places_call_it_has_a_name_too(words: str, reason: str | None):
    said = explain(f"a/1.html: Failed to copy: {words}")

    assert said is None if reason is None else said and said.startswith(f"{reason}: ")
