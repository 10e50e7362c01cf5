"""How a mirror is: what `mirror status` shows, and `/-/health` in short.

Read from the database beside the daemon, whose work it never holds up.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from mirror.agenda import Agenda
from mirror.database import Database, in_use
from mirror.formats.encoding import encode_time
from mirror.hold import Hold
from mirror.state import State

LATE_S = 2 * 3600  # the clock speaks hourly: two missed hours are no chance


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """A feed as `mirror status` shows it; times as in records, "" for never."""

    url: str
    asked: str
    answered: str
    due: str
    problem: str


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
    """Of the last cycle."""
    waiting: int = 0
    """How many articles are not signed yet."""
    holding: str = ""
    """Since when only what is approved is published, "" if all is."""
    stopped: str = ""
    """Since when nothing is published, "" if that is not so."""
    reason: str = ""
    """The operator's own words for the stop."""
    feeds: list[FeedHealth] = field(default_factory=list)
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
    state, agenda = State(db), Agenda(db)
    log = state.log()
    at, summary = agenda.noted("cycle") or (0, {})
    silent = now - log.cosigned
    running = in_use(db.path)
    hold = Hold(db)
    switches = hold.switches()
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
        problems=[*summary.get("warnings", []), *summary.get("problems", [])],
        feeds=[_feed(agenda, url) for url in feeds],
        notes=agenda.notes(),
    )


def _feed(agenda: Agenda, url: str) -> FeedHealth:
    asked = agenda.asked(url)
    times = _time(asked.asked), _time(asked.answered), _time(asked.due)
    return FeedHealth(url, *times, asked.problem)


def _time(seconds: int) -> str:
    return encode_time(seconds) if seconds else ""
