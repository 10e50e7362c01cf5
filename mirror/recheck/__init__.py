"""Pages of published articles, to be asked again: newsrooms edit, and remove, without a word.

After 10 minutes, then 1.5 times as long each time: 19 times in 30 days, and no more. An edit lets
the 30 days begin anew, the nth of them at step n: else a page that is different each time that it
is asked (a counter in its text) would be asked every ten minutes for ever, and bring as many
revisions. So it is asked as often as one that never changes, and then every nine days.

Size: some 2 kB an article, for 30 days, bounded below. May be lost: nothing is then asked again
until its feed says that it was edited. Who could abuse it: whoever writes the database can let
the daemon ask for other pages, through the fetcher's rules.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from mirror.article.feeds.feed import Entry
from mirror.database import Database
from mirror.fetch import Validators
from mirror.recheck.pictures import Pictures

NOTHING = Validators()
FIRST_S, SLOWER = 600, 1.5
STEPS = 19  # the first after 10 minutes, the last after 29.5 days
MAX_GAP_S = 9 * 24 * 3600  # 1.5ⁿ would put the last on the 31st day
DAYS_S = 30 * 24 * 3600  # since the last edit: a daemon that slept for a month catches up with none
FAILED_S = 6 * 3600  # between two tries of a page that could not be had: its site may be down
MISSING_S = 12 * 3600  # between two looks at a page that was not there
MISSES, MISSING_FOR_S = 3, 24 * 3600
"""Seen so often, over so long, a page is removed: a site that is moved or mended says 404, too."""
MAX_ROWS = 50_000
"""A month of 1,600 articles a day. Those to be asked last go first: they have been asked most."""
MAX_HTML_CHARS = 4_000  # of the feed's text: what is shown if the page's is lost, and no more
MAX_BYTES = 1 << 20  # of a row, unpacked: what is written here has a tenth


@dataclass(frozen=True, slots=True)
class Recheck:
    """The page `url` of article `short`, which the feed `source` named, is asked again at `due`."""

    short: str
    source: str
    url: str
    entry: Entry
    """As the feed had it, its text shortened."""
    etag: str
    last_modified: str
    step: int
    due: int
    missing: int | None
    """Since when it was not there each time, in Unix seconds."""
    since: int = 0
    """When it was planned, or its article was edited last."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What nothing is looked up by: the entry, and what was counted since it was planned."""

    entry: Entry
    changed: int
    edits: int = 0
    misses: int = 0


_ROW: TypeAdapter[tuple[Entry, int, int, int]] = TypeAdapter(
    tuple[Entry, int, int, int], config=ConfigDict(strict=True)
)


class Rechecks:
    """The pages to be asked again, in an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def due(self, *, now: int, most: int) -> list[Recheck]:
        """Return up to `most` pages that are to be asked now, as many of each feed.

        Of each those due longest first.

        Outside a transaction: a damaged row is removed, in one of its own.
        """
        # Due later than any gap: noted by a clock that ran ahead.
        times = now, now + MAX_GAP_S
        sources = self._db.rows("SELECT DISTINCT source FROM recheck WHERE due<=? OR due>?", times)
        query = f"{_SELECT} WHERE source=? AND (due<=? OR due>?) ORDER BY due LIMIT ?"
        queues = [self._db.rows(query, (source, *times, most)) for (source,) in sources]
        rows = [row for some in zip_longest(*queues) for row in some if row][:most]
        found = [_recheck(row) for row in rows]
        damaged = [(row[0],) for row, each in zip(rows, found, strict=True) if each is None]
        if damaged:
            with self._db.transaction():
                self._db.execute_many("DELETE FROM recheck WHERE short=?", damaged)
        return [each for each in found if each]

    def next_due(self) -> int | None:
        """Return when the first page is to be asked."""
        found: int | None = self._db.row("SELECT MIN(due) FROM recheck")[0]
        return found

    def is_current(self, plan: Recheck) -> bool:
        """Return whether nothing was published since, for which its page was planned anew."""
        found = self._kept(plan.short)
        return found is not None and found[0].entry == plan.entry and found[0].due == plan.due

    def has(self, short: str) -> bool:
        """Return whether an article's page is asked again."""
        return self._db.row("SELECT 1 FROM recheck WHERE short=?", (short,)) is not None

    def share_missing(self, source: str) -> tuple[int, int]:
        """Return how many pages of a feed's articles are not there, and how many are asked."""
        query = "SELECT COUNT(missing), COUNT(*) FROM recheck WHERE source=?"
        missing, asked = self._db.row(query, (source,))
        return missing, asked

    def count(self) -> int:
        """Return how many pages are asked again."""
        return int(self._db.row("SELECT COUNT(*) FROM recheck")[0])

    # What the daemon writes, inside a transaction.

    def plan(
        self,
        short: str,
        source: str,
        entry: Entry,
        *,
        now: int,
        step: int = 0,
        known: Validators = NOTHING,
    ) -> None:
        """Let the page of a new or edited article be asked again; one without a page is not.

        `known` is what its server gave to ask again with. A new article begins at `step`: an
        archive's may begin later than what is fresh.
        """
        if not entry.link:
            self.forget_page(short)
            return
        old, entry = self._kept(short), _shortened(entry)
        edits = old[1].edits + 1 if old else 0
        step = min(edits, STEPS - 1) if old else step
        packed = _packed(_Kept(entry, now, edits))
        row = (short, source, entry.link, packed, known.etag, known.last_modified, step)
        due = now + gap_s(step)
        self._db.execute("INSERT OR REPLACE INTO recheck VALUES(?,?,?,?,?,?,?,?,NULL)", (*row, due))
        if not old:
            self._keep_within(MAX_ROWS)

    def checked(self, short: str, *, now: int, etag: str, last_modified: str) -> None:
        """Note that a page was had, with its validators, and as it was before."""
        if found := self._kept(short):
            step = found[0].step + 1
            self._put_due(found, now=now, step=step, wait_s=gap_s(step))
            self._db.execute(
                "UPDATE recheck SET etag=?, last_modified=?, missing=NULL WHERE short=?",
                (etag, last_modified, short),
            )

    def missing(self, short: str, *, now: int) -> bool:
        """Note that a page was not there (404 or 410); return whether it counts as removed.

        It is asked on until its days are over: it may come back.
        """
        found = self._kept(short)
        if found is None:
            return False
        row, kept = found
        since = now if row.missing is None else min(row.missing, now)
        misses = 1 if row.missing is None else kept.misses + 1
        removed = misses >= MISSES and now - since >= MISSING_FOR_S
        # Without its validators: one that comes back as it was would answer 304, and stay marked.
        self._db.execute(
            "UPDATE recheck SET missing=?, entry=?, etag='', last_modified='' WHERE short=?",
            (since, _packed(replace(kept, misses=misses)), short),
        )
        if removed:
            step = row.step + 1
            self._put_due(found, now=now, step=step, wait_s=max(gap_s(step), MISSING_S))
        else:
            self._db.execute("UPDATE recheck SET due=? WHERE short=?", (now + MISSING_S, short))
        return removed

    def failed(self, short: str, *, now: int, retry_s: int = 0) -> None:
        """Note that a page could not be had: it is tried again, as if it had not been asked."""
        if found := self._kept(short):
            row, kept = found
            # Of a site that is down for days the old pages are not asked as often as the new.
            wait_s = min(max(gap_s(row.step), (now - kept.changed) // 2), FAILED_S)
            self._put_due(found, now=now, step=row.step, wait_s=max(wait_s, retry_s))

    def forget(self, short: str) -> None:
        """Ask for the page of an article, and for its pictures, no more."""
        self.forget_page(short)
        Pictures(self._db).forget(short)

    def forget_page(self, short: str) -> None:
        """Ask for the page of an article no more."""
        self._db.execute("DELETE FROM recheck WHERE short=?", (short,))

    def _put_due(self, found: tuple[Recheck, _Kept], *, now: int, step: int, wait_s: int) -> None:
        """Note when a page is asked again, or that it is no more."""
        row, kept = found
        if step >= STEPS or now >= kept.changed + DAYS_S:
            self.forget_page(row.short)
        values = step, now + wait_s, row.short
        self._db.execute("UPDATE recheck SET step=?, due=? WHERE short=?", values)

    def _kept(self, short: str) -> tuple[Recheck, _Kept] | None:
        row = self._db.row(f"{_SELECT} WHERE short=?", (short,))
        kept = _unpacked(row[3]) if row else None
        return (_with(row, kept), kept) if kept else None

    def _keep_within(self, most: int) -> None:
        self._db.execute(
            "DELETE FROM recheck WHERE short IN"
            " (SELECT short FROM recheck ORDER BY due LIMIT -1 OFFSET ?)",
            (most,),
        )


_SELECT = "SELECT short, source, url, entry, etag, last_modified, step, due, missing FROM recheck"


def gap_s(step: int) -> int:
    """Return how long after the one before it, or after an edit, a page is asked."""
    return round(min(FIRST_S * SLOWER ** min(step, STEPS), MAX_GAP_S))


def _with(row: Sequence[Any], kept: _Kept) -> Recheck:
    short, source, url, _, *rest = row
    return Recheck(*(short, source, url, kept.entry, *rest, kept.changed))


def _recheck(row: Sequence[Any]) -> Recheck | None:
    kept = _unpacked(row[3])
    return _with(row, kept) if kept else None


def _shortened(entry: Entry) -> Entry:
    html = (
        entry.html[:MAX_HTML_CHARS].encode(errors="replace").decode()
    )  # JSON has no half of a pair
    return replace(entry, html=html, full=entry.full and len(entry.html) <= MAX_HTML_CHARS)


def _packed(kept: _Kept) -> bytes:
    return zlib.compress(_ROW.dump_json((kept.entry, kept.changed, kept.edits, kept.misses)))


def _unpacked(value: object) -> _Kept | None:
    """Return what was kept, or None if it is damaged: it is worth one look at a page."""
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(value, MAX_BYTES)  # type: ignore[arg-type]
        return _Kept(*_ROW.validate_json(text))
    except (zlib.error, ValueError, TypeError):
        return None
