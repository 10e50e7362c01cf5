"""The verbs that mirror: `once`, `run`, `serve`."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from mirror import build, child, daemon
from mirror.cli.terminal import (
    DONE,
    FAILED,
    PARTLY,
    Verbs,
    add_config,
    answer,
    complain,
    now,
    progress,
    say,
    verb,
)
from mirror.cycle import run_cycle
from mirror.desk import Desk, Summary
from mirror.errors import SettingsError, StateError, StoreError
from mirror.follow import follow_always, follow_once
from mirror.seal import die_with_parent
from mirror.settings import Settings
from mirror.ticks import ticks

TICK_S = 5.0  # how late a feed may be asked, or an approval be noticed

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
            with build.follower(config, settings, now=now) as found:
                summary = await run_cycle(desk, now=now, progress=progress)
                if found:
                    store, database, _ = found
                    progress(store.name)
                    summary.stores[store.name] = await follow_once(store, database, now=now)
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
        say(f"{name}: {state}")


def _run(arguments: argparse.Namespace) -> int:
    logging.getLogger("mirror").setLevel(logging.INFO)
    asyncio.run(_mirror(arguments.config))
    return DONE


async def _mirror(config: Path) -> None:
    settings = Settings.load(config)
    orders = daemon.Orders()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, orders.stop)
    loop.add_signal_handler(signal.SIGINT, orders.stop)
    loop.add_signal_handler(signal.SIGHUP, orders.reload)
    desks = _Desks(config, settings)
    await daemon.run(
        desks,
        time=daemon.Time(now, lambda: time.clock_gettime(time.CLOCK_BOOTTIME)),
        ticks=lambda: ticks(TICK_S),
        orders=orders,
        beside=[desks.serve, desks.follow],
    )
    logger.info("stopped")


class _Desks:
    """Desks as the settings say them; a reload with settings that do not do keeps the old ones."""

    def __init__(self, config: Path, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._opened = False
        self._served = False

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Desk]:
        async with AsyncExitStack() as stack:
            yield await self._open(stack)

    async def _open(self, stack: AsyncExitStack) -> Desk:
        if not self._opened:
            self._opened = True
            return await stack.enter_async_context(build.desk(self._config, self._settings))
        try:
            settings = Settings.load(self._config)
            desk = await stack.enter_async_context(build.desk(self._config, settings))
            with build.follower(self._config, settings, now=now):
                pass  # it can be opened: what names it is usable
        except (SettingsError, StateError, StoreError) as e:
            logger.warning("the settings were not reloaded, and the old ones go on: %s", e)
            await stack.aclose()
            return await stack.enter_async_context(build.desk(self._config, self._settings))
        self._settings = settings
        logger.info("the settings were reloaded")
        return desk

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

    async def follow(self) -> None:
        with build.follower(self._config, self._settings, now=now) as found:
            if found:
                await follow_always(*found, now=now)
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
