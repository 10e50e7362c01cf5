"""A SOCKS5 proxy (RFC 1928) that listens in one network and dials from the one it was started in.

Run with the other network's file in /run/netns and a port of its loopback.
"""

import asyncio
import ctypes
import socket
import struct
import sys
from contextlib import closing, suppress
from pathlib import Path

CLONE_NEWNET = 0x40000000
LOOPBACK = "127.0.0.1"
OK, UNREACHABLE, REFUSED = 0, 4, 5
CHUNK = 1 << 16


def listening(network: str, port: int) -> socket.socket:
    """Return a socket that listens at the loopback of another network."""
    enter = ctypes.CDLL(None, use_errno=True).setns
    with Path("/proc/self/ns/net").open() as own, Path(network).open() as other:
        if enter(other.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), network)
        made = socket.create_server((LOOPBACK, port))
        if enter(own.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "no way back")
    return made


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until the end; a reset is passed on as one."""
    try:
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int]:
    """Return for whom a client asks: a name, which is looked up here."""
    _, methods = await reader.readexactly(2)
    await reader.readexactly(methods)
    writer.write(b"\x05\x00")
    await reader.readexactly(4)
    name = await reader.readexactly((await reader.readexactly(1))[0])
    return name.decode("ascii"), struct.unpack(">H", await reader.readexactly(2))[0]


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Dial, say how that went, and carry bytes."""
    with closing(writer), suppress(OSError, EOFError):
        host, port = await asked(reader, writer)
        try:
            there, away = await asyncio.open_connection(host, port)
        except OSError as e:
            code = REFUSED if isinstance(e, ConnectionRefusedError) else UNREACHABLE
            writer.write(bytes([5, code, 0, 1]) + bytes(6))
            return
        writer.write(bytes([5, OK, 0, 1]) + bytes(6))
        with closing(away):
            async with asyncio.TaskGroup() as group:
                group.create_task(pour(reader, away))
                group.create_task(pour(there, writer))


async def main(network: str, port: int) -> None:
    """Serve until killed."""
    async with await asyncio.start_server(serve, sock=listening(network, port)) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
