"""What is answered, as a value: the bytes of the headers, and the body or where it comes from."""

from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass

from mirror.front.kinds import NOTHING_RUNS, PREFLIGHT, SAFETY
from mirror.serve.headers import Field, lines, status_line

Pieces = Callable[[], AsyncGenerator[bytes, None]]


@dataclass(frozen=True, slots=True)
class Reply:
    """Headers up to those that every answer makes anew (`Date`, `Connection`), and a body.

    Where there are `pieces` they are the body, asked for when the headers are on their way;
    their length is in the headers, or else they are `chunked`.
    """

    head: bytes
    body: bytes = b""
    pieces: Pieces | None = None
    chunked: bool = False


def plain(status: int, text: str, *fields: Field) -> Reply:
    """Return an answer of one sentence that nobody keeps."""
    body = f"{text}\n".encode()
    kind = ("Content-Type", "text/plain; charset=utf-8")
    return Reply(head(status, (kind, ("Cache-Control", "no-store"), *fields), len(body)), body)


def head(
    status: int, fields: Iterable[Field], length: int | None, *, policy: str = NOTHING_RUNS
) -> bytes:
    """Return a status line and headers, with those of the reader's safety among them."""
    known = () if length is None else (("Content-Length", str(length)),)
    safety = (("Content-Security-Policy", policy), *SAFETY)
    return status_line(status) + lines((*known, *fields, *safety))


NOT_FOUND = plain(404, "Not found.")
NOT_TAKEN = plain(406, "There is no form of this that the request takes.")
NOT_ALLOWED = plain(405, "Only GET and HEAD are answered here.", ("Allow", "GET, HEAD, OPTIONS"))
WITH_BODY = plain(413, "A request with a body is not read.")
TOO_LONG = plain(431, "The request is too long.")
MALFORMED = plain(400, "This is no request that is understood here.")
UNAVAILABLE = plain(503, "This cannot be read now; try again.", ("Retry-After", "30"))
FAILED = plain(500, "This failed here; the fault is not yours.")
ALLOWED = Reply(head(204, PREFLIGHT, None))
