"""Step R: which root may follow which."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import VerifyError
from mirror.formats import ed25519
from mirror.formats.root import Final, Log, Role, Root
from mirror.verify.roots import next_root, pinned_root
from tests.sites import Newsroom, seed

ROOM = Newsroom()
ROOM.publish({"https://news.example/1": "one"})
NEXT = Newsroom("news.example/second")


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(VerifyError) as caught:
        call()
    return caught.value.verdict


def successor(*closed: Log, **other: object) -> Root:
    """Return an unsigned second root that closes the first log and opens another."""
    return NEXT.make_root(version=2, closed=closed or (ROOM.closed(),), **other)


def test_a_root_signed_by_its_own_holders_can_be_pinned():
    assert pinned_root(bytes(ROOM.root)) == ROOM.root


def test_a_root_signed_by_too_few_of_its_holders_is_refused():
    alone = ROOM.sign_root(ROOM.make_root(), "root-0")

    assert refused(lambda: pinned_root(bytes(alone))) == "bad-signature"


def test_one_holder_signing_twice_is_one_holder():
    twice = ROOM.sign_root(ROOM.make_root(), "root-0", "root-0")

    assert refused(lambda: pinned_root(bytes(twice))) == "bad-signature"


def test_signatures_of_strangers_do_not_count():
    strangers = ROOM.sign_root(ROOM.make_root(), "root-0", "stranger")

    assert refused(lambda: pinned_root(bytes(strangers))) == "bad-signature"


def test_what_is_no_root_is_malformed():
    assert refused(lambda: pinned_root(b"{}")) == "malformed"


def test_a_root_that_closes_one_log_and_opens_the_next_follows():
    second = NEXT.sign_root(successor())

    assert next_root(ROOM.root, bytes(second)) == second


def test_new_holders_must_sign_and_so_must_the_old_ones():
    keys = tuple(ed25519.public_of(seed(name)) for name in ("new-0", "new-1"))
    unsigned = successor()
    unsigned = replace(unsigned, roles={**unsigned.roles, "root": Role(keys, 2)})
    by_old = NEXT.sign_root(unsigned, "root-0", "root-1")
    by_new = NEXT.sign_root(unsigned, "new-0", "new-1")
    by_both = NEXT.sign_root(unsigned, "root-0", "root-1", "new-0", "new-1")

    assert refused(lambda: next_root(ROOM.root, bytes(by_old))) == "bad-signature"
    assert refused(lambda: next_root(ROOM.root, bytes(by_new))) == "bad-signature"
    assert next_root(ROOM.root, bytes(by_both)) == by_both


@pytest.mark.parametrize("version", [1, 3])
def test_no_version_is_skipped_or_repeated(version: int):
    second = NEXT.sign_root(replace(successor(), version=version))

    assert refused(lambda: next_root(ROOM.root, bytes(second))) == "malformed"


def test_a_log_is_closed_and_never_dropped():
    dropped = NEXT.sign_root(NEXT.make_root(version=2))

    assert refused(lambda: next_root(ROOM.root, bytes(dropped))) == "malformed"


def test_a_closed_log_stays_as_it_was_closed():
    second = NEXT.sign_root(successor())
    altered = replace(ROOM.closed(), final=Final(1, bytes(32)))
    third = NEXT.sign_root(replace(successor(altered), version=3))
    kept = NEXT.sign_root(replace(successor(), version=3))

    assert refused(lambda: next_root(second, bytes(third))) == "malformed"
    assert next_root(second, bytes(kept)) == kept


def test_a_closed_log_never_opens_again():
    second = NEXT.sign_root(successor())
    reopened = ROOM.make_root(version=3, closed=[replace(NEXT.log, final=Final(0, bytes(32)))])

    assert refused(lambda: next_root(second, bytes(ROOM.sign_root(reopened)))) == "malformed"


def test_the_keys_of_an_origin_never_change():
    other = Newsroom("other.example/log")
    keys = {
        name: replace(getattr(other.log, name), name=getattr(ROOM.log, name).name)
        for name in ("log", "articles", "clock")
    }
    swapped = replace(ROOM.closed(), **keys)

    second = NEXT.sign_root(successor(swapped))

    assert refused(lambda: next_root(ROOM.root, bytes(second))) == "malformed"


SECOND = bytes(NEXT.sign_root(successor()))


@given(st.integers(0, len(SECOND) * 8 - 1))
def test_no_root_with_a_flipped_bit_follows(bit: int):
    data = bytearray(SECOND)
    data[bit // 8] ^= 1 << bit % 8

    with pytest.raises(VerifyError):
        next_root(ROOM.root, bytes(data))
