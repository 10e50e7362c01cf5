"""How a mirror is: what `mirror status` shows, and `/-/health` in short.

Read from the database beside the daemon, whose work it never holds up.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from mirror.agenda import Agenda, Standing
from mirror.backfill import Backfills, Order
from mirror.database import Database, in_use
from mirror.formats.encoding import encode_time
from mirror.hold import Hold
from mirror.mirrors import Mirror, Mirrors, Role, State
from mirror.quarantine import Quarantine
from mirror.signer import listing
from mirror.state import State as Log

LATE_S = 2 * 3600  # the clock speaks hourly: two missed hours are no chance
TO_MEND: dict[Standing, str] = {
    "gone": "gone for good, and asked no more but by `mirror once`",
    "challenge": "behind an anti-bot page: ask the newsroom to let the mirror through",
}
"""What does not pass by itself: it is a problem also of a cycle that did not ask the feed."""


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """A feed as `mirror status` shows it; times as in records, "" for never."""

    url: str
    asked: str
    answered: str
    due: str
    """"" also for a feed that is gone."""
    problem: str
    state: Standing = ""


@dataclass(frozen=True, slots=True)
class MirrorHealth:
    """A mirror as `mirror status` shows it; times as in records, "" for never."""

    url: str
    role: Role
    state: State
    since: str
    listed: str
    """Since when it is announced."""
    reason: str

    @property
    def works(self) -> bool:
        """Whether nothing is known to be wrong with it."""
        return self.state in ("healthy", "suspect")


@dataclass(frozen=True, slots=True)
class Health:
    """How the mirror is at `now`; `ok` if readers have the newest word there is."""

    ok: bool
    now: str
    running: bool
    origin: str
    articles: int
    leaves: int
    published: int
    spoken: str
    """When the clock said last that nothing is newer, "" if never."""
    spoken_s: int
    """How long ago that was, in seconds."""
    root: int
    root_ends: str
    cycle: str
    """When the last cycle ended, "" if none has."""
    problems: list[str] = field(default_factory=list)
    """Of the last cycle, and what of a feed the operator has to mend."""
    waiting: int = 0
    """How many articles are not signed yet."""
    quarantined: int = 0
    """Of how many entries no article could be made."""
    holding: str = ""
    """Since when only what is approved is published, "" if all is."""
    stopped: str = ""
    """Since when nothing is published, "" if that is not so."""
    reason: str = ""
    """The operator's own words for the stop."""
    alerts: list[tuple[str, str]] = field(default_factory=list)
    """Of the last week: when, and what; published all the same."""
    archives: list[str] = field(default_factory=list)
    """How far the orders to mirror one have come."""
    feeds: list[FeedHealth] = field(default_factory=list)
    mirrors: list[MirrorHealth] = field(default_factory=list)
    list_kept: str = ""
    """Why the list of mirrors is signed as it was and not as it would be, "" if that is not so."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What else was noted, by name, such as a store's state."""

    def brief(self) -> dict[str, object]:
        """Return what may be told to strangers."""
        names = ("ok", "now", "leaves", "spoken", "spoken_s", "cycle")
        return {name: getattr(self, name) for name in names}

    def to_json(self) -> dict[str, object]:
        """Return all of it, for programs."""
        return asdict(self)


def look(db: Database, *, feeds: Iterable[str], root: tuple[int, int], now: int) -> Health:
    """Return how the mirror is; `root` is the number of the trusted root and when it ends.

    Raises:
        StateError: the database is damaged.
    """
    state, agenda = Log(db), Agenda(db)
    log = state.log()
    at, summary = agenda.noted("cycle") or (0, {})
    silent = now - log.cosigned
    running = in_use(db.path)
    hold = Hold(db)
    switches = hold.switches()
    known = [_feed(agenda, url) for url in feeds]
    return Health(
        ok=bool(log.size) and silent < LATE_S and now < root[1] and log.published == log.size,
        now=encode_time(now),
        running=running,
        origin=log.origin,
        articles=state.count(),
        leaves=log.size,
        published=log.published,
        spoken=_time(log.cosigned),
        spoken_s=max(silent, 0) if log.cosigned else 0,
        root=root[0],
        root_ends=encode_time(root[1]),
        cycle=_time(at),
        waiting=hold.count(),
        holding=_time(switches.holding or 0),
        stopped=_time(switches.stopped or 0),
        reason=switches.reason,
        quarantined=Quarantine(db).count(),
        problems=[*summary.get("problems", []), *_to_mend(known)],
        alerts=[(encode_time(when), line) for when, line in agenda.alerts(now=now)],
        archives=[_archive(each) for each in Backfills(db).rows() if not each.done],
        feeds=known,
        mirrors=[_mirror(each) for each in Mirrors(db).rows()],
        list_kept=listing.refusal(db, now=now),
        notes={name: word for name, word in agenda.notes().items() if not name.startswith(".")},
    )


def _feed(agenda: Agenda, url: str) -> FeedHealth:
    asked = agenda.asked(url)
    times = _time(asked.asked), _time(asked.answered), _time(asked.due)
    return FeedHealth(url, *times, asked.problem, asked.state)


def _mirror(mirror: Mirror) -> MirrorHealth:
    shown = mirror.url, mirror.role, mirror.state
    return MirrorHealth(*shown, _time(mirror.since), _time(mirror.announced or 0), mirror.reason)


def _archive(order: Order) -> str:
    problem = f"; {order.problem}" if order.problem else ""
    if order.looking:
        return f"{order.url}: {order.looked} pages looked through{problem}"
    return f"{order.url}: {order.entries} of {order.total} entries, {order.new} new{problem}"


def _to_mend(feeds: Iterable[FeedHealth]) -> list[str]:
    return [f"{each.url}: {TO_MEND[each.state]}" for each in feeds if each.state in TO_MEND]


def _time(seconds: int) -> str:
    return encode_time(seconds) if seconds else ""
