"""New and changed entries of a feed to articles: from the feed's own text, or from their pages."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

from mirror.article.article import Article
from mirror.article.entry import Entry
from mirror.article.extract import Told
from mirror.article.identity import rules_for
from mirror.article.jobs import read_entries, read_entry, read_page
from mirror.box import Refused, one_line
from mirror.errors import FetchError
from mirror.fetch import Fetched
from mirror.poll.pages import Turn, page_of
from mirror.poll.values import Found, Poller, Source

BATCH = 16  # entries cleaned in one exchange with the box, which costs half as much as cleaning one
BATCH_CHARS = 200_000  # of their HTML: a job's limits are those of a single long entry
PATIENCE = 5
"""How often a page is asked for in vain, over some three hours, before readers get the teaser."""

Candidate = tuple[Entry, Found]
"""An entry that is new or changed, and what is known of it before its article is."""


async def articles(
    poller: Poller, source: Source, fresh: Sequence[Candidate], turn: Turn, *, lang: str
) -> list[Found]:
    """Return the outcomes of candidates, in their order."""
    held = [each for each in fresh if is_held(source, each[0])]
    linked = [each for each in fresh if not is_held(source, each[0])]
    async with asyncio.TaskGroup() as group:
        tasks = [
            *(
                group.create_task(_clean(poller, source, some, lang=lang))
                for some in _batches(held)
            ),
            *(group.create_task(_read(poller, source, turn, each, lang=lang)) for each in linked),
        ]
    found = {each.key: each for task in tasks for each in task.result()}
    return [found[each.key] for _, each in fresh]


def is_held(source: Source, entry: Entry) -> bool:
    """Return whether the article is made of what the feed holds, and not of its page."""
    return source.text == "feed" or (source.text == "auto" and entry.full)


def _batches(candidates: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    """Yield them in order, some at a time; an entry longer than a batch is one of its own."""
    batch: list[Candidate] = []
    size = 0
    for each in candidates:
        if batch and (len(batch) == BATCH or size + len(each[0].html) > BATCH_CHARS):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += len(each[0].html)
    if batch:
        yield batch


async def _clean(
    poller: Poller, source: Source, some: Sequence[Candidate], *, lang: str
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
    poller: Poller, source: Source, turn: Turn, candidate: Candidate, *, lang: str
) -> list[Found]:
    """Return the outcome of an entry whose article is in the page that it links to."""
    entry, found = candidate
    async with turn.pages:  # until it is read: pages that wait for the box would fill the memory
        try:
            page = await page_of(poller, entry)
        except FetchError as e:
            return [await _in_vain(poller, source, candidate, str(e), lang=lang)]
        if page is None:
            return [await _in_vain(poller, source, candidate, "304 unasked", lang=lang)]
        found = await read(poller, source, (entry, found), page, lang=lang)
    return [replace(found, entry=entry, page=page.validators) if found.article else found]


async def read(
    poller: Poller, source: Source, candidate: Candidate, page: Fetched, *, lang: str
) -> Found:
    """Return the outcome of an entry whose page is at hand."""
    made = await poller.box.run(
        *(read_page, page.body),
        entry=candidate[0],
        url=page.url,
        content_type=page.content_type,
        lang=lang,
        rules=rules_for(poller.rules, page.url),
    )
    return _outcome(source, candidate, made)


async def _in_vain(
    poller: Poller, source: Source, candidate: Candidate, problem: str, *, lang: str
) -> Found:
    """Return the outcome of an entry whose page could not be had, again."""
    entry, found = candidate
    # The fetcher's words begin with the address, if there is one.
    named = f"{source.url}: {problem}" if entry.link else f"{_name(source, entry)}: {problem}"
    held = replace(found, problem=named, held=True)
    known = poller.quarantine.find(found.key)
    if known is None or known.digest != found.digest or known.tries < PATIENCE:
        return held
    teaser = await poller.box.run(read_entry, b"", entry=entry, lang=lang)
    if isinstance(teaser, Refused) or not teaser.blocks:
        return held
    alert = f"{named}: its page could not be had: published in part"
    return replace(found, article=replace(teaser, partial=True), alert=alert, entry=entry)


def _outcome(source: Source, candidate: Candidate, made: Article | Told | str | Refused) -> Found:
    entry, found = candidate
    if isinstance(made, Told):
        alert = f"{_name(source, entry)}: {one_line(made.alert)}" if made.alert else ""
        return replace(found, article=made.article, alert=alert)
    if isinstance(made, Article):
        return replace(found, article=made)
    reason = one_line(made) if isinstance(made, str) else made.reason
    return replace(found, problem=f"{_name(source, entry)}: {reason}")


def _name(source: Source, entry: Entry) -> str:
    return f"{source.url}: {entry.link or entry.guid or entry.title or 'an entry'}"
