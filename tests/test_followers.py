"""What follows the site keeps the same, whether it copies files or has a node pin a tree.

One suite over a copier, which is tried on all kinds of places in `test_copier`, and an IPFS node,
whose own ways are in `test_ipfs`: a node is told of blocks and a root, and not of files.
"""

import asyncio
import re
import urllib.error
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
import store_s3
from copier_site import Site, making
from free_ports import free_port
from kubo import Kubo

from mirror.dag import Dag, contents
from mirror.errors import StoreError
from mirror.formats.paths import CHECKPOINT, article_folder
from mirror.stores.ipfs import IpfsStore

SECRET = "Bearer s3cret-of-the-node"
LATER_S = 1000  # after which nothing that caches may show is waited for


class Follower(Protocol):
    """What is brought to the present site."""

    async def follow(self) -> str:
        """Return the root's CID, once it is shown there."""

    async def collect(self) -> int | None:
        """Remove there what the site no longer has."""


@dataclass(frozen=True, slots=True)
class There:
    """A place; `make` gives what a process that has just begun makes of it.

    `read` returns what a reader gets who knows the `root`, None where nothing is; `wipe` loses all;
    `nobody` gives one of a place at which nobody is.
    """

    make: Callable[[Site], Follower]
    read: Callable[[str, str], bytes | None]
    wipe: Callable[[], None]
    nobody: Callable[[Site], Follower]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with making(tmp_path) as site:
        yield site


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], There]]:
    """Yield what gives an empty place of a kind; its server is started when it is first asked."""
    made: dict[str, There] = {}
    with ExitStack() as stack:

        def get(kind: str) -> There:
            if kind not in made:
                room = tmp_path_factory.mktemp(kind)
                made[kind] = copied(room, stack) if kind == "copied" else pinned(room, stack)
            made[kind].wipe()
            return made[kind]

        yield get


@pytest.fixture(params=["copied", "pinned"])
def there(request: pytest.FixtureRequest, started: Callable[[str], There]) -> There:
    return started(request.param)


def copied(room: Path, stack: ExitStack) -> There:
    server = stack.enter_context(store_s3.serving(room))
    nobody = store_s3.Server(f"http://127.0.0.1:{free_port()}", room)
    return There(
        lambda site: site.copier(server.store()),
        lambda _, path: server.read(path),
        server.wipe,
        lambda site: site.copier(nobody.store()),
    )


def pinned(room: Path, stack: ExitStack) -> There:
    node = Kubo(room / "kubo", {"Gateway.NoFetch": True}).make().start()
    stack.callback(node.kill)

    def follower(site: Site, api: str = "", gateway: str = "") -> IpfsStore:
        dag = Dag(site.beside, site.folder)
        told = {"api": api or node.api, "gateway": gateway or node.gateway}
        return IpfsStore(dag, site.beside, **told, secret=SECRET, timeout_s=20, now=site.clock)

    def read(root: str, path: str) -> bytes | None:
        try:
            return node.get(f"ipfs/{root}/{path}")
        except urllib.error.HTTPError as e:
            e.close()
            assert e.code in (404, 500)  # the latter where a block is gone, and nobody has it
            return None

    def wipe() -> None:
        for pin in node.pins():
            node.run("pin", "rm", pin)
        node.run("repo", "gc", "--quiet")

    nobody = f"http://127.0.0.1:{free_port()}"
    return There(follower, read, wipe, lambda site: follower(site, nobody, nobody))


def shown(there: There, root: str) -> Callable[[str], bytes | None]:
    return lambda path: there.read(root, path)


async def test_what_is_shown_under_the_root_is_the_site_and_stays_so(site: Site, there: There):
    root = await there.make(site).follow()
    again = await there.make(site).follow()

    assert root == again == str(site.dag.root())
    assert site.differs(shown(there, root)) == []
    assert site.flaws(shown(there, root), site.files()) == []


async def test_the_next_round_is_shown_whole_and_what_was_removed_is_not(site: Site, there: There):
    follower = there.make(site)
    await follower.follow()
    old = next(path for path in site.files() if path.startswith("index/"))
    await site.publish(1, 3)
    await site.remove(old)
    root = await follower.follow()
    site.clock.now += LATER_S
    await follower.collect()

    assert there.read(root, old) is None
    assert site.differs(shown(there, root)) == []


async def test_what_is_withdrawn_is_gone_at_once_also_for_who_knows_where_it_was(
    site: Site, there: There
):
    follower = there.make(site)
    before = await follower.follow()
    files = site.files().keys()
    short = await site.withdraw(1)
    root = await follower.follow()
    await follower.collect()
    gone = files - site.files().keys()

    assert f"{article_folder(short)}/1.html" in gone
    assert [path for path in gone if there.read(root, path) is not None] == []
    assert there.read(before, f"{article_folder(short)}/1.html") is None
    assert site.differs(shown(there, root)) == []


async def test_what_lost_everything_is_filled_again(site: Site, there: There):
    root = await there.make(site).follow()
    there.wipe()
    assert there.read(root, CHECKPOINT) is None
    root = await there.make(site).follow()

    assert site.differs(shown(there, root)) == []


async def test_cut_off_at_any_time_it_goes_on_and_is_whole(
    site: Site, there: There, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(contents, "BATCH_FILES", 9)
    wait_s, root = 0.01, ""
    while not root:
        try:
            root = await asyncio.wait_for(there.make(site).follow(), wait_s)
        except TimeoutError:
            wait_s *= 1.7

    assert wait_s > 0.01
    assert site.differs(shown(there, root)) == []


async def test_nobody_there_is_named_and_no_secret_is(site: Site, there: There):
    with pytest.raises(StoreError, match=r"^(copy|ipfs:http://127.0.0.1:\d+): ") as told:
        await there.nobody(site).follow()
    said = str(told.value)

    assert re.search("connection refused|not reached", said)
    assert [each for each in ("s3cret", *store_s3.SECRET.values()) if each in said] == []
