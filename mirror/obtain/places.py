"""Where a reader asks: mirrors over connections of their own, and what it has already taken in."""

import asyncio
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

from aiohttp import AddrInfoType
from yarl import URL

from mirror.check.places import MAX_CONNECTIONS
from mirror.errors import FetchError
from mirror.fetch import Fetcher
from mirror.guard import host_and_port, is_exempt, is_onion

LIMIT_S = 8.0  # of one answer: 12 kB over 50 kbit/s and 800 ms come in 5, a page that drips never
MAX_TAKEN = (
    16 * 1024 * 1024
)  # bytes of one run: no article has a tenth, and a month's plan has more
BESIDE = 512 * 1024
"""Bytes that may come with an answer: headers, certificates, and what a connection has in store."""
TOO_MUCH = "more came than an answer may have"
AGENT = "Mozilla/5.0"  # as most programs begin: it tells a mirror nothing of its reader


@dataclass(slots=True)
class Web:
    """How mirrors are reached, and how many bytes may still come from all of them together.

    An answer that takes longer than `limit_s` is none. Everything goes over `proxy`, where there is
    one (`mirror.fetch.Proxy.parse`).
    """

    allow_hosts: Collection[str] = ()
    proxy: str = ""
    left: int = MAX_TAKEN
    limit_s: float = LIMIT_S
    _exempt: frozenset[tuple[str, int]] = field(init=False)

    def __post_init__(self) -> None:
        self._exempt = frozenset(map(host_and_port, self.allow_hosts))

    def reaches(self, url: str) -> bool:
        """Return whether a mirror of a list may be asked: in secret, or where the caller said so.

        An onion address is its server's key. Over plain http, everybody on the way reads along.
        """
        address = URL(url)
        if is_onion(address.raw_host or ""):
            return bool(self.proxy)
        return address.scheme == "https" or is_exempt(address, self._exempt)

    def fetcher(self, meter: "Meter") -> Fetcher:
        """Return a client for one request, of whose answer no more than `meter` lets are taken."""
        return Fetcher(
            allow_hosts=self.allow_hosts,
            timeout_s=self.limit_s,
            user_agent=AGENT,
            proxy=self.proxy,
            socket_factory=partial(_Metered, self, meter),
            mirrors=True,
        )


@dataclass(slots=True)
class Meter:
    """How many bytes of one answer may still come; below 0 once more did."""

    left: int


class _Metered(socket.socket):
    """A socket that counts what it takes in: also headers, and what no decoder ever shows."""

    def __init__(self, web: Web, meter: Meter, info: AddrInfoType) -> None:
        super().__init__(info[0], info[1], info[2])
        self._web = web
        self._meter = meter

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        data = super().recv(bufsize, flags)
        self._take(len(data))
        return data

    def recv_into(self, buffer: bytearray, nbytes: int = 0, flags: int = 0, /) -> int:  # type: ignore[override]
        count = super().recv_into(buffer, nbytes, flags)
        self._take(count)
        return count

    def _take(self, count: int) -> None:
        self._meter.left -= count
        if self._meter.left < 0:  # before it is counted for all: one mirror must not use up the run
            raise OSError(TOO_MUCH)
        self._web.left -= count
        if self._web.left < 0:
            raise OSError("more came than one run may take in")


class ExcessError(FetchError):
    """More came than an answer may have: no accident of a line, so it is not asked for again."""


class Mirror:
    """A copy of the site at `base`, which ends in a slash; each request has its own connection."""

    def __init__(self, base: str, web: Web) -> None:
        self.name = base
        self._web = web
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)

    async def read(self, path: str, max_bytes: int) -> bytes:
        """Return what the mirror answers for `path`; of more than `max_bytes`, as many and one."""
        url, meter = self.name + path, Meter(max_bytes + BESIDE)
        async with self._turns, self._web.fetcher(meter) as fetcher:
            try:
                # Too long is a verdict, and the verifier's to give.
                answer = await fetcher.get(url, max_bytes=max_bytes + 1, cut=True)
            except FetchError as e:
                if meter.left < 0:
                    raise ExcessError(f"{url}: {TOO_MUCH}") from e
                raise
        if answer is None:  # only where a question was conditional, and none is
            raise FetchError(f"{url}: no answer")
        return answer.body

    async def read_some(self, wanted: Mapping[str, int]) -> Mapping[str, bytes | FetchError]:
        """Return what the mirror answers for each path, over at most two connections at once."""
        async with asyncio.TaskGroup() as group:
            tasks = {
                path: group.create_task(self._try(path, max_bytes))
                for path, max_bytes in wanted.items()
            }
        return {path: task.result() for path, task in tasks.items()}

    async def _try(self, path: str, max_bytes: int) -> bytes | FetchError:
        try:
            return await self.read(path, max_bytes)
        except FetchError as e:
            return e


class Taken:
    """What was taken in so far, as a copy of a part of the site."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.name = "what was fetched"
        self._files = files

    async def read(self, path: str, max_bytes: int) -> bytes:
        """Return the file at `path`, up to one byte more than `max_bytes`."""
        if path not in self._files:
            raise FetchError(f"{path}: not fetched")
        return self._files[path][: max_bytes + 1]

    async def read_some(self, wanted: Mapping[str, int]) -> Mapping[str, bytes | FetchError]:
        """Return the file at each path."""
        return {
            path: await self.read(path, max_bytes)
            if path in self._files
            else FetchError(f"{path}: not fetched")
            for path, max_bytes in wanted.items()
        }
