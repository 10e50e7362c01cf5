"""A process that answers for the box: started when asked, killed when it goes over a limit."""

import asyncio
import logging
import math
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mirror.box_worker import ANSWER, BROKEN, HEAD, LENGTH, MEMORY, PART, READY

logger = logging.getLogger(__name__)

Take = Callable[[bytearray], None]
"""Is given the parts of an answer as they come."""

MIB = 1 << 20
START_S = 60.0  # to import the parsers from a cold disk on a small machine; 1 s on a warm one
MAX_TEXT = 1 << 14  # bytes kept of a traceback, or of what libraries print before they die
# The parent's own path, so that the worker runs the same code; -I and -S add no other.
PROGRAM = (
    "import sys; sys.path[:] = sys.argv[3:]; from mirror.box_worker import main;"
    "main(int(sys.argv[1]), sys.argv[2].split(','))"
)
ENVIRONMENT = {  # and nothing that the parent's own holds
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    # What a large file took goes back to the system, and is not counted against the next.
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use before its worker is killed."""

    wall_s: float = 9.0  # the promise to the cycle is ten, with the kill on a busy machine
    cpu_s: int = 8  # less than `wall_s`: a loop is told from a busy machine
    memory_bytes: int = 60 * MIB  # beyond the size when warm; the most of honest files is 36
    answer_bytes: int = 16 * MIB  # twice the largest feed; its objects had room in the worker


class EndedError(Exception):
    """A worker was killed for what a job did, or (not `killed`) could not be started at all."""

    def __init__(self, reason: str, *, killed: bool = True) -> None:
        super().__init__(f"killed: {reason}" if killed else reason)
        self.killed = killed


class Process:
    """A place in the pool: a process, started when asked and ended when it goes over a limit."""

    def __init__(self, limits: Limits, packages: tuple[str, ...]) -> None:
        self._limits = limits
        self._packages = packages
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._warm_bytes = 0
        self._cpu_s = 0.0
        self._socket: socket.socket
        self._stderr: int

    async def ask(self, question: Sequence[bytes], take: Take) -> tuple[bytes, bytearray]:
        """Return kind and text of the answer; the parts of an ANSWER have gone to `take`.

        Raises:
            EndedError: there is none, and the process is gone; so it is after what `take` raises.
        """
        keep = False
        try:
            pid = await self._running()
            soft = math.ceil(self._cpu_s) + self._limits.cpu_s  # counted from the process's start
            resource.prlimit(pid, resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
            kind, text = await self._exchange(question, take, self._limits.wall_s)
            if kind == MEMORY:
                raise EndedError(f"more than {self._limits.memory_bytes} bytes of memory")
            # What a job leaves behind is taken from the next: replaced before that hurts.
            self._cpu_s, size = _used(pid)
            keep = size - self._warm_bytes < self._limits.memory_bytes // 2
        finally:
            if not keep:  # or cancelled
                await self.end()
        return kind, text

    async def end(self) -> int:
        """Kill the process, if there is one; return its exit code when nothing is left of it."""
        self._ready = False
        if (process := self._process) is None:
            return 0
        process.kill()
        await _exit(process)
        if self._process is process:  # and nobody else has waited for it meanwhile
            self._process = None
            self._close()
        return process.returncode

    def _close(self) -> None:
        self._socket.close()
        os.close(self._stderr)

    async def _running(self) -> int:
        """Return the process id of a worker that is warm, starting it if need be."""
        if not self._ready or self._process is None or self._process.poll() is not None:
            await self.end()
            self._process = self._start()
            await self._greet(self._process.pid)
        return self._process.pid

    def _start(self) -> subprocess.Popen[bytes]:
        path = (str(Path(entry).absolute()) for entry in sys.path)
        arguments = (str(self._limits.memory_bytes), ",".join(self._packages), *path)
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        # Read only when the worker has died: what does not fit by then is dropped, not waited for.
        self._stderr, their_stderr = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return subprocess.Popen(  # noqa: S603  this interpreter, our own program
                [sys.executable, "-I", "-S", "-X", "utf8", "-c", PROGRAM, *arguments],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=their_stderr,
                env=ENVIRONMENT,
                cwd="/",
            )
        except OSError as e:
            self._close()
            raise EndedError(f"worker: did not start: {e.strerror}", killed=False) from e
        finally:
            theirs.close()
            os.close(their_stderr)

    async def _greet(self, pid: int) -> None:
        try:
            kind, text = await self._exchange((), None, START_S)
        except EndedError as e:
            kind, text = BROKEN, bytearray(str(e).encode())
        if kind != READY:
            logger.warning("a worker did not start: %s", readable(text))
            raise EndedError("worker: did not start", killed=False)
        if text:
            logger.warning("a worker runs with less protection: %s", readable(text))
        self._cpu_s, self._warm_bytes = _used(pid)
        self._ready = True

    async def _exchange(
        self, question: Sequence[bytes], take: Take | None, seconds: float
    ) -> tuple[bytes, bytearray]:
        try:
            async with asyncio.timeout(seconds):
                for part in question:
                    await self._send(LENGTH.pack(len(part)))
                    await self._send(part)
                return await self._answer(take)
        except TimeoutError as e:
            raise EndedError(f"longer than {seconds:g} s") from e
        except ConnectionError as e:
            raise EndedError(await self._cause()) from e

    async def _answer(self, take: Take | None) -> tuple[bytes, bytearray]:
        """Return the last of the answer's kinds and texts; what comes in parts is taken."""
        left = self._limits.answer_bytes
        while True:
            kind, size = HEAD.unpack(await self._receive(HEAD.size))
            left -= size
            if left < 0:
                raise EndedError(f"an answer of more than {self._limits.answer_bytes} bytes")
            text = await self._receive(size)
            if take and kind in (PART, ANSWER):
                take(text)
            if kind != PART:
                return kind, text
            await asyncio.sleep(0)  # what has arrived is received without waiting

    async def _send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def _receive(self, size: int) -> bytearray:
        buffer = bytearray(size)
        rest = memoryview(buffer)
        while rest:
            got = await asyncio.get_running_loop().sock_recv_into(self._socket, rest)
            if got == 0:
                raise ConnectionError("closed by the worker")
            rest = rest[got:]
        return buffer

    async def _cause(self) -> str:
        """Return why the process, which has closed its side, is gone."""
        words = b""
        with suppress(BlockingIOError):
            words = os.read(self._stderr, MAX_TEXT)
        code = await self.end()
        if words:
            logger.warning("a worker died, and printed: %s", readable(words))
        if code == -signal.SIGXCPU:
            return f"more than {self._limits.cpu_s} s of processor time"
        return f"died by signal {-code}" if code < 0 else f"left with status {code}"


def _used(pid: int) -> tuple[float, int]:
    """Return seconds of processor time and bytes of address space that a process has used."""
    # proc_pid_stat(5), after the name, which may hold spaces: utime and stime in ticks, vsize.
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(fields[20])


async def _exit(process: subprocess.Popen[bytes]) -> None:
    """Wait until a killed process has ended: no thread, as the event loop's own way would."""
    if process.poll() is not None:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    pidfd = os.pidfd_open(process.pid)
    loop.add_reader(pidfd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
    process.wait()


def readable(text: bytes | bytearray) -> str:
    """Return words of a worker without what could steer a terminal, and not endless."""
    return shown(text[:MAX_TEXT].decode("utf-8", "replace"))


def shown(text: str) -> str:
    """Return words without what could steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
