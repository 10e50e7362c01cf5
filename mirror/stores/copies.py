"""What stores outside are known to hold, and what is to be removed there, in the database.

Table `copy`, a row a store: what it holds (`generation` and `root` of the tree, `size` of the log,
seen `at`); on the way to a newer generation, which (`target`), the `part` of the stages and the
mark `after` which to go on. `copy_garbage`: a path that is to be removed there, and when.

Size: 200 bytes a store, 100 bytes a removed path for minutes. If lost, all is sent again. Whoever
alters it makes readers of that store wait, or has files removed there that are sent again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass

from mirror.database import Database

_BASE32 = "234567abcdefghijklmnopqrstuvwxyz"  # as places are sorted


@dataclass(frozen=True, slots=True)
class Held:
    """What a store is known to hold: its row."""

    generation: int = 0
    root: bytes = b""
    size: int = 0
    at: int = 0
    target: int = 0
    part: int = 0
    after: str | None = None

    def share(self, parts: int) -> float:
        """Return how much of a filling in so many parts is done, from 0 to 1.

        Files are sent place by place, those of articles first, which are most of a site and
        spread evenly over the folders below `a`.
        """
        place = self.after or ""
        inside = float(place > "a/")
        if place.startswith("a/"):
            letters = enumerate(place.split("/")[1:4], 1)
            inside = sum(max(_BASE32.find(letter), 0) / 32**n for n, letter in letters)
        return min((self.part + inside) / parts, 1.0)


class Copies:
    """The rows of the store `name`."""

    def __init__(self, db: Database, name: str) -> None:
        self._db = db
        self._name = name

    def held(self) -> Held:
        """Return what the store is known to hold: nothing, if nothing is known."""
        query = "SELECT generation, root, size, at, target, part, after FROM copy WHERE name=?"
        row = self._db.row(query, (self._name,))
        return Held(*row) if row else Held()

    def put(self, held: Held) -> None:
        """Keep what the store holds; inside a transaction."""
        statement = "INSERT OR REPLACE INTO copy VALUES(?,?,?,?,?,?,?,?)"
        self._db.execute(statement, (self._name, *astuple(held)))

    def discard(self, gone: Mapping[str, int]) -> None:
        """Note what is to be removed, and from when on; inside a transaction."""
        rows = [(self._name, path, due) for path, due in gone.items()]
        self._db.execute_many("INSERT OR REPLACE INTO copy_garbage VALUES(?,?,?)", rows)

    def garbage(self, *, now: int, longest_s: int) -> list[str]:
        """Return what is to be removed now.

        What is due later than `longest_s` from now was noted by a clock that ran ahead.
        """
        query = "SELECT path FROM copy_garbage WHERE name=? AND (due<=? OR due>?) ORDER BY path"
        rows = self._db.rows(query, (self._name, now, now + longest_s))
        return [path for (path,) in rows]

    def next_due(self, folder: str = "") -> int | None:
        """Return when the first file below a folder is to be removed, None if none is."""
        query = "SELECT min(due) FROM copy_garbage WHERE name=? AND path>=? AND path<?"
        [due] = self._db.row(query, (self._name, folder, f"{folder}\x7f"))
        return None if due is None else int(due)

    def forget(self, paths: Iterable[str]) -> None:
        """Note that these were removed, or are not to be; inside a transaction."""
        statement = "DELETE FROM copy_garbage WHERE name=? AND path=?"
        self._db.execute_many(statement, [(self._name, path) for path in paths])
