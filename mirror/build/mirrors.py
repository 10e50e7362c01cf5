"""From settings to those who look after the mirrors, and to whom they tell what was done."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from mirror import dns, notify
from mirror.build import database_beside, newest_root
from mirror.database import Database
from mirror.mirrors import Mirrors, Role
from mirror.mirrors import watch as watching
from mirror.mirrors.own import Own
from mirror.mirrors.vantage import HERE, Vantage
from mirror.mirrors.watch import keep_known
from mirror.rotate import Outlets, Publish, Tell, rotate, rotate_always
from mirror.settings import Settings
from mirror.settings.outside import Dns
from mirror.threads import in_thread
from mirror.trial.rounds import Trials, try_due
from mirror.trial.verdicts import verdicts

logger = logging.getLogger(__name__)

LOOKS = 10  # at which mirrors are due, in the time between two looks at one: some are, sooner


async def look_after(
    path: Path, settings: Settings, *, now: Callable[[], int], outlets: Outlets | None = None
) -> None:
    """Look at the mirrors that the settings name, and replace what died, until cancelled.

    `outlets` are told in place of those that the settings name.

    Raises:
        SettingsError: there is no database yet, or it is another log's.
        StateError: the database is damaged.
    """
    outlets = outlets or outlets_of(path, settings)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_replaced(path, settings, outlets, now))
            group.create_task(_tried(path, settings, now))
    except ExceptionGroup as e:  # one is enough to end both, and to tell why
        raise e.exceptions[0] from e


async def _replaced(
    path: Path, settings: Settings, outlets: Outlets, now: Callable[[], int]
) -> None:
    """Look at the mirrors, and replace what died, until cancelled."""
    with closing(database_beside(path, settings)) as database:
        watch = watch_of(path, settings, _own(path, settings, database))

        async def looked() -> None:
            await in_thread(_keep_known, settings, database, now())
            await watching.look(database, watch, now=now)

        async def turned() -> None:
            await in_thread(_keep_known, settings, database, now())
            private = [url for url, role in dict(addresses(settings)).items() if role == "private"]
            most = settings.watch.changes_per_day
            await rotate(database, outlets, private=private, now=now, changes_per_day=most)

        await rotate_always(looked, turned, every_s=settings.watch.every_s / LOOKS)


async def _tried(path: Path, settings: Settings, now: Callable[[], int]) -> None:
    """Try what is due until cancelled.

    Beside those who look, over a connection of its own: a place that answers slowly, which costs
    its owner nothing, would else hold up what is done about a block.
    """
    with closing(database_beside(path, settings)) as database:
        trials = trials_of(path, settings, _own(path, settings, database))

        async def tried() -> None:
            await try_due(database, trials, dict(addresses(settings)), now=now)

        await rotate_always(tried, every_s=settings.watch.every_s / LOOKS)


def _own(path: Path, settings: Settings, database: Database) -> Own:
    return Own(database, newest_root(path.parent / settings.paths.site / "trust"))


def _keep_known(settings: Settings, db: Database, now: int) -> None:
    keep_known(db, mirrors_named(settings, db), now=now)


def addresses(settings: Settings) -> list[tuple[str, Role]]:
    """Return each public address that the settings name, with the role that it has there."""
    stores: list[tuple[str, Role]] = [(e.public, e.role) for e in settings.stores if e.public]
    return stores + [(each.url, each.role) for each in settings.mirrors]


def mirrors_named(settings: Settings, db: Database) -> list[tuple[str, Role]]:
    """Return the address and role of each mirror that the settings name.

    One that would do readers harm, and one that nobody tried yet and that is not announced, is
    private.
    """
    known = verdicts(db)
    listed = {each.url for each in Mirrors(db).announced()}

    def role_of(url: str, role: Role) -> Role:
        fit = known[url].fit if url in known else None
        return role if fit or (fit is None and url in listed) else "private"

    return [(url, role_of(url, role)) for url, role in addresses(settings)]


def watch_of(path: Path, settings: Settings, own: Own) -> watching.Watch:
    """Return who looks at mirrors as the settings, whose file is at `path`, say.

    Where they name no vantage point, this machine looks, over the proxy that it asks sources over.
    """
    places = tuple(
        Vantage(
            *(each.name, each.country, each.proxy, each.ssh),
            secret=path.parent / each.secret if each.secret else None,
            control=each.control,
        )
        for each in settings.vantages
    )
    spares = frozenset(url for url, role in addresses(settings) if role == "spare")
    return watching.Watch(own, places or (_here(settings),), settings.watch.every_s, spares=spares)


def trials_of(path: Path, settings: Settings, own: Own) -> Trials:
    """Return who tries mirrors as the settings, whose file is at `path`, say."""
    places = watch_of(path, settings, own).places
    return Trials(own, path.parent / settings.paths.site, places, _here(settings))


def _here(settings: Settings) -> Vantage:
    return Vantage(HERE.name, proxy=settings.fetch.proxy)


def outlets_of(path: Path, settings: Settings) -> Outlets:
    """Return whom the settings, whose file is at `path`, name to be told of changes.

    Raises:
        SettingsError: a file that they name is not usable.
    """
    folder, person = path.parent, settings.watch.notify
    return Outlets(
        _publisher(folder, settings.dns) if settings.dns.server else None,
        _teller(folder / person) if person else None,
    )


def _publisher(folder: Path, there: Dns) -> Publish:
    record = dns.Record(there.server, there.port, there.zone, there.name, there.ttl_s)
    key = dns.read_key(folder / there.key)

    async def publish(addresses: Sequence[str]) -> None:
        await dns.publish(addresses, record, key)

    return publish


def _teller(file: Path) -> Tell:
    notify.read_addresses(file)

    async def tell(title: str, lines: Sequence[str]) -> bool:
        told, words = await notify.tell(title, lines, file)
        if words:
            logger.warning("%s", words)
        return told  # also if only by some: they would else hear it again and again

    return tell
