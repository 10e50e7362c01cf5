"""Which mirrors a reader knows, kept beside its memory of the log (`mirror.check.remember`).

One file, the memory's name and `.mirrors`, as JSON: addresses of every signed list that was ever
believed, and when each last worked (Unix seconds; 0 for never)::

    {"v":1,"mirrors":[["https://a.example/",1795363200],["https://b.example/",0]]}

At most 30 kB; no word of what was read. If lost, the root's mirrors are asked first again. Who
alters it sends a reader to mirrors of his choice, which can withhold and not forge.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from mirror.check import pinned
from mirror.check.remember import Memory, recall
from mirror.errors import FormatError, SettingsError, VerifyError
from mirror.files import write_durably
from mirror.formats.encoding import decode_json, encode_json, fields, is_int
from mirror.formats.index import MAX_MIRRORS

VERSION = 1
MAX_BYTES = 1 << 20


def trusted(root: Path | None, remember: Path | None) -> Memory:
    """Return what to start from: the root in the file `root`, or that of the memory.

    Raises:
        SettingsError: neither is there, or one is not readable.
        VerifyError: the root is not signed by its holders, or contradicts the memory.
    """
    if root is not None:
        return recall(remember, pinned(root))
    if remember is None:
        raise SettingsError("no root: --root FILE names the root.json that you trust")
    try:
        kept = Memory.parse(remember.read_bytes())
    except FileNotFoundError as e:
        said = "nothing is remembered yet: name the root.json that you trust with --root FILE"
        raise SettingsError(f"{remember}: {said}") from e
    except OSError as e:
        raise SettingsError(f"{remember}: not readable: {e.strerror}") from e
    except (FormatError, VerifyError) as e:
        raise SettingsError(f"{remember}: not what --remember wrote: {e}") from e
    return kept


def known_mirrors(remember: Path | None) -> dict[str, int]:
    """Return the mirrors that were remembered, each with when it last worked.

    Raises:
        SettingsError: the file is not readable, or holds something else.
    """
    if remember is None:
        return {}
    file = _beside(remember)
    try:
        return _parse(file.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as e:
        raise SettingsError(f"{file}: not readable: {e.strerror}") from e
    except FormatError as e:
        raise SettingsError(f"{file}: not what --remember wrote: {e}") from e


def keep_mirrors(
    remember: Path, known: Mapping[str, int], listed: Iterable[str], worked: Iterable[str], now: int
) -> None:
    """Write the mirrors of signed lists, those first that worked last; unlisted ones never.

    Raises:
        SettingsError: not written.
    """
    now_known = {**known, **{url: 0 for url in listed if url not in known}}
    now_known |= {url: now for url in worked if url in now_known}
    newest = sorted(now_known.items(), key=lambda pair: -pair[1])[:MAX_MIRRORS]
    shown = {"v": VERSION, "mirrors": [[url, at] for url, at in newest]}
    file = _beside(remember)
    try:
        write_durably(file, encode_json(shown) + b"\n")
    except OSError as e:
        raise SettingsError(f"{file}: not written: {e.strerror}") from e


def _beside(remember: Path) -> Path:
    return remember.with_name(f"{remember.name}.mirrors")


def _parse(data: bytes) -> dict[str, int]:
    if len(data) > MAX_BYTES:
        raise FormatError(f"mirrors: more than {MAX_BYTES} bytes")
    version, pairs = fields(decode_json(data), "v", "mirrors")
    if version != VERSION or not isinstance(pairs, list):
        raise FormatError("mirrors: of another version")
    found = {}
    for pair in pairs:
        match pair:
            case [str(url), int(at)] if is_int(at):
                found[url] = at
            case _:
                raise FormatError("mirrors: an address and a time were expected")
    return found
