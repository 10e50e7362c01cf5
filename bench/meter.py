"""What is counted: processor time of this process and its workers, bytes written, parts of work."""

import os
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def own_cpu_s() -> float:
    """Return the processor time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def workers_cpu_s(*, without: Collection[int] = ()) -> float:
    """Return the processor time of the living children but those that are `without`."""
    total = 0
    for thread in Path("/proc/self/task").iterdir():
        for pid in map(int, (thread / "children").read_text().split()):
            if pid not in without:
                stat = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
                total += int(stat[11]) + int(stat[12])
    return total * TICK_S


def written_bytes() -> int:
    """Return how many bytes this process handed to `write`, to files or sockets alike."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("wchar")).split()[1])


class Parts:
    """Processor time by the part of the work, measured around functions while it is open."""

    def __init__(self) -> None:
        self.spent_s: dict[str, float] = defaultdict(float)
        self._inner: list[float] = []
        self._undo: list[Callable[[], None]] = []

    def time(self, owner: Any, name: str, part: str) -> None:  # noqa: ANN401
        """Count what `owner.name` takes to `part`, without what is counted to others inside."""
        real = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            start = time.thread_time()
            self._inner.append(0.0)
            try:
                return real(*arguments, **options)
            finally:
                spent = time.thread_time() - start
                self.spent_s[part] += spent - self._inner.pop()
                if self._inner:
                    self._inner[-1] += spent

        setattr(owner, name, timed)
        self._undo.append(lambda: setattr(owner, name, real))

    def close(self) -> None:
        """Put the functions back."""
        for undo in reversed(self._undo):
            undo()


def children_cpu_s() -> float:
    """Return the processor time of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
