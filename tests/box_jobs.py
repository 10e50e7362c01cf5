"""Jobs for the tests of the box: honest ones, broken ones, and ones that have been captured."""

import ctypes
import errno
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mirror.errors import FormatError

KEPT: list[bytes] = []
CHECKED: list[int] = []
"""How many turns others had had, of those that noted theirs in `TURNS`, when each was checked."""
TURNS: list[None] = []
WARM: list[str] = []

X86 = os.uname().machine == "x86_64"

# x86_64 and aarch64 share the numbers from 424 on.
IO_URING_SETUP, OPENAT2, PIDFD_OPEN, CLONE3 = 425, 437, 434, 435


@dataclass(frozen=True, slots=True)
class Entry:
    title: str
    raw: bytes
    links: tuple[str, ...]
    age: int | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """Notes when it is made."""

    text: str

    def __post_init__(self) -> None:
        CHECKED.append(len(TURNS))


@dataclass(frozen=True, slots=True)
class Book:
    title: str
    chapters: tuple[Checked, ...]
    index: tuple[str, ...] = ()


def warm_up() -> None:
    WARM.append("warm")


def echo(body: bytes, *, entry: Entry, count: int = 1, flag: bool = False) -> tuple[Entry, ...]:
    return (Entry(entry.title, body, entry.links, entry.age if flag else None),) * count


def pid(body: bytes) -> int:
    return os.getpid()


def pid_after(body: bytes, *, seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def warmed(body: bytes) -> list[str]:
    return WARM


def refuse(body: bytes) -> str:
    raise FormatError("feed: no entries: \x1b[2Jgone")


def crash(body: bytes) -> str:
    raise ValueError("a bug of the parser")


def crash_with_escapes(body: bytes) -> str:
    raise ValueError("\x1b[2J\r" + "x" * 100_000)


def recurse(body: bytes) -> str:
    return recurse(body)


def loop(body: bytes) -> str:
    while True:
        pass


def loop_in_c(body: bytes) -> int:
    return sum(range(1 << 60))  # no signal handler of Python runs meanwhile


def loop_deaf(body: bytes) -> str:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    return loop(body)


def sleep(body: bytes) -> str:
    time.sleep(60)
    return ""


def grab(body: bytes, *, size: int) -> int:
    return len(bytes(size))


def grab_slowly(body: bytes) -> str:
    taken = []
    while True:
        taken.append(os.urandom(1 << 20))


def keep(body: bytes, *, size: int) -> int:
    KEPT.append(b"x" * size)
    return os.getpid()


def long_answer(body: bytes, *, size: int) -> str:
    return "x" * size


def leave(body: bytes) -> str:
    os._exit(7)


def leave_politely(body: bytes) -> str:
    sys.exit(0)


def segfault(body: bytes) -> str:
    return ctypes.string_at(0).decode()


def print_and_die(body: bytes) -> str:
    os.write(2, b"memory allocation failed\x1b[2J\n" * 10_000)
    return segfault(body)


def print_much(body: bytes) -> str:
    print("x" * 1_000_000)
    print("x" * 1_000_000, file=sys.stderr)
    return "done"


def book(body: bytes, *, chapters: int, words: int, index: int) -> Book:
    return Book("A book", tuple(Checked(f"{n} " * words) for n in range(chapters)), ("x",) * index)


def wrong_type_at_last(body: bytes) -> tuple[str, ...]:
    return ("x",) * 1000 + (7,)  # type: ignore[return-value]


def wrong_type(body: bytes) -> str:
    return 7  # type: ignore[return-value]


def surrogate(body: bytes) -> str:
    return "\ud800"


def forge(body: bytes) -> str:
    """Answer with `body` as the bytes on the wire, then wait to be believed."""
    os.write(0, body)
    time.sleep(60)
    return ""


def close_channel(body: bytes) -> str:
    os.close(0)
    time.sleep(60)
    return ""


def environment(body: bytes) -> str:
    return repr((dict(os.environ), sys.argv))


def open_files(body: bytes) -> list[int]:
    return [fd for fd in range(256) if _is_open(fd)]


def _is_open(fd: int) -> bool:
    try:
        os.lseek(fd, 0, os.SEEK_CUR)
    except OSError as e:
        return e.errno == errno.ESPIPE
    return True


def decode(body: bytes, *, charsets: tuple[str, ...]) -> list[str]:
    return [body.decode(charset) for charset in charsets]


def ways_out(body: bytes) -> dict[str, str]:
    """Return the name of the error that each way out ends with."""
    return {name: _error_of(attempt) for name, attempt in ATTEMPTS.items()}


def _error_of(attempt: Callable[[], object]) -> str:
    try:
        found = attempt()
    except OSError as e:
        return type(e).__name__
    return f"succeeded: {found!r}"


def _syscall(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) == -1:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return 0


ATTEMPTS = {
    "socket": lambda: socket.socket(),
    "socket of the machine": lambda: socket.socket(socket.AF_UNIX),
    "packet socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "socketpair": lambda: socket.socketpair(),
    "name": lambda: socket.create_connection(("127.0.0.1", 9), 1),
    "its own channel elsewhere": lambda: socket.socket(fileno=0).connect("\0elsewhere"),
    "descriptor through its own channel": lambda: socket.send_fds(
        socket.socket(fileno=0), [b"x"], [1]
    ),
    "file": lambda: Path("/etc/hostname").read_bytes(),
    "itself": lambda: Path(__file__).read_bytes(),
    "new file": lambda: Path("/tmp/box-was-here").write_bytes(b"x"),
    "folder": lambda: list(Path("/").iterdir()),
    "existence": lambda: Path("/etc/hostname").stat(),
    "memory of the parent": lambda: Path(f"/proc/{os.getppid()}/mem").read_bytes(),
    "pipe": lambda: os.pipe(),
    "file in memory": lambda: os.memfd_create("x"),
    "program": lambda: os.execv("/bin/true", ["true"]),
    "fork": lambda: os.fork(),
    "signal to the parent": lambda: os.kill(os.getppid(), 0),
    "limits of the parent": lambda: _syscall(302 if X86 else 261, os.getppid(), 7, None),
    "debugging the parent": lambda: _syscall(101 if X86 else 117, 16, os.getppid(), 0, 0),
    "ring": lambda: _syscall(IO_URING_SETUP, 8, ctypes.create_string_buffer(120)),
    "openat2": lambda: _syscall(OPENAT2, -100, b"/etc/hostname", struct.pack("QQQ", 0, 0, 0), 24),
    "pidfd": lambda: _syscall(PIDFD_OPEN, os.getppid(), 0),
    "clone3": lambda: _syscall(CLONE3, None, 0),
    "chmod": lambda: Path("/tmp").chmod(0o1777),
    "unlink": lambda: Path("/tmp/box-was-not-here").unlink(),
}
