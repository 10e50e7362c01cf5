"""Step I, and A5: the index and its catalogue, honest and hostile."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import VerifyError
from mirror.formats import tlog
from mirror.formats.index import Index, Node, Ref, VoidItem
from mirror.formats.paths import INDEX_PROOF, PROOF
from mirror.formats.record import INDEX_ID, JSON, Doc
from mirror.verify import Seen, Trust
from mirror.verify.listing import index, largest, newest, node, status
from tests.sites import DAY, NOW, Newsroom, article_id, path_of

URL, OTHER = "https://news.example/1", "https://news.example/2"
ROOM = Newsroom()
ROOM.publish({URL: "one"}, time=NOW - DAY)
ROOM.publish({OTHER: "two"}, time=NOW - 60)
SHOWN = ROOM.files[INDEX_PROOF]


def trust(room: Newsroom = ROOM, seen: Seen | None = None, now: int = NOW) -> Trust:
    return Trust(room.root, now, seen)


def seen(room: Newsroom, size: int, time: int = NOW - DAY) -> Seen:
    return Seen(room.origin, size, room.root_at(size), time)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(VerifyError) as caught:
        call()
    return caught.value.verdict


def document(room: Newsroom) -> bytes:
    return room.files[Ref(room.index[0].length, room.index[0].sha256).path]


def indexed(data: bytes) -> tuple[Newsroom, bytes]:
    """Return a newsroom whose only leaf is of the index document `data`, and its proof."""
    room = Newsroom()
    sha256 = hashlib.sha256(data).digest()
    room.append([room.seal(Doc("index", INDEX_ID, 0, 1, NOW, NOW, JSON, len(data), sha256))])
    return room, room.proof(0, room.checkpoint(time=NOW))


def test_the_newest_index_tells_its_age():
    listed = index(SHOWN, document(ROOM), trust())

    assert listed.index.count == 2
    assert (listed.age_s, listed.stale) == (60, False)


def test_an_old_index_is_stale_and_still_returned():
    listed = index(SHOWN, document(ROOM), trust(now=NOW + 3 * DAY))

    assert (listed.index.count, listed.stale) == (2, True)


def test_an_index_whose_time_nobody_vouches_for_is_stale():
    listed = index(SHOWN, document(ROOM), trust(now=NOW - DAY))

    assert listed.stale


def test_an_articles_proof_is_not_an_indexs():
    assert refused(lambda: newest(ROOM.files[path_of(OTHER) + PROOF], trust())) == "malformed"


def test_an_index_that_is_not_the_last_leaf_is_frozen():
    frozen = ROOM.proof(1, ROOM.checkpoint(time=NOW))

    assert refused(lambda: newest(frozen, trust())) == "malformed"


def test_an_index_of_a_closed_log_is_refused():
    successor = Newsroom("news.example/next")
    successor.root = successor.make_root(version=2, closed=[ROOM.closed()])

    assert refused(lambda: newest(SHOWN, trust(successor))) == "revoked-log"


def test_an_index_rolled_back_is_refused():
    old = Newsroom()
    old.publish({URL: "one"}, time=NOW - DAY)
    refreshed = old.proof(1, old.checkpoint(time=NOW))

    assert refused(lambda: newest(old.files[INDEX_PROOF], trust(seen=seen(ROOM, 4)))) == "behind"
    assert refused(lambda: newest(refreshed, trust(seen=seen(ROOM, 4)))) == "rollback"


def test_an_expired_root_refuses_new_indexes_and_shows_the_stored_one():
    room = Newsroom()
    room.root = room.sign_root(room.make_root(expires=NOW))
    room.publish({URL: "one"}, time=NOW)

    assert refused(lambda: newest(room.files[INDEX_PROOF], trust(room))) == "expired-root"
    assert newest(room.files[INDEX_PROOF], trust(room, seen(room, 2))).leaf == 1


def test_the_largest_of_several_answers_is_kept():
    small = newest(ROOM.proof(1, ROOM.checkpoint(time=NOW, size=2), 2), trust())
    large = newest(SHOWN, trust())

    assert largest([small, large, small]) == large


def test_two_answers_of_one_size_must_be_equal():
    other = Newsroom()
    other.publish({URL: "one"}, time=NOW - DAY)
    other.publish({OTHER: "for you alone"}, time=NOW - 60)
    both = [newest(SHOWN, trust()), newest(other.files[INDEX_PROOF], trust())]

    assert refused(lambda: largest(both)) == "fork"


def test_a_document_with_other_bytes_is_tampered_with():
    omitting = document(ROOM).replace(b'"count":2', b'"count":1')

    assert refused(lambda: index(SHOWN, omitting, trust())) == "tampered"


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (b"{}", "malformed"),
        (document(ROOM).replace(b"news.example/log", b"other.example/lg"), "malformed"),
        (document(ROOM).replace(b'"root":1', b'"root":2'), "too-new"),
    ],
)
def test_a_signed_document_must_still_be_this_logs_index(data: bytes, verdict: str):
    room, shown = indexed(data)

    assert refused(lambda: index(shown, data, trust(room))) == verdict


def test_a_larger_tree_must_be_shown_to_contain_the_stored_one():
    proof = tlog.consistency_proof(ROOM.read_tile, 2, 4)
    kept = trust(seen=seen(ROOM, 2))

    assert index(SHOWN, document(ROOM), kept, consistency=proof).index.count == 2
    assert refused(lambda: index(SHOWN, document(ROOM), kept)) == "not-in-log"
    assert (
        refused(lambda: index(SHOWN, document(ROOM), kept, consistency=[bytes(32)])) == "not-in-log"
    )


def test_a_quorum_spares_the_proof_that_a_tree_grew():
    room = Newsroom(cosigners=1, quorum=1)
    room.publish({URL: "one"})
    room.publish({OTHER: "two"})

    listed = index(room.files[INDEX_PROOF], document(room), trust(room, seen(room, 2)))

    assert listed.newest.checked.confirmed_by == "quorum"


def test_what_was_stored_of_another_origin_is_not_compared():
    other = Seen("other.example/log", 3, bytes(32), NOW - DAY)

    assert index(SHOWN, document(ROOM), trust(seen=other)).index.count == 2


def test_a_node_is_what_its_reference_says_and_of_its_level():
    ref = Index.parse(document(ROOM)).catalogue[0]
    data = ROOM.files[ref.path]

    assert node(data, ref, level=0) == Node.parse(data)
    assert refused(lambda: node(data + b" ", ref, level=0)) == "tampered"
    assert refused(lambda: node(data, ref, level=1)) == "malformed"


def test_the_catalogue_says_what_became_of_a_revision():
    doc, item = ROOM.docs[article_id(URL)][0], ROOM.items[0]
    later = replace(doc, rev=2, prev=0)
    void = VoidItem(item.id, 0, 1, 5, "legal")

    assert status(doc, item) == "current"
    assert status(doc, replace(item, rev=2)) == "superseded"
    assert status(doc, void) == "withdrawn"
    assert status(doc, None) == "status-unknown"
    assert status(later, item) == "status-unknown"


DOCUMENT = document(ROOM)


@given(st.integers(0, len(DOCUMENT) * 8 - 1))
def test_a_flipped_bit_in_an_index_is_tampering(bit: int):
    data = bytearray(DOCUMENT)
    data[bit // 8] ^= 1 << bit % 8

    assert refused(lambda: index(SHOWN, bytes(data), trust())) == "tampered"


@given(st.integers(0, len(SHOWN) * 8 - 1))
def test_a_flipped_bit_in_its_proof_is_refused_or_says_the_same(bit: int):
    data = bytearray(SHOWN)
    data[bit // 8] ^= 1 << bit % 8

    try:
        listed = index(bytes(data), DOCUMENT, trust())
    except VerifyError:
        return
    assert bytes(listed.index) == DOCUMENT
