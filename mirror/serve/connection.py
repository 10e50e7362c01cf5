"""Connections with strangers: how many, how long, and what they may send before they are cut.

aiohttp bounds lines, headers and requests that wait on a connection. It has no time for headers
to come or for an answer to be taken, no bound on connections, and answers what it cannot parse
with its own version and the stranger's bytes, after logging their address. All of that is here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from mirror.serve.answer import Answer, Dates
from mirror.serve.manners import Manners
from mirror.serve.reply import FAILED, MALFORMED, TOO_LONG

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)


class Crowd:
    """All connections that are open, each with the time at which it is cut."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self.dates = Dates()
        self.open: set[Connection] = set()
        times = (manners.header_s, manners.idle_s, manners.answer_s, manners.linger_s)
        self._interval_s = min(1.0, *(each / 4 for each in times))
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Cut who is late, now and several times within the shortest limit.

        One look at all in turn is cheaper than a timer for each request.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        for each in [each for each in self.open if each.deadline < now]:
            each.cut()
        self._timer = loop.call_later(self._interval_s, self.watch)

    def stop(self) -> None:
        """Look no more."""
        if self._timer:
            self._timer.cancel()

    def admit(self, newcomer: "Connection") -> bool:
        """Return whether there is room for one more.

        At the bound, whoever has gone longest without a whole request makes room: so a flood
        of silent connections pushes out itself, and those who ask at once are answered.
        """
        if len(self.open) >= self.manners.max_connections:
            waiting = [each for each in self.open if not each.busy]
            if not waiting:
                return False
            min(waiting, key=lambda each: each.since).cut()
        self.open.add(newcomer)
        return True


class Connection(web.RequestHandler):
    """A connection; at `deadline`, in the loop's time, it is cut."""

    def __init__(self, server: web.Server, crowd: Crowd) -> None:
        manners = crowd.manners
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            logger=_log,
            access_log=None,  # type: ignore[arg-type] # no log of addresses
            lingering_time=0,  # a body is not read
            max_line_size=manners.max_line_bytes,
            max_field_size=manners.max_line_bytes,
            max_headers=manners.max_headers,
            auto_decompress=False,
        )
        self.manners = manners
        self.busy = False
        self.since = self._loop.time()
        self.deadline = self.since + manners.header_s
        self._crowd = crowd
        self._wire: asyncio.Transport | None = None
        self._unparsed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or close at once where there is no room."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP
        self._wire = transport
        if self._crowd.admit(self):
            super().connection_made(transport)
        else:
            transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._crowd.open.discard(self)
        super().connection_lost(exc)

    def cut(self) -> None:
        """Close now, whatever was still to be sent."""
        self._crowd.open.discard(self)
        if self._wire:
            self._wire.abort()

    def data_received(self, data: bytes) -> None:
        """Parse what came, in parts: so no headers grow beyond the bound before they are counted.

        aiohttp's own bounds are for one line and for the number of lines.
        """
        size = self.manners.max_header_bytes
        for start in range(0, len(data) or 1, size):
            part = data[start : start + size]
            if part and not self.busy and not self._unparsed:
                self.deadline = self._loop.time() + self.manners.header_s
            requests = self._request_count
            super().data_received(part)
            if self._request_count != requests:
                self._unparsed = 0
            elif not self.busy:
                self._unparsed += len(part)
            if self._unparsed > size:
                self._refuse()
                return

    def _refuse(self) -> None:
        """Answer what was not read to its end, and let it run dry for a while."""
        if self._close or self._wire is None or self._wire.is_closing():
            return
        answer = TOO_LONG.head + self._crowd.dates.line() + b"Connection: close\r\n\r\n"
        self._wire.write(answer + TOO_LONG.body)
        self._wire.write_eof()
        self.busy = True
        self.deadline = self._loop.time() + self.manners.linger_s
        self.close()

    def begun(self) -> None:
        """Count the time of an answer from now."""
        self.busy = True
        self.took()

    def took(self) -> None:
        """Give the reader, who took a piece, time for the next."""
        self.deadline = self._loop.time() + self.manners.answer_s

    def answered(self, *, kept: bool) -> None:
        """Wait for the next request, or for the reader to take the rest of this answer."""
        left = self._wire.get_write_buffer_size() if self._wire else 0
        self.busy = not kept
        self.since = self._loop.time()
        allowed = self.manners.idle_s if kept and not left else self.manners.answer_s
        self.deadline = self.since + allowed

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what cannot be parsed, or to what failed here.

        Only the latter is logged, and without the address of who asked. `message` repeats what
        was sent and is left out.
        """
        if status == HTTPStatus.BAD_REQUEST:
            return Answer(MALFORMED, self._crowd.dates.line(), self)
        _log.error("failed to answer a request", exc_info=exc)
        return Answer(FAILED, self._crowd.dates.line(), self)


class Server(web.Server):
    """Makes a `Connection` of each connection; aiohttp's own would make its own kind."""

    def __init__(self, handler: Handler, crowd: Crowd) -> None:
        super().__init__(handler, handler_cancellation=True)
        self._crowd = crowd

    def __call__(self) -> Connection:
        """Return what a new connection speaks to."""
        return Connection(self, self._crowd)
