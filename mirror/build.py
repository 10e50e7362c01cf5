"""From settings to objects: what a cycle works with."""

import dataclasses
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mirror.article.page import Masthead
from mirror.box import Box
from mirror.cycle import Desk
from mirror.errors import FormatError, SettingsError
from mirror.fetch import USER_AGENT, Fetcher
from mirror.formats import root
from mirror.keys import Keys
from mirror.poll import Poller, Source
from mirror.settings import Settings
from mirror.signer import Signer
from mirror.state import State
from mirror.stores.dir import DirStore


@asynccontextmanager
async def desk(path: Path) -> AsyncIterator[Desk]:
    """Open everything that the settings file at `path` names; close it at the end.

    Raises:
        SettingsError: the file, a secret or the site's root is not usable.
        StateError: the database is in use, or another log's.
    """
    settings = Settings.load(path)
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
            yield Desk(poller, signer, DirStore(site))
    finally:
        state.close()


def _check_keys(keys: Keys, trusted: root.Root, folder: Path) -> None:
    log = trusted.open
    own = dataclasses.replace(keys.log_entry, cosigners=log.cosigners, quorum=log.quorum)
    others = keys.public("minisign"), keys.public("ssh")
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
