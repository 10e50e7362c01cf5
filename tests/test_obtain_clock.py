"""How long a reader waits while mirrors are dead: on a clock that only waiting moves.

All of a run is real but its connections: those live or die here as told, and the seconds that they
take pass at once. So what is measured is whom a reader asks when, and no machine's speed.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from readers import ONE, THREE, fetched, newsroom

from mirror.errors import FetchError
from mirror.fetch import Fetched
from mirror.fetch.answers import Validators
from mirror.obtain import Obtained, Web
from mirror.obtain.places import LIMIT_S, Meter

LOOPBACK_S = 0.01  # of an answer: two to ten milliseconds were measured
MIRRORS = 8
ONE_DEAD_S, SEVEN_DEAD_S = 1.5, 6.0
ROOM = newsroom()


class _Waiting(selectors.DefaultSelector):
    """Waits for no time: what a loop would have slept is added to `now`.

    For a thread it does wait, and no time passes; the loop must have no timer meanwhile.
    """

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(None if timeout is None else 0)
        if not found:
            self.now += max(timeout or 0, 0)
        return found


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop on whose clock a run of many seconds takes none."""

    def __init__(self) -> None:
        self._waiting = _Waiting()
        super().__init__(self._waiting)

    def time(self) -> float:
        return self._waiting.now


Death = Callable[[], Awaitable[None]]


def dies(after_s: float, said: str, **kind: str) -> Death:
    async def death() -> None:
        await asyncio.sleep(after_s)
        raise FetchError(said, **kind)

    return death


DEATHS = {
    "refuses": dies(0, "no connection: refused"),
    "is reset": dies(LOOPBACK_S, "connection lost: reset"),
    "is reset in the middle": dies(1.0, "cut short"),
    "is reset late": dies(2.9, "connection lost: reset"),
    "says it is busy": dies(LOOPBACK_S, "status 503", kind="later"),
    "has nothing": dies(LOOPBACK_S, "status 404", kind="missing"),
    "has no name": dies(5.0, "no such host: time-out"),
    "never answers": dies(LIMIT_S, "too slow"),
}


class _Scripted(Web):
    """Connections to mirrors of which some are dead, by their address; others have the site."""

    def __init__(self, deaths: dict[str, Death]) -> None:
        super().__init__([url.split("/")[2] for url in deaths])
        self.deaths = deaths

    def fetcher(self, meter: Meter) -> "_Connection":
        return _Connection(self.deaths)


class _Connection:
    """One connection: for one request, as a filter may cut the second."""

    def __init__(self, deaths: dict[str, Death]) -> None:
        self._deaths = deaths
        self._used = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._used

    async def get(self, url: str, *, max_bytes: int, cut: bool) -> Fetched:
        assert not self._used
        self._used = True
        for base, death in self._deaths.items():
            if url.startswith(base):
                await death()
        await asyncio.sleep(LOOPBACK_S)
        path = url.split("/", 3)[3]
        if path not in ROOM.files:
            raise FetchError(f"{url}: status 404", kind="missing")
        return Fetched(url, ROOM.files[path][:max_bytes], "", Validators())


def run(folder: Path, target: str, deaths: Sequence[str | None]) -> Obtained:
    """Return what is found where the mirrors, in this order, die so, or live (None)."""
    urls = [f"http://m{number}.test:80{number}/" for number in range(len(deaths))]
    dead = {url: DEATHS[each] for url, each in zip(urls, deaths, strict=True) if each}
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        web = _Scripted(dead)
        return runner.run(fetched(folder, ROOM, target, *urls, web=web, total_s=60.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reader")


@pytest.mark.parametrize("target", [ONE, THREE], ids=["short", "in parts"])
@pytest.mark.parametrize("death", DEATHS)
def test_a_dead_first_mirror_costs_no_more_than_a_second_and_a_half(
    folder: Path, target: str, death: str
):
    for others in (1, 2, 7):
        found = run(folder, target, [death, *[None] * others])

        assert (found.ok, found.status) == (True, "current")
        assert found.took_s <= ONE_DEAD_S


@pytest.mark.parametrize("place", range(MIRRORS))
@pytest.mark.parametrize("death", DEATHS)
def test_one_that_lives_of_eight_is_found_in_six_seconds_wherever_it_stands(
    folder: Path, death: str, place: int
):
    found = run(folder, ONE, [*[death] * place, None, *[death] * (MIRRORS - 1 - place)])

    assert (found.ok, found.status) == (True, "current")
    assert found.took_s <= SEVEN_DEAD_S


SEVEN = st.lists(st.sampled_from(sorted(DEATHS)), min_size=MIRRORS - 1, max_size=MIRRORS - 1)


@given(SEVEN, st.integers(0, MIRRORS - 1), st.sampled_from([ONE, THREE]))
@example(["never answers"] * 7, 7, THREE)
def test_one_that_lives_of_eight_is_found_in_six_seconds_however_the_others_died(
    folder: Path, deaths: list[str], place: int, target: str
):
    found = run(folder, target, [*deaths[:place], None, *deaths[place:]])

    assert (found.ok, found.status) == (True, "current")
    assert found.took_s <= SEVEN_DEAD_S


@pytest.mark.parametrize(("death", "each_s"), [("is reset late", 2.9 + 2.9), ("has no name", 5.0)])
def test_who_failed_soon_is_asked_once_more_and_who_failed_slowly_is_not(
    folder: Path, death: str, each_s: float
):
    found = run(folder, ONE, [death])

    assert [each.what for each in found.refused] == ["index", "article"]
    assert found.took_s == pytest.approx(2 * each_s, abs=0.5)


def test_the_clock_of_a_run_is_moved_by_waiting_alone(folder: Path):
    found = run(folder, ONE, ["never answers"])

    assert found.verdict == "unreachable"
    assert found.took_s >= LIMIT_S
