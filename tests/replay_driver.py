"""A mirror whose every cycle is at a snapshot's time; killed, it goes on where it was.

Run as `replay_driver.py FOLDER CYCLES`. `CYCLES` holds a JSON list of the times and feeds of all
cycles; `FOLDER/position` holds how many of them have ended.
"""

import asyncio
import json
import os
import sys
from functools import partial
from pathlib import Path

from aiohttp.abc import AbstractResolver, ResolveResult

from mirror import build
from mirror.cycle import run_cycle
from mirror.fetch import Fetcher
from mirror.files import write_durably


class NoNames(AbstractResolver):
    """Knows no host: what real feeds link to is not asked for."""

    async def resolve(self, host: str, *_: object, **__: object) -> list[ResolveResult]:
        raise OSError(f"{host}: there is nothing but loopback here")

    async def close(self) -> None:
        return


def position(folder: Path) -> int:
    """Return how many cycles have ended."""
    file = folder / "position"
    return int(file.read_text()) if file.exists() else 0


async def replay(folder: Path, cycles: list[tuple[int, str]]) -> None:
    """Run what is left of the cycles."""
    async with build.desk(folder / "mirror.toml") as desk:
        sources = {source.url: source for source in desk.poller.sources}
        for number in range(position(folder), len(cycles)):
            now, url = cycles[number]
            await run_cycle(desk, now=partial(int, now), due=[sources[url]])
            write_durably(folder / "position", b"%d" % (number + 1))


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    build.Fetcher = partial(Fetcher, resolver=NoNames())  # type: ignore[assignment,misc]
    asyncio.run(replay(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())))
