"""The verb `withdraw`: an article goes, and each place that had it is asked whether it has.

Beside a daemon the order is left in the database, and the daemon obeys it; without one, here.
"""

import argparse
import asyncio
import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from mirror import build
from mirror.agenda import Agenda
from mirror.cli.terminal import (
    DONE,
    PARTLY,
    Verbs,
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
from mirror.dag import Dag
from mirror.dag.contents import Contents
from mirror.database import Database, InUseError, in_use
from mirror.errors import FormatError, SettingsError, StoreError
from mirror.formats.paths import article_folder, revision_path, short_id, short_of
from mirror.formats.record import CODES, Code
from mirror.formats.url import article_id, canonical_url
from mirror.hold import Hold
from mirror.outside import follow_all, followers
from mirror.settings import Settings
from mirror.state import ArticleState, State
from mirror.stores.copies import Copies
from mirror.withdrawal import Withdrawals

WAIT_S = 60.0
LEAST_S = 10.0  # for the stores to follow, however little time is left: what is sent stays sent
LOOK_S = 0.5  # between two looks at whether it is done
ANSWER_S = 5.0  # for an answer of the server on this machine
REMAINS = (
    "Copies may remain: on other IPFS nodes and mirrors, in caches, and with whoever saved it;"
    " nobody can take those back. The log keeps hashes only, and says that it was withdrawn."
)
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a server that listens there answers


@dataclass(frozen=True, slots=True)
class Place:
    """Whether the article is gone from a place, and what was seen there."""

    place: str
    removed: bool
    detail: str


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


@dataclass(frozen=True, slots=True)
class _Task:
    """An article that is to be withdrawn, and where the mirror keeps what."""

    config: Path
    settings: Settings
    db: Database
    short: str

    @property
    def held(self) -> ArticleState:
        found = State(self.db).holder(self.short)
        if found is None:
            raise SettingsError(f"{self.short}: no such article")
        return found

    @property
    def site(self) -> Path:
        return self.config.parent / self.settings.paths.site

    def left(self) -> list[str]:
        """Return what is in the article's folder beside the page that says so."""
        folder = self.site / article_folder(self.short)
        paths = sorted(each.relative_to(self.site).as_posix() for each in folder.rglob("*"))
        page = f"{article_folder(self.short)}/index.html"
        return [path for path in paths if path not in (page, f"{page}.gz", f"{page}.br")]


@contextmanager
def _task(config: Path, name: str) -> Iterator[_Task]:
    settings = Settings.load(config)
    db = build.database_beside(config, settings)
    try:
        yield _Task(config, settings, db, _found(db, name))
    finally:
        db.close()


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
    with _task(arguments.config, arguments.article) as task:
        if arguments.dry_run:
            return _show_files(task, arguments)
        if task.held.void:
            complain(f"it is withdrawn already ({task.held.void}): what is left is removed")
        deadline = time.monotonic() + arguments.wait
        _order(task, arguments.code)
        if not in_use(task.db.path):
            _obey(task, arguments.wait)
        places = _places(task)
        while not all(each.removed for each in places) and time.monotonic() < deadline:
            gone = sum(each.removed for each in places)
            progress(f"{gone} of {len(places)} places: {arguments.wait:.0f} s at most")
            time.sleep(LOOK_S)
            places = _places(task)
        progress("")
        return _tell(task, places, arguments)


def _show_files(task: _Task, arguments: argparse.Namespace) -> int:
    held, left = task.held, task.left()
    if arguments.json:
        answer({"id": task.short, "rev": held.rev, "title": held.title, "files": left})
        return DONE
    say(f"{task.short}  revision {held.rev}  {held.title}")
    for path in left:
        say(path)
    return DONE


def _order(task: _Task, code: Code) -> None:
    with task.db.transaction():
        Withdrawals(task.db).ask(task.short, code, now=now())


def _obey(task: _Task, wait_s: float) -> None:
    """Do what a daemon would; if one has come meanwhile, leave it to him."""
    try:
        for problem in asyncio.run(_cycle(task, time.monotonic() + wait_s)):
            complain(problem)
    except InUseError:
        return


async def _cycle(task: _Task, deadline: float) -> list[str]:
    async with build.desk(task.config, task.settings) as desk:
        summary = await run_cycle(desk, now=now, due=[], progress=progress)
        with followers(task.config, task.settings, now=now, progress=progress) as stores:
            most_s = max(deadline - time.monotonic(), LEAST_S)
            await follow_all(stores, now=now, progress=progress, most_s=most_s)
    return [*summary.warnings, *summary.problems]


# Where it was.


def _places(task: _Task) -> list[Place]:
    found = [_log(task), _folder(task)]
    found += _server(task) if task.settings.serve.port else []
    found += _node(task) if task.settings.ipfs.api else []
    return found + [_store(task, each.name) for each in task.settings.stores]


def _log(task: _Task) -> Place:
    held = task.held
    if not held.void:
        return Place("log", removed=False, detail="the next cycle says it")
    said = held.leaf < State(task.db).log().published
    detail = f"leaf {held.leaf} says that revision {held.rev} is withdrawn: {held.void}"
    return Place("log", said, detail if said else f"not published: {detail}")


def _folder(task: _Task) -> Place:
    name = f"site {task.site}"
    left, order = task.left(), Withdrawals(task.db).find(task.short)
    if left:
        return Place(name, removed=False, detail=f"{len(left)} files are there, {left[0]} first")
    done = order is not None and order.done is not None
    return Place(name, done, "nothing of it is left" if done else "other pages still name it")


def _server(task: _Task) -> list[Place]:
    """Return what the built-in server answers, if it runs."""
    serve = task.settings.serve
    host = _ANY.get(serve.host, serve.host)
    name = f"server {host}:{serve.port}"
    path = revision_path(task.short, task.held.rev)
    connection = http.client.HTTPConnection(host, serve.port, timeout=ANSWER_S)
    try:
        connection.request("GET", f"/{path}")
        status = connection.getresponse().status
    except ConnectionRefusedError:
        return []  # it does not run, and so shows nothing
    except (OSError, http.client.HTTPException) as e:
        return [Place(name, removed=False, detail=f"no answer: {e}")]
    finally:
        connection.close()
    return [Place(name, status == http.client.NOT_FOUND, f"answers {status} for {path}")]


def _node(task: _Task) -> list[Place]:
    """Return whether the IPFS node shows the site as it is now."""
    name = f"ipfs:{task.settings.ipfs.api}"
    row = task.db.row("SELECT generation FROM ipfs WHERE name=?", (name,))
    try:
        generation, root = Dag(task.db, task.site).head()
    except StoreError as e:
        return [Place(name, removed=False, detail=str(e))]
    follows = row is not None and row[0] >= generation
    more = "it drops what is in no site any more within a day" if follows else "it follows later"
    detail = f"shows {root}: {more}" if follows else f"does not show {root} yet: {more}"
    return [Place(name, follows, detail)]


def _store(task: _Task, name: str) -> Place:
    """Return whether a store has the heads that say it, and what is still to be removed there.

    By what it answered when it was written to: what it has removed is removed there for good.
    """
    where, copies = f"store {name}", Copies(task.db, name)
    held, order = copies.held(), Withdrawals(task.db).find(task.short)
    if order is None or order.done is None:
        return Place(where, removed=False, detail="it follows when the site has done so")
    folder = f"{article_folder(task.short)}/"
    changed = Contents(task.db, task.site).changed(held.generation)
    if changed is None or any(path.startswith(folder) for path in changed):
        _, word = Agenda(task.db).noted(name) or (0, "nothing is known of it yet")
        return Place(where, removed=False, detail=f"it follows later: {word}")
    # What goes with it, old index documents with its title, is due at once.
    first = copies.next_due()
    due = first if first is not None and first <= now() else copies.next_due(folder)
    if due is not None:
        return Place(where, removed=False, detail=f"removed there at {_clock(due)}")
    return Place(where, removed=True, detail=f"it shows the site of {_clock(held.at)}")


def _clock(at: int) -> str:
    return time.strftime("%H:%M:%S UTC", time.gmtime(at))


def _tell(task: _Task, places: list[Place], arguments: argparse.Namespace) -> int:
    held, gone = task.held, all(each.removed for each in places)
    if arguments.json:
        told = {"id": task.short, "rev": held.rev, "code": held.void, "removed": gone}
        answer(told | {"places": [asdict(each) for each in places], "remains": REMAINS})
        return DONE if gone else PARTLY
    for each in places:
        say(f"{each.place}: {'removed' if each.removed else 'not yet'}: {each.detail}")
    say(REMAINS)
    return DONE if gone else PARTLY
