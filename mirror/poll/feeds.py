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
from mirror.fetch import Fetched, Unchanged, Validators
from mirror.fetch.answers import MAX_FRESH_S
from mirror.poll.entries import Candidate, articles
from mirror.poll.finish import finished
from mirror.poll.mark import Mark
from mirror.poll.pages import Turn
from mirror.poll.sound import sound
from mirror.poll.values import Found, Poll, Poller, Source
from mirror.state import FeedState
from mirror.threads import in_thread

FEED_TYPES = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/xml, text/xml,"
    " */*;q=0.1"
)


LONG_BYTES = 1 << 20
"""Of a feed: the hash of 8 MB takes 20 ms. Most feeds have a tenth, and a thread costs more."""


async def poll_feed(poller: Poller, source: Source, turn: Turn) -> Poll:
    """Return what came of asking a feed now."""
    held = poller.state.feed(source.url)
    mark = Mark.parse(held.fingerprint, mode=_mode(source))
    # The operator changed how it is read, or something in it is to be tried again.
    if mark is None or source.url in poller.quarantine.due_sources(now=turn.now):
        held, mark = FeedState(), Mark(_mode(source))
    try:
        got = await poller.fetcher.get(
            poller.agenda.address(source.url, poller.hosts),
            max_bytes=MAX_FEED_BYTES,
            validators=Validators(etag=held.etag, last_modified=held.last_modified),
            accept=FEED_TYPES,
            told=True,
        )
    except FetchError as e:
        answer = Answer(problem=str(e), kind=e.kind, retry_s=e.retry_s)
        return Poll(source, problem=str(e), answer=answer)
    if isinstance(got, Unchanged):
        return _unchanged(source, got, held, mark)
    return await _answered(poller, source, got, mark, turn)


def _unchanged(source: Source, got: Unchanged, held: FeedState, mark: Mark) -> Poll:
    """Return the outcome of status 304: what the last whole answer said still holds."""
    now = mark if got.max_age_s is None else replace(mark, max_age_s=got.max_age_s)
    seen = replace(held, fingerprint=bytes(now)) if now != mark else None
    answer = Answer(fresh_s=now.fresh_s, moved=got.moved)
    return Poll(source, seen=seen, same=True, answer=answer)


async def _answered(
    poller: Poller, source: Source, fetched: Fetched, mark: Mark, turn: Turn
) -> Poll:
    print_, before = await _fingerprint(fetched.body), mark.fingerprint
    mark = replace(mark, fingerprint=print_, max_age_s=fetched.max_age_s)
    if print_ == before:
        answer = Answer(fresh_s=mark.fresh_s, moved=fetched.moved)
        return Poll(source, seen=_seen(fetched, mark), same=True, answer=answer)
    parsed = await parse(poller, source, fetched)
    if isinstance(parsed, Refused):
        problem = f"{source.url}: {parsed.reason}"
        return Poll(source, problem=problem, answer=Answer(problem=problem, kind="failed"))
    # A captured worker may say anything, and a mark holds 32 bits.
    mark = replace(mark, ttl_s=min(max(parsed.ttl_s, 0), MAX_FRESH_S))
    found, unchanged, keys = await entries(poller, source, parsed, turn)
    # What there was no time for is not to wait for long.
    changed = any(each.article or each.late for each in found)
    answer = Answer(changed=changed, fresh_s=mark.fresh_s, moved=fetched.moved)
    seen = _seen(fetched, mark)
    return Poll(source, tuple(found), seen=seen, unchanged=unchanged, keys=keys, answer=answer)


async def _fingerprint(body: bytes) -> bytes:
    """Return a feed's; a long one's is made beside the event loop."""
    return fingerprint(body) if len(body) < LONG_BYTES else await in_thread(fingerprint, body)


def _seen(fetched: Fetched, mark: Mark) -> FeedState:
    got = fetched.validators
    return FeedState(got.etag, got.last_modified, bytes(mark))


async def parse(poller: Poller, source: Source, fetched: Fetched) -> Feed | Refused:
    """Return what a feed's answer says, or why nothing."""
    made = await poller.box.run(
        *(read_feed, fetched.body),
        url=fetched.url,
        content_type=fetched.content_type,
        reading=source.reading,
    )
    return sound(made)


def _mode(source: Source) -> bytes:
    """Return how a feed is read: another way to read it is another feed."""
    if source.reading == AS_IT_SAYS:
        return source.text.encode()
    return source.text.encode() + hashlib.sha256(repr(source.reading).encode()).digest()[:4]


async def entries(
    poller: Poller, source: Source, parsed: Feed, turn: Turn
) -> tuple[list[Found], int, frozenset[str]]:
    """Return what is new in a parsed feed, oldest first, how many are not, and the keys of all."""
    # In a thread: 500 are named, and looked up in the database, one by one.
    named, fresh = await in_thread(_met, poller, source, parsed, now=turn.now)
    found = await articles(poller, source, fresh, turn, lang=parsed.lang or poller.lang)
    keys = frozenset(each.key for _, each in named)
    return await finished(poller, source, found, turn), len(parsed.entries) - len(fresh), keys


def to_try(poller: Poller, source: Source, parsed: Feed, *, now: int) -> list[Candidate]:
    """Return what is new or changed and not in quarantine, the feed's last entry first."""
    return _met(poller, source, parsed, now=now)[1]


def _met(
    poller: Poller, source: Source, parsed: Feed, *, now: int
) -> tuple[list[Candidate], list[Candidate]]:
    """Return all entries, the feed's last first, and those to be tried."""
    named = _candidates(poller, source, parsed)
    return named, _fresh(poller, named, now=now)


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
