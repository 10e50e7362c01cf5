"""The end of a process that asked an object store: the client's threads leave Python before it.

One that tells a result to the loop gives up the interpreter's lock meanwhile, and the verb may end
before it has it back. Python then ends that thread as C does, by unwinding it; the client's
language takes that for a reason to abort, and exit code 134 comes in place of the verb's own.
"""

import sys
import threading
import time

MOST_S = 5.0  # telling a loop takes microseconds, and some milliseconds on a busy machine
LOOK_S = 0.001


def wait_for_guests() -> None:
    """Return when no thread runs in Python that Python did not start."""
    end = time.monotonic() + MOST_S
    while _guests() and time.monotonic() < end:
        time.sleep(LOOK_S)  # the lock is theirs meanwhile


def _guests() -> set[int]:
    own = {each.ident for each in threading.enumerate()}
    return {ident for ident in sys._current_frames() if ident not in own}
