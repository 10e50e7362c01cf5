"""A process beside the daemon that is started again whenever it ends.

The built-in server is one: what strangers talk to holds no key, and a flood of requests takes
no time from a cycle.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from mirror.errors import SettingsError

logger = logging.getLogger(__name__)

USAGE = 2  # the code a process of ours ends with where starting it again would not help
AGAIN_S = 1.0  # doubled with each end that comes early, up to MAX_AGAIN_S
MAX_AGAIN_S = 60.0
EARLY_S = 60.0
END_S = 3.0  # to end when told, before it is killed


async def keep_running(
    command: Sequence[str], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Run a program until cancelled; start it again when it ends.

    Raises:
        SettingsError: it said that it never can run so.
    """
    loop, wait = asyncio.get_running_loop(), AGAIN_S
    while True:
        started = loop.time()
        code = await _run(command)
        if code == USAGE:
            raise SettingsError(f"{command[-1]}: the server cannot run with it")
        wait = AGAIN_S if loop.time() - started > EARLY_S else min(2 * wait, MAX_AGAIN_S)
        logger.warning("the server ended with status %d: started again in %.0f s", code, wait)
        await sleep(wait)


async def _run(command: Sequence[str]) -> int:
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    try:
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
