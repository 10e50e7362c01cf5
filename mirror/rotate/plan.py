"""What is to be done about the mirrors, decided from what is known of them: a pure function.

Nothing here looks at a mirror, and nothing is remembered but in what was done before (`past`), so
the same is decided again after a crash, and nothing more once it is done.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Literal
from urllib.parse import urlsplit

from mirror.mirrors import UNFIT, Mirror

DAY_S = 24 * 3600
STEADY_S = DAY_S  # of success, before one that failed is listed again: it may fail by the hour
LONG_S = 6 * 3600  # down: most outages end sooner, and a spare once announced is known for ever
TRUST_S = 30 * DAY_S  # before one that lied is listed again
WAVE = 2  # spares blocked on the day they were announced: one may be chance

Did = Literal["added", "announced", "removed", "distrusted", "held back", "kept", "left out"]
"""`added`: it is public, and works; `announced`: in place of another; `removed`, and `distrusted`
for a lie: from the list; `held back`: what was not done; `kept`: the list, as it was signed;
`left out`: what has no room in it."""

LISTED = frozenset({"added", "announced", "removed", "distrusted"})
SPENT = frozenset({"announced", "removed", "distrusted"})
"""Of a day's budget: what the operator named public is his own order, and no reaction."""

BLIND = "no mirror works as seen from here: this machine's network, more likely: nothing is changed"
HARM = (
    "more than half of the mirrors listed show a habit that harms readers: whatever stands between"
    " them and this machine, more likely: they stay listed; try them, and take those that do harm"
    " out of the settings"
)
READ = (
    "spares are blocked on the day they are announced: whoever blocks them reads the list; fewer"
    " changes_per_day make them last, and addresses of another kind may live longer"
)
NONE = "a mirror is to be replaced, and no spare is left that works: add some"
SHORT = "more is due than changes_per_day lets be done: the rest is done tomorrow, or by you"


@dataclass(frozen=True, slots=True)
class Done:
    """At `at` (Unix seconds) something was done about the mirror `url`."""

    at: int
    did: str
    url: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """`did` is to be done for a `reason`; `mirror` is then as here, None where none changes."""

    did: Did
    reason: str
    mirror: Mirror | None = None

    @property
    def url(self) -> str:
        """Of the mirror, "" for none."""
        return self.mirror.url if self.mirror else ""


def plan(
    mirrors: Iterable[Mirror],
    past: Iterable[Done],
    *,
    private: Collection[str] = (),
    now: int,
    changes_per_day: int,
) -> list[Change]:
    """Return what is to be done now, in this order; `past` is what was done, in any order.

    At most `changes_per_day` mirrors a day are put on the list or taken from it because of what
    others do to them: what goes wrong with all at once is more likely our own network. Addresses
    that are `private` are so by the operator's own word, whatever a trial found.
    """
    view = _View({each.url: each for each in mirrors}, {}, now, private).with_past(past)
    added = list(view.added())
    changes = [*view.after(added).taken_back(), *added]
    view = view.after(changes)
    wishes = [] if view.is_blind() else list(view.reactions())
    left = max(changes_per_day - view.spent(), 0)
    changes += wishes[:left]
    if view.is_blind():
        changes += view.told(BLIND)
    elif len(wishes) > left:
        changes += view.told(SHORT)
    elif view.after(wishes[:left]).lacks():
        changes += view.told(NONE)
    if view.is_doubtful():
        changes += view.told(HARM)
    if view.is_read():
        changes += view.told(READ)
    return changes


@dataclass(frozen=True, slots=True)
class _View:
    """The mirrors by their address, what was done about them, and the time."""

    mirrors: Mapping[str, Mirror]
    past: Mapping[str, Sequence[Done]]
    """By the mirror's address."""
    now: int
    private: Collection[str] = ()
    """Addresses that are so by the operator's own word."""

    def with_past(self, done: Iterable[Done]) -> "_View":
        """Return the view with some more that was done."""
        past = {url: list(some) for url, some in self.past.items()}
        for each in done:
            past.setdefault(each.url, []).append(each)
        return replace(self, past=past)

    def after(self, changes: Iterable[Change]) -> "_View":
        """Return the view once `changes` are made."""
        made = {each.url: each.mirror for each in changes if each.mirror}
        done = [Done(self.now, each.did, each.url, each.reason) for each in changes]
        return replace(self, mirrors={**self.mirrors, **made}).with_past(done)

    # What is no reaction, or costs nobody a mirror.

    def taken_back(self) -> Iterator[Change]:
        """Yield what the operator has made private, which is in no list, and what does harm."""
        kept = self._harmful() if self.is_doubtful() else []
        for each in self._listed():
            if each.role == "private" and each not in kept:
                why = self._fault(each) or "it is private"
                yield Change("removed", why, replace(each, announced=None))

    def is_doubtful(self) -> bool:
        """Return whether listed ones do harm, and with those of the last day more than half do.

        Whose address is refused somewhere sees that wherever he asks, all at once or in turn.
        """
        harmful, listed = self._harmful(), self._listed()
        lately = [each for each in harmful if each.announced is None]
        return len(harmful) > len(lately) and 2 * len(harmful) > len(listed) + len(lately)

    def _harmful(self) -> list[Mirror]:
        """Return those that trials found to harm readers, listed or removed in the last day."""
        lately = self.now - DAY_S
        return [
            each
            for each in self.mirrors.values()
            if self._fault(each)
            and (each.announced is not None or self._was(each.url, "removed", since=lately))
        ]

    def added(self) -> Iterator[Change]:
        """Yield the public ones that work and are not listed."""
        for each in self.mirrors.values():
            if each.role == "public" and self._is_usable(each):
                yield self._listing("added", "it works", each)

    # What others have done to the mirrors, and is answered as far as a day's budget goes.

    def reactions(self) -> Iterator[Change]:
        """Yield all that should be done, the most urgent first."""
        for each in self._listed():
            if each.state == "lying":
                yield Change("distrusted", f"it lies: {each.reason}", replace(each, announced=None))
        spares = self._spares()[: self._need()]
        for each, lost in zip(spares, cycle(self._lost()), strict=False):
            yield self._listing("announced", f"in place of {lost}", each)
        if len(spares) == self._need():
            for each in self._listed():
                if self._is_gone(each):
                    yield Change("removed", f"down: {each.reason}", replace(each, announced=None))

    def _lost(self) -> list[str]:
        """Return in place of which a spare is announced, the latest first."""
        listed = sorted(self._listed(), key=lambda each: -each.since)
        fails = [each.url for each in listed if not self._stands(each)]
        return fails or [each.url for each in listed if each.state == "down"] or ["one removed"]

    def spent(self) -> int:
        """Return how many changes of the last day count."""
        done = (each for some in self.past.values() for each in some)
        return sum(each.did in SPENT and each.at > self.now - DAY_S for each in done)

    def is_blind(self) -> bool:
        """Return whether something listed fails and nothing shows that anything can be seen.

        A blocked mirror was seen to work, by a control.
        """
        fails = any(each.state in ("down", "lying") for each in self._listed())
        seen = any(each.state in ("healthy", "blocked") for each in self.mirrors.values())
        return fails and not seen

    def told(self, reason: str) -> list[Change]:
        """Return what the operator is told once a day."""
        recent = (each for each in self.past.get("", ()) if each.at > self.now - DAY_S)
        known = any(each.did == "held back" and each.reason == reason for each in recent)
        return [] if known else [Change("held back", reason)]

    def _listed(self) -> list[Mirror]:
        return [each for each in self.mirrors.values() if each.announced is not None]

    def _need(self) -> int:
        """Return how many are to be announced in place of others.

        As many are to stand as the operator made public, of those that were ever listed; and one
        must, however short its failure may be.
        """
        public = [e for e in self.mirrors.values() if e.role == "public" or self._is_unfit(e)]
        known = sum(each.announced is not None or self._was_listed(each) for each in public)
        listed = self._listed()
        standing = sum(map(self._stands, listed))
        works = any(each.state in ("healthy", "suspect") for each in listed)
        return max(known - standing, int(bool(known) and not works))

    def is_read(self) -> bool:
        """Return whether spares of the last day were blocked soon after they were announced."""
        blocked = [each.url for each in self._listed() if each.state == "blocked"]
        lately = self.now - DAY_S
        return sum(self._was(url, "announced", since=lately) for url in blocked) >= WAVE

    def lacks(self) -> bool:
        """Return whether spares were set up, more are to be announced, and none may soon be."""
        spares = [each for each in self.mirrors.values() if each.role == "spare"]
        waits = any(
            each.announced is None and each.state in ("new", "suspect", "healthy")
            for each in spares
        )
        return bool(spares) and not waits and self._need() > 0

    def _stands(self, each: Mirror) -> bool:
        """Return whether nothing is to be announced in place of a listed mirror."""
        short = each.state == "down" and not self._is_gone(each)
        return short or each.state in ("healthy", "suspect", "new")

    def _is_gone(self, each: Mirror) -> bool:
        return each.state == "down" and each.since <= self.now - LONG_S

    def _spares(self) -> list[Mirror]:
        """Return those that could be announced, the best first.

        Those never announced, whose addresses no censor has read; the one that works the longest
        first. One beside a mirror that fails, on the same host, comes last.
        """
        failing = {_host(each.url) for each in self._listed() if not self._stands(each)}
        usable = [e for e in self.mirrors.values() if e.role == "spare" and self._is_usable(e)]
        return sorted(
            usable, key=lambda e: (_host(e.url) in failing, self._was_listed(e), e.since, e.url)
        )

    def _is_usable(self, each: Mirror) -> bool:
        """Return whether one that is not listed may be: it works, and if it failed, for a day."""
        if each.announced is not None or each.state != "healthy" or each.blocked_in:
            return False
        if self._was(each.url, "distrusted", since=self.now - TRUST_S):
            return False
        recent = any(self._was(each.url, did, since=self.now - DAY_S) for did in LISTED)
        return not self._was_listed(each) or (self._is_steady(each) and not recent)

    def _is_steady(self, each: Mirror) -> bool:
        return each.state == "healthy" and each.since <= self.now - STEADY_S

    def _was_listed(self, each: Mirror) -> bool:
        return any(self._was(each.url, did) for did in LISTED)

    def _was(self, url: str, did: str, *, since: int = 0) -> bool:
        return any(e.did == did and e.at >= since for e in self.past.get(url, ()))

    def _is_unfit(self, each: Mirror) -> bool:
        """Return whether the operator made it public, and a trial found that it harms readers."""
        return bool(self._was(each.url, "added") and self._fault(each))

    def _fault(self, each: Mirror) -> str:
        """Return why a private mirror was found unfit, "" if the operator has it so."""
        past = (done for done in reversed(self.past.get(each.url, ())) if done.did != "removed")
        found = each.role == "private" and each.url not in self.private
        last = next(past, None) if found else None
        return last.reason if last and last.did == UNFIT else ""

    def _listing(self, did: Did, reason: str, each: Mirror) -> Change:
        return Change(did, reason, replace(each, announced=self.now))


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
