"""What all tests share: where the collected data is, and that CI skips nothing."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import newsroom as newsrooms
import pytest
import pytest_asyncio
import store_kinds
from fakes import open_signer
from hypothesis import settings
from newsroom import Newsroom
from store_places import Place

from mirror.box import Box
from mirror.signer import Signer

ROOT = Path(__file__).parents[1]
LONG = (
    "lab/",
    "faults/",
    "test_week",
    "test_acceptance",
    "test_replay",
    "test_hostile",
    "test_cli_run",
)
CI = os.environ.get("CI") == "true"

settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if CI else "dev")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of captured feeds, pages and vectors, which lies beside the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the collected test data is not beside the repository (../shared/data)")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box() -> AsyncIterator[Box]:
    """Yield a box of one worker, for all tests of a module that share a loop."""
    async with Box(workers=1) as box:
        yield box


@pytest.fixture
def newsroom() -> Iterator[Newsroom]:
    """Yield a newsroom that is served on loopback."""
    with newsrooms.running() as newsroom:
        yield newsroom


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Place]]:
    """Yield what gives an empty place of a kind, whose server all tests of a module share."""
    with store_kinds.starting(tmp_path_factory.mktemp) as get:
        yield get


@pytest.fixture(params=store_kinds.KINDS)
def place(request: pytest.FixtureRequest, places: Callable[[str], Place]) -> Place:
    """Return an empty place of each kind."""
    return places(request.param)


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[Signer]:
    """Yield the writer of a new log."""
    signer = open_signer(tmp_path)
    yield signer
    signer.state.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take minutes: at the end, one process would wait for the other."""
    items.sort(key=lambda item: not any(name in item.nodeid for name in LONG))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skipped test is a failure: what CI can install, it must run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if CI and reporter is not None and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
