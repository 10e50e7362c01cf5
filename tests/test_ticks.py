"""The scheduler that ticks: real, in fractions of a second."""

import asyncio
import subprocess
import sys
import time
from contextlib import aclosing, suppress

import pytest

from mirror.ticks import ticks


async def test_the_first_tick_is_at_once():
    async with aclosing(ticks(600)) as strokes, asyncio.timeout(60):
        await anext(strokes)


async def test_the_others_are_an_interval_apart():
    start = time.monotonic()
    async with aclosing(ticks(0.2)) as strokes:
        for _ in range(4):
            await anext(strokes)

    assert time.monotonic() - start > 0.5


async def test_ticks_that_nobody_took_are_one():
    taken = 0
    async with aclosing(ticks(0.1)) as strokes:
        await anext(strokes)
        await asyncio.sleep(3)  # thirty of them
        start = time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                async for _ in strokes:
                    taken += 1
        passed = time.monotonic() - start

    assert 1 <= taken <= passed / 0.1 + 2


async def test_a_loop_that_was_blocked_for_long_loses_no_tick():
    async with aclosing(ticks(0.05)) as strokes:
        await anext(strokes)
        time.sleep(1.5)  # noqa: ASYNC251 - later than the second that a job may be late by default
        async with asyncio.timeout(10):
            await anext(strokes)


def test_a_clock_that_is_set_back_does_not_silence_it():
    """With a clock that says another time, in a process of its own."""
    program = (
        "import asyncio, datetime as d\n"
        "import apscheduler.schedulers.base as base\n"
        "from mirror.ticks import ticks\n"
        "back = d.timedelta(0)\n"
        "class Turned(d.datetime):\n"
        "    @classmethod\n"
        "    def now(cls, tz=None): return d.datetime.now(tz) - back\n"
        "base.datetime = Turned\n"
        "import apscheduler.job, mirror.ticks\n"
        "mirror.ticks.datetime = Turned\n"
        "async def main():\n"
        "    global back\n"
        "    strokes = ticks(0.1)\n"
        "    await anext(strokes)\n"
        "    await anext(strokes)\n"
        "    back = d.timedelta(hours=1)\n"
        "    await anext(strokes)\n"
        "    await anext(strokes)\n"
        "    await anext(strokes)\n"
        "    await strokes.aclose()\n"
        "    print('ticked')\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False
    )

    assert done.stdout == "ticked\n", done.stderr


async def test_closing_it_leaves_nothing_behind():
    before = len(asyncio.all_tasks())
    strokes = ticks(0.05)
    await anext(strokes)
    await strokes.aclose()
    await asyncio.sleep(0.1)

    assert len(asyncio.all_tasks()) == before
    with pytest.raises(StopAsyncIteration):
        await anext(strokes)
