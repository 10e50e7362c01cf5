"""The verb `waiting`, and what it shares with those that decide on what waits."""

import argparse
import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirror.cli.reading import article_lines, changes, published_lines
from mirror.cli.terminal import DONE, Verbs, add_config, answer, now, plain, say, verb
from mirror.database import Database, InUseError, in_use
from mirror.errors import FormatError, SettingsError
from mirror.formats.encoding import encode_time
from mirror.formats.paths import ID_SIZE
from mirror.formats.url import canonical_url
from mirror.hold import Hold, Switches, Waiting
from mirror.settings import Settings
from mirror.state import State

WORDS = 16  # hexadecimal digits of a digest: who edits a text to have the same needs 2^64 tries
MIN_PREFIX = 4  # characters of an id: with 20,000 waiting, 4 are mostly enough


def add(verbs: Verbs) -> None:
    """Add the verb."""
    waiting = add_beside(verbs, "waiting", _waiting, "show what waits before it is signed")
    waiting.add_argument("--show", metavar="ID", help="its text; of an edit, also what it changes")


def add_beside(
    verbs: Verbs,
    name: str,
    run: Callable[["Beside", argparse.Namespace], int],
    words: str,
    *,
    make: bool = False,
) -> argparse.ArgumentParser:
    """Add a verb that works beside a daemon; `make` the database if there is none yet."""

    def opened(arguments: argparse.Namespace) -> int:
        with _opened(arguments.config, make=make) as beside:
            return run(beside, arguments)

    made = verb(verbs, name, opened, words)
    add_config(made)
    return made


@dataclass(frozen=True, slots=True)
class Beside:
    """The database beside a daemon, and what the settings say."""

    db: Database
    hold: Hold
    delay_s: int
    site: Path

    @property
    def running(self) -> bool:
        """Whether a daemon, or `mirror once`, runs now."""
        return in_use(self.db.path)

    def chosen(self, names: Sequence[str]) -> list[Waiting]:
        """Return what waits under each name, once.

        Raises:
            SettingsError: nothing, or several wait so, or in other words than were named.
        """
        waiting = self.hold.waiting()
        return list(
            {each.n: each for each in (self._one(name, waiting) for name in names)}.values()
        )

    def _one(self, name: str, waiting: Sequence[Waiting]) -> Waiting:
        if "/" in name:
            address = _canonical(name)
            named = self.hold.find([f"link {address}"])
            found = [each for each in waiting if each.url == address or each == named]
        else:
            long_enough = len(name) >= MIN_PREFIX
            prefix, _, words = name.lower().partition("@")
            found = [e for e in waiting if long_enough and e.short.startswith(prefix)]
            if len(found) == 1 and not found[0].digest.hex().startswith(words):
                raise SettingsError(
                    f"{plain(name)}: it was edited since: `mirror waiting --show` it again"
                )
        if len(found) != 1:
            raise SettingsError(f"{plain(name)}: {self._unknown(name, found, waiting)}")
        return found[0]

    def _unknown(self, name: str, found: Sequence[Waiting], waiting: Sequence[Waiting]) -> str:
        if found:
            return f"several wait so: {', '.join(each.short for each in found[:5])}"
        held = State(self.db).holder(name.lower()) if len(name) == ID_SIZE else None
        if held:
            return f"it does not wait: revision {held.rev} is published"
        names = [each.url if "/" in name else each.short for each in waiting]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
        if near:
            return f"nothing waits so: near are {', '.join(near)}"
        return "nothing waits so: `mirror waiting` shows what does"

    def being_published(self, some: Sequence[Waiting]) -> list[str]:
        """Return the ids of those that a verdict comes too late for."""
        return [each.short for each in some if each.going] if self.running else []

    def did(
        self, arguments: argparse.Namespace, verb: str, done: Sequence[Waiting], line: str
    ) -> int:
        """Say what was done and what happens next."""
        if arguments.json:
            switches = self.hold.switches()
            ids = [each.short for each in done]
            said = {"did": verb, "ids": ids, "said": line, "waiting": len(self.hold.waiting())}
            answer(said | switches_json(switches))
        else:
            say(line)
        return DONE

    @property
    def soon(self) -> str:
        """When what is free to go is published."""
        return "at the next cycle" + ("" if self.running else ", and no daemon runs now")


@contextmanager
def _opened(config: Path, *, make: bool) -> Iterator[Beside]:
    settings = Settings.load(config)
    path, origin = config.parent / settings.paths.state, settings.newsroom.origin
    if make and not path.exists():  # to hold what the very first cycle brings
        with suppress(InUseError):
            Database.open(path, origin=origin).close()
    db = Database.beside(path, origin=origin)
    try:
        yield Beside(db, Hold(db), settings.publish.delay_s, config.parent / settings.paths.site)
    finally:
        db.close()


def _canonical(address: str) -> str:
    try:
        return canonical_url(address)
    except FormatError as e:
        raise SettingsError(str(e)) from e


def _waiting(beside: Beside, arguments: argparse.Namespace) -> int:
    if arguments.show is not None:
        return _show(beside, arguments)
    switches = beside.hold.switches()
    waiting = beside.hold.waiting()
    if arguments.json:
        rows = [_json(each, switches, beside.delay_s) for each in waiting]
        answer({**switches_json(switches), "delay_s": beside.delay_s, "waiting": rows})
        return DONE
    say(f"{len(waiting)} waiting{_told(switches)}")
    if waiting:
        say(f"{'ID':{ID_SIZE}}  {'SINCE':20}  {'DUE':20}  {'WHAT':11}  TITLE, ADDRESS")
    for each in waiting:
        due, what = _due(each, switches, beside.delay_s), _what(each)
        since = encode_time(each.since)
        say(f"{each.short}  {since}  {due:20}  {what:11}  {each.title}  {each.url}".rstrip())
        if each.problem:
            say(f"{'':{ID_SIZE}}  no page can be made of it: {each.problem}")
    return DONE


def _show(beside: Beside, arguments: argparse.Namespace) -> int:
    [waiting] = beside.chosen([arguments.show])
    switches = beside.hold.switches()
    article = beside.hold.proposal(waiting).article
    lines = article_lines(article)
    edit = waiting.rev > 1
    old = published_lines(beside.site, waiting.short, waiting.rev - 1) if edit else None
    changed = changes(old, lines) if edit else []
    if arguments.json:
        answer({**_json(waiting, switches, beside.delay_s), "text": lines, "changes": changed})
        return DONE
    say(f"{waiting.short}  {_what(waiting)}, {_due(waiting, switches, beside.delay_s)}")
    say(f"{article.url or '(no address)'}  from {waiting.source}")
    say(", ".join(article.authors) or "(no author)")
    say(f"These words alone: {waiting.short}@{_words(waiting)}")
    for line in ["", *lines, *([""] if changed else []), *changed]:
        say(line)
    return DONE


def _what(waiting: Waiting) -> str:
    return "new" if waiting.rev == 1 else f"revision {waiting.rev}"


def _words(waiting: Waiting) -> str:
    """Return what stands behind an id to approve just these words: an edit may come meanwhile."""
    return waiting.digest.hex()[:WORDS]


def _due(waiting: Waiting, switches: Switches, delay_s: int) -> str:
    due = waiting.due(switches, delay_s=delay_s)
    if due is None:
        if switches.stopped is not None:
            return "approved, stopped" if waiting.approved else "stopped"
        return "until approved"
    return "at the next cycle" if due <= now() or waiting.approved else encode_time(due)


def _told(switches: Switches) -> str:
    told = ""
    if switches.holding is not None:
        told += f"; holding since {encode_time(switches.holding)}"
    if switches.stopped is not None:
        told += f"; stopped since {encode_time(switches.stopped)}"
    return told + (f": {switches.reason}" if switches.reason else "")


def switches_json(switches: Switches) -> dict[str, Any]:
    """Return what is switched, for programs."""
    return {
        "holding": _time(switches.holding),
        "stopped": _time(switches.stopped),
        "reason": switches.reason,
    }


def _json(waiting: Waiting, switches: Switches, delay_s: int) -> dict[str, Any]:
    return {
        "id": waiting.short,
        "since": encode_time(waiting.since),
        "due": _time(waiting.due(switches, delay_s=delay_s)),
        "held": waiting.held,
        "approved": waiting.approved,
        "revision": waiting.rev,
        "words": _words(waiting),
        "title": waiting.title,
        "url": waiting.url,
        "source": waiting.source,
        "problem": waiting.problem,
    }


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else encode_time(seconds)
