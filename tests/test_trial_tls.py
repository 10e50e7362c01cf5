"""What a mirror's name leads to is dialled for no longer than one address would be."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from mirror.errors import FetchError
from mirror.trial.tls import look_at_tls

NAME = "mirror.example"


@pytest.fixture
def swallowing() -> Iterator[int]:
    """Return a port of 127.0.0.1 whose queue is full: what is sent there is never answered."""
    with ExitStack() as opened:
        server = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(server.getsockname())
        yield server.getsockname()[1]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the ports of 127.0.0.1 that the one known name leads to."""
    ports: list[int] = []

    def resolve(host: str, *_: object, **__: object) -> list[object]:
        assert host == NAME
        stream = socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, ""
        return [(*stream, ("127.0.0.1", port)) for port in ports]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return ports


async def test_many_addresses_that_swallow_packets_take_the_time_of_one(
    swallowing: int, answers: list[int]
):
    answers += [swallowing] * 40
    began = time.monotonic()
    with pytest.raises(FetchError, match=r"tls: too slow: not done in 0\.5 s"):
        await look_at_tls(f"https://{NAME}/", exempt=True, timeout_s=0.5)

    assert time.monotonic() - began < 10  # 20 if each had its own
