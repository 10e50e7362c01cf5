"""The process that forks: give it an order, get how its child ended."""

import json
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

from fault_newsroom import Newsroom

from mirror import init

START = 1_790_000_000  # Unix seconds; the root of a test is made then
ANSWER_S = 300  # longer than a child that is stuck is waited for
CHILD = Path(__file__).with_name("fault_child.py")


class Warm:
    """The process that forks: give it an order, get how its child ended."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def run(self, folder: Path, **order: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"folder": str(folder), **order}) + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], ANSWER_S)[0]:
            self._process.kill()  # whoever waits for it would wait for ever
            raise AssertionError(f"no answer to {order} in {ANSWER_S} s")
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def make(folder: Path, room: Newsroom, *, now: int = START) -> None:
    """Make a mirror of `room` in `folder`."""
    wishes = init.Wishes(
        name="The Fault Line",
        origin="faults.example",
        feeds=[room.feed_url],
        allow_hosts=[room.address],
    )
    init.make(folder, wishes, now=now)
