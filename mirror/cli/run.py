"""The verbs that mirror: `once`, `run`, `serve`."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from mirror import build, child, daemon
from mirror.build.mirrors import look_after, outlets_of
from mirror.cli.terminal import (
    DONE,
    FAILED,
    PARTLY,
    Verbs,
    add_config,
    answer,
    came_of,
    complain,
    now,
    progress,
    say,
    verb,
)
from mirror.cycle import run_cycle
from mirror.desk import Desk, Summary
from mirror.errors import SettingsError, StateError, StoreError
from mirror.outside import Following, follow_all, followers
from mirror.seal import die_with_parent
from mirror.settings import Settings
from mirror.ticks import ticks

TICK_S = 5.0  # how late a feed may be asked, or an approval be noticed
THREADS = 64  # made as they are needed; a store has one at a time

logger = logging.getLogger(__name__)


def add(verbs: Verbs) -> None:
    """Add the verbs."""
    add_config(verb(verbs, "once", _once, "run one cycle: poll, sign, publish"))
    run = verb(
        verbs, "run", _run, "mirror until stopped: a cycle whenever a feed is due", json=False
    )
    add_config(run)
    serve = verb(verbs, "serve", _serve, "serve the site over HTTP until stopped", json=False)
    add_config(serve)
    serve.add_argument("--beside-daemon", type=int, metavar="PID", help=argparse.SUPPRESS)


def _once(arguments: argparse.Namespace) -> int:
    summary = asyncio.run(_cycle(arguments.config))
    if arguments.json:
        answer(asdict(summary))
    else:
        _show_summary(summary)
    if summary.feeds_failed == summary.feeds:
        return FAILED
    failed = any(word.startswith("failed") for word in summary.stores.values())
    return PARTLY if summary.problems or failed else DONE


async def _cycle(config: Path) -> Summary:
    settings = Settings.load(config)
    async with build.desk(config, settings) as desk:
        try:
            with followers(config, settings, now=now, progress=progress) as stores:
                summary = await run_cycle(desk, now=now, progress=progress)
                summary.stores |= await follow_all(stores, now=now, progress=progress)
        finally:
            progress("")
    return summary


def _show_summary(summary: Summary) -> None:
    for problem in (*summary.warnings, *summary.problems):
        complain(problem)
    counts = ("new", "revised", "unchanged", "held", "refused")
    say(", ".join(f"{getattr(summary, name)} {name}" for name in counts))
    if summary.late:
        say(f"{summary.late} left for the next poll: no time for them in this one")
    if summary.rechecked:
        say(f"{summary.rechecked} pages were asked again, as planned")
    if summary.waiting:
        say(f"{summary.waiting} waiting: `mirror waiting` shows them")
    if summary.quarantined:
        say(f"{summary.quarantined} in quarantine: `mirror quarantine list` says why")
    say(
        f"{summary.feeds} feeds, of which {summary.feeds_unchanged} unchanged,"
        f" {summary.feeds_failed} failed; log: {summary.log_size} leaves"
    )
    for name, state in summary.stores.items():
        say(f"{name}: {came_of(name, state)}")


def _run(arguments: argparse.Namespace) -> int:
    logging.getLogger("mirror").setLevel(logging.INFO)
    asyncio.run(_mirror(arguments.config))
    return DONE


async def _mirror(config: Path) -> None:
    settings = Settings.load(config)
    orders = daemon.Orders()
    loop = asyncio.get_running_loop()
    # A dead disk or a dead library holds a thread for ever: that of its own store, and the rest
    # have theirs. The default is six on a small machine.
    loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="work"))
    loop.add_signal_handler(signal.SIGTERM, orders.stop)
    loop.add_signal_handler(signal.SIGINT, orders.stop)
    loop.add_signal_handler(signal.SIGHUP, orders.reload)
    desks = _Desks(config, settings)
    await daemon.run(
        desks,
        time=daemon.Time(now, lambda: time.clock_gettime(time.CLOCK_BOOTTIME)),
        ticks=lambda: ticks(TICK_S),
        orders=orders,
        beside=[desks.serve, desks.follow, desks.watch],
    )
    logger.info("stopped")
    if desks.hang():
        # A thread in a dead disk's system call never ends, and a process waits for its threads.
        os._exit(DONE)


class _Desks:
    """Desks as the settings say them; a reload with settings that do not do keeps the old ones."""

    def __init__(self, config: Path, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._stores: Sequence[Following] = ()
        self._opened = False
        self._served = False

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Desk]:
        async with AsyncExitStack() as stack:
            yield await self._open(stack)

    async def _open(self, stack: AsyncExitStack) -> Desk:
        if not self._opened:
            self._opened = True
            return await self._enter(stack, self._settings)
        try:
            settings = Settings.load(self._config)
            desk = await self._enter(stack, settings)
        except (SettingsError, StateError, StoreError) as e:
            logger.warning("the settings were not reloaded, and the old ones go on: %s", e)
            await stack.aclose()
            return await self._enter(stack, self._settings)
        self._settings = settings
        logger.info("the settings were reloaded")
        return desk

    async def _enter(self, stack: AsyncExitStack, settings: Settings) -> Desk:
        """Open a desk, and the stores that follow what is done at it."""
        desk = await stack.enter_async_context(build.desk(self._config, settings))
        self._stores = stack.enter_context(followers(self._config, settings, now=now))
        outlets_of(self._config, settings)  # they can be told: what names them is usable
        return desk

    def hang(self) -> bool:
        """Return whether a store was left that does not answer; all else is closed by then."""
        return any(each.hangs for each in self._stores)

    async def serve(self) -> None:
        if self._settings.serve.port:
            first, self._served = not self._served, True
            command = [sys.executable, "-m", "mirror", "serve", "-c", str(self._config)]
            await child.keep_running(
                "the server",
                [*command, "--beside-daemon", str(os.getpid())],
                # Not read from the file again, where anything may stand by now.
                told=self._settings.model_dump_json().encode(),
                first=first,
            )
        await asyncio.Event().wait()

    async def watch(self) -> None:
        await look_after(self._config, self._settings, now=now)

    async def follow(self) -> None:
        async with asyncio.TaskGroup() as group:
            for each in self._stores:
                group.create_task(each.always(now=now))
            await asyncio.Event().wait()


def _serve(arguments: argparse.Namespace) -> int:
    config: Path = arguments.config
    if arguments.beside_daemon:
        die_with_parent()
        if os.getppid() != arguments.beside_daemon:  # it ended before the kernel was told
            return DONE
        settings = Settings.model_validate_json(sys.stdin.buffer.read())
    else:
        settings = Settings.load(config)
    asyncio.run(_serving(config, settings))
    return DONE


async def _serving(config: Path, settings: Settings) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with build.server(config, settings, now=now) as address:
        say(f"serving {address}/")
        await ended.wait()
