"""What the disk did to the tree, as one error, whatever its bytes look like by then."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mirror.errors import FormatError, StoreError

# A bit of a row makes a name no text, a number too large, a link no CID; one of a row's head, a
# text of bytes.
_SIGNS = (ValueError, LookupError, TypeError, zlib.error)


class DamagedError(StoreError):
    """The tree is not as it was written: little is known of it until it is built anew."""


@contextmanager
def told(site: Path, *, refuses: bool = False) -> Iterator[None]:
    """Tell by a DamagedError that what is read inside is damaged.

    Where paths come in, which it `refuses`, a FormatError may be of them, and stays one.
    """
    try:
        yield
    except _SIGNS as e:
        if refuses and isinstance(e, FormatError):
            raise
        raise DamagedError(f"{site}: the tree of its blocks: damaged: {e}") from e
