"""What waits before it is signed: until a delay is over, or until an operator has looked.

What was signed can not be taken back, so this is the last place to say no. The daemon leaves here
what it found, a verb leaves a verdict, each in one transaction, and both may run at one time. What
the daemon has taken out to sign is `going` until it is published or put back: a verb that came
then would promise what is no longer true.

While all is stopped, the clock goes on saying each hour that nothing is new: it is true, and a
mirror that falls silent looks to readers like one that is dead or withholds.

Size: an article's text and some 500 bytes each, bounded below; what was rejected, 300 bytes each,
bounded, too. If lost: what waited is published only when it is edited, for its entry is seen.
Who could abuse it: whoever writes the database publishes in the newsroom's name.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from pydantic import ConfigDict, TypeAdapter

from mirror.article.article import Article
from mirror.article.identity import Identity
from mirror.database import Database
from mirror.errors import StateError
from mirror.hold.waiting import Proposal, Room, Switches, Waiting

__all__ = ["FULL", "Hold", "Proposal", "Switches", "Waiting", "is_too_soon"]

MAX_WAITING = 20_000
"""Articles: half a year of a busy newsroom. Each feed has half of what the others leave: one that
makes up entries takes no other's room. What comes then stays unseen, and is met again while its
feed has it."""
MAX_BYTES = 1 << 30
"""Of their text: 20,000 honest articles have a fifth, as many of the longest ones twenty times."""
MAX_REJECTED = 100_000
"""Names; more than one look at all that waits rejects. The oldest go first: what they stood for is
proposed again only if its feed still has it, and shows it in another form."""
FEW_REVISIONS, MIN_GAP_S = 4, 600
"""Revisions that an article has in its first hour, with corrections of corrections, and what must
lie between two later ones: a source that changes with every look would fill the log."""
FULL = "a feed has no more room for what waits: approve or reject some"

_COLUMNS = (
    "waiting.n, short, since, waiting.held, approved, going, article.digest IS waiting.digest"
    # What has its text and waits all the same brings pictures that it lacks.
    " AND NOT EXISTS(SELECT 1 FROM picture WHERE picture.n=article.n AND picture.rev=article.rev"
    " AND lacks),"
    " problem, waiting.source, waiting.digest, waiting.title, url, size, 1+COALESCE(article.rev, 0)"
)
_SELECT = f"SELECT {_COLUMNS} FROM waiting LEFT JOIN article USING(short)"  # noqa: S608  constants
_COMPLETED = (
    "SELECT article.n FROM waiting JOIN article USING(short) WHERE waiting.n=?"
    " AND article.digest=waiting.digest AND article.void IS NULL"
)


_KEPT: TypeAdapter[tuple[Article, tuple[str, ...], bytes]] = TypeAdapter(
    tuple[Article, tuple[str, ...], bytes],
    config=ConfigDict(strict=True, ser_json_bytes="base64", val_json_bytes="base64"),
)
"""The text of what waits, with its identity's keys and id, as JSON."""


class Hold:
    """What waits, and what the operator said about it, in an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def switches(self) -> Switches:
        """Return what the operator set for all."""
        rows = self._db.rows("SELECT name, since, reason FROM switch")
        found = {name: (since, reason) for name, since, reason in rows}
        stopped, reason = found.get("stop", (None, ""))
        return Switches(found.get("hold", (None,))[0], stopped, reason)

    def is_quiet(self) -> bool:
        """Return whether nothing waits, was rejected or is switched: nothing is to be asked."""
        tables = "waiting", "rejected", "switch"
        return not any(self._db.row(f"SELECT 1 FROM {each} LIMIT 1") for each in tables)  # noqa: S608

    def count(self) -> int:
        """Return how many wait."""
        return int(self._db.row("SELECT COUNT(*) FROM waiting")[0])

    def waiting(self) -> list[Waiting]:
        """Return what waits, in the order in which it came."""
        found = map(_waiting, self._db.rows(f"{_SELECT} ORDER BY waiting.n"))
        return [each for each in found if not each.published]

    def find(self, keys: Iterable[str], short: str = "") -> Waiting | None:
        """Return what waits under the short id, or under the first known of `keys`."""
        row = self._db.row(f"{_SELECT} WHERE short=?", (short,))
        named = f"{_SELECT} WHERE waiting.n=(SELECT n FROM waiting_name WHERE key=?)"  # noqa: S608
        for key in keys:
            row = row or self._db.row(named, (key,))
        return _waiting(row) if row else None

    def proposal(self, waiting: Waiting) -> Proposal:
        """Return what waits with its text.

        Raises:
            StateError: the row was damaged: what nobody wrote so may not be signed.
        """
        row = self._db.row("SELECT value FROM waiting_value WHERE n=?", (waiting.n,))
        damaged = f"{self._db.path}: what waits as {waiting.short} is damaged: reject it"
        if row is None:
            raise StateError(damaged)
        try:
            kept = article, keys, id_ = _KEPT.validate_json(row[0])
        except ValueError as e:
            raise StateError(damaged) from e
        if _KEPT.dump_json(kept) != row[0] or article.digest != waiting.digest:
            raise StateError(damaged)
        return Proposal(article, Identity(keys, id_), waiting.source, waiting.short)

    def is_rejected(self, proposal: Proposal, configured: Collection[str]) -> bool:
        """Return whether the operator rejected just this, or another feed's form of it.

        Of two feeds that carry one article in two forms only the first proposes it again.
        """
        digest, query = proposal.article.digest, "SELECT digest, source FROM rejected WHERE key=?"
        found = [row for key in proposal.identity.keys for row in self._db.rows(query, (key,))]
        others = [source in configured and source != proposal.source for _, source in found]
        return any(each == digest for each, _ in found) or (bool(found) and all(others))

    # What the daemon writes; `keep` and `drop` inside a transaction that keeps entries as seen.

    def keep(self, proposals: Sequence[Proposal], *, now: int) -> list[Proposal]:
        """Let `proposals` wait; return those for which there is no room.

        One that waits already is replaced: it waits no longer for that, but is approved no more,
        for the operator approved other words.
        """
        query = "SELECT source, COUNT(*), SUM(size) FROM waiting GROUP BY source"
        room, left = Room(self._db.rows(query), MAX_WAITING, MAX_BYTES), []
        for each in proposals:
            old = self.find(each.identity.keys, each.short)
            if old is None and self.is_rejected(each, ()):
                continue  # just now
            identity = _merged(each.identity, self.proposal(old).identity if old else None)
            value = _KEPT.dump_json((each.article, identity.keys, identity.id))
            grown = len(value) - (old.size if old else 0)
            if not room.take(each.source, grown, new=old is None):
                left.append(each)
                continue
            short = old.short if old else each.short
            self._put(replace(each, identity=identity, short=short), value, now=now)
        return left

    def _put(self, proposal: Proposal, value: bytes, *, now: int) -> None:
        article, short = proposal.article, proposal.short
        shown = proposal.source, article.digest, article.title, article.url, len(value)
        self._db.execute(
            "INSERT INTO waiting VALUES(NULL,?,?,?,0,0,'',?,?,?,?,?) ON CONFLICT(short) DO UPDATE"
            " SET approved=approved AND digest=excluded.digest, problem='', digest=excluded.digest,"
            " source=excluded.source, title=excluded.title, url=excluded.url, size=excluded.size",
            (short, now, proposal.held, *shown),
        )
        n = self._db.row("SELECT n FROM waiting WHERE short=?", (short,))[0]
        self._db.execute("INSERT OR REPLACE INTO waiting_value VALUES(?,?)", (n, value))
        names = [(key, n) for key in proposal.identity.keys]
        self._db.execute_many("INSERT OR IGNORE INTO waiting_name VALUES(?,?)", names)

    def drop(self, ns: Iterable[int]) -> None:
        """Let these wait no longer."""
        rows = [(n,) for n in ns]
        for table in ("waiting", "waiting_value", "waiting_name"):
            self._db.execute_many(f"DELETE FROM {table} WHERE n=?", rows)  # noqa: S608  constants

    def is_due(self, *, now: int, delay_s: int) -> bool:
        """Return whether something may be published now."""
        return bool(self._ready(now, delay_s, most=1))

    def take(self, *, now: int, delay_s: int | None, most: int) -> list[Waiting]:
        """Take out up to `most` that may be published, in order; without a delay, the approved.

        No verdict changes them until they are settled or put back, and a daemon that begins
        anew begins with that. A clock that ran ahead holds nothing for more than the delay.
        """
        if not self.count():
            return []
        with self._db.transaction():
            self._db.execute("UPDATE waiting SET since=? WHERE since>?", (now, now))
            found = [_waiting(row) for row in self._ready(now, delay_s, most=most)]
            rows = [(each.n,) for each in found]
            self._db.execute_many("UPDATE waiting SET going=1 WHERE n=?", rows)
        return found

    def _ready(self, now: int, delay_s: int | None, *, most: int) -> list[Sequence[object]]:
        switches = self.switches()
        if switches.stopped is not None:
            return []
        ripe = switches.holding is None and delay_s is not None
        return self._db.rows(
            f"{_SELECT} WHERE problem='' AND NOT going AND"
            " (approved OR (? AND NOT waiting.held AND since<=?"
            " AND NOT (COALESCE(article.rev, 0)>=? AND article.time BETWEEN ? AND ?)))"
            " ORDER BY waiting.n LIMIT ?",
            (ripe, now - (delay_s or 0), FEW_REVISIONS, now - MIN_GAP_S + 1, now, most),
        )

    def settle(self, done: Iterable[int], refused: Mapping[int, str]) -> None:
        """Forget what was published, and keep why of some no page can be made."""
        with self._db.transaction():
            self.drop(done)
            rows = [(problem, n) for n, problem in refused.items()]
            self._db.execute_many("UPDATE waiting SET problem=?, going=0 WHERE n=?", rows)

    def put_back(self) -> None:
        """Let what was taken out wait again: it was not published, or nobody noted it."""
        if self._db.row("SELECT 1 FROM waiting WHERE going LIMIT 1"):
            with self._db.transaction():
                self._db.execute("UPDATE waiting SET going=0")

    # What the operator says, inside a transaction.

    def switch_on(self, name: str, *, now: int, reason: str = "") -> None:
        """Begin to `hold`, or to `stop`; what was on before stays on since then."""
        self._db.execute(
            "INSERT INTO switch VALUES(?,?,?) ON CONFLICT(name) DO UPDATE SET reason="
            "COALESCE(NULLIF(excluded.reason, ''), reason)",
            (name, now, reason),
        )

    def switch_off(self) -> None:
        """End holding and stopping."""
        self._db.execute("DELETE FROM switch")

    def mark(
        self, ns: Iterable[int], *, held: bool | None = None, approved: bool | None = None
    ) -> None:
        """Let a verdict stand beside some; what could not be published is tried again."""
        self._db.execute_many(
            "UPDATE waiting SET held=COALESCE(?, held), approved=COALESCE(?, approved), problem=''"
            " WHERE n=?",
            [(held, approved, n) for n in ns],
        )

    def reject(self, some: Iterable[Waiting], *, now: int) -> None:
        """Drop these, and do not propose the same content again; an edit of it is.

        Of a published text with more of its pictures those alone: they are not asked for again.
        """
        for each in some:
            if completed := self._db.row(_COMPLETED, (each.n,)):
                self._db.execute("DELETE FROM picture WHERE n=?", completed)
            else:
                self._db.execute(
                    "INSERT OR REPLACE INTO rejected SELECT key, ?, ?, ? FROM waiting_name"
                    " WHERE n=?",
                    (each.digest, each.source, now, each.n),
                )
            self.drop([each.n])
        if self._db.row("SELECT COUNT(*) FROM rejected")[0] > MAX_REJECTED:
            oldest = "SELECT at FROM rejected ORDER BY at DESC LIMIT 1 OFFSET ?"
            self._db.execute(f"DELETE FROM rejected WHERE at<({oldest})", (MAX_REJECTED - 1,))  # noqa: S608


def is_too_soon(*, rev: int, time: int, now: int) -> bool:
    """Return whether an edit waits: revision `rev`, of `time`, is one of many, and just made."""
    return rev >= FEW_REVISIONS and 0 <= now - time < MIN_GAP_S


def _waiting(row: Sequence[object]) -> Waiting:
    return Waiting(*row[:3], *map(bool, row[3:7]), *row[7:])  # type: ignore[arg-type]


def _merged(identity: Identity, before: Identity | None) -> Identity:
    """Return what to keep: an id is made once, and no name that was ever seen is lost."""
    if before is None:
        return identity
    older = (key for key in before.keys if key not in identity.keys)
    return Identity((*identity.keys, *older), before.id)
