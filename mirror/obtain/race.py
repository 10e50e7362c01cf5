"""Mirrors asked side by side: the first whose answer is verified wins, a liar is asked no more."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from mirror.check.places import Place
from mirror.errors import FetchError, Verdict, VerifyError
from mirror.obtain.places import ExcessError

AT_ONCE = 2  # mirrors asked when nothing is known of them: four handshakes at once are policed
PACE_S = 1.5  # until one more is asked: an answer over a slow link takes about as long
SLOW_S = 3.0  # without an answer: from then on it takes no other's place, but may still win
STEP_S = 20.0  # of one question: sixty mirrors that never answer are asked in it, and time is left
GRACE_S = 0.3  # at least, for a second mirror to show something newer than the first
LOOK_S = 0.05  # between two looks at the clock

Word = Verdict | Literal["missing", "failed", "silent"]
"""Why a mirror was refused: it lied; does not have it; gave nothing; was slower than others."""

NO_ANSWER: frozenset[Word] = frozenset({"missing", "failed", "silent"})

LIES: frozenset[Word] = frozenset(
    {
        "malformed",
        "bad-signature",
        "unknown-key",
        "wrong-article",
        "tampered",
        "not-in-log",
        "fork",
        "rollback",
    }
)
"""What no honest mirror comes to; by the other verdicts it is old, or this reader is."""

T = TypeVar("T")
Step = Callable[[Place], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Refused:
    """`mirror` was asked for `what`, and its answer was not taken."""

    mirror: str
    what: str
    verdict: Word
    detail: str


@dataclass(slots=True, eq=False)
class Runner:
    """A mirror and how it did in this run; the lower its rank, the sooner it is asked."""

    place: Place
    rank: int = 1
    """0: its last answer was good; 1: not asked yet; 2: its last answer was none."""
    lied: bool = False
    answered: bool = False
    waited_s: float = 0.0

    @property
    def name(self) -> str:
        """The mirror's address."""
        return self.place.name


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What `by` answered, verified by the step that asked."""

    by: Runner
    value: T


class Race:
    """All mirrors of one run, and a time (of the loop's clock) at which it ends."""

    def __init__(self, places: Iterable[Place], *, deadline: float) -> None:
        self.runners: list[Runner] = [Runner(place) for place in places]
        self.refused: list[Refused] = []
        self.deadline = deadline

    def add(self, places: Iterable[Place]) -> None:
        """Let more mirrors take part, from the next question on."""
        known = {each.name for each in self.runners}
        self.runners += [Runner(place) for place in places if place.name not in known]

    def refuse(self, runner: Runner, what: str, error: FetchError | VerifyError) -> None:
        """Note why a mirror's answer was not taken; one that lied is asked no more."""
        runner.rank = 2
        if isinstance(error, VerifyError):
            runner.lied |= error.verdict in LIES
            self.refused.append(Refused(runner.name, what, error.verdict, error.detail))
        else:
            word: Word = "missing" if error.kind in ("missing", "gone") else "failed"
            refused = Refused(runner.name, what, word, str(error))
            if refused not in self.refused:  # who is asked again fails the same way, as a rule
                self.refused.append(refused)

    def silent(self) -> list[Refused]:
        """Return the mirrors that were asked, and had not answered when others had."""
        told = {each.mirror for each in self.refused}
        return [
            Refused(each.name, "", "silent", f"no answer in {each.waited_s:.1f} s")
            for each in self.runners
            if each.waited_s and not each.answered and each.name not in told
        ]

    async def first(
        self, what: str, step: Step[T], *, at_once: int = 1, prefer: Iterable[Runner] = ()
    ) -> Answer[T] | None:
        """Return the first verified answer, if any mirror gives one.

        One mirror is asked at first, which has been seen to work: each that is asked learns what
        is read.
        """
        answers = await self.ask(what, step, at_once=at_once, prefer=prefer)
        return answers[0] if answers else None

    async def ask(
        self,
        what: str,
        step: Step[T],
        *,
        at_once: int = AT_ONCE,
        enough: int = 1,
        counts: Callable[[T], bool] = lambda _: True,
        prefer: Iterable[Runner] = (),
    ) -> list[Answer[T]]:
        """Return verified answers in the order in which they came, until it is over.

        That is when `enough` of those that count came, or, after the first of them, as long again
        as that one took; when no mirror is left; or at the deadline.
        """
        first = list(prefer)
        line = sorted(
            (each for each in self.runners if not each.lied),
            key=lambda each: (each not in first, each.rank),
        )
        heat = _Heat(self, what, step, counts, deque(line))
        async with asyncio.TaskGroup() as group:
            await heat.run(group, at_once=at_once, enough=enough)
        return heat.answers


@dataclass(slots=True)
class _Heat(Generic[T]):
    """One question, asked of one mirror after the other."""

    race: Race
    what: str
    step: Step[T]
    counts: Callable[[T], bool]
    line: deque[Runner]
    again: dict[Runner, bool] = field(default_factory=dict)
    """Those whose connection failed soon, and whether they are still to be asked a second time."""
    answers: list[Answer[T]] = field(default_factory=list)
    running: dict[asyncio.Task[None], tuple[Runner, float]] = field(default_factory=dict)
    counted: int = 0
    ends: float = 0.0

    async def run(self, group: asyncio.TaskGroup, *, at_once: int, enough: int) -> None:
        start = _clock()
        self.ends = min(self.race.deadline, start + STEP_S)
        while self.counted < enough and _clock() < self.ends:
            self._start(group, at_once + int((_clock() - start) / PACE_S))
            if not self.running:
                break
            done, _ = await asyncio.wait(
                self.running, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                del self.running[task]
        for task, (runner, since) in self.running.items():
            task.cancel()
            self._note_silent(runner, _clock() - since)

    def _note_silent(self, runner: Runner, waited_s: float) -> None:
        runner.waited_s += waited_s
        if waited_s >= GRACE_S:
            runner.rank = 2
        if waited_s >= PACE_S:
            detail = f"no answer in {waited_s:.1f} s"
            self.race.refused.append(Refused(runner.name, self.what, "silent", detail))

    def _start(self, group: asyncio.TaskGroup, most: int) -> None:
        now = _clock()
        room = most - sum(now - since < SLOW_S for _, since in self.running.values())
        self.line = deque(each for each in self.line if not each.lied)  # lied meanwhile, elsewhere
        if not self.line:  # a line that loses some may do better
            self.line.extend(each for each, due in self.again.items() if due)
            self.again = dict.fromkeys(self.again, False)
        while room > 0 and self.line:
            runner = self.line.popleft()
            self.running[group.create_task(self._attempt(runner))] = runner, now
            room -= 1

    async def _attempt(self, runner: Runner) -> None:
        start = _clock()
        try:
            value = await self.step(runner.place)
        except (FetchError, VerifyError) as e:
            self.race.refuse(runner, self.what, e)
            if _may_be_chance(e) and _clock() - start < SLOW_S:
                self.again.setdefault(runner, True)
            return
        runner.rank, runner.answered = 0, True
        self.answers.append(Answer(runner, value))
        if self.counts(value):
            self.counted += 1
            took_s = _clock() - start
            self.ends = min(self.ends, _clock() + min(max(took_s, GRACE_S), PACE_S))


def _may_be_chance(e: FetchError | VerifyError) -> bool:
    """Return whether the same mirror, asked once more, may answer: its line lost something."""
    return isinstance(e, FetchError) and e.kind == "failed" and not isinstance(e, ExcessError)


def _clock() -> float:
    return asyncio.get_running_loop().time()
