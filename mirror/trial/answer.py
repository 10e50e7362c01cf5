"""What a server said to one request."""

from dataclasses import dataclass

from mirror.errors import FormatError
from mirror.inflate import decoder

MAX_BYTES = 1 << 20  # of an answer: no probe has more, and what has is not one


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: `raw` is the body as sent, `size` all bytes of it with the headers."""

    status: int
    version: str
    fields: tuple[tuple[str, str], ...]
    raw: bytes
    size: int

    def field(self, name: str) -> str:
        """Return the values of a header, "" if there is none."""
        return ", ".join(value for each, value in self.fields if each.lower() == name.lower())

    @property
    def closes(self) -> bool:
        """Whether the server says that the connection ends with this answer."""
        said = self.field("Connection").lower()
        return "close" in said or (self.version == "1.0" and "keep-alive" not in said)

    def body(self) -> bytes | None:
        """Return the body after its coding is undone; None if it cannot be."""
        try:
            stream, data = decoder(self.field("Content-Encoding")), bytearray()
            for piece in stream.feed(self.raw):
                data += piece
                if len(data) > MAX_BYTES:
                    return None
        except FormatError:
            return None
        return bytes(data) if stream.complete else None
