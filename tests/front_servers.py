"""Real nginx and Caddy on loopback with configurations of `mirror front`, ended by their pids."""

import datetime
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from serve_wire import Got

NAME = "news.example"
ADDRESS = "127.0.0.7"
"""The reader's own: whatever else is found in a file, it is not this."""
START_S = 30.0
ROOT = Path(__file__).parents[1]


def program(name: str) -> str:
    """Return where a program is: beside this Python, or the system's."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name, path="/usr/sbin:/usr/bin:/bin")
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def certificate(folder: Path, name: str = NAME) -> tuple[Path, Path]:
    """Make a certificate that signs itself, for a key on P-256; return the files of both."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(name)]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain, private


@contextmanager
def running(
    command: Sequence[str | Path], folder: Path, *, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server that says what it has to say in `folder`/log; end it and what it started."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **(env or {})},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def nginx_running(config: str, folder: Path) -> Iterator[None]:
    file = folder / "nginx.conf"
    file.write_text(config)
    said = f"pid {folder}/pid; user root; daemon off;"
    command = [program("nginx"), "-e", "/dev/null", "-p", folder, "-c", file, "-g", said]
    with running(command, folder) as process:
        wait_for(port_in(config), process, folder)
        yield


@contextmanager
def caddy_running(
    config: str, folder: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    file = folder / "Caddyfile"
    file.write_text(config)
    command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", file]
    own = {"XDG_DATA_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "state")}
    with running(command, folder, env={**own, **(env or {})}) as process:
        wait_for(port_in(config), process, folder)
        yield process


def port_in(config: str) -> int:
    """Return the port that a configuration listens at."""
    words = config.replace(";", " ").split()
    if "https_port" in words:
        return int(words[words.index("https_port") + 1])
    return int(words[words.index("listen") + 1].rpartition(":")[2])


def wait_for(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"no server at {port}: {(folder / 'log').read_text()}")


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader at an address of their own, who trusts one certificate."""

    port: int
    trusts: Path
    name: str = NAME

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.trusts)

    @contextmanager
    def plainly(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), 10, (ADDRESS, 0)) as one:
            yield one

    @contextmanager
    def connected(
        self, context: ssl.SSLContext | None = None, session: ssl.SSLSession | None = None
    ) -> Iterator[ssl.SSLSocket]:
        with (
            self.plainly() as plain,
            (context or self.context()).wrap_socket(
                plain, server_hostname=self.name, session=session
            ) as tls,
        ):
            yield tls

    def get(self, target: str, *lines: str, method: str = "GET") -> Got:
        """Return the answer, all that comes until the server closes the connection."""
        return Got.parse(self.raw(request(target, *lines, method=method, host=self.name)))

    def raw(self, data: bytes) -> bytes:
        with self.connected() as tls:
            tls.sendall(data)
            return everything(tls)

    def on_the_wire(self, data: bytes) -> tuple[int, bytes]:
        """Return how many bytes came, handshake and certificate among them, and the answer."""
        came, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context().wrap_bio(came, sent, server_hostname=self.name)
        count, answer, asked = 0, b"", False
        with self.plainly() as plain:
            while True:
                with suppress(ssl.SSLWantReadError):
                    if not asked:
                        tls.do_handshake()
                        tls.write(data)
                        asked = True
                    while piece := tls.read(65536):
                        answer += piece
                    return count, answer
                plain.sendall(sent.read())
                piece = plain.recv(65536)
                count += len(piece)
                came.write(piece) if piece else came.write_eof()


def request(target: str, *lines: str, method: str = "GET", host: str = NAME) -> bytes:
    return "\r\n".join((f"{method} {target} HTTP/1.1", f"Host: {host}", *lines, "", "")).encode()


def everything(tls: socket.socket) -> bytes:
    found = bytearray()
    while piece := tls.recv(65536):
        found += piece
    return bytes(found)
