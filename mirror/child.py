"""A process beside the daemon that is started again whenever it ends.

The built-in server is one: what strangers talk to holds no key, and a flood of requests takes
no time from a cycle.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from mirror.errors import SettingsError

logger = logging.getLogger(__name__)

NEVER = 2  # the code a process ends with where starting it again would not help
AGAIN_S = 1.0  # doubled with each end that comes early, up to MAX_AGAIN_S
MAX_AGAIN_S = 60.0
EARLY_S = 60.0
END_S = 3.0  # to end when told, before it is killed


async def keep_running(
    name: str,
    command: Sequence[str],
    *,
    told: bytes = b"",
    first: bool = True,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    steady: Callable[[], float] = time.monotonic,
) -> None:
    """Run a program until cancelled, and start it again when it ends; `told` is its input.

    Raises:
        SettingsError: its `first` run ended at once because it never can run so.
    """
    wait = AGAIN_S
    while True:
        started = steady()
        code = await _run(command, told)
        if code == NEVER and first:
            raise SettingsError(f"{name}: cannot run with these settings")
        first = False
        wait = AGAIN_S if steady() - started > EARLY_S else min(2 * wait, MAX_AGAIN_S)
        logger.warning("%s ended with status %d: started again in %.0f s", name, code, wait)
        await sleep(wait)


async def _run(command: Sequence[str], told: bytes) -> int:
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
    try:
        with suppress(ConnectionError):  # it ended before it listened
            await process.communicate(told)
        return await process.wait()
    finally:
        with suppress(ProcessLookupError):
            if process.returncode is None:
                process.terminate()
                with suppress(TimeoutError):
                    async with asyncio.timeout(END_S):
                        await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()
