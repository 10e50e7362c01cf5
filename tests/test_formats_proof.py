from pathlib import Path

import pytest
from formats_inputs import FOLDER, HASHES, NUMBERS, VALID, assert_strict, hostile_files, mutated
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import FormatError
from mirror.formats import checkpoint, proof, record
from mirror.formats.proof import Proof

PROOFS = st.builds(
    Proof,
    st.binary(max_size=200),
    NUMBERS,
    st.lists(HASHES, max_size=63).map(tuple),
    st.binary(max_size=200) | st.sampled_from([b"", b"\n\n", "o\n1\n\n— n é\n".encode()]),
)


@given(PROOFS)
def test_a_proof_reads_back_what_it_writes(each: Proof):
    assert Proof.parse(bytes(each)) == each


@given(mutated(PROOFS.map(bytes)))
def test_a_proof_raises_only_format_error_and_takes_only_what_it_writes(data: bytes):
    assert_strict(Proof.parse, bytes, data)


@given(st.binary())
def test_noise_is_no_proof(data: bytes):
    assert_strict(Proof.parse, bytes, data)
    assert_strict(Proof.parse, bytes, b"c2sp.org/tlog-proof@v1\n" + data)


@pytest.mark.parametrize("file", hostile_files("proof"), ids=lambda file: file.name)
def test_a_hostile_proof_is_refused(file: Path):
    assert Proof.parse((FOLDER / "proof" / VALID).read_bytes()).leaf == 1

    with pytest.raises(FormatError):
        Proof.parse(file.read_bytes())


def test_the_largest_record_tree_and_checkpoint_fit_into_a_proof():
    largest = Proof(
        bytes(record.MAX_BYTES), 2**53 - 1, (bytes(32),) * 53, bytes(checkpoint.MAX_BYTES)
    )

    assert Proof.parse(bytes(largest)) == largest


def test_a_proof_that_is_too_large_is_refused_unread():
    with pytest.raises(FormatError, match=f"more than {proof.MAX_BYTES} bytes"):
        Proof.parse(bytes(proof.MAX_BYTES + 1))
