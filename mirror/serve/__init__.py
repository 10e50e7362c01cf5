"""The site over HTTP: its files as they are, its blocks by their CIDs, and how it is.

One small server for a newsroom's own machine, for a clone and for the demo; for the public,
nginx or Caddy stands in front. It keeps no address of a reader, in no log.
"""

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
    crowd = Crowd(manners)
    front = Front(site, blocks=blocks, health=health, crowd=crowd)
    server = Server(front.answer, crowd)
    runner = web.ServerRunner(server, shutdown_timeout=manners.farewell_s)
    await runner.setup()
    crowd.watch()
    try:
        await web.TCPSite(runner, host, port, backlog=manners.backlog).start()
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{runner.addresses[0][1]}"
    finally:
        crowd.stop()
        await runner.cleanup()
