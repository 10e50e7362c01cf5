"""The warm process that cycles are forked from, a newsroom, and folders in memory."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_newsroom import Newsroom, open_newsroom
from fault_warm import Warm


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    process = Warm()
    yield process
    process.end()


@pytest.fixture(scope="session")
def second_warm() -> Iterator[Warm]:
    """Return another one: two cuts at a time take half as long on two cores."""
    process = Warm()
    yield process
    process.end()


@pytest.fixture
def room() -> Iterator[Newsroom]:
    with open_newsroom() as opened:
        yield opened


@pytest.fixture
def memory() -> Iterator[Path]:
    """Return a folder in memory where there is one: an exit loses nothing on either."""
    shm = Path("/dev/shm")
    place = str(shm) if shm.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="mirror-faults-", dir=place) as folder:
        yield Path(folder)
