"""The site on an IPFS node: the blocks that it lacks, a pin, and a look at what it then shows.

The node is replaceable: all CIDs are computed here, and what it holds can be sent again. Nothing
counts as published that was not read back from it over another path than it went in.

Table `ipfs`, a row a node: the root that it was seen to show (`root`, as of `generation`, `at`),
the one being pinned (`aim`), up to which generation it has all blocks (`sent`), and how far the
import of a newer one (`target`) got (`after`). If lost, all is sent again.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from mirror.dag import ChangedError, Dag
from mirror.database import Database
from mirror.errors import StoreError
from mirror.formats.cid import Cid
from mirror.stores.ipfs.control import Control
from mirror.stores.ipfs.rpc import Rpc
from mirror.threads import in_thread
from mirror.withdrawal import Withdrawals

OLDEST = (0, 40)  # before it, Kubo does not know `unixfs-v1-2025`
COLLECT_EVERY_S = 24 * 3600
AGAIN_S = 3600  # after it failed, where something was withdrawn: the node walks all that it pins

_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})\b", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Held:
    """What is known of the node: its row."""

    peer: str = ""
    root: bytes | None = None
    generation: int = 0
    at: int = 0
    aim: bytes | None = None
    sent: int = 0
    target: int = 0
    after: str | None = None
    collected: int = 0


class IpfsStore:
    """A Kubo node that follows the site; `api` is the operator's, so it may be a private address.

    `secret` is the value of the header `Authorization`, as in `API.Authorizations`. The database
    is one of its own, opened beside the daemon's: it writes while the daemon may, too.
    """

    def __init__(
        self,
        dag: Dag,
        db: Database,
        *,
        api: str,
        gateway: str = "",
        secret: str = "",
        timeout_s: float = 60.0,
        now: Callable[[], int],
    ) -> None:
        self.name = f"ipfs:{api}"
        self._dag = dag
        self._db = db
        self._gateway = gateway.rstrip("/")
        self._control = Control(api, name=self.name, secret=secret, timeout_s=timeout_s)
        self._rpc = Rpc(api, name=self.name, secret=secret, timeout_s=timeout_s)
        self._now = now
        self._lock = asyncio.Lock()
        self._orders = Withdrawals(db)
        self._failed = -AGAIN_S
        self._collected: int | None = None
        """When what was collected was done: by a clock that may have run ahead."""

    async def follow(self) -> str:
        """Bring the node to the present root; return its CID when the node has shown it.

        What was sent before an error is not sent again.

        Raises:
            StoreError: the node does not answer, refuses, lies, or is full; or the site changes
                meanwhile. To be tried again.
        """
        async with self._lock:
            held = await self._recognized(await in_thread(self._load))
            try:
                held, generation, root = await self._send(held)
            except ChangedError as e:  # where no round goes on, the next cycle looks at it
                await in_thread(self._dag.doubt, [e.path])
                raise
            if held.root != bytes(root):
                held = await self._keep(replace(held, aim=bytes(root)))
                await self._pin(held, root)
            await self._read_back(held, root)
            now = self._now()
            await self._keep(
                replace(held, root=bytes(root), generation=generation, at=now, aim=None)
            )
            return str(root)

    async def collect(self) -> int | None:
        """Have the node remove what no pin leads to; never during a `follow`.

        Once a day, and as soon as the node shows a site from which an article was withdrawn.
        Return when (Unix seconds) to come again, None if only by the day.

        Raises:
            StoreError: the node does not answer or refuses.
        """
        async with self._lock:
            # In this order: an order that is done was done in the generation that is then read.
            done = await in_thread(self._orders.newest_done)
            waits = bool(await in_thread(self._orders.pending))
            held, now = await in_thread(self._load), self._now()
            if not held.root or held.generation != await in_thread(self._dag.generation):
                return None  # what it still pins would stay, and pass for collected
            withdrawn = done is not None and done >= held.collected and done != self._collected
            if withdrawn and 0 <= now - self._failed < AGAIN_S:
                return self._failed + AGAIN_S
            # Not less often after a clock that ran ahead.
            if withdrawn or not 0 <= now - held.collected < COLLECT_EVERY_S:
                await self._collect(held, at=held.collected if withdrawn else now)
                self._collected = done
            return now if waits else None

    async def _collect(self, held: _Held, *, at: int) -> None:
        """Have the node collect; until it has, it counts as done `at`."""
        now = self._failed = self._now()
        # Before it is asked: what was imported and not pinned goes, also where no answer comes,
        # and an hour of waiting in vain is not repeated at once.
        reset = replace(held, sent=held.generation, target=0, after=None)
        await self._keep(replace(reset, collected=at))
        await self._control.collect()
        await self._keep(replace(reset, collected=now))
        self._failed = -AGAIN_S

    async def has(self, cid: Cid) -> bool:
        """Return whether the node itself has a block, whatever keeps it there.

        Raises:
            StoreError: the node does not answer or refuses.
        """
        return await self._control.has(cid)

    async def pinned_by(self, cid: Cid) -> str:
        """Return the root of the pin, somebody's, that keeps a block on the node; "" if none does.

        Raises:
            StoreError: the node does not answer or refuses.
        """
        return await self._control.pinned_by(cid)

    async def _recognized(self, held: _Held) -> _Held:
        """Return what the node is known to have, after a look at whether it is still so."""
        version = await self._control.version()
        found = _VERSION.match(version)
        if not found or tuple(map(int, found.groups())) < OLDEST:
            detail = f"it is {version:.40}, at least {OLDEST[0]}.{OLDEST[1]} is needed: update it"
            raise StoreError(f"{self.name}: too old: {detail}")
        peer = await self._control.peer()
        if held.peer != peer:
            await self._keep(_Held(peer))
            if held.peer:
                detail = f"peer {held.peer} was there, now {peer}: the next round sends all"
                raise StoreError(f"{self.name}: another repository: {detail}")
            return _Held(peer)
        for root in (held.root, held.aim):
            if root and await self._control.is_pinned(Cid.decode(root)):
                return replace(held, root=root)
        if not held.root:
            return held
        return await self._keep(_Held(peer, collected=held.collected))

    async def _send(self, held: _Held) -> tuple[_Held, int, Cid]:
        """Have the node take what it lacks; return also the generation and root that it now has."""
        while True:
            generation, root = await in_thread(self._dag.head)
            if held.sent == generation:
                return held, generation, root
            if held.sent > generation:  # the database is an older copy
                held = replace(held, sent=0, target=0, after=None)
            if not held.target or held.target > generation:
                held = await self._keep(replace(held, target=generation, after=None))
            batches = self._dag.batches_since(held.sent, after=held.after)
            while batch := await in_thread(next, batches, None):
                await self._rpc.put(root, batch.blocks)
                held = await self._keep(replace(held, after=batch.place))
            held = await self._keep(replace(held, sent=held.target, target=0, after=None))

    async def _pin(self, held: _Held, root: Cid) -> None:
        try:
            await self._rpc.pin(Cid.decode(held.root) if held.root else None, root)
        except StoreError:
            # It may lack blocks, tidied up by somebody: sent again. What was pinned is still.
            await self._keep(replace(held, sent=held.generation, aim=held.aim))
            raise

    async def _read_back(self, held: _Held, root: Cid) -> None:
        """Refuse a node that does not show what it was given.

        Raises:
            StoreError: the root's block, the checkpoint or a page is another, or not shown.
        """
        wanted = {"": root, **await in_thread(self._dag.sample, held.generation)}
        for path, cid in wanted.items():
            where = f"{root}/{path}" if path else str(root)
            if self._gateway:
                shown = await self._rpc.shown(
                    self._gateway, where if path else f"{root}?format=raw"
                )
            elif path:
                shown = await self._control.file(f"/ipfs/{where}")
            else:
                shown = await self._control.block(root)
            if Cid.of(shown, codec=cid.codec) != cid:
                raise StoreError(
                    f"{self.name}: /ipfs/{where}: it shows other bytes than it was given"
                )

    def _load(self) -> _Held:
        query = "SELECT peer, root, generation, at, aim, sent, target, after, collected FROM ipfs"
        row = self._db.row(f"{query} WHERE name=?", (self.name,))
        return _Held(*row) if row else _Held()

    async def _keep(self, held: _Held) -> _Held:
        await in_thread(self._save, held)
        return held

    def _save(self, held: _Held) -> None:
        values = (held.peer, held.root, held.generation, held.at, held.aim)
        more = (held.sent, held.target, held.after, held.collected)
        with self._db.transaction():
            statement = "INSERT OR REPLACE INTO ipfs VALUES(?,?,?,?,?,?,?,?,?,?)"
            self._db.execute(statement, (self.name, *values, *more))
