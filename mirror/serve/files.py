"""The files of a site folder as they are on the disk, read in threads.

The folder changes while it is served: files come by rename, the compressed forms of a path
before the plain file. A form is believed only if it unpacks to the plain file's very bytes.
"""

import errno
import hashlib
import os
import stat
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import brotli

from mirror.serve.headers import has_forms
from mirror.serve.manners import Manners

SUFFIXES = {"br": ".br", "gzip": ".gz", "identity": ""}

BEGINNING = 4_096  # bytes of a file in which a page's policy stands
PADDED = 12_000  # bytes to which a compressed form may be padded

Stamp = tuple[int, int, int]
"""Inode, time of the last change in nanoseconds, size: another file has another."""

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe does not hold us up
_FOLDER = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_FAILING = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Form:
    """A path in one coding, as it was when the files had these stamps.

    `plain` is the stamp of the plain file and `own` that of the form's, None without one. In
    a form that is `missing` nothing can be served; `data` is None if the file is too large to
    be kept, `digest` (of the plain bytes, hexadecimal) if it is too large to be hashed.
    """

    coding: str
    plain: Stamp
    own: Stamp | None
    missing: bool = True
    size: int = 0
    data: bytes | None = None
    digest: str | None = None
    beginning: bytes = b""


def stamp(file: str) -> Stamp | None:
    """Return the stamp of what is at `file`; of a link, its own."""
    try:
        found = os.lstat(file)
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def opened(site: str, path: str) -> int | None:
    """Return a descriptor of the file at `path`, None if there is none, or a link on the way.

    Raises:
        OSError: the disk fails, or too many files are open; the file may be there.
    """
    *folders, name = path.split("/")
    try:
        at = os.open(site, _FOLDER & ~os.O_NOFOLLOW)
        try:
            for folder in folders:
                below = os.open(folder, _FOLDER, dir_fd=at)
                os.close(at)
                at = below
            found = os.open(name, _OPEN, dir_fd=at)
        finally:
            os.close(at)
    except OSError as e:
        if e.errno in _FAILING:
            raise
        return None  # not there, a link, or a longer name than the disk takes
    if stat.S_ISREG(os.fstat(found).st_mode):
        return found
    os.close(found)
    return None


def stamp_of(descriptor: int) -> Stamp:
    """Return the stamp of an open file."""
    found = os.fstat(descriptor)
    return found.st_ino, found.st_mtime_ns, found.st_size


@dataclass(frozen=True, slots=True)
class _Plain:
    """A file's bytes, or only the first of them where it is too large to be hashed."""

    stamp: Stamp
    data: bytes
    whole: bool


def read_forms(site: str, path: str, codings: Sequence[str], manners: Manners) -> list[Form] | None:
    """Return `path` in the first of `codings` that can be served, after those that cannot.

    None if there is no such file.
    """
    plain = _plain(site, path, manners)
    if plain is None:
        return None
    digest = hashlib.sha256(plain.data).hexdigest() if plain.whole else None
    beginning = plain.data[:BEGINNING]
    forms = []
    for coding in codings:
        own, packed = _form(site, path, coding, plain)
        if packed is None:
            forms.append(Form(coding, plain.stamp, own))
            continue
        size = len(packed) if plain.whole else plain.stamp[2]
        kept = packed if plain.whole and size <= manners.max_cached_file_bytes else None
        forms.append(Form(coding, plain.stamp, own, False, size, kept, digest, beginning))
        break
    return forms


def _plain(site: str, path: str, manners: Manners) -> _Plain | None:
    descriptor = opened(site, path)
    if descriptor is None:
        return None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        found = stamp_of(descriptor)
        whole = found[2] <= manners.max_hashed_bytes
        data = file.read(found[2] if whole else BEGINNING)
    # Another length: written over while it was read, which no store does.
    return None if whole and len(data) != found[2] else _Plain(found, data, whole)


def _form(site: str, path: str, coding: str, plain: _Plain) -> tuple[Stamp | None, bytes | None]:
    """Return the stamp of a form, and its bytes if they belong to the plain file."""
    data = plain.data
    if coding == "identity":
        return None, data
    can_be = has_forms(path) and plain.whole
    descriptor = opened(site, path + SUFFIXES[coding]) if can_be else None
    if descriptor is None:
        return None, None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        own = stamp_of(descriptor)
        # One that is longer serves nobody; padding makes a short one longer, to PADDED.
        longest = max(len(data), PADDED)
        packed = file.read(longest + 1)
    if len(packed) > longest or _unpacked(packed, coding, len(data)) != data:
        return own, None
    return own, packed


def _unpacked(packed: bytes, coding: str, size: int) -> bytes | None:
    """Return what `packed` holds if that ends after `size` bytes."""
    with suppress(zlib.error, brotli.error):
        if coding == "gzip":
            unpacker = zlib.decompressobj(_GZIP)
            data = unpacker.decompress(packed, size + 1)
            return data if unpacker.eof and not unpacker.unused_data else None
        return _unbrotlied(packed, size)
    return None


def _unbrotlied(packed: bytes, size: int) -> bytes | None:
    unpacker = brotli.Decompressor()
    data: bytes = unpacker.process(packed, output_buffer_limit=size + 1)
    while not unpacker.is_finished() and len(data) <= size:
        more = unpacker.process(b"", output_buffer_limit=size + 1)
        if not more:
            return None
        data += more
    return data if unpacker.is_finished() else None
