"""A real name server on loopback, Knot, whose zone takes updates with one key; ended by its pid."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from free_ports import free_port
from store_sftp import stopped_after

KNOTD = "/usr/sbin/knotd"
ZONE = "news.example"
SECRET = "c2VjcmV0IG9mIHRoZSBuYW1lIHNlcnZlciwgMzIgYnl0ZXM="
OTHER = "YW5vdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMsIG9yIG1vcmU="
SETTINGS = """
server:
  rundir: {folder}
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: info
database:
  storage: {folder}
key:
  - id: mirror
    algorithm: hmac-sha256
    secret: {secret}
  - id: idle
    algorithm: hmac-sha256
    secret: {secret}
acl:
  - id: updates
    key: mirror
    action: [update]
zone:
  - domain: news.example
    storage: {folder}
    file: zone
    acl: updates
    zonefile-sync: -1
    journal-content: none
"""


@dataclass(frozen=True, slots=True)
class Knot:
    """A server of the zone `news.example` at 127.0.0.1."""

    folder: Path
    port: int

    def key(self, *, name: str = "mirror", secret: str = SECRET) -> Path:
        """Write a key as an operator does; return the file."""
        file = self.folder / f"{name}.key"
        file.write_text(f"hmac-sha256:{name}:{secret}\n")
        return file


@contextmanager
def running(*, clock: str = "") -> Iterator[Knot]:
    """Run a server, whose clock is wrong by `clock` as `faketime` has it."""
    if not os.access(KNOTD, os.X_OK):
        pytest.skip("knotd is not installed (apt install knot)")
    wrong = _wrong(clock) if clock else []
    with tempfile.TemporaryDirectory(prefix="knot-") as name:
        knot = Knot(Path(name), free_port())
        text = SETTINGS.format(folder=name, port=knot.port, secret=SECRET)
        (knot.folder / "knot.conf").write_text(text)
        (knot.folder / "zone").write_text(
            f"{ZONE}. 60 SOA ns.{ZONE}. mail.{ZONE}. 1 60 60 600 60\n{ZONE}. 60 NS ns.{ZONE}.\n"
            f"ns.{ZONE}. 60 A 127.0.0.1\n"
        )
        command = [KNOTD, "-c", str(knot.folder / "knot.conf")]
        with stopped_after([*wrong, *command], port=knot.port, log=knot.folder / "log"):
            yield knot


def _wrong(clock: str) -> list[str]:
    """Return what has a program take the time for another, without a process between."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        pytest.skip("faketime is not installed (apt install faketime)")
    return ["env", f"LD_PRELOAD={library}", f"FAKETIME={clock}"]


def ask(knot: Knot) -> str:
    """Return what the program that people use shows of the record."""
    if not shutil.which("kdig"):
        pytest.skip("kdig is not installed (apt install knot-dnsutils)")
    words = ["kdig", "+short", "-p", str(knot.port), "@127.0.0.1", f"_mirrors.{ZONE}", "TXT"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
