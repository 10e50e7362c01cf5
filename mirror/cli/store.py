"""The verb `store`: places outside are tried, added, looked at, repaired and removed."""

import argparse
import asyncio
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from mirror import build
from mirror.agenda import Agenda
from mirror.cli import copies
from mirror.cli.terminal import (
    DONE,
    FAILED,
    PARTLY,
    Verbs,
    add_allow_host,
    answer,
    complain,
    now,
    number,
    progress,
    say,
)
from mirror.dag.contents import Contents
from mirror.database import in_use
from mirror.errors import SettingsError
from mirror.fetch import Fetcher
from mirror.inventory import Inventory, forget_all
from mirror.outside import store_of
from mirror.sections import read_text, replace_settings, with_store, without_store
from mirror.settings import Settings
from mirror.settings.outside import StoreSettings, check_places
from mirror.stores import Store
from mirror.stores.patience import Patient
from mirror.trial import WAIT_S, Finding, Reading, Wire, try_store, verdicts, worst
from mirror.trial.verdicts import Tried

CODES = {"good": DONE, "poor": PARTLY, "bad": FAILED}
MARKS = {"good": "good", "poor": "POOR", "bad": "BAD "}


def add(verbs: Verbs) -> None:
    """Add the verb, and its words."""
    told = "try, add, list, audit, repair and remove places that carry the site"
    made = verbs.add_parser("store", help=told, description=told)
    words = made.add_subparsers(required=True, metavar="WORD")
    _add_add(words)
    test = copies.named(words, "test", _test, "write, read back as a reader would, and remove")
    _add_reading(test)
    copies.add(words)
    remove = copies.named(words, "remove", _remove, "take a store out of the settings")
    remove.add_argument("--erase", action="store_true", help="remove the site's files there, too")


def _add_add(words: Verbs) -> None:
    made = copies.named(
        words, "add", _add, "try a place and, if it does no harm, write it into the settings"
    )
    made.add_argument("--kind", required=True, choices=("folder", "objects", "git", "rclone"))
    made.add_argument("--to", required=True, metavar="PLACE", help="as mirror.toml explains it")
    made.add_argument("--public", default="", metavar="URL", help="where readers find it")
    made.add_argument("--role", default="public", choices=("public", "spare", "private"))
    made.add_argument("--secret", default="", metavar="FILE", help="its credentials")
    made.add_argument(
        "--option", action="append", default=[], type=_option, metavar="K=V", help="what else"
    )
    made.add_argument("--untested", action="store_true", help="add it whatever it does")
    _add_reading(made)


def _add_reading(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--wait",
        type=number(1e-3, 1e6),
        default=WAIT_S,
        metavar="S",
        help="seconds for a change to be seen",
    )
    add_allow_host(made, "ask HOST:PORT although it is private")


def _option(text: str) -> tuple[str, str]:
    key, mark, value = text.partition("=")
    if not (key and mark):
        raise argparse.ArgumentTypeError("K=V was expected")
    return key, value


# Trying and adding.


def _add(arguments: argparse.Namespace) -> int:
    config: Path = arguments.config
    text, settings = read_text(config), Settings.load(config)
    if any(each.name == arguments.name for each in settings.stores):
        raise SettingsError(f"{config}: stores: {arguments.name}: stands there already")
    wanted = with_store(text, _section(arguments))
    stores = Settings.parse(wanted.encode(), config).stores
    check_places(stores, config, resolved=os.path.realpath)
    store = stores[-1]
    # What cannot be opened would keep the daemon from starting.
    place = store_of(store, config.parent, warn=complain)
    findings = [] if arguments.untested else _try(place, store, settings, arguments)
    level = worst(findings)
    added = level != "bad"
    if added:
        replace_settings(config, wanted)
        if findings:
            _keep(config, settings, store, findings)
    if arguments.json:
        answer({"name": store.name, "added": added, "findings": [asdict(f) for f in findings]})
    else:
        show_findings(findings)
        if added:
            say(f"Added {store.name} to {config}: a daemon takes it up when it is told to reload.")
        else:
            say("Not added, and nothing written: --untested adds it whatever it does.")
    return CODES[level]


def _section(arguments: argparse.Namespace) -> Mapping[str, str | Mapping[str, str]]:
    """Return what is written: what was said, and nothing that the settings take for granted."""
    given = {"public": arguments.public, "secret": arguments.secret}
    role = {} if arguments.role == "public" else {"role": arguments.role}
    options = {"options": dict(arguments.option)} if arguments.option else {}
    said = {key: value for key, value in given.items() if value}
    return {
        "name": arguments.name,
        "kind": arguments.kind,
        "to": arguments.to,
        **said,
        **role,
        **options,
    }


def _test(arguments: argparse.Namespace) -> int:
    settings = Settings.load(arguments.config)
    store = copies.find(settings, arguments.name)
    place = store_of(store, arguments.config.parent, warn=complain)
    findings = _try(place, store, settings, arguments)
    _keep(arguments.config, settings, store, findings)
    level = worst(findings)
    if arguments.json:
        answer({"name": store.name, "level": level, "findings": [asdict(f) for f in findings]})
    else:
        show_findings(findings)
        say(f"{store.name}: {_summary(findings)}")
    return CODES[level]


def _try(
    place: Store, store: StoreSettings, settings: Settings, arguments: argparse.Namespace
) -> Sequence[Finding]:
    return asyncio.run(_tried(Patient(place), store, settings, arguments))


def _keep(
    config: Path, settings: Settings, store: StoreSettings, findings: Sequence[Finding]
) -> None:
    """Leave a word for who looks later, and for the daemon what it finds by itself."""
    if not (config.parent / settings.paths.state).is_file():
        complain("not kept: there is no database yet: test again after `mirror once`")
        return
    silent = next((each.saw for each in findings if each.what == "answers"), "")
    tried = Tried(store.public, () if silent else tuple(findings), silent)
    with closing(build.database_beside(config, settings)) as db, db.transaction():
        Agenda(db).note(f"{store.name} tested", _summary(findings), now=now())
        if store.public:
            verdicts.keep(db, tried, now=now(), jitter=0)


async def _tried(
    place: Patient, store: StoreSettings, settings: Settings, arguments: argparse.Namespace
) -> list[Finding]:
    noise = secrets.token_bytes(32)
    if not store.public:
        return await try_store(place, None, noise=noise, progress=progress)
    hosts = [*settings.fetch.allow_hosts, *arguments.allow_host]
    # As the mirrors are looked at: over the proxy, if any, that sources are asked over.
    proxy = settings.fetch.proxy
    wire = Wire(allow_hosts=hosts, proxy=proxy)
    async with Fetcher(allow_hosts=hosts, proxy=proxy) as fetcher:
        reading = Reading(store.public, wire, fetcher, arguments.wait)
        return await try_store(place, reading, noise=noise, progress=progress)


def _summary(findings: Sequence[Finding]) -> str:
    words = [each.what for each in findings if each.level == "bad"]
    if words:
        return f"not to be announced: {', '.join(words)}"
    poor = [each.what for each in findings if each.level == "poor"]
    return f"works; not as it could: {', '.join(poor)}" if poor else "as it should be"


def show_findings(findings: Sequence[Finding], *, before: str = "") -> None:
    """Say what was found, a line each, and what to do."""
    for each in findings:
        say(f"{before}{MARKS[each.level]}  {each.what:10}  {each.saw}")
        if each.level != "good" and each.do:
            say(f"{before}                  → {each.do}")


# Removing.


def _remove(arguments: argparse.Namespace) -> int:
    config, settings = arguments.config, Settings.load(arguments.config)
    store = copies.find(settings, arguments.name)
    text = without_store(read_text(config), store.name)
    state = config.parent / settings.paths.state
    erased = 0
    if arguments.erase:
        if in_use(state):
            raise SettingsError(f"{store.name}: a daemon runs, and would fill it again: stop it")
        erased = asyncio.run(_erased(store, settings, config))
    replace_settings(config, text)
    if state.is_file():
        with closing(build.database_beside(config, settings)) as db:
            forget_all(db, store.name)
    shutil.rmtree(config.parent / "stores" / store.name, ignore_errors=True)
    if arguments.json:
        answer({"name": store.name, "erased": erased})
    else:
        said = f"; {erased} files are removed there" if arguments.erase else "; its files stay"
        say(f"Removed {store.name} from {config}{said}.")
    if in_use(state):
        complain("a daemon runs: it writes there until it is told to reload")
    return DONE


async def _erased(store: StoreSettings, settings: Settings, config: Path) -> int:
    place = Patient(store_of(store, config.parent, warn=complain))
    with closing(build.database_beside(config, settings)) as db:
        contents = Contents(db, config.parent / settings.paths.site)
        return await Inventory(place, contents, db, progress=progress).erase()
