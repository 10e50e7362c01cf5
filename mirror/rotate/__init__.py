"""Replacing mirrors that died: what is decided is kept at once, and told to all until they know.

The list that is signed is made from table `mirror`, so what is kept there is in the next index: the
cycles see that it is due (`mirror.desk`). What was told, and to whom, is kept in table
`status`; after a crash whoever may not have heard is told again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import get_args

from mirror.agenda import Agenda
from mirror.database import Database
from mirror.errors import FetchError, SettingsError, StoreError
from mirror.mirrors import UNFIT, Mirror, Mirrors
from mirror.rotate.plan import DAY_S, Change, Did, Done, plan
from mirror.signer import listing
from mirror.threads import in_thread

logger = logging.getLogger(__name__)

NAMES, TOLD = ".names", ".told"  # in table `status`: what the DNS has, and which change was told
GAP_S = 300  # between two messages: what happens meanwhile comes together in the next
MAX_TOLD = 30  # lines in one message: a phone shows fewer
ALERTED = ("held back", "kept", "left out")  # what waits for a person
NEWS = (*get_args(Did), UNFIT, "is blocked", "is down", "is lying")
"""What the operator hears of; the last three are said by who looks."""

Publish = Callable[[Sequence[str]], Awaitable[object]]
Tell = Callable[[str, Sequence[str]], Awaitable[bool]]
Decide = Callable[[Iterable[Mirror], Iterable[Done]], list[Change]]


@dataclass(frozen=True, slots=True)
class Outlets:
    """Who hears of changes: `publish` has the DNS name the addresses that work, `tell` a person.

    `tell` returns whether anybody heard it.
    """

    publish: Publish | None = None
    tell: Tell | None = None


async def rotate(
    db: Database,
    outlets: Outlets,
    *,
    private: Collection[str] = (),
    now: Callable[[], int],
    changes_per_day: int,
) -> list[Change]:
    """Do what is to be done about the mirrors; return it.

    `private` are the addresses that the settings say are. Whoever can not be told is told by the
    next call.

    Raises:
        StoreError: nothing was kept, and so nothing done.
    """
    decide = partial(plan, private=private, now=now(), changes_per_day=changes_per_day)
    changes = await in_thread(_decide, db, decide, now())
    for each in changes:
        logger.warning("%s %s: %s", each.did, each.url or "mirrors", each.reason)
    if outlets.publish:
        await _publish(db, outlets.publish, now=now())
    if outlets.tell:
        await _tell(db, outlets.tell, now=now())
    return changes


def _decide(db: Database, decide: Decide, now: int) -> list[Change]:
    """Decide what is to be done and keep it, all or nothing."""
    if not _planned(db, decide, now):  # as a rule: nothing is written then
        return []
    with db.transaction():
        changes = _planned(db, decide, now)
        mirrors = Mirrors(db)
        for each in changes:
            if each.mirror:
                mirrors.put(each.mirror)
            mirrors.note(each.did, each.url, each.reason, now=now)
        alerts = [f"mirrors: {each.reason}" for each in changes if each.did in ALERTED]
        Agenda(db).alert(alerts, now=now)
    return changes


def _planned(db: Database, decide: Decide, now: int) -> list[Change]:
    past = _past(db)
    return decide(Mirrors(db).rows(), past) or list(_notices(db, past, now))


def _notices(db: Database, past: Sequence[Done], now: int) -> Iterator[Change]:
    """Yield, once a day each, in what the list that is signed is not what is announced."""
    lately = {each.did for each in past if each.at > now - DAY_S}
    notices: dict[Did, Callable[..., str]] = {"kept": listing.refusal, "left out": listing.shortage}
    for did, why in notices.items():
        if did not in lately and (reason := why(db, now=now)):
            yield Change(did, reason)


def _past(db: Database) -> list[Done]:
    """Return what was done here; of a mirror that was taken from the settings, only since then."""
    done: dict[str, list[Done]] = {}
    query = "SELECT at, did, url, reason FROM rotation WHERE did NOT LIKE 'is %' ORDER BY n"
    for row in db.rows(query):
        each = Done(*row)
        if each.did == "forgotten":
            done.pop(each.url, None)
        else:
            done.setdefault(each.url, []).append(each)
    return [each for some in done.values() for each in some]


async def _publish(db: Database, publish: Publish, *, now: int) -> None:
    """Have the name lead to the mirrors that work; never to none."""
    wanted, held = await in_thread(_names, db)
    if not wanted or wanted == held:
        return
    try:
        await publish(wanted)
    except (StoreError, FetchError, SettingsError) as e:
        logger.warning("the mirrors are not in the DNS yet: %s", e)
        return
    await in_thread(_note, db, NAMES, wanted, now=now)


def _names(db: Database) -> tuple[list[str], object]:
    works = [each for each in Mirrors(db).announced() if each.state in ("healthy", "suspect")]
    _, held = Agenda(db).noted(NAMES) or (0, None)
    return [each.url for each in works], held


async def _tell(db: Database, tell: Tell, *, now: int) -> None:
    """Tell the operator of what was done since he was told last, if that is long enough ago."""
    asked, told = await in_thread(Agenda(db).noted, TOLD) or (0, 0)
    if 0 <= now - asked < GAP_S:
        return
    last, lines = await in_thread(_news, db, told, now)
    if not lines:
        return
    more = [f"and {len(lines) - MAX_TOLD} more"] if len(lines) > MAX_TOLD else []
    try:
        heard = await tell(f"mirrors: {len(lines)} changed", [*lines[:MAX_TOLD], *more])
    except (StoreError, FetchError, SettingsError) as e:
        logger.warning("nobody was told of the mirrors yet: %s", e)
        heard = False
    await in_thread(_note, db, TOLD, last if heard else told, now=now)


def _news(db: Database, told: int, now: int) -> tuple[int, list[str]]:
    """Return what happened after number `told`, in the last day, and the number of the last."""
    wanted = ",".join("?" * len(NEWS))
    query = f"SELECT n, did, url, reason FROM rotation WHERE n>? AND at>? AND did IN ({wanted})"  # noqa: S608
    rows = db.rows(f"{query} ORDER BY n", (told, now - DAY_S, *NEWS))
    lines = [
        f"{did} {url}: {reason}" if url else f"{did}: {reason}" for _, did, url, reason in rows
    ]
    return (rows[-1][0] if rows else told), lines


def _note(db: Database, name: str, value: object, *, now: int) -> None:
    with db.transaction():
        Agenda(db).note(name, value, now=now)


async def rotate_always(
    *steps: Callable[[], Awaitable[object]],
    every_s: float,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Take steps, such as a look at the mirrors and `rotate`, every so often until cancelled.

    What fails as a whole is tried again from the first; the cycles say what is wrong with the disk.
    """
    while True:
        try:
            for step in steps:
                await step()
        except (StoreError, FetchError) as e:
            logger.warning("the mirrors were not looked after: %s", e)
        await sleep(every_s)
