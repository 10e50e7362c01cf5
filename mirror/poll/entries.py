"""New and changed entries of a feed to articles: from the feed's own text, or from their pages."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar
from urllib.parse import urlsplit

from mirror.article.article import Article
from mirror.article.entry import Entry
from mirror.article.extraction.extract import Told
from mirror.article.identity import rules_for
from mirror.article.jobs import read_entries, read_entry, read_page
from mirror.box import Refused, one_line
from mirror.errors import FetchError
from mirror.fetch import Fetched, Validators
from mirror.poll.pages import Turn, leads_elsewhere, page_of
from mirror.poll.sound import sound
from mirror.poll.values import Found, Poller, Source

T = TypeVar("T")

BATCH = 16  # entries cleaned in one exchange with the box, which costs half as much as cleaning one
BATCH_CHARS = 200_000  # of their HTML: a job's limits are those of a single long entry
PATIENCE = 5
"""How often a page is asked for in vain before readers get the teaser."""
PATIENCE_S = 3 * 3600
"""The same in seconds, where nobody counts."""

MAX_KILLS = 3
"""Of one feed's entries in one poll: 500 that hang would keep a worker busy for an hour."""
TOO_MANY = f"not tried: {MAX_KILLS} entries of this feed have killed the parser in this poll"

READ_S = 120.0
"""For the pages and bodies of one feed in one poll: what does not come to its turn is met at the
next. A cycle ends when the slowest feed has, and a tarpit of 500 pages would keep all others
waiting for two hours."""

Candidate = tuple[Entry, Found]
"""An entry that is new or changed, and what is known of it before its article is."""


async def articles(
    poller: Poller, source: Source, fresh: Sequence[Candidate], turn: Turn, *, lang: str
) -> list[Found]:
    """Return the outcomes of candidates, in their order."""
    reader = Reader(poller, source, turn, lang)
    held = [each for each in fresh if is_held(poller, source, each[0])]
    linked = [each for each in fresh if not is_held(poller, source, each[0])]
    async with asyncio.TaskGroup() as group:
        tasks = [
            *(group.create_task(reader.clean(some)) for some in _batches(held)),
            *(group.create_task(reader.follow(each)) for each in linked),
        ]
    found = {each.key: each for task in tasks for each in task.result()}
    return [found[each.key] for _, each in fresh]


def _as_linked(entry: Entry) -> Entry | None:
    """Return what the page of an article that its feed holds is looked for with, if it has one."""
    return replace(entry, html="", full=True) if entry.link else None


def is_held(poller: Poller, source: Source, entry: Entry) -> bool:
    """Return whether the article is made of what the feed holds, and not of its page.

    What an operator has told to select on a site goes before what its feed has.
    """
    if source.text != "auto":
        return source.text == "feed"
    rules = rules_for(poller.rules, entry.link)
    return entry.full and not (rules and rules.text)


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


class Reader:
    """Makes articles of one feed's entries, as long as there is time and the parser lives."""

    def __init__(self, poller: Poller, source: Source, turn: Turn, lang: str) -> None:
        self.poller, self.source, self.lang, self.now = poller, source, lang, turn.now
        # A feed's own: another's slow pages and bodies take none of its places.
        self.pages = asyncio.Semaphore(turn.parallel)
        self._kills = 0
        self._busy: set[str] = set()
        """Hosts that said when to come again: what else is on them waits for the next poll."""
        self._until = asyncio.get_running_loop().time() + READ_S

    def is_late(self, entry: Entry | None = None) -> bool:
        """Return whether what has not begun, such as an entry's page, is left for the next poll."""
        busy = entry is not None and urlsplit(entry.link).netloc in self._busy
        return busy or asyncio.get_running_loop().time() > self._until

    async def page(self, entry: Entry, known: Validators | None = None) -> Fetched | None:
        """Return the page of an entry; None if it is what it was when it was `known`.

        Raises:
            FetchError: it is not to be had now.
        """
        try:
            return await page_of(self.poller, entry, known)
        except FetchError as e:
            if e.retry_s:
                self._busy.add(urlsplit(entry.link).netloc)
            raise

    async def clean(self, some: Sequence[Candidate]) -> list[Found]:
        """Return the outcomes of entries whose articles are in the feed itself."""
        async with self.pages:
            if self.is_late():
                return [replace(found, late=True) for _, found in some]
            return await self._cleaned(some)

    async def _cleaned(self, some: Sequence[Candidate]) -> list[Found]:
        entries = tuple(entry for entry, _ in some)
        made: Sequence[Article | str | Refused] | Refused = Refused("", killed=False)
        if len(entries) > 1:
            made = await self._run(read_entries, b"", entries=entries, lang=self.lang)
        # One by one after a kill or a crash, which only the entry that is to blame may suffer, and
        # after an answer of another length, which no worker gives that has not been captured.
        if isinstance(made, Refused) or len(made) != len(entries):
            made = [await self._entry(entry) for entry in entries]
        return [self._outcome(each, one) for each, one in zip(some, made, strict=True)]

    async def follow(self, candidate: Candidate) -> list[Found]:
        """Return the outcome of an entry whose article is in the page that it links to."""
        entry, found = candidate
        async with self.pages:  # until it is read: waiting pages would fill the memory
            if self.is_late(entry):
                return [replace(found, late=True)]
            try:
                page = await self.page(entry)
            except FetchError as e:
                return [await self.in_vain(candidate, e)]
            if page is None:
                return [await self.in_vain(candidate, FetchError(f"{entry.link}: 304 unasked"))]
            if leads_elsewhere(self.poller, entry, page):
                words = f"{entry.link}: it leads to another page: {page.url}"
                return [await self.in_vain(candidate, FetchError(words))]
            found = await self.read(candidate, page)
        return [replace(found, entry=entry, page=page.validators) if found.article else found]

    async def read(self, candidate: Candidate, page: Fetched) -> Found:
        """Return the outcome of an entry whose page is at hand."""
        made = await self._run(
            *(read_page, page.body),
            entry=candidate[0],
            url=page.url,
            content_type=page.content_type,
            lang=self.lang,
            rules=rules_for(self.poller.rules, page.url),
        )
        return self._outcome(candidate, made)

    async def _entry(self, entry: Entry) -> Article | Refused:
        return await self._run(read_entry, b"", entry=entry, lang=self.lang)

    async def _run(self, job: Callable[..., T], body: bytes, **options: object) -> T | Refused:
        if self._kills >= MAX_KILLS:
            return Refused(TOO_MANY, killed=True)
        made = sound(await self.poller.box.run(job, body, **options))
        self._kills += isinstance(made, Refused) and made.killed
        return made

    async def in_vain(
        self, candidate: Candidate, problem: FetchError, *, enough: bool | None = None
    ) -> Found:
        """Return the outcome of an entry whose page could not be had: `enough` times, or again.

        It goes by its entry: the feed may have forgotten it when its page comes back.
        """
        entry, found = candidate
        # The fetcher's words begin with the address, if there is one.
        named = f"{self.source.url}: {problem}" if entry.link else f"{self._name(entry)}: {problem}"
        held = replace(found, problem=named, held=True, entry=entry, retry_s=problem.retry_s)
        if enough is None:
            known = self.poller.quarantine.find(found.key)
            enough = known is not None and known.tries >= PATIENCE
        # What the feed has whole need not wait, unless an earlier revision came from its page.
        enough |= entry.full and self.poller.state.find(found.identity.keys) is None
        if not enough:
            return held
        teaser = await self._entry(entry)  # partial, if the feed has not all of it
        if isinstance(teaser, Refused) or not teaser.blocks:
            return held
        how = "in part" if teaser.partial else "as the feed has it"
        alert = f"{named}: its page could not be had: published {how}"
        return replace(found, article=teaser, alert=alert, entry=entry)

    def _outcome(self, candidate: Candidate, made: Article | Told | str | Refused) -> Found:
        entry, found = candidate
        if isinstance(made, Told):
            alert = f"{self._name(entry)}: {one_line(made.alert)}" if made.alert else ""
            return replace(found, article=made.article, alert=alert)
        if isinstance(made, Article):
            return replace(found, article=made, linked=_as_linked(entry))
        reason = one_line(made) if isinstance(made, str) else made.reason
        problem = f"{self._name(entry)}: {reason}"
        return replace(found, problem=problem, held=reason == TOO_MANY)

    def _name(self, entry: Entry) -> str:
        return f"{self.source.url}: {entry.link or entry.guid or entry.title or 'an entry'}"
