import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
from formats_inputs import hostile_files, mutated
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.errors import FormatError
from mirror.formats import tlog
from mirror.formats.tlog import WIDTH, ReadTile

RECORDS = tuple(
    bytes.fromhex(each)
    for each in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
)
ROOTS = (  # of the first 0, 1, … 8 of them; from the reference implementation of RFC 6962
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
LARGEST = 66_000
EDGES = (1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_793, LARGEST)


@cache
def leaf(index: int) -> bytes:
    return tlog.leaf_hash(index.to_bytes(4, "big"))


@cache
def leaves() -> tuple[bytes, ...]:
    return tuple(map(leaf, range(LARGEST)))


@cache
def tiles() -> dict[tuple[int, int], bytes]:
    return dict(tlog.append(refuse_to_read, 0, leaves()))


@cache
def mth(start: int, end: int) -> bytes:
    """Return the root over the leaves from `start` to `end`, as RFC 6962 section 2.1 defines it."""
    if end - start == 0:
        return hashlib.sha256(b"").digest()
    if end - start == 1:
        return leaf(start)
    middle = start + largest_power_below(end - start)
    return hashlib.sha256(b"\x01" + mth(start, middle) + mth(middle, end)).digest()


def path(index: int, start: int, end: int) -> list[bytes]:
    """Return the inclusion proof as RFC 6962 section 2.1.1 defines it."""
    if end - start == 1:
        return []
    middle = start + largest_power_below(end - start)
    if index < middle:
        return [*path(index, start, middle), mth(middle, end)]
    return [*path(index, middle, end), mth(start, middle)]


def subproof(size1: int, start: int, end: int, whole: bool) -> list[bytes]:
    """Return the consistency proof as RFC 6962 section 2.1.2 defines it."""
    if size1 == end:
        return [] if whole else [mth(start, end)]
    middle = start + largest_power_below(end - start)
    if size1 <= middle:
        return [*subproof(size1, start, middle, whole), mth(middle, end)]
    return [*subproof(size1, middle, end, False), mth(start, middle)]


def largest_power_below(n: int) -> int:
    power = 1
    while power * 2 < n:
        power *= 2
    return power


def refuse_to_read(level: int, n: int) -> bytes:
    raise AssertionError(f"tile {level}/{n} was read")


def held_at(size: int) -> ReadTile:
    """Return a reader of a tree of `size` leaves: a tile holds no more than it did then."""

    def read(level: int, n: int) -> bytes:
        width = min(WIDTH, (size >> 8 * level) - n * WIDTH)
        assert width > 0, f"tile {level}/{n} is not in a tree of {size}"
        return tiles()[level, n][: width * 32]

    return read


def test_a_leaf_and_a_node_are_hashed_apart():
    assert tlog.leaf_hash(b"").hex() == ROOTS[1]
    assert tlog.node_hash(b"", b"") != tlog.leaf_hash(b"")


@pytest.mark.parametrize("size", range(9))
def test_the_root_of_known_leaves_is_the_known_one(size: int):
    assert tlog.root_of(map(tlog.leaf_hash, RECORDS[:size])).hex() == ROOTS[size]


def test_the_root_is_that_of_the_recursion():
    for size in (*range(520), *EDGES):
        assert tlog.root_of(leaves()[:size]) == mth(0, size)


@given(st.lists(st.integers(0, 300), max_size=8), st.data())
def test_leaves_appended_in_any_batches_give_the_same_tiles(
    batches: list[int], data: st.DataObject
):
    start = data.draw(st.sampled_from([0, 0, 1, 255, 256, 65_000, 65_535 - sum(batches[:1])]))
    store = {
        (level, n): held_at(start)(level, n)
        for (level, n) in tiles()
        if (start >> 8 * level) > n * WIDTH
    }
    size = start
    for batch in batches:
        store |= tlog.append(lambda *at, held=store: held[at], size, leaves()[size : size + batch])
        size += batch

    assert store == {
        (level, n): held_at(size)(level, n)
        for (level, n) in tiles()
        if (size >> 8 * level) > n * WIDTH
    }


def test_an_append_of_nothing_changes_nothing():
    assert tlog.append(refuse_to_read, 1000, []) == {}


@pytest.mark.parametrize(
    "size", [1, 3, 255, 256, 257, 511, 4096, 65_279, 65_280, 65_535, 65_536, 65_900]
)
@pytest.mark.parametrize("count", [1, 60])
def test_an_append_reads_only_the_last_tile_of_each_level(size: int, count: int):
    seen: list[tuple[int, int]] = []

    def read(level: int, n: int) -> bytes:
        assert n == (size >> 8 * level) // WIDTH
        seen.append((level, n))
        return held_at(size)(level, n)

    tlog.append(read, size, leaves()[size : size + count])

    assert len(seen) == len(set(seen)) <= 3


def test_an_append_to_a_tile_that_lost_a_hash_is_refused():
    with pytest.raises(FormatError, match=r"tile 0/1: too short"):
        tlog.append(lambda level, n: held_at(300)(level, n)[:-32], 300, [leaf(300)])


def test_every_inclusion_proof_of_small_trees_is_that_of_the_rfc_and_gives_the_root():
    for size in range(1, 71):
        for index in range(size):
            proof = tlog.inclusion_proof(held_at(size), index, size)

            assert proof == path(index, 0, size)
            assert tlog.root_from_inclusion(leaf(index), index, size, proof) == mth(0, size)


def test_every_consistency_proof_of_small_trees_is_that_of_the_rfc_and_is_accepted():
    for size2 in range(1, 71):
        for size1 in range(1, size2 + 1):
            proof = tlog.consistency_proof(held_at(size2), size1, size2)

            assert proof == subproof(size1, 0, size2, True)
            assert tlog.is_consistent(size1, mth(0, size1), size2, mth(0, size2), proof)


@pytest.mark.parametrize("size", EDGES)
def test_proofs_hold_around_the_edges_of_tiles(size: int):
    read, root = held_at(size), mth(0, size)
    for other in {1, size, *(near for edge in EDGES for near in (edge - 1, edge))} - {0}:
        if other > size:
            continue
        inclusion = tlog.inclusion_proof(read, other - 1, size)
        consistency = tlog.consistency_proof(read, other, size)

        assert inclusion == path(other - 1, 0, size)
        assert tlog.root_from_inclusion(leaf(other - 1), other - 1, size, inclusion) == root
        assert consistency == subproof(other, 0, size, True)
        assert tlog.is_consistent(other, mth(0, other), size, root, consistency)


@given(st.data())
def test_proofs_hold_in_trees_of_any_size(data: st.DataObject):
    """All leaves are equal, so that a tree of 2^53 of them has one hash a level."""
    size = data.draw(st.integers(1, 2**53 - 1))
    index = data.draw(st.integers(0, size - 1))
    full = [leaf(0)]
    for _ in range(56):
        full.append(tlog.node_hash(full[-1], full[-1]))

    def read(level: int, n: int) -> bytes:
        return full[8 * level] * min(WIDTH, (size >> 8 * level) - n * WIDTH)

    def root(leaves: int) -> bytes:
        return tlog.range_root(read, 0, leaves)

    inclusion = tlog.inclusion_proof(read, index, size)
    consistency = tlog.consistency_proof(read, index + 1, size)

    assert len(inclusion) <= tlog.MAX_PROOF
    assert tlog.root_from_inclusion(leaf(0), index, size, inclusion) == root(size)
    assert tlog.is_consistent(index + 1, root(index + 1), size, root(size), consistency)


@given(st.data())
def test_a_proof_that_was_changed_is_refused(data: st.DataObject):
    size = data.draw(st.integers(2, 600))
    index = data.draw(st.integers(1, size - 1))
    inclusion = tlog.inclusion_proof(held_at(size), index, size)
    consistency = tlog.consistency_proof(held_at(size), index, size)
    change = data.draw(st.sampled_from([lose_one, add_one, flip_one]))

    assert not includes(index, size, data.draw(change(inclusion)))
    assert not tlog.is_consistent(
        index, mth(0, index), size, mth(0, size), data.draw(change(consistency))
    )


def includes(index: int, size: int, proof: Sequence[bytes]) -> bool:
    try:
        return tlog.root_from_inclusion(leaf(index), index, size, proof) == mth(0, size)
    except FormatError:
        return False


Change = Callable[[list[bytes]], st.SearchStrategy[list[bytes]]]


def lose_one(proof: list[bytes]) -> st.SearchStrategy[list[bytes]]:
    return st.integers(0, len(proof) - 1).map(lambda at: proof[:at] + proof[at + 1 :])


def add_one(proof: list[bytes]) -> st.SearchStrategy[list[bytes]]:
    return st.integers(0, len(proof)).map(lambda at: [*proof[:at], bytes(32), *proof[at:]])


def flip_one(proof: list[bytes]) -> st.SearchStrategy[list[bytes]]:
    return st.integers(0, len(proof) - 1).map(
        lambda at: [*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]]
    )


def test_a_leaf_outside_the_tree_has_no_root():
    for index, size in ((0, 0), (1, 1), (5, 3), (-1, 3)):
        with pytest.raises(FormatError, match="is not in a tree"):
            tlog.root_from_inclusion(leaf(0), index, size, [])


def test_a_hash_of_another_length_proves_nothing():
    with pytest.raises(FormatError, match="another length"):
        tlog.root_from_inclusion(b"", 0, 1, [])
    with pytest.raises(FormatError, match="another length"):
        tlog.root_from_inclusion(leaf(0), 0, 2, [bytes(31)])

    assert not tlog.is_consistent(1, leaf(0), 2, tlog.node_hash(leaf(0), b""), [b""])


def test_an_empty_tree_shows_nothing():
    empty = hashlib.sha256(b"").digest()

    assert not tlog.is_consistent(0, empty, 0, empty, [])
    assert not tlog.is_consistent(0, empty, 1, mth(0, 1), [])
    assert not tlog.is_consistent(0, empty, 2, mth(0, 2), [leaf(0)])


def test_a_smaller_tree_is_not_consistent_with_a_larger_one_before_it():
    assert not tlog.is_consistent(3, mth(0, 3), 2, mth(0, 2), [leaf(0)])


def test_a_proof_from_a_tile_that_lost_a_hash_is_an_error():
    with pytest.raises(FormatError, match="tile 0/0: too short"):
        tlog.inclusion_proof(lambda level, n: held_at(10)(level, n)[:-32], 0, 10)


def vectors(shared_data: Path, kind: str) -> dict[str, dict]:
    files = sorted((shared_data / "vectors/merkle" / kind).rglob("*.json"))
    return {str(each): json.loads(each.read_bytes()) for each in files}


def decoded(case: dict, *names: str) -> list[bytes]:
    return [base64.b64decode(case[name]) for name in names]


def test_the_inclusion_proofs_of_others_are_judged_as_they_say(shared_data: Path):
    def accepted(case: dict) -> bool:
        leaf_hash, root = decoded(case, "leafHash", "root")
        proof = list(map(base64.b64decode, case["proof"] or ()))
        try:
            found = tlog.root_from_inclusion(leaf_hash, case["leafIdx"], case["treeSize"], proof)
        except FormatError:
            return False
        return found == root

    cases = vectors(shared_data, "inclusion")

    assert len(cases) == 98
    assert not [name for name, case in cases.items() if accepted(case) == case["wantErr"]]


def test_the_consistency_proofs_of_others_are_judged_as_they_say(shared_data: Path):
    def accepted(case: dict) -> bool:
        root1, root2 = decoded(case, "root1", "root2")
        proof = list(map(base64.b64decode, case["proof"] or ()))
        return tlog.is_consistent(case["size1"], root1, case["size2"], root2, proof)

    cases = vectors(shared_data, "consistency")

    assert len(cases) == 98
    assert not [name for name, case in cases.items() if accepted(case) == case["wantErr"]]


def test_a_tile_has_from_1_to_256_hashes():
    assert tlog.hashes(leaf(0) + leaf(1)) == [leaf(0), leaf(1)]
    assert len(tlog.hashes(bytes(32 * 256))) == 256
    for size in (0, 31, 33, 32 * 257):
        with pytest.raises(FormatError, match=f"tile: {size} bytes"):
            tlog.hashes(bytes(size))


BUNDLES = st.lists(st.binary(max_size=40), max_size=6)


@given(BUNDLES)
def test_a_bundle_reads_back_what_it_writes(records: list[bytes]):
    assert tlog.decode_bundle(tlog.encode_bundle(records)) == records


@given(mutated(BUNDLES.map(tlog.encode_bundle)))
def test_a_bundle_raises_only_format_error_and_is_read_in_one_way(data: bytes):
    try:
        records = tlog.decode_bundle(data)
    except FormatError:
        return
    assert tlog.encode_bundle(records) == data


@settings(max_examples=10)
@given(st.binary(max_size=5))
def test_a_bundle_holds_at_most_256_records(record: bytes):
    assert len(tlog.decode_bundle(tlog.encode_bundle([record] * 256))) == 256
    with pytest.raises(FormatError, match="more than 256"):
        tlog.decode_bundle(tlog.encode_bundle([record] * 257))


@pytest.mark.parametrize("file", hostile_files("bundle"), ids=lambda file: file.name)
def test_a_hostile_bundle_is_refused(file: Path):
    with pytest.raises(FormatError):
        tlog.decode_bundle(file.read_bytes())
