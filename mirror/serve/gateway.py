"""The trustless gateway: blocks and archives of the site by their CIDs."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterator

from mirror.formats import car
from mirror.formats.cid import PROBE, Buffer, Cid
from mirror.serve.ask import PREFIX, RAW, Ask, RefusedError
from mirror.serve.manners import Manners
from mirror.serve.reply import Reply, head, plain
from mirror.serve.room import Guest, who_leaves
from mirror.serve.target import Target, has_tag
from mirror.serve.walk import Blocks, read, resolve, walk
from mirror.threads import in_thread

_FOREVER = "public, max-age=29030400, immutable"  # the number of the specification: 48 weeks
_EMPTY_CAR = bytes.fromhex("19a265726f6f747381d82a45000155000067") + b"version\x01"
"""An archive of no blocks whose root is the probe's CID, `01 55 00 00`."""


class Gateway:
    """Blocks as answers."""

    def __init__(self, blocks: Blocks, manners: Manners, readings: asyncio.Semaphore) -> None:
        self._blocks = blocks
        self._manners = manners
        self._readings = readings
        self._cars: set[Guest] = set()

    async def reply(
        self, target: Target, guest: Guest, *, accept: str, if_none_match: str, only_if_cached: bool
    ) -> Reply:
        """Return the answer to a request for `/ipfs/…` from `guest`.

        Raises:
            MirrorError: the blocks cannot be read now.
        """
        try:
            ask = Ask.parse(target.path, target.query, accept)
            tag = _tag(ask)
            if ask.root is None:
                body = b"" if ask.kind == RAW else _EMPTY_CAR
                return Reply(_head(ask, target, tag, len(body)), body)
            if ask.kind == RAW:
                reply = await self._raw(ask, ask.root, target, tag)
            else:
                reply = await self._car(ask, ask.root, target, tag, guest)
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

    async def _car(self, ask: Ask, root: Cid, target: Target, tag: str, guest: Guest) -> Reply:
        async with self._readings:
            way = await in_thread(resolve, self._blocks, root, ask.names)
        if way is None:
            raise RefusedError(404, "There is no such content here.")
        if not self._has_room(guest):
            busy = "Too many archives are being sent; try again."
            return plain(503, busy, ("Retry-After", "30"))

        def pieces() -> AsyncGenerator[bytes, None]:
            limit = self._manners.max_car_blocks
            blocks = walk(self._blocks, way, ask.scope, span=ask.span, dups=ask.dups, limit=limit)
            return self._pieces(car.write(root, blocks), guest)

        return Reply(_head(ask, target, tag, None), pieces=pieces, chunked=True)

    def _has_room(self, guest: Guest) -> bool:
        """Return whether one more archive may be sent; at the bound, another may be cut for it."""
        if len(self._cars) < self._manners.max_cars:
            return True
        before = asyncio.get_running_loop().time() - self._manners.stall_s
        leaving = who_leaves(self._cars, guest, before=before)
        if leaving is None:
            return False
        self._cars.discard(leaving)
        leaving.cut()
        return True

    async def _pieces(self, archive: Iterator[Buffer], guest: Guest) -> AsyncGenerator[bytes, None]:
        """Yield an archive, of which a piece is made when the one before was taken.

        Raises:
            FormatError: it cannot be made to its end.
            ConnectionAbortedError: others came first while the guest took earlier answers.
        """
        if len(self._cars) >= self._manners.max_cars:
            raise ConnectionAbortedError
        self._cars.add(guest)
        try:
            while piece := await in_thread(_piece, archive, self._manners.piece_bytes):
                yield piece
        finally:
            self._cars.discard(guest)


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
