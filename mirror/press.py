"""Where the log becomes a site: what is written when, and what is noted of it.

The order of writes is the promise: what a checkpoint refers to first, the heads last. After a
crash the same steps are taken again, with the same bytes.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from mirror import edition
from mirror.article.article import Article
from mirror.article.render.readback import read_back
from mirror.dag import Dag, DamagedError
from mirror.errors import FormatError, StoreError
from mirror.formats.paths import INDEX_PROOF, article_folder, revision_path, short_id
from mirror.formats.url import article_id
from mirror.hold import Hold
from mirror.pages.feeds import JSON_FEED
from mirror.recheck import Rechecks
from mirror.signer import Signer
from mirror.state import ArticleState
from mirror.stores import Store, write
from mirror.threads import in_thread
from mirror.withdrawal import Withdrawals

logger = logging.getLogger(__name__)

DAMAGED = "the tree of the site's blocks is damaged, and built anew by the next cycle: %s"


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
        if paths:
            removed, problems = await self._delete(paths)
            await in_thread(self._forget, removed)
            if problems:
                raise problems[0]

    async def withdraw(self, *, now: Callable[[], int]) -> list[str]:
        """Take away what the operator ordered to; return what could not be removed yet, and why.

        The log says it first, then the site's heads, then the files go: after a crash each step
        is taken again, and finds done what is done. What stays is in the way of nothing else.

        Raises:
            StoreError: the log or the site could not be written.
        """
        orders = Withdrawals(self.signer.state.db)
        pending = await in_thread(orders.pending)
        if not pending:
            return []
        await in_thread(self._drop_edits, [short for short, _ in pending])
        await in_thread(self.signer.withdraw, pending, now=now())
        await self.publish(now=now)
        kept: list[str] = []
        for short, _ in pending:
            removed, problems = await self._delete(await self._remains(short))
            await in_thread(self._forget, removed)
            kept += map(str, problems)
            if not problems and not await self._remains(short):
                await in_thread(self._mark_done, short, now=now())
        return kept

    async def last_revision(self, held: ArticleState) -> Article | None:
        """Return an article as the site has it in its newest revision, if it can be read back."""
        parts: list[bytes] = []
        while page := await self.site.get(revision_path(held.short, held.rev, part=len(parts) + 1)):
            parts.append(page)
        return await in_thread(read_back, parts)

    async def _remains(self, short: str) -> list[str]:
        """Return what the site has of an article: its folder, but for the page that says so.

        And the pages at its other addresses, and old index documents that have its title.
        """
        folder, orders = article_folder(short), Withdrawals(self.signer.state.db)
        found = set(await self.site.names(folder)) - {f"{folder}/index.html"}
        for link in await in_thread(orders.links, short):
            other = short_id(article_id(link))
            if not self.signer.state.holder(other):
                found |= set(await self.site.names(article_folder(other)))
        for path in await in_thread(orders.old_documents):
            data = await self.site.get(path)
            if data is None or short.encode() in data:  # a crash may have left a form of it
                found.add(path)
        return sorted(found)

    async def _delete(self, paths: Sequence[str]) -> tuple[list[str], list[StoreError]]:
        """Remove files; return which are gone. The tree forgets them first."""
        await in_thread(self._record, dict.fromkeys(paths))
        removed, problems = [], []
        for path in paths:
            try:
                await self.site.delete(path)
                removed.append(path)
            except StoreError as e:
                problems.append(e)
        return removed, problems

    async def settle(self, *, progress: Callable[[str], None] = lambda _: None) -> None:
        """Have the tree be that of the site's folder, whatever a crash left."""
        if self.dag is None:
            return
        log = self.signer.state.log()
        if log.published == log.size:  # a checkpoint may be there whose round is not recorded
            await in_thread(self._look_again, self.dag)
        if not self.dag.built():
            steps = self.dag.rebuilding(progress)
            while await in_thread(next, steps, False) is None:
                pass  # a daemon that is told to stop does so between two steps

    async def _held(self) -> Mapping[str, bytes]:
        """Return what the site has of what its pages and feeds show anew."""
        shown = await self.site.get(JSON_FEED)
        paths = await in_thread(edition.wanted, self.signer, shown)
        found = {path: await self.site.get(path) for path in sorted(paths)} | {JSON_FEED: shown}
        return {path: data for path, data in found.items() if data is not None}

    def _mark_published(self, files: Mapping[str, bytes], *, now: int) -> None:
        state = self.signer.state
        with state.transaction():
            self._apply(files)
            state.mark_published(state.log().size, now=now)

    def _record(self, files: Mapping[str, bytes | None]) -> None:
        with self.signer.state.transaction():
            self._apply(files)

    def _apply(self, files: Mapping[str, bytes | None]) -> None:
        """Have the tree hold a change; a damaged one, in which none can be made, is forgotten."""
        if self.dag:
            try:
                self.dag.apply(files)
            except (FormatError, DamagedError) as e:
                logger.warning(DAMAGED, e)
                self.dag.forget()

    def _look_again(self, dag: Dag) -> None:
        try:
            dag.look_again()
        except (FormatError, DamagedError) as e:
            logger.warning(DAMAGED, e)
            with self.signer.state.transaction():
                dag.forget()

    def _drop_edits(self, shorts: Collection[str]) -> None:
        """Let no edit of these wait, and none be looked for: it is the same article's text."""
        state = self.signer.state
        hold, rechecks = Hold(state.db), Rechecks(state.db)
        with state.transaction():
            hold.drop([each.n for short in shorts if (each := hold.find((), short))])
            for short in shorts:
                rechecks.forget(short)

    def _mark_done(self, short: str, *, now: int) -> None:
        state = self.signer.state
        with state.transaction():
            # Not before what is withdrawn: by that time a later revision is told from it.
            Withdrawals(state.db).mark_done([short], now=max(now, state.log().time))

    def _forget(self, paths: Sequence[str]) -> None:
        with self.signer.state.transaction():
            self.signer.state.forget_garbage(paths)
