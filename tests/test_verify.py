"""Steps C, P and A: one checkpoint, one proof, one article, honest and hostile."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import VerifyError
from mirror.formats import note
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.note import Note
from mirror.formats.paths import CHECKPOINT, INDEX_PROOF, PROOF, short_id
from mirror.formats.proof import Proof
from mirror.verify import (
    Seen,
    Trust,
    article,
    check_part,
    checkpoint,
    leaf_record,
    parts,
    promised,
    proof,
)
from mirror.verify.roots import pinned_root
from tests.sites import DAY, NOW, Newsroom, article_id, page, path_of, seed

URL, OTHER = "https://news.example/1", "https://news.example/2"
ROOM = Newsroom()
ROOM.publish({URL: "one", OTHER: "two"}, time=NOW - 60)
PAGE, PROOF_FILE = ROOM.files[path_of(URL)], ROOM.files[path_of(URL) + PROOF]
SIGNED = ROOM.files[CHECKPOINT]
HOSTILE = Path(__file__).parent / "data" / "verify"


def trust(room: Newsroom = ROOM, seen: Seen | None = None, now: int = NOW) -> Trust:
    return Trust(pinned_root(bytes(room.root)), now, seen)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(VerifyError) as caught:
        call()
    return caught.value.verdict


def seen(room: Newsroom, size: int, time: int = NOW) -> Seen:
    return Seen(room.origin, size, room.root_at(size), time)


def closing(room: Newsroom, size: int) -> Newsroom:
    """Return the newsroom whose root closed the log of `room` at `size` leaves."""
    successor = Newsroom("news.example/next")
    successor.root = successor.sign_root(successor.make_root(version=2, closed=[room.closed(size)]))
    return successor


# C


def test_a_checkpoint_tells_its_time_and_who_confirms_it():
    checked = checkpoint(SIGNED, trust())

    assert (checked.checkpoint.size, checked.time, checked.cosigned) == (3, NOW - 60, 0)
    assert checked.confirmed_by == "signatures"


def test_the_stored_checkpoint_is_confirmed_by_history():
    checked = checkpoint(SIGNED, trust(seen=seen(ROOM, 3)))

    assert checked.confirmed_by == "history"


@pytest.mark.parametrize(
    "data", [b"", b"x" * 9000, b"no note", SIGNED.replace(b"\n3\n", b"\n03\n")]
)
def test_what_is_no_checkpoint_is_malformed(data: bytes):
    assert refused(lambda: checkpoint(data, trust())) == "malformed"


def test_another_newsrooms_checkpoint_replayed_is_refused():
    other = Newsroom("other.example/log")
    other.publish({URL: "one"})

    assert refused(lambda: checkpoint(other.files[CHECKPOINT], trust())) == "unknown-key"


def test_a_known_key_with_a_signature_of_something_else_is_refused():
    forged = SIGNED.replace(b"\n3\n", b"\n4\n")

    assert refused(lambda: checkpoint(forged, trust())) == "bad-signature"


def test_a_checkpoint_without_the_logs_signature_is_refused():
    signed = Note.parse(SIGNED)
    stripped = replace(signed, signatures=signed.signatures[1:])

    assert refused(lambda: checkpoint(bytes(stripped), trust())) == "unknown-key"


def test_signatures_of_unknown_keys_say_nothing():
    signed = Note.parse(SIGNED)
    stranger = Newsroom("stranger.example").log.clock
    line = note.cosign(signed.text, stranger, seed("x"), time=NOW)
    more = replace(signed, signatures=(*signed.signatures, line))

    assert checkpoint(bytes(more), trust()).time == NOW - 60


def test_a_clock_far_in_the_future_is_not_believed():
    ahead = ROOM.sign(Checkpoint(ROOM.origin, 3, ROOM.root_at(3)), time=NOW + 301)

    assert checkpoint(ahead, trust()).time == 0


def test_a_slow_clock_of_the_device_is_put_right_by_what_was_verified_before():
    checked = checkpoint(SIGNED, trust(seen=seen(ROOM, 2, NOW), now=NOW - 90 * DAY))

    assert checked.time == NOW - 60


@pytest.mark.parametrize(
    ("cosigned", "confirmed_by", "time"),
    [(0, "unconfirmed", 0), (1, "unconfirmed", 0), (2, "quorum", NOW), (3, "quorum", NOW)],
)
def test_a_quorum_is_as_many_cosigners_as_the_root_asks_for(
    cosigned: int, confirmed_by: str, time: int
):
    room = Newsroom(cosigners=3, quorum=2)
    room.publish({URL: "one"})
    signed = room.checkpoint(time=NOW, cosigned=cosigned)

    checked = checkpoint(signed, trust(room))

    assert (checked.cosigned, checked.confirmed_by, checked.time) == (cosigned, confirmed_by, time)


def test_one_cosigner_signing_twice_is_one_cosigner():
    room = Newsroom(cosigners=3, quorum=2)
    room.publish({URL: "one"})
    signed = Note.parse(room.checkpoint(time=NOW, cosigned=1))
    twice = replace(signed, signatures=(*signed.signatures, signed.signatures[-1]))

    checked = checkpoint(bytes(twice), trust(room))

    assert (checked.cosigned, checked.confirmed_by) == (1, "unconfirmed")


def test_two_trees_of_one_size_are_a_fork():
    other = Newsroom()
    other.publish({URL: "one", OTHER: "rewritten"})

    assert refused(lambda: checkpoint(SIGNED, trust(seen=seen(other, 3)))) == "fork"


@pytest.mark.parametrize(("time", "verdict"), [(NOW, "behind"), (NOW - 3600, "rollback")])
def test_a_smaller_tree_is_late_or_a_rollback(time: int, verdict: str):
    kept = Seen(ROOM.origin, 4, bytes(32), time)

    assert refused(lambda: checkpoint(SIGNED, trust(seen=kept))) == verdict


def test_a_larger_tree_or_another_origins_stands_beside_the_stored_one():
    assert checkpoint(SIGNED, trust(seen=seen(ROOM, 2))).checkpoint.size == 3
    assert (
        checkpoint(SIGNED, trust(seen=Seen("other.example", 9, bytes(32), NOW))).checkpoint.size
        == 3
    )


def test_a_closed_log_has_the_tree_that_the_root_names_even_without_its_key():
    signed = Note.parse(SIGNED)
    final = replace(signed, signatures=signed.signatures[1:])

    assert checkpoint(bytes(final), trust(closing(ROOM, 3))).checkpoint.size == 3


@pytest.mark.parametrize("size", [1, 2])
def test_a_tree_of_a_stolen_key_beyond_the_cut_is_refused(size: int):
    assert refused(lambda: checkpoint(SIGNED, trust(closing(ROOM, size)))) == "revoked-log"


def test_another_tree_of_the_size_of_the_cut_is_refused():
    forger = Newsroom()
    forger.publish({URL: "forged", OTHER: "two"})

    verdict = refused(lambda: checkpoint(forger.files[CHECKPOINT], trust(closing(ROOM, 3))))

    assert verdict == "revoked-log"


def test_an_older_tree_of_a_closed_log_needs_a_quorum():
    room = Newsroom(cosigners=1, quorum=1)
    room.publish({URL: "one"})
    room.publish({OTHER: "two"})
    closed = trust(closing(room, 4))

    assert checkpoint(room.checkpoint(time=NOW, size=2), closed).confirmed_by == "quorum"
    without = room.checkpoint(time=NOW, size=2, cosigned=0)
    assert refused(lambda: checkpoint(without, closed)) == "revoked-log"


# P


def test_a_proof_shows_its_record_and_leaf():
    proven = proof(PROOF_FILE, trust())

    assert proven.leaf == 0
    assert proven.record == ROOM.docs[article_id(URL)][0]


def test_a_proof_of_before_is_a_proof_for_ever():
    grown = Newsroom()
    grown.publish({URL: "one"}, time=NOW - DAY)
    old = grown.files[path_of(URL) + PROOF]
    grown.publish({OTHER: "two"}, time=NOW)

    assert proof(old, trust(grown, seen=seen(grown, 4), now=NOW + 9000 * DAY)).leaf == 0


def test_what_was_verified_once_is_not_verified_again():
    belief = trust()
    first = proof(PROOF_FILE, belief)

    again = proof(PROOF_FILE, belief)

    assert again.record is first.record
    assert again.checked is first.checked


def test_a_record_at_another_leaf_is_not_in_the_log():
    moved = replace(Proof.parse(PROOF_FILE), leaf=1)

    assert refused(lambda: proof(bytes(moved), trust())) == "not-in-log"


@pytest.mark.parametrize("leaf", [3, 2**40])
def test_a_leaf_beyond_the_tree_is_not_in_the_log(leaf: int):
    beyond = replace(Proof.parse(PROOF_FILE), leaf=leaf)

    assert refused(lambda: proof(bytes(beyond), trust())) == "not-in-log"


def appended(leaf: bytes) -> bytes:
    """Return the proof of a leaf that whoever holds the log's key appended."""
    room = Newsroom()
    room.append([leaf])
    return room.proof(0, room.checkpoint(time=NOW))


def test_a_stolen_log_key_signs_no_records():
    forger = Newsroom("other.example/log")
    forged = forger.seal(ROOM.docs[article_id(URL)][0])

    assert refused(lambda: proof(appended(forged), trust())) == "unknown-key"


def test_a_record_with_another_records_signature_is_refused():
    leaf = Note.parse(ROOM.leaves[0])
    forged = replace(leaf, text=leaf.text.replace('"n":0', '"n":7'))

    assert refused(lambda: proof(appended(bytes(forged)), trust())) == "bad-signature"


@pytest.mark.parametrize("text", ["{}\n", '{"t":"doc","v":1}\n', "free text\n"])
def test_a_signed_record_that_is_not_strict_is_malformed(text: str):
    assert refused(lambda: proof(appended(ROOM.seal(text)), trust())) == "malformed"


def test_a_record_of_a_later_format_asks_for_an_update():
    text = str(ROOM.docs[article_id(URL)][0]).replace('"v":1', '"v":2')

    assert refused(lambda: proof(appended(ROOM.seal(text)), trust())) == "too-new"


def test_a_record_has_one_signature():
    leaf = Note.parse(ROOM.leaves[0])
    twice = bytes(replace(leaf, signatures=leaf.signatures * 2))

    assert refused(lambda: leaf_record(twice, ROOM.log, trust())) == "malformed"


def test_a_record_over_four_kilobytes_is_malformed():
    assert refused(lambda: leaf_record(b"x" * 4097, ROOM.log, trust())) == "malformed"


# A


@pytest.mark.parametrize("wanted", [article_id(URL), short_id(article_id(URL)), None])
def test_an_article_is_believed_by_whatever_the_asker_knows_of_it(wanted: bytes | str | None):
    believed = article(PAGE, PROOF_FILE, trust(), wanted=wanted)

    assert (believed.doc.id, believed.leaf) == (article_id(URL), 0)


@pytest.mark.parametrize("wanted", [article_id(OTHER), short_id(article_id(OTHER)), "", b""])
def test_another_article_of_the_same_newsroom_is_the_wrong_one(wanted: bytes | str):
    assert refused(lambda: article(PAGE, PROOF_FILE, trust(), wanted=wanted)) == "wrong-article"


def test_an_index_is_no_article():
    proof_file = ROOM.files[INDEX_PROOF]

    assert refused(lambda: promised(proof_file, trust(), wanted=None)) == "wrong-article"


@pytest.mark.parametrize("data", [PAGE + b" ", PAGE[:-1], PAGE.replace(b"one", b"two"), b""])
def test_other_bytes_are_tampered_with(data: bytes):
    assert refused(lambda: article(data, PROOF_FILE, trust(), wanted=None)) == "tampered"


def test_a_page_names_the_hashes_of_its_parts():
    first = page("text", 3, [b"second", b"third"])

    hashes = parts(first, 3)

    assert hashes == tuple(hashlib.sha256(data).digest() for data in (b"second", b"third"))
    check_part(b"second", hashes[0])
    assert refused(lambda: check_part(b"other", hashes[0])) == "tampered"


def test_a_page_of_one_part_names_none_whatever_its_text_says():
    link = page("text", 1, [b"part"]).split(b"<ul>")[1].split(b"</ul>")[0].decode()

    assert parts(page(f"quoted: {link}", 1), 1) == ()


def test_parts_of_another_revision_are_malformed():
    assert refused(lambda: parts(page("text", 2, [b"part"]), 1)) == "malformed"


# Files, each named by its verdict and its defect.


@pytest.mark.parametrize("file", sorted(HOSTILE.glob("*.tlog-proof")), ids=lambda file: file.stem)
def test_a_file_named_by_its_defect_gets_the_verdict_it_is_named_by(file: Path):
    belief = Trust(pinned_root((HOSTILE / "root.json").read_bytes()), NOW)
    page_of_it = (HOSTILE / "page.html").read_bytes()
    try:
        article(page_of_it, file.read_bytes(), belief, wanted=article_id(URL))
        verdict = "valid"
    except VerifyError as e:
        verdict = e.verdict

    assert verdict == file.stem.partition("--")[0]


# Any byte.


@given(st.integers(0, len(PROOF_FILE) * 8 - 1))
def test_a_flipped_bit_in_a_proof_is_refused_or_says_the_same(bit: int):
    data = bytearray(PROOF_FILE)
    data[bit // 8] ^= 1 << bit % 8

    try:
        believed = article(PAGE, bytes(data), trust(), wanted=None)
    except VerifyError:
        return
    assert believed.doc == ROOM.docs[article_id(URL)][0]


@given(st.integers(0, len(PAGE) * 8 - 1))
def test_a_page_with_a_flipped_bit_is_tampered_with(bit: int):
    data = bytearray(PAGE)
    data[bit // 8] ^= 1 << bit % 8

    assert refused(lambda: article(bytes(data), PROOF_FILE, trust(), wanted=None)) == "tampered"


@given(st.integers(0, len(SIGNED) * 8 - 1))
def test_a_flipped_bit_in_a_checkpoint_is_refused_or_says_the_same(bit: int):
    data = bytearray(SIGNED)
    data[bit // 8] ^= 1 << bit % 8

    try:
        checked = checkpoint(bytes(data), trust())
    except VerifyError:
        return
    assert checked.checkpoint == Checkpoint(ROOM.origin, 3, ROOM.root_at(3))


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes):
    assert refused(lambda: proof(data, trust())) == "malformed"


def test_a_verifier_needs_no_library_but_cryptography():
    blocked = (
        "aiohttp",
        "pydantic",
        "feedparser",
        "lxml",
        "nh3",
        "trafilatura",
        "brotli",
        "ada_url",
    )
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r}));"
        "import mirror.verify, mirror.verify.roots, mirror.verify.listing, mirror.verify.audit"
    )

    subprocess.run([sys.executable, "-c", program], check=True)
