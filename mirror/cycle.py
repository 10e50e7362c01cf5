"""One pass from source to site: poll, parse, decide, append, publish.

A feed or an entry that fails is a value in the outcome; only a state that could lead to a
fork, or a full disk, ends the cycle. What is not dealt with is not remembered as seen, so the
next cycle meets it again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from mirror import edition
from mirror.article.article import Article
from mirror.article.identity import Identity
from mirror.formats.paths import CHECKPOINT, INDEX_PROOF
from mirror.poll import Found, Poll, Poller, polls
from mirror.signer import Draft, Signer
from mirror.state import FeedState, State
from mirror.stores import Store, write
from mirror.threads import in_thread

ROUND = 256  # articles appended at once: a bundle's worth, some 15 MB of files at most
ARTICLE_BYTES = 40_000  # on disk beside its text: frame, signatures, proof, whole blocks
FILES_PER_BYTE = 3  # what a page needs on disk: itself, compressed forms, index.html again


@dataclass(slots=True)
class Summary:
    """What a cycle did, counted; `problems` and `warnings` are for the operator."""

    new: int = 0
    revised: int = 0
    unchanged: int = 0
    held: int = 0
    refused: int = 0
    feeds: int = 0
    feeds_unchanged: int = 0
    feeds_failed: int = 0
    log_size: int = 0
    stores: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a cycle works with; built once, by `build`."""

    poller: Poller
    signer: Signer
    site: Store

    @property
    def state(self) -> State:
        """The database, which both halves share."""
        return self.signer.state


async def run_cycle(
    desk: Desk, *, now: Callable[[], int], progress: Callable[[str], None] = lambda _: None
) -> Summary:
    """Poll every feed once and publish what is new; return what was done.

    Raises:
        StateError: to go on could sign a fork.
        StoreError: the site's folder or the database could not be written.
    """
    summary = Summary(feeds=len(desk.poller.sources))
    summary.warnings += desk.signer.check_root(now=now())
    desk.signer.check_not_behind(desk.site.name, await desk.site.get(CHECKPOINT))
    await publish(desk, now=now)  # what a crash left appended and unpublished
    async with aclosing(polls(desk.poller, progress)) as outcomes:
        async for some in outcomes:
            progress(f"{sum(len(poll.found) for poll in some)} entries")
            await _take(desk, some, summary, now=now)
    shown = await desk.site.get(INDEX_PROOF) or b""
    heads = await in_thread(edition.refreshed_files, desk.signer, now=now(), shown=shown)
    await write(desk.site, heads)
    await _collect_garbage(desk, now=now())
    summary.log_size = desk.state.log().size
    summary.stores[desk.site.name] = "written"
    return summary


async def publish(desk: Desk, *, now: Callable[[], int]) -> None:
    """Bring the site to where the log is; the same steps after a crash as without one.

    Raises:
        StoreError: something was not written; nothing refers to it yet.
    """
    log_state = desk.state.log()
    if log_state.published == log_state.size:
        return
    await write(desk.site, await in_thread(edition.unsigned_files, desk.signer))
    await in_thread(desk.signer.sign_checkpoint, now=now())
    await write(desk.site, await in_thread(edition.signed_files, desk.signer))
    await in_thread(desk.signer.mark_published, now=now())


async def _collect_garbage(desk: Desk, *, now: int) -> None:
    paths = desk.state.garbage(now)
    for path in paths:
        await desk.site.delete(path)
    if paths:
        await in_thread(_forget_garbage, desk.state, paths)


def _forget_garbage(state: State, paths: Sequence[str]) -> None:
    with state.transaction():
        state.forget_garbage(paths)


async def _take(
    desk: Desk, some: Sequence[Poll], summary: Summary, *, now: Callable[[], int]
) -> None:
    """Publish what some polls found, and remember what is dealt with."""
    for poll in some:
        summary.unchanged += poll.unchanged
        summary.feeds_unchanged += poll.same
        if poll.problem:
            summary.feeds_failed += 1
            summary.problems.append(poll.problem)
    found = [(poll.source.url, each) for poll in some for each in poll.found]
    dealt: dict[str, bytes] = {}
    for start in range(0, len(found), ROUND):
        batch = [
            (source, _undivided(desk.state, source, each))
            for source, each in found[start : start + ROUND]
        ]
        drafts = _drafts(desk, batch, summary)
        refused = await _append(desk, drafts, now=now) if drafts else {}
        _count(summary, drafts, refused)
        dealt |= {
            each.key: each.digest
            for _, each in batch
            if each.article and each.identity.id not in refused
        }
    await _add_aliases(desk, [(source, each) for source, each in found if each.key in dealt])
    # A validator kept too early would hide, behind a 304, what is still to be done.
    done = {
        poll.source.url: poll.seen
        for poll in some
        if poll.seen and all(each.key in dealt for each in poll.found)
    }
    await in_thread(_keep_dealt, desk.state, dealt, done)


def _keep_dealt(state: State, dealt: Mapping[str, bytes], feeds: Mapping[str, FeedState]) -> None:
    with state.transaction():
        state.put_seen(dealt)
        for url, feed in feeds.items():
            state.put_feed(url, feed)


async def _append(
    desk: Desk, drafts: Sequence[Draft], *, now: Callable[[], int]
) -> Mapping[bytes, str]:
    size = sum(len(block.encode()) for draft in drafts for block in draft.article.blocks)
    await desk.site.reserve(size * FILES_PER_BYTE + len(drafts) * ARTICLE_BYTES)
    refused = await in_thread(desk.signer.append, drafts, now=now())
    await publish(desk, now=now)
    return refused


def _count(summary: Summary, drafts: Iterable[Draft], refused: Mapping[bytes, str]) -> None:
    for draft in drafts:
        problem = refused.get(draft.identity.id)
        if problem:
            summary.refused += 1
            summary.problems.append(problem)
        elif draft.held:
            summary.revised += 1
        else:
            summary.new += 1


def _drafts(desk: Desk, found: Iterable[tuple[str, Found]], summary: Summary) -> list[Draft]:
    drafts: dict[bytes, Draft] = {}
    taken: set[str] = set()  # two feeds polled together may name one new article differently
    configured = {source.url for source in desk.poller.sources}
    for source, each in found:
        if each.article is None:
            summary.held += each.held
            summary.refused += not each.held
            summary.problems.append(each.problem)
            continue
        draft = _decide(desk.state, each.article, each.identity, source, configured)
        id_ = draft.held.id if draft and draft.held else each.identity.id
        if draft is None or id_ in drafts or not taken.isdisjoint(each.identity.keys):
            summary.unchanged += 1
        else:
            drafts[id_] = draft
            taken.update(each.identity.keys)
    return list(drafts.values())


def _undivided(state: State, source: str, found: Found) -> Found:
    """Return `found`, refused if its names are two articles': a revision would join them."""
    keys = [key for key in found.identity.keys if key.startswith(("guid ", "link "))]
    known = {held.n for held in (state.find([key]) for key in keys) if held}
    if found.article is None or len(known) < 2:
        return found
    problem = f"{source}: {found.article.url}: its guid and its link are two articles'"
    return replace(found, article=None, problem=problem)


async def _add_aliases(desk: Desk, found: Sequence[tuple[str, Found]]) -> None:
    """Let new addresses of known articles lead to them, for the database and for readers.

    Only an article's own feed gives it new names: another could claim what is yet to come.
    """
    aliases: dict[int, list[str]] = {}
    pages: dict[str, bytes] = {}
    for source, each in found:
        held = desk.state.find(each.identity.keys)
        new = [key for key in each.identity.keys if desk.state.find([key]) is None]
        if held and held.source == source and new:
            aliases.setdefault(held.n, []).extend(new)
            if any(key.startswith("link ") for key in new):
                pages |= desk.signer.alias_pages(held, each.identity)
    # The page first: a crash between the two is mended by the next cycle.
    await write(desk.site, pages)
    if aliases:
        await in_thread(_keep_aliases, desk.state, aliases)


def _keep_aliases(state: State, aliases: Mapping[int, Sequence[str]]) -> None:
    with state.transaction():
        for n, keys in aliases.items():
            state.add_aliases(n, keys)


def _decide(
    state: State, article: Article, identity: Identity, source: str, configured: Iterable[str]
) -> Draft | None:
    """Return what to publish: a new article, a revision, or nothing."""
    held = state.find(identity.keys)
    if held is None:
        return Draft(article, identity, source, None)
    # Two feeds may carry one article in two forms; only its first feed revises it, or each
    # cycle would publish both forms again.
    if held.digest == article.digest or (held.source != source and held.source in configured):
        return None
    return Draft(article, identity, source, held)
