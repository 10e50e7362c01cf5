"""Pages that are asked again: what was corrected at the source after its feed had forgotten it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from mirror.article.feeds.feed import Feed
from mirror.article.identity import identify
from mirror.errors import FetchError
from mirror.fetch import Fetched, Validators
from mirror.poll.entries import PATIENCE_S, Reader, is_held
from mirror.poll.finish import finished
from mirror.poll.pages import Turn, leads_elsewhere
from mirror.poll.values import Found, Poll, Poller, Source
from mirror.recheck import NOTHING, Recheck

UNASKED = 3
"""Of so many looks one is without validators: the page may be the same, and the operator's rules,
or what is known of the site, no more."""


async def look_again(poller: Poller, source: Source, some: Sequence[Recheck], turn: Turn) -> Poll:
    """Return what has become of some of a feed's articles on their pages."""
    reader = Reader(poller, source, turn, poller.lang)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_one(reader, each)) for each in some]
    found = [task.result() for task in tasks]
    return Poll(source, tuple(await finished(poller, source, found, turn)))


async def _one(reader: Reader, plan: Recheck) -> Found:
    poller, source, entry = reader.poller, reader.source, plan.entry
    feeds = [each.url for each in poller.sources]
    alone = Feed("", entry.lang, (entry,))
    [(identity, _)] = identify(alone, url=source.url, feeds=feeds, rules=poller.rules)
    found = Found(f"{source.url} {identity.keys[0]}", b"", identity, recheck=plan)
    known = Validators(plan.etag, plan.last_modified)
    async with reader.pages:
        if reader.is_late(entry):
            return replace(found, late=True)
        try:
            page = await reader.page(entry, known if plan.step % UNASKED else NOTHING)
        except FetchError as e:
            return await _not_had(reader, found, plan, e)
        return await _had(reader, found, plan, page)


async def _not_had(reader: Reader, found: Found, plan: Recheck, e: FetchError) -> Found:
    if reader.poller.state.find(found.identity.keys) is None:  # never had: an article to be
        enough = reader.now - plan.since >= PATIENCE_S
        return await reader.in_vain((plan.entry, found), e, enough=enough)
    gone = e.kind in ("missing", "gone")
    return replace(found, problem=str(e), held=not gone, missing=gone, retry_s=e.retry_s)


async def _had(reader: Reader, found: Found, plan: Recheck, page: Fetched | None) -> Found:
    if page is None:
        return replace(found, page=Validators(plan.etag, plan.last_modified))
    entry = plan.entry
    if leads_elsewhere(reader.poller, entry, page, short=plan.short):
        problem = f"{reader.source.url}: {entry.link}: it leads to another page: {page.url}"
        return replace(found, problem=problem, missing=True)
    # Where its text is the feed's, that there is a page is enough.
    if is_held(reader.poller, reader.source, entry):
        return replace(found, page=page.validators)
    return replace(await reader.read((entry, found), page), entry=entry, page=page.validators)
