"""Whatever a place does, or the library that speaks to it: an answer or a `StoreError`, in time."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable

import pytest
from fakes import MemoryStore

from mirror.errors import FormatError, StoreError
from mirror.stores import patience
from mirror.stores.patience import Patient
from mirror.threads import in_thread

SECRET = "hunter2"


class Odd(MemoryStore):
    """A place whose library does anything."""

    def __init__(self, does: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self.does = does

    async def flush(self) -> None:
        await self.does()


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "GRACE_S", 0.1)


def patient(does: Callable[[], Awaitable[None]], call_s: float = 0.1) -> Patient:
    return Patient(Odd(does), call_s=call_s)


async def test_a_batch_is_one_call_however_many_its_files():
    calls = set()

    class Seen(MemoryStore):
        async def put(self, path: str, data: bytes) -> None:
            calls.add(asyncio.current_task())
            await super().put(path, data)

    store = Seen()
    files = {"checkpoint": b"1", **{f"tile/0/00{n}": b"%d" % n for n in range(9)}}
    await Patient(store).write(files)

    assert len(calls) == 1
    assert (store.kept, store.order[-1]) == (files, "checkpoint")


async def test_what_a_store_answers_is_passed_on():
    store = Patient(MemoryStore())
    await store.reserve(1)
    await store.put("feed/1.json", b"x")
    await store.flush()

    assert await store.get("feed/1.json") == b"x"
    assert await store.names("feed") == ["feed/1.json"]
    await store.delete("feed/1.json")
    assert await store.get("feed/1.json") is None


async def test_a_stores_own_error_and_a_wrong_path_are_passed_on():
    inner = MemoryStore()
    inner.fails = lambda _: True
    store = Patient(inner)

    with pytest.raises(StoreError, match="told to fail"):
        await store.put("feed/1.json", b"x")
    with pytest.raises(FormatError):
        await store.put("../x", b"x")


@pytest.mark.parametrize("kind", [OSError, RuntimeError, KeyError, TimeoutError, UnicodeError])
async def test_an_outside_error_is_a_stores_and_its_words_are_not_repeated(kind: type[Exception]):
    async def fail() -> None:
        raise kind(f"https://user:{SECRET}@far.example/")

    with pytest.raises(StoreError) as raised:
        await patient(fail).flush()

    place = f"{kind.__name__} at test_patience.py"
    assert str(raised.value).startswith(f"memory: an error that is to be reported: {place}")
    assert SECRET not in str(raised.value)


async def test_a_library_that_breaks_off_by_itself_is_named():
    async def fail() -> None:
        raise asyncio.CancelledError

    with pytest.raises(StoreError, match="broken off by its own library"):
        await patient(fail).flush()


async def test_a_call_that_never_ends_is_an_error():
    with pytest.raises(StoreError, match="no answer in 0 s: is it reachable"):
        await patient(asyncio.Event().wait).flush()  # type: ignore[arg-type]


async def test_a_thread_that_hangs_is_left_alone_and_nothing_is_asked_before_it_ends():
    ended = threading.Event()
    store = patient(lambda: in_thread(ended.wait))  # type: ignore[arg-type]
    try:
        with pytest.raises(StoreError, match="no answer"):
            await store.flush()
        with pytest.raises(StoreError, match="it still owes the answer before"):
            await store.get("checkpoint")
    finally:
        ended.set()
    assert store._owed
    await asyncio.wait([store._owed])

    assert await store.get("checkpoint") is None


async def test_who_is_cancelled_waits_for_no_thread_that_hangs(caplog: pytest.LogCaptureFixture):
    ended = threading.Event()
    store = patient(lambda: in_thread(ended.wait), call_s=60)  # type: ignore[arg-type]
    task = asyncio.create_task(store.flush())
    await asyncio.sleep(0.05)
    task.cancel()
    try:
        async with asyncio.timeout(5):
            with pytest.raises(asyncio.CancelledError):
                await task
    finally:
        ended.set()

    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []
