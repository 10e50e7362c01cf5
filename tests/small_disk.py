"""A disk that is soon full, and can be made larger (root)."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path) -> Iterator[list[str]]:
    """Put 1 MB of disk at `folder`, and yield the command that makes it larger."""
    mount = ["mount", "-t", "tmpfs", "-o"]
    made = subprocess.run([*mount, "size=1m,mode=777", "none", folder], capture_output=True)
    if made.returncode:
        pytest.skip(f"no right to mount here: {made.stderr.decode().strip()}")
    try:
        yield [*mount, "remount,size=9m", str(folder)]
    finally:
        subprocess.run(["umount", folder], check=True)
