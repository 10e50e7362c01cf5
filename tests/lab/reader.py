"""Runs `mirror` where it stands, in a namespace, for whoever asks at a socket.

Run with the path of a Unix socket. Each connection asks one thing in one line of JSON and is
answered in one by a fork of this process: the verb's own second of imports is spent once.
"""

import asyncio
import io
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from socketserver import ForkingMixIn, StreamRequestHandler, UnixStreamServer
from typing import Any

from mirror import cli
from mirror.build import newest_root
from mirror.database import Database
from mirror.errors import FetchError
from mirror.fetch import Fetcher
from mirror.mirrors import Mirrors
from mirror.mirrors.failures import failure_of
from mirror.mirrors.own import Own
from mirror.mirrors.probe import MAX_PAGE, probe
from mirror.mirrors.vantage import HERE, Vantage, VantageError
from mirror.mirrors.watch import AGENT, Watch, keep_known, look

LOOK_S = 3.0  # for one file: on this line each comes in milliseconds, or slowed down in one second


class Server(ForkingMixIn, UnixStreamServer):
    """Answers each connection in a process of its own."""


class Handler(StreamRequestHandler):
    """One question."""

    def handle(self) -> None:
        asked = json.loads(self.rfile.readline())
        begun = time.monotonic()
        made = _WORK[asked.pop("do")](**asked)
        self.wfile.write(json.dumps({**made, "seconds": time.monotonic() - begun}).encode())


def _verb(words: Sequence[str]) -> dict[str, Any]:
    """Run a verb as a shell does; return its exit code, and what it printed."""
    said, complained = io.StringIO(), io.StringIO()
    code: object = None
    with redirect_stdout(said), redirect_stderr(complained):
        try:
            cli.main(words)
        except SystemExit as e:
            code = e.code
    return {"code": code, "said": said.getvalue(), "complained": complained.getvalue()}


def _own(db: str, origin: str, trust: str) -> Own:
    return Own(Database.beside(Path(db), origin=origin), newest_root(Path(trust)))


def _look(url: str, page: str, proxy: str, **own: str) -> dict[str, Any]:
    return asyncio.run(_seen(url, page, proxy, _own(**own)))


async def _seen(url: str, page: str, proxy: str, own: Own) -> dict[str, Any]:
    """Return what its operator would see of a mirror from here, in OONI's names and ours.

    His look is at small pages; where they come, the one that did not is looked at as well.
    """
    now = int(time.time())

    def _fetcher() -> Fetcher:
        return Fetcher(timeout_s=LOOK_S, user_agent=AGENT, proxy=proxy)

    try:
        seen = await probe(url, HERE, own, fetcher=_fetcher, now=now)
    except VantageError:  # Tor finds no way into its own network, so that nothing is seen of this
        return {"outcome": "tcp_ip"}
    failure = None
    if seen.outcome == "ok":
        try:
            async with _fetcher() as fetcher:
                await fetcher.get(url + page, max_bytes=MAX_PAGE)
        except FetchError as e:
            failure = failure_of(e)
    if failure is None:
        return {"outcome": seen.outcome}
    # What is in one TLS record is not seen at all before its end, as if nothing had come.
    is_cut = failure.phase in ("http", "body")
    return {"outcome": "cut-at-n-bytes" if is_cut else failure.outcome}


def _watch(mirrors: Sequence[str], at: int, control: str, relay: str, **own: str) -> dict[str, Any]:
    """Look at mirrors as the operator's daemon does at the time `at`; return what is thought then.

    It looks from here, over a proxy in the same country, and over a control outside.
    """
    mine = _own(**own)
    places = (
        Vantage("home", "XX"),
        Vantage("relay", "XX", proxy=relay),
        Vantage("control", proxy=control, control=True),
    )
    keep_known(mine.db, [(url, "public") for url in mirrors], now=at)
    watch = Watch(mine, places, spread_s=0, fetch_s=LOOK_S)
    asyncio.run(look(mine.db, watch, only=mirrors, now=lambda: at))
    return {each.url: [each.state, each.reason] for each in Mirrors(mine.db).rows()}


_WORK: dict[str, Callable[..., dict[str, Any]]] = {"verb": _verb, "look": _look, "watch": _watch}


if __name__ == "__main__":
    with Server(sys.argv[1], Handler) as server:
        server.serve_forever(poll_interval=0.1)
