"""The verb of an operator who looks: `status`."""

import argparse
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from mirror import build
from mirror.build.mirrors import addresses
from mirror.cli.terminal import (
    DONE,
    FAILED,
    Verbs,
    add_config,
    answer,
    came_of,
    clear,
    now,
    say,
    verb,
)
from mirror.dag import Dag
from mirror.database import Database
from mirror.errors import StoreError
from mirror.health import FeedHealth, Health, MirrorHealth
from mirror.settings import Settings
from mirror.trial.verdicts import verdicts

WATCH_S = 2.0  # between two looks, which cost some milliseconds


def add(verbs: Verbs) -> None:
    """Add the verb."""
    status = verb(verbs, "status", _status, "show how the mirror is; exit code 1 if not well")
    add_config(status)
    status.add_argument("--watch", action="store_true", help="look again every two seconds")


@dataclass(frozen=True, slots=True)
class Beside:
    """What people are told beside the health."""

    root: str = ""
    """Of the whole site, as stores have it; "" if it is not known."""
    harmful: Mapping[str, str] = field(default_factory=dict)
    """Why an address of the settings is not to be announced, also if it works."""


NOTHING = Beside()


def _status(arguments: argparse.Namespace) -> int:
    health, beside = _look(arguments.config)
    while arguments.watch:
        if not arguments.json:
            clear()
        _show(health, beside, as_json=arguments.json)
        time.sleep(WATCH_S)
        health, beside = _look(arguments.config)
    _show(health, beside, as_json=arguments.json)
    return DONE if health.ok else FAILED


def _show(health: Health, beside: Beside, *, as_json: bool) -> None:
    if as_json:
        answer(health.to_json())
        return
    for line in told(health, beside):
        say(line)


def _look(config: Path) -> tuple[Health, Beside]:
    settings = Settings.load(config)
    with closing(build.database_beside(config, settings)) as database:
        health = build.health_of(config, settings, database, now=now())
        root = _root(Dag(database, config.parent / settings.paths.site))
        return health, Beside(root, _harmful(settings, database))


def _root(dag: Dag) -> str:
    try:
        return str(dag.root() or "")
    except StoreError:  # a damaged tree, which the next cycle builds anew
        return ""


def _harmful(settings: Settings, database: Database) -> dict[str, str]:
    known = verdicts(database)
    named = [url for url, role in addresses(settings) if role != "private" and url in known]
    return {url: known[url].reason for url in named if known[url].fit is False}


def told(health: Health, beside: Beside = NOTHING) -> list[str]:
    """Return lines for a person, the most important first."""
    word = f"{health.spoken}, {_span(health.spoken_s)} ago" if health.spoken else "never"
    running = "running" if health.running else "not running"
    unpublished = health.leaves - health.published
    lines = [
        f"{health.origin}: {'well' if health.ok else 'NOT WELL'}; the daemon is {running}",
        f"  log       {health.leaves} leaves, {health.articles} articles"
        + (f"; {unpublished} leaves NOT PUBLISHED yet" if unpublished else ""),
        f"  clock     last word {word}",
        f"  root      {health.root}, until {health.root_ends}",
        f"  cycle     {health.cycle or 'none yet'}",
    ]
    shown_below = {feed.problem for feed in health.feeds}
    lines += [f"    {problem}" for problem in health.problems if problem not in shown_below]
    if health.stopped:
        reason = f" ({health.reason})" if health.reason else ""
        lines.append(f"  STOPPED   since {health.stopped}{reason}: `mirror release` ends it")
    if health.holding:
        lines.append(f"  holding   since {health.holding}: `mirror approve` publishes")
    if health.waiting:
        lines.append(f"  waiting   {health.waiting} articles: `mirror waiting` shows them")
    if health.quarantined:
        count = health.quarantined
        lines.append(f"  trouble   {count} in quarantine: `mirror quarantine list` says why")
    lines += [f"  look      {when}  {line}" for when, line in health.alerts]
    lines += [f"  archive   {line}" for line in health.archives]
    for feed in health.feeds:
        lines += [f"  feed      {feed.url}", f"    {_standing(feed)}"]
    lines += _mirrors(health)
    lines += [f"    {url}  would harm readers: {why}" for url, why in beside.harmful.items()]
    return lines + [
        f"  {name:9} {_noted(name, word, beside)}" for name, word in health.notes.items()
    ]


def _noted(name: str, word: object, beside: Beside) -> str:
    if word == beside.root:
        return came_of(name, word)
    return came_of(name, word, whole="as the site was, and follows")


def _mirrors(health: Health) -> list[str]:
    """Return how many mirrors there are, and which do not work."""
    if not health.mirrors:
        return []
    listed = [each for each in health.mirrors if each.listed]
    spares = [each for each in health.mirrors if each.role == "spare" and not each.listed]
    lines = [
        f"  mirrors   {len(listed)} listed, of which {_working(listed)} work;"
        f" {_working(spares)} of {len(spares)} spares would"
    ]
    if health.list_kept:
        lines.append(f"    NOT SIGNED: {health.list_kept}")
    for each in health.mirrors:
        if not each.works:
            since = f" since {each.since}" if each.since else ""
            lines.append(f"    {each.url}  {each.state}{since}: {each.reason or 'not seen yet'}")
    return lines


def _working(mirrors: list[MirrorHealth]) -> int:
    return sum(each.works for each in mirrors)


def _standing(feed: FeedHealth) -> str:
    due = "asked no more" if feed.state == "gone" else f"due {feed.due or 'now'}"
    state = f"; {feed.state.upper()}" if feed.state not in ("", "failed") else ""
    problem = f"; FAILED: {feed.problem}" if feed.problem else ""
    return f"answered {feed.answered or 'never'}, {due}{state}{problem}"


def _span(seconds: int) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
