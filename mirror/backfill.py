"""Archives that the operator wants mirrored: an order each, and how far the cycles have come.

An archive is looked through to its end, and then read from there: articles are numbered as they
are published, and the front page shows the highest numbers. Those of a mirror that was there
before are lower, so an archive is best filled in before a mirror is announced.

Table `backfill`, a row an order: `next` is where it stands, packed; `pages` were read, of `entries`
it is known what becomes of them; it goes on `at`, and has ended when `done` is not 0.

Size: 100 bytes for each of the archive's pages, packed. May be lost: it is ordered again, and what
is published already is passed over. Who could abuse it: whoever writes the database has the
daemon ask for other pages, through the fetcher's rules.
"""

import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, TypeAdapter

from mirror.article.entry import Entry
from mirror.article.identity import Identity
from mirror.database import Database

PAUSE_S = 1  # between two steps of an order: the site's readers come first
TRIES, RETRY_S, SLOWER = 5, 30, 3  # of what could not be had: after 30 s, 90 s, 5 and 14 minutes
AHEAD_S = 25 * 3600  # no step is put off for longer: noted by a clock that ran ahead
LEFT_S = 300  # until what found no room is met again
MAX_MISSED = 1_000
"""Pages that could not be had, kept with their entries to be asked again; the rest is counted."""
MAX_BYTES = 1 << 26
"""Of a row, unpacked: 10,000 pages with the longest addresses that a fetcher takes have a third."""


@dataclass(frozen=True, slots=True)
class Document:
    """A page of a feed's archive (RFC 5005), or a sitemap."""

    url: str
    depth: int = 0
    """How many indexes of sitemaps lead to it."""
    count: int = 0
    """Its entries, when it was looked through."""
    newest: str = ""
    """The latest of their dates, or ""."""
    mark: str = ""
    """What tells whether it still has the same entries."""
    offset: int = 0
    """How many of them, from the oldest on, are dealt with."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entry whose page is to be asked for, as `mirror.poll` knows it."""

    entry: Entry
    identity: Identity
    digest: bytes
    archived: bool
    """The feed itself has it no longer."""


@dataclass(frozen=True, slots=True)
class Order:
    """The archive at `url` is to be mirrored, its articles being those of the feed `source`."""

    url: str
    source: str
    since: str = ""
    """Entries with an earlier date are left out."""
    kind: Literal["", "feed", "sitemap"] = ""
    ahead: tuple[Document, ...] = ()
    """To be looked through, the first first."""
    behind: tuple[Document, ...] = ()
    """Looked through and to be read, the last first."""
    wanted: tuple[Wanted, ...] = ()
    """Their pages are asked for before any document is read, the last first."""
    missed: tuple[Wanted, ...] = ()
    """Their pages could not be had."""
    lost: tuple[Document, ...] = ()
    """They could not be had, or were none."""
    again: bool = False
    """What was missed and lost is asked for once more."""
    looked: int = 0
    """How many documents were looked through."""
    total: int = 0
    """How many entries they had."""
    new: int = 0
    """How many of the entries became articles, or wait."""
    failed: int = 0
    """How many became none, for their pages are gone or no article could be made of them."""
    foreign: int = 0
    """How many addresses were on none of the newsroom's hosts."""
    tries: int = 0
    problem: str = ""
    """The last thing that went wrong."""
    pages: int = 0
    entries: int = 0
    at: int = 0
    done: int = 0

    @property
    def looking(self) -> bool:
        """Whether the next step is to look through a document."""
        return bool(self.ahead) and not self.wanted

    @property
    def document(self) -> Document:
        """The document that the next step is about."""
        return self.ahead[0] if self.looking else self.behind[-1]

    @property
    def left(self) -> bool:
        """Whether something of it was not had: to be asked for if it is ordered again."""
        return bool(self.ahead or self.behind or self.wanted or self.missed or self.lost)

    def went_on(self, *, now: int) -> Self:
        """Return the order after a step that went well; it ends where nothing is left to do."""
        after = replace(self, tries=0, at=now + PAUSE_S)
        if after.ahead or after.behind or after.wanted:
            return after
        if after.left and not after.again:
            return replace(after._once_more(), again=True)
        return replace(after, done=now)

    def put_off(self, problem: str, *, now: int, retry_s: int = 0) -> Self | None:
        """Return the order after a step that failed, to be done again later; None: enough."""
        if self.tries + 1 == TRIES:
            return None
        wait_s = max(RETRY_S * SLOWER**self.tries, retry_s)
        return replace(self, tries=self.tries + 1, problem=problem, at=now + wait_s)

    def past(self) -> Self:
        """Return the order without the document that the last step was about."""
        if self.looking:
            return replace(self, ahead=self.ahead[1:])
        return replace(self, behind=self.behind[:-1])

    def without(self) -> Self:
        """Return the order without its document, which could not be had."""
        lost = replace(self.past(), lost=(*self.lost, Document(self.document.url)))
        return lost if self.looking else replace(lost, total=self.total - self.document.count)

    def with_missed(self, some: Iterable[Wanted]) -> Self:
        """Return the order with more pages that could not be had."""
        missed = (*self.missed, *some)
        kept = missed[:MAX_MISSED]
        return replace(self, missed=kept, failed=self.failed + len(missed) - len(kept))

    def resumed(self, *, now: int) -> Self:
        """Return an order that has ended as it goes on; what it could not have comes last."""
        after = replace(self, at=now, done=0, tries=0, again=False, problem="")
        if after.ahead or after.behind or after.wanted:
            return after
        return replace(after._once_more(), again=True)

    def _once_more(self) -> Self:
        return replace(self, wanted=self.missed[::-1], ahead=self.lost, missed=(), lost=())


_ORDER: TypeAdapter[tuple[Order, ...]] = TypeAdapter(
    tuple[Order, ...],
    config=ConfigDict(strict=True, ser_json_bytes="base64", val_json_bytes="base64"),
)
_DUE = "done=0 AND (at<=? OR at>?)"
_SELECT = "SELECT url, next, pages, entries, at, done FROM backfill"


class Backfills:
    """The orders, in an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def is_due(self, *, now: int) -> bool:
        """Return whether an order is to go on now."""
        query = f"SELECT 1 FROM backfill WHERE {_DUE}"  # noqa: S608  constants
        return self._db.row(query, (now, now + AHEAD_S)) is not None

    def due(self, *, now: int, most: int) -> list[Order]:
        """Return up to `most` orders that are to go on now, those due longest first.

        Outside a transaction: a damaged one is removed, in one of its own.
        """
        orders, damaged = self._read(_DUE, (now, now + AHEAD_S), most=most)
        if damaged:
            with self._db.transaction():
                self._db.execute_many("DELETE FROM backfill WHERE url=?", damaged)
        return orders

    def rows(self) -> list[Order]:
        """Return all orders."""
        return self._read("1")[0]

    def find(self, url: str) -> Order | None:
        """Return the order about an archive, ended or not."""
        return next(iter(self._read("url=?", (url,))[0]), None)

    def _read(
        self, where: str, values: Sequence[object] = (), *, most: int = -1
    ) -> tuple[list[Order], list[tuple[str]]]:
        """Return orders, and the addresses of those that are damaged."""
        query = f"{_SELECT} WHERE {where} ORDER BY at, url LIMIT ?"
        rows = self._db.rows(query, (*values, most))
        found = [(row[0], _unpacked(row)) for row in rows]
        return [each for _, each in found if each], [(url,) for url, each in found if not each]

    # Inside a transaction.

    def ask(self, url: str, source: str, *, since: str = "", now: int) -> None:
        """Order an archive; one that was ordered goes on, one that was had is looked at anew."""
        old, new = self.find(url), Order(url, source, since, ahead=(Document(url),), at=now)
        if old and old.left and (old.source, old.since) == (source, since):
            # One that waits goes on waiting: its server may have asked for it.
            new = old.resumed(now=now) if old.done else old
        row = new.url, _packed(new), new.pages, new.entries, new.at, new.done
        self._db.execute("INSERT OR REPLACE INTO backfill VALUES(?,?,?,?,?,?)", row)

    def put(self, order: Order) -> None:
        """Keep how far an order has come, unless it was cancelled meanwhile."""
        row = _packed(order), order.pages, order.entries, order.at, order.done, order.url
        self._db.execute(
            "UPDATE backfill SET next=?, pages=?, entries=?, at=?, done=? WHERE url=?", row
        )

    def put_off(self, urls: Iterable[str], *, now: int) -> None:
        """Let a step be done again later: there was no room for what it found."""
        rows = [(now + LEFT_S, url) for url in urls]
        self._db.execute_many("UPDATE backfill SET at=? WHERE url=?", rows)

    def cancel(self, url: str) -> bool:
        """Forget an order; return whether there was one. What was published stays."""
        return self._db.execute("DELETE FROM backfill WHERE url=?", (url,)) > 0


def owner_of(url: str, feeds: Collection[str]) -> str:
    """Return the feed to which an archive belongs: of those on its host, the most alike, or one.

    What is found is the feed's: it alone revises it, and guids are known as its own.
    """
    host = urlsplit(url).hostname
    near = [each for each in feeds if urlsplit(each).hostname == host]
    return max(near or list(feeds)[:1], key=lambda each: _alike(each, url))


def _alike(a: str, b: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def _packed(order: Order) -> bytes:
    return zlib.compress(_ORDER.dump_json((order,)), 1)


def _unpacked(row: Sequence[Any]) -> Order | None:
    url, value, pages, entries, at, done = row
    try:
        [order] = _ORDER.validate_json(zlib.decompressobj().decompress(value, MAX_BYTES))
    except (zlib.error, ValueError, TypeError):
        return None
    return replace(order, url=url, pages=pages, entries=entries, at=at, done=done)
