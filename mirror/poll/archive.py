"""One step through an archive: a document is looked through, or read, or some pages are asked for.

First all documents are looked through, for what they lead to; then they are read, the oldest
first, so that articles are numbered in the order of publication. In a step, at most one document
is fetched, or as many pages as are named below: an archive may take days, and the site does not
notice. What is published already is passed over, so a step that a crash cut short is done again.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from mirror.article.entry import Entry
from mirror.article.feeds.chosen import Choice, Chosen, date_of
from mirror.article.feeds.feed import MAX_FEED_BYTES, Feed
from mirror.article.identity import Identity
from mirror.article.jobs import read_sitemap
from mirror.backfill import Document, Order, Wanted
from mirror.box import Refused
from mirror.errors import FetchError
from mirror.hold import Hold
from mirror.poll.entries import Candidate, Reader, articles, is_held
from mirror.poll.feeds import FEED_TYPES, parse, to_try
from mirror.poll.finish import finished
from mirror.poll.pages import Turn
from mirror.poll.sound import sound
from mirror.poll.values import Found, Poll, Poller, Source
from mirror.threads import in_thread

PAGES = 16  # asked for in one step
FEW = 3  # pages that fail alone are their own matter; when more do, and no other comes, the site's
KNOWN = 500  # entries passed over in one step, each after some lookups
PART = 1_000
"""Of a sitemap's addresses, taken at once: they are kept in the database until they are dealt with,
and the sitemap, which may have 50,000, is fetched again for the next ones."""
MAX_DOCUMENTS = 10_000
"""Of an archive: some 100,000 to 5,000,000 articles. A chain of pages that are made up as they are
asked for has no end."""
MAX_DEPTH = 3  # indexes of sitemaps in one another; the standard has one
MAX_HTML_CHARS = 4_000  # of an entry whose page is asked for: what tells its text from the site's
TYPES = f"application/gzip, {FEED_TYPES}"


async def go_on(poller: Poller, order: Order, turn: Turn) -> Poll:
    """Return what a step brought, and the order as it is after it."""
    source = next((each for each in poller.sources if each.url == order.source), None)
    if source is None:
        problem = f"{order.url}: its feed is not in the settings: {order.source}"
        return _told(Source(order.source, "auto"), replace(order, problem=problem, done=turn.now))
    async with turn.feeds:
        if order.wanted:
            return await _ask(poller, source, order, turn)
        try:
            got = await _had(poller, source, order)
        except FetchError as e:
            return _told(source, _without(order, e, now=turn.now))
        if isinstance(got, Refused):
            problem = f"{order.document.url}: {got.reason}"
            return _told(source, replace(order.without(), problem=problem).went_on(now=turn.now))
        # In threads: a thousand addresses, each looked up in the database, take a while.
        if order.looking:
            after = await in_thread(_looked_through, poller, order, got)
        elif isinstance(got, Feed):
            return await _read(poller, source, order, got, turn)
        else:
            after = await in_thread(_listed, poller, source, order, got, now=turn.now)
        return Poll(source, order=after.went_on(now=turn.now))


def _told(source: Source, order: Order) -> Poll:
    return Poll(source, order=order, problem=order.problem)


def _without(order: Order, e: FetchError, *, now: int) -> Order:
    """Return the order after its document could not be had."""
    later = None  # what is not there is asked for once more at the end
    if e.kind not in ("missing", "gone"):
        later = order.put_off(str(e), now=now, retry_s=e.retry_s)
    return later or replace(order.without(), problem=str(e)).went_on(now=now)


async def _had(poller: Poller, source: Source, order: Order) -> Feed | Chosen | Refused:
    """Return what the order's document is and says, or why it is none.

    Raises:
        FetchError: it could not be had.
    """
    fetcher, url = poller.fetcher, order.document.url
    fetched = await fetcher.get(url, max_bytes=MAX_FEED_BYTES, accept=TYPES)
    if fetched is None:
        raise FetchError(f"{url}: status 304 unasked")
    if not _is_own(poller, fetched.url):
        return Refused(f"it leads to a host that is none of the newsroom's: {fetched.url}", False)
    if order.kind == "feed":
        return await parse(poller, source, fetched)
    page, most = order.document, 0 if order.looking else PART
    choice = Choice(tuple(poller.hosts), order.since, page.offset, page.count, most)
    made = await poller.box.run(read_sitemap, fetched.body, url=fetched.url, choice=choice)
    if not isinstance(listed := sound(made), Refused) or order.kind:
        return listed
    feed = await parse(poller, source, fetched)
    if isinstance(feed, Refused):
        return Refused(f"{feed.reason}; {listed.reason}", feed.killed)
    return feed


def _is_own(poller: Poller, url: str) -> bool:
    return urlsplit(url).hostname in poller.hosts


def _taken(order: Order, feed: Feed) -> list[Entry]:
    """Return the entries to be mirrored."""
    entries = feed.entries
    return [each for each in entries if not date_of(each) or date_of(each) >= order.since]


def _mark(entries: Iterable[Entry]) -> str:
    text = "\0".join(each.guid or each.link or each.title for each in entries)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


# Looked through.


def _looked_through(poller: Poller, order: Order, got: Feed | Chosen) -> Order:
    """Return the order with its document noted, to be read, and with what it leads to."""
    if isinstance(got, Feed):
        return _page_noted(poller, order, got)
    page, noted = order.document, replace(order.document, count=got.count, newest=got.newest)
    after = _noted(order, noted)
    behind = tuple(sorted(after.behind, key=lambda each: each.newest, reverse=True))
    after = replace(after, kind="sitemap", behind=behind, foreign=order.foreign + got.foreign)
    return _followed(poller, after, got.sitemaps, page)


def _page_noted(poller: Poller, order: Order, feed: Feed) -> Order:
    page, taken = order.document, _taken(order, feed)
    newest = max(map(date_of, taken), default="")
    noted = replace(page, count=len(taken), newest=newest, mark=_mark(taken))
    # A page of nothing but what is too old is followed by older ones.
    older = [feed.older] if feed.older and (taken or not feed.entries) else []
    return _followed(poller, replace(_noted(order, noted), kind="feed"), older, page)


def _noted(order: Order, page: Document) -> Order:
    total, behind = order.total + page.count, (*order.behind, replace(page, offset=0))
    return replace(order.past(), looked=order.looked + 1, total=total, behind=behind)


def _followed(poller: Poller, order: Order, urls: Sequence[str], page: Document) -> Order:
    """Return the order with documents ahead, but for those that must not be."""
    known = {page.url, *(each.url for each in (*order.ahead, *order.behind, *order.lost))}
    depth = page.depth + (order.kind == "sitemap")
    ahead, problem = list(order.ahead), order.problem
    for url in urls:
        if order.looked + len(ahead) >= MAX_DOCUMENTS:
            problem = f"{page.url}: the rest is left out: more than {MAX_DOCUMENTS} pages"
            break
        if url in known:
            problem = f"{page.url}: leads in a circle, to {url}"
        elif not _is_own(poller, url):
            problem = f"{page.url}: leads to a host that is none of the newsroom's: {url}"
        elif depth > MAX_DEPTH:
            problem = f"{page.url}: more than {MAX_DEPTH} indexes of sitemaps in one another"
        else:
            known.add(url)
            ahead.append(Document(url, depth=depth))
    # What has no entry was kept only to notice a circle.
    behind = order.behind if ahead else tuple(each for each in order.behind if each.count)
    return replace(order, ahead=tuple(ahead), behind=behind, problem=problem)


# Read.


async def _read(poller: Poller, source: Source, order: Order, feed: Feed, turn: Turn) -> Poll:
    """Return the articles that a page of a feed's archive holds; others' pages are asked later."""
    page, taken, after = order.document, _taken(order, feed), order.past()
    late = page.url not in {each.url for each in poller.sources}
    fresh = await in_thread(_fresh, poller, source, feed, set(taken), now=turn.now)
    here = [each for each in fresh if is_held(poller, source, each[0])]
    found = await articles(poller, source, here, turn, lang=feed.lang or poller.lang)
    found = [replace(each, archived=late) for each in await finished(poller, source, found, turn)]
    wanted = [
        _wanted(each, archived=late) for each in fresh if not is_held(poller, source, each[0])
    ]
    after = replace(after, wanted=tuple(wanted[::-1]), pages=order.pages + 1)
    # Articles that came meanwhile may have pushed some of this page to the one that was read
    # before it: that one is read once more.
    if page.mark and page.mark != _mark(taken) and feed.older and _is_own(poller, feed.older):
        after = replace(after, behind=(*after.behind, Document(feed.older)))
    dealt = len(taken) - len(wanted) if page.mark else 0
    return Poll(source, tuple(found), order=_counted(after, found, dealt).went_on(now=turn.now))


def _fresh(
    poller: Poller, source: Source, feed: Feed, taken: set[Entry], *, now: int
) -> list[Candidate]:
    """Return what is not published yet, the oldest first."""
    fresh = [
        each
        for each in to_try(poller, source, feed, now=now)
        if each[0] in taken and not _is_known(poller, each[1].identity)
    ]
    dated = all(date_of(entry) for entry, _ in fresh)
    return sorted(fresh, key=lambda each: date_of(each[0])) if dated else fresh


def _is_known(poller: Poller, identity: Identity) -> bool:
    state = poller.state
    return bool(state.find(identity.keys) or Hold(state.db).find(identity.keys))


def _wanted(candidate: Candidate, *, archived: bool) -> Wanted:
    entry, found = candidate
    html = entry.html[:MAX_HTML_CHARS].encode(errors="replace").decode()
    entry = replace(entry, html=html, full=entry.full and len(entry.html) <= MAX_HTML_CHARS)
    return Wanted(entry, found.identity, found.digest, archived)


def _counted(order: Order, found: Sequence[Found], dealt: int) -> Order:
    new = sum(each.article is not None for each in found)
    failed = sum(each.article is None and not each.held for each in found)
    entries, new, failed = order.entries + dealt, order.new + new, order.failed + failed
    return replace(order, entries=entries, new=new, failed=failed)


def _listed(poller: Poller, source: Source, order: Order, got: Chosen, *, now: int) -> Order:
    """Return the order with some of the pages that its sitemap lists, to be asked for."""
    # A worker that was captured may have chosen others.
    pages = [each for each in got.pages[:PART] if _is_own(poller, each.link)]
    part = Feed("", "", tuple(pages[::-1]))
    fresh = to_try(poller, replace(source, text="page"), part, now=now)
    new = [each for each in fresh if not _is_known(poller, each[1].identity)]
    wanted = tuple(_wanted(each, archived=True) for each in reversed(new))
    after = replace(order.past(), wanted=wanted)
    if got.end < got.count:
        rest = replace(order.document, offset=got.end, count=got.count)
        after = replace(after, behind=(*after.behind, rest))
    else:
        after = replace(after, pages=order.pages + 1)
    return replace(after, entries=order.entries + len(part.entries) - len(wanted))


# Asked for.


async def _ask(poller: Poller, source: Source, order: Order, turn: Turn) -> Poll:
    """Return what some pages have become."""
    some, passed, rest = await in_thread(_next, poller, order)
    reader = Reader(poller, source, turn, poller.lang)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_one(reader, each)) for each in some]
    found = await finished(poller, source, [task.result() for task in tasks], turn)
    missed = [each for each, one in zip(some, found, strict=True) if one.held]
    left = [each for each, one in zip(some, found, strict=True) if one.late]
    after = replace(order, wanted=(*rest, *left[::-1])).with_missed(missed)
    after = _counted(after, found, passed + len(some) - len(missed) - len(left))
    problem = next((each.problem for each in found if each.problem), order.problem)
    retry_s = max((each.retry_s for each in found), default=0)
    if missed and len(missed) + len(left) == len(some) > FEW:
        later = order.put_off(problem, now=turn.now, retry_s=retry_s)
        return _told(source, later or replace(after, problem=problem, done=turn.now))
    after = replace(after, problem=problem).went_on(now=turn.now)
    return Poll(source, tuple(found), order=replace(after, at=max(after.at, turn.now + retry_s)))


def _next(poller: Poller, order: Order) -> tuple[list[Wanted], int, tuple[Wanted, ...]]:
    """Return what is asked for now, how many are passed over, and what is left for later."""
    some: list[Wanted] = []
    looked = 0
    for each in order.wanted[: -KNOWN - 1 : -1]:
        if len(some) == PAGES:
            break
        looked += 1
        if not _is_known(poller, each.identity):
            some.append(each)
    return some, looked - len(some), order.wanted[: len(order.wanted) - looked]


async def _one(reader: Reader, wanted: Wanted) -> Found:
    entry, identity = wanted.entry, wanted.identity
    key = f"{reader.source.url} {identity.keys[0]}"
    found = Found(key, wanted.digest, identity, archived=wanted.archived)
    async with reader.pages:
        if reader.is_late(entry):
            return replace(found, late=True)
        try:
            page = await reader.page(entry)
        except FetchError as e:
            held = e.kind not in ("missing", "gone", "robots")
            return replace(found, problem=str(e), held=held, retry_s=e.retry_s)
        if page is None:
            return replace(found, problem=f"{entry.link}: status 304 unasked", held=True)
        found = await reader.read((entry, found), page)
    return replace(found, entry=entry, page=page.validators) if found.article else found
