from pathlib import Path

import pytest
from formats_inputs import (
    FOLDER,
    HASHES,
    ORIGINS,
    OTHER_SEED,
    SEED,
    VALID,
    assert_strict,
    hostile_files,
    mutated,
)
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import FormatError
from mirror.formats import ed25519, note
from mirror.formats.note import COSIGNATURE, ED25519, Key, Note, Signature

NAMES = ORIGINS | st.text("aé—世=", min_size=1, max_size=5)
KEYS = st.builds(Key, NAMES, st.sampled_from([ED25519, COSIGNATURE]), HASHES)
SIGNATURES = st.builds(
    Signature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80)
)
TEXTS = st.text("ab é—\n世", min_size=1, max_size=30).filter(lambda text: text.strip("\n"))
NOTES = st.builds(
    Note, TEXTS.map("{}\n".format), st.lists(SIGNATURES, min_size=1, max_size=32).map(tuple)
)

KEY = Key("mirror.example/times", ED25519, ed25519.public_of(SEED))
CLOCK = Key("mirror.example/times/clock", COSIGNATURE, ed25519.public_of(SEED))

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ANSWER = (  # of golang.org/x/mod/sumdb/note, where signed notes come from
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6"
    "KE6RyyBwJnAM=\n"
).encode()


def test_the_note_of_the_specification_is_accepted():
    key, answer = Key.parse(PETER), Note.parse(ANSWER)
    [signature] = answer.signatures

    assert bytes(answer) == ANSWER
    assert (signature.name, signature.id) == (key.name, key.id)
    assert key.accepts(answer.text, signature.blob)
    assert not key.accepts(answer.text + "\n", signature.blob)


@given(KEYS)
def test_a_vkey_reads_back_what_it_writes(key: Key):
    assert Key.parse(str(key)) == key


@given(mutated(KEYS.map(lambda key: str(key).encode())))
def test_a_vkey_raises_only_format_error_and_takes_only_what_it_writes(data: bytes):
    assert_strict(
        lambda each: Key.parse(each.decode(errors="surrogateescape")),
        lambda key: str(key).encode(errors="surrogateescape"),
        data,
    )


@pytest.mark.parametrize("file", hostile_files("vkey"), ids=lambda file: file.name)
def test_a_hostile_vkey_is_refused(file: Path):
    assert str(Key.parse((FOLDER / "vkey" / VALID).read_text())) == str(KEY)

    with pytest.raises(FormatError):
        Key.parse(file.read_text())


def test_a_vkey_of_a_name_without_a_utf_8_form_is_refused():
    with pytest.raises(FormatError):
        Key.parse("\ud800" + str(KEY))


@given(NOTES)
def test_a_note_reads_back_what_it_writes(each: Note):
    assert Note.parse(bytes(each)) == each


@given(mutated(NOTES.map(bytes)))
def test_a_note_raises_only_format_error_and_takes_only_what_it_writes(data: bytes):
    assert_strict(Note.parse, bytes, data)


@given(st.binary())
def test_noise_is_no_note(data: bytes):
    assert_strict(Note.parse, bytes, data)


@pytest.mark.parametrize("file", hostile_files("note"), ids=lambda file: file.name)
def test_a_hostile_note_is_refused(file: Path):
    assert Note.parse((FOLDER / "note" / VALID).read_bytes()).signatures

    with pytest.raises(FormatError):
        Note.parse(file.read_bytes())


def test_a_text_may_hold_empty_lines():
    text = "\n\na\n\n\nb\n\n"
    signed = Note(text, (note.sign(text, KEY, SEED),))

    assert Note.parse(bytes(signed)) == signed


@given(TEXTS)
def test_a_signature_is_of_the_text_and_of_the_key(text: str):
    signature = note.sign(text, KEY, SEED)

    assert (signature.name, signature.id) == (KEY.name, KEY.id)
    assert KEY.accepts(text, signature.blob)
    assert not KEY.accepts(text + "x", signature.blob)
    assert not Key(KEY.name, ED25519, ed25519.public_of(OTHER_SEED)).accepts(text, signature.blob)


@given(TEXTS, st.integers(0, 2**63 - 1))
def test_a_cosignature_is_of_the_text_and_of_the_time(text: str, time: int):
    signature = note.cosign(text, CLOCK, SEED, time=time)
    later = (time + 1).to_bytes(8, "big") + signature.blob[8:]

    assert note.timestamp(signature.blob) == time
    assert CLOCK.accepts(text, signature.blob)
    assert not CLOCK.accepts(text, later)
    assert not CLOCK.accepts(text + "x", signature.blob)


@pytest.mark.parametrize("size", [1, 7, 8, 63, 64, 71, 73])
def test_a_cosignature_of_another_length_is_refused(size: int):
    blob = note.cosign("a\n", CLOCK, SEED, time=1).blob + b"\x00"

    assert CLOCK.accepts("a\n", blob[:72])
    assert not CLOCK.accepts("a\n", blob[:size])


def test_a_key_is_for_one_type_of_signature_only():
    """The same secret signs the same text in both ways; neither passes for the other."""
    plain, cosigned = note.sign("a\n", KEY, SEED).blob, note.cosign("a\n", CLOCK, SEED, time=1).blob

    assert KEY.id != CLOCK.id
    assert not CLOCK.accepts("a\n", plain)
    assert not KEY.accepts("a\n", cosigned)
    assert not KEY.accepts("a\n", cosigned[8:])
