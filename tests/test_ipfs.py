"""The site on real IPFS nodes: what `mirror` puts there is what they show."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fakes import NOW, Clock, draft, identity, keys, open_signer, quiet_desk, root
from kubo import Kubo

from mirror import dag as dag_module
from mirror.check import check
from mirror.cycle import publish
from mirror.dag import Dag
from mirror.errors import StoreError
from mirror.fetch import Fetcher
from mirror.formats.cid import Cid
from mirror.formats.paths import revision_path, short_id
from mirror.press import Press
from mirror.signer import Signer
from mirror.stores import ipfs
from mirror.stores.dir import DirStore
from mirror.stores.ipfs import IpfsStore
from mirror.withdrawal import Withdrawals

CALLS = ("version", "id", "dag/import", "pin", "block", "cat")
LARGE = bytes(range(256)) * 5000  # 1.28 MB: two chunks


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Kubo]]:
    """Two nodes that know each other, and nobody else."""
    folder = tmp_path_factory.mktemp("kubo")
    both = [Kubo(folder / name).make().start() for name in "ab"]
    try:
        both[1].run("swarm", "connect", both[0].addresses()[0])
        yield both
    finally:
        for node in both:
            node.kill()


@pytest.fixture
def node(nodes: list[Kubo]) -> Kubo:
    return nodes[0]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Kubo]:
    """A node of this test's own, to be ended or replaced."""
    made = Kubo(tmp_path / "kubo").make().start()
    try:
        yield made
    finally:
        made.kill()


@dataclass
class Newsroom:
    """A log, its site in a folder, and the site's tree."""

    folder: Path
    signer: Signer
    dag: Dag
    clock: Clock = field(default_factory=Clock)

    @property
    def site(self) -> Path:
        return self.folder / "site"

    async def publish(self, *numbers: int) -> None:
        """Sign articles, write them to the folder, and record what was written."""
        store = Recording(self.site)
        self.signer.append([draft(self.signer, number) for number in numbers], now=self.clock())
        await publish(quiet_desk(self.signer, store), now=self.clock)  # type: ignore[arg-type]
        self.apply(store.written)

    def apply(self, changes: Mapping[str, bytes | None]) -> None:
        with self.signer.state.transaction():
            self.dag.apply(changes)

    async def withdraw(self, number: int) -> str:
        """Take a story back; return its short id."""
        press = Press(self.signer, DirStore(self.site), self.dag)
        held = self.signer.state.find(identity(number).keys)
        assert held
        self.order(held.short)
        assert await press.withdraw(now=self.clock) == []
        return held.short

    def order(self, short: str) -> None:
        with self.signer.state.transaction():
            Withdrawals(self.signer.state.db).ask(short, "legal", now=self.clock())

    def done(self, short: str) -> None:
        with self.signer.state.transaction():
            Withdrawals(self.signer.state.db).mark_done([short], now=self.clock())

    async def put(self, files: Mapping[str, bytes]) -> None:
        store = Recording(self.site)
        for path, data in files.items():
            await store.put(path, data)
        await store.flush()
        self.apply(files)

    def store(self, node: Kubo, *, gateway: bool = True, timeout_s: float = 20.0) -> IpfsStore:
        shown = node.gateway if gateway else ""
        state = self.signer.state
        return IpfsStore(
            *(self.dag, state.db),
            api=node.api,
            gateway=shown,
            timeout_s=timeout_s,
            now=self.clock,
        )

    def page(self, number: int) -> str:
        """Return the path of a story's first revision."""
        found = draft(self.signer, number).held
        assert found is not None
        return revision_path(short_id(found.id), 1)


class Recording(DirStore):
    """A folder that remembers what was put."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.written: dict[str, bytes] = {}

    async def put(self, path: str, data: bytes) -> None:
        self.written[path] = data
        await super().put(path, data)


@pytest.fixture
async def newsroom(tmp_path: Path) -> AsyncIterator[Newsroom]:
    signer = open_signer(tmp_path / "operator")
    dag = Dag(signer.state.db, tmp_path / "site")
    dag.rebuild()
    made = Newsroom(tmp_path, signer, dag)
    await made.publish(*range(3))
    yield made
    signer.state.close()


def added(node: Kubo, site: Path) -> str:
    """Return the root that `ipfs add` finds for a site's folder."""
    ignored = ["--ignore=*.gz", "--ignore=*.br", "--ignore=.staging"]
    return node.run("add", "-r", "-Q", "--only-hash", *ignored, str(site)).splitlines()[-1]


async def test_the_root_is_the_one_that_ipfs_add_finds(newsroom: Newsroom, node: Kubo):
    await newsroom.put({"trust/large": LARGE})
    await newsroom.put({f"feed/{n:05}-{'x' * 150}": b"%d" % n for n in range(1500)})  # shards

    assert str(newsroom.dag.root()) == added(node, newsroom.site)
    await newsroom.publish(3, 4)
    assert str(newsroom.dag.root()) == added(node, newsroom.site)
    assert newsroom.dag.block(Cid.parse(added(node, newsroom.site / "feed"))) is not None


async def test_a_node_shows_the_site_and_then_the_next_and_drops_the_old(
    newsroom: Newsroom, node: Kubo
):
    await newsroom.put({"trust/large": LARGE})
    store = newsroom.store(node)
    first = await store.follow()
    await newsroom.publish(3)
    second = await store.follow()

    assert second == str(newsroom.dag.root()) != first
    assert second in node.pins()
    assert first not in node.pins()
    for path in (newsroom.page(0), newsroom.page(3), "checkpoint", "trust/large"):
        assert node.get(f"ipfs/{second}/{path}") == (newsroom.site / path).read_bytes()


async def test_only_what_changed_is_sent(newsroom: Newsroom, node: Kubo):
    store = newsroom.store(node)
    await store.follow()
    generation = newsroom.dag.generation()
    await newsroom.publish(3)

    delta = list(newsroom.dag.blocks_since(generation))
    assert len(delta) < len(list(newsroom.dag.blocks_since(0))) - 10
    assert await store.follow() == str(newsroom.dag.root())
    assert await store.follow() == str(newsroom.dag.root())


async def test_without_a_gateway_it_is_read_back_over_the_api(newsroom: Newsroom, node: Kubo):
    store = newsroom.store(node, gateway=False)

    assert await store.follow() in node.pins()


async def test_an_article_is_valid_from_a_second_node_over_bitswap(
    newsroom: Newsroom, nodes: list[Kubo], tmp_path: Path
):
    published = await newsroom.store(nodes[0]).follow()
    path = newsroom.page(1)
    page = (newsroom.site / path).read_bytes()

    assert nodes[1].run("block", "get", str(Cid.of(page))) == page.decode().strip()
    copy = tmp_path / "copy"
    for name in (path, f"{path}.tlog-proof"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(nodes[1].get(f"ipfs/{published}/{name}"))
    assert (copy / path).read_bytes() == page
    pinned = tmp_path / "1.root.json"
    pinned.write_bytes(bytes(root(keys())))
    async with Fetcher(allow_hosts=[nodes[1].gateway.removeprefix("http://")]) as fetcher:
        for target in (str(copy), f"{nodes[1].gateway}/ipfs/{published}/{path}"):
            report = await check(
                target, root=pinned, remember=None, now=lambda: NOW, fetcher=fetcher
            )
            assert [each.verdict for each in report.articles] == ["valid"], target


async def test_a_node_killed_between_import_and_pin_goes_on(
    newsroom: Newsroom, own: Kubo, monkeypatch: pytest.MonkeyPatch
):
    store = newsroom.store(own)
    await store.follow()
    await newsroom.publish(3)
    with monkeypatch.context() as patch:
        patch.setattr(store, "_pin", lambda *_: own.kill())
        with pytest.raises(TypeError):  # what a kill of this process would cut off
            await store.follow()
    own.start()
    again = newsroom.store(own)
    again.name = store.name  # the same node, at another port
    sent = spied(again)

    assert await again.follow() in own.pins()
    assert sent == []


def spied(store: IpfsStore) -> list[int]:
    """Return a list that grows by the number of blocks of each import."""
    sent: list[int] = []
    real = store._rpc.put

    async def put(cid: Cid, blocks: list[tuple[Cid, bytes]]) -> None:
        await real(cid, blocks)
        sent.append(len(blocks))

    store._rpc.put = put  # type: ignore[method-assign,assignment]
    return sent


async def test_an_import_that_was_cut_off_goes_on_where_it_was(
    newsroom: Newsroom, own: Kubo, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dag_module, "BATCH", 20_000)
    await newsroom.put({f"feed/{n}/{n}": b"%1000d" % n for n in range(300)})
    store = newsroom.store(own, timeout_s=5.0)
    real, calls = store._rpc.put, 0

    async def put(cid: Cid, blocks: list[tuple[Cid, bytes]]) -> None:
        nonlocal calls
        calls += 1
        if calls == 6:
            own.kill()
        await real(cid, blocks)

    store._rpc.put = put  # type: ignore[method-assign,assignment]
    with pytest.raises(StoreError, match=r"dag/import: (not reached|the answer broke off)"):
        await store.follow()
    await newsroom.publish(3)  # the site goes on meanwhile
    own.start()
    again = newsroom.store(own)
    again.name = store.name
    sent = spied(again)

    assert await again.follow() == str(newsroom.dag.root()) == added(own, newsroom.site)
    assert sum(sent) < len(list(newsroom.dag.blocks_since(0))) + 40
    assert own.get(f"ipfs/{newsroom.dag.root()}/feed/299/299") == b"%1000d" % 299


async def test_another_repository_is_named_and_then_gets_all(newsroom: Newsroom, own: Kubo):
    store = newsroom.store(own)
    await store.follow()
    own.kill()
    shutil.rmtree(own.folder)
    own.make().start()
    again = newsroom.store(own)
    again.name = store.name
    with pytest.raises(StoreError, match=r"another repository: peer .* was there"):
        await again.follow()

    assert await again.follow() in own.pins()


async def test_a_node_that_lost_the_old_root_gets_all(newsroom: Newsroom, own: Kubo):
    store = newsroom.store(own)
    first = await store.follow()
    own.run("pin", "rm", first)
    own.run("repo", "gc")
    await newsroom.publish(3)

    assert await store.follow() in own.pins()
    assert own.get(f"ipfs/{newsroom.dag.root()}/{newsroom.page(0)}")


async def test_what_is_not_pinned_is_collected_once_a_day(newsroom: Newsroom, own: Kubo):
    store = newsroom.store(own)
    await store.follow()
    stray = own.run("block", "put", stdin=b"a stray block")
    await store.collect()

    assert stray not in own.run("refs", "local")
    stray = own.run("block", "put", stdin=b"a stray block")
    await store.collect()
    assert stray in own.run("refs", "local")
    newsroom.clock.now += ipfs.COLLECT_EVERY_S
    await store.collect()
    assert stray not in own.run("refs", "local")
    assert await store.follow() in own.pins()


async def test_what_is_withdrawn_is_collected_at_once(newsroom: Newsroom, own: Kubo):
    store = newsroom.store(own)
    await store.follow()
    assert await store.collect() is None
    page = Cid.of((newsroom.site / newsroom.page(1)).read_bytes())
    assert await store.has(page)
    assert await store.pinned_by(page) == str(newsroom.dag.root())
    await newsroom.withdraw(1)
    await store.collect()
    assert await store.has(page), "the old root is pinned yet"
    await store.follow()
    assert await store.pinned_by(page) == ""
    await store.collect()

    assert not await store.has(page)
    assert await store.has(Cid.of((newsroom.site / newsroom.page(0)).read_bytes()))
    stray = own.run("block", "put", stdin=b"a stray block")
    await store.collect()
    assert stray in own.run("refs", "local"), "once is enough"
    newsroom.clock.now += 60
    await newsroom.withdraw(0)
    await store.follow()
    await store.collect()
    assert stray not in own.run("refs", "local"), "the next one is as urgent"


async def test_what_is_withdrawn_while_the_node_follows_is_looked_for_until_it_is_gone(
    newsroom: Newsroom, own: Kubo
):
    store = newsroom.store(own)
    await store.follow()
    await store.collect()
    page = Cid.of((newsroom.site / newsroom.page(1)).read_bytes())
    short = await newsroom.withdraw(1)
    newsroom.order(short)  # as if the files went, and it was not noted yet
    await store.follow()

    assert await store.collect() == newsroom.clock()
    assert await store.has(page)
    newsroom.done(short)
    assert await store.collect() is None
    assert not await store.has(page)


async def test_what_was_withdrawn_by_a_clock_that_ran_ahead_is_collected_once(
    newsroom: Newsroom, own: Kubo
):
    store = newsroom.store(own)
    await store.follow()
    await store.collect()
    page = Cid.of((newsroom.site / newsroom.page(1)).read_bytes())
    newsroom.clock.now += 10**6
    await newsroom.withdraw(1)
    newsroom.clock.now -= 10**6 - 60
    await store.follow()
    await store.collect()
    stray = own.run("block", "put", stdin=b"a stray block")
    await store.collect()

    assert not await store.has(page)
    assert stray in own.run("refs", "local")


async def test_an_urgent_collection_that_fails_is_tried_again_within_the_hour(
    newsroom: Newsroom, tmp_path: Path
):
    calls = [f"/api/v0/{each}" for each in CALLS]
    allowed = {"mirror": {"AuthSecret": "bearer:s", "AllowedPaths": calls}}
    node = Kubo(tmp_path / "kubo", {"API.Authorizations": allowed}).make().start()
    try:
        store = IpfsStore(
            *(newsroom.dag, newsroom.signer.state.db),
            api=node.api,
            secret="Bearer s",
            now=newsroom.clock,
        )
        page = Cid.of((newsroom.site / newsroom.page(1)).read_bytes())
        await store.follow()
        await newsroom.withdraw(1)
        await store.follow()
        newsroom.clock.now += 60
        with pytest.raises(StoreError, match="repo/gc: HTTP 403"):
            await store.collect()
        due = await store.collect()
        assert due == newsroom.clock() + ipfs.AGAIN_S
        newsroom.clock.now = due
        with pytest.raises(StoreError, match="repo/gc: HTTP 403"):
            await store.collect()

        assert await store.has(page)
    finally:
        node.kill()


async def test_a_block_that_another_node_has_is_not_fetched_to_look_at_it(
    newsroom: Newsroom, nodes: list[Kubo]
):
    far = Cid.parse(nodes[1].run("block", "put", stdin=b"a block of the other node's"))
    store = newsroom.store(nodes[0])

    assert not await store.has(far)
    assert not await store.has(far)
    assert await store.pinned_by(far) == ""


async def test_a_node_whose_disk_is_full_is_named(newsroom: Newsroom, tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if await asyncio.to_thread(run, mount):
        pytest.skip("only root can mount a small file system")
    node = Kubo(disk / "kubo").make().start()
    try:
        await newsroom.put({f"trust/{n}": b"%d" % n + LARGE for n in range(6)})
        with pytest.raises(StoreError, match=r"dag/import: its disk is full: make room"):
            await newsroom.store(node).follow()
    finally:
        node.kill()
        await asyncio.to_thread(run, ["umount", str(disk)])


def run(command: list[str]) -> int:
    return subprocess.run(command, capture_output=True).returncode


async def test_the_api_may_be_a_socket_and_want_a_secret(newsroom: Newsroom, tmp_path: Path):
    socket = f"{tmp_path}/api"
    allowed = {"mirror": {"AuthSecret": "bearer:s3cret", "AllowedPaths": ["/api/v0"]}}
    node = Kubo(
        tmp_path / "kubo", {"API.Authorizations": allowed, "Addresses.API": f"/unix{socket}"}
    )
    node.make().start()
    try:
        options = {"gateway": node.gateway, "now": newsroom.clock}
        arguments = (newsroom.dag, newsroom.signer.state.db)
        with pytest.raises(StoreError, match=r"version: HTTP 403: refused: API.Authorizations"):
            await IpfsStore(*arguments, api=socket, **options).follow()
        store = IpfsStore(*arguments, api=socket, secret="Bearer s3cret", **options)

        assert await store.follow() == str(newsroom.dag.root())
    finally:
        node.kill()
