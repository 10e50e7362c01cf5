"""What is kept of a feed's last answer: read back as written, and only in its own mode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.poll.mark import PRINT_BYTES, Mark

PRINT = bytes(range(PRINT_BYTES))
TIMES = st.integers(0, 7 * 86_400)
MODES = st.sampled_from(
    [b"auto", b"feed", b"page", b"feed\xff\xfe\xfd\xfc", b"feed\xfb\xfa\xf9\xf8"]
)


@given(MODES, st.binary(min_size=PRINT_BYTES, max_size=PRINT_BYTES), TIMES, TIMES)
def test_a_mark_is_read_back_as_it_was(mode: bytes, print_: bytes, ttl_s: int, max_age_s: int):
    mark = Mark(mode, print_, ttl_s, max_age_s)

    assert Mark.parse(bytes(mark), mode=mode) == mark
    assert mark.fresh_s == max(ttl_s, max_age_s)


@given(MODES, MODES, st.booleans())
def test_what_was_read_in_another_way_is_as_if_it_was_not_read(
    mode: bytes, other: bytes, is_old: bool
):
    kept = mode + PRINT if is_old else bytes(Mark(mode, PRINT, 1, 2))

    assert (Mark.parse(kept, mode=other) is None) == (mode != other)


@pytest.mark.parametrize("kept", [b"", b"fee", b"feed" + PRINT + b"1234567"])
def test_what_is_no_mark_is_as_if_nothing_was_read(kept: bytes):
    assert Mark.parse(kept, mode=b"feed") is None


def test_a_mark_of_the_edition_before_says_nothing_of_freshness():
    assert Mark.parse(b"feed" + PRINT, mode=b"feed") == Mark(b"feed", PRINT, 0, 0)
