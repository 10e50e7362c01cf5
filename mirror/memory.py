"""What is remembered of what was found, once it is dealt with, and of when to ask again.

All of it in one transaction: a crash before it means that the same is found, and decided, again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from mirror.agenda import Agenda, Lease, Pace
from mirror.article.entry import Entry
from mirror.backfill import Backfills, Order
from mirror.formats.paths import short_id
from mirror.hold import Hold
from mirror.ledger import Ledger
from mirror.poll import Found, Poll, Source
from mirror.quarantine import Quarantine, Trouble
from mirror.recheck import Recheck, Rechecks
from mirror.recheck.pictures import Pictures
from mirror.state import State

LEASE_S = 120  # after a poll that a crash ended: a source that brings it about is not hammered
RECHECKS = 32  # pages a cycle: with 200 articles a day, some 4,000 of them are asked again a day
ORDERS = 8  # archives that go on in one cycle: feeds with news are not to wait for all of them
ARCHIVED_STEP = 15  # of the plan: what is old is asked again four times in 30 days, and not 19
LINKED_STEP = 9  # where only a removal could be seen: first after six hours, then ten times
FEW_MISSING, MANY_MISSING = 5, 0.2
"""Where more than these are not there, of one feed's pages, the site has moved, or a filter stands
before it: that marks nothing as removed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of something that feed `source` brought."""

    source: str
    found: Found
    problem: str
    """Why it is not published, "" if it is, or waits, or is nothing new."""
    left: bool
    """There was no room or no time for it: to be met again."""
    decided: bool
    """It is new or changed."""

    @property
    def dealt(self) -> bool:
        """Whether the article was published, waits, or is nothing new."""
        return self.found.article is not None and not self.problem and not self.left

    @property
    def trouble(self) -> Trouble | None:
        """Why its entry is not to be tried at every poll, if so."""
        found = self.found
        if found.recheck or found.archived or found.completes or not self.problem:
            return None
        kind: Literal["held", "refused"] = "held" if found.held else "refused"
        said = found.digest, kind, self.problem
        return Trouble(found.key, self.source, found.name, *said, retry_s=found.retry_s)


@dataclass(frozen=True, slots=True)
class Memory:
    """The tables that say what to ask, and what to leave alone."""

    state: State
    pace: Pace
    jitter: Callable[[], float]
    recheck: bool

    @property
    def agenda(self) -> Agenda:
        """When each feed is due."""
        return Agenda(self.state.db)

    @property
    def quarantine(self) -> Quarantine:
        """The entries that are not to be tried now."""
        return Quarantine(self.state.db)

    @property
    def plans(self) -> Rechecks:
        """When each page is asked again."""
        return Rechecks(self.state.db)

    def rechecks(self, *, now: int) -> list[Recheck]:
        """Return the pages to be asked again now."""
        return self.plans.due(now=now, most=RECHECKS) if self.recheck else []

    def orders(self, *, now: int) -> list[Order]:
        """Return the archives that are to go on now."""
        return Backfills(self.state.db).due(now=now, most=ORDERS)

    def lease(self, due: Iterable[Source], *, now: int) -> list[Lease]:
        """Note that these are being asked: not to be asked at once if that ends in a crash."""
        with self.state.transaction():
            return self.agenda.lease([each.url for each in due], now=now, lease_s=LEASE_S)

    def release(self, left: Iterable[Lease]) -> None:
        """Note that these were not asked after all."""
        with self.state.transaction():
            self.agenda.release(left)

    def is_gone(self, found: Found, *, now: int) -> bool:
        """Note that a page was not there; return whether that has been so for long enough.

        And for itself alone: see `MANY_MISSING`.
        """
        plan = found.recheck
        if plan is None:
            return False
        with self.state.transaction():
            gone = self.plans.missing(plan.short, now=now)
        return gone and not self.many_missing(plan.source)

    def many_missing(self, source: str) -> bool:
        """Return whether so many of a feed's pages are not there that none counts as removed."""
        missing, asked = self.plans.share_missing(source)
        return FEW_MISSING < missing > asked * MANY_MISSING

    def is_current(self, found: Found) -> bool:
        """Return whether nothing was published of it since its page was planned to be asked again.

        What its feed has corrected meanwhile would be taken back.
        """
        return found.recheck is None or self.plans.is_current(found.recheck)

    def keep(
        self,
        polls: Sequence[Poll],
        outcomes: Sequence[Outcome],
        done: Sequence[Poll],
        *,
        now: int,
    ) -> None:
        """Remember what polls brought; `done` are those of which nothing is left."""
        with self.state.transaction():
            for each in outcomes:
                self._keep(each, now=now)
            self.quarantine.put([each.trouble for each in outcomes if each.trouble], now=now)
            for poll in done:
                self._done(poll, now=now)
            for poll in polls:
                if poll.answer:
                    self.agenda.put_asked(
                        poll.source.url, poll.answer, now=now, pace=self.pace, jitter=self.jitter()
                    )
            self._keep_orders(polls, done, now=now)

    def _keep(self, outcome: Outcome, *, now: int) -> None:
        found = outcome.found
        if found.visit:
            Pictures(self.state.db).came(found.visit, now=now)
        if found.completes:
            return  # of its entry and its page there is nothing new
        if found.recheck:
            self._checked(outcome, found.recheck, now=now)
        elif outcome.dealt:
            self._dealt(outcome, now=now)
        elif found.held and found.entry and self.recheck:
            self._look_for(outcome, found.entry, now=now)

    def _keep_orders(self, polls: Sequence[Poll], done: Sequence[Poll], *, now: int) -> None:
        backfills, ended = Backfills(self.state.db), [each.order for each in done if each.order]
        for order in ended:
            backfills.put(order)
        left = {each.order.url for each in polls if each.order} - {each.url for each in ended}
        backfills.put_off(left, now=now)

    def _done(self, poll: Poll, *, now: int) -> None:
        if poll.keys is not None:
            self.quarantine.forget_absent(poll.source.url, poll.keys, now=now)
        if poll.seen:
            self.state.put_feed(poll.source.url, poll.seen)

    def _dealt(self, outcome: Outcome, *, now: int) -> None:
        found = outcome.found
        first = self.state.seen(found.key) is None  # a crash may have come after its publication
        self.state.put_seen({found.key: found.digest})
        self.quarantine.clear([found.key])
        short = self._short(found)
        if found.entry is None:
            if found.linked and self.recheck and (outcome.decided or first):
                step = max(LINKED_STEP, ARCHIVED_STEP if found.archived else 0)
                self.plans.plan(short, outcome.source, found.linked, now=now, step=step)
            return
        Ledger(self.state.db).note(found.site, short, found.prints)
        if self.recheck and (outcome.decided or first):
            step = ARCHIVED_STEP if found.archived else 0
            self.plans.plan(
                short, outcome.source, found.entry, now=now, step=step, known=found.page
            )

    def _look_for(self, outcome: Outcome, entry: Entry, *, now: int) -> None:
        """Go on asking for the page of an article to be, also when its feed has forgotten it."""
        short = self._short(outcome.found)
        if not self.plans.has(short):
            self.plans.plan(short, outcome.source, entry, now=now)
            self.plans.failed(short, now=now, retry_s=outcome.found.retry_s)

    def _checked(self, outcome: Outcome, plan: Recheck, *, now: int) -> None:
        found, got = outcome.found, outcome.found.page
        if not self.plans.is_current(plan):
            return  # its feed brought an edit at the same time
        if self._short(found) != plan.short:  # its names have become another article's
            self.plans.forget_page(plan.short)
        elif outcome.dealt and outcome.decided and found.entry:
            self.quarantine.clear([found.key])
            Ledger(self.state.db).note(found.site, plan.short, found.prints)
            self.plans.plan(plan.short, plan.source, found.entry, now=now, known=got)
        elif outcome.left or (outcome.problem and not found.missing):
            self.plans.failed(plan.short, now=now, retry_s=found.retry_s)
        elif not found.missing and not _is_marked(found):
            self.plans.checked(plan.short, now=now, etag=got.etag, last_modified=got.last_modified)

    def _short(self, found: Found) -> str:
        held = self.state.find(found.identity.keys) or Hold(self.state.db).find(found.identity.keys)
        return held.short if held else short_id(found.identity.id)


def _is_marked(found: Found) -> bool:
    """Return whether this is no page that was had, but the mark that there is none."""
    return found.article is not None and bool(found.article.gone)
