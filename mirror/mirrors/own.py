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

MAX_PAGE = 12_000
"""Bytes of the article that is looked at: filters freeze a connection after some 16 kB, and what
is no larger says of every page that it passes."""
TRIES = 20  # to find such an article: most are


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
        """Return a random article of the first `size` leaves whose page is small, if there is one.

        A withdrawn one need not be anywhere.
        """
        state = State(self.db)
        count = state.count()
        for _ in range(TRIES if count else 0):
            n = self.choose(count)
            for each in state.articles(n, n + 1):
                if each.leaf < size and not each.void and each.length <= MAX_PAGE:
                    return each
        return None
