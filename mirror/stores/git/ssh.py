"""Git over ssh without a program of the system's: one key, one pinned host, one time limit."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import asyncssh
from dulwich.client import SSHVendor

from mirror.errors import SettingsError

CONNECT_S = 30.0
SILENT_S = 120.0  # some hosts work that long on a push before they say a word
MAX_BYTES = 1_000_000  # of what is read: branches by the thousand
T = TypeVar("T")


class RefusedError(Exception):
    """The host does not do it; the message is for people and has no secret."""


def check(secret: Mapping[str, str]) -> None:
    """Return if a secret has what ssh needs.

    Raises:
        SettingsError: it has not; the message repeats nothing of it.
    """
    _read(secret)


def _read(secret: Mapping[str, str]) -> tuple[asyncssh.SSHKey, asyncssh.SSHKey]:
    """Return the own key, and the host's."""
    file = Path(secret.get("KEY_FILE", ""))
    if not file.is_absolute() or "HOST_KEY" not in secret:
        raise SettingsError(
            "its secret file: KEY_FILE=/… (a private key) and HOST_KEY=ssh-… AAAA… were expected"
        )
    try:
        return asyncssh.read_private_key(file), asyncssh.import_public_key(secret["HOST_KEY"])
    except OSError as e:
        raise SettingsError(f"{file}: the store's key is not readable: {e.strerror}") from e
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as e:
        raise SettingsError("its secret file: KEY_FILE or HOST_KEY is no key for ssh") from e


class Vendor(SSHVendor):
    """Connections for dulwich, which asks in a thread and waits; all end with the `with`."""

    def __init__(self, secret: Mapping[str, str]) -> None:
        self._keys = _read(secret)
        self._runner = asyncio.Runner()
        self._opened: list[Connection] = []

    def __enter__(self) -> Self:
        """Take a loop of its own, in this thread."""
        self._runner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close what was opened."""
        try:
            for each in self._opened:
                each.end()
        finally:
            self._runner.__exit__(kind, value, trace)

    def run_command(  # type: ignore[override]  # what it returns is used by four of its names
        self,
        host: str,
        command: bytes,
        username: str | None = None,
        port: int | None = None,
        **_: object,
    ) -> "Connection":
        """Return a connection to `command`, run on `host`."""
        own, pinned = self._keys
        options = asyncssh.SSHClientConnectionOptions(
            username=username or "git",
            client_keys=[own],
            known_hosts=([pinned], [], []),
            config=[],
            agent_path=None,
            preferred_auth="publickey",
            connect_timeout=CONNECT_S,
            login_timeout=CONNECT_S,
        )
        connection = Connection(self._runner, _connect(host, port or 22, options), command.decode())
        self._opened.append(connection)
        return connection


async def _connect(
    host: str, port: int, options: asyncssh.SSHClientConnectionOptions
) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(host, port, options=options)


async def _start(
    connection: asyncssh.SSHClientConnection, command: str
) -> asyncssh.SSHClientProcess[bytes]:
    return await connection.create_process(command, encoding=None)


class Connection:
    """A command that runs on another machine, as a file that blocks."""

    stderr = None
    close = None  # the vendor does it; dulwich forgets to where a host hangs up at once

    def __init__(
        self,
        runner: asyncio.Runner,
        connecting: Coroutine[Any, Any, asyncssh.SSHClientConnection],
        command: str,
    ) -> None:
        self._runner = runner
        self._read = 0
        self._ssh = self._run(connecting)
        self._process = self._run(_start(self._ssh, command))

    def read(self, size: int) -> bytes:
        """Return `size` bytes, or fewer at the end."""
        self._read += size
        if self._read > MAX_BYTES:
            raise RefusedError("its answer is longer than any of a repository")
        try:
            return self._run(self._process.stdout.readexactly(size))
        except asyncio.IncompleteReadError as e:
            return e.partial

    def write(self, data: bytes) -> int:
        """Send `data`."""
        self._process.stdin.write(data)
        self._run(self._process.stdin.drain())
        return len(data)

    def can_read(self) -> bool:
        """Return that a read may wait."""
        return False

    def end(self) -> None:
        """Leave."""
        self._ssh.abort()
        with suppress(RefusedError):
            self._run(self._ssh.wait_closed())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(asyncio.wait_for(work, SILENT_S))
        except asyncssh.HostKeyNotVerifiable as e:
            raise RefusedError("the host has another key than HOST_KEY: not trusted") from e
        except asyncssh.PermissionDenied as e:
            raise RefusedError("the host refuses the user or the key in KEY_FILE") from e
        except TimeoutError as e:
            raise RefusedError("no answer in time") from e
        except (asyncssh.Error, OSError) as e:
            raise RefusedError(f"ssh: {type(e).__name__}: {str(e)[:200]}") from e
