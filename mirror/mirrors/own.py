"""What the operator's own database says, to hold against what a mirror shows."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from mirror.database import Database
from mirror.errors import VerifyError
from mirror.formats import record, tlog
from mirror.formats.note import Note
from mirror.formats.root import Root
from mirror.state import ArticleState, State
from mirror.verify import Checked, Trust

BEHIND_S = 2 * 3600
"""How long a mirror may lack what was published: a volunteer's copies once an hour, and an hour
may go wrong. Our own stores have it within a minute."""

TRIES = 20
"""Draws that may meet withdrawn articles before the next that is not is taken: so all are equally
likely, but where nearly all were withdrawn."""


@dataclass(frozen=True, slots=True)
class Own:
    """The log of the operator's own database, and the root that it is published under."""

    db: Database
    root: Root
    choose: Callable[[int], int] = random.randrange

    def trust(self, now: int) -> Trust:
        """Return what a mirror's files are verified with.

        A root that has expired is the operator's trouble, and says nothing about a mirror.
        """
        return Trust(self.root, min(now, self.root.expires - 1))

    def lag(self, checked: Checked, *, now: int) -> str:
        """Return in words how a mirror with this checkpoint is too old, "" if it is not.

        Raises:
            VerifyError: it is another tree than ours, though signed.
        """
        point, state = checked.checkpoint, State(self.db)
        log = state.log()
        if point.origin != log.origin or point.size > log.size:
            raise VerifyError("fork", f"{point.size} leaves of {point.origin}, ours {log.size}")
        if point.root != tlog.range_root(state.read_tile, 0, point.size):
            raise VerifyError("fork", f"another tree of {point.size} leaves than ours")
        if point.size < log.published:
            late_s = now - self._published(point.size)
            missing = f"lacks the newest {log.published - point.size} leaves"
            return f"{missing} for {late_s // 60} minutes" if late_s > BEHIND_S else ""
        age_s = now - checked.time
        # Where our own checkpoint is as old, no mirror can have a newer one.
        if age_s > self.root.max_age_s and checked.time < log.cosigned:
            return f"last shown to be the newest {age_s // 3600} hours ago"
        return ""

    def _published(self, leaf: int) -> int:
        [data] = State(self.db).records(leaf, leaf + 1)
        return record.parse(Note.parse(data).text).time

    def article(self, size: int) -> ArticleState | None:
        """Return a random article of the first `size` leaves; None only where they hold none.

        Any may be drawn, however long: what is never looked at can be forged unseen. But a
        withdrawn one need not be anywhere, nor a revision later than these leaves.
        """
        state = State(self.db)
        count = state.count()
        n = 0
        for _ in range(TRIES if count else 0):
            n = self.choose(count)
            for each in state.articles(n, n + 1):
                if each.leaf < size and not each.void:
                    return each
        return self._next(n, size) or self._next(0, size)

    def _next(self, n: int, size: int) -> ArticleState | None:
        query = "SELECT * FROM article WHERE n>=? AND leaf<? AND void IS NULL ORDER BY n LIMIT 1"
        row = self.db.row(query, (n, size))
        return ArticleState(*row) if row else None
