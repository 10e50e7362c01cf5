"""OpenSSH's SFTP on loopback: an sshd of the tests' own, ended by its process id."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from free_ports import free_port
from store_places import Place

from mirror.stores.rclone import RcloneStore

SSHD = "/usr/sbin/sshd"
USER = "nobody"  # everywhere, and on Debian without a password that is a match for anything
START_S = 10.0


@dataclass
class Sshd:
    """A server whose users see nothing but `site`; its files are in `folder`."""

    folder: Path
    port: int

    @property
    def root(self) -> Path:
        """What the user sees as `/`."""
        return self.folder / "root"

    @property
    def site(self) -> Path:
        """The folder that the user may write to."""
        return self.root / "site"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def make(self) -> "Sshd":
        """Make keys and folders: all above `root` belong to root, or sshd refuses it."""
        self.root.mkdir(mode=0o755)
        for name in ("host", "user"):
            self.make_key(name)
        self.make_key("second", "ecdsa")
        shutil.copy(self.folder / "user.pub", self.folder / "authorized")
        (self.folder / "sshd.conf").write_text(self._settings())
        self.pin()
        self.empty()
        return self

    def make_key(self, name: str, *kind: str) -> None:
        """Make the key `name` anew."""
        (self.folder / name).unlink(missing_ok=True)
        words = ("-q", "-N", "", "-t", *(kind or ("ed25519",)), "-f", str(self.folder / name))
        subprocess.run(["ssh-keygen", *words], check=True)

    def pin(self, name: str = "host") -> None:
        """Write down the key `name` as the one by which a client knows the host."""
        key = (self.folder / f"{name}.pub").read_text().rpartition(" ")[0]
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {key}\n")

    def empty(self) -> None:
        """Lose all that was written."""
        shutil.rmtree(self.site, ignore_errors=True)
        self.site.mkdir()
        shutil.chown(self.site, USER)

    def _settings(self) -> str:
        return f"""
            Port {self.port}
            ListenAddress 127.0.0.1
            HostKey {self.folder}/host
            HostKey {self.folder}/second
            AuthorizedKeysFile {self.folder}/authorized
            AllowUsers {USER}
            PidFile none
            UsePAM no
            StrictModes no
            Subsystem sftp internal-sftp
            ForceCommand internal-sftp -u 022 -l VERBOSE
            ChrootDirectory {self.root}
            LogLevel VERBOSE
        """

    def options(self) -> dict[str, str]:
        """Return what a store must be told of this server."""
        return {
            "type": "sftp",
            "host": "127.0.0.1",
            "port": str(self.port),
            "user": USER,
            "key_file": str(self.folder / "user"),
            "known_hosts_file": str(self.known_hosts),
        }


def is_root() -> bool:
    """Return whether this process may become others; root of a namespace of its own may not."""
    users = int(Path("/proc/self/uid_map").read_text().split()[2])
    return os.geteuid() == 0 and users > 1


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when somebody answers at `port`."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens at {port}: status {process.poll()}")


@contextmanager
def stopped_after(command: list[str], *, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server, which answers at `port`, until the block ends."""
    with log.open("ab") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        wait_for(port, process)
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def running() -> Iterator[Sshd]:
    """Run an sshd; only root can start one that takes another user in."""
    if not is_root():
        pytest.skip("only root can run an sshd with a user of its own")
    if not os.access(SSHD, os.X_OK):
        pytest.skip("sshd is not installed (apt install openssh-server)")
    Path("/run/sshd").mkdir(exist_ok=True)  # where it locks itself in; the program insists on it
    with tempfile.TemporaryDirectory(dir="/run", prefix="sftp-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = Sshd(folder, free_port()).make()
        with serving(server):
            yield server


@contextmanager
def serving(server: Sshd) -> Iterator[None]:
    """Let `server` answer until the block ends."""
    command = [SSHD, "-f", str(server.folder / "sshd.conf"), "-D", "-e"]
    with stopped_after(command, port=server.port, log=server.folder / "log"):
        yield


@contextmanager
def place(room: Path) -> Iterator[Place]:
    """Yield a place behind SFTP; its readers see the folder as it is on the disk."""
    with running() as server:

        def make() -> RcloneStore:
            return RcloneStore("sftp", "far:site", room=room, secret={}, options=server.options())

        def read(path: str) -> bytes | None:
            file = server.site / path
            return file.read_bytes() if file.is_file() else None

        yield Place(make, read, server.empty, looks=False)
