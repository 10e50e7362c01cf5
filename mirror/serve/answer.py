"""How a reply goes to the wire: in one write where it fits, else as fast as it is taken."""

import time
from contextlib import aclosing
from email.utils import formatdate
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from mirror.errors import MirrorError
from mirror.serve.reply import Reply

if TYPE_CHECKING:
    from mirror.serve.connection import Connection

_CLOSE = b"Connection: close\r\n\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"


class Dates:
    """The header line `Date`, made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._line = b""

    def line(self) -> bytes:
        """Return the line of now."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._line = f"Date: {formatdate(now, usegmt=True)}\r\n".encode("ascii")
        return self._line


class Answer(web.StreamResponse):
    """A reply as aiohttp wants it: asked to `prepare`, then to `write_eof`.

    The headers were made with the reply, so what `StreamResponse` does to make them, `Server`
    among them, is left out.
    """

    def __init__(self, reply: Reply, date: bytes, connection: "Connection") -> None:
        self._reply = reply
        self._date = date
        self._connection = connection
        self._writer: AbstractStreamWriter | None = None
        self._bare = self._framed = False
        self._kept = False

    def to(self, request: web.BaseRequest, *, close: bool) -> "Answer":
        """Make it the answer to a request: without a body to HEAD, kept alive if that may be."""
        self._bare = request.method == "HEAD"
        new = request.version >= (1, 1)
        self._framed = new and self._reply.chunked
        # An older one would have to be told that the connection is kept.
        self._kept = new and not close and request.keep_alive
        return self

    @property
    def keep_alive(self) -> bool:
        """Whether another request may follow on the connection."""
        return self._kept

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Keep what writes to the connection."""
        self._writer = request.writer
        return self._writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Write all of it. The reader who does not take it in time is cut off."""
        assert self._writer is not None  # noqa: S101 - `prepare` comes first
        reply = self._reply
        end = b"\r\n" if self._kept else _CLOSE
        head = reply.head + self._date + (_CHUNKED if self._framed else b"") + end
        size = self._connection.manners.piece_bytes
        if self._bare:
            await self._writer.write_eof(head)
        elif reply.pieces is None and len(reply.body) <= size:
            await self._writer.write_eof(head + reply.body)
        else:
            await self._put(head)
            await self._put_body(reply, size)
        self._connection.answered(kept=self._kept)

    async def _put_body(self, reply: Reply, size: int) -> None:
        if reply.pieces is None:
            await self._put_cut(reply.body, size)
            return
        try:
            async with aclosing(reply.pieces()) as pieces:
                async for piece in pieces:
                    await self._put_piece(piece, size)
        except (MirrorError, OSError) as e:
            if reply.chunked and not self._framed:  # the end of the connection would be its end
                self._connection.reset()
            if isinstance(e, ConnectionError):
                raise
            self._connection.crowd.failed(e)
            raise ConnectionAbortedError from e
        if self._framed:
            await self._put(b"0\r\n\r\n")

    async def _put_piece(self, piece: bytes, size: int) -> None:
        if self._framed:
            await self._put(b"%x\r\n" % len(piece))
        await self._put_cut(piece, size)
        if self._framed:
            await self._put(b"\r\n")

    async def _put_cut(self, data: bytes, size: int) -> None:
        view = memoryview(data)
        for start in range(0, len(view), size):
            await self._put(view[start : start + size])
            self._connection.took()

    async def _put(self, data: bytes | memoryview) -> None:
        """Write, and wait until the reader took what was written before."""
        assert self._writer is not None  # noqa: S101 - `prepare` comes first
        await self._writer.write(data, drain=False)  # type: ignore[call-arg,unused-ignore]
        await self._writer.drain()
