"""Stands between a client and a server on loopback, and counts what is asked of the server."""

import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_REQUEST = re.compile(rb"[A-Z]+ \S+ HTTP/1\.[01]\r\n")
_PIECE = 1 << 16


class _Relay(socketserver.ThreadingTCPServer):
    """Passes connections on to `port`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.to = port
        self.asked = 0
        self.lock = threading.Lock()

    def count(self, piece: bytes) -> None:
        """Count a request.

        Who waits for the answer before asking again, as HTTP/1.1's clients do, begins each with
        a piece of its own.
        """
        if _REQUEST.match(piece):
            with self.lock:
                self.asked += 1


class _Connection(socketserver.BaseRequestHandler):
    server: _Relay

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.to)) as there:
            for each in (there, self.request):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=_pass, args=(there, self.request, lambda _: None))
            back.start()
            _pass(self.request, there, self.server.count)
            back.join()


def _pass(source: socket.socket, to: socket.socket, seen: Callable[[bytes], None]) -> None:
    try:
        while piece := source.recv(_PIECE):
            seen(piece)
            to.sendall(piece)
        to.shutdown(socket.SHUT_WR)
    except OSError:  # one of both has gone
        for each in (source, to):
            each.close()


@contextmanager
def counting(port: int) -> Iterator[tuple[int, Callable[[], int]]]:
    """Yield the port to ask in place of `port`, and what returns how often it was asked."""
    with _Relay(port) as relay:
        thread = threading.Thread(target=relay.serve_forever, daemon=True)
        thread.start()
        try:
            yield relay.server_address[1], lambda: relay.asked
        finally:
            relay.shutdown()
