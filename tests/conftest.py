"""What all tests share: where the collected data is, and that CI skips nothing."""

import importlib
import os
import pkgutil
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import newsroom as newsrooms
import pytest
import pytest_asyncio
import store_kinds
from fakes import open_signer
from hypothesis import settings
from newsroom import Newsroom
from store_places import Place

from mirror import formats, verify
from mirror.box import Box
from mirror.signer import Signer

T = TypeVar("T")

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
COVERING = set(os.environ.get("COVERING", "").split())
"""Files whose tests are to cover what is measured, by name, from the Makefile; "" is any."""

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


@contextmanager
def _measured(node: pytest.Item | pytest.Collector) -> Iterator[None]:
    """Measure coverage only in the files that are to give it, where it is measured at all.

    What the others reach by chance is tested by none of them, and to measure there costs time.
    """
    plugin = node.config.pluginmanager.get_plugin("_cov")
    if plugin is None or not COVERING or node.path.name in COVERING:
        yield
        return
    plugin.cov_controller.pause()
    try:
        yield
    finally:
        plugin.cov_controller.resume()


def pytest_sessionstart() -> None:
    """Import what is measured, before a file that is not to cover it imports it unmeasured."""
    for package in (formats, verify) if COVERING else ():
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, T, T]:
    """Import a file of tests."""
    if not isinstance(collector, pytest.Module):
        return (yield)
    with _measured(collector):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, T, T]:
    """Run a test, with what it shares with others of its file."""
    with _measured(item):
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skipped test is a failure: what CI can install, it must run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if CI and reporter is not None and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
