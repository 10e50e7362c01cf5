"""One pass from source to site: poll, parse, decide, append, publish.

A feed or an entry that fails is a value in the outcome; only a state that could lead to a
fork, or a full disk, ends the cycle. What is not dealt with is not remembered as seen, so the
next cycle meets it again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field

from mirror import decide, edition
from mirror.agenda import Agenda
from mirror.dag import Dag
from mirror.formats.paths import CHECKPOINT
from mirror.hold import FULL, Hold, Proposal
from mirror.poll import Found, Poll, Poller, Source, polls
from mirror.press import Press
from mirror.signer import Draft, Signer
from mirror.state import FeedState, State
from mirror.stores import Store
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
    waiting: int = 0
    """How many are not signed yet, after this cycle."""
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
    interval_s: int = 900
    """Between two polls of a feed."""
    delay_s: int = 0
    """What is new waits so long before it is signed."""
    dag: Dag | None = None

    @property
    def press(self) -> Press:
        """What writes the site."""
        return Press(self.signer, self.site, self.dag)

    @property
    def agenda(self) -> Agenda:
        """When each feed is due."""
        return Agenda(self.state.db)

    @property
    def hold(self) -> Hold:
        """What waits, and what the operator said about it."""
        return Hold(self.state.db)

    def rules(self) -> decide.Rules:
        """Return what is decided by now: the operator may change it at any time."""
        configured = {source.url for source in self.poller.sources}
        return decide.Rules.at_present(self.state, self.hold, configured, delay_s=self.delay_s)

    @property
    def state(self) -> State:
        """The database, which both halves share."""
        return self.signer.state


def to_do(desk: Desk, *, now: int) -> list[Source] | None:
    """Return the feeds that are to be asked now; None if a cycle would do nothing at all."""
    urls = [source.url for source in desk.poller.sources]
    due = set(desk.agenda.due(urls, now=now, interval_s=desk.interval_s))
    log = desk.state.log()
    waits = log.published < log.size or (log.size and now - log.cosigned >= edition.REFRESH_S)
    waits = waits or desk.hold.is_due(now=now, delay_s=desk.delay_s)
    sources = [source for source in desk.poller.sources if source.url in due]
    return sources if sources or waits else None


async def run_cycle(
    desk: Desk,
    *,
    now: Callable[[], int],
    due: Sequence[Source] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Poll the feeds that are `due`, or all, and publish what is new; return what was done.

    Raises:
        StateError: to go on could sign a fork.
        StoreError: the site's folder or the database could not be written.
    """
    due = desk.poller.sources if due is None else due
    summary = Summary(feeds=len(due))
    summary.warnings += await _begin(desk, now=now)
    await _publish_waiting(desk, summary, delay_s=None, now=now)
    async with aclosing(polls(desk.poller, due, progress)) as outcomes:
        async for some in outcomes:
            progress(f"{sum(len(poll.found) for poll in some)} entries")
            await _take(desk, some, summary, now=now)
    # After the polls: what they bring may correct what is due.
    await _publish_waiting(desk, summary, delay_s=desk.delay_s, now=now)
    await _end(desk, summary, now=now())
    return summary


async def _begin(desk: Desk, *, now: Callable[[], int]) -> list[str]:
    """Go on from where the last cycle was, if that may be; return what the operator should know."""
    warnings = desk.signer.check_root(now=now())
    desk.signer.check_not_behind(desk.site.name, await desk.site.get(CHECKPOINT))
    await publish(desk, now=now)  # what a crash left appended and unpublished
    await desk.press.settle()
    return warnings


async def _end(desk: Desk, summary: Summary, *, now: int) -> None:
    """Do what is done once, whatever came of the feeds; keep what there is to tell."""
    await desk.press.refresh(now=now)
    summary.waiting = desk.hold.count()
    summary.log_size = desk.state.log().size
    summary.stores[desk.site.name] = "written"
    await in_thread(_keep_summary, desk, summary, now=now)
    await desk.press.tidy(now=now)  # the last: what can not be removed is in the way of nothing


def _keep_summary(desk: Desk, summary: Summary, *, now: int) -> None:
    with desk.state.transaction():
        desk.agenda.note("cycle", asdict(summary), now=now)


async def publish(desk: Desk, *, now: Callable[[], int]) -> None:
    """Bring the site to where the log is."""
    await desk.press.publish(now=now)


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
        dealt |= await _round(desk, found[start : start + ROUND], summary, now=now)
    # A validator kept too early would hide, behind a 304, what is still to be done.
    done = {
        poll.source.url: poll.seen
        for poll in some
        if poll.seen and all(each.key in dealt for each in poll.found)
    }
    await in_thread(_keep_dealt, desk, some, dealt, done, now=now())


async def _round(
    desk: Desk, found: Sequence[tuple[str, Found]], summary: Summary, *, now: Callable[[], int]
) -> dict[str, bytes]:
    """Publish some of what was found, or let it wait; return the entries that are dealt with."""
    rules = desk.rules()
    batch = [(source, decide.undivided(rules, source, each)) for source, each in found]
    for _, each in batch:
        if each.article is None:
            summary.held += each.held
            summary.refused += not each.held
            summary.problems.append(each.problem)
    decisions, unchanged = decide.decide_all(rules, batch)
    summary.unchanged += unchanged
    drafts = [each for each in decisions if isinstance(each, Draft)]
    refused = await _append(desk, drafts, now=now) if drafts else {}
    _count(summary, drafts, refused)
    waiting = {each.identity.id for each in decisions if isinstance(each, Proposal)}
    left = await in_thread(decide.let_wait, rules, decisions, batch, now=now())
    if left and FULL not in summary.problems:
        summary.problems.append(FULL)
    dealt = [
        (source, each)
        for source, each in batch
        if each.article and each.identity.id not in left and each.identity.id not in refused
    ]
    await _add_aliases(desk, [each for each in dealt if each[1].identity.id not in waiting])
    return {each.key: each.digest for _, each in dealt}


async def _publish_waiting(
    desk: Desk, summary: Summary, *, delay_s: int | None, now: Callable[[], int]
) -> None:
    """Append what need not wait any longer: the approved, and what is due after `delay_s`.

    Decided again: a crash may have come between its publication and its removal from here.
    """
    rules = desk.rules()
    await in_thread(desk.hold.put_back)
    try:
        while some := await in_thread(desk.hold.take, now=now(), delay_s=delay_s, most=ROUND):
            proposals, drafts = decide.decide_again(rules, some)
            made = list(drafts.values())
            refused = await _append(desk, made, now=now) if made else {}
            _count(summary, made, refused)
            await desk.press.put(decide.other_addresses(desk.signer, proposals.values()))
            await in_thread(decide.settle, rules, proposals, drafts, refused)
    finally:
        await in_thread(desk.hold.put_back)


def _keep_dealt(
    desk: Desk,
    some: Sequence[Poll],
    dealt: Mapping[str, bytes],
    feeds: Mapping[str, FeedState],
    *,
    now: int,
) -> None:
    with desk.state.transaction():
        desk.state.put_seen(dealt)
        for url, feed in feeds.items():
            desk.state.put_feed(url, feed)
        for poll in some:
            desk.agenda.put_asked(
                poll.source.url, now=now, interval_s=desk.interval_s, problem=poll.problem
            )


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


async def _add_aliases(desk: Desk, found: Sequence[tuple[str, Found]]) -> None:
    """Let new addresses of known articles lead to them, for the database and for readers.

    Only an article's own feed gives it new names: another could claim what is yet to come.
    """
    aliases, pages = decide.new_names(desk.signer, found)
    # The page first: a crash between the two is mended by the next cycle.
    await desk.press.put(pages)
    if aliases:
        await in_thread(_keep_aliases, desk.state, aliases)


def _keep_aliases(state: State, aliases: Mapping[int, Sequence[str]]) -> None:
    with state.transaction():
        for n, keys in aliases.items():
            state.add_aliases(n, keys)
