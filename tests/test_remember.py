"""The memory between visits: it is read back as it was, and never lowered."""

from pathlib import Path

import pytest

from mirror.check.remember import Memory, keep, recall
from mirror.formats.paths import CHECKPOINT
from tests.sites import NOW, Newsroom

ROOM = Newsroom()
ROOM.publish({"https://news.example/1": "one"}, time=NOW)
SMALL = ROOM.files[CHECKPOINT]
ROOM.publish({"https://news.example/2": "two"}, time=NOW)
LARGE = ROOM.files[CHECKPOINT]


def test_a_memory_is_read_back_as_it_was_written():
    memory = Memory(ROOM.root, LARGE, NOW)

    assert Memory.parse(bytes(memory)) == memory
    assert Memory.parse(bytes(Memory(ROOM.root))).seen is None


@pytest.mark.parametrize(
    ("new", "kept"),
    [
        (Memory(ROOM.root, SMALL, NOW + 1), (LARGE, NOW)),
        (Memory(ROOM.root), (LARGE, NOW)),
        (Memory(ROOM.root, LARGE, NOW - 1), (LARGE, NOW)),
        (Memory(ROOM.root, LARGE, NOW + 1), (LARGE, NOW + 1)),
    ],
    ids=["smaller", "nothing", "earlier", "later"],
)
def test_a_memory_is_never_lowered(tmp_path: Path, new: Memory, kept: tuple[bytes, int]):
    file = tmp_path / "memory"

    keep(file, Memory(ROOM.root, LARGE, NOW), new)

    found = recall(file, ROOM.root)
    assert (found.checkpoint, found.time) == kept


def test_a_first_visit_remembers_nothing(tmp_path: Path):
    assert recall(tmp_path / "memory", ROOM.root) == Memory(ROOM.root)
    assert recall(None, ROOM.root) == Memory(ROOM.root)
