"""A cycle is cut at each of its write boundaries; the next one brings everything to the end."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_evidence import (
    assert_cut,
    assert_not_forked,
    assert_readable,
    assert_tree_is_the_folders,
    assert_whole,
    signed,
    tree,
    visible,
)
from fault_newsroom import Newsroom, Story
from fault_warm import START, Warm, make

from mirror.database import Database
from mirror.formats.checkpoint import Checkpoint  # noqa: TC001 - and not behind a condition
from mirror.formats.paths import INDEX_PROOF
from mirror.hold import Hold

HOUR_S = 3600
POWER_STEP = 8  # every so many boundaries the power is cut, too
WEEK_S = 8 * 24 * HOUR_S  # by then what the first cycles replaced is removed


def first(folder: Path, warm: Warm, room: Newsroom) -> int:
    """The first start: no database, no site but its trust."""
    make(folder, room)
    room.publish(Story(1))
    return START


def busy(folder: Path, warm: Warm, room: Newsroom) -> int:
    """New articles, one of them in parts, an edit, and old index documents to be removed."""
    make(folder, room)
    room.publish(Story(1), Story(2))
    assert warm.run(folder, now=START)["status"] == 0
    room.publish(Story(2, version=2))
    assert warm.run(folder, now=START + HOUR_S)["status"] == 0
    room.publish(Story(1, version=2), Story(3), Story(4, paragraphs=60))
    return START + WEEK_S


def quiet(folder: Path, warm: Warm, room: Newsroom) -> int:
    """Nothing new but the clock's word."""
    make(folder, room)
    room.publish(Story(1))
    assert warm.run(folder, now=START)["status"] == 0
    return START + 2 * HOUR_S


def held(folder: Path, warm: Warm, room: Newsroom) -> int:
    """What waited goes out: one that was approved, one whose delay is over, edited meanwhile."""
    make(folder, room)
    settings = folder / "mirror.toml"
    settings.write_text(settings.read_text().replace("delay_s = 0", f"delay_s = {HOUR_S}"))
    room.publish(Story(1), Story(2), Story(3))
    assert warm.run(folder, now=START)["status"] == 0
    database = Database.beside(folder / "state.db", origin="faults.example")
    hold = Hold(database)
    with database.transaction():
        hold.mark([hold.waiting()[1].n], approved=True)
    database.close()
    room.publish(Story(3, version=2))
    return START + HOUR_S


@pytest.mark.parametrize("scene", [first, busy, quiet, held])
async def test_a_cycle_cut_at_any_write_boundary_is_brought_to_the_same_end(
    scene: Callable[[Path, Warm, Newsroom], int],
    memory: Path,
    warm: Warm,
    second_warm: Warm,
    room: Newsroom,
):
    base, whole = memory / "base", memory / "whole"
    base.mkdir()
    now = scene(base, warm, room)
    shutil.copytree(base, whole)
    seen = warm.run(whole, now=now)["seen"]
    second_warm.run(shutil.copytree(base, memory / "second"), now=now)  # it recalls from now on
    expected = tree(whole / "site")
    await assert_readable(whole, now=now)
    assert_whole(whole / "site", room)
    print(f"{scene.__name__}: {len(seen)} write boundaries")
    read: list[dict[str, bytes]] = []
    met: list[Checkpoint] = []
    left = iter(range(1, len(seen) + 1))  # after the one is before the next

    async def cut_each(warm: Warm, folder: Path) -> None:
        for at in left:
            where = f"cut before {at}, {seen[at - 1]}"
            shutil.copytree(base, folder)
            told = await asyncio.to_thread(warm.run, folder, now=now, at=at)
            assert_cut(told, at, where)
            shown = tree(folder / "site")
            if shown not in read:  # what is staged changes more often than what is shown
                read.append(shown)
                met.extend(visible(folder))
                if INDEX_PROOF in shown:
                    await assert_readable(folder, now=now, whole=False)

            again = await asyncio.to_thread(warm.run, folder, now=now)

            assert again["status"] == 0, (where, again.get("error"), again)
            assert tree(folder / "site") == expected, where
            assert_tree_is_the_folders(folder)
            assert_not_forked(folder / "site", met + signed(folder))
            shutil.rmtree(folder)

    async with asyncio.TaskGroup() as group:
        group.create_task(cut_each(warm, memory / "one"))
        group.create_task(cut_each(second_warm, memory / "two"))


@pytest.mark.parametrize("lost", ["all", "some"])
async def test_a_power_cut_loses_nothing_that_was_signed(
    lost: str, memory: Path, warm: Warm, room: Newsroom
):
    base, whole = memory / "base", memory / "whole"
    now = busy(base, warm, room)
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
        await assert_readable(folder, now=now, whole=False)

        again = warm.run(folder, now=now)

        assert again["status"] == 0, (where, again.get("error"), again)
        assert tree(folder / "site") == expected, where
        assert_tree_is_the_folders(folder)
        assert_not_forked(folder / "site", met + signed(folder))
        shutil.rmtree(folder)
