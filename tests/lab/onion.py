"""A Tor network in the world, whose one service is a mirror, and a Tor in the reader's network."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tor_network import (
    AUTHORITIES,
    AUTHORITY,
    RELAYS,
    Network,
    _authority,
    _listen,
    free_ports,
    tor,
    wait_until,
)

from lab.world import Lab

LOOPBACK = "127.0.0.1"
SOCKS = 9050
PROXY = f"socks5h://{LOOPBACK}:{SOCKS}"
CLIENT = "client"
READY_S = 120.0  # for what takes forty seconds on a machine that has nothing else to do


@dataclass
class Relays(Network):
    """A network whose relays all stand at `address` in the world of `lab`."""

    lab: Lab | None = None
    address: str = ""

    def run(self, file: Path, *, defaults: Path) -> None:
        """Start a tor: the client at the reader's, all others in the world."""
        assert self.lab
        is_client = file.parent.name == CLIENT
        if not is_client:
            file.write_text(file.read_text().replace(LOOPBACK, self.address))
        command = (tor(), "-f", file, "--defaults-torrc", defaults)
        self.processes.append(self.lab.start("reader" if is_client else "world", *command))

    def connect(self) -> None:
        """Start the client anew, with what it knows of the relays; connections are all new."""
        folder = self.folder / CLIENT
        if (folder / "log").exists():
            assert self.lab
            self.lab.stop(self.processes.pop())
            (folder / "log").unlink()
        self.start(CLIENT, f"SocksPort {SOCKS}\n")
        wait_until(lambda: self.has_said(folder, "Bootstrapped 100%"), READY_S)


@contextmanager
def onion(made: Lab, web: str) -> Iterator[tuple[Relays, str]]:
    """Yield a network that a reader is connected to, and where in it the server at `web` is."""
    folder = made.folder / "tor"
    folder.mkdir()
    (folder / "none").write_text("")  # in place of the system's defaults
    relays = Relays(folder, lab=made, address=made.new_address())
    ports = iter(free_ports(2 * AUTHORITIES + RELAYS))
    names = [(f"auth{i}", next(ports), next(ports)) for i in range(AUTHORITIES)]
    with ThreadPoolExecutor() as pool:
        lines = "".join(pool.map(lambda a: _authority(folder / a[0], *a[1:]), names))
    relays.lines = lines.replace(LOOPBACK, relays.address)
    for name, or_port, dir_port in names:
        relays.start(name, f"{_listen('ORPort', or_port)}{_listen('DirPort', dir_port)}{AUTHORITY}")
    for i in range(RELAYS):
        relays.start(f"relay{i}", f"{_listen('ORPort', next(ports))}ExitPolicy reject *:*\n")
    place = f"HiddenServiceDir {folder}/hs\nHiddenServicePort 80 {web}:80\n"
    relays.start("service", f"SocksPort 0\n{place}")
    wait_until(relays.agrees, READY_S)
    relays.connect()
    yield relays, f"http://{(folder / 'hs' / 'hostname').read_text().strip()}/"
