"""A client that sends bytes as they are, and reads what comes back."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Got:
    """An answer as it came: the status, the headers in lower case, and the rest."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def parse(cls, data: bytes) -> "Got":
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = dict(line.lower().split(": ", 1) for line in lines)
        assert len(headers) == len(lines), "a header twice"
        return cls(int(status), headers, body)


def split(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    assert parts.hostname and parts.port
    return parts.hostname, parts.port


async def raw(address: str, data: bytes, *, within_s: float = 15) -> bytes:
    """Send `data` over a new connection, and return all that comes until it is closed."""
    reader, writer = await asyncio.open_connection(*split(address))
    try:
        writer.write(data)
        async with asyncio.timeout(within_s):
            return await everything(reader)
    finally:
        writer.close()


async def everything(reader: asyncio.StreamReader) -> bytes:
    """Return all that comes until the connection is closed or cut."""
    found = bytearray()
    try:
        while piece := await reader.read(65536):
            found += piece
    except ConnectionError:
        pass
    return bytes(found)


async def get(address: str, path: str, *lines: str, method: str = "GET") -> Got:
    """Ask for `path` as it is written, with header lines, over a connection of its own."""
    head = "\r\n".join((f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *lines))
    return Got.parse(await raw(address, f"{head}\r\n\r\n".encode("latin-1")))
