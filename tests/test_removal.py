"""Whether a place still has an article is asked of the place, and only a clear word is believed."""

import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from copier_site import Counted, Site, making
from fakes import ORIGIN, MemoryStore, identity
from free_ports import free_port
from newsroom import Answer, Newsroom
from store_places import Place

from mirror.errors import StoreError
from mirror.fetch import Fetcher
from mirror.formats.cid import Cid
from mirror.formats.paths import article_folder, short_id
from mirror.formats.record import Void
from mirror.formats.url import article_id
from mirror.removal.ask import MOST_PAGES, Withdrawn, ask_address, ask_node, ask_store
from mirror.removal.case import Case
from mirror.removal.looks import Look, looks_of
from mirror.settings import Settings
from mirror.state import State
from mirror.stores import write
from mirror.stores.copies import Copies
from mirror.stores.dir import DirStore

MOVED = "https://news.example/moved"
BODY = b"<p>A word that is taken back</p>"
FOLDER = "a/b/c/d/efghijklmnopqrstu"
PAGE, OLDER = f"{FOLDER}/2.html", f"{FOLDER}/1.html"
NOTICE = b"It was withdrawn"
PAGES = {each: hashlib.sha256(BODY).digest() for each in (PAGE, OLDER)}
GONE = Withdrawn(FOLDER, (), PAGES, NOTICE)
OTHER_NOTICES = {
    "of a revision before those": b"<p>An older word that is taken back</p>",
    "with a script": BODY + b"<script>1</script>",
    "of nothing": b"",
}
"""What may stand at an article's usual address after it was withdrawn, and is no known page."""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with making(tmp_path) as site:
        yield site


def gone_of(site: Site, short: str) -> Withdrawn:
    held = State(site.beside).holder(short)
    assert held
    return Withdrawn.of(site.beside, held, NOTICE)


async def removed_from(site: Site, place: MemoryStore) -> Withdrawn:
    copier = site.copier(place)
    await copier.follow()
    short = await site.withdraw(1)
    await copier.follow()
    await copier.collect()
    return gone_of(site, short)


# A store.


async def test_each_kind_of_store_says_itself_what_it_has(place: Place):
    store = place.make()
    await write(store, {GONE.notice: NOTICE, PAGE: BODY, "checkpoint": b"c"})
    before = await ask_store(place.make(), GONE)
    await store.delete(PAGE)
    await store.flush()
    after = await ask_store(place.make(), GONE)
    place.wipe()
    lost = await ask_store(place.make(), GONE)

    assert (before.answer, before.left) == ("not yet", (PAGE,))
    assert (after.answer, after.left) == ("removed", ())
    assert lost.answer == "not confirmed"


async def test_a_store_that_hides_a_page_and_gives_it_has_it(site: Site):
    class Hides(MemoryStore):
        async def names(self, folder: str) -> list[str]:
            return [path for path in await super().names(folder) if not path.endswith("1.html")]

    store = Hides()
    gone = await removed_from(site, store)
    store.kept[f"{gone.folder}/1.html"] = BODY
    seen = await ask_store(store, gone)

    assert seen.answer == "not yet"
    assert seen.detail == f"it does not list {gone.folder}/1.html, and gives it"


async def test_a_store_that_keeps_the_article_where_it_was_always_found_has_it(site: Site):
    store = MemoryStore()
    gone = await removed_from(site, store)
    store.kept[gone.notice] = BODY
    seen = await ask_store(store, replace(gone, pages={"p": hashlib.sha256(BODY).digest()}))

    assert (seen.answer, seen.left) == ("not yet", ())
    assert seen.detail == f"{gone.notice} is still the article"


@pytest.mark.parametrize("other", OTHER_NOTICES.values(), ids=OTHER_NOTICES.keys())
async def test_a_store_that_has_another_page_in_its_stead_is_not_confirmed(other: bytes):
    store = MemoryStore()
    store.kept[GONE.notice] = other
    seen = await ask_store(store, GONE)

    assert seen.answer == "not confirmed"
    assert f"{GONE.notice} is not the page that says that it was withdrawn" in seen.detail


@pytest.mark.parametrize("call", ["names", "get"])
async def test_a_store_that_does_not_answer_is_not_confirmed(site: Site, call: str):
    store = MemoryStore()
    gone = await removed_from(site, store)

    def fail(what: str, _: str) -> None:
        if what == call:
            raise StoreError("memory: no answer")

    seen = await ask_store(Counted(store, fail), gone)

    assert (seen.answer, seen.detail) == ("not confirmed", "memory: no answer")


async def test_a_store_without_the_page_that_says_so_may_be_another_place(site: Site):
    store = MemoryStore()
    gone = await removed_from(site, store)
    del store.kept[gone.notice]
    seen = await ask_store(store, gone)

    assert seen.answer == "not confirmed"
    assert "is this the place that is written to?" in seen.detail


async def test_the_pages_at_its_other_addresses_are_looked_for_too(site: Site):
    store = MemoryStore()
    gone = await removed_from(site, store)
    held = State(site.signer.state.db).holder(gone.folder.replace("/", "")[1:])
    assert held
    with site.signer.state.transaction():
        site.signer.state.db.execute("INSERT INTO alias VALUES(?,?)", (f"link {MOVED}", held.n))
    other = f"{article_folder(short_id(article_id(MOVED)))}/index.html"
    store.kept[other] = b"a link with its title"
    seen = await ask_store(store, gone_of(site, held.short))

    assert (seen.answer, seen.left) == ("not yet", (other,))


async def test_the_newest_revisions_are_asked_for_by_name(site: Site):
    for number in range(MOST_PAGES + 2):
        await site.publish(1, text=f"Edit {number}")
    newest = MOST_PAGES + 3
    before = site.files()
    short = await site.withdraw(1)
    gone = gone_of(site, short)

    assert all(hashlib.sha256(before[path]).digest() == each for path, each in gone.pages.items())
    names = [path.rpartition("/")[2] for path in gone.pages]
    assert names == [f"{newest - n}.html" for n in range(MOST_PAGES)]


async def test_of_an_article_that_was_withdrawn_twice_all_revisions_are_known(site: Site):
    await site.withdraw(1)
    await site.publish(1, text="It is back")
    short = await site.withdraw(1)

    assert [path[-6:] for path in gone_of(site, short).pages] == ["2.html", "1.html"]


async def test_of_an_article_whose_revisions_a_closed_log_has_the_newest_is_known(site: Site):
    held = State(site.beside).holder(await site.withdraw(1))
    assert held
    void = Void(held.id, held.n, 1, held.first, held.time, "legal", "old.example/news#5")
    with site.signer.state.transaction():
        site.signer.state.add_leaves(1000, [site.signer.keys.seal(void)])

    gone = Withdrawn.of(site.beside, replace(held, leaf=1000), NOTICE)
    assert gone.pages == {f"{gone.folder}/1.html": held.sha256}


# When a store is asked, and its address.

SETTINGS = f"""
newsroom = {{name = "N", origin = "{ORIGIN}"}}
feeds = [{{url = "https://news.example/feed"}}]
stores = [{{name = "memory", kind = "folder", to = "out", public = "https://memory.example/"}}]
"""


def looks_at(site: Site, short: str, fetcher: Fetcher) -> list[Look]:
    """Return how a store is asked, and its address."""
    config = site.folder.parent / "mirror.toml"
    settings = Settings.parse(SETTINGS.encode(), config)
    with ExitStack() as stack:
        case = Case(config, settings, site.beside, short, site.clock)
        return looks_of(case, fetcher, stack)[-2:]


def awaited(site: Site, gone: Withdrawn) -> list[str]:
    """Return what is waited for before a store is asked, and before its address is."""
    short = gone.folder.replace("/", "")[1:]
    return [each.missing() for each in looks_at(site, short, Fetcher())]


async def test_a_store_that_has_removed_all_of_it_is_asked(site: Site):
    gone = await removed_from(site, MemoryStore())
    with site.beside.transaction():
        Copies(site.beside, "memory").discard({PAGE: site.clock() + 60})  # another article's

    assert awaited(site, gone) == ["", ""]


@pytest.mark.parametrize(("name", "in_s"), [("", 120), (f"index/{'0' * 64}.json", -5)])
async def test_a_store_that_is_still_to_remove_it_or_what_goes_with_it_is_not_asked(
    site: Site, name: str, in_s: int
):
    gone = await removed_from(site, MemoryStore())
    due = {PAGE: site.clock() + 60, name or f"{gone.folder}/1.html": site.clock() + in_s}
    with site.beside.transaction():
        Copies(site.beside, "memory").discard(due)

    when = time.strftime("%H:%M:%S UTC", time.gmtime(site.clock() + in_s))
    assert awaited(site, gone) == [f"to be removed there at {when}"] * 2


async def test_an_edit_that_is_published_after_the_order_is_asked_for_as_well(site: Site):
    held = State(site.beside).find(identity(1).keys)
    assert held
    look, _ = looks_at(site, held.short, Fetcher())  # as when the order is given
    await site.publish(1, text="An edit of that minute")
    notice = f"{article_folder(held.short)}/index.html"
    await write(DirStore(site.folder.parent / "out"), {notice: site.files()[notice]})
    await site.withdraw(1)
    seen = await look.ask()

    assert (seen.answer, seen.detail) == ("not yet", f"{notice} is still the article")


async def test_without_the_page_that_says_so_no_place_can_be_believed(site: Site):
    gone = await removed_from(site, MemoryStore())
    (site.folder / gone.notice).unlink()

    for look in looks_at(site, gone.folder.replace("/", "")[1:], Fetcher()):
        with pytest.raises(StoreError, match=r"index\.html: not read: No such file"):
            await look.ask()


# An address.


@pytest.fixture
async def fetcher(newsroom: Newsroom) -> AsyncIterator[Fetcher]:
    async with Fetcher(allow_hosts=[newsroom.address], timeout_s=5) as fetcher:
        yield fetcher


@pytest.mark.parametrize("status", [404, 410])
async def test_an_address_that_has_no_revision_is_believed(
    newsroom: Newsroom, fetcher: Fetcher, status: int
):
    for path in GONE.pages:
        newsroom.fails(f"/x/{path}", status)
    seen = await ask_address(fetcher, newsroom.url("/x/"), GONE)

    assert (seen.answer, seen.detail) == ("removed", "readers get none of it")
    assert newsroom.asked == [f"/x/{PAGE}", f"/x/{OLDER}", f"/x/{GONE.notice}"]


@pytest.mark.parametrize("other", OTHER_NOTICES.values(), ids=OTHER_NOTICES.keys())
async def test_an_address_that_shows_another_page_in_its_stead_is_not_confirmed(
    newsroom: Newsroom, fetcher: Fetcher, other: bytes
):
    newsroom.answers[f"/{GONE.notice}"] = Answer(other)
    seen = await ask_address(fetcher, newsroom.url("/"), GONE)

    assert seen.answer == "not confirmed"
    assert f"{GONE.notice}: is not the page that says that it was withdrawn" in seen.detail


@pytest.mark.parametrize(
    ("caching", "words"),
    [
        ("", "readers get it still"),
        ("max-age=60", "may keep it for an hour or longer: empty that cache"),
        ("max-age=86400", "may keep it for 24 hours or longer: empty that cache"),
    ],
)
async def test_an_address_that_shows_an_old_revision_has_it(
    newsroom: Newsroom, fetcher: Fetcher, caching: str, words: str
):
    newsroom.answers[f"/{OLDER}"] = Answer(BODY, headers={"Cache-Control": caching})
    seen = await ask_address(fetcher, newsroom.url("/"), GONE)

    assert seen.answer == "not yet"
    assert seen.detail.startswith(f"{OLDER}: readers get it still")
    assert seen.detail.endswith(words)


async def test_an_address_that_shows_the_article_where_it_was_always_found_has_it(
    newsroom: Newsroom, fetcher: Fetcher
):
    newsroom.answers[f"/{GONE.notice}"] = Answer(BODY)
    kept = await ask_address(fetcher, newsroom.url("/"), GONE)
    newsroom.answers[f"/{GONE.notice}"] = Answer(NOTICE)
    gone = await ask_address(fetcher, newsroom.url("/"), GONE)

    assert (kept.answer, kept.detail) == ("not yet", f"{GONE.notice}: readers get it still")
    assert gone.answer == "removed"


OTHERS = {
    "other bytes": Answer(b"<p>Not found</p>"),
    "with a script": Answer(BODY + b"<script>1</script>"),
    "endless": Answer(BODY, more_mib=3),
    "nothing": Answer(b""),
    "no": Answer(b"no", status=403),
    "later": Answer(b"no", status=503),
    "moved": Answer(b"", status=302, headers={"Location": "/front"}),
    "a loop": Answer(b"", status=302, headers={"Location": f"/{PAGE}"}),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
async def test_an_address_that_says_anything_else_is_not_confirmed(
    newsroom: Newsroom, fetcher: Fetcher, other: Answer
):
    newsroom.answers |= {f"/{PAGE}": other, "/front": Answer(b"Welcome")}
    seen = await ask_address(fetcher, newsroom.url("/"), GONE)

    assert seen.answer == "not confirmed"
    assert PAGE in seen.detail


async def test_an_address_that_is_down_is_not_confirmed():
    host = f"127.0.0.1:{free_port()}"
    async with Fetcher(allow_hosts=[host], timeout_s=5) as fetcher:
        seen = await ask_address(fetcher, f"http://{host}/", GONE)

    assert seen.answer == "not confirmed"
    assert f"{PAGE}: no connection: " in seen.detail


async def test_a_private_address_is_not_asked_unasked(newsroom: Newsroom):
    async with Fetcher(timeout_s=5) as fetcher:
        seen = await ask_address(fetcher, newsroom.url("/"), GONE)

    assert (seen.answer, newsroom.asked) == ("not confirmed", [])


# A node, of which there are real ones in test_ipfs.


class Node:
    """A node that has some blocks, of which one pin keeps all or none."""

    def __init__(self, *blocks: bytes, pin: str = "") -> None:
        self.blocks, self.pin, self.dead = {Cid.of(each) for each in blocks}, pin, False

    async def has(self, cid: Cid) -> bool:
        if self.dead:
            raise StoreError("node: not reached")
        return cid in self.blocks

    async def pinned_by(self, cid: Cid) -> str:
        assert cid in self.blocks
        return self.pin


async def test_a_node_is_believed_by_the_blocks_that_it_has():
    assert (await ask_node(Node(b"other"), GONE)).answer == "removed"
    unpinned = await ask_node(Node(BODY), GONE)
    pinned = await ask_node(Node(BODY, pin="bafyroot"), GONE)

    assert (unpinned.answer, pinned.answer) == ("not yet", "not yet")
    assert unpinned.detail.endswith(f"{Cid.of(BODY)}: no pin keeps it, and it is not collected yet")
    assert "pinned there by bafyroot, which is not the site" in pinned.detail


async def test_a_node_that_is_down_is_not_confirmed():
    node = Node()
    node.dead = True

    assert (await ask_node(node, GONE)).answer == "not confirmed"
