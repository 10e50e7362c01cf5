"""From settings to objects: what a cycle works with."""

import dataclasses
import os
import random
import zoneinfo
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from mirror.article.feeds.fields import Fields, Reading
from mirror.article.render.page import Masthead
from mirror.box import Box
from mirror.dag import Dag
from mirror.database import Database
from mirror.desk import Desk
from mirror.errors import SettingsError
from mirror.fetch import USER_AGENT, Fetcher, Secret
from mirror.formats import root
from mirror.health import Health, look
from mirror.keys import Keys
from mirror.poll import Poller, Source
from mirror.serve import Manners, serve
from mirror.settings import Settings
from mirror.settings.sections import FeedSettings
from mirror.signer import Signer
from mirror.state import State
from mirror.stores.dir import DirStore
from mirror.trusted import newest_root as newest_root


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
    site = folder / settings.paths.site
    keys, trusted = _keys(settings, folder)
    _check_apart(settings, folder)
    state = State.open(folder / settings.paths.state, origin=keys.origin)
    try:
        signer = Signer(keys, state, trusted, _masthead(settings), settings.newsroom.lang)
        async with fetcher_of(settings, folder) as fetcher, _box(settings) as box:
            store = DirStore(site)
            poller = dataclasses.replace(poller_of(settings, state, fetcher, box), kept=store.get)
            times = settings.schedule.interval_s, settings.publish.delay_s
            yield Desk(
                *(poller, signer, store, *times, Dag(state.db, site)),
                shortest_s=settings.schedule.shortest_s,
                recheck=settings.schedule.recheck,
                jitter=lambda: random.uniform(-1, 1),  # noqa: S311  no secret hangs on it
            )
    finally:
        state.close()


def _box(settings: Settings) -> Box:
    return Box(workers=settings.box.workers or os.cpu_count() or 1)


@asynccontextmanager
async def looker(
    folder: Path, settings: Settings, *, beside: Path, allow_hosts: Sequence[str] = ()
) -> AsyncIterator[Poller]:
    """Open what it takes to look at sources, with a database of its own in an empty folder.

    The settings' file is, or would be, in the folder `beside`.
    """
    state = State.open(folder / "state.db", origin=settings.newsroom.origin)
    try:
        fetcher = fetcher_of(settings, beside, more_hosts=allow_hosts)
        async with fetcher as opened, _box(settings) as box:
            yield poller_of(settings, state, opened, box)
    finally:
        state.close()


def fetcher_of(settings: Settings, folder: Path, *, more_hosts: Sequence[str] = ()) -> Fetcher:
    """Return what asks sources, as the settings, whose file is in `folder`, say."""
    fetch = settings.fetch
    return Fetcher(
        allow_hosts=[*fetch.allow_hosts, *more_hosts],
        timeout_s=fetch.timeout_s,
        user_agent=fetch.user_agent or USER_AGENT,
        proxy=fetch.proxy,
        secret=_header(folder / fetch.secret, hosts_of(settings)) if fetch.secret else None,
        robots=fetch.robots,
        per_host=fetch.per_host,
    )


def hosts_of(settings: Settings) -> frozenset[str]:
    """Return the newsroom's own hosts: its site's and its feeds'."""
    addresses = [settings.newsroom.home, *(feed.url for feed in settings.feeds)]
    found = (urlsplit(each).hostname for each in addresses)
    return frozenset(host for host in found if host)


def _header(file: Path, hosts: frozenset[str]) -> Secret:
    """Return the header by which the newsroom knows this mirror."""
    try:
        name, _, value = file.read_text("ascii").strip().partition(":")
        return Secret(name.strip(), value.strip(), hosts)
    except OSError as e:
        raise SettingsError(f"{file}: the newsroom's header is not readable: {e.strerror}") from e
    except ValueError as e:
        raise SettingsError(f"{file}: one line, Name: value, was expected: {e}") from e


def poller_of(settings: Settings, state: State, fetcher: Fetcher, box: Box) -> Poller:
    """Return what polls the sources that the settings name."""
    return Poller(
        *([_source(feed) for feed in settings.feeds], settings.newsroom.lang, state),
        *(fetcher, box, settings.fetch.parallel),
        rules={site.host: site.rules for site in settings.sites},
        hosts=hosts_of(settings),
        pictures=settings.pictures.fetch,
        large_px=settings.pictures.large_px,
    )


def _source(feed: FeedSettings) -> Source:
    zone = _zone(feed.timezone) if feed.timezone else b""
    fields = Fields(**feed.fields.model_dump()) if feed.fields.entry else None
    return Source(feed.url, feed.text, Reading(fields, feed.lang, zone))


def _zone(name: str) -> bytes:
    """Return a time zone's file: a worker, which converts dates by it, can open none."""
    for folder in zoneinfo.TZPATH:
        file = Path(folder, name)
        if file.is_file():
            return file.read_bytes()
    return (resources.files("tzdata") / "zoneinfo" / name).read_bytes()


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


def health_of(path: Path, settings: Settings, database: Database, *, now: int) -> Health:
    """Return how the mirror is whose settings are at `path`."""
    trusted = newest_root(path.parent / settings.paths.site / "trust")
    feeds = [feed.url for feed in settings.feeds]
    return look(database, feeds=feeds, root=(trusted.version, trusted.expires), now=now)


def database_beside(path: Path, settings: Settings) -> Database:
    """Open the database that the settings name, also while a daemon runs on it."""
    file = path.parent / settings.paths.state
    return Database.beside(file, origin=settings.newsroom.origin)


def _keys(settings: Settings, folder: Path) -> tuple[Keys, root.Root]:
    """Return the secrets that the settings name, and the site's newest root, which names them."""
    held = folder / settings.paths.keys
    keys = Keys.load(held, origin=settings.newsroom.origin)
    trusted = newest_root(folder / settings.paths.site / "trust")
    log = trusted.open
    own = dataclasses.replace(keys.log_entry, cosigners=log.cosigners, quorum=log.quorum)
    others = keys.public("minisign"), keys.public("ssh")
    if log.origin != own.origin:
        said = f"these settings say {own.origin}, the root {log.origin}"
        raise SettingsError(f"newsroom.origin: {said}: an origin never changes")
    if log != own or (trusted.minisign, trusted.ssh) != others:
        raise SettingsError(f"{held}: root {trusted.version} names other keys than these")
    return keys, trusted


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
