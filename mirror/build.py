"""From settings to objects: what a cycle works with."""

import base64
import dataclasses
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from mirror.article.page import Masthead
from mirror.box import Box
from mirror.cycle import Desk
from mirror.dag import Dag
from mirror.database import Database
from mirror.errors import FormatError, SettingsError
from mirror.fetch import USER_AGENT, Fetcher
from mirror.formats import root
from mirror.health import Health, look
from mirror.keys import Keys
from mirror.poll import Poller, Source
from mirror.serve import Manners, serve
from mirror.settings import Settings
from mirror.signer import Signer
from mirror.state import State
from mirror.stores.dir import DirStore
from mirror.stores.ipfs import IpfsStore


@asynccontextmanager
async def desk(path: Path, settings: Settings | None = None) -> AsyncIterator[Desk]:
    """Open everything that the settings file at `path` names; close it at the end.

    `settings` are used in place of the file's where they are given.

    Raises:
        SettingsError: the file, a secret or the site's root is not usable.
        StateError: the database is in use, or another log's.
    """
    settings = settings or Settings.load(path)
    folder = path.parent
    origin = settings.newsroom.origin
    keys = Keys.load(folder / settings.paths.keys, origin=origin)
    site = folder / settings.paths.site
    trusted = newest_root(site / "trust")
    _check_keys(keys, trusted, folder / settings.paths.keys)
    _check_apart(settings, folder)
    state = State.open(folder / settings.paths.state, origin=origin)
    try:
        signer = Signer(keys, state, trusted, _masthead(settings), settings.newsroom.lang)
        fetcher = Fetcher(
            allow_hosts=settings.fetch.allow_hosts,
            timeout_s=settings.fetch.timeout_s,
            user_agent=settings.fetch.user_agent or USER_AGENT,
        )
        workers = settings.box.workers or os.cpu_count() or 1
        async with fetcher, Box(workers=workers) as box:
            sources = [Source(feed.url, feed.text) for feed in settings.feeds]
            lang = settings.newsroom.lang
            poller = Poller(sources, lang, state, fetcher, box, settings.fetch.parallel)
            times = settings.schedule.interval_s, settings.publish.delay_s
            yield Desk(poller, signer, DirStore(site), *times, Dag(state.db, site))
    finally:
        state.close()


@asynccontextmanager
async def server(path: Path, settings: Settings, *, now: Callable[[], int]) -> AsyncIterator[str]:
    """Serve what the settings, whose file is at `path`, publish; yield the address.

    Raises:
        SettingsError: there is no database yet, it is another log's, or the address is taken.
    """
    site = path.parent / settings.paths.site
    if not settings.serve.port:
        raise SettingsError(f"{path}: serve.port: 0 says that there is no server")
    database = database_beside(path, settings)
    where = settings.serve
    try:
        serving = serve(
            site,
            host=where.host,
            port=where.port,
            blocks=Dag(database, site),
            health=lambda: health_of(path, settings, database, now=now()).brief(),
            manners=Manners(close=where.close),
        )
        async with serving as address:
            yield address
    except OSError as e:
        raise SettingsError(f"{where.host}:{where.port}: cannot serve there: {e.strerror}") from e
    finally:
        database.close()


@contextmanager
def follower(
    path: Path, settings: Settings, *, now: Callable[[], int]
) -> Iterator[tuple[IpfsStore, Database, Dag] | None]:
    """Open the IPFS node that the settings name, if they do, with a database of its own.

    Raises:
        SettingsError: the file with its secret is not usable.
    """
    node = settings.ipfs
    if not node.api:
        yield None
        return
    secret = _authorization(path.parent / node.secret) if node.secret else ""
    database = database_beside(path, settings)
    try:
        dag = Dag(database, path.parent / settings.paths.site)
        store = IpfsStore(dag, database, api=node.api, gateway=node.gateway, secret=secret, now=now)
        yield store, database, dag
    finally:
        database.close()


def _authorization(file: Path) -> str:
    """Return the header for a secret as Kubo's `API.Authorizations` has it."""
    try:
        kind, _, secret = file.read_text("ascii").strip().partition(":")
    except (OSError, ValueError) as e:
        raise SettingsError(f"{file}: the node's secret is not readable") from e
    if kind == "basic" and ":" in secret:
        return f"Basic {base64.b64encode(secret.encode()).decode()}"
    if kind == "bearer" and secret.isprintable() and secret:
        return f"Bearer {secret}"
    raise SettingsError(f"{file}: basic:USER:PASSWORD or bearer:TOKEN was expected")


def health_of(path: Path, settings: Settings, database: Database, *, now: int) -> Health:
    """Return how the mirror is whose settings are at `path`."""
    trusted = newest_root(path.parent / settings.paths.site / "trust")
    feeds = [feed.url for feed in settings.feeds]
    return look(database, feeds=feeds, root=(trusted.version, trusted.expires), now=now)


def database_beside(path: Path, settings: Settings) -> Database:
    """Open the database that the settings name, also while a daemon runs on it."""
    file = path.parent / settings.paths.state
    return Database.beside(file, origin=settings.newsroom.origin)


def _check_keys(keys: Keys, trusted: root.Root, folder: Path) -> None:
    log = trusted.open
    own = dataclasses.replace(keys.log_entry, cosigners=log.cosigners, quorum=log.quorum)
    others = keys.public("minisign"), keys.public("ssh")
    if log.origin != own.origin:
        said = f"these settings say {own.origin}, the root {log.origin}"
        raise SettingsError(f"newsroom.origin: {said}: an origin never changes")
    if log != own or (trusted.minisign, trusted.ssh) != others:
        raise SettingsError(f"{folder}: root {trusted.version} names other keys than these")


def _check_apart(settings: Settings, folder: Path) -> None:
    """Refuse secrets and a database where any web server would publish them."""
    site = (folder / settings.paths.site).resolve()
    for key in ("keys", "state"):
        path = (folder / getattr(settings.paths, key)).resolve()
        if path.is_relative_to(site):
            raise SettingsError(f"{path}: paths.{key} is inside the site, which is published")


def _masthead(settings: Settings) -> Masthead:
    newsroom = settings.newsroom
    return Masthead(newsroom=newsroom.name, origin=newsroom.origin, home=newsroom.home)


def newest_root(folder: Path) -> root.Root:
    """Return the highest-numbered root in a site's `trust/`.

    Not checked here: its signatures. The folder is the operator's own.

    Raises:
        SettingsError: there is none, or it is not readable.
    """
    numbers = [int(name) for each in folder.glob("*.root.json") if (name := _number(each))]
    if not numbers:
        raise SettingsError(f"{folder}: no root.json: was this folder made by `mirror init`?")
    path = folder / f"{max(numbers)}.root.json"
    try:
        return root.Root.parse(path.read_bytes())
    except (OSError, FormatError) as e:
        raise SettingsError(f"{path}: {e}") from e


def _number(path: Path) -> str:
    name = path.name.removesuffix(".root.json")
    return name if name.isdecimal() else ""
