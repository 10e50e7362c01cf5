"""Serves a folder on loopback in a process of its own, whose work is not ours to count."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "127.0.0.1"


class Quiet(SimpleHTTPRequestHandler):
    """Answers and says nothing."""

    extensions_map = {".xml": "application/rss+xml"}  # noqa: RUF012 - the base class has it so

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield `host:port` and the process that serves `folder`."""
    command = [sys.executable, "-m", "bench.newsroom", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"{HOST}:{int(process.stdout.readline())}", process.pid
        finally:
            process.kill()


if __name__ == "__main__":
    server = ThreadingHTTPServer((HOST, 0), partial(Quiet, directory=sys.argv[1]))
    print(server.server_port, flush=True)
    server.serve_forever()
