"""Pictures of published articles: under which names they were had, and which are asked for again.

A server of pictures that is down when an article is published is up again later. So what it did
not give, as long as that may pass, is asked for after 10 minutes, and then three times as long
each time: 6 times in 60 hours, and no more. What was refused for good is not. And what was had
once stays, though an edit comes while the server is down: its bytes are in the site.

Size: 100 bytes and 100 a picture, of the newest articles; of one that lacks some its text, too,
until it has them or the tries are over; bounded below. May be lost: what is a link then stays one
until the next edit. Who could abuse it: whoever writes the database publishes in the newsroom's
name, as with what waits.
"""

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from pydantic import ConfigDict, TypeAdapter

from mirror.article.article import Article
from mirror.article.identity import Identity
from mirror.article.picture import Picture, name
from mirror.database import Database

FIRST_S, SLOWER = 600, 3
TRIES = 6
MAX_GAP_S = FIRST_S * SLOWER**TRIES
MAX_ROWS = 50_000
"""The newest articles: an older one that is edited while its pictures' server is down is rare."""
MAX_LACKING = 1_000
"""Of one feed that are asked for again: a newsroom's in five days. One that makes up pictures
fills no disk, and takes no other feed's place."""
MAX_PACKED_BYTES = 64 << 10  # of a text: 60,000 words, four times the longest of newspapers
MAX_BYTES = 4 << 20  # of a row, unpacked: what is written here has a tenth
MAX_HOSTS = 1_000
"""Of one feed that asked to be left alone: as many as anybody's pages name in a day. One that
names more, each for a day, pushes out no other feed's."""


@dataclass(frozen=True, slots=True)
class Known:
    """A picture that was had: where at the source, and under which names in the site."""

    url: str
    name: str
    large: str
    """Of the larger one, or ""."""
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Shown:
    """The pictures of article number `n` in revision `rev`, and when some are asked for again."""

    n: int
    rev: int
    short: str
    source: str
    tries: int
    due: int | None
    """None: no more."""
    had: tuple[Known, ...]
    lacks: tuple[str, ...]
    """Addresses of those that may come."""
    article: Article | None
    """As it was published, without its pictures; None where nothing is asked for."""
    identity: Identity


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of asking for the pictures of an article."""

    busy: tuple[tuple[str, int], ...] = ()
    """Servers (`server_of`) that asked to be left alone, and until when."""
    plan: Shown | None = None
    """By which they were asked for again, if it was not for a new text."""
    refused: tuple[str, ...] = ()
    """Of those, what is not worth another try."""
    asked: bool = True
    """Anything at all: not while all servers want to be left alone."""


_Value = tuple[tuple[Known, ...], tuple[str, ...], Article | None, tuple[str, ...], bytes]
_VALUE: TypeAdapter[_Value] = TypeAdapter(
    _Value, config=ConfigDict(strict=True, ser_json_bytes="base64", val_json_bytes="base64")
)
_SELECT = (
    "SELECT picture.n, picture.rev, short, article.source, tries, due, value"
    " FROM picture JOIN article USING(n)"
)
_CURRENT = (
    "article.rev=picture.rev AND article.void IS NULL AND short NOT IN (SELECT short FROM waiting)"
)
_DUE = (
    "SELECT n FROM picture JOIN article USING(n)"  # noqa: S608  constants
    f" WHERE (due<=? OR due>?) AND {_CURRENT}"
    " ORDER BY ROW_NUMBER() OVER (PARTITION BY article.source ORDER BY due, n), due, n"
)
_LAST = (
    "DELETE FROM busy WHERE host IN (SELECT host FROM (SELECT host,"
    " ROW_NUMBER() OVER (PARTITION BY substr(host, 1, instr(host, ' ')) ORDER BY until DESC) AS n"
    " FROM busy) WHERE n>?)"
)


class Pictures:
    """The pictures of articles, in an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def due(self, *, now: int, most: int) -> list[Shown]:
        """Return up to `most` articles whose pictures are to be asked for now.

        Of each feed as many, those due longest first. Of one whose next revision waits for the
        operator nothing is: that would replace it.
        """
        # Due later than any gap: noted by a clock that ran ahead.
        found = (self.find(n) for (n,) in self._db.rows(_DUE, (now, now + MAX_GAP_S)))
        # A damaged row, which stays due, takes no place.
        return list(islice((each for each in found if each and each.article), most))

    def any_due(self, *, now: int) -> bool:
        """Return False if `due` has nothing for sure: mostly so, and a thread for it is dear."""
        query = "SELECT 1 FROM picture WHERE due<=? OR due>? LIMIT 1"
        return self._db.row(query, (now, now + MAX_GAP_S)) is not None

    def find(self, n: int) -> Shown | None:
        """Return what is known of the pictures of article number `n`."""
        row = self._db.row(f"{_SELECT} WHERE picture.n=?", (n,))
        return _shown(row) if row else None

    def gains(self, n: int, rev: int, article: Article) -> bool:
        """Return whether `article` has a picture that its published revision `rev` lacks."""
        found = self.find(n) if any(each.webp for each in article.pictures) else None
        if found is None or found.rev != rev:
            return False
        return any(each.webp and each.url in found.lacks for each in article.pictures)

    def is_current(self, plan: Shown) -> bool:
        """Return whether nothing was published since, or waits, that has another text."""
        query = f"{_SELECT} WHERE picture.n=? AND picture.rev=? AND {_CURRENT}"
        return self._db.row(query, (plan.n, plan.rev)) is not None

    def busy(self, *, now: int) -> dict[str, int]:
        """Return the servers (`server_of`) that want to be left alone now, and until when."""
        return dict(self._db.rows("SELECT host, until FROM busy WHERE until>?", (now,)))

    # What the daemon writes, inside a transaction.

    def note(
        self, n: int, rev: int, article: Article, identity: Identity, *, same: bool, now: int
    ) -> None:
        """Keep which pictures a revision has, and let it lack no more of them than it must.

        With the `same` text as the revision before it, what was tried counts.
        """
        old = self.find(n) if rev > 1 else None
        tries = old.tries if old and same else 0
        had = tuple(_known(each) for each in article.pictures if each.webp)
        if article.gone and old:  # it was read back from its page, which names no address
            had = old.had
        lacks = tuple(each.url for each in article.pictures if not each.webp)
        due = now + gap_s(tries) if lacks and tries < TRIES else None
        bare = replace(article, pictures=()) if due is not None else None
        values = n, rev, "", "", tries, due, had, lacks, bare, identity
        if had or lacks:
            self._put(self._within(Shown(*values)))
            self._db.execute("DELETE FROM picture WHERE n<=?", (n - MAX_ROWS,))
        elif old:
            self._db.execute("DELETE FROM picture WHERE n=?", (n,))

    def came(self, visit: Visit, *, now: int) -> None:
        """Note what came of asking for pictures."""
        rows = [(server, until) for server, until in visit.busy if until > now]
        if rows:
            self._db.execute("DELETE FROM busy WHERE until<=?", (now,))
            self._db.execute_many("INSERT OR REPLACE INTO busy VALUES(?,?)", rows)
            self._db.execute(_LAST, (MAX_HOSTS,))
        if visit.plan:
            self._tried(visit, visit.plan, now=now)

    def forget(self, short: str) -> None:
        """Forget the pictures of an article, and its text."""
        self._db.execute(
            "DELETE FROM picture WHERE n IN (SELECT n FROM article WHERE short=?)", (short,)
        )

    def _tried(self, visit: Visit, plan: Shown, *, now: int) -> None:
        found = self.find(plan.n)
        if found is None or found.article is None or found.article != plan.article:
            return  # it has them all, or was edited meanwhile
        tries = found.tries + visit.asked
        lacks = tuple(each for each in found.lacks if each not in visit.refused)
        if tries >= TRIES or not lacks:
            # What still lacks is kept: some of it may wait for the operator.
            self._put(replace(found, tries=tries, due=None, lacks=lacks, article=None))
            return
        until = _until(lacks, found.source, self.busy(now=now))
        due = max(now + gap_s(tries) if visit.asked else now, until)
        self._put(replace(found, tries=tries, due=due, lacks=lacks))

    def _within(self, new: Shown) -> Shown:
        """Return what is kept: of a text that there is no room for, that nothing is asked for."""
        if new.article is None:
            return new
        query = (
            "SELECT COUNT(*) FROM picture JOIN article USING(n) WHERE due IS NOT NULL AND"
            " article.source=(SELECT source FROM article WHERE n=?) AND n!=?"
        )
        full = self._db.row(query, (new.n, new.n))[0] >= MAX_LACKING
        if full or len(_packed(new)) > MAX_PACKED_BYTES:
            return replace(new, due=None, article=None)
        return new

    def _put(self, new: Shown) -> None:
        row = new.n, new.rev, len(new.lacks), new.tries, new.due, _packed(new)
        self._db.execute("INSERT OR REPLACE INTO picture VALUES(?,?,?,?,?,?)", row)


def gap_s(tries: int) -> int:
    """Return how long after the `tries` before it, or after publication, pictures are asked for."""
    return int(FIRST_S * SLOWER ** min(tries, TRIES))


def server_of(url: str, *, source: str) -> str:
    """Return what the host of a picture in a feed's article is known by.

    Each feed's apart: a redirect that one of them can choose may lead to whoever asks to be left
    alone, and what stands for all is the host where it began.
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # a damaged row may have any
        host = ""
    return f"{source} {host}"


def _until(urls: Collection[str], source: str, busy: Mapping[str, int]) -> int:
    """Return when the first of the pictures may be asked for."""
    return min(busy.get(server_of(url, source=source), 0) for url in urls)


def _known(picture: Picture) -> Known:
    large = name(picture.large) if picture.large else ""
    return Known(picture.url, name(picture.webp), large, picture.width, picture.height)


def _packed(shown: Shown) -> bytes:
    keys, id_ = shown.identity.keys, shown.identity.id
    return zlib.compress(_VALUE.dump_json((shown.had, shown.lacks, shown.article, keys, id_)))


def _shown(row: Sequence[Any]) -> Shown | None:
    """Return what a row says, or None if it is damaged: it is worth some pictures."""
    try:
        text = zlib.decompressobj().decompress(row[-1], MAX_BYTES)
        had, lacks, article, keys, id_ = _VALUE.validate_json(text)
    except (zlib.error, ValueError, TypeError):
        return None
    n, rev, short, source, tries, due, _ = row
    return Shown(n, rev, short, source, tries, due, had, lacks, article, Identity(keys, id_))
