"""The trustless gateway: blocks and archives of the site by their CIDs."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Iterator

from mirror.errors import FormatError
from mirror.formats import car
from mirror.formats.cid import PROBE, Buffer, Cid
from mirror.serve.ask import PREFIX, RAW, Ask, RefusedError
from mirror.serve.manners import Manners
from mirror.serve.reply import Reply, head, plain
from mirror.serve.target import Target, has_tag
from mirror.serve.walk import Blocks, read, resolve, walk
from mirror.threads import in_thread

_FOREVER = "public, max-age=29030400, immutable"  # the number of the specification: 48 weeks
_EMPTY_CAR = bytes.fromhex("19a265726f6f747381d82a45000155000067") + b"version\x01"
"""An archive of no blocks whose root is the probe's CID, `01 55 00 00`."""

_log = logging.getLogger(__name__)


class Gateway:
    """Blocks as answers."""

    def __init__(self, blocks: Blocks, manners: Manners, readings: asyncio.Semaphore) -> None:
        self._blocks = blocks
        self._manners = manners
        self._readings = readings
        self._cars = 0

    async def reply(
        self, target: Target, *, accept: str, if_none_match: str, only_if_cached: bool
    ) -> Reply:
        """Return the answer to a request for `/ipfs/…`."""
        try:
            ask = Ask.parse(target.path, target.query, accept)
            tag = _tag(ask)
            if ask.root is None:
                body = b"" if ask.kind == RAW else _EMPTY_CAR
                return Reply(_head(ask, target, tag, len(body)), body)
            make = self._raw if ask.kind == RAW else self._car
            reply = await make(ask, ask.root, target, tag)
        except RefusedError as e:
            # "412 if the root block is not immediately available"
            status = 412 if only_if_cached and e.status == 404 else e.status
            return plain(status, e.why)
        if if_none_match and has_tag(if_none_match, tag):
            return Reply(_head(ask, target, tag, None, status=304))
        return reply

    async def _raw(self, ask: Ask, cid: Cid, target: Target, tag: str) -> Reply:
        async with self._readings:
            block = await in_thread(read, self._blocks, cid)
        if block is None:
            raise RefusedError(404, "There is no such block here.")
        return Reply(_head(ask, target, tag, len(block)), block)

    async def _car(self, ask: Ask, root: Cid, target: Target, tag: str) -> Reply:
        async with self._readings:
            way = await in_thread(resolve, self._blocks, root, ask.names)
        if way is None:
            raise RefusedError(404, "There is no such content here.")
        if self._cars >= self._manners.max_cars:
            busy = "Too many archives are being sent; try again."
            return plain(503, busy, ("Retry-After", "30"))

        def pieces() -> AsyncGenerator[bytes, None]:
            limit = self._manners.max_car_blocks
            blocks = walk(self._blocks, way, ask.scope, span=ask.span, dups=ask.dups, limit=limit)
            return self._pieces(car.write(root, blocks))

        return Reply(_head(ask, target, tag, None), pieces=pieces, chunked=True)

    async def _pieces(self, archive: Iterator[Buffer]) -> AsyncGenerator[bytes, None]:
        """Yield an archive, of which a piece is made when the one before was taken.

        Raises:
            ConnectionAbortedError: it cannot be made to its end, and the connection is to be
                cut, so that nobody takes what came for the whole.
        """
        self._cars += 1
        try:
            while piece := await in_thread(_piece, archive, self._manners.piece_bytes):
                yield piece
        except FormatError as e:
            _log.warning("broke off an archive", extra={"reason": str(e)})
            raise ConnectionAbortedError from e
        finally:
            self._cars -= 1


def _piece(archive: Iterator[Buffer], size: int) -> bytes:
    """Return the next bytes, at least `size` unless they are the last; a block is not cut."""
    piece = bytearray()
    for part in archive:
        piece += part
        if len(piece) >= size:
            break
    return bytes(piece)


def _tag(ask: Ask) -> str:
    cid = ask.root or PROBE
    if ask.kind == RAW:
        return f'"{cid}.raw"'
    what = f"{ask.span} {ask.dups} {'/'.join(ask.names)}"
    return f'"{cid}.{ask.scope}.car.{hashlib.sha256(what.encode()).hexdigest()[:16]}"'


def _head(ask: Ask, target: Target, tag: str, length: int | None, *, status: int = 200) -> bytes:
    dups = "y" if ask.dups else "n"
    form, suffix = ("raw", "bin") if ask.kind == RAW else ("car", "car")
    parameters = "" if ask.kind == RAW else f"; version=1; order=dfs; dups={dups}"
    content = [
        ("Content-Type", f"{ask.kind}{parameters}"),
        ("Content-Disposition", f'attachment; filename="{ask.root or PROBE}.{suffix}"'),
    ]
    fields = [("Cache-Control", _FOREVER), ("ETag", tag), ("Vary", "Accept")]
    if ask.negotiated and not target.query:
        where = "/".join((str(ask.root or PROBE), *ask.names))
        fields.append(("Content-Location", f"{PREFIX}{where}?format={form}"))
    return head(status, fields if status == 304 else content + fields, length)
