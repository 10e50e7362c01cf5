"""What a verifier keeps between visits, so that nothing can be taken back unnoticed.

One file, for one newsroom: the newest root and the newest checkpoint believed, as JSON::

    {"v":1,"root":"<root.json>","checkpoint":"<signed note>","time":1795363200}

A few kB. If lost, the next visit is a first one. If altered by an attacker, the verifier believes
that attacker: keep it where only its owner writes.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from mirror.errors import FormatError, SettingsError, VerifyError
from mirror.files import write_durably
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.encoding import decode_json, encode_json, fields, is_int
from mirror.formats.note import Note
from mirror.formats.root import Root
from mirror.verify import Seen
from mirror.verify.roots import pinned_root

VERSION = 1


@dataclass(frozen=True, slots=True)
class Memory:
    """`root` is the newest believed; `checkpoint` (a signed note, or b"") was current at `time`."""

    root: Root
    checkpoint: bytes = b""
    time: int = 0

    @property
    def seen(self) -> Seen | None:
        """The stored checkpoint, as `verify.Trust` takes it."""
        if not self.checkpoint:
            return None
        point = Checkpoint.parse(Note.parse(self.checkpoint).text)
        return Seen(point.origin, point.size, point.root, self.time)

    def __bytes__(self) -> bytes:
        root, checkpoint = bytes(self.root).decode(), self.checkpoint.decode()
        shown = {"v": VERSION, "root": root, "checkpoint": checkpoint, "time": self.time}
        return encode_json(shown) + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> "Memory":
        """Read what `bytes()` writes.

        Raises:
            FormatError: it is something else.
            VerifyError: its root is not signed by its own holders.
        """
        version, root, checkpoint, time = fields(
            decode_json(data), "v", "root", "checkpoint", "time"
        )
        if version != VERSION or not is_int(time):
            raise FormatError("memory: of another version")
        if not (isinstance(root, str) and isinstance(checkpoint, str)):
            raise FormatError("memory: a root and a checkpoint were expected")
        try:
            memory = cls(pinned_root(root.encode()), checkpoint.encode(), time)
        except UnicodeEncodeError as e:
            raise FormatError("memory: text with a lone surrogate") from e
        if memory.seen is None and memory.time:
            raise FormatError("memory: a time without a checkpoint")
        return memory


def recall(file: Path | None, pinned: Root) -> Memory:
    """Return what was kept in `file`, or a first visit's memory; the newer root of the two.

    Raises:
        SettingsError: the file is not readable, or holds something else.
        VerifyError: `fork`: it holds another root of the same version.
    """
    try:
        data = file.read_bytes() if file else None
    except FileNotFoundError:
        data = None
    except OSError as e:
        raise SettingsError(f"{file}: not readable: {e.strerror}") from e
    if data is None:
        return Memory(pinned)
    try:
        kept = Memory.parse(data)
    except (FormatError, VerifyError) as e:
        raise SettingsError(f"{file}: not what `mirror verify --remember` wrote: {e}") from e
    if kept.root.version == pinned.version and kept.root.signed != pinned.signed:
        raise VerifyError("fork", f"root {pinned.version}: {file} holds another one")
    return (
        kept if kept.root.version >= pinned.version else Memory(pinned, kept.checkpoint, kept.time)
    )


def keep(file: Path, old: Memory, new: Memory) -> None:
    """Write `new` into `file`, whole or not at all; a memory never gets shorter.

    Not checked here: that `new` follows from `old`, which the verifier has just done.
    """
    before, after = old.seen, new.seen
    if before and (after is None or (after.origin == before.origin and after.size < before.size)):
        new = Memory(new.root, old.checkpoint, old.time)
    elif before and after and after.origin == before.origin and new.time < old.time:
        new = Memory(new.root, new.checkpoint, old.time)
    _write(file, bytes(new))


def keep_evidence(file: Path, old: Memory, shown: bytes, verdict: str) -> Path:
    """Write both checkpoints that cannot both be true beside `file`; return where (C8)."""
    both = old.checkpoint + b"\n" + shown
    path = file.with_name(f"{file.name}.{verdict}-{hashlib.sha256(both).hexdigest()[:12]}")
    _write(path, both)
    return path


def _write(file: Path, data: bytes) -> None:
    try:
        write_durably(file, data)
    except OSError as e:
        raise SettingsError(f"{file}: not written: {e.strerror}") from e
