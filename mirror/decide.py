"""What is to be done with what was found: publish it, let it wait, or leave it.

Decided against the database as it is, so that the same is decided again after a crash: what was
published is not published twice, and what waits is not proposed twice.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from mirror.article.article import Article
from mirror.article.identity import Identity
from mirror.formats.paths import short_id
from mirror.formats.url import article_id
from mirror.hold import Hold, Proposal, Waiting, is_too_soon
from mirror.poll import Found
from mirror.recheck.pictures import Pictures
from mirror.signer import Draft, Signer
from mirror.state import State

Decision = Draft | Proposal | Waiting
"""To be appended; to be kept waiting; waits, and was taken back."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a round is decided by."""

    state: State
    hold: Hold
    configured: Collection[str]
    """The feeds of the settings."""
    waits: bool
    """Something new waits, by the settings or by a switch."""
    quiet: bool
    """Nothing waits or was rejected: what would tell need not be asked."""
    now: int
    """In Unix seconds."""

    @property
    def pictures(self) -> Pictures:
        """Which pictures articles lack."""
        return Pictures(self.state.db)

    @classmethod
    def at_present(
        cls, state: State, hold: Hold, configured: Collection[str], *, delay_s: int, now: int
    ) -> "Rules":
        """Return the rules as the operator has them now."""
        switches = hold.switches()
        waits = delay_s > 0 or switches.holding is not None or switches.stopped is not None
        return cls(state, hold, configured, waits, not waits and hold.is_quiet(), now)


def undivided(rules: Rules, source: str, found: Found) -> Found:
    """Return `found`, refused if its names are two articles': a revision would join them."""
    keys = [key for key in found.identity.keys if key.startswith(("number ", "guid ", "link "))]
    known = {short for short in (_known(rules, key) for key in keys) if short}
    if found.article is None or len(known) < 2:
        return found
    problem = f"{source}: {found.article.url}: its guid and its link are two articles'"
    return replace(found, article=None, problem=problem)


def _known(rules: Rules, key: str) -> str:
    held = rules.state.find([key]) or (None if rules.quiet else rules.hold.find([key]))
    return held.short if held else ""


def decide(rules: Rules, article: Article, identity: Identity, source: str) -> Decision | None:
    """Return what to do with an article as its feed `source` has it now, if anything."""
    draft = to_publish(rules, article, identity, source)
    held = draft.held if draft else None
    # What was withdrawn comes back on the operator's word alone.
    withdrawn = bool(held and held.void)
    soon = bool(held and is_too_soon(rev=held.rev, time=held.time, now=rules.now))
    if rules.quiet and not withdrawn and not soon:
        return draft
    held = held if draft else rules.state.find(identity.keys)
    short = held.short if held else short_id(identity.id)
    waiting = rules.hold.find(identity.keys, short)
    if waiting and waiting.source != source and waiting.source in rules.configured:
        return None  # as with what is published: its first feed speaks for it
    if draft is None:
        completes = waiting and waiting.digest == article.digest and not waiting.published
        return None if completes else waiting
    proposal = Proposal(article, identity, source, waiting.short if waiting else short, withdrawn)
    return _proposed(replace(rules, waits=rules.waits or soon), proposal, waiting, draft)


def _proposed(
    rules: Rules, proposal: Proposal, waiting: Waiting | None, draft: Draft
) -> Decision | None:
    if waiting:
        return None if _is_same(rules, waiting, proposal) else proposal
    if rules.hold.is_rejected(proposal, rules.configured):
        return None
    return proposal if rules.waits or proposal.held else draft


def decide_all(rules: Rules, found: Iterable[tuple[str, Found]]) -> tuple[list[Decision], int]:
    """Return what to do with what was found by feeds, and how many are nothing new."""
    decisions: dict[str, Decision] = {}
    taken: set[str] = set()  # two feeds polled together may name one new article differently
    unchanged = 0
    for source, each in found:
        if each.visit and each.visit.plan and not rules.pictures.is_current(each.visit.plan):
            continue  # an edit came meanwhile: its older text would take that back
        decision = each.article and decide(rules, each.article, each.identity, source)
        repeated = decision and (
            _short(decision) in decisions or not taken.isdisjoint(each.identity.keys)
        )
        unchanged += bool(each.article and (decision is None or repeated))
        if decision and not repeated:
            decisions[_short(decision)] = decision
            taken.update(each.identity.keys)
    return list(decisions.values()), unchanged


def _short(decision: Decision) -> str:
    if isinstance(decision, Draft):
        return decision.held.short if decision.held else short_id(decision.identity.id)
    return decision.short


def decide_again(
    rules: Rules, some: Iterable[Waiting]
) -> tuple[dict[int, Proposal], dict[int, Draft]]:
    """Return what waited, with its text, and of it what there still is to publish."""
    proposals = {each.n: rules.hold.proposal(each) for each in some}
    drafts: dict[int, Draft] = {}
    for n, each in proposals.items():
        draft = to_publish(rules, each.article, each.identity, each.source)
        if draft:
            drafts[n] = draft
    return proposals, drafts


def settle(
    rules: Rules,
    proposals: Mapping[int, Proposal],
    drafts: Mapping[int, Draft],
    refused: Mapping[bytes, str],
) -> None:
    """Forget what waited and is published now; of what was refused, keep it and why."""
    problems = {n: refused.get(draft.identity.id, "") for n, draft in drafts.items()}
    problems = {n: problem for n, problem in problems.items() if problem}
    rules.hold.settle(proposals.keys() - problems.keys(), problems)


def let_wait(
    rules: Rules,
    decisions: Iterable[Decision],
    found: Iterable[tuple[str, Found]],
    *,
    now: int,
) -> set[bytes]:
    """Keep what waits, at once with that it was seen; return those for which there is no room."""
    proposals = [each for each in decisions if isinstance(each, Proposal)]
    dropped = [each.n for each in decisions if isinstance(each, Waiting)]
    if not proposals and not dropped:
        return set()
    with rules.state.transaction():
        left = {each.identity.id for each in rules.hold.keep(proposals, now=now)}
        rules.hold.drop(dropped)
        kept = {each.identity.id for each in proposals} - left
        # What brings pictures alone has no entry of its own: its feed's is as it was seen.
        entries = [each for _, each in found if each.article and not each.completes]
        rules.state.put_seen({e.key: e.digest for e in entries if e.identity.id in kept})
    return left


def _is_same(rules: Rules, waiting: Waiting, proposal: Proposal) -> bool:
    if waiting.digest != proposal.article.digest:
        return False
    return set(proposal.identity.keys) <= set(rules.hold.proposal(waiting).identity.keys)


def to_publish(rules: Rules, article: Article, identity: Identity, source: str) -> Draft | None:
    """Return what there is to publish: a new article, a revision, or nothing."""
    held = rules.state.find(identity.keys)
    if held is None:
        return Draft(article, identity, source, None)
    # Two feeds may carry one article in two forms; only its first feed revises it, or each
    # cycle would publish both forms again.
    taken = held.source != source and held.source in rules.configured
    same = held.digest == article.digest and not rules.pictures.gains(held.n, held.rev, article)
    return None if taken or same else Draft(article, identity, source, held)


def other_addresses(signer: Signer, some: Iterable[Proposal]) -> dict[str, bytes]:
    """Return the pages that lead to these from all addresses they had while they waited."""
    pages: dict[str, bytes] = {}
    for each in some:
        keys = each.identity.keys
        links = [key.removeprefix("link ") for key in keys if key.startswith("link ")]
        held = signer.state.find(keys) if len(links) > 1 else None
        if held and held.source == each.source:
            for link in links:
                pages |= signer.alias_pages(held, Identity(keys, article_id(link)))
    return pages


def new_names(
    signer: Signer, found: Iterable[tuple[str, Found]]
) -> tuple[dict[int, list[str]], dict[str, bytes]]:
    """Return names that known articles have not had yet, and the pages that lead from them.

    Only an article's own feed gives it new names: another could claim what is yet to come.
    """
    aliases: dict[int, list[str]] = {}
    pages: dict[str, bytes] = {}
    for source, each in found:
        held = signer.state.find(each.identity.keys)
        new = [key for key in each.identity.keys if signer.state.find([key]) is None]
        if held and held.source == source and new:
            aliases.setdefault(held.n, []).extend(new)
            if any(key.startswith("link ") for key in new):
                pages |= signer.alias_pages(held, each.identity)
    return aliases, pages
