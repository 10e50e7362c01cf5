"""Connections with strangers: how many, how long, and what they may send before they are cut.

aiohttp bounds lines, headers and requests that wait on a connection. It has no time for headers
to come or for an answer to be taken, no bound on connections, and answers what it cannot parse
with its own version and the stranger's bytes, after logging their address. All of that is here.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from mirror.serve.answer import Answer, Dates
from mirror.serve.manners import Manners
from mirror.serve.reply import FAILED, MALFORMED, TOO_LONG
from mirror.serve.room import address_of, who_leaves

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)

_QUIET_S = 60.0


class Crowd:
    """All connections that are open, each with the time at which it is cut."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self.dates = Dates()
        self.open: set[Connection] = set()
        times = (manners.header_s, manners.idle_s, manners.answer_s, manners.linger_s)
        self._interval_s = min(1.0, *(each / 4 for each in times))
        self._timer: asyncio.TimerHandle | None = None
        self._silent_until = 0.0

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
        """Return whether there is room for one more; at the bound, another may make it."""
        if len(self.open) >= self.manners.max_connections:
            before = newcomer.since - self.manners.stall_s
            leaving = who_leaves(self.open, newcomer, before=before)
            if leaving is None:
                return False
            leaving.cut()
        self.open.add(newcomer)
        return True

    def failed(self, why: Exception) -> None:
        """Log what kept an answer from being made, once a minute: strangers ask more often."""
        now = asyncio.get_running_loop().time()
        if now >= self._silent_until:
            self._silent_until = now + _QUIET_S
            _log.warning("could not answer, or not to the end: %s", why)


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
        self.address = b""
        self.crowd = crowd
        self._wire: asyncio.Transport | None = None
        self._ahead = 0  # bytes that came and belong to no answer that was begun
        self._begun = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or close at once where there is no room."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP
        self._wire = transport
        self.address = address_of(transport.get_extra_info("peername"))
        if self.crowd.admit(self):
            super().connection_made(transport)
        else:
            transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self.crowd.open.discard(self)
        super().connection_lost(exc)

    def cut(self) -> None:
        """Close now, whatever was still to be sent."""
        self.crowd.open.discard(self)
        if self._wire:
            self._wire.abort()

    def reset(self) -> None:
        """Cut so that it looks cut: where the end of the connection is the end of an answer."""
        if self._wire:
            one = self._wire.get_extra_info("socket")
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut()

    def data_received(self, data: bytes) -> None:
        """Parse what came, in parts: so nothing grows beyond the bound before it is counted.

        aiohttp's own bounds are for one line, for the number of lines, and for that of requests
        behind one that is answered: together 8 MB a connection.
        """
        size = self.manners.max_header_bytes
        for start in range(0, len(data) or 1, size):
            self._take(data[start : start + size])
            if self._ahead <= size:
                continue
            if self.busy or self._request_count > self._begun:
                self.close()  # after the answer under way; nothing that comes is parsed
            else:
                self._refuse()
            return

    def _take(self, part: bytes) -> None:
        if part and not self.busy and not self._ahead:
            self.deadline = self._loop.time() + self.manners.header_s
        super().data_received(part)
        self._ahead += len(part)

    def _refuse(self) -> None:
        """Answer what was not read to its end, and let it run dry for a while."""
        if self._close or self._wire is None or self._wire.is_closing():
            return
        answer = TOO_LONG.head + self.crowd.dates.line() + b"Connection: close\r\n\r\n"
        self._wire.write(answer + TOO_LONG.body)
        self._wire.write_eof()
        self.busy = True
        self.deadline = self._loop.time() + self.manners.linger_s
        self.close()

    def begun(self) -> None:
        """Count the time of an answer from now."""
        self.busy = True
        self._begun += 1
        if self._begun == self._request_count:
            self._ahead = 0
        self.took()

    def took(self) -> None:
        """Give the reader, who took a piece, time for the next."""
        self.since = self._loop.time()
        self.deadline = self.since + self.manners.answer_s

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
            return Answer(MALFORMED, self.crowd.dates.line(), self)
        _log.error("failed to answer a request", exc_info=exc)
        return Answer(FAILED, self.crowd.dates.line(), self)


class Server(web.Server):
    """Makes a `Connection` of each connection; aiohttp's own would make its own kind."""

    def __init__(self, handler: Handler, crowd: Crowd) -> None:
        super().__init__(handler, handler_cancellation=True)
        self._crowd = crowd

    def __call__(self) -> Connection:
        """Return what a new connection speaks to."""
        return Connection(self, self._crowd)
