"""A process that brings a folder outside to the site is cut at write boundaries; none misleads."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from copier_site import NOW_AFTER, Site, making
from fakes import keys, root
from fault_boundaries import KILLED, Boundaries, install

from mirror.copier import Copier
from mirror.dag import Dag
from mirror.database import Database
from mirror.stores.dir import DirStore

STEP = 13  # every so many boundaries of some hundred


def follow(folder: Path) -> None:
    """Bring the store to the site, as a daemon does that has just begun."""
    db = Database.beside(folder / "operator" / "state.db", origin=keys().origin)
    try:
        store = DirStore(folder / "outside", name="outside")
        dag = Dag(db, folder / "site")
        asyncio.run(Copier(store, dag, db, now=lambda: NOW_AFTER).follow())
    finally:
        db.close()


def in_child(work: Callable[[], None]) -> int:
    """Return how a forked process ended that did some work."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def cut(folder: Path, at: int, *, power: bool, seed: int) -> int:
    """Return how a process ended that was cut before boundary `at`."""

    def work() -> None:
        install(Boundaries(at, power=power, seed=seed))
        follow(folder)

    return in_child(work)


def plain(folder: Path) -> dict[str, bytes]:
    found = (each for each in folder.rglob("*") if each.is_file() and ".staging" not in each.parts)
    return {
        each.relative_to(folder).as_posix(): each.read_bytes()
        for each in found
        if each.suffix not in (".gz", ".br")
    }


async def make(folder: Path, *, filled: bool) -> None:
    async with making(folder) as site:
        if filled:
            await site.copier(DirStore(folder / "outside", name="outside")).follow()
            await site.publish(3)
            await site.publish(1)


@pytest.mark.parametrize("power", [False, True])
@pytest.mark.parametrize("filled", [False, True])
def test_a_follower_cut_at_a_write_boundary_misleads_no_reader_and_goes_on(
    memory: Path, filled: bool, power: bool
):
    base = memory / "base"
    asyncio.run(make(base, filled=filled))
    expected, at, cuts = plain(base / "site"), 1, 0
    while True:
        folder = memory / "one"
        shutil.copytree(base, folder)
        ended = cut(folder, at, power=power, seed=at)
        shown = plain(folder / "outside") if (folder / "outside").is_dir() else {}
        wrong = asyncio.run(Site.judged(shown, root(keys()), now=NOW_AFTER))
        follow(folder)

        assert ended in (0, KILLED), at
        assert wrong == [], at
        assert plain(folder / "outside") == expected, at
        shutil.rmtree(folder)
        if ended == 0:
            break
        at, cuts = at + STEP, cuts + 1
    assert cuts > 8
