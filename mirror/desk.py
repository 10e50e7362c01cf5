"""What a cycle works with, what it is told to do, and what it tells of it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from mirror import decide, edition
from mirror.agenda import Agenda, Pace
from mirror.backfill import Backfills
from mirror.dag import Dag
from mirror.formats.paths import CHECKPOINT
from mirror.hold import Hold
from mirror.memory import Memory
from mirror.poll import Poller, Source
from mirror.press import Press
from mirror.recheck.pictures import Pictures
from mirror.signer import Signer, listing
from mirror.state import State
from mirror.stores import Store
from mirror.threads import in_thread
from mirror.withdrawal import Withdrawals

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Summary:
    """What a cycle did, counted; `problems` and `warnings` are for the operator."""

    new: int = 0
    revised: int = 0
    unchanged: int = 0
    held: int = 0
    refused: int = 0
    late: int = 0
    """Left for the next poll: there was no time for them."""
    waiting: int = 0
    """How many are not signed yet, after this cycle."""
    feeds: int = 0
    feeds_unchanged: int = 0
    feeds_failed: int = 0
    rechecked: int = 0
    """Pages that were asked again, as planned."""
    quarantined: int = 0
    """How many entries are not tried now, after this cycle."""
    log_size: int = 0
    stores: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a cycle works with; built once, by `build`."""

    poller: Poller
    signer: Signer
    site: Store
    interval_s: int = 900
    """Between two polls of a feed that brings nothing new."""
    delay_s: int = 0
    """What is new waits so long before it is signed."""
    dag: Dag | None = None
    shortest_s: int = 0
    """Between two polls of a feed that changes all the time; 0 for `interval_s`."""
    recheck: bool = False
    """Pages that articles were taken from are asked again, by the plan."""
    jitter: Callable[[], float] = field(default=lambda: 0.0)
    """From -1 to 1: no two polls are the same time apart, so that no pattern shows."""

    @property
    def press(self) -> Press:
        """What writes the site."""
        return Press(self.signer, self.site, self.dag)

    @property
    def agenda(self) -> Agenda:
        """When each feed is due."""
        return Agenda(self.state.db)

    @property
    def hold(self) -> Hold:
        """What waits, and what the operator said about it."""
        return Hold(self.state.db)

    @property
    def memory(self) -> Memory:
        """What is remembered of sources, and when they are asked again."""
        pace = Pace(min(self.shortest_s or self.interval_s, self.interval_s), self.interval_s)
        return Memory(self.state, pace, self.jitter, recheck=self.recheck)

    def rules(self, *, now: int) -> decide.Rules:
        """Return what is decided by now: the operator may change it at any time."""
        configured = {source.url for source in self.poller.sources}
        times = {"delay_s": self.delay_s, "now": now}
        return decide.Rules.at_present(self.state, self.hold, configured, **times)

    @property
    def state(self) -> State:
        """The database, which both halves share."""
        return self.signer.state


def to_do(desk: Desk, *, now: int) -> list[Source] | None:
    """Return the feeds that are to be asked now; None if a cycle would do nothing at all."""
    urls = [source.url for source in desk.poller.sources]
    due = set(desk.agenda.due(urls, now=now))
    log = desk.state.log()
    waits = log.published < log.size or (log.size and now - log.cosigned >= edition.REFRESH_S)
    waits = waits or desk.hold.is_due(now=now, delay_s=desk.delay_s)
    waits = (
        waits or bool(desk.memory.rechecks(now=now)) or bool(Withdrawals(desk.state.db).pending())
    )
    waits = waits or Backfills(desk.state.db).is_due(now=now)
    waits = waits or listing.is_due(desk.state.db, now=now)
    if not waits and desk.poller.pictures:
        waits = bool(Pictures(desk.state.db).due(now=now, most=1))
    sources = [source for source in desk.poller.sources if source.url in due]
    return sources if sources or waits else None


async def relist(desk: Desk, *, now: Callable[[], int]) -> bool:
    """Publish the list of mirrors if it is to be another; return whether.

    Before any feed is asked: readers wait for a mirror that works.

    Raises:
        StateError: to go on could sign a fork.
        StoreError: the site's folder or the database could not be written.
    """
    if not await in_thread(listing.is_due, desk.state.db, now=now()):
        return False
    desk.signer.check_root(now=now())
    desk.signer.check_not_behind(desk.site.name, await desk.site.get(CHECKPOINT))
    await desk.press.publish(now=now)  # what a crash left appended and unpublished
    await desk.press.settle()
    done = await in_thread(desk.signer.relist, now=now())
    await desk.press.publish(now=now)
    if done:
        logger.info("the list of mirrors was published anew")
    return done
