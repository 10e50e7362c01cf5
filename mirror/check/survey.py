"""A whole site looked through as a cosigner must: roots, index, log, catalogue, every article.

The steps are those of `mirror.verify` and its siblings; here is only what is read for them, and
in what order. A step that fails is an outcome, and the rest goes on with what is left.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from mirror import verify
from mirror.check.holding import Held, bundles, consistency, hold
from mirror.check.pages import examine_one_of_many
from mirror.check.places import Place, maybe
from mirror.check.report import Found, Outcome
from mirror.errors import FetchError, FormatError, VerifyError
from mirror.formats import checkpoint, index, proof, root
from mirror.formats.encoding import HASH_SIZE
from mirror.formats.index import FAN_OUT, Index, Node, Ref, VoidItem, levels
from mirror.formats.paths import (
    CHECKPOINT,
    INDEX_PROOF,
    article_folder,
    bundle_path,
    revision_path,
    short_id,
    tile_path,
)
from mirror.formats.proof import Proof
from mirror.formats.record import Doc
from mirror.formats.root import Root
from mirror.verify import Checked, Confirmation, Trust, listing, roots
from mirror.verify.listing import Listed, Newest, Status


async def follow_roots(place: Place, start: Root) -> Root:
    """Return the newest root that `place` leads to from `start` (R2 to R6).

    What is not a valid next root is ignored: a mirror can keep a root from us, and no more.
    """
    found = start
    for _ in range(roots.MAX_ROOTS):
        data = await maybe(place, f"trust/{found.version + 1}.root.json", root.MAX_BYTES)
        try:
            found = roots.next_root(found, data or b"")
        except VerifyError:
            break
    return found


@dataclass(slots=True)
class Survey:
    """What was found so far in `place`; `look` fills it."""

    place: Place
    trust: Trust
    proof: bytes = b""
    newest: Newest | None = None
    listed: Listed | None = None
    held: Held | None = None
    titles: list[str] = field(default_factory=list)
    articles: list[Outcome] = field(default_factory=list)
    others: list[Outcome] = field(default_factory=list)
    vouched: set[str] = field(default_factory=set)
    revisions: int = 0

    @property
    def note(self) -> bytes:
        """The checkpoint, as shown, that the index was proved against; b"" if none was."""
        try:
            return Proof.parse(self.proof).checkpoint
        except FormatError:
            return b""

    async def look_at_index(self) -> None:
        """Look at the newest index, and at nothing that it names."""
        await self._step(INDEX_PROOF, self._find)
        if self.newest:
            await self._step("index", partial(self._list, self.newest))

    async def look(self) -> None:
        """Look through the whole site."""
        await self._step(INDEX_PROOF, self._find)
        if self.newest:
            await self._step("tile/entries", partial(self._hold, self.newest))
            await self._step("index", partial(self._list, self.newest))
            await self._step(CHECKPOINT, partial(self._head, self.newest))
        if self.held and self.listed:
            await self._step("catalogue", partial(self._audit, self.held, self.listed.index))
        if self.held:
            await self._tiles(self.held)
            await self._root()
            for leaf, doc in self.held.docs:
                await self._article(self.held, leaf, doc)

    async def _step(self, subject: str, step: Callable[[], Awaitable[Outcome]]) -> None:
        try:
            self.others.append(await step())
        except FetchError as e:
            self.others.append(Outcome(subject, "missing", str(e)))
        except VerifyError as e:
            self.others.append(Outcome(subject, e.verdict, e.detail))

    async def _find(self) -> Outcome:
        self.proof = await self.place.read(INDEX_PROOF, proof.MAX_BYTES)
        self.newest = listing.newest(self.proof, self.trust)
        self.vouched.add(INDEX_PROOF)
        return Outcome(INDEX_PROOF, "valid", confirmed_by=self.newest.checked.confirmed_by)

    async def _hold(self, newest: Newest) -> Outcome:
        self.held = await hold(self.place, newest.checked, self.trust)
        size = newest.checked.checkpoint.size
        self.vouched.update(bundle_path(*each) for each in bundles(size))
        return Outcome("tile/entries", "valid", f"{size} leaves")

    async def _list(self, newest: Newest) -> Outcome:
        document = Ref(newest.doc.length, newest.doc.sha256)
        data = await self.place.read(document.path, min(document.length, index.MAX_BYTES))
        shown = await consistency(self.place, newest.checked, self.trust)
        self.listed = found = listing.index(self.proof, data, self.trust, consistency=shown)
        self.vouched.add(document.path)
        if not newest.checked.time:
            who = "cosigners" if newest.checked.log.quorum else "clock"
            detail = f"no word of its {who} says when it was the newest, or this clock is slow"
            return Outcome("index", "stale", detail)
        if found.stale:
            return Outcome("index", "stale", f"last known to be the newest {found.age_s} s ago")
        return Outcome("index", "valid", f"{found.index.count} articles")

    async def _head(self, newest: Newest) -> Outcome:
        """Check the checkpoint; it is written before the index's proof and may be the newer."""
        data = await self.place.read(CHECKPOINT, checkpoint.MAX_BYTES)
        found, ours = verify.checkpoint(data, self.trust).checkpoint, newest.checked.checkpoint
        if found.origin != ours.origin or found.size < ours.size:
            return Outcome(CHECKPOINT, "behind", f"{found.size} leaves of {found.origin}")
        if found.size == ours.size and found.root != ours.root:
            return Outcome(CHECKPOINT, "fork", f"two trees of {ours.size} leaves")
        self.vouched.add(CHECKPOINT)
        return Outcome(CHECKPOINT, "valid", f"{found.size} leaves")

    async def _audit(self, held: Held, listed: Index) -> Outcome:
        n = 0
        top = levels(listed.count) - 1
        async for start, node in self._nodes(listed.catalogue, top, 0):
            n = held.audit.check_items(start, node.items)
            self.titles += ["" if isinstance(item, VoidItem) else item.title for item in node.items]
        held.audit.check(listed, listed=n)
        return Outcome("catalogue", "valid", "is what the log says")

    async def _nodes(
        self, refs: Sequence[Ref], level: int, start: int
    ) -> AsyncIterator[tuple[int, Node]]:
        """Yield each node of level 0 below `refs`, with the number of its first article."""
        step = FAN_OUT ** (level + 1)
        for number, ref in enumerate(refs):
            data = await self.place.read(ref.path, min(ref.length, index.MAX_BYTES))
            node = listing.node(data, ref, level=level)
            self.vouched.add(ref.path)
            first = start + number * step
            if level == 0:
                yield first, node
            else:
                async for below in self._nodes(node.nodes, level - 1, first):
                    yield below

    async def _root(self) -> None:
        found = self.trust.root
        path = f"trust/{found.version}.root.json"
        if await maybe(self.place, path, root.MAX_BYTES) == bytes(found):
            self.vouched.add(path)

    async def _tiles(self, held: Held) -> None:
        for (level, n), tile in held.tiles.items():
            path = tile_path(level, n, len(tile) // HASH_SIZE)
            data = await maybe(self.place, path, len(tile))
            if data == tile:
                self.vouched.add(path)
            else:
                verdict: Found = "missing" if data is None else "tampered"
                self.others.append(Outcome(path, verdict, "not the hashes of the log's leaves"))

    async def _article(self, held: Held, leaf: int, doc: Doc) -> None:
        path = revision_path(short_id(doc.id), doc.rev)
        here = held.audit.ids[doc.id]
        is_newest = here.doc_leaf == leaf
        try:
            outcome = await self._revision(held, leaf, doc, path)
        except FetchError as e:
            if not is_newest:
                return  # an older revision need not be kept
            outcome = Outcome(path, "valid" if here.void else "missing", str(e))
        except VerifyError as e:
            outcome = Outcome(path, e.verdict, e.detail)
        if is_newest or outcome.verdict != "valid":
            status: Status = "withdrawn" if here.void else "current"
            title = self.titles[doc.n] if doc.n < len(self.titles) else ""
            self.articles.append(
                replace(
                    outcome,
                    status=status if is_newest else "superseded",
                    title=title,
                    rev=doc.rev,
                    leaf=leaf,
                    time=doc.time,
                )
            )

    async def _revision(self, held: Held, leaf: int, doc: Doc, path: str) -> Outcome:
        here = held.audit.ids[doc.id]
        # A withdrawn article's says so; a mirror may have it and not have removed the rest yet.
        is_newest = here.doc_leaf == leaf and not here.void
        copy = f"{article_folder(short_id(doc.id))}/index.html" if is_newest else None
        page = await examine_one_of_many(self.place, path, self.trust, doc=doc, copy=copy)
        found = page.believed
        if (found.doc, found.leaf) != (doc, leaf):
            raise VerifyError("wrong-article", f"the proof is of revision {found.doc.rev}")
        _check_same_log(held, found.checked)
        self.revisions += 1
        self.vouched.update(page.vouched)
        self.others += page.flaws
        confirmed = _confirmed(held, leaf, found.checked, self.trust)
        if page.lacks:
            return Outcome(path, "incomplete", f"not there: {', '.join(page.lacks)}", confirmed)
        return Outcome(path, "valid", confirmed_by=confirmed)


def _check_same_log(held: Held, checked: Checked) -> None:
    """Refuse a proof whose own tree is no earlier state of the log: its key signed two."""
    point, ours = checked.checkpoint, held.checked.checkpoint
    if point.origin != ours.origin or point.size > ours.size:
        return  # a closed log's, or newer than this index: nothing here to compare it with
    if held.root_at(point.size) != point.root:
        raise VerifyError("fork", f"the proof's tree of {point.size} leaves is not the log's")


def _confirmed(held: Held, leaf: int, checked: Checked, trust: Trust) -> Confirmation:
    """Return who confirms a leaf, which is in the tree of `checked` and in that of `held`."""
    if "quorum" in (checked.confirmed_by, held.checked.confirmed_by):
        return "quorum"
    seen = trust.seen
    if seen and seen.origin == held.checked.checkpoint.origin and leaf < seen.size:
        return "history"
    return checked.confirmed_by
