"""What a worker of the box takes while it reads, and who asked it: from the kernel."""

import ctypes
import gc
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MIB = 1 << 20
EVERY_S = 0.01


class Meter:
    """The worker of a box that has one, watched from outside.

    Growth is counted from its size when it was warm, so what earlier items left behind counts.
    """

    def __init__(self) -> None:
        self._pid = 0
        self._warm = 0
        self._peak = 0
        self._start_s = self.cpu_s = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="meter")

    def warm(self) -> None:
        """Look at the worker, which has nothing to do now; one not seen before is warm."""
        pid = _worker()
        if pid != self._pid:
            self._pid, self._warm = pid, _field(pid, "VmRSS")

    def __enter__(self) -> "Meter":
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")  # the peak is counted anew
        self._peak = 0
        self._start_s, self.cpu_s = _cpu_s(self._pid), 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="meter")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        """Bytes more than when it was warm, at most, of what was seen."""
        return max(self._peak - self._warm, 0)

    def _watch(self) -> None:
        while True:
            last = self._end.is_set()
            with suppress(OSError, ValueError, IndexError):  # killed meanwhile
                self._peak = max(self._peak, _field(self._pid, "VmHWM"))
                self.cpu_s = max(_cpu_s(self._pid) - self._start_s, 0.0)
            if last:
                return
            self._end.wait(EVERY_S)


class Asker:
    """This process: how much more memory it has at most, while it is open, than before."""

    def __init__(self) -> None:
        self.growth = 0
        self._before = 0

    def __enter__(self) -> "Asker":
        # What was given back but kept for later would be taken again unseen.
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        self._before = _field(os.getpid(), "VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
        return self

    def __exit__(self, *_: object) -> None:
        self.growth = max(_field(os.getpid(), "VmHWM") - self._before, 0)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _worker() -> int:
    [pid] = [pid for pid in children() if "box_worker" in read(Path(f"/proc/{pid}/cmdline"))]
    return pid


def children() -> Iterator[int]:
    """Yield the processes that this one began."""
    for folder in Path("/proc/self/task").iterdir():
        yield from map(int, read(folder / "children").split())


def read(file: Path) -> str:
    """Return what the kernel says, and nothing of a thread or a process that has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return file.read_text()
    return ""


def _field(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"{name}: not in the status of {pid}")
