"""Places to measure, on loopback: rclone's own servers in a process of their own, and git's files.

Each has two folders, `ours` and `theirs`, that can be filled from the disk as a long life would
have filled them.
"""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh
from dulwich.repo import Repo

from bench import relay
from mirror.stores import Store
from mirror.stores.git import GitStore
from mirror.stores.objects import ObjectStore
from mirror.stores.rclone import RcloneStore
from mirror.stores.rclone.run import program

USER, PASSWORD = "bench", "bench-secret"
KEYS = {"AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": PASSWORD}
START_S = 10.0
SERVED = ("s3", "sftp", "webdav")
OVER_HTTP = ("s3", "webdav")


@dataclass(frozen=True, slots=True)
class Remote:
    """A place behind a server: our store, what rclone calls the peer's, and their folders."""

    store: Store
    peer: str
    ours: Path
    theirs: Path
    asked: Callable[[], int] | None = None
    """Returns how many HTTP requests were made so far, where it is asked over HTTP."""


@contextmanager
def serving(kind: str, folder: Path) -> Iterator[Remote]:
    """Serve two empty folders, which lie in `folder`, over a protocol of `SERVED`."""
    there = folder / "there"
    for name in ("ours", "theirs"):
        (there / name).mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with ExitStack() as ends:
        front, asked = (
            ends.enter_context(relay.counting(port)) if kind in OVER_HTTP else (port, None)
        )
        words, remote = _PLACES[kind](folder, there, front)
        command = [program(), "serve", kind, *words, "--addr", f"127.0.0.1:{port}", there]
        environment = {"HOME": str(folder), "RCLONE_CONFIG": "/dev/null"}
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
        ends.enter_context(process)
        ends.callback(process.kill)
        _wait_for(port)
        yield replace(remote, asked=asked)


def repository(folder: Path) -> Store:
    """Return a store that is a repository on this disk."""
    Repo.init_bare(folder / "near.git", mkdir=True)
    return hosted(f"file://{folder}/near.git", folder / "near")


def hosted(to: str, room: Path) -> Store:
    """Return a store that is the repository at `to`."""
    return GitStore(room.name, to, room=room, secret={}, options={})


def _wait_for(port: int) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)


def _s3(folder: Path, there: Path, port: int) -> tuple[list[str], Remote]:
    address = f"http://127.0.0.1:{port}"
    options = {"endpoint": address, "allow_http": "true", "encoding": "plain"}
    store = ObjectStore("ours", "s3://ours", secret=KEYS, options=options)
    told = f"provider=Other,access_key_id={USER},secret_access_key={PASSWORD}"
    peer = f':s3,{told},endpoint="{address}":theirs'
    words = ["--auth-key", f"{USER},{PASSWORD}"]
    return words, Remote(store, peer, there / "ours", there / "theirs")


def _sftp(folder: Path, there: Path, port: int) -> tuple[list[str], Remote]:
    key, known = folder / "host", folder / "known_hosts"
    made = asyncssh.generate_private_key("ssh-ed25519")
    key.write_bytes(made.export_private_key())
    known.write_bytes(b"[127.0.0.1]:%d %s" % (port, made.export_public_key()))
    options = {"host": "127.0.0.1", "port": str(port), "known_hosts_file": str(known)}
    words, remote = _behind_rclone("sftp", folder, there, options)
    return [*words, "--key", str(key)], remote


def _webdav(folder: Path, there: Path, port: int) -> tuple[list[str], Remote]:
    return _behind_rclone("webdav", folder, there, {"url": f"http://127.0.0.1:{port}"})


def _behind_rclone(
    kind: str, folder: Path, there: Path, options: dict[str, str]
) -> tuple[list[str], Remote]:
    told = {**options, "type": kind, "user": USER}
    secret = {"pass": PASSWORD}
    store = RcloneStore("ours", "far:ours", room=folder / "room", secret=secret, options=told)
    hidden = subprocess.run(
        [program(), "obscure", PASSWORD], check=True, capture_output=True, text=True
    )
    more = ",".join(f'{key}="{value}"' for key, value in options.items())
    peer = f":{kind},{more},user={USER},pass={hidden.stdout.strip()}:theirs"
    return ["--user", USER, "--pass", PASSWORD], Remote(
        store, peer, there / "ours", there / "theirs"
    )


_PLACES: dict[str, Callable[[Path, Path, int], tuple[list[str], Remote]]] = {
    "s3": _s3,
    "sftp": _sftp,
    "webdav": _webdav,
}
