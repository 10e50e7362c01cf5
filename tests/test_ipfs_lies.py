"""An IPFS node that lies, stalls or breaks off: each has a name, and nothing is published."""

import asyncio
import base64
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web

from mirror.dag import Dag
from mirror.database import Database
from mirror.errors import StoreError
from mirror.formats import car
from mirror.formats.cid import Cid
from mirror.stores.ipfs import IpfsStore, rpc
from mirror.stores.ipfs.words import parts

SITE = {"checkpoint": b"c", "index.html": b"i", "a/b/c/d/efghijklmnopqrstu/1.html": b"page"}
PEER = "12D3KooWSHW7ece37VqwJfjWrVQNk23uz3nqbbxxFU2ox82z8Z6x"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def says(value: object, status: int = 200) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.json_response(value, status=status)

    return answer


def raw(body: bytes, status: int = 200, kind: str = "application/json") -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(body=body, status=status, content_type=kind)

    return answer


def error(message: str) -> Answer:
    return says({"Message": message, "Code": 0, "Type": "error"}, 500)


async def stalls(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    raise AssertionError


async def drips(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b" ")
        await asyncio.sleep(0.05)


async def floods(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b"{}\n" * 20_000)


async def breaks_off(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "1000"})
    await answer.prepare(request)
    await answer.write(b'{"Stats":')
    assert request.transport is not None
    request.transport.close()
    return answer


async def elsewhere(_: web.Request) -> web.StreamResponse:
    raise web.HTTPTemporaryRedirect("http://127.0.0.1:1/api/v0/version")


class Node:
    """A node that answers as Kubo does, but for what it is told to answer."""

    def __init__(self, dag: Dag) -> None:
        self.dag = dag
        self.lies: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.pinned: set[str] = set()
        self.api = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        call = request.path.removeprefix("/api/v0/")
        self.asked.append(call)
        lie = self.lies.get(call)
        return await (lie(request) if lie else self.truth(call, request))

    async def truth(self, call: str, request: web.Request) -> web.StreamResponse:
        asked = request.query.getall("arg", [])
        if call == "dag/import":
            return web.json_response({"Stats": await self.take(request)})
        if call == "pin/ls" and asked[0] not in self.pinned:
            return await error(f"path '{asked[0]}' is not pinned")(request)
        if call in ("pin/add", "pin/update"):
            self.pinned = {asked[-1]}
        if call == "block/get":
            return web.Response(body=self.dag.block(Cid.parse(asked[0])))
        if call == "cat":
            return web.Response(body=SITE[asked[0].split("/", 3)[3]])
        words = {"version": {"Version": "0.43.1"}, "id": {"ID": PEER}, "pin/ls": {"Keys": {}}}
        return web.json_response(words.get(call, {"Pins": asked}))

    async def take(self, request: web.Request) -> dict[str, int]:
        assert request.query["pin-roots"] == "false"
        file = (await request.post())["file"]
        assert isinstance(file, web.FileField)
        with file.file as stream:
            _, blocks = car.read(stream.read)
            return {"BlockCount": len(list(blocks)), "BlockBytesCount": 0}


@pytest.fixture
def dag(tmp_path: Path) -> Iterator[Dag]:
    for path, data in SITE.items():
        (tmp_path / "site" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / path).write_bytes(data)
    db = Database.open(tmp_path / "state.db", origin="test")
    made = Dag(db, tmp_path / "site")
    made.rebuild()
    yield made
    db.close()


@pytest.fixture
async def node(dag: Dag) -> AsyncIterator[Node]:
    made = Node(dag)
    async with serving(made.answer) as made.api:
        yield made


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    app = web.Application(client_max_size=10**8)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def store_of(node: Node, **options: str) -> IpfsStore:
    dag = node.dag
    return IpfsStore(dag, dag._db, api=node.api, timeout_s=0.5, now=lambda: 0, **options)


def confirmed(node: Node) -> bytes | None:
    row = node.dag._db.row("SELECT root FROM ipfs")
    return row[0] if row else None


async def test_an_honest_node_is_believed(node: Node):
    assert await store_of(node).follow() == str(node.dag.root())
    assert confirmed(node) == bytes(node.dag.root() or b"")


OTHER = str(Cid.of(b"another"))
LIES = {
    "stalls": (stalls, r"no answer in|in time"),
    "drips": (drips, r"in time"),
    "floods": (floods, r"an answer of over \d+ bytes|not an answer of Kubo's"),
    "breaks off": (breaks_off, r"broke off"),
    "html": (raw(b"<html>log in</html>", kind="text/html"), r"not an answer of Kubo's"),
    "nothing": (raw(b""), r"not an answer of Kubo's|no word of what|it took None blocks"),
    "a list": (says([]), r"not an answer of Kubo's"),
    "another object": (says({}), r"not an answer of Kubo's|no word of what|it took None blocks"),
    "too deep": (raw(b"[" * 60_000), r"not an answer of Kubo's"),
    "a secret wanted": (raw(b"denied", 403, "text/plain"), r"HTTP 403: refused: API.Auth"),
    "a bad gateway": (raw(b"<html>", 502, "text/html"), r"HTTP 502"),
    "a redirect": (elsewhere, r"not an answer of Kubo's|HTTP 307"),
    "an error": (error("something is wrong"), r"something is wrong"),
    "a full disk": (error("write x: no space left on device"), r"disk is full|no space left"),
}
CALLS = ["version", "id", "dag/import", "pin/add"]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("lie", LIES)
async def test_a_bad_answer_has_a_name_and_publishes_nothing(
    node: Node, lie: str, call: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rpc, "PIN_S", 1.0)
    node.lies[call], words = LIES[lie]
    with pytest.raises(StoreError, match=f"^ipfs:{node.api}: {call.partition('/')[0]}.*({words})"):
        await store_of(node).follow()

    assert confirmed(node) is None
    del node.lies[call]
    assert await store_of(node).follow() == str(node.dag.root())


@pytest.mark.parametrize(
    ("call", "answer", "words"),
    [
        ("version", says({"Version": "0.39.0"}), "too old: it is 0.39.0, at least 0.40"),
        ("version", says({"Version": "latest"}), "too old: it is latest"),
        ("version", says({"Version": 43}), "not an answer of Kubo's"),
        ("dag/import", says({"Stats": {"BlockCount": 1}}), "it took 1 blocks of"),
        ("dag/import", raw(b'{"Stats":{"BlockCount":1}}\n{"Message":"b","Type":"error"}'), ": b$"),
        ("pin/add", says({"Pins": [OTHER]}), f"it pinned {OTHER}, not"),
        ("pin/add", says({"Pins": "yes"}), "no word of what it pinned"),
        ("pin/add", raw(b'{"Progress":1}\n{"Message":"cut","Type":"error"}\n'), "pin/add: cut"),
        ("block/get", raw(b"another"), "it shows other bytes than it was given"),
        ("block/get", error("block not found"), "block/get: block not found"),
        ("cat", raw(b"another"), "it shows other bytes than it was given"),
        ("cat", floods, "an answer of over 2097152 bytes"),
        ("cat", stalls, "no answer in"),
    ],
)
async def test_a_lie_is_noticed(node: Node, call: str, answer: Answer, words: str):
    node.lies[call] = answer
    with pytest.raises(StoreError, match=words):
        await store_of(node).follow()

    assert confirmed(node) is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (raw(b"another"), "other bytes"),
        (raw(b"", 504), "HTTP 504"),
        (elsewhere, "HTTP 307"),
        (floods, "an answer of over"),
        (stalls, "no answer in time"),
    ],
)
async def test_a_gateway_that_shows_something_else_confirms_nothing(
    node: Node, answer: Answer, words: str
):
    async with serving(answer) as gateway:
        with pytest.raises(StoreError, match=words):
            await store_of(node, gateway=gateway).follow()

    assert confirmed(node) is None


async def test_nobody_there(node: Node):
    node.api = "http://127.0.0.1:1"
    with pytest.raises(StoreError, match=r"version: not reached: is Kubo running there\?"):
        await store_of(node).follow()
    node.api = "/nowhere/api.sock"
    with pytest.raises(StoreError, match=r"version: not reached: is Kubo running there\?"):
        await store_of(node).follow()
    control = store_of(node)._rpc
    with pytest.raises(StoreError, match=r"pin/add: not reached"):
        await control.pin(None, Cid.of(b""))


async def test_a_file_that_is_not_what_was_published_is_not_sent(node: Node):
    head = node.dag.site / "checkpoint"
    head.write_bytes(b"newer")
    with pytest.raises(StoreError, match="checkpoint: not what was published"):
        await store_of(node).follow()
    head.write_bytes(SITE["checkpoint"])

    assert await store_of(node).follow() == str(node.dag.root())


async def test_a_file_that_no_cycle_recorded_is_looked_at_by_the_next_one(node: Node):
    (node.dag.site / "checkpoint").write_bytes(b"newer")
    with pytest.raises(StoreError, match="checkpoint: not what was published"):
        await store_of(node).follow()
    node.dag.look_again()  # as each cycle does

    node.lies["cat"] = raw(b"newer")
    with pytest.raises(StoreError, match="it shows other bytes"):  # a page is read back, too
        await store_of(node).follow()
    assert node.dag.block(Cid.of(b"newer")) == b"newer"


@asynccontextmanager
async def dripping() -> AsyncIterator[tuple[str, list[asyncio.Task[None]]]]:
    """Serve a head that never ends, a byte at a time: no socket's timeout sees it."""
    asked: list[asyncio.Task[None]] = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(asyncio.current_task())  # type: ignore[arg-type]
        with suppress(ConnectionError, asyncio.CancelledError):
            writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", asked
    finally:
        for task in asked:
            task.cancel()
        server.close()


async def test_a_node_that_drips_its_head_is_left_in_time_and_piles_up_no_threads(node: Node):
    async with dripping() as (node.api, asked):
        store = store_of(node)
        with pytest.raises(StoreError, match="version: no whole answer in time"):
            async with asyncio.timeout(10):
                await store.follow()
        for _ in range(5):
            with pytest.raises(StoreError, match="version: not asked: it still owes the answer"):
                await store.follow()

        assert len(asked) == 1
        assert [each.name for each in threading.enumerate() if "ipfs:" in each.name] == [
            f"ipfs:{node.api} version"
        ]
        asked[0].cancel()  # the node is started again
        await asyncio.sleep(0.2)
        with pytest.raises(StoreError, match="version: no whole answer in time"):
            await store.follow()
        assert len(asked) == 2


async def test_who_is_cancelled_does_not_wait_for_a_node_that_says_nothing(node: Node):
    node.lies["version"] = stalls
    store = IpfsStore(node.dag, node.dag._db, api=node.api, timeout_s=3, now=lambda: 0)
    loop = asyncio.get_running_loop()
    start = loop.time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await store.follow()

    assert loop.time() - start < 1.5


async def test_a_node_that_can_not_tidy_up_is_asked_once_a_day(node: Node):
    clock = [1_000_000]
    store = IpfsStore(node.dag, node.dag._db, api=node.api, timeout_s=1, now=lambda: clock[0])
    await store.follow()
    node.lies["repo/gc"] = raw(b"denied", 403, "text/plain")
    for passed_s, expected in ((0, 1), (3600, 0), (24 * 3600, 1), (-(10**6), 1), (60, 0)):
        clock[0] += passed_s
        node.asked.clear()
        with suppress(StoreError):
            await store.collect()

        assert node.asked.count("repo/gc") == expected


async def test_a_site_without_a_tree_is_not_published(tmp_path: Path, node: Node):
    db = Database.open(tmp_path / "new.db", origin="test")
    dag = Dag(db, tmp_path / "site")
    store = IpfsStore(dag, db, api=node.api, now=lambda: 0)
    with pytest.raises(StoreError, match="no tree of it yet"):
        await store.follow()
    db.close()


async def test_a_pin_that_fails_has_the_blocks_sent_again(node: Node):
    await store_of(node).follow()
    with node.dag._db.transaction():
        node.dag.apply({"index.html": b"new"})
    (node.dag.site / "index.html").write_bytes(b"new")
    node.lies["pin/update"] = error("pin: block was not found locally")
    for _ in range(2):
        node.asked.clear()
        with pytest.raises(StoreError, match="pin/update: pin: block was not found"):
            await store_of(node).follow()

        assert "dag/import" in node.asked


async def test_the_secret_goes_with_every_call(node: Node):
    heard: set[str] = set()

    async def answer(request: web.Request) -> web.StreamResponse:
        heard.add(request.headers.get("Authorization", "none"))
        return await node.answer(request)

    async with serving(answer) as node.api:
        await store_of(node, secret="Bearer s3cret").follow()
    assert heard == {"Bearer s3cret"}


LOGIN = base64.b64encode(b"newsdesk:pass w0rd").decode()
SECRETS = {
    "Bearer s3cret+/word": ("s3cret",),
    f"Basic {LOGIN}": (LOGIN, LOGIN.rstrip("="), "newsdesk", "w0rd"),
}
SAYING = ("version", "id", "pin/ls", "dag/import", "pin/add", "block/get")


def repeated(secret: str) -> str:
    """Return what a proxy may say that repeats a header, in words and as they were sent."""
    login = "newsdesk:pass w0rd newsdesk pass%20w0rd"
    return f"bad header Authorization: {secret} {secret.split()[1]} {quote(secret)} {login} and so"


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("call", SAYING)
async def test_a_node_that_repeats_the_secret_is_not_quoted(node: Node, call: str, secret: str):
    store = store_of(node, secret=secret)
    if call == "pin/ls":  # it is asked of a root that was there
        await store.follow()
    for full in ("", ": no space left on device"):
        node.lies[call] = error(repeated(secret) + full)
        with pytest.raises(StoreError, match="and so") as caught:
            await store.follow()

        told = "".join(traceback.format_exception(caught.value))
        assert [each for each in SECRETS[secret] if each in told] == []


async def test_a_secret_that_is_cut_is_hidden_before(node: Node):
    secret = "Bearer " + "s3cret" * 20
    for call, words in (("pin/add", ""), ("pin/add", " no space left"), ("version", "")):
        node.lies = {call: error("x" * 100 + secret * 3 + words)}
        with pytest.raises(StoreError) as caught:
            await store_of(node, secret=secret).follow()

        assert "s3cret" not in str(caught.value)


async def test_a_version_or_a_pin_that_is_the_secret_is_not_quoted(node: Node):
    for call, said in (
        ("version", {"Version": "0.1.0 s3cret"}),
        ("version", {"Version": "s3cret"}),
        ("pin/add", {"Pins": ["s3cret"]}),
    ):
        node.lies = {call: says(said)}
        with pytest.raises(StoreError) as caught:
            await store_of(node, secret="Bearer s3cret").follow()

        assert "s3cret" not in str(caught.value)


async def test_a_root_that_is_not_pinned_is_told_also_where_the_secret_is_such_a_word(node: Node):
    store = store_of(node, secret="Bearer pinned")
    await store.follow()
    node.pinned.clear()

    assert await store.follow() == str(node.dag.root())


def test_what_is_short_or_no_login_hides_no_other_words():
    assert parts("") == frozenset()
    assert not any(len(each) < 3 for each in parts("Basic " + base64.b64encode(b"a:b").decode()))
    assert "Basic %" in parts("Basic %")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_proxy_of_the_environment_is_not_asked(
    node: Node, host: str, monkeypatch: pytest.MonkeyPatch
):
    node.api = node.api.replace("127.0.0.1", host)
    async with serving(elsewhere) as proxy:
        monkeypatch.setenv("http_proxy", proxy)

        assert await store_of(node, secret="Bearer s3cret").follow()
