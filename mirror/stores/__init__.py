"""Stores: the places that the operator writes the site to. The protocol and the write order."""

from collections.abc import Mapping
from typing import Protocol

from mirror.formats.paths import in_write_order


class Store(Protocol):
    """A place that readers can fetch from. Implementations share one test suite."""

    name: str
    """For logs and summaries, e.g. `dir:/srv/mirror`."""

    async def put(self, path: str, data: bytes) -> None:
        """Keep `data` under `path`; readers see it, and it is durable, once `flush` returned.

        Putting the same bytes again succeeds. Only heads, and proofs, may change. A place at which
        a look costs as much as a put has the last bytes: what is put is always the site's own.

        Raises:
            StoreError: not kept, or other bytes were kept there before. Either may
                be said by `flush` instead.
        """

    async def get(self, path: str) -> bytes | None:
        """Return what is kept under `path`, or None.

        Raises:
            StoreError: the place does not answer.
        """

    async def delete(self, path: str) -> None:
        """Keep nothing under `path` any more, once `flush` returned; it is no error if nothing was.

        Raises:
            StoreError: the place does not answer or refuses.
        """

    async def names(self, folder: str) -> list[str]:
        """Return the paths of all files that are right in `folder`.

        Raises:
            StoreError: the place does not answer.
        """

    async def flush(self) -> None:
        """Return when everything put so far survives a power cut.

        Called once per batch and always before the checkpoint, because a
        signed head must never outlive what it refers to.
        """

    async def reserve(self, size: int) -> None:
        """Return if there is, as far as the place can tell, room for `size` more bytes.

        Raises:
            StoreError: there is not; called before anything is signed.
        """


async def write(store: Store, changes: Mapping[str, bytes]) -> None:
    """Write `changes` in the order in which a reader may see them, each batch durable.

    Raises:
        StoreError: something was not kept; nothing of a later batch was written.
    """
    # Heads last: a reader who sees the new checkpoint must find all it refers to. Where a flush
    # is seen as a whole, as a commit is, all are one: hosts build their pages at each push.
    whole = getattr(store, "whole", False)
    for batch in [sorted(changes)] if whole else in_write_order(changes):
        for path in batch:
            await store.put(path, changes[path])
        await store.flush()
