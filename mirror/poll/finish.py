"""What is done with articles before they are decided on: repeats go, pictures come."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace

from mirror.article import repeats
from mirror.article.jobs import read_entry
from mirror.article.text import visible_text
from mirror.box import Refused
from mirror.hold import Hold
from mirror.poll.gallery import Gallery
from mirror.poll.pages import Turn
from mirror.poll.sound import sound
from mirror.poll.values import Found, Poller, Source
from mirror.recheck.pictures import Pictures
from mirror.state import ArticleState
from mirror.threads import in_thread

MIN_KEPT = 0.7
"""Of a page's text before: with less, the site has more likely changed than the newsroom cut."""


async def finished(
    poller: Poller, source: Source, found: Sequence[Found], turn: Turn
) -> list[Found]:
    """Return outcomes whose articles are as they may be published."""
    cleaned = await in_thread(_without_repeats, poller, found)
    gallery = Gallery(poller, source, turn)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_one(poller, source, each, gallery)) for each in cleaned]
    return [task.result() for task in tasks]


def _printed(poller: Poller, found: Found) -> Found:
    """Return `found` with what of it may turn out to be its site's, where it is from a page."""
    if found.article is None or found.entry is None:
        return found
    keys = found.identity.keys
    held = poller.state.find(keys) or Hold(poller.state.db).find(keys)
    prints = tuple(each for each in repeats.prints(found.article) if each)
    return replace(found, prints=prints, ledger=held.short if held else found.key)


def _without_repeats(poller: Poller, outcomes: Sequence[Found]) -> list[Found]:
    """Return outcomes without the paragraphs that their sites repeat from article to article."""
    found = [_printed(poller, each) for each in outcomes]
    sites: dict[str, dict[str, tuple[bytes, ...]]] = {}
    for each in found:
        sites.setdefault(each.site, {})[each.ledger] = each.prints
    known = {
        (site, article): prints
        for site, articles in sites.items()
        for article, prints in poller.ledger.repeated_all(site, articles).items()
    }
    return [_cleaned(each, known[each.site, each.ledger]) for each in found]


def _cleaned(found: Found, repeated: Collection[bytes]) -> Found:
    if found.article is None or found.entry is None or not repeated:
        return found
    article, too_much = repeats.without(found.article, repeated, own=found.entry.html)
    alert = f"{found.name}: most of it stands in other articles, too" if too_much else ""
    return replace(found, article=article, alert=found.alert or alert)


async def _one(poller: Poller, source: Source, found: Found, gallery: Gallery) -> Found:
    if found.article is None:
        return found
    held = poller.state.find(found.identity.keys)
    if held and held.digest == found.article.digest:
        return found
    if held and found.entry:
        found = await _whole(poller, source, found, held)
    known = Pictures(poller.state.db).find(held.n) if held else None
    return await gallery.add_to(found, known)


async def _whole(poller: Poller, source: Source, found: Found, held: ArticleState) -> Found:
    """Return `found` with the feed's text in place of a page's that has lost much of its own."""
    article, entry = found.article, found.entry
    if article is None or entry is None or (article.partial and found.alert):
        return found
    chars = len(visible_text(" ".join(article.blocks)))
    if chars >= held.chars * MIN_KEPT:
        return found
    what = f"{source.url}: {entry.link}: {chars} characters on its page, {held.chars} before"
    teaser = sound(await poller.box.run(read_entry, b"", entry=entry, lang=article.lang))
    if isinstance(teaser, Refused) or not teaser.blocks:
        alert = f"{what}: published in part: look whether the site changed"
        return replace(found, article=replace(article, partial=True), alert=alert)
    teaser = replace(teaser, title=article.title, authors=article.authors, partial=True)
    alert = f"{what}: the feed's text is published in part: look whether the site changed"
    return replace(found, article=teaser, alert=alert)
