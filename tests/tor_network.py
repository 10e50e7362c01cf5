"""A Tor network of its own on loopback: authorities, relays, a client, and the service's tor.

Its clocks are fast (a vote each 10 seconds), its relays all stand at 127.0.0.1, and no packet
leaves the machine. 0.8 GB of memory; the first circuit stands after some twenty seconds.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from free_ports import free_ports

AUTHORITIES, RELAYS = 3, 4
PASSWORD = b"words\n"

COMMON = """
TestingTorNetwork 1
TestingV3AuthInitialVotingInterval 10
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
V3AuthVotingInterval 10
V3AuthVoteDelay 2
V3AuthDistDelay 2
AssumeReachable 1
PathsNeededToBuildCircuits 0.67
Address 127.0.0.1
SafeLogging 0
"""
AUTHORITY = """
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
ContactInfo nobody@example.org
TestingDirAuthVoteExit *
TestingDirAuthVoteHSDir *
TestingDirAuthVoteGuard *
TestingMinExitFlagThreshold 0
MinUptimeHidServDirectoryV2 0
ExitPolicy reject *:*
"""


def tor(name: str = "tor") -> str:
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed (apt: tor)")
    return found


@dataclass
class Network:
    """Folders and processes of a network; `lines` tell any tor where its authorities are."""

    folder: Path
    lines: str = ""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, name: str, config: str) -> Path:
        """Start a tor and return its folder."""
        folder = self.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / "torrc"
        file.write_text(COMMON + own_lines(folder) + self.lines + config)
        self.run(file, defaults=self.folder / "none")
        return folder

    def join(self, file: Path, *, said: Path) -> None:
        """Start a tor with a configuration as it is; its defaults say which network there is."""
        defaults = self.folder / "defaults"
        defaults.write_text(COMMON + self.lines)
        self.run(file, defaults=defaults, said=said)

    def run(self, file: Path, *, defaults: Path, said: Path | None = None) -> None:
        command = [tor(), "-f", str(file), "--defaults-torrc", str(defaults)]
        with (said or self.folder / "said").open("ab") as log:
            self.processes.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            )

    def end(self) -> None:
        """End every tor of it."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()

    def has_said(self, folder: Path, words: str) -> bool:
        """Return whether the log of a tor has `words`."""
        self.all_live()
        log = folder / "log"
        return log.exists() and words in log.read_text(errors="replace")

    def all_live(self) -> None:
        ended = [process.args for process in self.processes if process.poll() is not None]
        assert not ended, f"{ended}: {(self.folder / 'said').read_text()[-2000:]}"

    def agrees(self) -> bool:
        """Return whether the authorities have published who all the relays are."""
        self.all_live()
        file = self.folder / "auth0" / "cached-microdesc-consensus"
        relays = file.read_text().count("\nr ") if file.exists() else 0
        return relays == AUTHORITIES + RELAYS


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """Yield a network whose authorities and relays have just been started."""
    made = Network(folder)
    (folder / "none").write_text("")  # in place of the system's defaults
    ports = iter(free_ports(2 * AUTHORITIES + RELAYS))
    authorities = [(f"auth{i}", next(ports), next(ports)) for i in range(AUTHORITIES)]
    with ThreadPoolExecutor() as pool:  # RSA keys take seconds
        made.lines = "".join(pool.map(lambda a: _authority(folder / a[0], *a[1:]), authorities))
    try:
        for name, or_port, dir_port in authorities:
            made.start(
                name, f"{_listen('ORPort', or_port)}{_listen('DirPort', dir_port)}{AUTHORITY}"
            )
        for i in range(RELAYS):
            made.start(f"relay{i}", f"{_listen('ORPort', next(ports))}ExitPolicy reject *:*\n")
        yield made
    finally:
        made.end()


def own_lines(folder: Path) -> str:
    log = f"Log notice file {folder}/log"
    return f"DataDirectory {folder}\nNickname {folder.name}\n{log}\n"


def _listen(kind: str, port: int) -> str:
    return f"SocksPort 0\n{kind} 127.0.0.1:{port} IPv4Only\n"


def _authority(folder: Path, or_port: int, dir_port: int) -> str:
    """Make an authority's keys; return the line by which all others know it."""
    keys = folder / "keys"
    keys.mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    _run(
        [tor("tor-gencert"), "--create-identity-key", "-m", "12", "-a", f"127.0.0.1:{dir_port}",
         "-i", keys / "authority_identity_key", "-s", keys / "authority_signing_key",
         "-c", keys / "authority_certificate", "--passphrase-fd", "0"],
    )  # fmt: skip
    certificate = (keys / "authority_certificate").read_text()
    identity = certificate.partition("fingerprint ")[2].split()[0]
    none = f"DirAuthority x orport=1 v3ident={'0' * 40} 127.0.0.1:1 {'0' * 40}\n"
    file = folder / "torrc"
    file.write_text(COMMON + own_lines(folder) + none + _listen("ORPort", or_port))
    _run(
        [
            tor(),
            "-f",
            file,
            "--defaults-torrc",
            folder.parent / "none",
            "--list-fingerprint",
            "--hush",
        ]
    )
    fingerprint = (folder / "fingerprint").read_text().split()[1]
    return (
        f"DirAuthority {folder.name} orport={or_port} no-v2 v3ident={identity}"
        f" 127.0.0.1:{dir_port} {fingerprint}\n"
    )


def _run(command: Sequence[str | Path]) -> str:
    done = subprocess.run(command, input=PASSWORD, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    return done.stdout.decode()


def wait_until(true: Callable[[], object], seconds: float) -> float:
    """Wait until `true()`; return for how long."""
    start = time.monotonic()
    while not true():
        assert time.monotonic() < start + seconds, f"not within {seconds} s"
        time.sleep(0.2)
    return time.monotonic() - start
