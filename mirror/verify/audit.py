"""The audit of a whole log: every record follows from the ones before, and the index says so.

Formats README, section 8, step U: mandatory for cosigners. Signatures are checked before
(`mirror.verify.leaf_record`); here is what no single proof can show. Memory grows with the number
of articles, not of leaves. Everything raises `VerifyError` and nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mirror.errors import VerifyError
from mirror.formats.index import NEWEST, AnyItem, Index, VoidItem
from mirror.formats.paths import short_id
from mirror.formats.record import Doc, Record, Succ, Void


@dataclass(frozen=True, slots=True)
class Standing:
    """What a log says of one id: its newest document `doc`, at leaf `doc_leaf` of `origin`.

    `void`, at `void_leaf`, withdrew it since; the index of a site stands here as well.
    """

    origin: str
    doc: Doc
    doc_leaf: int
    void: Void | None = None
    void_leaf: int = 0

    @property
    def leaf(self) -> int:
        """The newest leaf of the id."""
        return self.void_leaf if self.void else self.doc_leaf


class Audit:
    """A log read from leaf 0 on: `add` each record in order, then check its index.

    `before` is the finished audit of the closed log that this one goes on from.
    """

    def __init__(self, origin: str, *, before: "Audit | None" = None) -> None:
        self.origin = origin
        self.size = 0
        self.ids: dict[bytes, Standing] = dict(before.ids) if before else {}
        self.articles: list[bytes] = list(before.articles) if before else []
        self._before = before
        self._time = 0

    def add(self, record: Record) -> None:
        """Take the next leaf if it may follow those added before.

        Not checked here: that `Succ` names the root of the closed log; who holds that log's
        records compares it with `final`.
        """
        if record.time < self._time:
            raise self._refusal("its time is before that of the leaf before it")
        if isinstance(record, Succ):
            self._check_succession(record)
        elif self.size == 0 and self._before:
            raise self._refusal("does not name the log before it")
        elif isinstance(record, Void):
            self._withdraw(record)
        else:
            self._publish(record)
        self._time = record.time
        self.size += 1

    def _check_succession(self, succ: Succ) -> None:
        before = self._before
        if before is None or self.size or (succ.origin, succ.size) != (before.origin, before.size):
            raise self._refusal(f"goes on from {succ.origin}, which is not the log before this one")

    def _publish(self, doc: Doc) -> None:
        old = self.ids.get(doc.id)
        if old is None:
            n = 0 if doc.t == "index" else len(self.articles)
            if (doc.n, doc.rev) != (n, 1):
                raise self._refusal(f"article {doc.n}, revision {doc.rev}, is not the next")
            if doc.t == "doc":
                self.articles.append(doc.id)
        else:
            self._check_step(old, doc, rev=old.doc.rev + 1)
            if doc.t != old.doc.t:
                raise self._refusal("the id of an index and of an article")
        self.ids[doc.id] = Standing(self.origin, doc, self.size)

    def _withdraw(self, void: Void) -> None:
        old = self.ids.get(void.id)
        if old is None or old.doc.t == "index":
            raise self._refusal("withdraws what is no article of this log")
        self._check_step(old, void, rev=old.doc.rev)
        self.ids[void.id] = Standing(old.origin, old.doc, old.doc_leaf, void, self.size)

    def _check_step(self, old: Standing, new: Doc | Void, *, rev: int) -> None:
        """Section 4: a revision, or its withdrawal, names the document that it follows."""
        prev = old.doc_leaf if old.origin == self.origin else f"{old.origin}#{old.doc_leaf}"
        expected = (old.doc.n, rev, old.doc.first, prev)
        if (new.n, new.rev, new.first, new.prev) != expected:
            raise self._refusal(f"article {new.n}, revision {new.rev}, is not the next")

    def _refusal(self, detail: str) -> VerifyError:
        return VerifyError("malformed", f"leaf {self.size} of {self.origin}: {detail}")

    def check_items(self, start: int, items: Iterable[AnyItem]) -> int:
        """Refuse `items`, those from number `start` on, unless they are what the log says.

        The log was added up to the leaf of their index. Returns the number after the last.
        """
        n = start
        for item in items:
            if n >= len(self.articles) or not self.matches(n, item):
                raise _refused(f"catalogue: article {n} is not what the log says")
            n += 1
        return n

    def check(self, index: Index, *, listed: int) -> None:
        """Refuse `index`, of which `listed` items were checked, unless nothing is left out."""
        if not index.count == listed == len(self.articles):
            counts = f"{index.count} counted, {listed} listed, {len(self.articles)} in the log"
            raise _refused(f"articles: {counts}")
        newest = tuple((item.n, item.leaf) for item in index.newest)
        if newest != self._newest() or not all(self.matches(each.n, each) for each in index.newest):
            raise _refused("newest is not what the log says")

    def matches(self, n: int, item: AnyItem) -> bool:
        """Return whether `item` is what the log says of article `n`."""
        here = self.ids[self.articles[n]]
        doc, void = here.doc, here.void
        if (item.id, item.n, item.rev, item.leaf) != (short_id(doc.id), n, doc.rev, here.leaf):
            return False
        if isinstance(item, VoidItem) or void:
            return isinstance(item, VoidItem) and void is not None and item.void == void.code
        return (item.time, item.length, item.sha256) == (doc.time, doc.length, doc.sha256)

    def _newest(self) -> tuple[tuple[int, int], ...]:
        found: list[tuple[int, int]] = []
        for n in range(len(self.articles) - 1, -1, -1):
            here = self.ids[self.articles[n]]
            if not here.void:
                found.append((n, here.doc_leaf))
            if len(found) == NEWEST:
                break
        return tuple(found)


def _refused(detail: str) -> VerifyError:
    return VerifyError("not-in-log", f"index: {detail}")
