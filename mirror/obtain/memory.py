"""Which mirrors a reader knows, kept beside its memory of the log (`mirror.check.remember`).

One file, the memory's name and `.mirrors`, as JSON: addresses of the last signed list that was
believed, and of the root, and when each last worked (Unix seconds; 0 for never). Those that ever
worked stand before those that never did; of either, who failed last stands at the end::

    {"v":1,"mirrors":[["https://a.example/",1795363200],["https://b.example/",0]]}

At most 30 kB; no word of what was read. If lost, the root's mirrors are asked first again. Who
alters it sends a reader to mirrors of his choice, which can withhold and not forge.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from mirror.check import pinned
from mirror.check.remember import Memory, recall
from mirror.errors import FormatError, SettingsError, VerifyError
from mirror.files import write_durably
from mirror.formats.encoding import decode_json, encode_json, fields, is_int
from mirror.formats.index import MAX_MIRRORS
from mirror.obtain.race import AT_ONCE

VERSION = 1
MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Run:
    """What one run showed of mirrors, by their addresses.

    `listed` are those of the index that was believed; None if none was. Who lied, or showed what is
    old, is among the `failed`.
    """

    listed: Collection[str] | None
    root: Collection[str]
    worked: Collection[str]
    failed: Collection[str]


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


def in_turn(urls: Collection[str], known: Mapping[str, int]) -> list[str]:
    """Return whom to ask first: two that worked last, then one that never did, one that did.

    A mirror of the newest list must not wait for all whom earlier ones named: those that worked
    once are silent now, where they were blocked one after the other.
    """
    new = [url for url in urls if url not in known]
    old = [url for url in known if url in urls]
    worked = [url for url in old if known[url]]
    others = [*new, *(url for url in old if not known[url])]
    pairs = zip_longest(others, worked[AT_ONCE:])
    return [*worked[:AT_ONCE], *(url for pair in pairs for url in pair if url is not None)]


def learnt(known: Mapping[str, int], run: Run, now: int) -> dict[str, int]:
    """Return the mirrors to remember: of the last list and the root, and known ones that worked.

    Without a list, all that were known. One that was only named by the reader is never among them.
    The newest list goes before all else where there are too many.
    """
    if run.listed is None:
        due = [*known, *run.root]
    else:
        due = [*run.listed, *run.root, *(url for url in known if url in run.worked)]
    kept = dict.fromkeys(list(dict.fromkeys(due))[:MAX_MIRRORS], 0)
    times = {url: now if url in run.worked else known.get(url, 0) for url in kept}
    new = [url for url in kept if url not in known]
    old = [url for url in known if url in kept]
    order = sorted(
        [*new, *old],
        key=lambda url: (not times[url], url not in run.worked, url in run.failed),
    )
    return {url: times[url] for url in order}


def keep_mirrors(remember: Path, mirrors: Mapping[str, int]) -> None:
    """Write what `learnt` returned.

    Raises:
        SettingsError: not written.
    """
    shown = {"v": VERSION, "mirrors": [[url, at] for url, at in mirrors.items()]}
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
