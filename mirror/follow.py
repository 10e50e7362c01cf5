"""Stores that follow the site by themselves: a dead or slow one delays no cycle.

What came of it is noted for `mirror status`; nothing else depends on it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from mirror.agenda import Agenda
from mirror.dag import Dag, DamagedError
from mirror.database import Database
from mirror.errors import StoreError
from mirror.threads import in_thread

logger = logging.getLogger(__name__)

LOOK_S = 2.0  # between two looks at whether the site has changed: one row of the database
RETRY_S = 10.0  # after a failure, doubled each time
MAX_RETRY_S = 900.0
AGAIN_S = 3600.0  # with nothing new: to see that the place still holds and shows it


class Follower(Protocol):
    """A place that is brought to the present site as a whole."""

    name: str

    async def follow(self) -> str:
        """Bring the place to the present site; return what to call that: a root's CID.

        Raises:
            StoreError: it is not there, and is to be tried again.
        """

    async def collect(self) -> int | None:
        """Remove there what the site no longer has, if it is time.

        Return when (Unix seconds) there is more to remove, None if that is not known.

        Raises:
            StoreError: not done.
        """


async def follow_once(follower: Follower, db: Database, *, now: Callable[[], int]) -> str:
    """Bring a place to the present site; return in words what came of it."""
    return (await _turn(follower, db, now=now))[0]


async def _turn(
    follower: Follower, db: Database, *, now: Callable[[], int], dag: Dag | None = None
) -> tuple[str, int | None]:
    """Follow once; return in words what came of it, and when there is something to remove."""
    try:
        word = await follower.follow()
    except StoreError as e:
        word = f"failed: {e}"
        if dag and isinstance(e, DamagedError):
            await _forget_damaged(dag)
    try:
        await in_thread(_note, db, follower.name, word, now=now())
    except StoreError as e:  # the cycles say what is wrong with the disk, and go on later
        logger.warning("%s: not noted: %s", follower.name, e)
    return word, None if _failed(word) else await _collected(follower, now=now)


async def _forget_damaged(dag: Dag) -> None:
    """Have the next cycle build the tree anew, which may have nothing new to find it damaged by."""
    try:
        await in_thread(dag.forget_damaged)
    except StoreError as e:  # the damage is met again
        logger.warning("%s: its damaged tree of blocks is not forgotten: %s", dag.site, e)


def _failed(word: str) -> bool:
    return word.startswith("failed")


async def _collected(follower: Follower, *, now: Callable[[], int]) -> int | None:
    try:
        return await follower.collect()
    except StoreError as e:  # readers have what they came for
        logger.warning("%s: not tidied: %s", follower.name, e)
        return now() + int(MAX_RETRY_S)


async def follow_always(
    follower: Follower,
    db: Database,
    dag: Dag,
    *,
    now: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Keep a place at the present site until cancelled."""
    held, said, since, wait, due = None, "", 0.0, RETRY_S, None
    while True:
        generation = await _generation(dag)
        if generation != held or since >= AGAIN_S:
            word, due = await _turn(follower, db, now=now, dag=dag)
            failed = _failed(word)
            if word != said:
                level = logging.WARNING if failed else logging.INFO
                logger.log(level, "%s: %s", follower.name, word)
            said, since = word, 0.0
            if failed:
                held = None
                await sleep(wait)
                wait = min(2 * wait, MAX_RETRY_S)
                continue
            held, wait = generation, RETRY_S
        elif due is not None and now() >= due:
            due = await _collected(follower, now=now)
        await sleep(LOOK_S)
        since += LOOK_S


async def _generation(dag: Dag) -> int:
    """Return what the site is at, -1 where the database can not be read: following says why."""
    try:
        return await in_thread(dag.generation)
    except StoreError:
        return -1


def _note(db: Database, name: str, word: str, *, now: int) -> None:
    with db.transaction():
        Agenda(db).note(name, word, now=now)
