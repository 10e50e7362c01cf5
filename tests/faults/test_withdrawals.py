"""A withdrawal is cut at each write boundary; in the end nothing of the article is left."""

import asyncio
import gzip
import shutil
from pathlib import Path

import brotli
import pytest
from fault_evidence import (
    assert_cut,
    assert_not_forked,
    assert_readable,
    assert_tree_is_the_folders,
    records,
    signed,
    tree,
    visible,
)
from fault_newsroom import Newsroom, Story
from fault_warm import START, Warm, make

from mirror.database import Database
from mirror.formats.note import Note
from mirror.formats.paths import short_id
from mirror.formats.record import Void, parse
from mirror.formats.url import article_id
from mirror.withdrawal import Withdrawals

HOUR_S = 3600
CUT_STEP, POWER_STEP = 2, 9  # every so many boundaries; each step of a store: test_withdrawal


def scene(folder: Path, warm: Warm, room: Newsroom) -> int:
    """Three articles, one of them in parts and revised; that one is ordered to go."""
    make(folder, room)
    room.publish(Story(1), Story(2), Story(3, paragraphs=60))
    assert warm.run(folder, now=START)["status"] == 0
    room.publish(Story(3, version=2, paragraphs=60))
    assert warm.run(folder, now=START + HOUR_S)["status"] == 0
    assert left(folder)
    database = Database.beside(folder / "state.db", origin="faults.example")
    with database.transaction():
        short = short_id(article_id(room.url(3)))
        Withdrawals(database).ask(short, "legal", now=START + HOUR_S)
    database.close()
    return START + 2 * HOUR_S


def left(folder: Path) -> list[str]:
    """Return the files, staged ones too, that have a sentence or the title of the article."""
    found = []
    for path in (each for each in (folder / "site").rglob("*") if each.is_file()):
        data = path.read_bytes()
        if path.suffix in (".gz", ".br") and ".staging" not in path.parts:
            data = gzip.decompress(data) if path.suffix == ".gz" else brotli.decompress(data)
        if b"story 3 version" in data or b"Story 3" in data:
            found.append(path.relative_to(folder).as_posix())
    return found


def order(folder: Path, room: Newsroom) -> object:
    database = Database.beside(folder / "state.db", origin="faults.example")
    try:
        return Withdrawals(database).find(short_id(article_id(room.url(3))))
    finally:
        database.close()


async def assert_gone(folder: Path, room: Newsroom, expected: object, *, now: int) -> None:
    assert left(folder) == []
    assert tree(folder / "site") == expected
    assert order(folder, room).done == now  # type: ignore[attr-defined]
    voids = [parse(Note.parse(record).text) for record in records(folder / "site")]
    assert sum(isinstance(each, Void) for each in voids) == 1
    assert_tree_is_the_folders(folder)
    await assert_readable(folder, now=now)


async def test_a_withdrawal_cut_at_a_write_boundary_is_brought_to_the_same_end(
    memory: Path, warm: Warm, second_warm: Warm, room: Newsroom
):
    base, whole = memory / "base", memory / "whole"
    now = scene(base, warm, room)
    shutil.copytree(base, whole)
    seen = warm.run(whole, now=now)["seen"]
    second_warm.run(shutil.copytree(base, memory / "second"), now=now)  # it recalls from now on
    expected = tree(whole / "site")
    await assert_gone(whole, room, expected, now=now)
    places = iter(range(1, len(seen) + 1, CUT_STEP))

    async def cut_each(warm: Warm, folder: Path) -> None:
        for at in places:
            where = f"cut before {at}, {seen[at - 1]}"
            shutil.copytree(base, folder)
            told = await asyncio.to_thread(warm.run, folder, now=now, at=at)
            assert_cut(told, at, where)
            met = visible(folder)

            again = await asyncio.to_thread(warm.run, folder, now=now)

            assert again["status"] == 0, (where, again.get("error"), again)
            assert tree(folder / "site") == expected, where
            assert left(folder) == [], where
            assert_tree_is_the_folders(folder)
            assert_not_forked(folder / "site", met + signed(folder))
            shutil.rmtree(folder)

    async with asyncio.TaskGroup() as group:
        group.create_task(cut_each(warm, memory / "one"))
        group.create_task(cut_each(second_warm, memory / "two"))


@pytest.mark.parametrize("lost", ["all", "some"])
async def test_a_power_cut_brings_nothing_of_it_back(
    lost: str, memory: Path, warm: Warm, room: Newsroom
):
    base, whole = memory / "base", memory / "whole"
    now = scene(base, warm, room)
    shutil.copytree(base, whole)
    seen = warm.run(whole, now=now)["seen"]
    expected = tree(whole / "site")
    offset = 1 if lost == "all" else 1 + POWER_STEP // 2

    for at in range(offset, len(seen) + 1, POWER_STEP):
        folder = memory / "cut"
        shutil.copytree(base, folder)
        seed = None if lost == "all" else at
        told = warm.run(folder, now=now, at=at, power=True, seed=seed)
        where = f"power cut before {at}, {seen[at - 1]}"
        assert_cut(told, at, where)
        met = visible(folder)

        again = warm.run(folder, now=now)

        assert again["status"] == 0, (where, again.get("error"), again)
        await assert_gone(folder, room, expected, now=now)
        assert_not_forked(folder / "site", met + signed(folder))
        shutil.rmtree(folder)
