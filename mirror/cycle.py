"""One pass from source to site: poll, parse, decide, append, publish.

A feed or an entry that fails is a value in the outcome; only a state that could lead to a
fork, or a full disk, ends the cycle. What is not dealt with is not remembered as seen, so the
next cycle meets it again.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import asdict, replace

from mirror import decide
from mirror.desk import Desk, Summary, relist
from mirror.errors import MirrorError
from mirror.formats.encoding import encode_time
from mirror.formats.paths import CHECKPOINT
from mirror.hold import FULL, Proposal, Waiting
from mirror.memory import Outcome
from mirror.poll import Found, Poll, Source, polls
from mirror.signer import Draft
from mirror.state import State
from mirror.threads import in_thread

ROUND = 256  # articles appended at once: a bundle's worth, some 15 MB of files at most
ARTICLE_BYTES = 40_000  # on disk beside its text: frame, signatures, proof, whole blocks
FILES_PER_BYTE = 3  # what a page needs on disk: itself, compressed forms, index.html again


async def run_cycle(
    desk: Desk,
    *,
    now: Callable[[], int],
    due: Sequence[Source] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Poll the feeds that are `due`, or all, and publish what is new; return what was done.

    The pages whose time has come are asked again, too, and archives that were ordered go on by a
    step each.

    Raises:
        StateError: to go on could sign a fork.
        StoreError: the site's folder or the database could not be written.
    """
    due = desk.poller.sources if due is None else due
    summary = Summary(feeds=len(due))
    summary.warnings += await _begin(desk, now=now)
    await relist(desk, now=now)  # readers wait for a mirror that works, and feeds may be slow
    summary.problems += await desk.press.withdraw(now=now)
    await _publish_waiting(desk, summary, delay_s=None, now=now)
    await _poll(desk, due, summary, progress, now=now)
    # After the polls: what they bring may correct what is due.
    await _publish_waiting(desk, summary, delay_s=desk.delay_s, now=now)
    await _end(desk, summary, now=now())
    return summary


async def _poll(
    desk: Desk,
    due: Sequence[Source],
    summary: Summary,
    progress: Callable[[str], None],
    *,
    now: Callable[[], int],
) -> None:
    """Ask for all that is due, and publish what is new as it comes in."""
    plans, orders = desk.memory.rechecks(now=now()), desk.memory.orders(now=now())
    polled = polls(desk.poller, due, progress, now=now(), rechecks=plans, orders=orders)
    async with _leased(desk, due, now=now) as asked, aclosing(polled) as outcomes:
        async for some in outcomes:
            progress(f"{sum(len(poll.found) for poll in some)} entries")
            await _take(desk, some, summary, now=now)
            await relist(desk, now=now)
            asked.update(poll.source.url for poll in some if poll.answer)


@asynccontextmanager
async def _leased(
    desk: Desk, due: Sequence[Source], *, now: Callable[[], int]
) -> AsyncIterator[set[str]]:
    """Note that feeds are being asked; for those that were not, all is as before, but for crashes.

    One whose server asked to be left alone is so, though an operator broke off what asked it.
    """
    leases = await in_thread(desk.memory.lease, due, now=now())
    asked: set[str] = set()
    try:
        yield asked
    finally:
        with suppress(MirrorError):  # what ended the cycle is what there is to tell
            await in_thread(desk.memory.release, [each for each in leases if each.url not in asked])


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
    summary.waiting, summary.quarantined = desk.hold.count(), desk.memory.quarantine.count()
    summary.log_size = desk.state.log().size
    summary.stores[desk.site.name] = "written"
    await in_thread(_keep_summary, desk, summary, now=now)
    await desk.press.tidy(now=now)  # the last: what can not be removed is in the way of nothing


def _keep_summary(desk: Desk, summary: Summary, *, now: int) -> None:
    with desk.state.transaction():
        desk.agenda.note("cycle", asdict(summary), now=now)
        desk.agenda.alert(summary.warnings, now=now)


async def publish(desk: Desk, *, now: Callable[[], int]) -> None:
    """Bring the site to where the log is."""
    await desk.press.publish(now=now)


async def _take(
    desk: Desk, some: Sequence[Poll], summary: Summary, *, now: Callable[[], int]
) -> None:
    """Publish what some polls found, and remember what is dealt with."""
    _count_polls(summary, some)
    found = [
        (poll.source.url, await _last_seen(desk, each, now=now()))
        for poll in some
        for each in poll.found
        if await in_thread(desk.memory.is_current, each)
    ]
    summary.late += sum(each.late for _, each in found)
    outcomes: list[Outcome] = []
    for start in range(0, len(found), ROUND):
        outcomes += await _round(desk, found[start : start + ROUND], summary, now=now)
    # A validator kept too early would hide, behind a 304, what is still to be done.
    left = {each.found.key for each in outcomes if each.left}
    done = [poll for poll in some if not any(each.key in left for each in poll.found)]
    await in_thread(desk.memory.keep, some, outcomes, done, now=now())


def _count_polls(summary: Summary, some: Iterable[Poll]) -> None:
    for poll in some:
        summary.unchanged += poll.unchanged
        summary.feeds_unchanged += poll.same
        summary.rechecked += sum(each.recheck is not None for each in poll.found)
        if poll.problem:
            summary.feeds_failed += poll.order is None
            summary.problems.append(poll.problem)


async def _last_seen(desk: Desk, found: Found, *, now: int) -> Found:
    """Return `found`; where its page was removed, with the last revision, marked so."""
    if not found.missing or found.recheck is None:
        return found
    source = found.recheck.source
    if not await in_thread(desk.memory.is_gone, found, now=now):
        many = await in_thread(desk.memory.many_missing, source)
        alert = f"{source}: many of its pages are not there: none is marked as removed"
        return replace(found, alert=alert) if many else found
    held = desk.state.find(found.identity.keys)
    article = await desk.press.last_revision(held) if held and not held.void else None
    if article is None or article.gone:
        return found
    return replace(found, article=replace(article, gone=encode_time(now)[:10]), problem="")


async def _round(
    desk: Desk, found: Sequence[tuple[str, Found]], summary: Summary, *, now: Callable[[], int]
) -> list[Outcome]:
    """Publish some of what was found, or let it wait; return what came of each."""
    rules = desk.rules(now=now())
    batch, decisions, unchanged = await in_thread(_decided, rules, found)
    summary.unchanged += unchanged
    drafts = [each for each in decisions if isinstance(each, Draft)]
    refused = await _append(desk, drafts, now=now) if drafts else {}
    _count(summary, drafts, refused)
    waiting = {each.identity.id for each in decisions if isinstance(each, Proposal)}
    left = await in_thread(decide.let_wait, rules, decisions, batch, now=now())
    if left and FULL not in summary.problems:
        summary.problems.append(FULL)
    decided = {each.identity.id for each in (*drafts, *decisions) if not isinstance(each, Waiting)}
    outcomes = [
        Outcome(
            source,
            each,
            refused.get(each.identity.id, each.problem),
            left=each.late or each.identity.id in left,
            decided=each.identity.id in decided,
        )
        for source, each in batch
    ]
    _count_troubles(summary, outcomes)
    dealt = [(each.source, each.found) for each in outcomes if each.dealt]
    await _add_aliases(desk, [each for each in dealt if each[1].identity.id not in waiting])
    return outcomes


def _decided(
    rules: decide.Rules, found: Sequence[tuple[str, Found]]
) -> tuple[list[tuple[str, Found]], list[decide.Decision], int]:
    """Return what was found, what to do with it, and how many are nothing new.

    In a thread: names are looked up in the database, three times for each of 256 articles.
    """
    batch = [(source, decide.undivided(rules, source, each)) for source, each in found]
    return batch, *decide.decide_all(rules, batch)


def _count_troubles(summary: Summary, outcomes: Iterable[Outcome]) -> None:
    for each in outcomes:
        found = each.found
        if found.alert and found.alert not in summary.warnings:
            summary.warnings.append(found.alert)
        if found.article is None and found.problem and found.recheck is None:
            summary.held += found.held
            summary.refused += not found.held
            summary.problems.append(found.problem)


async def _publish_waiting(
    desk: Desk, summary: Summary, *, delay_s: int | None, now: Callable[[], int]
) -> None:
    """Append what need not wait any longer: the approved, and what is due after `delay_s`.

    Decided again: a crash may have come between its publication and its removal from here.
    """
    rules = desk.rules(now=now())
    await in_thread(desk.hold.put_back)
    try:
        while some := await in_thread(desk.hold.take, now=now(), delay_s=delay_s, most=ROUND):
            proposals, drafts = await in_thread(decide.decide_again, rules, some)
            made = list(drafts.values())
            refused = await _append(desk, made, now=now) if made else {}
            _count(summary, made, refused)
            await desk.press.put(decide.other_addresses(desk.signer, proposals.values()))
            await in_thread(decide.settle, rules, proposals, drafts, refused)
    finally:
        await in_thread(desk.hold.put_back)


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
    aliases, pages = await in_thread(decide.new_names, desk.signer, found)
    # The page first: a crash between the two is mended by the next cycle.
    await desk.press.put(pages)
    if aliases:
        await in_thread(_keep_aliases, desk.state, aliases)


def _keep_aliases(state: State, aliases: Mapping[int, Sequence[str]]) -> None:
    with state.transaction():
        for n, keys in aliases.items():
            state.add_aliases(n, keys)
