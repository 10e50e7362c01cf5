"""Entries that no article could be made of: each alone is left out, with the reason, for a while.

One that kills its parser at every poll would cost its feed ten seconds each time, and the operator
a line each time. So it is tried ever more rarely, an edited one at once, and one that was refused
for good waits for the operator's word. Size: some 500 bytes each, bounded below. May be lost: each
is then tried at the next poll. Who could abuse it: whoever writes the database keeps an article
from being published.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mirror.database import Database

MAX_ROWS = 10_000
"""A feed that makes up entries which fail could fill the disk with reasons. What goes is tried at
the next poll, if its feed still has it, and comes back."""
MAX_OF_SOURCE = 2_000
"""Four feeds' worth of entries: one feed pushes out no other's, and of its own the oldest, which
it has most likely dropped; the operator's verdicts last."""
MAX_REASON_CHARS = 500  # of a sentence that may quote what the source sent
PIECE = 500  # keys asked for at once: a feed's worth; SQLite's limit on old systems is 999

HELD_S, MAX_HELD_S = 300, 6 * 3600  # a page that could not be had: its site may be down
REFUSED_S = (3600, 6 * 3600, 24 * 3600)  # what a new version, or a mended page, could mend
MAX_RETRY_S = 24 * 3600  # as of feeds
CLOCK_S = 25 * 3600  # no try is further ahead: else a clock that ran ahead has set it

Kind = Literal["held", "refused", "dropped"]
"""Its page could not be had; nothing could be made of it; the operator wants none."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """An entry of the feed `source`, as it was with this digest, and why it is no article."""

    key: str
    source: str
    name: str
    """Its address or its title, for people."""
    digest: bytes
    kind: Kind
    reason: str
    since: int = 0
    """When it failed first, in Unix seconds; this and what follows is counted by `put`."""
    tries: int = 0
    due: int | None = None
    """When it is tried again; None: when the operator says so, or it was edited."""
    retry_s: int = 0
    """How long the page's server asks to be left alone for; not kept."""


class Quarantine:
    """The entries in trouble, in an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def blocks(self, key: str, digest: bytes, *, now: int) -> bool:
        """Return whether an entry is to be left out now."""
        return bool(self.blocks_many({key: digest}, now=now))

    def blocks_many(self, digests: Mapping[str, bytes], *, now: int) -> set[str]:
        """Return the keys of the entries that are to be left out now.

        An entry with another digest was edited, and is tried at once.
        """
        if not digests or not self._db.row("SELECT 1 FROM trouble LIMIT 1"):
            return set()
        keys, found = list(digests), set[str]()
        for start in range(0, len(keys), PIECE):
            piece = keys[start : start + PIECE]
            marks = ",".join("?" * len(piece))
            query = (
                f"SELECT key, digest FROM trouble WHERE key IN ({marks})"  # noqa: S608  constants
                " AND (due IS NULL OR due BETWEEN ? AND ?)"
            )
            rows = self._db.rows(query, (*piece, now + 1, now + CLOCK_S))
            found |= {key for key, digest in rows if digests[key] == digest}
        return found

    def find(self, key: str) -> Trouble | None:
        """Return what is known of an entry in trouble."""
        row = self._db.row(f"{_SELECT} WHERE key=?", (key,))
        return Trouble(*row) if row else None

    def due_sources(self, *, now: int) -> set[str]:
        """Return the feeds with an entry to be tried now.

        Such a feed is looked at although it has not changed: its entry is met nowhere else.
        """
        query = "SELECT DISTINCT source FROM trouble WHERE due<=? OR due>?"
        return {source for (source,) in self._db.rows(query, (now, now + CLOCK_S))}

    def next_due(self) -> int | None:
        """Return when the first entry is to be tried again."""
        found: int | None = self._db.row("SELECT MIN(due) FROM trouble")[0]
        return found

    def rows(self) -> list[Trouble]:
        """Return all, those that failed first first."""
        return [Trouble(*row) for row in self._db.rows(f"{_SELECT} ORDER BY since, key")]

    def count(self) -> int:
        """Return how many are left out, but for what the operator dropped."""
        return int(self._db.row("SELECT COUNT(*) FROM trouble WHERE kind!='dropped'")[0])

    # What the daemon writes, inside a transaction.

    def put(self, troubles: Iterable[Trouble], *, now: int) -> None:
        """Keep that these failed `now`, once more or for the first time.

        What was dropped meanwhile stays so, unless it was edited.
        """
        sources = set()
        for each in troubles:
            old = self.find(each.key)
            if old and old.kind == "dropped" and old.digest == each.digest:
                continue
            self._put(each, old, now=now)
            sources.add(each.source)
        for source in sources:
            self._keep_within(MAX_OF_SOURCE, source)
        if sources:
            self._keep_within(MAX_ROWS)

    def _put(self, new: Trouble, old: Trouble | None, *, now: int) -> None:
        same = old is not None and old.digest == new.digest
        since = min(old.since, now) if old and same else now
        tries = old.tries + 1 if old and same and old.kind == new.kind else 1
        words = new.name[:MAX_REASON_CHARS], new.digest, new.kind, new.reason[:MAX_REASON_CHARS]
        due = _due(new.kind, tries, now)
        if due is not None:
            due = max(due, now + min(new.retry_s, MAX_RETRY_S))
        self._db.execute(
            "INSERT OR REPLACE INTO trouble VALUES(?,?,?,?,?,?,?,?,?)",
            (new.key, new.source, *words, since, tries, due),
        )

    def _keep_within(self, most: int, source: str | None = None) -> None:
        self._db.execute(
            "DELETE FROM trouble WHERE key IN (SELECT key FROM trouble WHERE source=COALESCE(?,"
            " source) ORDER BY kind!='dropped', since DESC, key LIMIT -1 OFFSET ?)",
            (source, most),
        )

    def clear(self, keys: Iterable[str]) -> None:
        """Forget, inside a transaction, entries that became articles or are no more."""
        if self._db.row("SELECT 1 FROM trouble LIMIT 1"):
            self._db.execute_many("DELETE FROM trouble WHERE key=?", [(key,) for key in keys])

    def forget_absent(self, source: str, keys: Collection[str], *, now: int) -> None:
        """Forget, inside a transaction, what is due of a feed that has it no more.

        Nothing would ever try it, and its feed would be asked without validators for ever.
        """
        query = "SELECT key FROM trouble WHERE source=? AND kind!='dropped' AND due<=?"
        self.clear([key for (key,) in self._db.rows(query, (source, now)) if key not in keys])

    # What the operator says, inside a transaction.

    def retry(self, keys: Collection[str], *, now: int) -> None:
        """Let these be tried at the next look at their feeds, dropped or not."""
        self._db.execute_many(
            "UPDATE trouble SET due=?, kind=CASE kind WHEN 'dropped' THEN 'refused' ELSE kind END"
            " WHERE key=?",
            [(now, key) for key in keys],
        )

    def drop(self, keys: Collection[str]) -> None:
        """Leave these out for good, until they are edited."""
        rows = [(key,) for key in keys]
        self._db.execute_many("UPDATE trouble SET kind='dropped', due=NULL WHERE key=?", rows)


_SELECT = "SELECT key, source, name, digest, kind, reason, since, tries, due FROM trouble"


def _due(kind: Kind, tries: int, now: int) -> int | None:
    if kind == "held":
        return now + min(HELD_S << min(tries - 1, 10), MAX_HELD_S)
    return now + REFUSED_S[tries - 1] if tries <= len(REFUSED_S) else None
