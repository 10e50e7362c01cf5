import dataclasses
from pathlib import Path
from typing import Any

import pytest
from formats_inputs import (
    FOLDER,
    HASHES,
    NUMBERS,
    ORIGINS,
    TIMES,
    VALID,
    assert_strict,
    hostile_files,
    mutated,
    mutated_json,
)
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import FormatError
from mirror.formats import record
from mirror.formats.record import Doc, Record, Succ, Void

PREVS = NUMBERS | st.builds("{}#{}".format, ORIGINS, NUMBERS)
TYPES = st.sampled_from([record.HTML, record.JSON, "image/webp", "application/ld+json"])
SPANS = st.tuples(TIMES, TIMES).map(sorted)


@st.composite
def docs(draw: st.DrawFn) -> Doc:
    id_, n = (
        (record.INDEX_ID, 0) if (index := draw(st.booleans())) else (draw(HASHES), draw(NUMBERS))
    )
    rev = draw(st.integers(1, 3) | NUMBERS.filter(bool))
    first, time = draw(SPANS)
    return Doc(
        "index" if index else "doc",
        *(id_, n, rev, first, first if rev == 1 else time),
        *(draw(TYPES), draw(NUMBERS), draw(HASHES), None if rev == 1 else draw(PREVS)),
    )


@st.composite
def voids(draw: st.DrawFn) -> Void:
    numbers = draw(HASHES), draw(NUMBERS), draw(NUMBERS.filter(bool))
    return Void(*numbers, *draw(SPANS), draw(st.sampled_from(record.CODES)), draw(PREVS))


RECORDS = docs() | voids() | st.builds(Succ, ORIGINS, NUMBERS, HASHES, TIMES)
BYTES = RECORDS.map(lambda each: str(each).encode())

DOC = Doc("doc", bytes(32), 41, 1, 5, 5, record.HTML, 8123, bytes(32))
VOID = Void(bytes(32), 41, 2, 5, 9, "legal", 7)
SUCC = Succ("mirror.example/times", 9, bytes(32), 5)


def read(data: bytes) -> Record:
    return record.parse(data.decode(errors="surrogateescape"))


def write(each: Record) -> bytes:
    return str(each).encode()


@given(RECORDS)
def test_a_record_reads_back_what_it_writes(each: Record):
    assert record.parse(str(each)) == each


@given(mutated(BYTES))
def test_a_record_raises_only_format_error_and_takes_only_what_it_writes(data: bytes):
    assert_strict(read, write, data)


@given(mutated_json(BYTES))
def test_a_record_with_a_wrong_value_raises_only_format_error(data: bytes):
    assert_strict(read, write, data + b"\n")


@given(st.text())
def test_text_that_is_no_record_is_refused(text: str):
    assert_strict(read, write, text.encode(errors="surrogateescape"))


@pytest.mark.parametrize("file", hostile_files("record"), ids=lambda file: file.name)
def test_a_hostile_record_is_refused(file: Path):
    assert read((FOLDER / "record" / VALID).read_bytes())

    with pytest.raises(FormatError):
        read(file.read_bytes())


def test_a_record_is_one_line_with_its_keys_in_one_order():
    assert str(DOC) == (
        f'{{"t":"doc","v":1,"id":"{"0" * 64}","n":41,"rev":1,"first":"1970-01-01T00:00:05Z",'
        f'"time":"1970-01-01T00:00:05Z","type":"text/html","len":8123,"sha256":"{"0" * 64}"}}\n'
    )
    assert str(VOID) == (
        f'{{"t":"void","v":1,"id":"{"0" * 64}","n":41,"rev":2,"first":"1970-01-01T00:00:05Z",'
        '"time":"1970-01-01T00:00:09Z","code":"legal","prev":7}\n'
    )
    assert str(SUCC) == (
        '{"t":"succ","v":1,"origin":"mirror.example/times","size":9,'
        f'"root":"{"A" * 43}=","time":"1970-01-01T00:00:05Z"}}\n'
    )


def test_the_longest_record_is_far_below_the_limit():
    longest = dataclasses.replace(
        DOC, n=2**53 - 1, rev=2**53 - 1, length=2**53 - 1, prev=f"{'a' * 100}#{2**53 - 1}"
    )

    assert len(str(longest)) < record.MAX_BYTES // 4


@pytest.mark.parametrize("text", ['{"t":"doc","v":2}\n', '{"v":9007199254740991,"new":[1]}\n'])
def test_a_later_version_is_too_new_whatever_else_it_holds(text: str):
    with pytest.raises(record.TooNewError, match="update this program"):
        record.parse(text)


@pytest.mark.parametrize(
    "text", ['{"v":2.5}\n', '{"v":"2"}\n', '{"v":-2}\n', '[{"v":2}]\n', '{"t":1}\n']
)
def test_what_has_no_version_is_malformed_not_too_new(text: str):
    with pytest.raises(FormatError) as raised:
        record.parse(text)

    assert not isinstance(raised.value, record.TooNewError)


@pytest.mark.parametrize(
    ("valid", "changes"),
    [
        (DOC, {"id": bytes(31)}),
        (DOC, {"n": -1}),
        (DOC, {"n": True}),
        (DOC, {"rev": 0}),
        (DOC, {"rev": 2}),
        (DOC, {"prev": 3}),
        (DOC, {"first": 6}),
        (DOC, {"first": 4}),
        (DOC, {"first": -1, "time": -1}),
        (DOC, {"length": -1}),
        (DOC, {"sha256": b""}),
        (DOC, {"type": "text"}),
        (DOC, {"type": "Text/html"}),
        (DOC, {"type": 'text/html"'}),
        (DOC, {"t": "index"}),
        (DOC, {"t": "index", "id": record.INDEX_ID}),
        (DOC, {"rev": 2, "prev": -1}),
        (DOC, {"rev": 2, "prev": "a#01"}),
        (DOC, {"rev": 2, "prev": "A#1"}),
        (DOC, {"rev": 2, "prev": "7"}),
        (VOID, {"code": "spam"}),
        (VOID, {"prev": None}),
        (VOID, {"rev": 0}),
        (VOID, {"time": 4}),
        (SUCC, {"origin": "UPPER"}),
        (SUCC, {"size": -1}),
        (SUCC, {"root": bytes(20)}),
    ],
)
def test_a_record_that_could_not_be_read_is_not_made(valid: Record, changes: dict[str, Any]):
    with pytest.raises(FormatError):
        dataclasses.replace(valid, **changes)
