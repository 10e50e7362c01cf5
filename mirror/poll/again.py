"""Pages that are asked again: what was corrected at the source after its feed had forgotten it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from mirror.article.feed import Feed
from mirror.article.identity import identify
from mirror.errors import FetchError
from mirror.fetch import Validators
from mirror.poll.entries import Reader
from mirror.poll.finish import finished
from mirror.poll.pages import Turn, page_of
from mirror.poll.values import Found, Poll, Poller, Source
from mirror.recheck import Recheck


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
    async with reader.turn.pages:
        try:
            page = await page_of(poller, entry, Validators(plan.etag, plan.last_modified))
        except FetchError as e:
            gone = e.kind in ("missing", "gone")
            return replace(found, problem=str(e), held=not gone, missing=gone)
        if page is None:
            return replace(found, page=Validators(plan.etag, plan.last_modified))
        found = await reader.read((entry, found), page)
    return replace(found, entry=entry, page=page.validators)
