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
from mirror.formats import ed25519, sshsig
from mirror.formats.sshsig import SshSignature

FILES = st.builds(SshSignature, HASHES, SIGNATURES)
PUBLIC = ed25519.public_of(SEED)


@given(FILES)
def test_a_signature_file_reads_back_what_it_writes(file: SshSignature):
    assert SshSignature.parse(bytes(file)) == file


@given(mutated(FILES.map(bytes)))
def test_a_signature_file_raises_only_format_error_and_takes_only_what_it_writes(data: bytes):
    assert_strict(SshSignature.parse, bytes, data)


@given(st.binary())
def test_noise_is_no_signature_file(data: bytes):
    assert_strict(SshSignature.parse, bytes, data)


@pytest.mark.parametrize("file", hostile_files("sshsig"), ids=lambda file: file.name)
def test_a_hostile_signature_file_is_refused(file: Path):
    assert SshSignature.parse((FOLDER / "sshsig" / VALID).read_bytes())

    with pytest.raises(FormatError):
        SshSignature.parse(file.read_bytes())


def test_a_signature_is_of_the_data_and_of_the_key():
    signature = sshsig.sign(SEED, b"article")
    other = ed25519.public_of(OTHER_SEED)

    assert signature.accepts(PUBLIC, b"article")
    assert not signature.accepts(PUBLIC, b"Article")
    assert not signature.accepts(other, b"article")
    assert not SshSignature(other, signature.signature).accepts(other, b"article")


def test_a_plain_signature_of_the_data_is_none():
    assert not SshSignature(PUBLIC, ed25519.sign(SEED, b"article")).accepts(PUBLIC, b"article")


@given(HASHES)
def test_a_public_key_reads_back_what_it_writes(public: bytes):
    line = sshsig.public_line(public)

    assert sshsig.public_of(line) == public
    assert sshsig.allowed_signers(public, origin="a/b") == (
        f'a/b namespaces="article@mirror" {line}\n'.encode()
    )


@given(mutated(HASHES.map(lambda public: sshsig.public_line(public).encode())))
def test_a_public_key_raises_only_format_error_and_takes_only_what_it_writes(data: bytes):
    assert_strict(
        lambda each: sshsig.public_of(each.decode(errors="replace")),
        lambda public: sshsig.public_line(public).encode(),
        data,
    )


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "ssh-ed25519 ", "ssh-rsa AAAA", " AAAA"])
def test_what_is_no_ed25519_key_is_refused(line: str):
    with pytest.raises(FormatError):
        sshsig.public_of(line)
