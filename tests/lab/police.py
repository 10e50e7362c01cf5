"""A proxy in the censor that counts open connections by the name they ask for.

Run with a port and how many connections to one name may be open: one more is reset. What comes
in is what netfilter redirected, so the socket knows for whom it was.
"""

import asyncio
import socket
import struct
import sys
from collections import Counter
from contextlib import suppress

SO_ORIGINAL_DST = 80
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: closing is a reset
CHUNK = 1 << 16


def name_in(hello: bytes) -> bytes:
    """Return the server's name in a ClientHello (RFC 8446, section 4.1.2), or b"" without one."""
    at = 5 + 4 + 2 + 32  # of the record, of the message, version and random
    at += 1 + hello[at]  # session
    at += 2 + int.from_bytes(hello[at : at + 2], "big")  # ciphers
    at += 1 + hello[at]  # compression
    end = at + 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 2
    while at + 4 <= end:
        kind, size = struct.unpack_from("!HH", hello, at)
        if kind == 0:  # server_name: a list of one, of kind 0
            return hello[at + 9 : at + 4 + size]
        at += 4 + size
    return b""


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until the end."""
    with suppress(ConnectionError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()


async def main(port: int, most: int) -> None:
    """Serve until killed."""
    open_now: Counter[bytes] = Counter()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ours: socket.socket = writer.get_extra_info("socket")
        where = ours.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
        hello = await reader.read(CHUNK)
        name = name_in(hello)
        if open_now[name] >= most:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()
            return
        open_now[name] += 1
        try:
            address = socket.inet_ntoa(where[4:8]), int.from_bytes(where[2:4], "big")
            there, away = await asyncio.open_connection(*address)
            away.write(hello)
            async with asyncio.TaskGroup() as group:
                group.create_task(pour(reader, away))
                group.create_task(pour(there, writer))
            away.close()
        finally:
            open_now[name] -= 1
            writer.close()

    async with await asyncio.start_server(take, "0.0.0.0", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
