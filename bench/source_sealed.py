"""No packet leaves: names are not looked up and nothing but loopback is dialled.

The programs measured beside ours would fetch what a page names, and nobody asked them to.
"""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class LeavesError(OSError):
    """Something wanted to reach another machine."""


@contextmanager
def sealed() -> Iterator[list[str]]:
    """Refuse every address that is not on loopback; yield those that were asked for."""
    asked: list[str] = []
    connect, connect_ex, look_up = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.getaddrinfo,
    )

    def check(host: object) -> None:
        if not _is_loopback(host):
            asked.append(str(host))
            raise LeavesError(f"{host}: not on loopback")

    def checked_connect(self: socket.socket, address: Any) -> None:  # noqa: ANN401
        check(address[0] if isinstance(address, tuple) else "127.0.0.1")
        connect(self, address)

    def checked_connect_ex(self: socket.socket, address: Any) -> int:  # noqa: ANN401
        check(address[0] if isinstance(address, tuple) else "127.0.0.1")
        return connect_ex(self, address)

    def checked_look_up(host: Any, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        check(host)
        return look_up(host, *rest, **options)

    socket.socket.connect = checked_connect  # type: ignore[method-assign,assignment]
    socket.socket.connect_ex = checked_connect_ex  # type: ignore[method-assign,assignment]
    socket.getaddrinfo = checked_look_up
    try:
        yield asked
    finally:
        socket.socket.connect = connect  # type: ignore[method-assign]
        socket.socket.connect_ex = connect_ex  # type: ignore[method-assign]
        socket.getaddrinfo = look_up


def _is_loopback(host: object) -> bool:
    if host == "127.0.0.1":  # what is measured in here should not pay for the question
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False
