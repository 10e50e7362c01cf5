from pathlib import Path

import pytest
from formats_inputs import (
    FOLDER,
    HASHES,
    NUMBERS,
    ORIGINS,
    VALID,
    assert_strict,
    hostile_files,
    mutated,
)
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import FormatError
from mirror.formats.checkpoint import Checkpoint, check_origin

CHECKPOINTS = st.builds(Checkpoint, ORIGINS, NUMBERS, HASHES)
BYTES = CHECKPOINTS.map(lambda each: str(each).encode())


def read(data: bytes) -> Checkpoint:
    return Checkpoint.parse(data.decode(errors="replace"))


def write(checkpoint: Checkpoint) -> bytes:
    return str(checkpoint).encode()


@given(CHECKPOINTS)
def test_a_checkpoint_reads_back_what_it_writes(checkpoint: Checkpoint):
    assert Checkpoint.parse(str(checkpoint)) == checkpoint


@given(mutated(BYTES))
def test_a_checkpoint_raises_only_format_error_and_takes_only_what_it_writes(data: bytes):
    assert_strict(read, write, data)


@given(st.text())
def test_text_that_is_no_checkpoint_is_refused(text: str):
    assert_strict(read, write, text.encode(errors="replace"))


def test_the_checkpoint_of_the_specification_is_read():
    checkpoint = read((FOLDER / "checkpoint" / VALID).read_bytes())

    assert (checkpoint.origin, checkpoint.size) == ("mirror.example/times", 923748)
    assert checkpoint.root.hex().startswith("9c3747")


@pytest.mark.parametrize("file", hostile_files("checkpoint"), ids=lambda file: file.name)
def test_a_hostile_checkpoint_is_refused(file: Path):
    with pytest.raises(FormatError):
        read(file.read_bytes())


@pytest.mark.parametrize(
    "origin", ["a", "demo.invalid", "a/b", "a.b-c_d/9", "0", "a" * 100, "a..b"]
)
def test_an_origin_is_of_characters_that_need_no_quoting(origin: str):
    assert check_origin(origin) == origin


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "A",
        "a b",
        "a/",
        "/a",
        "a//b",
        "-a",
        ".a",
        "a/../b",
        "a/.b",
        "a+b",
        "a#b",
        "é",
        "a\n",
        "a" * 101,
    ],
)
def test_any_other_origin_is_refused(origin: str):
    with pytest.raises(FormatError, match="origin"):
        check_origin(origin)
