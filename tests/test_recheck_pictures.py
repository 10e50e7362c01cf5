"""What is known of the pictures of articles: its bounds, and what a database outlives."""

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import NOW, ORIGIN, MemoryStore, identity, open_signer, quiet_desk, story

from mirror.article.article import Article
from mirror.article.entry import Entry
from mirror.article.picture import Picture, lacking, name
from mirror.database import _STEPS
from mirror.memory import Outcome
from mirror.poll import Found
from mirror.recheck import Rechecks
from mirror.recheck.pictures import (
    MAX_PACKED_BYTES,
    TRIES,
    Known,
    Pictures,
    Visit,
    gap_s,
    server_of,
)
from mirror.signer import Draft, Signer
from mirror.state import State

HOUR_S, DAY_S = 3600, 24 * 3600
URL = "https://i.example/1"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
ENTRY = Entry("g", "", "Title", (), "", "", full=False, lang="en")
PHOTO = Picture(URL, b"webp", 9, 9)


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[Signer]:
    signer = open_signer(tmp_path)
    yield signer
    signer.state.close()


def publish(signer: Signer, *numbers: int, had: bool = False, source: str = "feed") -> None:
    """Append articles that lack a picture, or have it."""
    shown = (PHOTO if had else lacking(URL),)
    append(signer, *(replace(story(n), pictures=shown) for n in numbers), source=source)


def append(signer: Signer, *articles: Article, source: str = "feed") -> None:
    """Append stories as they are now."""
    named = [(identity(int(each.url.rpartition("/")[2])), each) for each in articles]
    drafts = [Draft(each, id_, source, signer.state.find(id_.keys)) for id_, each in named]
    assert signer.append(drafts, now=NOW) == {}
    with signer.state.transaction():
        signer.state.mark_published(signer.state.log().size, now=NOW)


def had(signer: Signer) -> tuple[Known, ...] | None:
    found = Pictures(signer.state.db).find(0)
    return found and found.had


def due(signer: Signer) -> list[int]:
    return [each.n for each in Pictures(signer.state.db).due(now=NOW + DAY_S, most=99)]


def test_one_feeds_missing_pictures_take_no_other_feeds_place(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.recheck.pictures.MAX_LACKING", 3)
    publish(signer, *range(5))
    publish(signer, 5, source="another")

    assert due(signer) == [0, 5, 1, 2]


@pytest.mark.parametrize("fits", [True, False])
def test_a_text_too_long_to_be_kept_is_published_and_its_pictures_asked_for_no_more(
    signer: Signer, fits: bool
):
    length = MAX_PACKED_BYTES if fits else MAX_PACKED_BYTES * 4 // 3  # base 64: six bits a letter
    text = "".join(random.Random(1).choices(LETTERS, k=length))
    append(signer, replace(story(1, text=text), pictures=(lacking(URL),)))
    found = Pictures(signer.state.db).find(0)

    assert found is not None
    assert (found.lacks, due(signer)) == ((URL,), [0] if fits else [])
    assert (found.article is not None, found.due is not None) == (fits, fits)


def test_feeds_take_turns(signer: Signer):
    publish(signer, *range(5))
    publish(signer, 5, 6, source="another")
    with signer.state.transaction():
        signer.state.db.execute("UPDATE picture SET due=due+n")
    due = Pictures(signer.state.db).due(now=NOW + DAY_S, most=5)

    assert [each.n for each in due] == [0, 5, 1, 6, 2]


def test_of_a_long_archive_the_newest_articles_pictures_are_known(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.recheck.pictures.MAX_ROWS", 3)
    publish(signer, *range(5), had=True)
    known = [Pictures(signer.state.db).find(n) for n in range(5)]

    assert [each is not None for each in known] == [False, False, True, True, True]
    assert known[4] is not None
    assert [each.name for each in known[4].had] == [name(b"webp")]


def test_a_damaged_row_costs_its_own_pictures_alone(signer: Signer):
    publish(signer, 1, 2)
    with signer.state.transaction():
        signer.state.db.execute("UPDATE picture SET value=x'00' WHERE n=0")
    due = Pictures(signer.state.db).due(now=NOW + DAY_S, most=1)

    assert [each.n for each in due] == [1]


def test_a_clock_that_ran_ahead_puts_nothing_off(signer: Signer):
    publish(signer, 1)
    with signer.state.transaction():
        signer.state.db.execute("UPDATE picture SET due=?", (NOW + 999 * DAY_S,))

    assert len(Pictures(signer.state.db).due(now=NOW, most=9)) == 1


def test_a_visit_to_a_busy_host_is_no_try(signer: Signer):
    publish(signer, 1)
    pictures = Pictures(signer.state.db)
    [plan] = pictures.due(now=NOW + DAY_S, most=9)
    with signer.state.transaction():
        busy = ((server_of(URL, source="feed"), NOW + HOUR_S),)
        pictures.came(Visit(busy=busy, plan=plan, asked=False), now=NOW)
    after = pictures.find(0)

    assert after is not None
    assert (after.tries, after.due) == (0, NOW + HOUR_S)
    assert pictures.busy(now=NOW) == dict(busy)
    assert pictures.busy(now=NOW + HOUR_S) == {}


def test_of_too_many_busy_hosts_those_that_ask_for_the_longest_silence_are_known(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.recheck.pictures.MAX_HOSTS", 2)
    pictures = Pictures(signer.state.db)
    for hours in ((1, 4), (3, 2)):
        with signer.state.transaction():
            busy = tuple((f"host {hour}", NOW + hour * HOUR_S) for hour in hours)
            pictures.came(Visit(busy=busy), now=NOW)

    assert pictures.busy(now=NOW).keys() == {"host 4", "host 3"}


def test_many_hosts_of_one_feed_push_out_no_other_feeds(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mirror.recheck.pictures.MAX_HOSTS", 2)
    pictures = Pictures(signer.state.db)
    honest = ((server_of(URL, source="feed"), NOW + HOUR_S),)
    many = tuple((server_of(f"https://{n}.test/", source="evil"), NOW + DAY_S) for n in range(9))
    for busy in (honest, many):
        with signer.state.transaction():
            pictures.came(Visit(busy=busy), now=NOW)

    assert len(pictures.busy(now=NOW)) == 3
    assert pictures.busy(now=NOW).items() >= dict(honest).items()


# What an article's end, or its page's, changes.


def test_an_article_that_is_marked_as_removed_keeps_the_pictures_that_it_had(signer: Signer):
    publish(signer, 1, had=True)
    before = had(signer)
    append(signer, replace(story(1), gone="2026-11-19"))

    assert before
    assert had(signer) == before


def test_of_an_article_marked_as_removed_whose_pictures_are_not_known_none_are(signer: Signer):
    append(signer, story(1))
    append(signer, replace(story(1), gone="2026-11-19"))

    assert had(signer) is None


def test_an_edit_without_a_picture_forgets_it(signer: Signer):
    publish(signer, 1, had=True)
    append(signer, story(1, text="Edited."))

    assert had(signer) is None


def test_an_entry_that_has_no_page_any_more_forgets_no_picture(signer: Signer):
    publish(signer, 1)
    short = signer.state.articles(0, 1)[0].short
    with signer.state.transaction():
        Rechecks(signer.state.db).plan(short, "feed", ENTRY, now=NOW)

    assert due(signer) == [0]


def test_what_is_forgotten_with_its_page_is_asked_for_no_picture(signer: Signer):
    publish(signer, 1)
    short = signer.state.articles(0, 1)[0].short
    with signer.state.transaction():
        Rechecks(signer.state.db).forget(short)

    assert Pictures(signer.state.db).find(0) is None


def test_an_article_whose_names_became_anothers_keeps_its_due_pictures(signer: Signer):
    publish(signer, 1, 2)
    short = signer.state.articles(0, 1)[0].short
    memory = quiet_desk(signer, MemoryStore()).memory
    with signer.state.transaction():
        memory.plans.plan(short, "feed", replace(ENTRY, link=URL), now=NOW)
    [plan] = memory.plans.due(now=NOW + DAY_S, most=9)
    found = Found("key", b"", identity(2), story(2), recheck=plan)
    memory.keep([], [Outcome("feed", found, "", left=False, decided=False)], [], now=NOW)

    assert not memory.plans.has(short)
    assert due(signer) == [0, 1]


def test_the_gaps_end_within_three_days():
    assert sum(map(gap_s, range(TRIES))) == 218_400 < 3 * DAY_S


@pytest.mark.parametrize("steps", range(1, len(_STEPS)))
def test_an_older_database_is_moved_on_and_keeps_what_it_had(tmp_path: Path, steps: int):
    file = tmp_path / "state.db"
    db = sqlite3.connect(file)
    db.executescript("".join(_STEPS[:steps]))
    db.execute("UPDATE log SET origin=?", (ORIGIN,))
    db.execute("INSERT INTO seen VALUES('entry', x'01')")
    db.execute(f"PRAGMA user_version={steps}")
    db.commit()
    db.close()
    state = State.open(file, origin=ORIGIN)
    found = state.seen("entry"), Pictures(state.db).due(now=1, most=1)
    state.close()

    assert found == (b"\1", [])
