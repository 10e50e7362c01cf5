"""Where the log becomes a site: what is written when, and what is noted of it.

The order of writes is the promise: what a checkpoint refers to first, the heads last. After a
crash the same steps are taken again, with the same bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mirror import edition
from mirror.dag import Dag
from mirror.errors import StoreError
from mirror.formats.paths import INDEX_PROOF
from mirror.pages.feeds import JSON_FEED
from mirror.signer import Signer
from mirror.stores import Store, write
from mirror.threads import in_thread


@dataclass(frozen=True, slots=True)
class Press:
    """The log's writer, the place that is written first, and the tree of that place's blocks."""

    signer: Signer
    site: Store
    dag: Dag | None = None

    async def publish(self, *, now: Callable[[], int]) -> None:
        """Bring the site to where the log is; the same steps after a crash as without one.

        Raises:
            StoreError: something was not written; nothing refers to it yet.
        """
        log = self.signer.state.log()
        if log.published == log.size:
            return
        files = await in_thread(edition.unsigned_files, self.signer)
        await write(self.site, files)
        await in_thread(self.signer.sign_checkpoint, now=now())
        held = await self._held()
        signed = await in_thread(edition.signed_files, self.signer, held)
        await write(self.site, signed)
        await in_thread(self._mark_published, {**files, **signed}, now=now())

    async def refresh(self, *, now: int) -> None:
        """Let the clock say that nothing is newer, if it is time; mend what a crash left."""
        shown = await self.site.get(INDEX_PROOF) or b""
        await self.put(await in_thread(edition.refreshed_files, self.signer, now=now, shown=shown))

    async def put(self, heads: Mapping[str, bytes]) -> None:
        """Write pages or heads that belong to no round."""
        if heads:
            if self.dag:
                await in_thread(self.dag.doubt, heads)
            await write(self.site, heads)
            await in_thread(self._record, heads)

    async def tidy(self, *, now: int) -> None:
        """Remove what nothing published has referred to for long enough.

        The tree forgets it first: what it has, the folder has, also after a crash.

        Raises:
            StoreError: some of it is still there; tried again, and in the way of nothing else.
        """
        paths = self.signer.state.garbage(now)
        if not paths:
            return
        await in_thread(self._record, dict.fromkeys(paths))
        removed, problems = [], []
        for path in paths:
            try:
                await self.site.delete(path)
                removed.append(path)
            except StoreError as e:
                problems.append(e)
        await in_thread(self._forget, removed)
        if problems:
            raise problems[0]

    async def settle(self, *, progress: Callable[[str], None] = lambda _: None) -> None:
        """Have the tree be that of the site's folder, whatever a crash left."""
        if self.dag is None:
            return
        if not self.dag.built():
            steps = self.dag.rebuilding(progress)
            while await in_thread(next, steps, False) is None:
                pass  # a daemon that is told to stop does so between two steps
        log = self.signer.state.log()
        if log.published == log.size:  # a checkpoint may be there whose round is not recorded
            await in_thread(self.dag.look_again)

    async def _held(self) -> Mapping[str, bytes]:
        """Return what the site has of what its pages and feeds show anew."""
        shown = await self.site.get(JSON_FEED)
        paths = await in_thread(edition.wanted, self.signer, shown)
        found = {path: await self.site.get(path) for path in sorted(paths)} | {JSON_FEED: shown}
        return {path: data for path, data in found.items() if data is not None}

    def _mark_published(self, files: Mapping[str, bytes], *, now: int) -> None:
        state = self.signer.state
        with state.transaction():
            if self.dag:
                self.dag.apply(files)
            state.mark_published(state.log().size, now=now)

    def _record(self, files: Mapping[str, bytes | None]) -> None:
        if self.dag:
            with self.signer.state.transaction():
                self.dag.apply(files)

    def _forget(self, paths: Sequence[str]) -> None:
        with self.signer.state.transaction():
            self.signer.state.forget_garbage(paths)
