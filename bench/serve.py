"""One hot page over loopback: answers for each second of processor time of the server's process.

Each server is a process of its own and serves one folder, the page with its compressed forms:
ours, aiohttp's own static route, and nginx, which sends the gzip form as it has no brotli. The
client is this process: blocking sockets, whose time is not counted.
"""

import asyncio
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from bench.meter import TICK_S
from bench.table import Row, show
from mirror.serve import Manners, serve
from mirror.stores import write
from mirror.stores.dir import DirStore

HOST = "127.0.0.1"
PATH = "index.html"
WORDS = 1_300  # random ones, so that the page has some 4 kB in brotli
RUNS = 5
RUN_S = 1.0
CONNECTIONS = 16
TARGET = 6_000
ASK = f"GET /{PATH} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, deflate, br\r\n\r\n".encode()
NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/error.log crit; events {{ worker_connections 1024; }}
http {{
  access_log off; gzip_static on; keepalive_requests 1000000; sendfile on; tcp_nopush on;
  open_file_cache max=100; default_type text/html;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen {host}:{port}; root {site}; }}
}}
"""


def run() -> list[Row]:
    """Measure each server in turn, several times round, and return medians."""
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        asyncio.run(write(DirStore(folder / "site"), {PATH: _page()}))
        servers = {
            "kept": _ours(folder, close=False),
            "closed": _ours(folder, close=True),
            "static": [sys.executable, "-m", "bench.serve", "static", str(folder / "site")],
            "nginx": _nginx(folder),
        }
        rates: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(RUNS):
            for name, command in servers.items():
                if command:
                    rates[name].append(_rate(command, kept=name != "closed"))
    return _rows({name: statistics.median(found) for name, found in rates.items() if found})


def _rows(rates: dict[str, float]) -> list[Row]:
    kept = rates["kept"]
    rows = [
        Row("a hot page, connection kept", f"{kept:,.0f}/CPU-s", f"≥ {TARGET:,}"),
        Row("  closed after each answer", f"{rates['closed']:,.0f}/CPU-s"),
        Row("peer: aiohttp's static route, kept", f"{rates['static']:,.0f}/CPU-s"),
        Row("  ours beside it", f"{kept / rates['static']:.1f} ×"),
    ]
    if "nginx" not in rates:
        return [*rows, Row("peer: nginx", "not installed")]
    return [
        *rows,
        Row("peer: nginx, one process, kept", f"{rates['nginx']:,.0f}/CPU-s"),
        Row("  it beside ours", f"{rates['nginx'] / kept:.1f} ×"),
    ]


def _page() -> bytes:
    rng = random.Random(1)
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(WORDS)]
    return f"<!doctype html><title>x</title><p>{' '.join(words)}".encode()


def _ours(folder: Path, *, close: bool) -> list[str]:
    kind = "close" if close else "keep"
    return [sys.executable, "-m", "bench.serve", kind, str(folder / "site")]


def _nginx(folder: Path) -> list[str]:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if not program:
        return []
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    conf = folder / f"{port}.conf"
    conf.write_text(NGINX.format(folder=folder, site=folder / "site", host=HOST, port=port))
    return [program, "-p", str(folder), "-c", str(conf)]


def _rate(command: Sequence[str], *, kept: bool) -> float:
    """Return the answers of one run for each second of the server's processor time."""
    with _started(command) as (port, pid):
        ask = _ask_kept if kept else _ask_closed
        for _ in ask(port, 0.1):
            pass
        before = _cpu_s(pid)
        answers = sum(ask(port, RUN_S))
        return answers / (_cpu_s(pid) - before)


@contextmanager
def _started(command: Sequence[str]) -> Iterator[tuple[int, int]]:
    nginx = command[-1].endswith(".conf")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = int(Path(command[-1]).stem if nginx else process.stdout.readline())
            _wait(port)
            yield port, process.pid
        finally:
            process.kill()


def _wait(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection((HOST, port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")


def _cpu_s(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    return (int(stat[11]) + int(stat[12])) * TICK_S


def _ask_kept(port: int, seconds: float) -> Iterator[int]:
    """Yield how many answers came, a batch at a time, over connections that stay open."""
    opened = [socket.create_connection((HOST, port)) for _ in range(CONNECTIONS)]
    opened[0].sendall(ASK)
    size = _one(opened[0])
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for each in opened:
            each.sendall(ASK)
        for each in opened:
            _take(each, size)
        yield CONNECTIONS
    for each in opened:
        each.close()


def _one(connection: socket.socket) -> int:
    """Take an answer and return its length, headers too."""
    data = connection.recv(65536)
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    lines = head.lower().split(b"\r\n")
    [length] = (int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    _take(connection, length - len(body))
    return len(head) + 4 + length


def _take(connection: socket.socket, size: int) -> None:
    while size:
        found = len(connection.recv(min(size, 65536)))
        assert found, "cut off"
        size -= found


def _ask_closed(port: int, seconds: float) -> Iterator[int]:
    """Yield one for each answer, over a connection of its own."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.create_connection((HOST, port)) as connection:
            connection.sendall(ASK)
            while connection.recv(65536):
                pass
        yield 1


async def _serve(kind: str, site: Path) -> None:
    """Serve until killed, after the port was printed."""
    if kind == "static":
        app = web.Application()
        app.router.add_static("/", site)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, HOST, 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()
    async with serve(site, host=HOST, port=0, manners=Manners(close=kind == "close")) as address:
        print(address.rpartition(":")[2], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(_serve(sys.argv[1], Path(sys.argv[2])))
    else:
        show("serve", run())
