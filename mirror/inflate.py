"""Decompression in small pieces, so that whoever reads can stop before a bomb has gone off."""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli

from mirror.errors import FormatError

PIECE_BYTES = 1 << 16  # at a time: a bomb costs one piece beyond the reader's limit
MAX_MEMBERS = 64  # of gzip; an honest server sends one, and each costs a new decompressor


class Decoder(Protocol):
    """Turns a body as sent into the body meant."""

    complete: bool
    """Whether the stream has come to its own end: a body that was cut never does."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` adds, at most `PIECE_BYTES` at a time; use it up before the next.

        Raises:
            FormatError: not a stream of this coding.
        """


def decoder(coding: str) -> Decoder:
    """Return a decoder for one `Content-Encoding`.

    Several codings at once are refused: nobody needs them but a bomb inside a bomb.

    Raises:
        FormatError: not a coding that was asked for.
    """
    make = DECODERS.get(coding.strip().lower())
    if make is None:
        raise FormatError(f"content-encoding: not one of gzip, deflate, br: {coding!r}")
    return make()


class _Plain:
    complete = True  # its length is for the HTTP parser to check

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data


class _Zlib:
    def __init__(self, wbits: int | None) -> None:
        self.complete = True
        self._wbits = wbits
        self._left = self._most = 1 if wbits is None else MAX_MEMBERS
        self._stream = None if wbits is None else zlib.decompressobj(wbits)

    def feed(self, data: bytes) -> Iterator[bytes]:
        # zlib copies what it has not used after every piece: so much of it at most.
        for start in range(0, len(data), PIECE_BYTES):
            yield from self._inflate(data[start : start + PIECE_BYTES])

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._stream is None:
                if not self._left:
                    raise FormatError(f"body: too many members: more than {self._most}")
                self._stream = zlib.decompressobj(self._wbits or _deflate_wbits(data))
            try:
                yield self._stream.decompress(data, PIECE_BYTES)
            except zlib.error as e:
                raise FormatError("body: not valid gzip or deflate") from e
            self.complete = self._stream.eof
            data = self._stream.unconsumed_tail
            if self._stream.eof:  # RFC 1952 section 2.2: gzip may have several members
                data = self._stream.unused_data
                self._stream = None
                self._left -= 1


def _deflate_wbits(data: bytes) -> int:
    # RFC 9110 section 8.4.1.2 notes that some send "deflate" without the zlib header.
    return zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS


class _Brotli:
    def __init__(self) -> None:
        self.complete = True
        self._stream = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            yield self._stream.process(data, output_buffer_limit=PIECE_BYTES)
            while not self._stream.can_accept_more_data():
                yield self._stream.process(b"", output_buffer_limit=PIECE_BYTES)
        except brotli.error as e:
            raise FormatError("body: not valid brotli") from e
        self.complete = self._stream.is_finished()


DECODERS: dict[str, Callable[[], Decoder]] = {
    "": _Plain,
    "identity": _Plain,
    "gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "x-gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "deflate": lambda: _Zlib(None),
    "br": _Brotli,
}
