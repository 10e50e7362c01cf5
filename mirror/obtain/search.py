"""One search: the newest index of several mirrors', then the article that it has, or has not."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from mirror.check.lookup import item_of
from mirror.check.places import Place
from mirror.errors import FetchError, VerifyError
from mirror.formats.index import AnyItem, Item, VoidItem, levels
from mirror.formats.root import Root
from mirror.obtain import steps
from mirror.obtain.race import AT_ONCE, Answer, Race, Refused, Runner
from mirror.obtain.steps import Head, Promise
from mirror.verify import Trust, listing
from mirror.verify.listing import Listed, Status

LISTS = 5  # of one run: who makes a chain of mirrors, each a little newer, could go on for ever


@dataclass(frozen=True, slots=True)
class Article:
    """The page that was promised, which `by` gave."""

    promise: Promise
    page: Answer[bytes]


@dataclass(slots=True)
class Search:
    """For the article `wanted` (as in `verify.promised`; its path is that of `short`).

    `evidence` are checkpoints that cannot be true beside what was remembered.
    """

    race: Race
    trust: Trust
    short: str
    wanted: bytes | str
    listed: Answer[Listed] | None = None
    head: Head | None = None
    item: AnyItem | None = None
    is_searched: bool = False
    """The whole catalogue was read, and does not have the article."""
    evidence: list[tuple[str, bytes]] = field(default_factory=list)

    async def look_at_index(self, join: Callable[[Iterable[str]], None]) -> None:
        """Find the newest index; `join` is told of the mirrors in it and in the root.

        Who first answers may have an older list, and a mirror of the newer one a newer one still:
        those that each list brings are asked too, until two show the same.

        Raises:
            VerifyError: `fork`: two mirrors show two histories, both signed.
        """
        heads, new = list[Answer[Head]](), list[Runner]()
        for _ in range(LISTS):
            heads = self._judged(_one_each([*heads, *await self._heads(new)]))
            await self._believe(heads)
            new = self._joined(join)
            if not new or self._is_agreed(heads):
                break
        self._note_late(heads)

    def _joined(self, join: Callable[[Iterable[str]], None]) -> list[Runner]:
        """Let the mirrors of the newest list and of the root take part; return the new ones."""
        known = set(self.race.runners)
        listed = self.listed.value.index.mirrors if self.listed else ()
        join([*(each.url for each in listed), *self.trust.root.mirrors])
        return [each for each in self.race.runners if each not in known]

    def _is_agreed(self, heads: list[Answer[Head]]) -> bool:
        """Return whether two mirrors show the newest of these: one alone could withhold."""
        fresh = [each.value for each in heads if steps.is_fresh(each.value.newest, self.trust)]
        sizes = [_size(each.value) for each in heads]
        return sum(_size(each) == max(sizes) for each in fresh) >= AT_ONCE

    async def _heads(self, prefer: Iterable[Runner]) -> list[Answer[Head]]:
        """Ask two mirrors: one alone could withhold what is new, and nobody would know."""
        return await self.race.ask(
            "index",
            self._ask_head,
            enough=AT_ONCE,
            counts=lambda head: steps.is_fresh(head.newest, self.trust),
            prefer=prefer,
        )

    async def _believe(self, heads: list[Answer[Head]]) -> None:
        """Take the newest index whose document is to be had, and none that no longer holds."""
        if self.head and self.head.proof not in {each.value.proof for each in heads}:
            self.head = self.listed = None
        for best in heads:
            if self.head is None or self.head.proof != best.value.proof:
                by = [each.by for each in heads if self._is_as_good(each.value, best.value)]
                step = partial(steps.listed, head=best.value, trust=self.trust)
                found = await self.race.first("index document", step, prefer=by)
                if found is None:
                    continue
                self.listed, self.head = found, best.value
            return

    def _is_as_good(self, head: Head, best: Head) -> bool:
        """Return whether who shows `head` knows of as much as who shows `best`."""
        is_fresh = steps.is_fresh(head.newest, self.trust)
        same = _size(head) == _size(best)
        return same and (is_fresh or not steps.is_fresh(best.newest, self.trust))

    async def _ask_head(self, place: Place) -> Head:
        root, proof = await steps.roots_and_proof(place, self.trust.root)
        self._adopt(root)
        if isinstance(proof, FetchError):
            raise proof
        return self._head(proof)

    def _adopt(self, root: Root) -> None:
        """Believe a newer root: its holders signed it, whoever brought it."""
        if root.version > self.trust.root.version:
            self.trust = Trust(root, self.trust.now, self.trust.seen)

    def _head(self, proof: bytes) -> Head:
        try:
            return Head(proof, listing.newest(proof, self.trust))
        except VerifyError as e:
            if e.verdict in ("fork", "rollback"):
                self.evidence.append((e.verdict, steps.note_of(proof)))
            raise

    def _judged(self, shown: list[Answer[Head]]) -> list[Answer[Head]]:
        """Return what still holds with the newest root that any mirror brought, newest first."""
        heads = []
        for each in shown:
            try:
                heads.append(Answer(each.by, self._head(each.value.proof)))
            except VerifyError as e:
                self.race.refuse(each.by, "index", e)
        heads.sort(key=lambda each: (-_size(each.value), -each.value.newest.checked.time))
        if heads:
            try:
                listing.largest(each.value.newest for each in heads)
            except VerifyError:
                self.evidence += [("fork", steps.note_of(each.value.proof)) for each in heads]
                raise
        return heads

    def _note_late(self, heads: list[Answer[Head]]) -> None:
        """Name the mirrors that withheld, or did not have, what another had."""
        best = self.head
        if best is None:
            return
        is_fresh = steps.is_fresh(best.newest, self.trust)
        for each in heads:
            sizes = f"{_size(each.value)} leaves, {_size(best)} elsewhere"
            if _size(each.value) < _size(best):
                self.race.refuse(each.by, "index", VerifyError("behind", sizes))
            elif is_fresh and not steps.is_fresh(each.value.newest, self.trust):
                age_s = self.trust.time - each.value.newest.checked.time
                late = VerifyError("stale", f"last known to be the newest {age_s} s ago")
                self.race.refuse(each.by, "index", late)

    async def find(self, *, even_withdrawn: bool) -> Article | None:
        """Return the article in its newest revision, or the newest that is to be had."""
        offers: list[Answer[Promise]] = []
        self.item = self._among_newest()
        if self.item is None:
            offers = await self._offered()
        newest = self.item
        if isinstance(newest, VoidItem) and not even_withdrawn:
            return None
        if isinstance(newest, Item) and not any(_rev(each) == newest.rev for each in offers):
            step = partial(steps.promise_of_item, item=newest, wanted=self.wanted, trust=self.trust)
            found = await self.race.first(f"revision {newest.rev}", step)
            offers = [found, *offers] if found else offers
        for offer in offers:
            page = await self._page(offer)
            if page:
                return Article(offer.value, page)
        return None

    def _among_newest(self) -> AnyItem | None:
        items = self.listed.value.index.newest if self.listed else ()
        return next((each for each in items if each.id == self.short), None)

    async def _offered(self) -> list[Answer[Promise]]:
        """Return what a mirror names as the newest revision, and set what the catalogue says."""
        step = partial(
            steps.promise_of_copy, short=self.short, wanted=self.wanted, trust=self.trust
        )
        offer = await self.race.first("article", step, at_once=1 if self.listed else AT_ONCE)
        if offer is None:
            self.item = await self._searched()
            return []
        self.item = await self._item(offer.value.believed.doc.n)
        try:
            self._compare(offer.value)
        except VerifyError as e:
            self.race.refuse(offer.by, "article", e)
            return []
        return [offer]

    async def _item(self, n: int) -> AnyItem | None:
        """Return what the catalogue says of article number `n`, if the index knows it."""
        if self.listed is None:
            return None
        found = await self.race.first(
            "catalogue", partial(item_of, listed=self.listed.value, n=n), prefer=[self.listed.by]
        )
        return found.value if found else None

    def _compare(self, promise: Promise) -> None:
        item = self.item
        if item is None:
            return
        if item.id != self.short:
            self.item = None
            raise VerifyError("not-in-log", f"index: article {item.n} is another one")
        if isinstance(item, Item) and item.rev == promise.believed.doc.rev:
            steps.check_item(promise.believed, item)

    async def _searched(self) -> AnyItem | None:
        """Look through a small catalogue for an article that no mirror shows.

        Was it withdrawn, or never published, or is it withheld? With more than 64 nodes to read,
        which are some 700 kB, that is not found out.
        """
        if self.listed is None or levels(self.listed.value.index.count) > 1:
            return None
        for ref in reversed(self.listed.value.index.catalogue):
            step = partial(steps.node, ref=ref)
            node = await self.race.first("catalogue", step, prefer=[self.listed.by])
            if node is None:
                return None
            for item in node.value.items:
                if item.id == self.short:
                    return item
        self.is_searched = True
        return None

    async def _page(self, offer: Answer[Promise]) -> Answer[bytes] | None:
        if offer.value.page is not None:
            return Answer(offer.by, offer.value.page)
        step = partial(steps.page, promised=offer.value)
        return await self.race.first("page", step, prefer=[offer.by])

    def status(self, promise: Promise) -> Status:
        """Return what has become of a revision since, as far as the index says (A5)."""
        return listing.status(promise.believed.doc, self.item)

    def refused(self) -> list[Refused]:
        """Return every answer that was not taken, in order, and the mirrors that gave none."""
        return self.race.refused + self.race.silent()


def _one_each(heads: list[Answer[Head]]) -> list[Answer[Head]]:
    """Return the first answer of each mirror: one that is asked again is still one mirror."""
    first: dict[Runner, Answer[Head]] = {}
    for each in heads:
        first.setdefault(each.by, each)
    return list(first.values())


def _size(head: Head) -> int:
    return head.newest.checked.checkpoint.size


def _rev(offer: Answer[Promise]) -> int:
    return offer.value.believed.doc.rev
