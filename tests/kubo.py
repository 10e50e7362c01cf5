"""Real IPFS nodes on loopback, which no packet leaves: made in a folder, ended by their pid."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

VERSION = "0.43.0"
START_S = 30.0


def binary() -> Path:
    """Return the program that `.ci/kubo` built, or that KUBO names."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found = Path(os.environ.get("KUBO") or cache / f"tamizdat/kubo-{VERSION}/ipfs")
    if not os.access(found, os.X_OK):
        pytest.skip(f"no Kubo at {found}: .ci/kubo builds it")
    return found


@dataclass
class Kubo:
    """A node whose repository is in `folder`; made once, started as often as one likes."""

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def make(self) -> "Kubo":
        self.run("init", "--profile=server,test,unixfs-v1-2025", "--empty-repo")
        path = self.folder / "config"
        config = json.loads(path.read_bytes())
        config["Routing"] = {"Type": "none"}
        config["Bootstrap"] = []
        config["AutoConf"] = {"Enabled": False}
        config["HTTPRetrieval"] = {"Enabled": False}
        config["Version"] = {"SwarmCheckEnabled": False}
        config["Plugins"] = {"Plugins": {"telemetry": {"Disabled": True}}}
        config["Discovery"] = {"MDNS": {"Enabled": False}}
        config["Swarm"]["AddrFilters"] = []  # `server` has no node meet another on loopback
        config["Addresses"]["NoAnnounce"] = []
        config["Swarm"]["DisableNatPortMap"] = True
        for name in ("API", "Gateway"):
            config["Addresses"][name] = "/ip4/127.0.0.1/tcp/0"
        config["Addresses"]["Swarm"] = ["/ip4/127.0.0.1/tcp/0"]
        for key, value in self.settings.items():
            section, _, name = key.partition(".")
            config.setdefault(section, {})[name] = value
        path.write_text(json.dumps(config))
        return self

    def start(self) -> "Kubo":
        """Start the node and return when it answers."""
        for name in ("api", "gateway"):
            (self.folder / name).unlink(missing_ok=True)
        log = (self.folder.parent / f"{self.folder.name}.log").open("ab")
        self.process = subprocess.Popen(
            [binary(), "daemon"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=self._env(),
            start_new_session=True,
        )
        log.close()
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            if (self.folder / "gateway").exists() and (self.folder / "api").exists():
                return self
            time.sleep(0.05)
        raise AssertionError(f"{self.folder}: Kubo did not start")

    def kill(self) -> None:
        """End the node at once, as a power cut would."""
        if self.process and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def run(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Return what the command line says; it asks the node where one runs."""
        done = subprocess.run(
            [binary(), *arguments], env=self._env(), input=stdin, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    @property
    def api(self) -> str:
        return _url((self.folder / "api").read_text())

    @property
    def gateway(self) -> str:
        return (self.folder / "gateway").read_text().strip().rstrip("/")

    def addresses(self) -> list[str]:
        """Return where other nodes reach this one."""
        return [str(each) for each in json.loads(self.run("id"))["Addresses"]]

    def get(self, path: str) -> bytes:
        """Return what the node's gateway shows."""
        with urllib.request.urlopen(f"{self.gateway}/{path}", timeout=30) as answer:
            return bytes(answer.read())

    def pins(self) -> set[str]:
        """Return the roots that are pinned."""
        return set(self.run("pin", "ls", "--type=recursive", "--quiet").split())

    def _env(self) -> dict[str, str]:
        quiet = {"IPFS_PATH": str(self.folder), "IPFS_TELEMETRY": "off", "HOME": str(self.folder)}
        return {"PATH": os.environ["PATH"], **quiet}


def _url(address: str) -> str:
    _, _, host, _, port = address.strip().split("/")
    return f"http://{host}:{port}"
