"""How each place of a mirror is asked, and what our own records say is still to come before."""

import http.client
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from mirror.agenda import Agenda
from mirror.dag import Dag
from mirror.dag.contents import Contents
from mirror.errors import SettingsError
from mirror.fetch import Fetcher
from mirror.formats.paths import article_folder, revision_path
from mirror.outside import followers, store_of
from mirror.removal.ask import Seen, ask_address, ask_node, ask_store, some
from mirror.removal.case import Case
from mirror.settings.outside import StoreSettings
from mirror.state import State
from mirror.stores.copies import Copies
from mirror.stores.ipfs import IpfsStore
from mirror.stores.patience import Patient
from mirror.threads import in_thread

HISTORY = "; its host may keep old commits for a while, to which the branch leads no more"
LOG = "log"  # the place that keeps what it has, and says more
ANSWER_S = 5.0  # for an answer of the server on this machine
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a server that listens there answers


def _nothing(_: Sequence[str]) -> None:
    """Remove nothing."""


@dataclass(frozen=True, slots=True)
class Look:
    """A place, how to ask it, and what it waits for: until `missing` is "", it is not asked.

    `remove` orders that files which it lists, although it should not, be removed once more.
    """

    place: str
    missing: Callable[[], str]
    ask: Callable[[], Awaitable[Seen]]
    remove: Callable[[Sequence[str]], None] = _nothing


def looks_of(case: Case, fetcher: Fetcher, stack: ExitStack) -> list[Look]:
    """Return how all places that are the operator's are asked; what is opened goes to `stack`."""
    found = [_log(case), _site(case), *_server(case)]
    found += [_node(case, stack)] if case.settings.ipfs.api else []
    for each in case.settings.stores:
        found.append(_store(case, each))
        if each.public:
            ask = partial(_address, case, fetcher, each.public)
            found.append(Look(each.public, partial(_unsent, case, each.name), ask))
    return found


def _to_come(case: Case) -> str:
    return "" if case.done() else "it follows when the site has done so"


# On this machine.


def _log(case: Case) -> Look:
    def missing() -> str:
        held = case.held
        if not held.void:
            return "the next cycle says it"
        said = held.leaf < State(case.db).log().published
        return "" if said else f"leaf {held.leaf} says it, and is not published"

    async def ask() -> Seen:
        held = await in_thread(lambda: case.held)
        what = f"leaf {held.leaf} says that revision {held.rev} is withdrawn: {held.void}"
        return Seen("removed", what)

    return Look(LOG, missing, ask)


def _site(case: Case) -> Look:
    def missing() -> str:
        if left := case.left():
            return f"it has {some(left)}"
        return "" if case.done() else "other pages still name it"

    async def ask() -> Seen:
        return Seen("removed", "nothing of it is left")

    return Look(f"site {case.site}", missing, ask)


def _server(case: Case) -> list[Look]:
    """Return how the built-in server is asked, if it runs: else it shows nothing."""
    serve = case.settings.serve
    host = _ANY.get(serve.host, serve.host)
    if not serve.port or not _listens(host, serve.port):
        return []
    path = revision_path(case.short, case.held.rev)

    async def ask() -> Seen:
        return await in_thread(_answer, host, serve.port, path)

    return [Look(f"server {host}:{serve.port}", partial(_to_come, case), ask)]


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), ANSWER_S).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return True  # it is asked, and may say why
    return True


def _answer(host: str, port: int, path: str) -> Seen:
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_S)
    try:
        connection.request("GET", f"/{path}")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as e:
        return Seen("not confirmed", f"no answer: {e}")
    finally:
        connection.close()
    gone = status == http.client.NOT_FOUND
    return Seen("removed" if gone else "not yet", f"it answers {status} for {path}")


# Outside.


async def _unusable(why: str) -> Seen:
    return Seen("not confirmed", why)


def _node(case: Case, stack: ExitStack) -> Look:
    """Return how the IPFS node is asked, which shows a root and may have what it shows no more."""
    name = f"ipfs:{case.settings.ipfs.api}"

    def missing() -> str:
        row = case.db.row("SELECT generation FROM ipfs WHERE name=?", (name,))
        generation, root = Dag(case.db, case.site).head()
        follows = row is not None and row[0] >= generation
        if to_come := _to_come(case):
            return to_come
        return "" if follows else f"it does not show {root} yet: it follows later"

    alone = case.settings.model_copy(update={"stores": []})
    try:
        [node] = stack.enter_context(followers(case.config, alone, now=case.now))
    except SettingsError as e:
        return Look(name, missing, partial(_unusable, str(e)))
    if not isinstance(node.follower, IpfsStore):
        raise TypeError(node.name)
    follower = node.follower

    async def ask() -> Seen:
        seen = await ask_node(follower, await in_thread(case.gone))
        if seen.answer != "removed":
            return seen
        _, root = await in_thread(Dag(case.db, case.site).head)
        return replace(seen, detail=f"it shows {root}, and has none of its blocks")

    return Look(name, missing, ask)


def _store(case: Case, settings: StoreSettings) -> Look:
    """Return how a store is asked: by what it lists, and gives."""
    copies = Copies(case.db, settings.name)

    def remove(paths: Sequence[str]) -> None:
        with case.db.transaction():
            copies.discard(dict.fromkeys(paths, case.now()))

    missing = partial(_unsent, case, settings.name)
    try:
        store = Patient(store_of(settings, case.config.parent))
    except SettingsError as e:
        return Look(f"store {settings.name}", missing, partial(_unusable, str(e)))

    async def ask() -> Seen:
        seen = await ask_store(store, await in_thread(case.gone))
        held = await in_thread(copies.held)
        if seen.answer != "removed":
            return seen
        said = f"it shows the site of {_clock(held.at)}; {seen.detail}"
        return replace(seen, detail=f"{said}{HISTORY if settings.kind == 'git' else ''}")

    return Look(f"store {settings.name}", missing, ask, remove)


async def _address(case: Case, fetcher: Fetcher, url: str) -> Seen:
    return await ask_address(fetcher, url, await in_thread(case.gone))


def _unsent(case: Case, name: str) -> str:
    """Return what a store still lacks of the removal, by what it answered when it was written to.

    It has the heads that say it, and what it was told to remove is removed for good: or not yet.
    """
    if to_come := _to_come(case):
        return to_come
    copies = Copies(case.db, name)
    folder = f"{article_folder(case.short)}/"
    changed = Contents(case.db, case.site).changed(copies.held().generation)
    if changed is None or any(path.startswith(folder) for path in changed):
        _, word = Agenda(case.db).noted(name) or (0, "nothing is known of it yet")
        return f"it follows later: {word}"
    # What goes with it, old index documents with its title, is due at once.
    first = copies.next_due()
    due = first if first is not None and first <= case.now() else copies.next_due(folder)
    return "" if due is None else f"to be removed there at {_clock(due)}"


def _clock(at: int) -> str:
    return time.strftime("%H:%M:%S UTC", time.gmtime(at))
