"""Mirrors that lie, hang or meddle: a real HTTP server over the files of a site, and its faults.

`honest` answers as a mirror should; each lie is a function from a site's files and the path asked
for to a `Reply`. `python tests/liars.py LIE FOLDER PORT` serves one until it is ended.
"""

import asyncio
import gzip
import random
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mirror.formats.paths import PROOF

HOST = "127.0.0.1"
BLOCK_PAGE = b"<!doctype html><title>Access restricted</title><p>By order of the authority." * 9
BOMB = gzip.compress(bytes(50 << 20))

Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent after `wait_s`; `hangs` at once or after the headers; a byte each `pause_s`."""

    body: bytes = b""
    status: int = 200
    headers: tuple[str, ...] = ()
    length: int | None = None
    hangs: str = ""
    wait_s: float = 0.0
    pause_s: float = 0.0
    endless: bool = False


Lie = Callable[[Files, str], Reply]


def honest(files: Files, path: str) -> Reply:
    return Reply(files[path]) if path in files else Reply(b"not here", 404)


def _is_page(path: str) -> bool:
    return path.startswith("a/") and path.endswith(".html")


def tampers(files: Files, path: str) -> Reply:
    reply = honest(files, path)
    return Reply(reply.body.replace(b"edited", b"forged"), reply.status)


def adds_a_script(files: Files, path: str) -> Reply:
    reply = honest(files, path)
    if not path.endswith(".html"):
        return reply
    script = b"<script src=https://ads.example/x.js></script>" * 9
    return Reply(reply.body + script, reply.status)


def rewrites_html(files: Files, path: str) -> Reply:
    """As optimisers do: nothing that a reader would see is different."""
    reply = honest(files, path)
    if not path.endswith(".html"):
        return reply
    return Reply(reply.body.replace(b"<!doctype html>", b"<!DOCTYPE html>"), reply.status)


def sets_cookies(files: Files, path: str) -> Reply:
    reply = honest(files, path)
    return Reply(reply.body, reply.status, ("Set-Cookie: reader=17; Path=/",))


def omits_articles(files: Files, path: str) -> Reply:
    return Reply(b"", 404) if path.startswith("a/") else honest(files, path)


def strips_proofs(files: Files, path: str) -> Reply:
    return Reply(b"", 404) if path.endswith(PROOF) and _is_article(path) else honest(files, path)


def strips_signatures(files: Files, path: str) -> Reply:
    reply = honest(files, path)
    if not path.endswith(PROOF):
        return reply
    return Reply(reply.body.rpartition(b"\n\n")[0] + b"\n\n", reply.status)


def _is_article(path: str) -> bool:
    return path.startswith("a/")


def swaps_articles(files: Files, path: str) -> Reply:
    """Answer with another article's page and proof, each genuine."""
    if not _is_article(path):
        return honest(files, path)
    folder, _, name = path.rpartition("/")
    others = sorted(each for each in files if _is_page(each) and not each.startswith(folder))
    other = next((each for each in others if each.endswith("/1.html")), "")
    beside = PROOF if name.endswith(PROOF) else ""
    return honest(files, other + beside) if other else Reply(b"", 404)


def alters_documents(files: Files, path: str) -> Reply:
    reply = honest(files, path)
    if not path.startswith("index/"):
        return reply
    return Reply(reply.body.replace(b'"rev":2', b'"rev":3'), reply.status)


def shows_a_block_page(files: Files, path: str) -> Reply:
    return Reply(BLOCK_PAGE, headers=("Content-Type: text/html",))


def has_garbage_for_roots(files: Files, path: str) -> Reply:
    if path.startswith("trust/"):
        return Reply(b'{"signatures":[],"signed":{"version":2}}')
    return honest(files, path)


def hangs(files: Files, path: str) -> Reply:
    return Reply(hangs="at once")


def hangs_after_headers(files: Files, path: str) -> Reply:
    return Reply(honest(files, path).body or b"x", hangs="after headers")


def drips(files: Files, path: str) -> Reply:
    reply = honest(files, path)
    return Reply(reply.body, reply.status, pause_s=1.0)


def never_ends(files: Files, path: str) -> Reply:
    return Reply(b"0" * 65536, endless=True)


def sends_a_bomb(files: Files, path: str) -> Reply:
    return Reply(BOMB, headers=("Content-Encoding: gzip",))


def names_a_wrong_length(files: Files, path: str) -> Reply:
    reply = honest(files, path)
    return Reply(reply.body, reply.status, length=len(reply.body) + 9)


def cuts_pages_short(files: Files, path: str) -> Reply:
    """Name the length of what is sent, which is not all: no protocol notices."""
    reply = honest(files, path)
    return Reply(reply.body[:-9], reply.status) if path.endswith(".html") else reply


def takes_its_time(files: Files, path: str) -> Reply:
    reply = honest(files, path)
    return Reply(reply.body, reply.status, wait_s=0.01)


def ignores_case(files: Files, path: str) -> Reply:
    return honest({each.lower(): data for each, data in files.items()}, path.lower())


def garbles(seed: int) -> Lie:
    """Return the lie that every file is damaged, or another, the same way each time."""

    def lie(files: Files, path: str) -> Reply:
        draw = random.Random(f"{seed} {path}")
        body = bytearray(honest(files, path).body)
        match draw.randrange(5):
            case 0:
                body[draw.randrange(len(body))] ^= 1 << draw.randrange(8)
            case 1:
                del body[draw.randrange(len(body)) :]
            case 2:
                body += body
            case 3:
                body = bytearray(draw.randbytes(draw.randrange(2000)))
            case _:
                return honest(files, draw.choice(sorted(files)))
        return Reply(bytes(body))

    return lie


def redirects(to: str) -> Lie:
    """Return the lie that all is elsewhere; `{path}` in it is the path asked for."""
    return lambda _, path: Reply(b"", 302, (f"Location: {to.format(path=path)}",))


def only_for(what: Callable[[str], bool], lie: Lie) -> Lie:
    """Return a mirror that is honest but for paths that `what` picks."""
    return lambda files, path: (lie if what(path) else honest)(files, path)


def in_place_of(others: Files) -> Lie:
    """Return the lie that shows another site, whatever lies in the mirror's own folder."""
    return lambda _, path: honest(others, path)


LIES: dict[str, Lie] = {
    each.__name__.replace("_", "-"): each
    for each in (
        honest,
        tampers,
        adds_a_script,
        rewrites_html,
        sets_cookies,
        omits_articles,
        strips_proofs,
        strips_signatures,
        swaps_articles,
        alters_documents,
        shows_a_block_page,
        has_garbage_for_roots,
        hangs,
        hangs_after_headers,
        drips,
        never_ends,
        sends_a_bomb,
        names_a_wrong_length,
        cuts_pages_short,
        takes_its_time,
        ignores_case,
    )
}


@dataclass(slots=True)
class Served:
    """A mirror that runs: what was asked of it, and how its connections were used."""

    host: str = ""
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    connections: int = 0
    busy: int = 0
    most_busy: int = 0

    @property
    def url(self) -> str:
        return f"http://{self.host}/"


@asynccontextmanager
async def serving(files: Files, lie: Lie = honest, *, port: int = 0) -> AsyncIterator[Served]:
    """Serve a site's files on loopback, with keep-alive, as `lie` has it."""
    served, tasks = Served(), set[asyncio.Task[None]]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        served.connections += 1
        with closing(writer), suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split(" ", 2)[1].lstrip("/")
                served.asked.append(path)
                served.heads.append(head)
                served.busy += 1
                served.most_busy = max(served.most_busy, served.busy)
                try:
                    await _answer(writer, lie(files, path))
                finally:
                    served.busy -= 1

    server = await asyncio.start_server(connected, HOST, port)
    served.host = f"{HOST}:{server.sockets[0].getsockname()[1]}"
    try:
        yield served
    finally:
        server.close()
        await server.wait_closed()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _answer(writer: asyncio.StreamWriter, reply: Reply) -> None:
    if reply.hangs == "at once":
        await asyncio.Event().wait()
    await asyncio.sleep(reply.wait_s)
    length = len(reply.body) if reply.length is None else reply.length
    framing = "Transfer-Encoding: chunked" if reply.endless else f"Content-Length: {length}"
    lines = (f"HTTP/1.1 {reply.status} x", framing, *reply.headers, "", "")
    writer.write("\r\n".join(lines).encode())
    if reply.hangs:
        await asyncio.Event().wait()
    while reply.endless:
        writer.write(b"%x\r\n%b\r\n" % (len(reply.body), reply.body))
        await writer.drain()
    for start in range(0, len(reply.body), 1) if reply.pause_s else ():
        writer.write(reply.body[start : start + 1])
        await writer.drain()
        await asyncio.sleep(reply.pause_s)
    writer.write(b"" if reply.pause_s else reply.body)
    await writer.drain()
    if reply.length is not None:
        writer.close()


@contextmanager
def black_hole() -> Iterator[str]:
    """Yield an address where the system takes connections, and nobody ever answers."""
    with socket.create_server((HOST, 0)) as taken:
        yield f"http://{HOST}:{taken.getsockname()[1]}/"


@contextmanager
def nobody() -> Iterator[str]:
    """Yield an address where connections are refused."""
    with socket.socket() as held:
        held.bind((HOST, 0))
        yield f"http://{HOST}:{held.getsockname()[1]}/"


def files_of(folder: Path) -> dict[str, bytes]:
    found = (each for each in folder.rglob("*") if each.is_file())
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in found}


async def _main(lie: str, folder: str, port: str) -> None:
    async with serving(files_of(Path(folder)), LIES[lie], port=int(port)) as served:
        print(served.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
