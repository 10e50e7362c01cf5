"""A round of looks at the mirrors that are due, and what is thought of them afterwards.

Controls look last: a mirror that dies between two looks must not seem to work outside only. One
mirror or one place that fails delays no other, and what was seen is kept in one transaction.
"""

import asyncio
import logging
import random
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from mirror.database import Database
from mirror.errors import StateError, StoreError
from mirror.fetch import Fetcher
from mirror.guard import PORTS, is_onion
from mirror.mirrors import Mirror, Mirrors, Probe, Role
from mirror.mirrors.own import Own
from mirror.mirrors.probe import FETCH_S, probe
from mirror.mirrors.states import OLD, Sight, deaf, judge, sights
from mirror.mirrors.vantage import HERE, Vantage, VantageError, opened
from mirror.threads import in_thread

logger = logging.getLogger(__name__)

PARALLEL = 16  # looks at once: each is one connection, and some kilobytes of memory
PER_HOST = 2  # at once to one name: filters take more for a sign of a hidden service
AGENT = "Mozilla/5.0"  # as readers' programs begin: who lies to readers must not know who looks
SPREAD_S = 10.0  # over which the looks of a round begin, so that they are no pattern


@dataclass(frozen=True, slots=True)
class Change:
    """What was thought of a mirror, and what is now."""

    before: Mirror
    after: Mirror


@dataclass(frozen=True, slots=True)
class Round:
    """What was seen, what changed by it, and which vantages, by name, did not work and why."""

    probes: tuple[Probe, ...]
    changes: tuple[Change, ...]
    unheard: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks, and how.

    Without any vantage, this machine looks. `spares` are kept for later, whatever role they have
    meanwhile. `fetcher` returns what asks the host and port, where
    they are not the web's own, over the proxy, within seconds.
    """

    own: Own
    vantages: tuple[Vantage, ...] = (HERE,)
    every_s: int = 300
    spread_s: float = SPREAD_S
    fetch_s: float = FETCH_S
    spares: frozenset[str] = frozenset()
    fetcher: Callable[[Sequence[str], str, float], Fetcher] = field(
        default=lambda hosts, proxy, fetch_s: Fetcher(
            allow_hosts=hosts, proxy=proxy, timeout_s=fetch_s, user_agent=AGENT, mirrors=True
        )
    )

    @property
    def places(self) -> tuple[Vantage, ...]:
        """All from where is looked."""
        return self.vantages or (HERE,)


def keep_known(db: Database, named: Iterable[tuple[str, Role]], *, now: int) -> list[Mirror]:
    """Let the table have the mirrors that the settings name, by address and role; return them.

    Roles are the settings' ones. Those that they no longer name are forgotten.
    """
    roles, mirrors = dict(named), Mirrors(db)
    if {each.url: each.role for each in mirrors.rows()} != roles:
        with db.transaction():
            rows = mirrors.rows()
            for each in known(rows, roles.items(), now=now):
                mirrors.put(each)
            for url in {each.url for each in rows} - roles.keys():
                mirrors.forget(url)
                mirrors.note("forgotten", url, "the settings name it no longer", now=now)
    return mirrors.rows()


def known(rows: Iterable[Mirror], named: Iterable[tuple[str, Role]], *, now: int) -> list[Mirror]:
    """Return the mirrors that the settings name, with what is known of them, by address."""
    held = {each.url: each for each in rows}
    return [
        replace(held.get(url, Mirror(url, role, since=now)), role=role)
        for url, role in sorted(dict(named).items())
    ]


async def look(
    db: Database,
    watch: Watch,
    *,
    only: Collection[str] | None = None,
    now: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Round:
    """Look at the mirrors that are due, or at those of `only`, and keep what is thought of them.

    Raises:
        StoreError: the disk is full or failing; nothing was kept.
        StateError: the database is damaged.
    """
    begun = now()
    rows = await in_thread(Mirrors(db).rows)
    chosen = [
        each.url for each in rows if (each.due <= begun if only is None else each.url in only)
    ]
    if not chosen:
        return Round((), ())
    spares = {each.url for each in rows if each.announced is None and _is_spare(each, watch)}
    party = _Party(watch, now, sleep)
    await party.look(chosen, spares)
    found = await in_thread(_kept, db, watch, party, chosen, now())
    _log(found)
    return found


def _is_spare(mirror: Mirror, watch: Watch) -> bool:
    return mirror.role == "spare" or mirror.url in watch.spares


def _shown_to(place: Vantage, urls: Iterable[str], spares: Collection[str]) -> list[str]:
    """Return what may be looked at from a place: a filter reads the names that pass it."""
    inside = place.country and not place.control
    return [url for url in urls if not (inside and url in spares)]


def _log(found: Round) -> None:
    for change in found.changes:
        logger.info("%s: %s: %s", change.after.url, change.after.state, change.after.reason)
    for name, reason in found.unheard.items():
        logger.warning("vantage %s: not heard: %s", name, reason)


class _Party:
    """Those who look in one round, and what they saw."""

    def __init__(
        self, watch: Watch, now: Callable[[], int], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self.probes: list[Probe] = []
        self.unheard: dict[str, str] = {}
        self._problem: StateError | StoreError | None = None
        self._watch, self._now, self._sleep = watch, now, sleep
        self._places = asyncio.Semaphore(PARALLEL)
        self._hosts: dict[str, asyncio.Semaphore] = {}

    async def look(self, urls: Collection[str], spares: Collection[str]) -> None:
        """Look at `urls` from all places, from the controls last; raise what stops the round."""
        for last in (False, True):
            async with asyncio.TaskGroup() as group:
                for place in self._watch.places:
                    if place.control is last:
                        group.create_task(self._look_from(place, _shown_to(place, urls, spares)))
        if self._problem:
            raise self._problem

    async def _look_from(self, vantage: Vantage, urls: Iterable[str]) -> None:
        """Look at all `urls`; what stops the place itself is not told of them."""
        seen: list[Probe] = []
        unseen: dict[str, str] = {}
        try:
            async with opened(vantage) as proxy, asyncio.TaskGroup() as group:
                for url in urls:
                    if vantage.reaches(urlsplit(url).hostname or ""):
                        group.create_task(self._look(vantage, proxy, url, seen, unseen))
        except VantageError as e:
            self.unheard[vantage.name] = str(e)
        if unseen and not seen:
            self.unheard[vantage.name] = next(iter(unseen.values()))
        elif unseen:  # a proxy that serves others says so, in its way, of a mirror that is dead
            at = self._now()
            seen += [Probe(url, vantage.name, at, "tcp_ip", why) for url, why in unseen.items()]
        self.probes += seen

    async def _look(
        self, vantage: Vantage, proxy: str, url: str, seen: list[Probe], unseen: dict[str, str]
    ) -> None:
        await self._sleep(random.uniform(0, self._watch.spread_s))  # noqa: S311 - no secret
        own, fetch_s, hosts = self._watch.own, self._watch.fetch_s, odd_ports(url)

        def fetcher() -> Fetcher:
            return self._watch.fetcher(hosts, proxy, fetch_s)

        async with self._turn(urlsplit(url).netloc):
            try:
                now = self._now()
                seen.append(await probe(url, vantage, own, fetcher=fetcher, now=now))
            except VantageError as e:
                unseen[url] = str(e)
            except (StateError, StoreError) as e:
                self._problem = e

    @asynccontextmanager
    async def _turn(self, host: str) -> AsyncIterator[None]:
        places = self._hosts.setdefault(host, asyncio.Semaphore(PER_HOST))
        async with places, self._places:
            yield


def odd_ports(url: str) -> list[str]:
    """Return `host:port` where the port is none of the web's: the operator has named it."""
    parts = urlsplit(url)
    return [parts.netloc] if parts.port not in (None, *PORTS.values()) else []


def _kept(db: Database, watch: Watch, party: _Party, urls: Collection[str], now: int) -> Round:
    """Keep what was seen, and judge by all that was seen lately."""
    mirrors, places = Mirrors(db), watch.places
    with db.transaction():
        mirrors.add(party.probes, now=now)
        rows = mirrors.rows()  # who rotates may have written meanwhile
        since = now - 2 * OLD * watch.every_s
        history = {each.url: mirrors.history(each.url, since=since) for each in rows}
        seen = {
            url: sights(probes, places, now=now, every_s=watch.every_s)
            for url, probes in history.items()
        }
        unheard = {**deaf(seen, rows), **party.unheard}
        heard = [each for each in places if each.name not in unheard]
        changes = []
        for row in rows:
            if row.url not in urls:
                continue
            ears = _with_tor(heard, seen) if _is_onion(row.url) else heard
            new = judge(row, history[row.url], vantages=ears, now=now, every_s=watch.every_s)
            mirrors.put(new)
            if (new.state, new.blocked_in) != (row.state, row.blocked_in):
                mirrors.note(f"is {new.state}", row.url, new.reason, now=now)
                changes.append(Change(row, new))
    return Round(tuple(party.probes), tuple(changes), unheard)


def _with_tor(heard: Sequence[Vantage], seen: Mapping[str, Sequence[Sight]]) -> Sequence[Vantage]:
    """Return those behind which is Tor, as far as any is known to be: they saw an onion work.

    The settings do not say of a SOCKS proxy what it is.
    """
    onions = [each for url, some in seen.items() if _is_onion(url) for each in some]
    names = {each.vantage.name for each in onions if each.works}
    return [each for each in heard if each.name in names] or heard


def _is_onion(url: str) -> bool:
    return is_onion(urlsplit(url).hostname or "")
