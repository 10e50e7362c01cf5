"""A batch on its way to a place, as files that rclone reads: private, and gone with the batch."""

# ruff: noqa: PTH103, PTH123 - a Path object for each file was half of the time

import os
import shutil
import tempfile
from pathlib import Path

WRITTEN_AT = 1  # the same time for all: a file sent again overwrites what is left of its half


class Staging:
    """A folder in `room` with the files of one batch.

    Raises:
        OSError: from each method: no room on this disk, or no right to it.
    """

    def __init__(self, room: Path) -> None:
        _tidy(room)
        self.folder = tempfile.mkdtemp(dir=room, prefix=f"put-{os.getpid()}-")
        self._made: set[str] = set()

    def write(self, path: str, data: bytes) -> None:
        """Keep `data` under `path` until the batch is done."""
        name = f"{self.folder}/{path}"
        parent = os.path.dirname(name)  # noqa: PTH120
        if parent not in self._made:
            os.makedirs(parent, exist_ok=True)
            self._made.add(parent)
        with open(name, "wb") as file:
            file.write(data)
        os.utime(name, (WRITTEN_AT, WRITTEN_AT))

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def make_room(room: Path) -> None:
    """Make the folder that everything of one store lies in, for nobody else's eyes.

    Raises:
        OSError: not made.
    """
    room.mkdir(mode=0o700, parents=True, exist_ok=True)


def _tidy(room: Path) -> None:
    """Remove what processes that are gone have left, killed in the middle of a batch."""
    for folder in room.glob("put-*"):
        owner = folder.name.split("-")[1]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)
