"""The site's folder as the tree sees it: regular files under paths that a site may have.

What else lies there is left out, and said: a link may lead to a secret, a pipe keeps its reader
waiting, and one file that is not readable is no reason to publish nothing.
"""

import errno
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from mirror.errors import FormatError, StoreError
from mirror.formats.cid import DAG_PB, Buffer, Cid
from mirror.formats.paths import check_path
from mirror.formats.unixfs import CHUNK, Link, file_blocks

logger = logging.getLogger(__name__)

SAID = 20  # of what is left out; the rest is counted
_TWINS = (".gz", ".br")  # beside the site's files, no part of it


class ChangedError(StoreError):
    """The file `path` is not the one that the tree was made of, or not yet the one."""

    def __init__(self, site: Path, path: str) -> None:
        super().__init__(f"{site}/{path}: not what was published: a round goes on?")
        self.path = path


class LeftOut:
    """Says what is left out, and why, without a line for each of a million."""

    def __init__(self, site: Path) -> None:
        self._site = site
        self._count = 0

    def say(self, what: str) -> None:
        """Say so, if not too much was said already."""
        self._count += 1
        if self._count <= SAID:
            logger.warning("%s: left out of the tree: %s", self._site, what)

    def end(self) -> None:
        """Say how many were not named."""
        if self._count > SAID:
            logger.warning("%s: left out of the tree: %d more", self._site, self._count - SAID)


def paths(site: Path, left_out: LeftOut) -> Iterator[str]:
    """Yield the paths of a site's folder, folder by folder."""

    def unreadable(e: OSError) -> None:
        if not isinstance(e, FileNotFoundError):  # no site yet
            left_out.say(f"{e.filename!r:.100}: not read: {e.strerror}")

    for folder, below, names in os.walk(site, onerror=unreadable):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name).relative_to(site).as_posix()
            try:
                if not path.endswith(_TWINS):
                    yield check_path(path)
            except FormatError as e:
                left_out.say(str(e))


def opened(site: Path, path: str) -> BinaryIO:
    """Open a file of the site to read it.

    Raises:
        OSError: it is not there, not readable, or no regular file.
    """
    file = open(site / path, "rb", opener=_no_link)  # noqa: SIM115 - a Path has no opener
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "no regular file")
    return file


def chunk(site: Path, path: str, n: int) -> bytes | None:
    """Return the bytes of a file's leaf number `n`, as they are now, or None."""
    with suppress(OSError), opened(site, path) as file:
        file.seek(n * CHUNK)
        return file.read(CHUNK)
    return None


def blocks_of(site: Path, path: str, link: Link) -> Iterator[tuple[Cid, Buffer]]:
    """Yield the blocks of the file to which the tree has `link`.

    Raises:
        ChangedError: it is another, or not there.
    """
    found = None
    with suppress(OSError, FormatError), opened(site, path) as file:
        for block in file_blocks(iter(partial(file.read, CHUNK), b"")):
            found = block.link
            if link.cid.codec == DAG_PB or found == link:
                yield found.cid, block.data
    if found != link:
        raise ChangedError(site, path)


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
