"""When each feed is due, and what came of asking it; what the last cycle did.

In the database, so that a daemon that was restarted asks nobody too early, and `mirror status`
can look while it runs. A feed that changes is asked more often, one that does not less often, one
that fails soon again and then ever more rarely; how often is the operator's word, and what a
server says of it is a hint. Size: 300 bytes a feed. May be lost: every feed is then due at once.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from mirror.database import Database
from mirror.errors import Failure

SLOWER = 1.5  # after an answer with nothing new; after one with something, the gap halves
JITTER = 0.1  # of a wait: feeds of one server that were asked together do not stay together
DOUBLINGS = 20  # of a gap, at most: more is longer than every limit
BACK_OFF_S = 1800  # between two tries of a site that says no: its feed forgets within hours
DAY_S = 24 * 3600  # as long as a server may ask to be left alone for, and as robots.txt is believed
ALERT_S, MAX_ALERTS = 7 * 24 * 3600, 50  # an operator looks weekly, and reads no more
SIGHTINGS = 3  # of one permanent redirect: a wrong line in a server's settings lasts for less
MISSES = 3  # of an address that a redirect led to: then the configured one is asked again
CLOCK_S = 60  # that a clock is set back by is no reason to ask: servers do so by seconds

Standing = Literal["", "failed", "later", "challenge", "robots", "gone"]
"""What came of the last poll: an answer, an accident, or what the source said instead of one."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A feed that answers is asked after `shortest_s` at the least, `longest_s` at the most."""

    shortest_s: int
    longest_s: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a poll brought: something (`changed`) or nothing new, or the `problem` why it failed."""

    problem: str = ""
    kind: Failure | Literal[""] = ""
    """Of the failure."""
    retry_s: int = 0
    """How long the server asks to be left alone for."""
    changed: bool = False
    fresh_s: int = 0
    """How long it says that the answer stays fresh: the larger of `ttl` and `max-age`."""
    moved: str = ""
    """Where permanent redirects led, "" if none did."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A feed is being asked; before, it was `due`, and `asked` last, at these times."""

    url: str
    due: int
    asked: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The last poll of a feed. Times are Unix seconds, 0 for never."""

    due: int = 0
    """0 also for one that is gone: it is not due."""
    asked: int = 0
    answered: int = 0
    """When it last answered as a feed should."""
    problem: str = ""
    """Why the last poll failed, "" if it did not."""
    state: Standing = ""
    gap_s: int = 0
    """Between two polls that are answered, but for hints and jitter; 0 before the first."""
    failures: int = 0
    """How many polls failed since the last answer."""
    moved: str = ""
    """The address that permanent redirects lead to."""
    sightings: int = 0
    """Of that address in a row, `SIGHTINGS` at most: it is then asked itself."""


class Agenda:
    """What is to be done next, and what was done last."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def asked(self, url: str) -> Asked:
        """Return what is known of a feed."""
        query = (
            "SELECT due, asked, answered, problem, state, gap_s, failures, moved, sightings"
            " FROM poll WHERE url=?"
        )
        row = self._db.row(query, (url,))
        return Asked(*row) if row else Asked()

    def due(self, urls: Iterable[str], *, now: int) -> list[str]:
        """Return the feeds that are to be asked now, never one that is gone.

        One that was asked later than now was noted by a clock that ran ahead.
        """
        query = "SELECT url FROM poll WHERE state='gone' OR (due>? AND asked<=?)"
        resting = {url for (url,) in self._db.rows(query, (now, now + CLOCK_S))}
        return [url for url in urls if url not in resting]

    def next_due(self, urls: Iterable[str]) -> int | None:
        """Return when the first of these feeds is due, as far as is noted; None: never."""
        some = [each for each in map(self.asked, urls) if each.state != "gone"]
        return min((each.due for each in some), default=None)

    def address(self, url: str, hosts: Collection[str]) -> str:
        """Return where a feed is to be asked: where it moved to for good, on one of `hosts`.

        Another host's owner would else speak for the newsroom once its redirect was his.
        """
        asked = self.asked(url)
        if asked.sightings < SIGHTINGS or _host(asked.moved) not in hosts:
            return url
        weaker = url.startswith("https:") and not asked.moved.startswith("https:")
        return url if weaker else asked.moved

    def lease(self, urls: Iterable[str], *, now: int, lease_s: int) -> list[Lease]:
        """Note, inside a transaction, that these are being asked; return what it was before.

        A daemon that dies of an answer, and is started again, asks for it after `lease_s`: later,
        where the server had asked for more, and an operator asked it all the same.
        """
        before = {url: self.asked(url) for url in urls}
        self._db.execute_many(
            "INSERT INTO poll(url, due, asked, answered, problem) VALUES(?,?,?,0,'')"
            " ON CONFLICT(url) DO UPDATE SET asked=excluded.asked, due=CASE"
            " WHEN asked<=? THEN MAX(due, excluded.due) ELSE excluded.due END",
            [(url, now + lease_s, now, now + CLOCK_S) for url in before],
        )
        return [Lease(url, asked.due, asked.asked) for url, asked in before.items()]

    def release(self, leases: Iterable[Lease]) -> None:
        """Note, inside a transaction, that these were not asked: each is due when it was before."""
        self._db.execute_many(
            "UPDATE poll SET due=?, asked=? WHERE url=?",
            [(each.due, each.asked, each.url) for each in leases],
        )

    def put_asked(self, url: str, answer: Answer, *, now: int, pace: Pace, jitter: float) -> None:
        """Note, inside a transaction, what came of asking a feed `now`; `jitter` is in -1…1."""
        asked = after(self.asked(url), answer, now=now, pace=pace, jitter=jitter)
        self._db.execute(
            "INSERT OR REPLACE INTO poll(url, due, asked, answered, problem, state, gap_s,"
            " failures, moved, sightings) VALUES(?,?,?,?,?,?,?,?,?,?)",
            (url, *astuple(asked)),
        )

    def note(self, name: str, value: object, *, now: int) -> None:
        """Keep, inside a transaction, what `mirror status` shows under `name`."""
        row = name, now, json.dumps(value, ensure_ascii=False)
        self._db.execute("INSERT OR REPLACE INTO status VALUES(?,?,?)", row)

    def noted(self, name: str) -> tuple[int, Any] | None:
        """Return when what was kept under `name`, and that, if anything was."""
        row = self._db.row("SELECT at, value FROM status WHERE name=?", (name,))
        return (row[0], json.loads(row[1])) if row else None

    def alert(self, lines: Iterable[str], *, now: int) -> None:
        """Keep, inside a transaction, what an operator should see who looks in a week."""
        new = [[now, line] for line in lines]
        old = [each for each in self.alerts(now=now) if each[1] not in {line for _, line in new}]
        if new:
            self.note("alerts", [*old, *new][-MAX_ALERTS:], now=now)

    def alerts(self, *, now: int) -> list[tuple[int, str]]:
        """Return the alerts of the last week, each with when it was given last."""
        _, kept = self.noted("alerts") or (0, [])
        return [(at, line) for at, line in kept if at > now - ALERT_S]

    def notes(self) -> dict[str, Any]:
        """Return all that was kept, by name, but for the cycle's and the alerts."""
        query = "SELECT name, value FROM status WHERE name NOT IN ('cycle', 'alerts') ORDER BY name"
        rows = self._db.rows(query)
        return {name: json.loads(value) for name, value in rows}


def after(old: Asked, answer: Answer, *, now: int, pace: Pace, jitter: float) -> Asked:
    """Return what is known of a feed after one more poll."""
    if answer.problem or answer.kind:
        new, wait_s = _failed(old, answer, pace)
    else:
        new, wait_s = _answered(old, answer, pace)
        new = replace(new, answered=now)
    # Of what a server asks for nothing is taken away.
    asked_s = min(answer.retry_s, DAY_S) * (1 + JITTER * abs(jitter))
    due = now + round(max(wait_s * (1 + JITTER * jitter), asked_s))
    return replace(new, due=0 if new.state == "gone" else due, asked=now, problem=answer.problem)


def _answered(old: Asked, answer: Answer, pace: Pace) -> tuple[Asked, float]:
    """Return what is known after an answer, and how long to wait."""
    shortest_s, before = min(pace.shortest_s, pace.longest_s), old.gap_s or pace.shortest_s
    aim = before / 2 if answer.changed else before * SLOWER
    gap_s = round(min(max(aim, shortest_s), pace.longest_s))
    wait_s = min(max(gap_s, answer.fresh_s), pace.longest_s)
    moved, sightings = _sighted(old, answer.moved)
    new = replace(old, state="", gap_s=gap_s, failures=0, moved=moved, sightings=sightings)
    return new, wait_s


def _sighted(old: Asked, moved: str) -> tuple[str, int]:
    """Return where a feed has moved to, and how often that was seen.

    One that is asked where it moved to answers without a redirect: that is no reason to go back.
    """
    if old.sightings >= SIGHTINGS and not moved:
        return old.moved, old.sightings
    if moved != old.moved:
        return moved, int(bool(moved))
    return moved, min(old.sightings + 1, SIGHTINGS) if moved else 0


def _failed(old: Asked, answer: Answer, pace: Pace) -> tuple[Asked, float]:
    """Return what is known after a failure, and how long to wait.

    Soon at first: a site that was down for ten minutes is asked again within the next ten.
    Where none answers, the operator's longest gap is the longest; where one says no, half an
    hour is.
    """
    kind, failures = answer.kind or "failed", old.failures + 1
    if kind == "refused":  # a rule, or an address, may be mended
        kind = "failed"
    state: Standing = "failed" if kind == "missing" else kind
    new = replace(old, state=state, failures=failures)
    lost = kind == "gone" or (state == "failed" and failures >= MISSES)
    if old.sightings >= SIGHTINGS and lost:  # where it moved to: its own address may answer
        new = replace(new, state="failed", moved="", sightings=0)
    elif old.state == "gone":  # asked all the same by an operator: only an answer revives it
        new = replace(new, state="gone")
    back_off_s = pace.shortest_s * 2.0 ** min(failures - 1, DOUBLINGS)
    if kind == "robots":
        return new, max(DAY_S, pace.longest_s)
    if kind in ("later", "challenge"):
        return new, min(back_off_s, max(BACK_OFF_S, pace.longest_s))
    return new, min(back_off_s, pace.longest_s)


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
