"""A feed: asked, parsed where it changed, and its new entries found."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from mirror.agenda import Answer
from mirror.article.entry import Entry
from mirror.article.feeds.feed import MAX_FEED_BYTES, Feed, fingerprint
from mirror.article.feeds.fields import AS_IT_SAYS
from mirror.article.identity import identify
from mirror.article.jobs import read_feed
from mirror.box import Refused
from mirror.errors import FetchError
from mirror.fetch import Fetched, Validators
from mirror.poll.entries import Candidate, articles
from mirror.poll.finish import finished
from mirror.poll.pages import Turn
from mirror.poll.values import Found, Poll, Poller, Source
from mirror.state import FeedState

FEED_TYPES = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/xml, text/xml,"
    " */*;q=0.1"
)


async def poll_feed(poller: Poller, source: Source, turn: Turn) -> Poll:
    """Return what came of asking a feed now."""
    held = poller.state.feed(source.url)
    mode = _mode(source)
    # The operator changed how it is read, or something in it is to be tried again.
    again = source.url in poller.quarantine.due_sources(now=turn.now)
    if again or not held.fingerprint.startswith(mode):
        held = FeedState()
    try:
        fetched = await poller.fetcher.get(
            poller.agenda.address(source.url, poller.hosts),
            max_bytes=MAX_FEED_BYTES,
            validators=Validators(etag=held.etag, last_modified=held.last_modified),
            accept=FEED_TYPES,
        )
    except FetchError as e:
        answer = Answer(problem=str(e), kind=e.kind, retry_s=e.retry_s)
        return Poll(source, problem=str(e), answer=answer)
    if fetched is None:
        return Poll(source, same=True, answer=Answer())
    return await _answered(poller, source, fetched, held, turn)


async def _answered(
    poller: Poller, source: Source, fetched: Fetched, held: FeedState, turn: Turn
) -> Poll:
    got, answer = fetched.validators, Answer(fresh_s=fetched.max_age_s, moved=fetched.moved)
    print_ = _mode(source) + fingerprint(fetched.body)
    seen = FeedState(etag=got.etag, last_modified=got.last_modified, fingerprint=print_)
    if print_ == held.fingerprint:
        return Poll(source, seen=seen, same=True, answer=answer)
    parsed = await parse(poller, source, fetched)
    if isinstance(parsed, Refused):
        problem = f"{source.url}: {parsed.reason}"
        return Poll(source, problem=problem, answer=Answer(problem=problem, kind="failed"))
    answer = replace(answer, fresh_s=max(answer.fresh_s, parsed.ttl_s))
    found, unchanged, keys = await entries(poller, source, parsed, turn)
    # What there was no time for is not to wait for long.
    answer = replace(answer, changed=any(each.article or each.late for each in found))
    return Poll(source, tuple(found), seen=seen, unchanged=unchanged, keys=keys, answer=answer)


async def parse(poller: Poller, source: Source, fetched: Fetched) -> Feed | Refused:
    """Return what a feed's answer says, or why nothing."""
    return await poller.box.run(
        *(read_feed, fetched.body),
        url=fetched.url,
        content_type=fetched.content_type,
        reading=source.reading,
    )


def _mode(source: Source) -> bytes:
    """Return what a feed's mark begins with: another way to read it is another feed."""
    if source.reading == AS_IT_SAYS:
        return source.text.encode()
    return source.text.encode() + hashlib.sha256(repr(source.reading).encode()).digest()[:4]


async def entries(
    poller: Poller, source: Source, parsed: Feed, turn: Turn
) -> tuple[list[Found], int, frozenset[str]]:
    """Return what is new in a parsed feed, oldest first, how many are not, and the keys of all."""
    named = _candidates(poller, source, parsed)
    fresh = _fresh(poller, named, now=turn.now)
    found = await articles(poller, source, fresh, turn, lang=parsed.lang or poller.lang)
    keys = frozenset(each.key for _, each in named)
    return await finished(poller, source, found, turn), len(parsed.entries) - len(fresh), keys


def to_try(poller: Poller, source: Source, parsed: Feed, *, now: int) -> list[Candidate]:
    """Return what is new or changed and not in quarantine, the feed's last entry first."""
    return _fresh(poller, _candidates(poller, source, parsed), now=now)


def _candidates(poller: Poller, source: Source, parsed: Feed) -> list[Candidate]:
    feeds = [each.url for each in poller.sources]
    named = identify(parsed, url=source.url, feeds=feeds, rules=poller.rules)
    return [
        (entry, Found(f"{source.url} {identity.keys[0]}", _digest(source, entry), identity))
        for identity, entry in reversed(named)
    ]


def _fresh(poller: Poller, candidates: Sequence[Candidate], *, now: int) -> list[Candidate]:
    fresh = [each for each in candidates if poller.state.seen(each[1].key) != each[1].digest]
    digests = {found.key: found.digest for _, found in fresh}
    blocked = poller.quarantine.blocks_many(digests, now=now)
    return [each for each in fresh if each[1].key not in blocked]


def _digest(source: Source, entry: Entry) -> bytes:
    """Return what tells whether an entry is worth parsing again; its dates are not."""
    fields = (source.text, entry.link, entry.title, *entry.authors, entry.html, entry.lang)
    return hashlib.sha256("\0".join(fields).encode(errors="surrogatepass")).digest()
