"""The words of `store` about what a store holds: `list`, `audit`, `repair`."""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mirror import build
from mirror.agenda import Agenda
from mirror.cli.terminal import (
    DONE,
    FAILED,
    PARTLY,
    Verbs,
    add_allow_host,
    add_config,
    answer,
    came_of,
    complain,
    now,
    number,
    progress,
    say,
    verb,
)
from mirror.copier import CACHE_S
from mirror.dag.contents import Contents
from mirror.database import Database
from mirror.errors import SettingsError
from mirror.fetch import Fetcher
from mirror.formats.encoding import encode_time
from mirror.inventory import RATE, Audit, Inventory, forget
from mirror.outside import store_of
from mirror.settings import Settings
from mirror.settings.outside import StoreSettings
from mirror.state import State
from mirror.stores.copies import Copies
from mirror.stores.patience import Patient


def add(words: Verbs) -> None:
    """Add the words."""
    add_config(verb(words, "list", _list, "show the stores, and how far behind each is"))
    audit = named(words, "audit", _audit, "read some of the files back, and compare them")
    repair = named(words, "repair", _repair, "write what is missing or wrong again")
    for each, share in ((audit, 0.01), (repair, 1.0)):
        each.add_argument(
            "--share", type=number(1e-6, 1), default=share, help="of all files, 0 to 1"
        )
        each.add_argument("--rate", type=number(1e-3, 1e6), default=RATE, help="files a second")
        add_allow_host(each, "ask HOST:PORT although it is private")
    repair.add_argument("--all", action="store_true", help="let the daemon send everything anew")


def named(words: Verbs, name: str, run: Callable[..., int], told: str) -> argparse.ArgumentParser:
    """Add a word about one store."""
    made = verb(words, name, run, told)
    made.add_argument("name", metavar="NAME", help="what the store is called")
    add_config(made)
    return made


def find(settings: Settings, name: str) -> StoreSettings:
    """Return the store of that name.

    Raises:
        SettingsError: there is none.
    """
    for each in settings.stores:
        if each.name == name:
            return each
    known = ", ".join(each.name for each in settings.stores) or "there is none"
    raise SettingsError(f"stores: {name}: no such store: {known}")


def _list(arguments: argparse.Namespace) -> int:
    settings = Settings.load(arguments.config)
    with closing(build.database_beside(arguments.config, settings)) as db:
        rows = [_row(each, db, arguments.config, settings) for each in settings.stores]
    if arguments.json:
        answer({"stores": rows})
        return DONE
    for row in rows:
        public = f", {row['role']} at {row['public']}" if row["public"] else ""
        say(f"{row['name']}: {row['kind']} {row['to']}{public}")
        at, _, word = row["last"].partition(" ")
        last = f"{at} {came_of(row['name'], word, whole='as the site was then')}".rstrip()
        for word, said in (("holds", row["holds"]), ("last", last), ("tested", row["tested"])):
            say(f"  {word:7} {said}")
    if not rows:
        say("no stores: `mirror store add` adds one")
    return DONE


def _row(store: StoreSettings, db: Database, config: Path, settings: Settings) -> dict[str, Any]:
    held = Copies(db, store.name).held()
    changed = Contents(db, config.parent / settings.paths.site).changed(held.generation)
    lacks = None if changed is None or not held.root else len(changed)
    leaves = State(db).log().published
    if not held.root:
        holds = "filling" if held.target else "nothing yet"
    else:
        files = "an unknown number of" if lacks is None else lacks
        behind = f"{files} files behind" if lacks != 0 else "as the site is"
        holds = f"{held.size} of {leaves} leaves, {behind}, since {encode_time(held.at)}"
    return {
        "name": store.name,
        "kind": store.kind,
        "to": _shown(store.to),
        "public": store.public,
        "role": store.role,
        "size": held.size,
        "leaves": leaves,
        "behind": lacks,
        "holds": holds,
        "last": _noted(db, store.name),
        "tested": _noted(db, f"{store.name} tested"),
    }


def _shown(to: str) -> str:
    """Return an address without the password that may stand in it."""
    url = urlsplit(to)
    return to.replace(f"{url.netloc.rpartition('@')[0]}@", "…@") if "@" in url.netloc else to


def _noted(db: Database, name: str) -> str:
    found = Agenda(db).noted(name)
    return f"{encode_time(found[0])} {found[1]}" if found else "never"


def _audit(arguments: argparse.Namespace) -> int:
    audit, _ = asyncio.run(_audited(arguments, repair=False))
    return _tell(arguments, audit, [])


def _repair(arguments: argparse.Namespace) -> int:
    if arguments.all:
        settings = Settings.load(arguments.config)
        store = find(settings, arguments.name)
        with closing(build.database_beside(arguments.config, settings)) as db:
            forget(db, store.name)
        if arguments.json:
            answer({"name": store.name, "forgotten": True})
        else:
            say(f"{store.name}: what it holds is forgotten: with the next round it is filled anew.")
        return DONE
    audit, written = asyncio.run(_audited(arguments, repair=True))
    return _tell(arguments, audit, written)


async def _audited(arguments: argparse.Namespace, *, repair: bool) -> tuple[Audit, list[str]]:
    config, settings = arguments.config, Settings.load(arguments.config)
    store = find(settings, arguments.name)
    place = Patient(store_of(store, config.parent, warn=complain))
    hosts = [*settings.fetch.allow_hosts, *arguments.allow_host]
    with closing(build.database_beside(config, settings)) as db:
        async with Fetcher(allow_hosts=hosts, proxy=settings.fetch.proxy) as fetcher:
            contents = Contents(db, config.parent / settings.paths.site)
            public = "" if repair else store.public
            inventory = Inventory(
                place, contents, db, public=public, fetcher=fetcher, progress=progress
            )
            audit = await inventory.audit(
                arguments.share, rate=arguments.rate, now=now(), cache_s=CACHE_S
            )
            return audit, await inventory.repair(audit.found) if repair else []


def _tell(arguments: argparse.Namespace, audit: Audit, written: Sequence[str]) -> int:
    left = [each for each in audit.found if each.path not in set(written)]
    if arguments.json:
        found = [asdict(each) for each in audit.found]
        looked = {"looked": audit.looked, "behind": audit.behind}
        answer({"name": arguments.name, **looked, "found": found, "written": list(written)})
    else:
        for each in audit.found:
            say(f"{each.where:6}  {each.flaw:9}  {each.path}  {each.detail}".rstrip())
        if any(each.where == "store" for each in left):
            say(f"`mirror store repair {arguments.name}` writes what is wrong there again.")
        elif left:
            say("The store has them right: see what stands before it (`mirror store test`).")
        for path in written:
            say(f"written again: {path}")
        say(
            f"{audit.looked} files looked at, {len(audit.found)} not right, {audit.behind} to come."
        )
    if not left:
        return DONE
    return FAILED if len({each.path for each in left}) >= audit.looked else PARTLY
