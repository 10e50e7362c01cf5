"""A host of repositories on loopback: git's own http-backend, and what it asks of its machine."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

BACKEND = Path("/usr/lib/git-core/git-http-backend")
_ALONE = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
_SETTINGS = {"safe.directory": "*", "http.receivepack": "true"}


@dataclass(slots=True)
class Spent:
    """What the host has spent so far on all it was asked."""

    requests: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0


class _Server(ThreadingHTTPServer):
    """Answers one request at a time for the repositories in `folder`."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.folder = folder
        self.spent = Spent()
        self.alone = threading.Lock()


class _Request(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Have the program answer, as below."""
        self._answer()

    def do_POST(self) -> None:
        """Have the program answer."""
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as said:
            self._read(asked)
            asked.seek(0)
            with self.server.alone:
                self._run(asked, said)
            said.seek(0)
            self._say(said.read())

    def _read(self, asked: IO[bytes]) -> None:
        if self.headers.get("Transfer-Encoding") != "chunked":
            asked.write(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            return
        while size := int(self.rfile.readline(), 16):
            asked.write(self.rfile.read(size))
            self.rfile.readline()

    def _run(self, asked: IO[bytes], said: IO[bytes]) -> None:
        start, spent = time.monotonic(), self.server.spent
        process = subprocess.Popen(BACKEND, stdin=asked, stdout=said, env=self._environment())
        _, process.returncode, used = os.wait4(process.pid, 0)
        spent.requests += 1
        spent.wall_s += time.monotonic() - start
        spent.cpu_s += used.ru_utime + used.ru_stime

    def _environment(self) -> dict[str, str]:
        path, _, query = self.path.partition("?")
        told = {f"GIT_CONFIG_KEY_{n}": key for n, key in enumerate(_SETTINGS)}
        told |= {f"GIT_CONFIG_VALUE_{n}": value for n, value in enumerate(_SETTINGS.values())}
        return {
            **(_ALONE | told),
            "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_USER": "bench",
        }

    def _say(self, answer: bytes) -> None:
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(lines.pop("Status", "200").split()[0]))
        for name, value in lines.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, Spent]]:
    """Yield the address of an empty repository in `folder`, and what its host spends."""
    repository = folder / "there.git"
    environment = _ALONE | {"PATH": os.environ["PATH"]}
    subprocess.run(["git", "init", "-q", "--bare", repository], check=True, env=environment)
    with _Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/{repository.name}", server.spent
        finally:
            server.shutdown()
