"""What the operator wants withdrawn: an order, kept until nothing of the article is left.

Table `withdrawal`, a row an article: the code, when it was `asked`, when it was `done`. A verb
leaves the order beside a daemon, which begins its next cycle with it.

Size: 50 bytes each. If lost before it is done: files of a withdrawn article may stay in the site;
the order is given again. Who could abuse it: whoever writes the database withdraws articles.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mirror.database import Database
from mirror.formats.record import Code


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Article `short` is to be withdrawn; was, and nothing of it is left, where it is `done`."""

    short: str
    code: Code
    asked: int
    done: int | None


class Withdrawals:
    """The orders, in an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def ask(self, short: str, code: Code, *, now: int) -> None:
        """Order that an article be withdrawn, or its removal repeated; inside a transaction."""
        self._db.execute("INSERT OR REPLACE INTO withdrawal VALUES(?,?,?,NULL)", (short, code, now))

    def pending(self) -> list[tuple[str, Code]]:
        """Return what is not done yet, in the order in which it was asked for."""
        query = "SELECT short, code FROM withdrawal WHERE done IS NULL ORDER BY asked, short"
        return [(short, code) for short, code in self._db.rows(query)]

    def shorts(self) -> list[str]:
        """Return the short ids of all that was ordered."""
        return [short for (short,) in self._db.rows("SELECT short FROM withdrawal ORDER BY short")]

    def find(self, short: str) -> Withdrawal | None:
        """Return the order about an article, done or not."""
        row = self._db.row("SELECT * FROM withdrawal WHERE short=?", (short,))
        return Withdrawal(*row) if row else None

    def newest_done(self) -> int | None:
        """Return when (Unix seconds) one was done last; None: none ever was."""
        [done] = self._db.row("SELECT max(done) FROM withdrawal")
        return None if done is None else int(done)

    def mark_done(self, shorts: Iterable[str], *, now: int) -> None:
        """Note that nothing of these is left; inside a transaction."""
        rows = [(now, short) for short in shorts]
        self._db.execute_many("UPDATE withdrawal SET done=? WHERE short=?", rows)

    # What else of an article a site holds.

    def links(self, short: str) -> list[str]:
        """Return the addresses under which an article is known."""
        query = "SELECT key FROM alias JOIN article USING(n) WHERE short=? AND key LIKE 'link %'"
        return [key.removeprefix("link ") for (key,) in self._db.rows(query, (short,))]

    def old_documents(self) -> list[str]:
        """Return the index documents and nodes that are replaced and kept for late readers."""
        query = "SELECT path FROM garbage WHERE path GLOB 'index/*' ORDER BY path"
        return [path for (path,) in self._db.rows(query)]
