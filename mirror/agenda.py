"""When each feed is due, and what came of asking it; what the last cycle did.

In the database, so that a daemon that was restarted asks nobody too early, and `mirror status`
can look while it runs. May be lost: every feed is then due at once.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mirror.database import Database


@dataclass(frozen=True, slots=True)
class Asked:
    """The last poll of a feed. Times are Unix seconds, 0 for never."""

    due: int = 0
    asked: int = 0
    answered: int = 0
    """When it last answered as a feed should."""
    problem: str = ""
    """Why the last poll failed, "" if it did not."""


class Agenda:
    """What is to be done next, and what was done last."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def asked(self, url: str) -> Asked:
        """Return what is known of a feed."""
        query = "SELECT due, asked, answered, problem FROM poll WHERE url=?"
        row = self._db.row(query, (url,))
        return Asked(*row) if row else Asked()

    def due(self, urls: Iterable[str], *, now: int, interval_s: int) -> list[str]:
        """Return the feeds that are to be asked now.

        One that is due later than an interval from now was noted by a clock that ran ahead.
        """
        return [url for url in urls if not now < self.asked(url).due <= now + interval_s]

    def put_asked(self, url: str, *, now: int, interval_s: int, problem: str) -> None:
        """Note, inside a transaction, that a feed was asked `now`."""
        answered = self.asked(url).answered if problem else now
        row = url, now + interval_s, now, answered, problem
        self._db.execute(
            "INSERT OR REPLACE INTO poll(url, due, asked, answered, problem) VALUES(?,?,?,?,?)", row
        )

    def note(self, name: str, value: object, *, now: int) -> None:
        """Keep, inside a transaction, what `mirror status` shows under `name`."""
        row = name, now, json.dumps(value, ensure_ascii=False)
        self._db.execute("INSERT OR REPLACE INTO status VALUES(?,?,?)", row)

    def noted(self, name: str) -> tuple[int, Any] | None:
        """Return when what was kept under `name`, and that, if anything was."""
        row = self._db.row("SELECT at, value FROM status WHERE name=?", (name,))
        return (row[0], json.loads(row[1])) if row else None

    def notes(self) -> dict[str, Any]:
        """Return all that was kept, by name, but for the cycle's."""
        rows = self._db.rows("SELECT name, value FROM status WHERE name!='cycle' ORDER BY name")
        return {name: json.loads(value) for name, value in rows}
