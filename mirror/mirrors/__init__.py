"""Mirrors: the addresses at which readers find the site, and what is known of each.

A mirror is looked at as a reader would look: what it shows is verified. Table `mirror` has a row a
mirror, `probe` what was seen of it lately, `rotation` what was done about it. If lost, all are
looked at anew, and those that were announced are taken from the last signed index.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from typing import Literal

from mirror.database import Database

State = Literal["new", "healthy", "suspect", "blocked", "down", "lying"]
"""`new` was never seen to work; `suspect` failed, and nothing is decided yet."""

Outcome = Literal[
    "ok",
    "dns",
    "tcp_ip",
    "tls-sni-reset",
    "http-failure",
    "http-diff",
    "throttled",
    "cut-at-n-bytes",
    "content-tampered",
    "stale",
]
"""What a look at a mirror ended with: OONI's names, and ours."""

Role = Literal["public", "spare", "private"]
UNFIT = "unfit"  # noted of a mirror that would harm readers, by who tries it: it is not listed
KEPT_S = 7 * 24 * 3600  # of what was seen: an operator looks weekly
MAX_PROBES = 2000  # of one mirror: a week of looks from one place


@dataclass(frozen=True, slots=True)
class Probe:
    """One look at a mirror from a vantage point."""

    url: str
    vantage: str
    at: int
    """In Unix seconds."""
    outcome: Outcome
    detail: str = ""
    took_ms: int = 0


@dataclass(frozen=True, slots=True)
class Mirror:
    """A mirror, and what is thought of it. Times are Unix seconds."""

    url: str
    role: Role
    state: State = "new"
    since: int = 0
    """When it came into this state."""
    announced: int | None = None
    """Since when it is in the signed list; None: it is not."""
    reason: str = ""
    """Why it is in this state, for people."""
    due: int = 0
    """When it is looked at next."""
    blocked_in: tuple[str, ...] = ()
    """Countries (ISO 3166) in which it does not work though it does elsewhere."""


class Mirrors:
    """The mirrors, in an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def rows(self) -> list[Mirror]:
        """Return all, by address."""
        query = (
            "SELECT url, role, state, since, announced, reason, due, blocked_in FROM mirror"
            " ORDER BY url"
        )
        found = self._db.rows(query)
        return [replace(Mirror(*row), blocked_in=_split(row[-1])) for row in found]

    def find(self, url: str) -> Mirror | None:
        """Return what is known of a mirror, if anything."""
        return next((each for each in self.rows() if each.url == url), None)

    def announced(self) -> list[Mirror]:
        """Return those that the signed list has, in the order in which they came to it."""
        found = [(each.announced, each) for each in self.rows() if each.announced is not None]
        return [each for _, each in sorted(found, key=lambda pair: (pair[0], pair[1].url))]

    def history(self, url: str, *, since: int = 0) -> list[Probe]:
        """Return what was seen of a mirror, the latest first."""
        query = (
            "SELECT url, vantage, at, outcome, detail, took_ms FROM probe WHERE url=? AND at>=?"
            " ORDER BY at DESC, n DESC"
        )
        return [Probe(*row) for row in self._db.rows(query, (url, since))]

    def changes(self, *, since: int = 0) -> list[tuple[int, str, str, str]]:
        """Return what was done: when, what, about which mirror, and why; the latest first."""
        query = "SELECT at, did, url, reason FROM rotation WHERE at>=? ORDER BY at DESC, n DESC"
        return [(at, did, url, reason) for at, did, url, reason in self._db.rows(query, (since,))]

    # Inside a transaction.

    def put(self, mirror: Mirror) -> None:
        """Keep what is thought of a mirror."""
        *values, countries = astuple(mirror)
        self._db.execute(
            "INSERT OR REPLACE INTO mirror VALUES(?,?,?,?,?,?,?,?)", (*values, ",".join(countries))
        )

    def forget(self, url: str) -> None:
        """Remove a mirror and what was seen of it."""
        for table in ("mirror", "probe"):
            self._db.execute(f"DELETE FROM {table} WHERE url=?", (url,))  # noqa: S608 - two words

    def add(self, probes: Iterable[Probe], *, now: int) -> None:
        """Keep what was seen, and forget what is old."""
        rows = [(p.url, p.vantage, p.at, p.outcome, p.detail[:500], p.took_ms) for p in probes]
        self._db.execute_many(
            "INSERT INTO probe(url, vantage, at, outcome, detail, took_ms) VALUES(?,?,?,?,?,?)",
            rows,
        )
        self._db.execute("DELETE FROM probe WHERE at<?", (now - KEPT_S,))
        # What was done is kept, because it decides what is done next; states come and go.
        self._db.execute("DELETE FROM rotation WHERE did GLOB 'is *' AND at<?", (now - KEPT_S,))
        for url in {row[0] for row in rows}:
            self._db.execute(
                "DELETE FROM probe WHERE n IN (SELECT n FROM probe WHERE url=?"
                " ORDER BY at DESC, n DESC LIMIT -1 OFFSET ?)",
                (url, MAX_PROBES),
            )

    def note(self, did: str, url: str, reason: str, *, now: int) -> None:
        """Keep what was done about a mirror, such as `announced`, and why."""
        row = now, did, url, reason[:500]
        self._db.execute("INSERT INTO rotation(at, did, url, reason) VALUES(?,?,?,?)", row)


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()
