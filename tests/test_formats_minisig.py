import dataclasses
from pathlib import Path

import pytest
from formats_inputs import (
    FOLDER,
    HASHES,
    OTHER_SEED,
    SEED,
    SIGNATURES,
    VALID,
    assert_strict,
    hostile_files,
    mutated,
)
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import FormatError
from mirror.formats import ed25519, minisig
from mirror.formats.minisig import MiniSignature

COMMENTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80)
FILES = st.builds(
    MiniSignature, COMMENTS, st.binary(min_size=8, max_size=8), SIGNATURES, COMMENTS, SIGNATURES
)
PUBLIC = ed25519.public_of(SEED)
SIGNED = minisig.sign(
    SEED, b"article", untrusted="signature of a", trusted="path=x origin=a leaf=1"
)


@given(FILES)
def test_a_signature_file_reads_back_what_it_writes(file: MiniSignature):
    assert MiniSignature.parse(bytes(file)) == file


@given(mutated(FILES.map(bytes)))
def test_a_signature_file_raises_only_format_error_and_takes_only_what_it_writes(data: bytes):
    assert_strict(MiniSignature.parse, bytes, data)


@given(st.binary())
def test_noise_is_no_signature_file(data: bytes):
    assert_strict(MiniSignature.parse, bytes, data)


@pytest.mark.parametrize("file", hostile_files("minisig"), ids=lambda file: file.name)
def test_a_hostile_signature_file_is_refused(file: Path):
    assert MiniSignature.parse((FOLDER / "minisig" / VALID).read_bytes())

    with pytest.raises(FormatError):
        MiniSignature.parse(file.read_bytes())


def test_a_signature_is_of_the_data_and_of_the_trusted_comment():
    assert SIGNED.accepts(PUBLIC, b"article")
    assert not SIGNED.accepts(PUBLIC, b"Article")
    assert not SIGNED.accepts(ed25519.public_of(OTHER_SEED), b"article")
    assert not dataclasses.replace(SIGNED, trusted="path=y").accepts(PUBLIC, b"article")
    assert not dataclasses.replace(SIGNED, key_id=bytes(8)).accepts(PUBLIC, b"article")
    assert dataclasses.replace(SIGNED, untrusted="anything").accepts(PUBLIC, b"article")


def test_the_trusted_comment_is_signed_together_with_the_signature_of_the_file():
    again = minisig.sign(SEED, b"other", untrusted="", trusted=SIGNED.trusted)
    moved = dataclasses.replace(again, global_signature=SIGNED.global_signature)

    assert again.accepts(PUBLIC, b"other")
    assert not moved.accepts(PUBLIC, b"other")


@given(HASHES)
def test_a_public_key_reads_back_what_it_writes(public: bytes):
    line = minisig.public_line(public)

    assert line.startswith("RW")
    assert minisig.public_of(line) == public
    assert minisig.public_file(public, origin="a/b") == (
        f"untrusted comment: minisign public key of a/b\n{line}\n".encode()
    )


@given(mutated(HASHES.map(lambda public: minisig.public_line(public).encode())))
def test_a_public_key_raises_only_format_error_and_takes_only_what_it_writes(data: bytes):
    assert_strict(
        lambda each: minisig.public_of(each.decode(errors="replace")),
        lambda public: minisig.public_line(public).encode(),
        data,
    )


def test_a_public_key_under_the_id_of_another_is_refused():
    line = minisig.public_line(PUBLIC)
    swapped = minisig.public_line(ed25519.public_of(OTHER_SEED))

    with pytest.raises(FormatError, match="minisign key"):
        minisig.public_of(line[:12] + swapped[12:])
