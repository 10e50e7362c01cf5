"""One place is asked itself whether it still has an article: a store, an address, an IPFS node.

What is not said clearly is not believed: a page of other bytes, an answer that does not come, a
listing without the page that stands in the article's stead may all be of a place that has it.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, Protocol

from mirror.article.render.parts import MAX_RAW_BYTES
from mirror.database import Database
from mirror.errors import FetchError, StoreError
from mirror.fetch import Fetcher
from mirror.formats.cid import RAW, Cid
from mirror.formats.note import Note
from mirror.formats.paths import article_folder, revision_path, short_id
from mirror.formats.record import Doc, Void, parse
from mirror.formats.url import article_id
from mirror.state import ArticleState, State
from mirror.stores import Store
from mirror.withdrawal import Withdrawals

MOST_PAGES = 5
"""The newest are asked for by name: each costs a connection at some places. What removed these
removed the rest, and a listing, or the node's own collection, knows all."""
HOUR_S = 3600
OTHER = "is not the page that says that it was withdrawn"

Answer = Literal["removed", "not yet", "not confirmed"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a place answered, in words; `left` are the paths of the article that it lists."""

    answer: Answer
    detail: str
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What is to be nowhere: all but `notice` in an article's folder, and all at `aliases`.

    `pages` are the SHA-256 of the newest revisions' first parts, by path, the newest first. `stead`
    are the bytes of `notice` as our own site has them.
    """

    folder: str
    aliases: tuple[str, ...]
    pages: Mapping[str, bytes]
    stead: bytes

    @property
    def notice(self) -> str:
        """The page that says that the article was withdrawn; before, it was its newest one."""
        return f"{self.folder}/index.html"

    def is_page(self, data: bytes) -> bool:
        """Return whether these are the bytes of one of its pages."""
        return hashlib.sha256(data).digest() in self.pages.values()

    def says_so(self, data: bytes) -> bool:
        """Return whether these are the bytes of `notice`.

        All else may show the article: an old revision, one that was altered on its way.
        """
        return data == self.stead

    @classmethod
    def of(cls, db: Database, held: ArticleState, stead: bytes) -> "Withdrawn":
        """Return what there was of an article, as the log and its addresses tell."""
        state = State(db)
        shorts = (short_id(article_id(link)) for link in Withdrawals(db).links(held.short))
        aliases = tuple(article_folder(each) for each in shorts if not state.holder(each))
        docs = islice(_docs(state, held.leaf), MOST_PAGES)
        pages = {revision_path(held.short, held.rev): held.sha256}  # also where a closed log has it
        pages |= {revision_path(held.short, doc.rev): doc.sha256 for doc in docs}
        return cls(article_folder(held.short), aliases, pages, stead)


def _docs(state: State, leaf: int | str | None) -> Iterator[Doc]:
    """Yield an article's revisions from its newest record back; those of a closed log are not."""
    while isinstance(leaf, int):
        [data] = state.records(leaf, leaf + 1)
        record = parse(Note.parse(data).text)
        if isinstance(record, Doc):
            yield record
        leaf = record.prev if isinstance(record, Doc | Void) else None


async def ask_store(store: Store, gone: Withdrawn) -> Seen:
    """Return what a store lists, and gives, of an article."""
    try:
        left = [path for path in await store.names(gone.folder) if path != gone.notice]
        for folder in gone.aliases:
            left += await store.names(folder)
        if left:
            return Seen("not yet", f"it lists {some(left)}", tuple(left))
        for path in gone.pages:
            if await store.get(path) is not None:
                return Seen("not yet", f"it does not list {path}, and gives it", (path,))
        notice = await store.get(gone.notice)
    except StoreError as e:
        return Seen("not confirmed", str(e))
    return _seen(notice, gone)


def _seen(notice: bytes | None, gone: Withdrawn) -> Seen:
    """Return what a store that has nothing else of an article has in its stead."""
    if notice is None:
        what = f"it gives nothing of it, nor {gone.notice}, which stands in its stead"
        return Seen("not confirmed", f"{what}: is this the place that is written to?")
    if gone.is_page(notice):  # it is not removed: the notice is to be written there
        return Seen("not yet", f"{gone.notice} is still the article")
    if not gone.says_so(notice):
        return Seen("not confirmed", f"{gone.notice} {OTHER}: look at it there")
    return Seen("removed", "it lists and gives nothing of it")


def some(paths: Sequence[str]) -> str:
    """Return the first of some paths, and how many more there are."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"


async def ask_address(fetcher: Fetcher, address: str, gone: Withdrawn) -> Seen:
    """Return what readers get of an article at a public address, which ends in a slash."""
    for path in (*gone.pages, gone.notice):
        try:
            found = await fetcher.get(address + path, max_bytes=2 * MAX_RAW_BYTES, cut=True)
        except FetchError as e:
            if e.kind in ("missing", "gone"):
                continue
            return Seen("not confirmed", str(e))
        if found and gone.is_page(found.body):
            return Seen("not yet", f"{path}: readers get it still{_cached(found.max_age_s)}")
        if path != gone.notice or not found or not gone.says_so(found.body):
            what = OTHER if path == gone.notice else "answers with other bytes than were there"
            return Seen("not confirmed", f"{path}: {what}: look at it with a browser")
    return Seen("removed", "readers get none of it")


def _cached(max_age_s: int) -> str:
    """Return how long a cache may go on so, which nothing in an answer tells from the place."""
    if not max_age_s:
        return ""
    hours = -(-max_age_s // HOUR_S)
    long = f"{hours} hours" if hours > 1 else "an hour"
    return f", perhaps out of a cache, which may keep it for {long} or longer: empty that cache"


class Node(Protocol):
    """An IPFS node, as `IpfsStore` asks it."""

    async def has(self, cid: Cid) -> bool:
        """Return whether the node itself has a block."""

    async def pinned_by(self, cid: Cid) -> str:
        """Return the root of the pin that keeps a block; "" if none does."""


async def ask_node(node: Node, gone: Withdrawn) -> Seen:
    """Return what a node has of an article in its own repository, whoever else has it."""
    try:
        for path, sha256 in gone.pages.items():
            cid = Cid(RAW, sha256)  # a part is never so long that it were several blocks
            if await node.has(cid):
                why = _kept(await node.pinned_by(cid))
                return Seen("not yet", f"it has {path}, which is {cid}: {why}")
    except StoreError as e:
        return Seen("not confirmed", str(e))
    return Seen("removed", "it has none of its blocks")


def _kept(pin: str) -> str:
    if pin:
        return f"pinned there by {pin}, which is not the site: `ipfs pin rm {pin}` there lets it go"
    return "no pin keeps it, and it is not collected yet"
