"""A pool of killable worker processes for everything that parses hostile bytes.

A parser may loop for minutes on 400 kB, take all memory, crash, or be captured
by what it reads. So it runs in a process of its own that can reach neither files
nor network (`mirror.seal`), answers in checked JSON, and is killed when it goes
over a limit. A worker that has been captured can falsify the answers to its later
jobs until it is replaced, and nothing else.
"""

import asyncio
import logging
import math
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from pydantic import ValidationError

from mirror.box_worker import ANSWER, BROKEN, FORMAT, HEAD, LENGTH, MEMORY, READY, Wire

logger = logging.getLogger(__name__)

T = TypeVar("T")

MIB = 1 << 20
START_S = 60.0  # to import the parsers from a cold disk on a small machine; 1 s on a warm one
MAX_REASON = 500  # characters: a message may quote what was parsed
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
class Refused:
    """A job gave no answer, for `reason`; `killed` if its worker had to be ended."""

    reason: str
    killed: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use before its worker is killed."""

    wall_s: float = 10.0  # the promise to the cycle: no hostile file takes longer
    cpu_s: int = 8  # less than `wall_s`: a loop is told from a busy machine
    memory_bytes: int = 60 * MIB  # beyond the size when warm; the most of honest files is 36
    answer_bytes: int = 16 * MIB  # twice the largest feed; as objects it may be five times that


LIMITS = Limits()


class Box:
    """Runs jobs in killable processes: `async with Box() as box`. Starts them when first needed.

    A job is a function `job(body, *, …options) -> T` of a module under `packages`: it is
    sent by name, options and answer as JSON of its annotations, which hold at run time.
    """

    def __init__(
        self,
        *,
        workers: int = 2,  # each takes about 100 MB when warm
        limits: Limits = LIMITS,
        packages: Collection[str] = ("mirror.article",),
    ) -> None:
        self._packages = tuple(packages)
        self._workers = [_Worker(limits, self._packages) for _ in range(workers)]
        # Last in, first out: one caller at a time needs one worker, not all of them.
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        for worker in self._workers:
            self._idle.put_nowait(worker)
        self._wires: dict[str, Wire] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self._workers:
            await worker.end()

    async def run(self, job: Callable[..., T], body: bytes, **options: object) -> T | Refused:
        """Return what `job(body, **options)` returns in a worker, or why there is no answer.

        A FormatError is the job's answer about its bytes; any other exception is
        a bug, and logged. To cancel is to kill. Waiting for a free worker is not limited.
        """
        name, wire = self._known(job)
        parts = (name.encode(), wire.pack(body, options), body)
        question = b"".join(LENGTH.pack(len(part)) + part for part in parts)
        worker = await self._idle.get()
        try:
            kind, text = await worker.ask(question)
            if kind == ANSWER:
                answer: T = wire.answer_checker.validate_json(text)[0]
                return answer
        except _EndedError as e:
            return Refused(str(e), killed=e.killed)
        except ValidationError:  # captured: no job of ours sends another type
            await worker.end()
            return Refused("killed: an answer of another type than promised", killed=True)
        finally:
            self._idle.put_nowait(worker)
        return _refused(job.__name__, kind, _readable(text))

    async def rest(self) -> None:
        """End the processes that have nothing to do; the next job starts one anew."""
        idle = [self._idle.get_nowait() for _ in range(self._idle.qsize())]
        for worker in idle:
            await worker.end()
            self._idle.put_nowait(worker)

    def _known(self, job: Callable[..., object]) -> tuple[str, Wire]:
        name = f"{job.__module__}:{job.__qualname__}"
        if name not in self._wires:
            if not any(f"{job.__module__}.".startswith(f"{p}.") for p in self._packages):
                raise ValueError(f"{name}: not a job of {', '.join(self._packages)}")
            self._wires[name] = Wire.of(job)
        return name, self._wires[name]


def one_line(words: str) -> str:
    """Return words of a worker as a reason: short, and without what could steer a terminal.

    For a job whose answer holds such words; those of a `Refused` have been through it.
    """
    return _shown(words[:MAX_REASON]).replace("\n", " ")


def _refused(job: str, kind: bytes, text: str) -> Refused:
    if kind == FORMAT:
        return Refused(one_line(text), killed=False)
    error, _, stack = text.partition("\n")
    logger.warning("%s crashed in its worker: %s\n%s", job, error, stack)
    return Refused(f"{job}: crashed: {error[:MAX_REASON]}", killed=False)


def _readable(text: bytes) -> str:
    """Return words of a worker without what could steer a terminal, and not endless."""
    return _shown(text[:MAX_TEXT].decode("utf-8", "replace"))


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


class _EndedError(Exception):
    """A worker was killed for what a job did, or (not `killed`) could not be started at all."""

    def __init__(self, reason: str, *, killed: bool = True) -> None:
        super().__init__(f"killed: {reason}" if killed else reason)
        self.killed = killed


class _Worker:
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

    async def ask(self, question: bytes) -> tuple[bytes, bytes]:
        """Return kind and text of the answer.

        Raises:
            _EndedError: there is none, and the process is gone.
        """
        keep = False
        try:
            pid = await self._running()
            soft = math.ceil(self._cpu_s) + self._limits.cpu_s  # counted from the process's start
            resource.prlimit(pid, resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
            kind, text = await self._exchange(question, self._limits.wall_s)
            if kind == MEMORY:
                raise _EndedError(f"more than {self._limits.memory_bytes} bytes of memory")
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
            raise _EndedError(f"worker: did not start: {e.strerror}", killed=False) from e
        finally:
            theirs.close()
            os.close(their_stderr)

    async def _greet(self, pid: int) -> None:
        try:
            kind, text = await self._exchange(b"", START_S)
        except _EndedError as e:
            kind, text = BROKEN, str(e).encode()
        if kind != READY:
            logger.warning("a worker did not start: %s", _readable(text))
            raise _EndedError("worker: did not start", killed=False)
        if text:
            logger.warning("a worker runs with less protection: %s", _readable(text))
        self._cpu_s, self._warm_bytes = _used(pid)
        self._ready = True

    async def _exchange(self, question: bytes, seconds: float) -> tuple[bytes, bytes]:
        try:
            async with asyncio.timeout(seconds):
                await asyncio.get_running_loop().sock_sendall(self._socket, question)
                kind, size = HEAD.unpack(await self._receive(HEAD.size))
                if size > self._limits.answer_bytes:
                    raise _EndedError(f"an answer of more than {self._limits.answer_bytes} bytes")
                return kind, await self._receive(size)
        except TimeoutError as e:
            raise _EndedError(f"longer than {seconds:g} s") from e
        except ConnectionError as e:
            raise _EndedError(await self._cause()) from e

    async def _receive(self, size: int) -> bytes:
        buffer = bytearray(size)
        rest = memoryview(buffer)
        while rest:
            got = await asyncio.get_running_loop().sock_recv_into(self._socket, rest)
            if got == 0:
                raise ConnectionError("closed by the worker")
            rest = rest[got:]
        return bytes(buffer)

    async def _cause(self) -> str:
        """Return why the process, which has closed its side, is gone."""
        words = b""
        with suppress(BlockingIOError):
            words = os.read(self._stderr, MAX_TEXT)
        code = await self.end()
        if words:
            logger.warning("a worker died, and printed: %s", _readable(words))
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
