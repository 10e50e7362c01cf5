"""A service added to a tor that runs, over its control port.

Protocol: https://spec.torproject.org/control-spec/ ; the cookie is proved, by both sides, and
not shown: whatever else listens there learns nothing to sign in with.
"""

import base64
import hashlib
import hmac
import re
import secrets
import socket
from pathlib import Path
from typing import BinaryIO

from mirror.errors import SettingsError
from mirror.guard import host_and_port
from mirror.onion.key import OnionKey

TIMEOUT_S = 10.0  # for each line; it comes from this machine
MAX_LINE = 4_096  # bytes; the longest, with the hashes of a sign-in, has 200
MAX_LINES = 64  # of one reply
COOKIE_SIZE = 32

_TO_CLIENT = b"Tor safe cookie authentication server-to-controller hash"
_TO_SERVER = b"Tor safe cookie authentication controller-to-server hash"
_REPLY = re.compile(rb"([0-9]{3})([ +-])([^\r\n]*)\r\n")
_CHALLENGE = re.compile(r"AUTHCHALLENGE SERVERHASH=([0-9A-F]{64}) SERVERNONCE=([0-9A-F]{64})")
_UNKNOWN = "512"  # a word of the command that an older tor does not know
_EXISTS = "550 Onion address collision"


class _RefusedError(Exception):
    """Tor's answer, a code and words, is not 250."""


def add_onion(key: OnionKey, *, control: str, cookie: Path, to: str) -> bool:
    """Have the tor at `control` carry the service until it ends; return if with PoW defences.

    `control` is `127.0.0.1:PORT` or the path of a Unix socket: the key goes over it. One that
    carries the service already is left as it is.

    Raises:
        SettingsError: there is no such tor, the cookie is another's, or it refuses.
    """
    shared = _read_cookie(cookie)
    try:
        with _connected(control) as connection, connection.makefile("rb") as lines:
            tor = _Tor(connection, lines)
            _sign_in(tor, shared)
            return _add(tor, key, to)
    except OSError as e:
        raise SettingsError(f"{control}: tor's control port: {e.strerror or e}") from e
    except _RefusedError as e:
        raise SettingsError(f"{control}: tor refused: {e}") from e


def _add(tor: "_Tor", key: OnionKey, to: str) -> bool:
    secret = base64.b64encode(key.expanded).decode()
    command = f"ADD_ONION ED25519-V3:{secret} Flags=Detach,DiscardPK"
    streams = "MaxStreams=32"
    try:
        try:
            told = tor.ask(f"{command} {streams} PoWDefensesEnabled=1 Port=80,{to}")
            defended = True
        except _RefusedError as e:
            if not str(e).startswith(_UNKNOWN):
                raise
            told = tor.ask(f"{command} {streams} Port=80,{to}")
            defended = False
    except _RefusedError as e:
        if not str(e).startswith(_EXISTS):
            raise
        return True
    if f"ServiceID={key.address.removesuffix('.onion')}" not in told:
        raise _RefusedError("it carries another address than that of the key")
    return defended


def _read_cookie(file: Path) -> bytes:
    try:
        cookie = file.read_bytes()
    except OSError as e:
        raise SettingsError(f"{file}: tor's cookie: {e.strerror}") from e
    if len(cookie) != COOKIE_SIZE:
        raise SettingsError(f"{file}: not a cookie of tor's: {COOKIE_SIZE} bytes were expected")
    return cookie


def _sign_in(tor: "_Tor", cookie: bytes) -> None:
    nonce = secrets.token_bytes(32)
    told = tor.ask(f"AUTHCHALLENGE SAFECOOKIE {nonce.hex()}")
    found = _CHALLENGE.fullmatch(told[0])
    if not found:
        raise _RefusedError("it answers a challenge in another form")
    theirs, other = bytes.fromhex(found[1]), bytes.fromhex(found[2])
    both = cookie + nonce + other
    if not hmac.compare_digest(hmac.digest(_TO_CLIENT, both, hashlib.sha256), theirs):
        raise _RefusedError("it does not know the cookie: another program, or an old file")
    tor.ask(f"AUTHENTICATE {hmac.digest(_TO_SERVER, both, hashlib.sha256).hex()}")


def _connected(control: str) -> socket.socket:
    if control.startswith("/"):
        one = socket.socket(socket.AF_UNIX)
        one.settimeout(TIMEOUT_S)
        try:
            one.connect(control)
        except OSError:
            one.close()
            raise
        return one
    try:
        host, port = host_and_port(control)
    except ValueError as e:
        raise SettingsError(f"onion: {e}") from e
    if host not in ("127.0.0.1", "::1"):
        raise SettingsError(f"{control}: 127.0.0.1:PORT or a socket's path was expected")
    return socket.create_connection((host, port), TIMEOUT_S)


class _Tor:
    """A connection to a control port, one command at a time."""

    def __init__(self, connection: socket.socket, lines: BinaryIO) -> None:
        self._connection = connection
        self._lines = lines

    def ask(self, command: str) -> list[str]:
        """Return the lines of the reply to a command."""
        self._connection.sendall(f"{command}\r\n".encode("ascii"))
        told: list[str] = []
        for _ in range(MAX_LINES):
            line = _REPLY.fullmatch(self._lines.readline(MAX_LINE))
            if not line:
                raise _RefusedError("it does not speak as tor does")
            code, more, text = line[1].decode(), line[2], line[3].decode("ascii", "replace")
            if code != "250":
                raise _RefusedError(f"{code} {text}"[:200])
            if more == b" ":
                return [*told, text]
            told.append(text)
        raise _RefusedError("its answer has no end")
