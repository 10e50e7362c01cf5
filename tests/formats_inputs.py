"""What the tests of formats share: bytes made hostile from valid ones, and those kept as files."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from mirror.errors import FormatError

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "data" / "formats"
VALID = "valid"  # the file of a folder that all others differ from by their one defect

SEED = bytes(range(32))
OTHER_SEED = bytes(range(32, 64))

HASHES = st.binary(min_size=32, max_size=32)
SIGNATURES = st.binary(min_size=64, max_size=64)
NUMBERS = st.integers(0, 2**53 - 1)
TIMES = st.integers(0, 253_402_300_799)  # to the last second of 9999
ORIGINS = st.from_regex(
    r"[a-z0-9][a-z0-9._-]{0,20}(/[a-z0-9][a-z0-9._-]{0,20}){0,3}", fullmatch=True
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)

_PIECES = st.sampled_from(
    [
        *(
            b"",
            b"\n",
            b"\r\n",
            b"\n\n",
            b" ",
            b"\t",
            b"\x00",
            b"\x7f",
            b"=",
            b"+",
            b"-",
            b"/",
            b",",
        ),
        *(b"0", b"9", b"00", b"99999999999999999", b"-1", b"1.0", b"1e3", b"NaN", b"null", b"true"),
        *(b"[]", b"{}", b'"', b'{"a":1,"a":2}', b"[" * 2000, b"\\", b"\\ud800", b"\\n"),
        *(b"\xff", b"\xed\xa0\x80", *map(str.encode, ("— ", "é", "e\u0301", "\u2028", "１"))),
    ]
)
_VALUES: list[Any] = [None, True, False, 0, 1, -1, 2, 2**53, 2**60, "", "a", "\ud800", "1", "\n"]
_VALUES += [[], {}, [[]], [{}], [None], [0], {"a": 0}, "../../..", "ltr", "0" * 64, "A" * 20]


@st.composite
def mutated(draw: st.DrawFn, valid: st.SearchStrategy[bytes]) -> bytes:
    """Draw valid bytes and replace a few short stretches: by nothing, by noise, by themselves."""
    data = draw(valid)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(
            st.integers(start, min(len(data), start + draw(st.sampled_from([0, 1, 1, 2, 60]))))
        )
        again = st.just(data[start:end] * 2)
        data = data[:start] + draw(_PIECES | again | st.binary(max_size=3)) + data[end:]
    return data


@st.composite
def mutated_json(draw: st.DrawFn, valid: st.SearchStrategy[bytes]) -> bytes:
    """Draw a valid document and put a wrong value, key, order or repetition somewhere in it."""
    value = json.loads(draw(valid))
    for _ in range(draw(st.integers(1, 2))):
        places = list(_places(value, []))
        _mutate(draw, value, draw(st.sampled_from(places)))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        errors=draw(st.sampled_from(["replace", "backslashreplace"]))
    )


def _places(value: object, path: list[Any]) -> Iterator[list[Any]]:
    items = value.items() if isinstance(value, dict) else ()
    for key, each in enumerate(value) if isinstance(value, list) else items:
        yield [*path, key]
        yield from _places(each, [*path, key])


def _mutate(draw: st.DrawFn, document: object, path: list[Any]) -> None:
    value: Any = document
    *above, last = path
    for key in above:
        value = value[key]
    wrong = draw(st.sampled_from(_VALUES))
    how = draw(st.sampled_from(["replace", "replace", "replace", "lose", "rename", "repeat"]))
    if isinstance(value, list):
        value[last : last + 1] = {"lose": [], "repeat": [value[last]] * 2}.get(how, [wrong])
        return
    items = {
        "lose": [(key, each) for key, each in value.items() if key != last],
        "rename": [("x" if key == last else key, each) for key, each in value.items()],
        "repeat": [(last, value[last]), *((k, v) for k, v in value.items() if k != last)],
    }.get(how, [(key, wrong if key == last else each) for key, each in value.items()])
    value.clear()
    value.update(items)


def hostile_files(format_: str) -> list[Path]:
    """Return the files of a format that must be refused; each is named by its defect."""
    files = sorted(path for path in (FOLDER / format_).iterdir() if path.name != VALID)
    assert files
    return files


def assert_strict(
    parse: Callable[[bytes], Any], write: Callable[[Any], bytes], data: bytes
) -> None:
    """Check that `parse` raises only `FormatError`, and accepts only what `write` makes."""
    try:
        value = parse(data)
    except FormatError:
        return
    assert write(value) == data
