"""One poll of a feed: fetch it, parse it, and find the articles of its new entries.

Everything that parses runs in the box. An entry or a feed that fails is a value with the
sentence why; nothing here writes.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mirror.article.article import Article
from mirror.article.feed import MAX_FEED_BYTES, Entry, Feed, fingerprint
from mirror.article.identity import Identity, identify
from mirror.article.jobs import Told, read_entries, read_entry, read_feed, read_page
from mirror.box import Box, Refused, one_line
from mirror.errors import FetchError
from mirror.fetch import Fetched, Fetcher, Validators
from mirror.state import FeedState, State

MAX_PAGE_BYTES = 5 * 1024 * 1024  # real news pages are under 2 MB
BATCH = 16  # entries cleaned in one exchange with the box, which costs half as much as cleaning one
BATCH_CHARS = 200_000  # of their HTML: a job's limits are those of a single long entry
FEED_TYPES = "application/rss+xml, application/atom+xml, application/xml, text/xml, */*;q=0.1"


@dataclass(frozen=True, slots=True)
class Source:
    """A feed to be polled, and where its articles' text comes from."""

    url: str
    text: Literal["auto", "feed", "page"]


@dataclass(frozen=True, slots=True)
class Found:
    """An entry's outcome: its article, or the sentence why there is none yet."""

    key: str
    digest: bytes
    identity: Identity
    article: Article | None = None
    problem: str = ""
    held: bool = False
    """The page could not be had: nobody's fault, tried again."""


_Candidate = tuple[Entry, Found]
"""An entry that is new or changed, and what is known of it before its article is."""


@dataclass(frozen=True, slots=True)
class Poll:
    """A feed's outcome: what was found in it, or the sentence why it failed."""

    source: Source
    found: tuple[Found, ...] = ()
    problem: str = ""
    seen: FeedState | None = None
    unchanged: int = 0
    same: bool = False
    """The feed as a whole is what it was at the last poll, so nothing in it was looked at."""


@dataclass(frozen=True, slots=True)
class Poller:
    """What polling needs; `parallel` pages are asked for, or held, at the same time."""

    sources: Sequence[Source]
    lang: str
    state: State
    fetcher: Fetcher
    box: Box
    parallel: int


async def polls(
    poller: Poller, due: Sequence[Source], progress: Callable[[str], None]
) -> AsyncGenerator[list[Poll]]:
    """Yield the outcomes of the feeds that are due as they come, those that came meanwhile at once.

    So one round publishes what many feeds brought, and none waits for the slowest. The
    caller closes the generator; polls under way are then cancelled.
    """
    feeds, pages = (asyncio.Semaphore(poller.parallel) for _ in range(2))

    async def gated(source: Source) -> Poll:
        async with feeds:
            progress(source.url)
            return await _poll(poller, source, pages)

    # No task group: it would turn the closing of this generator into an error of its own.
    tasks = [asyncio.create_task(gated(source)) for source in due]
    left = set(tasks)
    try:
        while left:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            yield [task.result() for task in tasks if task in done]
    finally:
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)


async def _poll(poller: Poller, source: Source, pages: asyncio.Semaphore) -> Poll:
    held = poller.state.feed(source.url)
    mode = source.text.encode()
    if not held.fingerprint.startswith(mode):  # the operator changed it: look at all again
        held = FeedState()
    validators = Validators(etag=held.etag, last_modified=held.last_modified)
    try:
        fetched = await poller.fetcher.get(
            source.url, max_bytes=MAX_FEED_BYTES, validators=validators, accept=FEED_TYPES
        )
    except FetchError as e:
        return Poll(source, problem=str(e))
    if fetched is None:
        return Poll(source, same=True)
    print_ = mode + fingerprint(fetched.body)
    got = fetched.validators
    seen = FeedState(etag=got.etag, last_modified=got.last_modified, fingerprint=print_)
    if print_ == held.fingerprint:
        return Poll(source, seen=seen, same=True)
    parsed = await poller.box.run(
        read_feed, fetched.body, url=fetched.url, content_type=fetched.content_type
    )
    if isinstance(parsed, Refused):
        return Poll(source, problem=f"{source.url}: {parsed.reason}")
    return await _entries(poller, Poll(source, seen=seen), parsed, pages)


async def _entries(poller: Poller, poll: Poll, parsed: Feed, pages: asyncio.Semaphore) -> Poll:
    """Return `poll` with what is new in the parsed feed, oldest first."""
    source, lang = poll.source, parsed.lang or poller.lang
    feeds = [each.url for each in poller.sources]
    candidates = [
        (entry, Found(f"{source.url} {identity.keys[0]}", _digest(source, entry), identity))
        for identity, entry in reversed(identify(parsed, url=source.url, feeds=feeds))
    ]
    fresh = [each for each in candidates if poller.state.seen(each[1].key) != each[1].digest]
    held = [each for each in fresh if _is_held(source, each[0])]
    linked = [each for each in fresh if not _is_held(source, each[0])]
    async with asyncio.TaskGroup() as group:
        tasks = [
            *(
                group.create_task(_clean(poller, source, some, lang=lang))
                for some in _batches(held)
            ),
            *(group.create_task(_read(poller, source, pages, each, lang=lang)) for each in linked),
        ]
    found = {each.key: each for task in tasks for each in task.result()}
    unchanged = len(parsed.entries) - len(fresh)
    return replace(poll, found=tuple(found[each.key] for _, each in fresh), unchanged=unchanged)


def _is_held(source: Source, entry: Entry) -> bool:
    """Return whether the article is made of what the feed holds, and not of its page."""
    return source.text == "feed" or (source.text == "auto" and entry.full)


def _batches(candidates: Sequence[_Candidate]) -> Iterator[list[_Candidate]]:
    """Yield them in order, some at a time; an entry longer than a batch is one of its own."""
    batch: list[_Candidate] = []
    size = 0
    for each in candidates:
        if batch and (len(batch) == BATCH or size + len(each[0].html) > BATCH_CHARS):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += len(each[0].html)
    if batch:
        yield batch


def _digest(source: Source, entry: Entry) -> bytes:
    """Return what tells whether an entry is worth parsing again; its dates are not."""
    fields = (source.text, entry.link, entry.title, *entry.authors, entry.html, entry.lang)
    return hashlib.sha256("\0".join(fields).encode(errors="surrogatepass")).digest()


async def _clean(
    poller: Poller, source: Source, some: Sequence[_Candidate], *, lang: str
) -> list[Found]:
    """Return the outcomes of entries whose articles are in the feed itself."""
    entries = tuple(entry for entry, _ in some)
    made: Sequence[Article | str | Refused] | Refused = Refused("", killed=False)
    if len(entries) > 1:
        made = await poller.box.run(read_entries, b"", entries=entries, lang=lang)
    # One by one after a kill or a crash, which only the entry that is to blame may suffer, and
    # after an answer of another length, which no worker gives that has not been captured.
    if isinstance(made, Refused) or len(made) != len(entries):
        made = [await poller.box.run(read_entry, b"", entry=entry, lang=lang) for entry in entries]
    return [_outcome(source, each, one) for each, one in zip(some, made, strict=True)]


async def _read(
    poller: Poller, source: Source, pages: asyncio.Semaphore, candidate: _Candidate, *, lang: str
) -> list[Found]:
    """Return the outcome of an entry whose article is in the page that it links to."""
    entry, found = candidate
    async with pages:  # until it is read: pages that wait for the box would pile up in memory
        page = await _page(poller, entry)
        if isinstance(page, str):
            return [replace(found, problem=f"{_name(source, entry)}: {page}", held=True)]
        made = await poller.box.run(
            *(read_page, page.body),
            entry=entry,
            url=page.url,
            content_type=page.content_type,
            lang=lang,
        )
    return [_outcome(source, candidate, made)]


def _outcome(source: Source, candidate: _Candidate, made: Article | Told | str | Refused) -> Found:
    entry, found = candidate
    if isinstance(made, Told):
        made = made.article
    if isinstance(made, Article):
        return replace(found, article=made)
    reason = one_line(made) if isinstance(made, str) else made.reason
    return replace(found, problem=f"{_name(source, entry)}: {reason}")


def _name(source: Source, entry: Entry) -> str:
    return f"{source.url}: {entry.link or entry.guid or entry.title or 'an entry'}"


async def _page(poller: Poller, entry: Entry) -> Fetched | str:
    """Return the page of a teaser, or why it is not to be had now."""
    if not entry.link:
        return "only a teaser, and no link to its page"
    try:
        page = await poller.fetcher.get(
            entry.link, max_bytes=MAX_PAGE_BYTES, accept="text/html, */*"
        )
    except FetchError as e:
        return str(e)
    return page if page else "its page answered 304 unasked"
