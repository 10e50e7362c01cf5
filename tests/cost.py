"""What a call may cost: CPU time, by the pace that this machine has at this moment."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

PACE_S = 0.02
"""What `_pace` takes on the machine that the limits in the tests were thought for."""

_WORDS = re.compile(r"(\w+) (\w+)")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail if what is inside takes more CPU time, waiting left out.

    Limits are for what an attack would cost, minutes, and stand far above what honest work
    takes. A machine that is slow, or busy with other things, gets as much more time.
    """
    before_s = _pace()
    start = time.process_time()
    yield
    spent_s = time.process_time() - start
    limit_s = seconds * max(1, before_s / PACE_S, _pace() / PACE_S)
    assert spent_s < limit_s, f"{spent_s:.2f} s of CPU time, {limit_s:.2f} wanted"


def _pace() -> float:
    """Return what a bit of work takes that is much like what the tests judge."""
    start = time.process_time()
    _WORDS.sub(r"\2 \1", "the ferry did not come " * 5000)
    return time.process_time() - start
