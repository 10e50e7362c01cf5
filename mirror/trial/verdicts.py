"""Whether an address may be announced: what its last trials found, kept until it is tried again.

In table `status`, a row an address, of some 500 bytes. May be lost: what is announced stays so, all
else waits for its next trial. Who could abuse it: whoever alters it can have a mirror announced
that harms readers, or none.
"""

from collections.abc import Collection
from dataclasses import astuple, dataclass, replace

from mirror.agenda import Agenda
from mirror.database import Database
from mirror.trial.judge import Finding

DAY_S = 24 * 3600
FIT_S = 7 * DAY_S  # until the next trial: places change their ways without a word
UNFIT_S = DAY_S // 4  # it may be mended meanwhile
UNKNOWN_S = 900  # as long as a block goes unseen: a spare that waits is soon needed
JITTER = 0.15  # of these: mirrors that were set up together are not tried together for ever

WRITTEN = frozenset({"store", "removal", "fresh"})
"""Duties that show only where something is written: no other trial takes their faults back."""
MAX_REASON = 450

_NAME = ".trial "  # in table `status`, before the address


@dataclass(frozen=True, slots=True)
class Tried:
    """A trial of the address `url`: what was found or, where nothing could be, the `problem`."""

    url: str
    findings: tuple[Finding, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of the address `url`. Times are Unix seconds."""

    url: str
    fit: bool | None = None
    """None: it was never tried to the end."""
    faults: tuple[Finding, ...] = ()
    """What would do readers harm; of one that is fit, what was seen once."""
    problem: str = ""
    """Why the last trial came to nothing, "" if it did not."""
    due: int = 0
    """When it is to be tried next."""

    @property
    def reason(self) -> str:
        """Why it is not to be announced, or soon may not be, and what to do, for people."""
        said = "; ".join(f"{each.saw}: {each.do}" for each in self.faults)
        if self.fit:
            return f"seen once, and is tried again: {said}"[:MAX_REASON] if said else ""
        return (said or f"not found fit yet{self.problem and f': {self.problem}'}")[:MAX_REASON]

    def is_due(self, now: int) -> bool:
        """Return whether it is to be tried; also if a clock that ran ahead has said when."""
        return not now < self.due <= now + FIT_S * (1 + JITTER)


def after(old: Verdict, tried: Tried, *, now: int, jitter: float, twice: bool = False) -> Verdict:
    """Return what is thought of an address after one more trial; `jitter` is in -1…1.

    Who does not answer is not unfit: what was thought before, if anything was, stays. `twice`: who
    was fit is so until two trials in a row find faults; a day of protection against robots ends.
    """

    def later(wait_s: int) -> int:
        return now + round(wait_s * (1 + JITTER * jitter))

    if tried.problem:
        return replace(old, problem=tried.problem, due=later(UNKNOWN_S))
    looked = {each.what for each in tried.findings}
    faults = [each for each in tried.findings if each.level == "bad"]
    faults += [each for each in old.faults if each.what in WRITTEN - looked]
    if twice and faults and old.fit and not old.faults:
        return replace(old, faults=tuple(faults), problem="", due=later(UNKNOWN_S))
    due = later(UNFIT_S if faults else FIT_S)
    return Verdict(old.url, not faults, tuple(faults), due=due)


def verdicts(db: Database) -> dict[str, Verdict]:
    """Return what is thought of each address that was tried."""
    names = db.rows("SELECT name FROM status WHERE name GLOB ?", (f"{_NAME}*",))
    return {name.removeprefix(_NAME): verdict(db, name.removeprefix(_NAME)) for (name,) in names}


def verdict(db: Database, url: str) -> Verdict:
    """Return what is thought of an address."""
    _, kept = Agenda(db).noted(_NAME + url) or (0, None)
    if kept is None:
        return Verdict(url)
    fit, faults, problem, due = kept
    return Verdict(url, fit, tuple(Finding(*each) for each in faults), problem, due)


# Inside a transaction.


def keep(
    db: Database, tried: Tried, *, now: int, jitter: float, twice: bool = False
) -> tuple[Verdict, Verdict]:
    """Keep what is thought of an address after one more trial; return it, behind the one before.

    `twice` is as in `after`.
    """
    old = verdict(db, tried.url)
    new = after(old, tried, now=now, jitter=jitter, twice=twice)
    _, *values = astuple(new)
    Agenda(db).note(_NAME + tried.url, values, now=now)
    return old, new


def forget_others(db: Database, named: Collection[str]) -> None:
    """Forget those that the settings no longer name: whose address it is may change."""
    for url in verdicts(db).keys() - named:
        db.execute("DELETE FROM status WHERE name=?", (_NAME + url,))
