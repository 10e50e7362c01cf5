"""Stores that follow the site by themselves: a dead or slow one delays no cycle.

What came of it is noted for `mirror status`; nothing else depends on it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from mirror.agenda import Agenda
from mirror.dag import Dag
from mirror.database import Database
from mirror.errors import StoreError
from mirror.threads import in_thread

logger = logging.getLogger(__name__)

LOOK_S = 2.0  # between two looks at whether the site has changed: one row of the database
RETRY_S = 10.0  # after a failure, doubled each time
MAX_RETRY_S = 900.0
AGAIN_S = 3600.0  # with nothing new: to see that the node still holds and shows it


class Follower(Protocol):
    """A place that is brought to the present site as a whole."""

    name: str

    async def follow(self) -> str:
        """Bring the place to the present site; return what to call that: a root's CID.

        Raises:
            StoreError: it is not there, and is to be tried again.
        """

    async def collect(self) -> None:
        """Remove there what the site no longer has, if it is time.

        Raises:
            StoreError: not done.
        """


async def follow_once(follower: Follower, db: Database, *, now: Callable[[], int]) -> str:
    """Bring a place to the present site; return in words what came of it."""
    word = await _followed(follower)
    try:
        await in_thread(_note, db, follower.name, word, now=now())
    except StoreError as e:  # the cycles say what is wrong with the disk, and go on later
        logger.warning("%s: not noted: %s", follower.name, e)
    return word


async def _followed(follower: Follower) -> str:
    try:
        root = await follower.follow()
    except StoreError as e:
        return f"failed: {e}"
    try:
        await follower.collect()
    except StoreError as e:  # readers have what they came for
        logger.warning("%s: not tidied: %s", follower.name, e)
    return root


async def follow_always(
    follower: Follower,
    db: Database,
    dag: Dag,
    *,
    now: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Keep a place at the present site until cancelled."""
    held, said, since, wait = -1, "", 0.0, RETRY_S
    while True:
        generation = await in_thread(dag.generation)
        if generation != held or since >= AGAIN_S:
            word = await follow_once(follower, db, now=now)
            failed = word.startswith("failed")
            if word != said:
                level = logging.WARNING if failed else logging.INFO
                logger.log(level, "%s: %s", follower.name, word)
            said, since = word, 0.0
            if failed:
                held = -1
                await sleep(wait)
                wait = min(2 * wait, MAX_RETRY_S)
                continue
            held, wait = generation, RETRY_S
        await sleep(LOOK_S)
        since += LOOK_S


def _note(db: Database, name: str, word: str, *, now: int) -> None:
    with db.transaction():
        Agenda(db).note(name, word, now=now)
