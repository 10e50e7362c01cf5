"""The site over HTTP: its files as they are, its blocks by their CIDs, and how it is.

One small server for a newsroom's own machine, for a clone and for the demo; for the public,
nginx or Caddy stands in front. A reader's address is known while the connection is open, to share
out the room, and is in no log.
"""

import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from mirror.serve.connection import Crowd, Server
from mirror.serve.front import Front, Health
from mirror.serve.manners import Manners
from mirror.serve.walk import Blocks

__all__ = ["Blocks", "Health", "Manners", "serve"]

_DEFAULT = Manners()
_FILES_EACH = 3  # of a connection: itself, what it reads, and one that it pushes out
_FILES_ELSE = 1_024  # connections taken in one go, the database, the files of the process


@asynccontextmanager
async def serve(
    site: Path,
    *,
    host: str,
    port: int,
    blocks: Blocks | None = None,
    health: Health | None = None,
    manners: Manners = _DEFAULT,
) -> AsyncIterator[str]:
    """Serve the folder `site`, which may change meanwhile; yield the address.

    With `blocks` the gateway answers under `/ipfs/`. `health` is asked, in a thread, for what
    `/-/health` tells; its "ok" decides between 200 and 503.

    Raises:
        OSError: the address is taken, or is not this machine's.
    """
    _allow_files(_FILES_EACH * manners.max_connections + _FILES_ELSE)
    crowd = Crowd(manners)
    front = Front(site, blocks=blocks, health=health, crowd=crowd)
    runner = web.ServerRunner(Server(front.answer, crowd), shutdown_timeout=manners.farewell_s)
    await runner.setup()
    crowd.watch()
    try:
        await web.TCPSite(runner, host, port, backlog=manners.backlog).start()
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{runner.addresses[0][1]}"
    finally:
        crowd.stop()
        await runner.cleanup()


def _allow_files(count: int) -> None:
    """Let the process have `count` files open, or as many as its administrator allows.

    Where no connection can be taken for want of one, the system is asked again and again, with
    a traceback in the log each time.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
