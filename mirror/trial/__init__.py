"""A place is tried as a reader would use it, before it is announced to any.

A probe of each kind of file is written under a path that nobody can guess, read back over the
store and over the public address, and removed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from mirror.errors import FetchError, StoreError
from mirror.fetch import Fetcher
from mirror.stores import Store, write
from mirror.trial.answer import Answer
from mirror.trial.judge import Finding, Level, judge, judge_case, judge_missing, kind
from mirror.trial.probe import Probe, make_probe
from mirror.trial.tls import judge_tls, refused
from mirror.trial.wire import Asker, Wire

__all__ = ["Finding", "Level", "Reading", "Wire", "offered", "try_store", "worst"]

WAIT_S = 300.0  # pages of repositories are shown after minutes; a head may be as old as this
AGAIN_S = 3.0


@dataclass(frozen=True, slots=True)
class Reading:
    """How the public address `url`, which ends in a slash, is asked."""

    url: str
    wire: Asker
    fetcher: Fetcher
    wait_s: float = WAIT_S
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], float] = time.time


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst of all levels."""
    levels = {each.level for each in findings}
    return "bad" if "bad" in levels else "poor" if "poor" in levels else "good"


async def try_store(
    store: Store,
    reading: Reading | None,
    *,
    noise: bytes,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Finding]:
    """Return what is found of a store and, where it has one, of its public address.

    `noise` is 32 random bytes. What was written is removed, whatever happens.
    """
    probe = make_probe(noise)
    findings: list[Finding] = []
    try:
        progress(f"{store.name}: writing")
        await write(store, probe.files)
        findings.append(await _kept(store, probe))
        if reading:
            findings += await _read(store, reading, probe, progress)
        else:
            findings.append(Finding("public", "good", "no public address: nothing asked there"))
    except StoreError as e:
        findings.append(Finding("store", "bad", str(e), "see what it says"))
    finally:
        progress(f"{store.name}: removing")
        removed = await _removed(store, probe)
        progress("")
    return [*findings, removed]


async def _kept(store: Store, probe: Probe) -> Finding:
    wrong = [path for path, data in probe.files.items() if await store.get(path) != data]
    listed = await store.names(probe.page.rpartition("/")[0])
    if not wrong and probe.page in listed:
        return Finding("store", "good", f"keeps and lists {len(probe.files)} files, byte for byte")
    saw = ", ".join(kind(path) for path in wrong) or "written and not listed"
    return Finding("store", "bad", f"not kept as written: {saw}", "choose another place")


async def _removed(store: Store, probe: Probe) -> Finding:
    try:
        for path in probe.files:
            await store.delete(path)
        await store.flush()
        left = [path for path in probe.files if await store.get(path) is not None]
    except StoreError as e:
        folder = probe.page.rpartition("/")[0]
        return Finding("removal", "bad", str(e), f"remove {folder} there by hand")
    if left:
        do = "give the right to delete: what is withdrawn must go"
        return Finding("removal", "bad", f"not removed: {', '.join(left)}", do)
    return Finding("removal", "good", "what was written is removed")


async def _read(
    store: Store, reading: Reading, probe: Probe, progress: Callable[[str], None]
) -> list[Finding]:
    """Look at the public address as a browser, then as a program of ours does."""
    progress(f"{reading.url}: reading")
    findings: list[Finding] = []
    try:
        findings.append(await _appears(reading, probe))
        # One after the other, each on its own connection: as little as one reader asks.
        seen = {path: await reading.wire.ask(reading.url + path) for path in probe.files}
        findings += judge(probe, seen)
        findings.append(judge_missing(await reading.wire.ask(reading.url + probe.missing)))
        findings.append(judge_case(await reading.wire.ask(reading.url + probe.other_case)))
    except FetchError as e:
        do = "see that the address is right, and that this machine may reach it"
        return [*findings, refused(e) or Finding("answers", "bad", str(e), do)]
    findings += await offered(reading.url, reading.wire, now=int(reading.now()))
    findings.append(await _programs(reading, probe.files))
    progress(f"{reading.url}: waiting for a change to be seen")
    await store.put(probe.head, probe.later)
    await store.flush()
    return [*findings, await _changes(reading, probe)]


async def offered(url: str, wire: Asker, *, now: int) -> list[Finding]:
    """Return what is found of the connection to `url` before any request."""
    try:
        offer = await wire.offer(url)
    except FetchError as e:
        return [Finding("certificate", "poor", str(e), "see that all its addresses answer")]
    return list(judge_tls(offer, now=now)) if offer else []


async def _appears(reading: Reading, probe: Probe) -> Finding:
    def shown(answer: Answer) -> bool:
        return answer.status == 200 or 300 <= answer.status < 400

    took_s = await _until(reading, probe.page, shown)
    if took_s is None:
        do = "see that the public address leads to where the store writes"
        return Finding("public", "bad", f"no file is seen after {reading.wait_s:g} s", do)
    return Finding("public", "good", f"a new file is seen after {took_s:g} s")


async def _changes(reading: Reading, probe: Probe) -> Finding:
    try:
        took_s = await _until(reading, probe.head, lambda answer: answer.body() == probe.later)
    except FetchError as e:
        return Finding("fresh", "bad", str(e), "see whether it answers reliably")
    if took_s is None:
        do = "switch off the cache before it, or let it keep what changes for minutes only"
        return Finding("fresh", "bad", f"stale: the old page still after {reading.wait_s:g} s", do)
    return Finding("fresh", "good", f"a change is seen after {took_s:g} s")


async def _until(reading: Reading, path: str, good: Callable[[Answer], bool]) -> float | None:
    """Return after how many seconds an answer is good; None: never.

    Raises:
        FetchError: there is no answer; nothing is waited for then.
    """
    waited_s = 0.0
    while not good(await reading.wire.ask(reading.url + path)):
        if waited_s >= reading.wait_s:
            return None
        await reading.sleep(AGAIN_S)
        waited_s += AGAIN_S
    return waited_s


async def _programs(reading: Reading, files: Mapping[str, bytes]) -> Finding:
    """Fetch all as the reader's programs do, redirects and codings included."""
    for path, data in files.items():
        try:
            fetched = await reading.fetcher.get(reading.url + path, max_bytes=len(data))
        except FetchError as e:
            return Finding("programs", "bad", str(e), "see above")
        if fetched is None or fetched.body != data:
            return Finding(
                "programs", "bad", f"{kind(path)}: other bytes than written", "see above"
            )
    return Finding("programs", "good", "programs get all files as they were written")
