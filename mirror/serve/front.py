"""Who answers what: the site, the gateway, the state of health; and what is refused first."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from aiohttp import web

from mirror.errors import FormatError, MirrorError
from mirror.serve.answer import Answer
from mirror.serve.ask import PREFIX
from mirror.serve.connection import Connection, Crowd
from mirror.serve.gateway import Gateway
from mirror.serve.reply import (
    ALLOWED,
    NOT_ALLOWED,
    NOT_FOUND,
    UNAVAILABLE,
    WITH_BODY,
    Reply,
    head,
)
from mirror.serve.site import Site
from mirror.serve.target import Target
from mirror.serve.walk import Blocks
from mirror.threads import in_thread

Health = Callable[[], Mapping[str, object]]

HEALTH = "/-/health"
_TOLD = re.compile(r"[A-Za-z0-9 .:+_-]{0,100}", re.ASCII)


class Front:
    """Answers each request, whichever connection it came over."""

    def __init__(
        self, site: Path, *, blocks: Blocks | None, health: Health | None, crowd: Crowd
    ) -> None:
        manners = crowd.manners
        self._close = manners.close
        self._dates = crowd.dates
        self._readings = asyncio.Semaphore(manners.max_readings)
        self._site = Site(site.absolute(), manners, self._readings)
        self._gateway = Gateway(blocks, manners, self._readings) if blocks else None
        self._health = health

    async def answer(self, request: web.BaseRequest) -> Answer:
        """Return the answer to a request; not one of them has a body that is read."""
        connection = request.protocol
        assert isinstance(connection, Connection)  # noqa: S101 - `Server` makes no others
        connection.begun()
        if request.method in ("GET", "HEAD"):
            try:
                body = request.body_exists
                reply, kept = (WITH_BODY, False) if body else await self._reply(request, connection)
            except (MirrorError, OSError) as e:  # the database or the disk, not who asked
                connection.crowd.failed(e)
                reply, kept = UNAVAILABLE, False
        else:
            reply, kept = ALLOWED if request.method == "OPTIONS" else NOT_ALLOWED, False
        return Answer(reply, self._dates.line(), connection).to(request, close=not kept)

    async def _reply(self, request: web.BaseRequest, connection: Connection) -> tuple[Reply, bool]:
        """Return the reply, and whether the connection may be kept after it."""
        try:
            target = Target.parse(request.raw_path)
        except FormatError:
            return NOT_FOUND, False
        asked = request.headers.get
        if self._gateway and target.path.startswith(PREFIX):
            reply = await self._gateway.reply(
                target,
                connection,
                accept=", ".join(request.headers.getall("Accept", ())),
                if_none_match=asked("If-None-Match", ""),
                only_if_cached="only-if-cached" in asked("Cache-Control", ""),
            )
            return reply, True
        if target.path == HEALTH:
            return await self._healthy(), True
        encodings = request.headers.getall("Accept-Encoding", ())
        reply = await self._site.reply(
            target.path,
            accept_encoding=encodings[0] if len(encodings) == 1 else ",".join(encodings),
            if_none_match=asked("If-None-Match", ""),
        )
        return reply, not self._close

    async def _healthy(self) -> Reply:
        found: Mapping[str, object] = {"ok": True}
        if self._health:
            async with self._readings:
                found = await in_thread(self._health)
        body = f"{json.dumps(_told(found))}\n".encode()
        fields = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
        return Reply(head(200 if found.get("ok") else 503, fields, len(body)), body)


def _told(found: object) -> object:
    """Return what strangers may read of it: numbers, and words that can be no path."""
    if isinstance(found, Mapping):
        return {str(key): _told(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_told(each) for each in found]
    if found is None or isinstance(found, bool | int | float):
        return found
    return found if isinstance(found, str) and _TOLD.fullmatch(found) else "not told here"
