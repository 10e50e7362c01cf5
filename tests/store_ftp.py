"""FTP by rclone's own server on loopback, which is enough to speak with."""

import ftplib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from free_ports import free_port
from store_places import Place
from store_sftp import START_S, stopped_after

from mirror.stores.rclone import RcloneStore
from mirror.stores.rclone.run import program

PASSWORD = "fünf Körbe"


@dataclass(frozen=True, slots=True)
class Ftp:
    """A server at `port` whose files are in `site`."""

    site: Path
    port: int

    def options(self) -> dict[str, str]:
        """Return what a store must be told of this server."""
        told = {"type": "ftp", "host": "127.0.0.1", "port": str(self.port), "user": "desk"}
        # The server forgets a file that is put while another connection makes a folder beside it.
        return told | {"concurrency": "1"}

    def empty(self) -> None:
        """Lose all that was written; asked for over FTP, for the server remembers what is there."""
        with ftplib.FTP(encoding="utf-8") as client:
            client.connect("127.0.0.1", self.port, timeout=START_S)
            client.login("desk", PASSWORD)
            _remove(client, "")


def _remove(client: ftplib.FTP, folder: str) -> None:
    for name, facts in list(client.mlsd(folder)):
        path = f"{folder}/{name}"
        if facts["type"] == "dir":
            _remove(client, path)
            client.rmd(path)
        else:
            client.delete(path)


@contextmanager
def running() -> Iterator[Ftp]:
    """Run a server that takes one user in."""
    with tempfile.TemporaryDirectory(prefix="ftp-") as name:
        server = Ftp(Path(name) / "site", free_port())
        server.site.mkdir()
        told = ("--addr", f"127.0.0.1:{server.port}", "--user", "desk", "--pass", PASSWORD)

        command = [program(), "serve", "ftp", *told, "--config", "/dev/null", str(server.site)]
        with stopped_after(command, port=server.port, log=Path(name) / "log"):
            yield server


@contextmanager
def place(room: Path) -> Iterator[Place]:
    """Yield a place behind FTP; its readers see the folder as it is on the disk."""
    with running() as server:

        def make() -> RcloneStore:
            secret = {"pass": PASSWORD}
            return RcloneStore("ftp", "far:", room=room, secret=secret, options=server.options())

        def read(path: str) -> bytes | None:
            file = server.site / path
            return file.read_bytes() if file.is_file() else None

        yield Place(make, read, server.empty, looks=False)
