"""A pool of killable worker processes for everything that parses hostile bytes.

A parser may loop for minutes on 400 kB, take all memory, crash, or be captured
by what it reads. So it runs in a process of its own that can reach neither files
nor network (`mirror.seal`), answers in checked JSON, and is killed when it goes
over a limit. A worker that has been captured can falsify the answers to its later
jobs until it is replaced, and nothing else.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from mirror.box.process import EndedError, Limits, Process, readable, shown
from mirror.box_worker import ANSWER, FORMAT, Wire

__all__ = ["LIMITS", "Box", "Limits", "Refused", "one_line"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_REASON = 500  # characters: a message may quote what was parsed
LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Refused:
    """A job gave no answer, for `reason`; `killed` if its worker had to be ended."""

    reason: str
    killed: bool


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
        self._workers = [Process(limits, self._packages) for _ in range(workers)]
        # Last in, first out: one caller at a time needs one worker, not all of them.
        self._idle: asyncio.LifoQueue[Process] = asyncio.LifoQueue()
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
        question = name.encode(), wire.pack(body, options), body
        parts: list[Any] = []

        def take(text: bytearray) -> None:
            parts.append(wire.checked(text))

        worker = await self._idle.get()
        try:
            kind, text = await worker.ask(question, take)
        except EndedError as e:
            return Refused(str(e), killed=e.killed)
        except ValidationError:  # captured: no job of ours sends another type
            return Refused("killed: an answer of another type than promised", killed=True)
        finally:
            self._idle.put_nowait(worker)
        if kind == ANSWER:
            answer: T = wire.joined(parts)
            return answer
        return _refused(job.__name__, kind, readable(text))

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
    return shown(words[:MAX_REASON]).replace("\n", " ")


def _refused(job: str, kind: bytes, text: str) -> Refused:
    if kind == FORMAT:
        return Refused(one_line(text), killed=False)
    error, _, stack = text.partition("\n")
    logger.warning("%s crashed in its worker: %s\n%s", job, error, stack)
    return Refused(f"{job}: crashed: {error[:MAX_REASON]}", killed=False)
