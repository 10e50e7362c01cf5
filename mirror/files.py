"""Files that survive a power cut: temporary name, sync, rename, sync of the folder."""

import os
from pathlib import Path


def write_durably(path: Path, data: bytes) -> None:
    """Write `data` under `path`, whole or not at all, and return when it is on the disk.

    Raises:
        OSError: not written; what was there before still is.
    """
    part = path.with_name(path.name + ".new")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path | str) -> None:
    """Return when the names in `folder` are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
