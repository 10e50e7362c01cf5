"""A warm process that forks one child for each cycle, because starting Python takes a second.

It reads one JSON object a line, `{"folder": …, "now": …, …}`, and answers with one. The forked
child runs what `mirror once` runs, with the parsers in its own process: not the box is tried
here, and it would have to be started each time.
"""

import asyncio
import faulthandler
import gc
import json
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from fault_boundaries import Boundaries, install

from mirror import build, signer
from mirror.article.jobs import warm_up
from mirror.box import Refused
from mirror.cycle import run_cycle
from mirror.edition import unsigned_files
from mirror.errors import FormatError, MirrorError
from mirror.formats.checkpoint import Checkpoint
from mirror.keys import Keys
from mirror.signer import Signer

T = TypeVar("T")
FAILED = 1
STUCK_S = 120  # a cycle takes a tenth of a second; one that takes this long ends with its stack


class Recall:
    """Answers of pure functions in earlier children: each has the same questions."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}

    def __call__(self, function: Callable[..., T], *given: object, **options: object) -> T:
        question = f"{function.__name__} {given} {options}"
        if question not in self.answers:
            self.answers[question] = function(*given, **options)
        answer: T = self.answers[question]
        return answer


recall = Recall()


class NoBox:
    """Runs the jobs here."""

    def __init__(self, **_: object) -> None:
        return

    async def __aenter__(self) -> "NoBox":
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    async def run(self, job: Callable[..., T], body: bytes, **options: object) -> T | Refused:
        try:
            return recall(job, body, **options)
        except FormatError as e:
            return Refused(str(e), killed=False)


def main() -> None:
    build.Box = NoBox  # type: ignore[assignment,misc]
    warm_up()
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(_forked(json.loads(line))), flush=True)


def _forked(order: dict[str, Any]) -> dict[str, Any]:
    """Return what the child told, and how it ended; killed after `kill_after_s` if given."""
    _stack(order).write_text("")
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(order, writing)
    os.close(writing)
    if "kill_after_s" in order:
        time.sleep(order["kill_after_s"])
        os.kill(pid, signal.SIGKILL)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    told, answers = pickle.loads(said) if said else ({}, {})
    recall.answers |= answers
    if stack := _stack(order).read_text():
        told = {"error": stack}
    return {"status": status, **told}


def _stack(order: dict[str, Any]) -> Path:
    """Return the file where a child that is stuck says where."""
    return Path(order["folder"], "stuck.txt")


def _child(order: dict[str, Any], pipe: int) -> None:
    status = FAILED
    with _stack(order).open("w") as stack:
        if not order.get("loop"):
            faulthandler.dump_traceback_later(STUCK_S, exit=True, file=os.dup(stack.fileno()))
    try:
        told = _obey(order, Path(order["folder"]))
        with os.fdopen(pipe, "wb") as stream:
            stream.write(pickle.dumps((told, recall.answers)))
        status = FAILED if told.get("error") else 0
    except Exception:  # noqa: BLE001 - told on the terminal, and by its status
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)  # and never back into the loop of the parent


def _obey(order: dict[str, Any], folder: Path) -> dict[str, Any]:
    count = Boundaries(order.get("at", 0), power=order.get("power", False), seed=order.get("seed"))
    if "fill" in order:
        count.reached = lambda: _fill(Path(order["fill"]))
    _record_signed(folder)
    if not order.get("loop"):
        signer.render = partial(recall, signer.render)
        install(count)
    try:
        summary = asyncio.run(_cycles(folder, order))
    except MirrorError as e:
        return {"error": str(e), "kind": type(e).__name__, "seen": count.seen}
    return {"seen": count.seen, "summary": summary}


async def _cycles(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    clock = (lambda: order["now"]) if "now" in order else (lambda: int(time.time()))
    async with build.desk(folder / "mirror.toml") as desk:
        summary = await run_cycle(desk, now=clock)
        while order.get("loop"):
            await run_cycle(desk, now=clock)
    return {"problems": summary.problems, "new": summary.new, "revised": summary.revised}


def _record_signed(folder: Path) -> None:
    """Note beside the folder every checkpoint that is ever signed, and what it lacked then."""
    note = os.open(folder / "signed.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    write = os.write
    real_sign, real_publish = Keys.sign_checkpoint, Signer.sign_checkpoint

    def sign_checkpoint(self: Keys, checkpoint: Checkpoint, *, time: int) -> bytes:
        signed = real_sign(self, checkpoint, time=time)
        write(note, (json.dumps({"note": signed.decode()}) + "\n").encode())
        return signed

    def sign_appended(self: Signer, *, now: int) -> None:
        site = folder / "site"
        files = {} if self.state.log().checkpoint else unsigned_files(self)
        lacks = [
            path
            for path, data in files.items()
            if not (site / path).is_file() or (site / path).read_bytes() != data
        ]
        if lacks:
            write(note, (json.dumps({"lacks": lacks}) + "\n").encode())
        real_publish(self, now=now)

    Keys.sign_checkpoint = sign_checkpoint  # type: ignore[method-assign]
    Signer.sign_checkpoint = sign_appended  # type: ignore[method-assign]


def _fill(place: Path) -> None:
    """Take all room that is left on the disk of `place`."""
    fd = os.open(place, os.O_WRONLY | os.O_CREAT)
    free = os.statvfs(place)
    size = free.f_bavail * free.f_frsize
    while size:
        try:
            os.posix_fallocate(fd, os.fstat(fd).st_size, size)
        except OSError:
            size //= 2
    os.close(fd)


if __name__ == "__main__":
    main()
