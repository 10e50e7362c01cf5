"""The verb `source backfill`: a newsroom's archive is mirrored, and a bar shows how far it is.

Beside a daemon the order is left in the database, and the daemon obeys it, a step each cycle;
without one, here. Whatever ends it, it goes on from there when it is ordered again.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mirror import build
from mirror.backfill import Backfills, Order, owner_of
from mirror.cli.terminal import (
    DONE,
    FAILED,
    INTERRUPTED,
    PARTLY,
    Verbs,
    add_config,
    answer,
    complain,
    now,
    progress,
    say,
    verb,
)
from mirror.cycle import run_cycle
from mirror.database import Database, InUseError, in_use
from mirror.errors import SettingsError
from mirror.outside import follow_all, followers
from mirror.settings import Settings

LOOK_S = 0.5  # between two looks at how far a daemon is
BAR = 20  # characters
ADVICE = (
    "Articles are numbered as they are published, and the front page shows the highest numbers:"
    " an archive is best filled in before a mirror is announced."
)


def add(verbs: Verbs) -> None:
    """Add the verb."""
    made = verb(verbs, "backfill", _backfill, "mirror a newsroom's archive, the oldest first")
    made.epilog = ADVICE
    add_config(made)
    made.add_argument(
        *("url",),
        metavar="URL",
        nargs="?",
        help="a page of a feed's archive (RFC 5005) or a sitemap; without it, each feed's archive",
    )
    made.add_argument("--since", type=_date, metavar="DATE", help="nothing earlier")
    wait = argparse.BooleanOptionalAction
    made.add_argument("--wait", action=wait, default=True, help="until it is done")
    other = made.add_mutually_exclusive_group()
    other.add_argument("--list", action="store_true", help="only show what was ordered")
    other.add_argument("--cancel", action="store_true", help="go on no more; what came stays")


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as e:
        raise argparse.ArgumentTypeError(f"{text}: not a date such as 2026-11-22") from e


@dataclass(frozen=True, slots=True)
class _Task:
    """The archives that a verb is about, all that are known for none, and where they are noted."""

    config: Path
    settings: Settings
    db: Database
    urls: Sequence[str]

    def orders(self) -> list[Order]:
        rows = Backfills(self.db).rows()
        return [each for each in rows if not self.urls or each.url in self.urls]

    def pending(self) -> list[Order]:
        return [each for each in self.orders() if not each.done]


def _backfill(arguments: argparse.Namespace) -> int:
    config, settings = arguments.config, Settings.load(arguments.config)
    asks = not (arguments.list or arguments.cancel)
    urls = [arguments.url] if arguments.url else []
    if asks:
        urls = urls or [feed.url for feed in settings.feeds]
        _check(urls, settings)
        _make_database(config, settings)
    with closing(build.database_beside(config, settings)) as db:
        task = _Task(config, settings, db, urls)
        if asks:
            _ask(task, arguments.since or "")
            return _waited(task, arguments) if arguments.wait else _tell(task, arguments)
        if arguments.cancel:
            _cancel(task)
        return _tell(task, arguments)


def _check(urls: Sequence[str], settings: Settings) -> None:
    hosts = build.hosts_of(settings)
    for url in urls:
        if not url.startswith(("https://", "http://")) or urlsplit(url).hostname not in hosts:
            own = ", ".join(sorted(hosts))
            raise SettingsError(f"{url}: on none of the newsroom's hosts, which are {own}")


def _make_database(config: Path, settings: Settings) -> None:
    """Make it, or an older edition's this one's: an archive may be the first that is mirrored."""
    try:
        Database.open(config.parent / settings.paths.state, origin=settings.newsroom.origin).close()
    except InUseError:
        return  # who has it has made it


def _ask(task: _Task, since: str) -> None:
    feeds = [feed.url for feed in task.settings.feeds]
    with task.db.transaction():
        for url in task.urls:
            Backfills(task.db).ask(url, owner_of(url, feeds), since=since, now=now())


def _cancel(task: _Task) -> None:
    with task.db.transaction():
        for order in task.pending():
            Backfills(task.db).cancel(order.url)


def _waited(task: _Task, arguments: argparse.Namespace) -> int:
    """Wait until it is done, by a daemon or here, and tell."""
    if not arguments.json:
        say(ADVICE)
    try:
        while task.pending():
            if in_use(task.db.path):
                progress(_line(task.orders()))
                time.sleep(LOOK_S)
            else:
                _obey(task)
    except KeyboardInterrupt:
        progress("")
        complain("the order stays: a daemon goes on with it, and so does this verb")
        return INTERRUPTED
    progress("")
    return _tell(task, arguments)


def _obey(task: _Task) -> None:
    """Do what a daemon would; if one has come meanwhile, leave it to him."""
    try:
        asyncio.run(_cycles(task))
    except InUseError:
        return


async def _cycles(task: _Task) -> None:
    async with build.desk(task.config, task.settings) as desk:
        while pending := task.pending():
            progress(_line(task.orders()))
            await asyncio.sleep(max(min(each.at for each in pending) - now(), 0))
            for each in (await run_cycle(desk, now=now, due=[])).problems:
                progress("")
                complain(each)
        await _follow(task, progress)


async def _follow(task: _Task, shown: Callable[[str], None]) -> None:
    with followers(task.config, task.settings, now=now, progress=shown) as stores:
        await follow_all(stores, now=now, progress=shown)


# What is told of it.


def _line(orders: Sequence[Order]) -> str:
    """Return how far it is, in one line."""
    total, dealt = sum(each.total for each in orders), sum(each.entries for each in orders)
    new, looked = sum(each.new for each in orders), sum(each.looked for each in orders)
    if any(each.looking for each in orders if not each.done):
        return f"looking through the archive: {looked:,} pages, {total:,} entries{_late(orders)}"
    share = min(dealt / total, 1.0) if total else 0.0
    bar = "#" * int(share * BAR)
    return (
        f"[{bar:-<{BAR}}] {share:4.0%}  {dealt:,} of {total:,} entries, {new:,} new{_late(orders)}"
    )


def _late(orders: Sequence[Order]) -> str:
    """Return when what failed is tried again, if nothing else is to be done before."""
    left = [each for each in orders if not each.done]
    if not left or not all(each.tries for each in left):
        return ""
    return f"; tried again in {max(min(each.at for each in left) - now(), 0)} s"


def _tell(task: _Task, arguments: argparse.Namespace) -> int:
    orders = task.orders()
    if arguments.json:
        answer([_json(each) for each in orders])
    else:
        for each in orders:
            _show(each)
        if not orders:
            say("No archive was ordered.")
    if arguments.list or arguments.cancel or not arguments.wait:
        return DONE
    had = [each for each in orders if not each.left]
    return DONE if len(had) == len(orders) else PARTLY if any(e.entries for e in orders) else FAILED


def _show(order: Order) -> None:
    say(f"{order.url}: {_standing(order)}")
    passed = max(order.entries - order.new - order.failed, 0)
    say(f"  {order.new:,} articles, {passed:,} were known, {order.failed:,} could not be made")
    if order.left and order.done:
        missed = len(order.missed) + len(order.wanted)
        lost = len(order.lost) + len(order.ahead) + len(order.behind)
        say(f"  not had: {missed:,} articles' pages and {lost:,} pages of the archive")
        say("  order it again, and they are asked for again")
    if order.foreign:
        say(f"  {order.foreign:,} addresses are on other hosts than the newsroom's: left out")
    if order.problem:
        say(f"  last problem: {order.problem}")


def _standing(order: Order) -> str:
    if not order.done:
        return _line([order])
    return "done in part" if order.left else "done"


def _json(order: Order) -> dict[str, Any]:
    return {
        "url": order.url,
        "feed": order.source,
        "since": order.since,
        "state": "pending" if not order.done else "partly" if order.left else "done",
        "looked": order.looked,
        "pages": order.pages,
        "entries": order.total,
        "dealt": order.entries,
        "new": order.new,
        "failed": order.failed,
        "missed": len(order.missed) + len(order.wanted),
        "lost": [each.url for each in order.lost],
        "foreign": order.foreign,
        "problem": order.problem,
    }
