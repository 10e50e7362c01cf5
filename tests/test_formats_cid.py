import hashlib
from pathlib import Path

import pytest
from formats_inputs import FOLDER, HASHES, VALID, assert_strict, hostile_files, mutated
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import FormatError
from mirror.formats.cid import (
    DAG_PB,
    PROBE,
    RAW,
    Cid,
    decode_varint,
    encode_varint,
    murmur3,
)

HELLO = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
CIDS = st.builds(Cid, st.sampled_from([RAW, DAG_PB]), HASHES)
NUMBERS = st.integers(0, 2**63 - 1)
QUICK = b"The quick brown fox jumps over the lazy "


def test_the_cid_of_a_small_file_is_its_sha256():
    cid = Cid.of(b"hello world")

    assert str(cid) == HELLO
    assert bytes(cid) == b"\x01\x55\x12\x20" + hashlib.sha256(b"hello world").digest()
    assert Cid.of(memoryview(b"hello world")) == cid


def test_the_sample_is_read():
    assert Cid.parse((FOLDER / "cid" / VALID).read_text()) == Cid.of(b"hello world")


def test_a_folder_has_another_codec():
    folder = Cid.of(b"\x0a\x02\x08\x01", codec=DAG_PB)

    assert str(folder) == "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"


@given(CIDS)
def test_parse_and_decode_read_back_what_was_written(cid: Cid):
    assert Cid.parse(str(cid)) == cid
    assert Cid.decode(bytes(cid)) == Cid.decode(memoryview(bytes(cid))) == cid


@given(mutated(CIDS.map(bytes)))
def test_decode_raises_only_format_error_and_takes_only_what_bytes_writes(data: bytes):
    assert_strict(Cid.decode, bytes, data)


@given(mutated(CIDS.map(lambda cid: str(cid).encode())))
def test_parse_raises_only_format_error_and_takes_only_what_str_writes(data: bytes):
    assert_strict(lambda text: Cid.parse(text.decode(errors="replace")), as_text, data)


def as_text(cid: Cid) -> bytes:
    return str(cid).encode()


@given(CIDS, st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_no_other_last_character_means_the_same(cid: Cid, last: str):
    text = str(cid)[:-1] + last

    assert_strict(lambda data: Cid.parse(data.decode()), as_text, text.encode())


@pytest.mark.parametrize("file", hostile_files("cid"), ids=lambda file: file.name)
def test_a_hostile_cid_is_refused(file: Path):
    with pytest.raises(FormatError, match="cid: "):
        Cid.parse(file.read_text())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not the 36 bytes"),
        (b"\x01\x55\x12\x20" + bytes(31), "not the 36 bytes"),
        (b"\x01\x55\x12\x20" + bytes(33), "not the 36 bytes"),
        (b"\x02\x55\x12\x20" + bytes(32), "not the 36 bytes"),
        (b"\x12\x20" + bytes(32), "version 0"),
        (b"\x01\x71\x12\x20" + bytes(32), "codec 0x71"),
        (b"\x01\x55\x12\x1f" + bytes(32), "another hash"),
        (b"\x01\x55\x1b\x20" + bytes(32), "another hash"),
    ],
)
def test_a_cid_that_the_site_has_not_is_refused_by_name(data: bytes, reason: str):
    with pytest.raises(FormatError, match=reason):
        Cid.decode(data)


def test_the_probe_of_gateways_is_not_a_cid_here():
    with pytest.raises(FormatError, match="not of version 1, sha2-256"):
        Cid.parse(PROBE)


@pytest.mark.parametrize(
    ("number", "encoded"),
    [  # of the unsigned-varint specification
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (255, "ff01"),
        (300, "ac02"),
        (16384, "808001"),
        (2**63 - 1, "ffffffffffffffff7f"),
    ],
)
def test_a_varint_is_that_of_the_specification(number: int, encoded: str):
    assert encode_varint(number).hex() == encoded
    assert decode_varint(bytes.fromhex(encoded)) == (number, len(encoded) // 2)


@given(NUMBERS, st.binary(max_size=3), st.binary(max_size=3))
def test_a_varint_is_read_back_amid_other_bytes(number: int, before: bytes, after: bytes):
    encoded = encode_varint(number)
    end = len(before) + len(encoded)

    assert decode_varint(before + encoded + after, len(before)) == (number, end)


@given(st.binary(max_size=11) | mutated(NUMBERS.map(encode_varint)))
def test_a_varint_raises_only_format_error_and_has_one_form(data: bytes):
    try:
        number, end = decode_varint(data)
    except FormatError:
        return
    assert encode_varint(number) == data[:end]


@pytest.mark.parametrize("encoded", ["", "80", "8000", "8180808000", "ff" * 9, "80" * 9 + "01"])
def test_a_varint_that_is_broken_off_too_long_or_not_minimal_is_refused(encoded: str):
    with pytest.raises(FormatError, match="varint"):
        decode_varint(bytes.fromhex(encoded))


@pytest.mark.parametrize(
    ("data", "digest"),
    [  # MurmurHash3_x64_128 with seed 0, the first half, as published with the tests of others
        (b"", "0000000000000000"),
        (b"hello", "cbd8a7b341bd9b02"),
        (b"hello, world", "342fac623a5ebc8e"),
        (b"19 Jan 2038 at 3:14:07 AM", "b89e5988b737affc"),
        (b"The quick brown fox jumps over the lazy dog.", "cd99481f9ee902c9"),
        (QUICK + b"dog", "e34bbc7bbc071b6c"),
        (QUICK + b"cog", "658ca970ff85269a"),
    ],
)
def test_murmur3_is_the_published_one(data: bytes, digest: str):
    assert murmur3(data).hex() == digest
