"""The database: one writer, all or nothing, and what it refuses to go on from."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import NOW, ORIGIN, fill

from mirror import database
from mirror.database import InUseError
from mirror.errors import SettingsError, StateError, StoreError
from mirror.formats.index import Item, VoidItem
from mirror.state import ArticleState, FeedState, LogState, State

ARTICLE = ArticleState(
    *(0, b"i" * 32, "a" * 20, NOW, 1, 0, NOW, 4000, bytes(32), "Title", "en", "ltr", None),
    *(b"d" * 32, "https://news.example/feed"),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def state(file: Path) -> Iterator[State]:
    state = State.open(file, origin=ORIGIN)
    yield state
    state.close()


def grown(log: LogState, size: int) -> LogState:
    return replace(log, size=size, root=bytes([size]) * 32, index_leaf=size - 1, index_rev=1)


def append(state: State, size: int) -> None:
    with state.transaction():
        state.swap(state.log(), grown(state.log(), size))


def reopened(file: Path) -> State:
    return State.open(file, origin=ORIGIN)


def test_a_new_database_is_an_empty_log(state: State):
    assert state.log() == LogState(ORIGIN, 0, b"", 0, 0, b"", 0, 0, 0, 0, "")
    assert state.count() == 0
    assert state.newest(30) == []
    assert state.outbox() == {}


def test_what_is_written_is_there_after_reopening(file: Path):
    state = reopened(file)
    append(state, 3)
    with state.transaction():
        state.put_article(ARTICLE)
        state.add_aliases(0, ["guid x"])
        state.put_feed("https://f", FeedState('"e"', "Mon", b"p"))
    state.close()
    state = reopened(file)
    found = (state.log().size, state.find(["guid x"]), state.feed("https://f"))
    state.close()

    assert found == (3, ARTICLE, FeedState('"e"', "Mon", b"p"))


def test_the_database_syncs_before_it_says_it_is_done(state: State):
    """FULL, or the compare-and-swap is not on the disk when the checkpoint is signed."""
    assert state.db._db.execute("PRAGMA synchronous").fetchone() == (2,)


# One writer.


def test_a_second_opener_is_told_that_it_is_in_use(state: State, file: Path):
    with pytest.raises(InUseError, match=r"state.db: in use"):
        reopened(file)


def test_a_second_process_is_told_that_it_is_in_use(state: State, file: Path):
    program = (
        "import sys; from pathlib import Path; from mirror.state import State\n"
        "from mirror.database import InUseError\n"
        "try: State.open(Path(sys.argv[1]), origin=sys.argv[2])\n"
        "except InUseError: sys.exit(7)"
    )
    other = subprocess.run([sys.executable, "-c", program, str(file), ORIGIN])

    assert other.returncode == 7


def test_who_was_told_so_may_come_again(file: Path):
    first = reopened(file)
    with pytest.raises(InUseError):
        reopened(file)
    first.close()
    reopened(file).close()


def test_a_failed_opening_lets_the_next_one_in(file: Path):
    reopened(file).close()
    with pytest.raises(StateError, match="another/log"):
        State.open(file, origin="another/log")
    reopened(file).close()


def test_a_stale_writer_changes_nothing(state: State):
    stale = state.log()
    append(state, 3)
    with state.transaction():
        state.mark_published(3, now=NOW)
    with pytest.raises(StateError, match="moved on"), state.transaction():
        state.swap(stale, grown(stale, 5))

    assert state.log().size == 3


def test_a_writer_with_another_tree_of_the_same_size_changes_nothing(state: State):
    append(state, 3)
    with state.transaction():
        state.mark_published(3, now=NOW)
    other = replace(state.log(), root=b"?" * 32)
    with pytest.raises(StateError, match="moved on"), state.transaction():
        state.swap(other, grown(other, 5))

    assert state.log().root == b"\3" * 32


def test_nothing_is_appended_while_something_is_unpublished(state: State):
    append(state, 3)
    with pytest.raises(StateError, match="moved on"):
        append(state, 5)

    assert state.log().size == 3


def test_an_append_forgets_the_old_checkpoint(state: State):
    append(state, 1)
    with state.transaction():
        state.keep_checkpoint(b"signed", cosigned=NOW)
        state.mark_published(1, now=NOW)
    append(state, 2)

    assert state.log().checkpoint == b""
    assert state.log().cosigned == NOW


# All or nothing.


class Interrupted(BaseException):
    """Stands for Ctrl-C, which is no `Exception` either."""


@pytest.mark.parametrize("error", [StateError("x"), KeyError("bug"), Interrupted()])
def test_what_fails_inside_a_transaction_leaves_nothing(state: State, error: BaseException):
    with pytest.raises(type(error)), state.transaction():
        state.put_article(ARTICLE)
        state.put_outbox({"index.html": b"x"})
        raise error

    assert state.count() == 0
    assert state.outbox() == {}

    append(state, 1)

    assert state.log().size == 1


def test_a_full_disk_is_a_store_error_and_leaves_nothing(state: State):
    pages = state.db._db.execute("PRAGMA page_count").fetchone()[0]
    state.db._db.execute(f"PRAGMA max_page_count={pages + 1}")
    with pytest.raises(StoreError, match=r"state.db: not written: .*full"), state.transaction():
        state.put_article(ARTICLE)
        state.put_outbox({"index.html": bytes(1_000_000)})

    assert state.count() == 0
    assert state.outbox() == {}

    with state.transaction():
        state.put_article(ARTICLE)

    assert state.count() == 1


@pytest.mark.parametrize("at", range(30))
def test_a_database_whose_making_was_cut_off_can_be_made_again(file: Path, at: int):
    class Cut:
        """A connection that dies before its statement number `at`."""

        def __init__(self) -> None:
            self.db = sqlite3.connect(file, isolation_level=None)
            self.left = at

        def execute(self, *arguments: object) -> sqlite3.Cursor:
            if self.left == 0:
                raise Interrupted
            self.left -= 1
            return self.db.execute(*arguments)  # type: ignore[arg-type]

    cut = Cut()
    with suppress(Interrupted):
        database._prepared(cut, ORIGIN, make=True)  # type: ignore[arg-type]
    cut.db.close()
    state = reopened(file)
    found = state.log().origin
    state.close()

    assert found == ORIGIN


# What is no database of this log.


def test_another_logs_database_is_refused(file: Path):
    reopened(file).close()
    with pytest.raises(StateError, match=rf"state.db: it is the log {ORIGIN}, the settings say"):
        State.open(file, origin="another/log")


def test_a_newer_programs_database_is_refused(file: Path):
    reopened(file).close()
    db = sqlite3.connect(file)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(StateError, match="schema 99, this program knows 5"):
        reopened(file)


def garbled(data: bytes) -> bytes:
    return b"no database" * 999


def headless(data: bytes) -> bytes:
    return bytes(100) + data[100:]


def middle_gone(data: bytes) -> bytes:
    return data[:4096] + b"\xff" * (len(data) - 4096)


def end_gone(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3] + b"\xff" * (len(data) - len(data) * 2 // 3)


def cut_short(data: bytes) -> bytes:
    return data[: len(data) // 3]


@pytest.mark.parametrize("damage", [garbled, headless, middle_gone, end_gone, cut_short])
def test_a_damaged_file_is_a_state_error(file: Path, damage: Callable[[bytes], bytes]):
    state = reopened(file)
    fill(state, 300)
    state.close()
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(StateError, match=r"state\.db"):
        use_all(file)


def use_all(file: Path) -> None:
    state = reopened(file)
    try:
        state.log()
        state.find(["guid"])
        state.holder("x")
        state.newest(30)
        state.records(0, 301)
        state.articles(0, 300)
        state.nodes(0, 0, 9)
        state.read_tile(0, 0)
        state.seen("x")
        state.feed("x")
        state.garbage(NOW)
        state.outbox()
        state.count()
        with state.transaction():
            state.put_seen({"key": b"x"})
    finally:
        state.close()


@pytest.mark.parametrize("name", ["nowhere/state.db", "file/state.db", "."])
def test_a_place_where_no_file_can_be_is_an_error_that_names_it(tmp_path: Path, name: str):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(SettingsError, match=str(tmp_path)):
        State.open(tmp_path / name, origin=ORIGIN)


def test_a_missing_tile_is_a_damaged_database(state: State):
    with pytest.raises(StateError, match="tile 0/0 is missing"):
        state.read_tile(0, 0)


# What it holds.


def test_the_first_known_key_leads_to_the_article(state: State):
    with state.transaction():
        state.put_article(ARTICLE)
        state.put_article(replace(ARTICLE, n=1, id=b"j" * 32, short="b" * 20))
        state.add_aliases(0, ["guid 0", "link 0"])
        state.add_aliases(1, ["guid 1", "link 0"])

    assert state.find(["guid ?", "guid 1", "guid 0"]).n == 1
    assert state.find(["link 0"]).n == 0  # where it led first
    assert state.find([]) is None
    assert state.holder("b" * 20).n == 1
    assert state.count() == 2


def test_the_newest_articles_are_those_not_withdrawn(state: State):
    with state.transaction():
        for n in range(40):
            void = "legal" if n % 3 == 0 else None
            mine = replace(ARTICLE, n=n, id=bytes([n]) * 32, short=f"{n:020}", void=void)
            state.put_article(mine)
    newest = state.newest(10)

    assert [each.n for each in newest] == [38, 37, 35, 34, 32, 31, 29, 28, 26, 25]
    assert isinstance(newest[0].item, Item)
    assert isinstance(state.articles(39, 40)[0].item, VoidItem)


def test_garbage_ages_from_the_moment_its_round_is_published(state: State):
    with state.transaction():
        state.add_garbage(["old"], keep_s=100)

    assert state.garbage(NOW * 2) == []

    with state.transaction():
        state.mark_published(0, now=NOW)
        state.add_garbage(["later"], keep_s=100)

    assert state.garbage(NOW + 99) == []
    assert state.garbage(NOW + 100) == ["old"]

    with state.transaction():
        state.forget_garbage(["old"])

    assert state.garbage(NOW + 100) == []


def test_what_is_published_is_kept_no_longer(state: State):
    with state.transaction():
        state.put_outbox({"a": b"1"})

    assert state.outbox() == {"a": b"1"}

    with state.transaction():
        state.mark_published(0, now=NOW)

    assert state.outbox() == {}


@pytest.mark.parametrize("text", ["", "'; DROP TABLE feed;--", "\x00\n", "ё\u200f🗞", "%s" * 9])
def test_any_text_of_a_feed_is_kept_as_it_is(state: State, text: str):
    with state.transaction():
        state.put_feed(text, FeedState(text, text, b"\x00"))
        state.put_seen({text: b"\xff"})
        state.put_article(ARTICLE)
        state.add_aliases(0, [text])

    assert state.feed(text) == FeedState(text, text, b"\x00")
    assert state.seen(text) == b"\xff"
    assert state.find([text]) == ARTICLE
