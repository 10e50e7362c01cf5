"""A store of which nothing but an answer or a `StoreError` comes, and that within a time.

What a place does, or the library that speaks to it, must not end a daemon that feeds nine others.
"""

import asyncio
import traceback
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from pathlib import PurePath
from threading import Thread
from typing import Any, ParamSpec, Protocol, TypeVar

from mirror.errors import MirrorError, SettingsError, StoreError
from mirror.stores import Store, write

CALL_S = 1800.0
"""For one call. At most 8 MB are sent in one: a place slower than 5 kB/s is of no use to readers,
and one that goes on, however slowly, may fill for days."""
GRACE_S = 5.0  # for a call to end that nobody waits for any more

P = ParamSpec("P")
T = TypeVar("T")


class InThread(Protocol):
    """What runs blocking work in a thread, and waits for it also if nobody wants the result."""

    def __call__(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]:
        """Return `function(…)`."""


async def in_own_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `function(…)`, run in a thread that it shares with nothing.

    For a disk that may be dead: its system calls never return, and would keep a thread from
    others, and the process from ending.
    """
    work = Future[T]()
    work.set_running_or_notify_cancel()

    def run() -> None:
        try:
            work.set_result(function(*args, **kwargs))
        except BaseException as e:  # noqa: BLE001 - raised where it is waited for
            work.set_exception(e)

    Thread(target=run, daemon=True).start()
    waited = asyncio.wrap_future(work)
    try:
        return await asyncio.shield(waited)
    except asyncio.CancelledError:
        await asyncio.wait([waited])
        raise


class Patient:
    """Speaks to one store; a call that does not end is left alone, and no other begun before."""

    def __init__(self, store: Store, *, call_s: float = CALL_S) -> None:
        self.name = store.name
        self.whole: bool = getattr(store, "whole", False)
        self._store = store
        self._call_s = call_s
        self._owed: asyncio.Task[Any] | None = None

    @property
    def owes(self) -> bool:
        """Whether a call has not ended, also one that nobody waits for any more."""
        return self._owed is not None and not self._owed.done()

    async def put(self, path: str, data: bytes) -> None:
        """As `Store`."""
        await self._asked(self._store.put(path, data))

    async def get(self, path: str) -> bytes | None:
        """As `Store`."""
        return await self._asked(self._store.get(path))

    async def delete(self, path: str) -> None:
        """As `Store`."""
        await self._asked(self._store.delete(path))

    async def names(self, folder: str) -> list[str]:
        """As `Store`."""
        return await self._asked(self._store.names(folder))

    async def flush(self) -> None:
        """As `Store`."""
        await self._asked(self._store.flush())

    async def write(self, changes: Mapping[str, bytes]) -> None:
        """As `mirror.stores.write`, in one call: each costs more than to keep a small file."""
        await self._asked(write(self._store, changes))

    async def reserve(self, size: int) -> None:
        """As `Store`."""
        await self._asked(self._store.reserve(size))

    async def _asked(self, call: Coroutine[Any, Any, T]) -> T:
        if self.owes:
            call.close()
            raise StoreError(f"{self.name}: not asked: it still owes the answer before")
        self._owed = task = asyncio.ensure_future(call)
        try:
            await asyncio.wait([task], timeout=self._call_s)
        except asyncio.CancelledError:
            await self._leave(task)
            raise
        if not task.done():
            await self._leave(task)
            raise StoreError(f"{self.name}: no answer in {self._call_s:.0f} s: is it reachable?")
        return self._result(task)

    async def _leave(self, task: asyncio.Task[T]) -> None:
        """Have a call end; a thread that hangs in the system's own calls can not be ended."""
        task.cancel()
        await asyncio.wait([task], timeout=GRACE_S)
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    def _result(self, task: asyncio.Task[T]) -> T:
        if task.cancelled():
            raise StoreError(f"{self.name}: broken off by its own library")
        e = task.exception()
        if isinstance(e, SettingsError):  # a key's file that is gone meanwhile: of this store alone
            raise StoreError(f"{self.name}: {e}") from e
        if e is None or isinstance(e, MirrorError) or not isinstance(e, Exception):
            return task.result()
        # Not its words: those of a library may repeat an address with a secret in it.
        last = traceback.extract_tb(e.__traceback__)[-1]
        where = f"{type(e).__name__} at {PurePath(last.filename).name}:{last.lineno}"
        raise StoreError(f"{self.name}: an error that is to be reported: {where}") from e
