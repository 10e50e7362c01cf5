"""Public addresses are tried before they are announced to anybody, and every week from then on.

From where nothing is filtered: a block is no bad habit, and whoever reads what passes a filter must
not learn of a spare.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from urllib.parse import urlsplit

from mirror.agenda import Agenda
from mirror.database import Database
from mirror.errors import FetchError, StateError, StoreError
from mirror.mirrors import UNFIT, Mirror, Mirrors, Role
from mirror.mirrors.own import Own
from mirror.mirrors.vantage import HERE, Vantage, opened
from mirror.mirrors.watch import odd_ports
from mirror.threads import in_thread
from mirror.trial.judge import Finding
from mirror.trial.published import try_published
from mirror.trial.verdicts import Tried, Verdict, forget_others, keep, verdicts
from mirror.trial.wire import Asker, Wire

logger = logging.getLogger(__name__)

ASK_S = 10.0  # one file: who takes longer is no mirror that a reader waits for
TRIAL_S = 60.0  # nine files, also over Tor
PARALLEL = 8
"""Hosts in a round, all at once and one address of each: if all of them hang, those of the next
round wait for two minutes."""
PLACES = 2  # from where one that does not answer is asked: a control may be down as well


@dataclass(frozen=True, slots=True)
class Trials:
    """Who tries addresses, and against which site.

    `here` tries, and no spare, where all `places` are before a filter. `wire` returns what asks
    the host and port, where they are not the web's own, over the proxy.
    """

    own: Own
    site: Path
    places: tuple[Vantage, ...] = (HERE,)
    here: Vantage = HERE
    wire: Callable[[Sequence[str], str], Asker] = field(
        default=lambda hosts, proxy: Wire(allow_hosts=hosts, proxy=proxy, timeout_s=ASK_S)
    )


async def try_due(
    db: Database,
    trials: Trials,
    named: Mapping[str, Role],
    *,
    only: Collection[str] | None = None,
    now: Callable[[], int],
) -> list[Tried]:
    """Try the addresses that are due, or those of `only`, and keep what is thought of them.

    `named` are those of the settings, each with the role that it has there. What is found by those
    of `only` counts at once, as an operator's own order.

    Raises:
        StoreError: the disk is full or failing.
        StateError: the database is damaged.
    """
    rows = {each.url: each for each in await in_thread(Mirrors(db).rows)}
    spares = {url for url, role in named.items() if role == "spare" and not _listed(rows.get(url))}
    due = await in_thread(_due, db, named, rows, now()) if only is None else only
    chosen = sorted(set(due) & named.keys(), key=_host)
    works = {url for url, row in rows.items() if row.state in ("healthy", "blocked")}
    party = _Party(trials, spares, works, now)
    async with asyncio.TaskGroup() as group:
        for _, some in groupby(chosen, key=_host):
            group.create_task(party.try_some(list(some)))
    if party.problem:
        raise party.problem
    await in_thread(_kept, db, party.tried, named, now(), only is None)
    return party.tried


def _due(
    db: Database, named: Mapping[str, Role], rows: Mapping[str, Mirror], now: int
) -> list[str]:
    """Return the addresses to be tried in this round, none that is in no list anyway."""
    known = {url: Verdict(url) for url in named} | verdicts(db)
    due = [url for url in named if known[url].is_due(now) and not _fails(rows.get(url))]
    due = sorted((url for url in due if named[url] != "private"), key=lambda url: known[url].due)
    one_a_host = {_host(url): url for url in reversed(due)}
    return [url for url in due if url in one_a_host.values()][:PARALLEL]


def _fails(row: Mirror | None) -> bool:
    """Return whether one fails as a mirror, of which they decide who look."""
    if row is None:
        return False
    return row.state in ("down", "lying") or (row.state == "suspect" and _listed(row))


def _listed(row: Mirror | None) -> bool:
    return row is not None and row.announced is not None


def _host(url: str) -> str:
    return urlsplit(url).netloc


class _Party:
    """Those who try in one round, and what they found."""

    def __init__(
        self,
        trials: Trials,
        spares: Collection[str],
        works: Collection[str],
        now: Callable[[], int],
    ) -> None:
        self.tried: list[Tried] = []
        self.problem: StateError | StoreError | None = None
        self._trials, self._spares, self._works, self._now = trials, spares, works, now
        self._turns = asyncio.Semaphore(PARALLEL)

    async def try_some(self, urls: Iterable[str]) -> None:
        """Try addresses of one host, one after the other."""
        async with self._turns:
            for url in urls:
                try:
                    self.tried.append(await self._tried(url))
                except (StateError, StoreError) as e:
                    self.problem = e

    async def _tried(self, url: str) -> Tried:
        problem = "no place without a filter to try it from"
        for place in _places(self._trials, url, secret=url in self._spares):
            try:
                async with asyncio.timeout(TRIAL_S), opened(place) as proxy:
                    findings = await self._asked(url, self._trials.wire(odd_ports(url), proxy))
            except FetchError as e:
                problem = f"from {place.shown}: {e}"
            except TimeoutError:
                problem = f"from {place.shown}: too slow: not done in {TRIAL_S:g} s"
            else:
                lacks = self._lacks(url, findings)
                return Tried(url, () if lacks else findings, lacks)
        return Tried(url, problem=problem)

    async def _asked(self, url: str, wire: Asker) -> tuple[Finding, ...]:
        noise, trials, now = secrets.token_bytes(32), self._trials, self._now()
        return tuple(await try_published(url, wire, trials.own, trials.site, noise=noise, now=now))

    def _lacks(self, url: str, findings: Iterable[Finding]) -> str:
        """Return what a mirror lacks that nobody saw work: it may only be on its way there."""
        lost = [each.saw for each in findings if each.what == "files" and each.level == "bad"]
        return lost[0] if lost and url not in self._works else ""


def _places(trials: Trials, url: str, *, secret: bool) -> list[Vantage]:
    """Return from where an address is tried, controls first."""
    found = [each for each in trials.places if each.control or not each.country]
    if not found and not secret:
        found = [trials.here]
    host = urlsplit(url).hostname or ""
    return sorted((e for e in found if e.reaches(host)), key=lambda e: not e.control)[:PLACES]


def _kept(
    db: Database, some: Iterable[Tried], named: Collection[str], now: int, twice: bool
) -> None:
    """Keep what was found, and let the operator know what changes by it."""
    if not some and verdicts(db).keys() <= set(named):  # as a rule: nothing is written then
        return
    mirrors = Mirrors(db)
    with db.transaction():
        forget_others(db, named)
        for each in some:
            jitter = random.uniform(-1, 1)  # noqa: S311
            old, new = keep(db, each, now=now, jitter=jitter, twice=twice)
            if new.fit is False and old.fit is not False:
                mirrors.note(UNFIT, each.url, new.reason, now=now)
                Agenda(db).alert([f"mirrors: {each.url} is not announced: {new.reason}"], now=now)
                logger.warning("%s: not announced: %s", each.url, new.reason)
            elif new.fit and not old.fit:
                mirrors.note("is fit", each.url, "nothing found that harms readers", now=now)
            elif new.fit and new.faults:
                logger.info("%s: %s", each.url, new.reason)
            elif new.problem:
                logger.info("%s: not tried: %s", each.url, new.problem)
