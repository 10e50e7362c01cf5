"""What is withdrawn: said in the log first, then gone from the site, whatever comes between."""

import asyncio
import errno
import gzip
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import brotli
import pytest
from fakes import NOW, Clock, MemoryPlace, audited, docs_of, open_signer, records_of
from pages_rules import Page, draft

from mirror.article.identity import Identity
from mirror.check.report import Outcome
from mirror.check.survey import Survey
from mirror.dag import Dag
from mirror.errors import FormatError, StoreError
from mirror.formats.folders import update
from mirror.formats.note import Note
from mirror.formats.paths import article_folder, revision_path, short_id
from mirror.formats.record import CODES, Code, Void, parse
from mirror.formats.root import trust_files
from mirror.formats.unixfs import file_link
from mirror.formats.url import article_id
from mirror.hold import Hold, Proposal
from mirror.press import Press
from mirror.signer import Draft
from mirror.site import KEEP_INDEX_S
from mirror.stores.dir import DirStore
from mirror.verify import Trust
from mirror.withdrawal import Withdrawals

SECRET = "Nobody was to read this sentence"
TITLE = "The name that was to be forgotten"
MOVED = "https://news.example/moved"


class Cut(DirStore):
    """A folder whose writer ends before its step number `at`: a put, a flush or a removal."""

    at = 0

    def _step(self) -> None:
        self.at -= 1
        if self.at == 0:
            raise asyncio.CancelledError

    async def put(self, path: str, data: bytes) -> None:
        self._step()
        await super().put(path, data)

    async def flush(self) -> None:
        self._step()
        await super().flush()

    async def delete(self, path: str) -> None:
        self._step()
        await super().delete(path)


class Room:
    """A newsroom's log with its site in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = folder / "site"
        self.clock = Clock()
        self.open()
        trust = self.site / "trust"
        trust.mkdir(parents=True, exist_ok=True)
        for name, data in trust_files(self.signer.root).items():
            (trust / name).write_bytes(data)

    def open(self) -> None:
        self.signer = open_signer(self.folder)
        self.store = Cut(self.site)
        self.dag = Dag(self.signer.state.db, self.site)
        self.press = Press(self.signer, self.store, self.dag)
        self.orders = Withdrawals(self.signer.state.db)

    async def round(self, *drafts: Draft) -> dict[bytes, str]:
        self.clock.now += 60
        refused = self.signer.append(drafts, now=self.clock())
        await self.press.publish(now=self.clock)
        return refused

    def ask(self, *numbers: int, code: Code = "legal") -> list[str]:
        shorts = [self.short(number) for number in numbers]
        with self.signer.state.transaction():
            for each in shorts:
                self.orders.ask(each, code, now=self.clock())
        return shorts

    async def begin(self) -> list[str]:
        """Do what each cycle begins with."""
        self.clock.now += 60
        await self.press.publish(now=self.clock)
        await self.press.settle()
        return await self.press.withdraw(now=self.clock)

    def short(self, number: int) -> str:
        held = self.signer.state.find([f"guid {number}"])
        assert held
        return held.short

    def files(self) -> dict[str, bytes]:
        found = (path for path in self.site.rglob("*") if path.is_file())
        return {path.relative_to(self.site).as_posix(): path.read_bytes() for path in found}

    def plain(self) -> dict[str, bytes]:
        return {p: d for p, d in self.files().items() if not p.endswith((".gz", ".br"))}

    def agrees(self) -> bool:
        links = {path: file_link(data) for path, data in self.plain().items()}
        return self.dag.root() == update({}.get, links).root.cid


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    room.signer.state.close()


def told(number: int, signer: object, text: str, title: str = TITLE) -> Draft:
    return draft(signer, number, text=text, title=title)  # type: ignore[arg-type]


async def filled(room: Room, count: int = 5) -> None:
    """Publish `count` articles, of which number 2 is in parts, revised, and at two addresses."""
    await room.press.settle()
    for number in range(count):
        if number != 2:
            await room.round(draft(room.signer, number))
            continue
        await room.round(told(2, room.signer, f"{SECRET}, first."))
        long = told(2, room.signer, f"{SECRET}, second.", f"{TITLE} again")
        noise = [f"<p>{hashlib.sha512(b'%d' % n).hexdigest()}</p>" for n in range(200)]
        article = replace(long.article, blocks=(*long.article.blocks, *noise))
        names = ("guid 2", f"link {MOVED}")
        moved = replace(long, article=article, identity=Identity(names, article_id(MOVED)))
        await room.round(moved)


def holding(files: dict[str, bytes], *words: str) -> list[str]:
    """Return the files that have any of `words`, packed or not."""
    found = []
    for path, data in files.items():
        if path.endswith(".gz"):
            data = gzip.decompress(data)
        elif path.endswith(".br"):
            data = brotli.decompress(data)
        if any(word.encode() in data for word in words):
            found.append(path)
    return found


def voids(room: Room) -> list[Void]:
    found = [parse(Note.parse(record).text) for record in records_of(room.signer)]
    return [each for each in found if isinstance(each, Void)]


async def outcomes(room: Room) -> Sequence[Outcome]:
    survey = Survey(MemoryPlace(room.plain()), Trust(room.signer.root, room.clock()))
    await survey.look()
    return survey.articles


async def test_nothing_of_a_withdrawn_article_is_left_in_any_file_of_the_site(room: Room):
    await filled(room)
    folder = article_folder(room.short(2))
    before = holding(room.files(), SECRET, TITLE)
    assert {f"{folder}/2.html.br", f"{folder}/index.html", "feed.xml", "index.html"} <= {*before}
    assert any(path.startswith("feed/") for path in before)
    assert any(path.startswith("index/") for path in before)
    assert f"{folder}/2-2.html" in room.files()
    other = f"{article_folder(short_id(article_id(MOVED)))}/index.html"
    assert other in room.files()
    (room.site / folder / f"{'0f' * 32}.webp").write_bytes(b"a picture")
    (room.site / folder / "1.html.br.gz").write_bytes(gzip.compress(b"x"))

    room.ask(2)
    assert await room.begin() == []

    assert holding(room.files(), SECRET, TITLE) == []
    assert other not in room.files()
    assert {path for path in room.plain() if path.startswith(folder)} == {f"{folder}/index.html"}
    assert await audited(room.plain(), room.signer.root, now=room.clock()) == []
    assert room.agrees()
    assert room.signer.state.outbox() == {}
    assert room.orders.pending() == []


async def test_the_log_says_it_as_the_format_does_and_no_number_is_used_up(room: Room):
    await filled(room)
    held = room.signer.state.find(["guid 2"])
    assert held

    room.ask(2, code="safety")
    await room.begin()

    [void] = voids(room)
    assert (void.id, void.n, void.rev, void.first) == (held.id, held.n, 2, held.first)
    assert (void.code, void.prev, void.time) == ("safety", held.leaf, room.clock())
    now = room.signer.state.find(["guid 2"])
    assert now
    assert (now.void, now.leaf, now.title, now.chars) == ("safety", held.leaf + 6, "", 0)
    assert [each.n for each in room.signer.state.newest(30)] == [4, 3, 1, 0]


async def test_a_verifier_says_of_it_that_it_was_withdrawn(room: Room):
    await filled(room)
    room.ask(2)
    await room.begin()

    found = {each.subject: (each.verdict, each.status) for each in await outcomes(room)}

    assert found[revision_path(room.short(2), 2)] == ("valid", "withdrawn")
    assert sorted(found.values())[:-1] == [("valid", "current")] * 4


@pytest.mark.parametrize("code", CODES)
async def test_a_page_for_people_says_it_instead_and_not_what_it_was_about(room: Room, code: Code):
    await filled(room, 3)
    room.ask(2, code=code)
    await room.begin()

    page = Page(room.files()[f"{article_folder(room.short(2))}/index.html"])

    assert page.flaws == []
    assert "Withdrawn by the newsroom" in page.text
    assert page.links


async def test_all_articles_withdrawn_leave_a_site_that_is_valid(room: Room):
    await filled(room, 3)
    room.ask(0, 1, 2)
    await room.begin()

    assert len(voids(room)) == 3
    assert await audited(room.plain(), room.signer.root, now=room.clock()) == []
    assert holding(room.files(), "The text of story", SECRET) == []


async def test_an_order_is_obeyed_once(room: Room):
    await filled(room)
    room.ask(2)
    await room.begin()
    size = room.signer.state.log().size

    assert await room.begin() == []
    room.ask(2, code="other")
    stray = room.site / article_folder(room.short(2)) / "2.html"
    stray.write_bytes(b"put back by a copy")
    assert await room.begin() == []

    assert room.signer.state.log().size == size
    assert not stray.exists()
    assert [each.code for each in voids(room)] == ["legal"]


async def test_an_order_about_nothing_that_was_published_ends(room: Room):
    await filled(room, 3)
    with room.signer.state.transaction():
        room.orders.ask("a" * 20, "legal", now=NOW)

    assert await room.begin() == []

    assert room.orders.pending() == []
    assert voids(room) == []


async def test_another_article_at_an_address_that_it_had_keeps_its_files(room: Room):
    await filled(room, 3)
    other = draft(room.signer, 7)
    await room.round(replace(other, identity=Identity(("guid 7",), article_id(MOVED))))
    assert room.short(7) == short_id(article_id(MOVED))

    room.ask(2)
    await room.begin()

    assert revision_path(room.short(7), 1) in room.files()


async def test_a_later_revision_follows_the_newest_document_and_not_the_void(room: Room):
    await filled(room)
    held = room.signer.state.find(["guid 2"])
    room.ask(2)
    await room.begin()

    assert await room.round(told(2, room.signer, "All is well now.")) == {}

    newest = docs_of(room.signer)[-2]
    assert held
    assert (newest.rev, newest.prev, newest.n) == (3, held.leaf, held.n)
    assert await audited(room.plain(), room.signer.root, now=room.clock()) == []
    now = room.signer.state.find(["guid 2"])
    assert now
    assert (now.void, now.rev, now.title) == (None, 3, TITLE)
    folder = article_folder(room.short(2))
    assert room.files()[f"{folder}/index.html"] == room.files()[f"{folder}/3.html"]

    room.ask(2)
    await room.begin()

    assert [each.rev for each in voids(room)] == [2, 3]
    assert await audited(room.plain(), room.signer.root, now=room.clock()) == []


async def test_what_can_not_be_removed_is_said_and_tried_again_and_no_revision_comes_between(
    room: Room, monkeypatch: pytest.MonkeyPatch
):
    await filled(room)
    real, stuck = DirStore._delete, revision_path(room.short(2), 1)

    def immutable(store: DirStore, path: str) -> None:
        if path == stuck:
            raise store._failed(path, OSError(errno.EPERM, "Operation not permitted"))
        real(store, path)

    room.ask(2)
    with monkeypatch.context() as patch:
        patch.setattr(DirStore, "_delete", immutable)
        [problem] = await room.begin()
        refused = await room.round(told(2, room.signer, "Again."), draft(room.signer, 9))

    assert "not permitted" in problem
    assert set(holding(room.files(), SECRET)) == {stuck, f"{stuck}.br", f"{stuck}.gz"}
    assert "withdrawal is not finished" in "".join(refused.values())
    assert room.short(9)
    assert await room.begin() == []
    assert holding(room.files(), SECRET) == []


async def test_an_edit_of_it_that_waits_goes_too(room: Room):
    await filled(room)
    edit = told(2, room.signer, f"{SECRET}, third.")
    hold = Hold(room.signer.state.db)
    with room.signer.state.transaction():
        hold.keep([Proposal(edit.article, edit.identity, edit.source, room.short(2))], now=NOW)

    room.ask(2)
    await room.begin()

    assert hold.count() == 0


async def test_readers_with_an_index_that_does_not_name_it_keep_theirs(room: Room):
    await filled(room, 3)
    await room.round(*(draft(room.signer, number) for number in range(10, 100)))
    await room.round(draft(room.signer, 100))  # the newest thirty do not name it any more
    await room.round(draft(room.signer, 101))
    kept = [path for path in room.files() if path.startswith("index/")]

    room.ask(2)
    await room.begin()

    named = {path for path in kept if path not in room.files()}
    assert named
    assert len(kept) - len(named) >= 4, "two index documents and two nodes"
    await room.press.tidy(now=room.clock() + KEEP_INDEX_S + 120)
    assert room.agrees()


async def test_a_clock_that_went_back_gives_no_record_an_earlier_time(room: Room):
    await filled(room, 3)
    room.clock.now = NOW - 86_400
    room.ask(2)
    await room.begin()

    assert await audited(room.plain(), room.signer.root, now=NOW + 600) == []


async def test_a_full_disk_withdraws_nothing_by_halves(room: Room, monkeypatch: pytest.MonkeyPatch):
    await filled(room, 3)
    room.ask(2)

    def full(*_: object) -> None:
        raise StoreError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(DirStore, "_write", full)
        with pytest.raises(StoreError):
            await room.begin()
    assert holding(room.files(), SECRET)
    await room.begin()

    assert len(voids(room)) == 1
    assert holding(room.files(), SECRET) == []


async def test_cut_off_at_any_step_it_is_brought_to_the_same_end(tmp_path: Path):
    whole = Room(tmp_path / "whole")
    await filled(whole, 4)
    whole.ask(2)
    whole.store.at = 1_000_000
    await whole.begin()
    steps, expected = 1_000_000 - whole.store.at, whole.files()
    whole.signer.state.close()
    assert steps > 20

    for at in range(1, steps + 1):
        room = Room(tmp_path / str(at))
        await filled(room, 4)
        room.ask(2)
        room.store.at = at
        with pytest.raises(asyncio.CancelledError):
            await room.begin()
        room.signer.state.close()
        room.open()
        room.clock.now -= 60
        await room.begin()

        assert room.files() == expected, at
        assert room.agrees(), at
        assert room.orders.pending() == [], at
        room.signer.state.close()


def test_an_order_is_remembered_with_its_end(room: Room):
    with room.signer.state.transaction():
        room.orders.ask("b" * 20, "error", now=5)
        room.orders.ask("a" * 20, "legal", now=4)
    assert room.orders.pending() == [("a" * 20, "legal"), ("b" * 20, "error")]
    with room.signer.state.transaction():
        room.orders.mark_done(["a" * 20], now=9)

    done, still = room.orders.find("a" * 20), room.orders.find("b" * 20)

    assert done
    assert still
    assert (done.done, still.done, still.asked) == (9, None, 5)
    assert room.orders.find("c" * 20) is None
    assert room.orders.pending() == [("b" * 20, "error")]
    with pytest.raises(FormatError, match="code"):
        Void(bytes(32), 0, 1, 5, 5, "whim", 0)  # type: ignore[arg-type]
