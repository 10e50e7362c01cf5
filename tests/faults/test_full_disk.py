"""A disk that fills up while a cycle writes: nothing is signed that is not in the site."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_evidence import assert_not_forked, assert_readable, assert_whole, signed, tree, visible
from fault_newsroom import Newsroom, Story
from fault_warm import START, Warm, make

HOUR_S = 3600
STEP = 7  # every so many write boundaries the disk is filled up
SMALL_MB, ENOUGH_MB = 4, 72  # the store keeps 64 MB free


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return a disk of the size that the test asks for."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    options = f"size={request.param}m,mode=700"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False)
    if done.returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("disk", [SMALL_MB], indirect=True)
def test_a_disk_without_room_for_a_round_stops_it_before_anything_is_appended(
    disk: Path, warm: Warm, room: Newsroom
):
    make(disk / "mirror", room)
    room.publish(Story(1))

    told = warm.run(disk / "mirror", now=START)

    assert told["kind"] == "StoreError"
    assert "disk full" in told["error"]
    assert signed(disk / "mirror") == []
    assert [path for path in tree(disk / "mirror" / "site") if not path.startswith("trust/")] == []


@pytest.mark.parametrize("disk", [ENOUGH_MB], indirect=True)
async def test_a_disk_that_fills_up_midway_signs_nothing_that_is_not_there_and_goes_on_later(
    disk: Path, memory: Path, warm: Warm, room: Newsroom
):
    base, whole, filler = memory / "base", memory / "whole", disk / "filler"
    make(base, room)
    room.publish(Story(1))
    assert warm.run(base, now=START)["status"] == 0
    room.publish(Story(1, version=2), Story(2), Story(3, paragraphs=60))
    now = START + HOUR_S
    shutil.copytree(base, whole)
    seen = warm.run(whole, now=now)["seen"]
    expected = tree(whole / "site")
    for at in range(1, len(seen) + 1, STEP):
        folder = disk / "mirror"
        shutil.copytree(base, folder)
        told = warm.run(folder, now=now, at=at, fill=str(filler))
        where = f"full before {at}, {seen[at - 1]}"
        assert told["status"] == 0 or told["kind"] == "StoreError", (where, told)
        filler.unlink()
        met = visible(folder)
        await assert_readable(folder, now=now, whole=False)

        again = warm.run(folder, now=now)

        assert again["status"] == 0, (where, again)
        assert tree(folder / "site") == expected, where
        assert_not_forked(folder / "site", met + signed(folder))
        shutil.rmtree(folder)
    assert_whole(whole / "site", room)
