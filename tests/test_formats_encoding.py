import base64
import calendar
import time

import pytest
from formats_inputs import TEXTS, assert_strict, mutated
from hypothesis import example, given
from hypothesis import strategies as st

from mirror.errors import FormatError
from mirror.formats import encoding

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=80))
def test_base64_reads_back_what_it_writes(data: bytes):
    assert encoding.decode_base64(encoding.encode_base64(data), size=len(data)) == data


@given(mutated(st.binary(max_size=40).map(base64.b64encode)))
def test_base64_has_one_form(data: bytes):
    def write(value: bytes) -> bytes:
        return encoding.encode_base64(value).encode()

    assert_strict(lambda each: encoding.decode_base64(each.decode(errors="replace")), write, data)


@pytest.mark.parametrize("text", ["QQ", "QR==", "QQ==\n", " QQ==", "QQ=", "Q_==", "QQ==QQ==", "é"])
def test_other_spellings_of_base64_are_refused(text: str):
    with pytest.raises(FormatError):
        encoding.decode_base64(text)


def test_base64_of_another_length_is_refused():
    with pytest.raises(FormatError, match="1 bytes where 2 were expected"):
        encoding.decode_base64("QQ==", size=2)


def test_hexadecimal_is_of_lower_case_and_of_one_length():
    assert encoding.decode_hex("00ff", size=2) == b"\x00\xff"
    for text in ("00FF", "00f", "00ff00", "00 f", "0x0f", "００ff", "00fg", ""):
        with pytest.raises(FormatError):
            encoding.decode_hex(text, size=2)


@given(st.integers(0, 2**53 - 1))
@example(0)
@example(2**53 - 1)
def test_a_number_reads_back(number: int):
    assert encoding.decode_number(str(number)) == number


@pytest.mark.parametrize(
    "text",
    ["", "00", "01", "+1", "-1", "1.0", "1e3", " 1", "1\n", "1_0", "１", str(2**53), "9" * 17],
)
def test_other_spellings_of_numbers_and_larger_ones_are_refused(text: str):
    with pytest.raises(FormatError):
        encoding.decode_number(text)


def test_a_number_of_a_million_digits_is_refused_before_it_is_computed():
    with pytest.raises(FormatError):
        encoding.decode_number("9" * 1_000_000)


@given(st.integers(0, 253_402_300_799))
@example(0)
@example(951_782_400)  # 29 February 2000
def test_a_time_reads_back(seconds: int):
    text = encoding.encode_time(seconds)

    assert encoding.decode_time(text) == seconds
    assert calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22 16:18:00Z",
        "2026-11-22T16:18:00",
        "2026-11-22T16:18:00+00:00",
        "2026-11-22T16:18:00.0Z",
        "2026-11-22T16:18:00Z\n",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "2016-12-31T23:59:61Z",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "２026-11-22T16:18:00Z",
        "",
    ],
)
def test_other_spellings_of_times_and_moments_that_are_none_are_refused(text: str):
    with pytest.raises(FormatError):
        encoding.decode_time(text)


@given(JSON)
def test_json_reads_back_what_it_writes(value: object):
    assert encoding.decode_json(encoding.encode_json(value)) == value


@given(mutated(JSON.map(encoding.encode_json)))
def test_json_raises_only_format_error(data: bytes):
    try:
        encoding.decode_json(data)
    except FormatError:
        return
    data.decode()


def test_json_is_compact_and_keeps_the_order_of_keys():
    assert (
        encoding.encode_json({"b": [1, True, None], "a": "é\n"})
        == '{"b":[1,true,null],"a":"é\\n"}'.encode()
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a":1,"a":1}',
        b"1.0",
        b"1e3",
        b"NaN",
        b"-Infinity",
        b"10000000000000000",
        b"-10000000000000000",
        b'"\n"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}",
        b"[" * 60_000,
    ],
)
def test_json_that_two_readers_could_read_differently_is_refused(data: bytes):
    with pytest.raises(FormatError):
        encoding.decode_json(data)


def test_text_without_a_utf_8_form_is_not_written():
    with pytest.raises(FormatError, match="surrogate"):
        encoding.encode_json("\ud800")


def test_whole_numbers_are_no_booleans_no_floats_and_not_too_large():
    assert all(map(encoding.is_int, (0, 1, 2**53 - 1)))
    assert not any(map(encoding.is_int, (True, -1, 1.0, 2**53, "1", None)))


def test_fields_are_exactly_those_named_and_in_that_order():
    assert encoding.fields({"a": 1, "b": 2}, "a", "b") == [1, 2]
    for value in ({"b": 2, "a": 1}, {"a": 1}, {"a": 1, "b": 2, "c": 3}, {}, [], None, "ab"):
        with pytest.raises(FormatError, match="exactly the keys a, b"):
            encoding.fields(value, "a", "b")
