"""Three network namespaces: `reader` - `censor` (the router) - `world` (TLS servers, a resolver).

The addresses look public, as a reader's program demands, and lead nowhere: the only links are the
two between the three. Names hold the number of the process that made them, so that parallel runs
do not meet, and what a killed run left is removed by the next.
"""

import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from lab.authority import Authority

Namespace = Literal["reader", "censor", "world"]
NAMESPACES: tuple[Namespace, ...] = ("reader", "censor", "world")

READER = "11.7.1.2"
CENSOR = {"c0": "11.7.1.1", "c1": "11.7.2.1"}
"""Addresses of the router: towards the reader, and towards the world."""
RESOLVER = "11.7.2.53"
FIRST = 10  # servers are 11.7.2.10 and so on

START_S = 10.0
_NAME = re.compile(r"tzlab(\d+)x[0-9a-f]+-")
_PROGRAMS = ("ip", "iptables", "nft", "tc", "sysctl", "dnsmasq", "nginx", "curl", "setpriv")
_PACKAGES = "iproute2 iptables nftables procps dnsmasq-base nginx curl util-linux"


@dataclass
class Lab:
    """The three networks; `folder` has the authority's certificate and what the servers need."""

    folder: Path
    authority: Authority
    token: str
    given: int = 0
    """How many addresses servers have."""
    hosts: dict[str, str] = field(default_factory=dict)
    """What the honest resolver says: name → address."""
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def ca(self) -> Path:
        """The certificate that the servers' are signed by."""
        return self.folder / "ca.pem"

    def name(self, namespace: Namespace) -> str:
        """Return what the system calls a namespace."""
        return f"tzlab{self.token}-{namespace}"

    def inside(self, namespace: Namespace, *command: object) -> list[str]:
        """Return the command that runs `command` in a namespace and ends with this process."""
        enter = ("ip", "netns", "exec", self.name(namespace))
        return ["setpriv", "--pdeathsig", "KILL", *enter, *map(str, command)]

    def run(
        self, namespace: Namespace, *command: object, timeout_s: float = 60.0, told: str = ""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end; what it prints is in the result."""
        line = self.inside(namespace, *command)
        return subprocess.run(line, input=told.encode(), capture_output=True, timeout=timeout_s)

    def must(self, namespace: Namespace, *command: object, told: str = "") -> bytes:
        """Run a command that must work; return what it prints."""
        made = self.run(namespace, *command, told=told)
        words = made.stderr.decode().strip() or made.stdout.decode().strip()
        assert made.returncode == 0, f"{' '.join(map(str, command))}: {words}"
        return made.stdout

    def start(self, namespace: Namespace, *command: object) -> subprocess.Popen[bytes]:
        """Start a program that runs until it is stopped, or the lab ends."""
        with (self.folder / "log").open("ab") as log:
            line = self.inside(namespace, *command)
            process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.started.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End a program."""
        process.kill()
        process.wait()
        self.started.remove(process)

    def wait_for(self, namespace: Namespace, address: str, port: int) -> None:
        """Return when somebody listens at an address of `namespace`."""
        listening = f"{address}:{port} "
        self._until(lambda: listening in self.must(namespace, "ss", "-ltunH").decode(), listening)

    def new_address(self) -> str:
        """Return an address in the world that no server has yet."""
        address = f"11.7.2.{FIRST + self.given}"
        self.given += 1
        self.must("world", "ip", "addr", "add", f"{address}/24", "dev", "w0")
        return address

    def serve(self, folder: Path, *names: str, keep_alive: bool = False) -> str:
        """Serve the files in `folder` in the world as https://NAME/, and http; return the address.

        Each call is a server of its own, with its own address; its `names` share that. HTTP/1.1;
        unless `keep_alive`, a connection is closed after one answer.
        """
        address = self.new_address()
        self.authority.issue(self.folder / names[0], *names)
        file = self.folder / f"{names[0]}.conf"
        file.write_text(_nginx(self.folder, folder, names, address, 60 if keep_alive else 0))
        self.start("world", "nginx", "-c", file, "-e", self.folder / "nginx.log")
        self.wait_for("world", address, 443)
        for name in names:
            self.answer(name, address)
        return address

    def answer(self, name: str, address: str) -> None:
        """Have the resolver answer `name` with `address`."""
        self.hosts[name] = address
        lines = [f"{address} {name}\n" for name, address in self.hosts.items()]
        (self.folder / "hosts").write_text("".join(lines))
        for each in self.pids("world", "dnsmasq"):
            os.kill(each, signal.SIGHUP)
        asked = ("getent", "ahostsv4", name)
        self._until(lambda: address.encode() in self.run("reader", *asked).stdout, name)

    def pids(self, namespace: Namespace, program: str = "") -> list[int]:
        """Return the processes in a namespace: all, or those that run `program`."""
        found = _run("ip", "netns", "pids", self.name(namespace)).stdout.split()
        return [int(pid) for pid in found if program in _comm(int(pid))]

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + START_S
        while not holds():
            log = (self.folder / "log").read_bytes()[-2000:].decode("utf-8", "replace")
            assert time.monotonic() < end, f"{what}: not there: {log}"
            time.sleep(0.02)


@contextmanager
def lab() -> Iterator[Lab]:
    """Make the three networks, with a resolver; all of it is gone after the block."""
    _check()
    _sweep()
    token = _token()
    with tempfile.TemporaryDirectory(prefix=f"tzlab{token}-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for file in ("log", "hosts"):
            (folder / file).touch()
        made = Lab(folder, Authority(folder / "ca.pem"), token)
        try:
            _connect(made)
            _resolver(made)
            yield made
        finally:
            for namespace in NAMESPACES:
                _remove(made.name(namespace))
            for process in made.started:
                process.wait()


def _check() -> None:
    """Skip where the machine does not give what a lab needs, and say what that is."""
    if os.geteuid() != 0:
        pytest.skip("only root can make networks")
    missing = [program for program in _PROGRAMS if not shutil.which(program, path=_PATH)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (apt install {_PACKAGES})")
    made = _run("ip", "netns", "add", probe := f"tzlab{_token()}-world")
    _remove(probe)
    if made.returncode:
        pytest.skip(f"no networks here: {made.stderr.decode().strip()}")


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _token() -> str:
    return f"{os.getpid()}x{secrets.token_hex(2)}"


def _connect(made: Lab) -> None:
    for namespace in NAMESPACES:
        _must("ip", "netns", "add", made.name(namespace))
        made.must(namespace, "ip", "link", "set", "lo", "up")
    for near, far, namespace in (("c0", "r0", "reader"), ("c1", "w0", "world")):
        peer = ("peer", "name", far, "netns", made.name(namespace))
        made.must("censor", "ip", "link", "add", near, "type", "veth", *peer)
        _raise(made, "censor", near, CENSOR[near])
    _raise(made, "reader", "r0", READER)
    _raise(made, "world", "w0", RESOLVER)
    made.must("reader", "ip", "route", "add", "default", "via", CENSOR["c0"])
    made.must("world", "ip", "route", "add", "default", "via", CENSOR["c1"])
    counting = ("net.ipv4.ip_forward=1", "net.netfilter.nf_conntrack_acct=1")
    made.must("censor", "sysctl", "-q", "-w", *counting)


def _raise(made: Lab, namespace: Namespace, link: str, address: str) -> None:
    made.must(namespace, "ip", "addr", "add", f"{address}/24", "dev", link)
    # Packets of the size of a real line: a rule that counts bytes sees each of them.
    made.must(namespace, "ip", "link", "set", link, "gso_max_segs", 1, "gso_max_size", 1500, "up")


def _resolver(made: Lab) -> None:
    folder = Path("/etc/netns") / made.name("reader")
    folder.mkdir(parents=True)
    folder.joinpath("resolv.conf").write_text(
        f"nameserver {RESOLVER}\noptions timeout:1 attempts:2\n"
    )
    made.start("world", *dnsmasq(RESOLVER, f"--addn-hosts={made.folder}/hosts"))
    made.wait_for("world", RESOLVER, 53)


def dnsmasq(address: str, *told: str, port: int = 53) -> list[str]:
    """Return the command for a resolver that knows what it is told and nothing else."""
    where = (f"--listen-address={address}", f"--port={port}", "--bind-interfaces")
    alone = ("--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--local=//", "--pid-file=")
    return ["dnsmasq", "--no-daemon", "--user=root", *where, *alone, *told]


def _nginx(folder: Path, site: Path, names: tuple[str, ...], address: str, keep_s: int) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return f"""
        daemon off;
        master_process off;  # one process, which ends with the one that started it
        user root;
        pid {folder}/{names[0]}.pid;
        events {{}}
        http {{
            access_log off;
            keepalive_timeout {keep_s};
            include /etc/nginx/mime.types;
            {"".join(f"{kind}_temp_path {folder}/tmp;" for kind in kinds)}
            server {{
                listen {address}:80;
                listen {address}:443 ssl;
                server_name {" ".join(names)};
                ssl_buffer_size 4k;  # what is cut off is seen up to there
                ssl_certificate {folder}/{names[0]}.pem;
                ssl_certificate_key {folder}/{names[0]}.key;
                root {site};
                add_header Access-Control-Allow-Origin *;
            }}
        }}
    """


def _sweep() -> None:
    """Remove what runs have left that were killed."""
    for line in _run("ip", "netns", "list").stdout.decode().splitlines():
        if _is_left(line):
            _remove(line.split()[0])
    for folder in Path(tempfile.gettempdir()).glob("tzlab*"):
        if _is_left(folder.name):
            shutil.rmtree(folder, ignore_errors=True)


def _is_left(name: str) -> bool:
    match = _NAME.match(name)
    return match is not None and not Path(f"/proc/{match[1]}").exists()


def _remove(name: str) -> None:
    """End all processes of a namespace, and the namespace with its links."""
    for pid in _run("ip", "netns", "pids", name).stdout.split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    _run("ip", "netns", "del", name)
    shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _run(*command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True)


def _must(*command: str) -> None:
    made = _run(*command)
    assert made.returncode == 0, f"{' '.join(command)}: {made.stderr.decode().strip()}"
