"""The process beside the daemon: started again when it ends, ended with the daemon."""

import asyncio
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from mirror.child import keep_running
from mirror.errors import SettingsError


def program(text: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", text, *map(str, arguments)]


async def once(_: float) -> None:
    """Wait no longer than it takes to let others run."""
    await asyncio.sleep(0)


def _text(path: Path, size: int) -> str:
    """Return what is in a file once it has so many bytes."""
    end = time.monotonic() + 20
    while not path.exists() or path.stat().st_size < size:
        assert time.monotonic() < end
        time.sleep(0.02)
    return path.read_text()


async def test_a_process_that_ends_is_started_again(tmp_path: Path):
    note = tmp_path / "note"
    command = program("import sys; open(sys.argv[1], 'a').write('x'); sys.exit(1)", note)
    task = asyncio.create_task(keep_running("it", command, sleep=once))
    started = await asyncio.to_thread(_text, note, 3)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    assert started.startswith("xxx")


async def test_the_waits_grow_so_that_a_broken_one_does_not_take_the_machine():
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 8:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await keep_running("it", program("raise SystemExit(1)"), sleep=sleep, steady=lambda: 0.0)

    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]


async def test_one_that_says_it_never_can_run_is_not_started_again():
    with pytest.raises(SettingsError, match="it: cannot run with these settings"):
        await keep_running("it", program("raise SystemExit(2)"), sleep=once)


async def test_one_that_ran_before_is_started_again_whatever_it_says(tmp_path: Path):
    note = tmp_path / "note"
    command = program("import sys; open(sys.argv[1], 'a').write('x'); sys.exit(2)", note)
    task = asyncio.create_task(keep_running("it", command, first=False, sleep=once))
    started = await asyncio.to_thread(_text, note, 3)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    assert started.startswith("xxx")


async def test_one_that_ran_for_long_is_started_again_soon():
    waits: list[float] = []
    times = iter([0, 1, 1, 2, 2, 100, 100, 101])

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 4:
            raise asyncio.CancelledError

    command = program("raise SystemExit(1)")
    with pytest.raises(asyncio.CancelledError):
        await keep_running("it", command, sleep=sleep, steady=lambda: float(next(times)))

    assert waits == [2, 4, 1, 2]


async def test_it_is_told_what_to_do_by_each_start(tmp_path: Path):
    note = tmp_path / "note"
    command = program("import sys; open(sys.argv[1], 'a').write(sys.stdin.read())", note)
    task = asyncio.create_task(keep_running("it", command, told=b"serve!", sleep=once))
    said = await asyncio.to_thread(_text, note, 12)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    assert said.startswith("serve!serve!")


@pytest.mark.parametrize("deaf", [False, True])
async def test_it_ends_with_the_daemon(tmp_path: Path, deaf: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mirror.child.END_S", 0.3)
    note = tmp_path / "note"
    text = (
        "import os, signal, sys, time\n"
        "if int(sys.argv[2]): signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open(sys.argv[1], 'w').write(f'{os.getpid()}\\n')\n"
        "time.sleep(60)"
    )
    task = asyncio.create_task(keep_running("it", program(text, note, int(deaf)), sleep=once))
    pid = int(await asyncio.to_thread(_text, note, 2))
    task.cancel()
    with suppress(asyncio.CancelledError):
        async with asyncio.timeout(10):
            await task

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
