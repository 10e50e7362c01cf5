"""The verb `withdraw`: an article goes, and each place that had it is asked whether it has.

Beside a daemon the order is left in the database, and the daemon obeys it; without one, here.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict

from mirror import build
from mirror.cli.terminal import (
    DONE,
    PARTLY,
    Verbs,
    add_allow_host,
    add_config,
    answer,
    complain,
    now,
    number,
    plain,
    progress,
    say,
    verb,
)
from mirror.cycle import run_cycle
from mirror.database import Database, InUseError, in_use
from mirror.errors import FormatError, SettingsError
from mirror.formats.paths import short_id, short_of
from mirror.formats.record import CODES, Code
from mirror.formats.url import article_id, canonical_url
from mirror.hold import Hold
from mirror.outside import follow_all, followers
from mirror.removal import LOG, Case, Place, confirmed
from mirror.settings import Settings
from mirror.state import State
from mirror.withdrawal import Withdrawals

WAIT_S = 60.0
LEAST_S = 10.0  # for the stores to follow, however little time is left: what is sent stays sent
REMAINS = (
    "Copies may remain: on other IPFS nodes and mirrors, in caches, and with whoever saved it;"
    " nobody can take those back. The log keeps hashes only, and says that it was withdrawn."
)
FOLLOW = (
    "The copies that [[mirrors]] names are not yours to empty: whoever runs one has it follow, most"
    " within hours."
)
COPIES = {"removed": "gone", "not yet": "remains", "not confirmed": "not known"}


def add(verbs: Verbs) -> None:
    """Add the verb."""
    made = verb(verbs, "withdraw", _withdraw, "take a published article out of every place")
    add_config(made)
    made.add_argument("article", metavar="URL|ID", help="its original address, or its id")
    made.add_argument("--code", required=True, choices=CODES, help="why: the log says it for ever")
    made.add_argument("--dry-run", action="store_true", help="only show which files would go")
    made.add_argument(
        "--wait",
        type=number(0, 1e6),
        default=WAIT_S,
        metavar="SECONDS",
        help=f"for each place to confirm it ({WAIT_S:.0f})",
    )
    add_allow_host(made, "ask HOST:PORT although it is private")


@contextmanager
def _case(arguments: argparse.Namespace) -> Iterator[Case]:
    config, hosts = arguments.config, arguments.allow_host
    settings = Settings.load(config)
    with closing(build.database_beside(config, settings)) as db:
        yield Case(config, settings, db, _found(db, arguments.article), now, hosts)


def _found(db: Database, name: str) -> str:
    """Return the short id of the article that an operator means.

    Raises:
        SettingsError: none is published under this name.
    """
    state, keys, short = State(db), list[str](), name.lower()
    if "/" in name:
        tail = "/".join(name.split("?")[0].split("/")[-6:])  # an address of it on a mirror
        short = short_of(tail) or ""
        if not short:
            try:
                keys, short = [f"link {canonical_url(name)}"], short_id(article_id(name))
            except FormatError as e:
                raise SettingsError(str(e)) from e
    held = state.find(keys) or state.holder(short)
    if held:
        return held.short
    if waiting := Hold(db).find(keys, short):
        raise SettingsError(
            f"{plain(name)}: not published, it only waits: `mirror reject {waiting.short}`"
        )
    raise SettingsError(f"{plain(name)}: no article was published from there or has this id")


def _withdraw(arguments: argparse.Namespace) -> int:
    with _case(arguments) as case:
        if arguments.dry_run:
            return _show_files(case, arguments)
        if case.held.void:
            complain(f"it is withdrawn already ({case.held.void}): what is left is removed")
        deadline = time.monotonic() + arguments.wait
        _order(case, arguments.code)
        if not in_use(case.db.path):
            _obey(case, arguments.wait)
        most_s = deadline - time.monotonic()
        places = asyncio.run(confirmed(case, most_s=most_s, progress=progress))
        progress("")
        return _tell(case, places, arguments)


def _show_files(case: Case, arguments: argparse.Namespace) -> int:
    held, left = case.held, case.left()
    if arguments.json:
        answer({"id": case.short, "rev": held.rev, "title": held.title, "files": left})
        return DONE
    say(f"{case.short}  revision {held.rev}  {held.title}")
    for path in left:
        say(path)
    return DONE


def _order(case: Case, code: Code) -> None:
    with case.db.transaction():
        Withdrawals(case.db).ask(case.short, code, now=now())


def _obey(case: Case, wait_s: float) -> None:
    """Do what a daemon would; if one has come meanwhile, leave it to him."""
    try:
        for problem in asyncio.run(_cycle(case, time.monotonic() + wait_s)):
            complain(problem)
    except InUseError:
        return


async def _cycle(case: Case, deadline: float) -> list[str]:
    async with build.desk(case.config, case.settings) as desk:
        summary = await run_cycle(desk, now=now, due=[], progress=progress)
        problems = [*summary.warnings, *summary.problems]
        try:
            with followers(case.config, case.settings, now=now, progress=progress) as stores:
                most_s = max(deadline - time.monotonic(), LEAST_S)
                await follow_all(stores, now=now, progress=progress, most_s=most_s)
        except SettingsError as e:  # of one place: the others are asked all the same
            problems.append(f"no place outside follows: {e}")
    return problems


# What came of it.


def _tell(case: Case, places: Sequence[Place], arguments: argparse.Namespace) -> int:
    own = [each for each in places if each.decides]
    gone = sum(each.answer == "removed" for each in own)
    held = case.held
    if arguments.json:
        told = {"id": case.short, "rev": held.rev, "code": held.void, "removed": gone == len(own)}
        answer(told | {"places": [asdict(each) for each in places], "remains": REMAINS})
    else:
        for each in own:
            said = "says so" if each.answer == "removed" else each.answer
            say(f"{each.place}: {said if each.place == LOG else each.answer}: {each.detail}")
        for each in places:
            if not each.decides:
                say(f"copy {each.place}: {COPIES[each.answer]}: {each.detail}")
        say(_summary(gone, len(own), ordered=not held.void))
        if any(each.answer != "removed" for each in places if not each.decides):
            say(FOLLOW)
        say(REMAINS)
    return DONE if gone == len(own) else PARTLY


def _summary(gone: int, places: int, *, ordered: bool) -> str:
    """Return how far it is, and what to do next."""
    if gone == places:
        return f"Withdrawn: all {places} of your places, asked just now, say that it is gone."
    done = "Ordered, and not done yet" if ordered else "Withdrawn, and not gone from everywhere yet"
    again = "Give the same order again later: what is left is removed, and all are asked anew."
    return f"{done}: {gone} of your {places} places say so. {again}"
