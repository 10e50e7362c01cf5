"""Step U: a log in which something does not follow, and an index that hides something."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from mirror.errors import VerifyError
from mirror.formats import record
from mirror.formats.index import AnyItem, Index, Item, VoidItem
from mirror.formats.note import Note
from mirror.formats.record import INDEX_ID, JSON, Doc, Record, Succ, Void
from mirror.verify.audit import Audit
from tests.sites import NOW, Newsroom, article_id

ORIGIN = "news.example/log"
ID, OTHER = article_id("https://news.example/1"), article_id("https://news.example/2")
DOC = Doc("doc", ID, 0, 1, NOW, NOW, "text/html", 3, bytes(32))
SECOND = replace(DOC, rev=2, time=NOW + 1, prev=0)
VOID = Void(ID, 0, 1, NOW, NOW + 1, "legal", 0)
INDEX = Doc("index", INDEX_ID, 0, 1, NOW, NOW, JSON, 2, bytes(32))


def audit(*records: Record, origin: str = ORIGIN, before: Audit | None = None) -> Audit:
    made = Audit(origin, before=before)
    for each in records:
        made.add(each)
    return made


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(VerifyError) as caught:
        call()
    return caught.value.verdict


def test_revisions_withdrawals_and_indexes_follow_each_other():
    after = replace(SECOND, time=NOW + 2)
    made = audit(DOC, INDEX, VOID, VOID, after, replace(INDEX, rev=2, time=NOW + 3, prev=1))

    assert made.size == 6
    assert made.articles == [ID]
    assert (made.ids[ID].doc, made.ids[ID].leaf, made.ids[ID].void) == (after, 4, None)


@pytest.mark.parametrize(
    "records",
    [
        [replace(DOC, n=1)],
        [DOC, replace(DOC, id=OTHER)],
        [replace(SECOND, prev=0)],
        [DOC, DOC],
        [DOC, replace(SECOND, rev=3)],
        [DOC, replace(SECOND, prev=1)],
        [DOC, replace(SECOND, prev="old.example#0")],
        [DOC, replace(SECOND, n=1)],
        [DOC, replace(SECOND, first=NOW - 1)],
        [DOC, replace(DOC, id=OTHER, n=1, first=NOW - 1, time=NOW - 1)],
        [VOID],
        [DOC, replace(VOID, rev=2)],
        [DOC, replace(VOID, prev=1)],
        [INDEX, Void(INDEX_ID, 0, 1, NOW, NOW, "error", 0)],
        [replace(DOC, id=INDEX_ID), replace(INDEX, rev=2, prev=0)],
        [Succ("old.example", 1, bytes(32), NOW)],
        [DOC, Succ("old.example", 1, bytes(32), NOW)],
    ],
    ids=str,
)
def test_what_does_not_follow_is_malformed(records: Sequence[Record]):
    assert refused(lambda: audit(*records)) == "malformed"


def test_a_log_goes_on_from_the_closed_one_before_it():
    old = audit(DOC, INDEX, origin="old.example/log")
    succ = Succ("old.example/log", 2, bytes(32), NOW + 1)
    more = replace(DOC, id=OTHER, n=1, first=NOW + 1, time=NOW + 1)
    void = replace(VOID, rev=2, time=NOW + 2, prev=1)

    made = audit(succ, replace(SECOND, prev="old.example/log#0"), more, void, before=old)

    assert made.articles == [ID, OTHER]
    assert made.ids[ID].void == void
    assert old.articles == [ID]


@pytest.mark.parametrize(
    "first",
    [
        replace(SECOND, prev=0),
        Succ("other.example", 2, bytes(32), NOW),
        Succ("old.example/log", 1, bytes(32), NOW),
    ],
    ids=str,
)
def test_a_successor_names_the_log_before_it_first(first: Record):
    old = audit(DOC, INDEX, origin="old.example/log")

    assert refused(lambda: audit(first, before=old)) == "malformed"


def site(count: int = 40) -> tuple[Audit, Index, list[AnyItem]]:
    """Return the audit of a log with one revised and one withdrawn article, and its index."""
    room = Newsroom()
    room.publish({f"https://news.example/{i}": "text" for i in range(count)})
    room.publish(
        {"https://news.example/3": "edited"}, time=NOW + 1, withdraw=["https://news.example/38"]
    )
    made = audit(*(record.parse(Note.parse(leaf).text) for leaf in room.leaves))
    return made, room.index_document(NOW + 1), room.items


AUDITED, LISTED, ITEMS = site()


def check(index: Index = LISTED, items: Sequence[AnyItem] = ITEMS) -> None:
    AUDITED.check(index, listed=AUDITED.check_items(0, items))


def test_an_index_that_says_what_the_log_says_passes():
    check()

    assert [item.n for item in LISTED.newest[:3]] == [39, 37, 36]


def altered(n: int, **change: object) -> list[AnyItem]:
    return [replace(item, **change) if item.n == n else item for item in ITEMS]


@pytest.mark.parametrize(
    "items",
    [
        ITEMS[:-1],
        ITEMS[1:],
        [*ITEMS, replace(ITEMS[0], n=40)],
        altered(3, rev=1),
        altered(3, leaf=3),
        altered(3, sha256=bytes(32)),
        altered(3, length=1),
        altered(3, time=NOW),
        altered(3, id="a" * 20),
        altered(38, void="error"),
        [*ITEMS[:38], replace(ITEMS[37], n=38), ITEMS[39]],
        [VoidItem(ITEMS[0].id, 0, 1, 0, "legal"), *ITEMS[1:]],
        [*ITEMS[:38], Item(ITEMS[38].id, 38, 1, 42, NOW, 1, bytes(32), "", "", "ltr"), ITEMS[39]],
    ],
    ids=[
        "omits the last",
        "omits the first",
        "lists what is not",
        "hides a revision",
        "at another leaf",
        "other bytes",
        "other length",
        "other time",
        "other id",
        "other code",
        "another in its place",
        "withdrawn by the index alone",
        "hides a withdrawal",
    ],
)
def test_a_catalogue_that_is_not_what_the_log_says_is_refused(items: Sequence[AnyItem]):
    assert refused(lambda: check(items=items)) == "not-in-log"


@pytest.mark.parametrize(
    "index",
    [
        replace(LISTED, count=39),
        replace(LISTED, newest=LISTED.newest[1:]),
        replace(LISTED, newest=LISTED.newest[::-1]),
        replace(LISTED, newest=(replace(LISTED.newest[0], length=1), *LISTED.newest[1:])),
        replace(LISTED, newest=()),
    ],
    ids=["another count", "without the newest", "in another order", "other bytes", "none"],
)
def test_an_index_whose_newest_are_not_the_logs_is_refused(index: Index):
    assert refused(lambda: check(index)) == "not-in-log"


def test_a_small_log_lists_all_it_has():
    made, index, items = site(39)

    made.check(index, listed=made.check_items(0, items))

    assert len(index.newest) == 30


def test_an_empty_log_lists_nothing():
    room = Newsroom()
    room.publish({})

    audit(record.parse(Note.parse(room.leaves[0]).text)).check(room.index_document(NOW), listed=0)
