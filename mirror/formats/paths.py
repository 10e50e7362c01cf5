"""The paths of a site, which of them change, and the order in which they are written.

Formats README, section 3. No path carries a readable word: `a/b/c/d/<17 characters>/1.html`.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum

from mirror.errors import FormatError
from mirror.formats.tlog import WIDTH

CHECKPOINT = "checkpoint"
INDEX_PROOF = "index.tlog-proof"
PROOF = ".tlog-proof"
DIFF = ".diff.html"
ID_SIZE = 20  # characters of base32: 100 bits of the id

_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_ARTICLE = re.compile(r"a/([a-z2-7])/([a-z2-7])/([a-z2-7])/([a-z2-7]{17})/([^/]+)", re.ASCII)
_REVISION = re.compile(r"[1-9][0-9]{0,15}(?:-[1-9][0-9]{0,4})?\.html(?:\.minisig|\.sig)?", re.ASCII)
_PICTURE = re.compile(r"[0-9a-f]{64}\.webp", re.ASCII)
_CHANGES = re.compile(r"[1-9][0-9]{0,15}\.diff\.html(?:\.minisig|\.sig)?", re.ASCII)


class Stage(IntEnum):
    """When a path is written: what it refers to is in an earlier stage."""

    DOCUMENT = 0
    BUNDLE = 1
    TILE = 2
    PROOF = 3
    PAGE = 4
    CHECKPOINT = 5
    INDEX = 6


def check_path(path: str) -> str:
    """Return `path` if a site may hold it: ASCII, relative, no part that begins with a dot.

    Raises:
        FormatError: anything else, `..` and a leading slash among it.
    """
    if not is_path(path):
        raise FormatError(f"path: not one of a site: {path!r:.100}")
    return path


def is_path(path: str) -> bool:
    """Return whether a site may hold `path`."""
    return _PATH.fullmatch(path) is not None


def short_id(id_: bytes) -> str:
    """Return the 20 characters of an id (32 bytes) that stand in paths and items."""
    return base64.b32encode(id_).decode().lower()[:ID_SIZE]


def article_folder(short: str) -> str:
    """Return the folder of an article from its short id, without a slash at the end."""
    return f"a/{short[0]}/{short[1]}/{short[2]}/{short[3:]}"


def short_of(path: str) -> str | None:
    """Return the short id of the article that `path` belongs to, if it belongs to one."""
    match = _ARTICLE.fullmatch(path)
    return "".join(match.groups()[:4]) if match else None


def revision_path(short: str, rev: int, *, part: int = 1) -> str:
    """Return the path of a part, counted from 1, of a revision."""
    name = f"{rev}.html" if part == 1 else f"{rev}-{part}.html"
    return f"{article_folder(short)}/{name}"


def diff_path(short: str, rev: int) -> str:
    """Return the path of the page for people that shows what a revision changed."""
    return f"{article_folder(short)}/{rev}{DIFF}"


def tile_path(level: int, n: int, width: int) -> str:
    """Return the path of a tile; `width` is how many of its 256 hashes there are."""
    return f"tile/{level}/{_numbered(n, width)}"


def bundle_path(n: int, width: int) -> str:
    """Return the path of an entry bundle; `width` is how many of its 256 records there are."""
    return f"tile/entries/{_numbered(n, width)}"


def _numbered(n: int, width: int) -> str:
    digits = f"{n % 1000:03}"
    while n := n // 1000:
        digits = f"x{n % 1000:03}/{digits}"
    return digits if width == WIDTH else f"{digits}.p/{width}"


def is_head(path: str) -> bool:
    """Return whether the bytes at `path` change from round to round.

    Immutable are revisions, their signatures and what they changed, pictures, index documents,
    tiles and roots. A proof may be replaced by any valid proof of the same record.
    """
    match = _ARTICLE.fullmatch(path)
    if match:
        return not any(kind.fullmatch(match[5]) for kind in (_REVISION, _PICTURE, _CHANGES))
    if path.startswith(("index/", "tile/")):
        return False
    return not (path.startswith("trust/") and path.endswith(".root.json"))


def stage(path: str) -> Stage:
    """Return when in a round `path` is written."""
    if path in _LAST:
        return _LAST[path]
    if path.startswith("tile/entries/"):
        return Stage.BUNDLE
    if path.startswith("tile/"):
        return Stage.TILE
    if path.endswith(PROOF):
        return Stage.PROOF
    return Stage.PAGE if is_head(path) else Stage.DOCUMENT


_LAST = {CHECKPOINT: Stage.CHECKPOINT, INDEX_PROOF: Stage.INDEX}


def in_write_order(paths: Iterable[str]) -> Iterator[list[str]]:
    """Yield `paths` in batches, one per stage: a batch is durable before the next begins."""
    batches: Mapping[Stage, list[str]] = {each: [] for each in Stage}
    for path in paths:
        batches[stage(path)].append(path)
    return (sorted(batch) for batch in batches.values() if batch)
