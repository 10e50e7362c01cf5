"""Take from this process all it no longer needs: files, network, other processes, memory.

Two locks, because each has a gap. Resource limits hold on every Unix but stop
neither `execve` nor a privileged process. A seccomp filter holds for root too,
cannot be taken off again, and names what is allowed, so that system calls which
nobody thought of (`io_uring_setup`, `open_by_handle_at`) are refused as well.
It is known for two processors; on others only the limits hold, and `seal` says so.

https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import errno
import os
import resource
import signal
import struct
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2

LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS, an offset in struct seccomp_data
JUMP_IF = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
RETURN = 0x06  # BPF_RET | BPF_K
NUMBER_AT, PROCESSOR_AT = 0, 4
KILL_PROCESS = 0x80000000
REFUSE = 0x00050000 | errno.EPERM
ALLOW = 0x7FFF0000

# AUDIT_ARCH_*, and the calls that a warm Python needs to read its work from an open
# file, compute, answer and end. The numbers are of asm/unistd_64.h and asm-generic/unistd.h.
PROCESSORS = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CALLS = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "exit": (60, 93),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "getrandom": (318, 278),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def die_with_parent() -> None:
    """Have the kernel end this process when the one that started it ends, however it does."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def seal(memory_bytes: int) -> bool:
    """Give up everything but computing, the open files, and `memory_bytes` more memory.

    Whatever is to be imported, loaded or looked up must have been before. Not
    limited here: time, which the parent measures from outside.

    Returns:
        Whether the filter is on; False on a processor whose calls are not known here.

    Raises:
        OSError: the kernel has no such filter, or a limit could not be lowered.
    """
    pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),  # a dump would put what was parsed on the disk
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),  # as many as are open: no file, no socket
        (resource.RLIMIT_AS, pages * resource.getpagesize() + memory_bytes),
    ):
        resource.setrlimit(kind, (limit, limit))
    machine = os.uname().machine
    if machine not in PROCESSORS:
        return False
    _prctl(PR_SET_NO_NEW_PRIVS, 1)  # without it only root may set a filter
    program = _program(machine)
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, _Program(len(program) // 8, program))
    return True


def _program(machine: str) -> bytes:
    numbers = [call[list(PROCESSORS).index(machine)] for call in CALLS.values()]
    last = len(numbers) - 1
    steps = [
        (LOAD, 0, 0, PROCESSOR_AT),
        (JUMP_IF, 1, 0, PROCESSORS[machine]),
        (RETURN, 0, 0, KILL_PROCESS),  # calls of another table: 32-bit ones have other numbers
        (LOAD, 0, 0, NUMBER_AT),
        *((JUMP_IF, last - i + 1, 0, number) for i, number in enumerate(numbers)),
        (RETURN, 0, 0, REFUSE),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _prctl(option: int, value: int, program: _Program | None = None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    none = ctypes.c_ulong(0)  # prctl takes longs, and refuses what is not zero
    pointer = none if program is None else ctypes.byref(program)
    if libc.prctl(option, ctypes.c_ulong(value), pointer, none, none) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl {option}: {os.strerror(code)}")
