"""The archive: every article by date, in pages of 64 as the catalogue has them.

A page of level 0 lists 64 articles, in the order of `n`, newest first; a page above lists up to 64
pages below. One article changes one page a level, two where it begins a page: the one before it
learns that there is a newer one.

A site from before there was an archive has none of the older pages. They are made 64 a round, the
newest first: of each 64, the page that is written last tells whether the site has them all.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from mirror.formats.index import FAN_OUT, AnyItem, VoidItem, levels, position
from mirror.pages.fit import MAX_PAGE, ROOMS, Room, fitting, shown
from mirror.pages.frame import Frame, article_path, day, number
from mirror.pages.front import own_language

INDEX = "archive/index.html"
_TOP = "../../"  # from a page to the site's root


@dataclass(frozen=True, slots=True)
class Line:
    """An article's item, and when it was first published."""

    item: AnyItem
    first: int


Lines = Callable[[int, int], Sequence[Line]]
"""Returns articles number `start` to `end` - 1; only edges of pages are asked for above level 0."""


def last_written(count: int) -> dict[int, str]:
    """Return, of each 64 pages of the archive of `count` articles, the one a round writes last."""
    if levels(count) > 1:
        return {k: f"archive/1/{k}.html" for k in range(position(count - 1, 1) + 1)}
    return {0: max(f"archive/0/{k}.html" for k in range(-(-count // FAN_OUT)))} if count else {}


def missing(numbers: Iterable[int], *, before: int, held: Container[str]) -> set[int]:
    """Return articles whose pages a site with only the files `held` lacks, one of each page.

    Those of the newest 64 pages that are missing, and of any that the articles `numbers` touch:
    what is written of 64 pages, were it one, would say that all are there.
    """
    lacking = {k for k, path in last_written(before).items() if path not in held}
    made = lacking & {position(n, 1) for n in numbers} | {max(lacking, default=-1)}
    width = FAN_OUT * FAN_OUT
    starts = (range(k * width, min((k + 1) * width, before), FAN_OUT) for k in made if k >= 0)
    return {n for each in starts for n in each}


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive of `count` articles, of which `before` were there in the round before."""

    frame: Frame
    lines: Lines
    count: int
    before: int

    def files(self, numbers: Iterable[int]) -> dict[str, bytes]:
        """Return the pages that the new, revised or withdrawn articles `numbers` change."""
        changed = set(numbers)
        files = {}
        for level in range(levels(self.count)):
            for k in sorted(self._places(level, changed)):
                files[f"archive/{level}/{k}.html"] = self._page(level, k)
        return files | {INDEX: self._index()}

    def _places(self, level: int, numbers: Iterable[int]) -> set[int]:
        """Return the pages of `level` to be written; a level that is new is written whole."""
        last = position(self.count - 1, level)
        if level >= levels(self.before):
            return set(range(last + 1))
        newer = range(position(self.before - 1, level), last) if self.before else range(0)
        return {position(n, level) for n in numbers} | set(newer)

    def _page(self, level: int, k: int) -> bytes:
        if level == 0:
            return self._articles(k)
        below = list(self._below(level - 1, k * FAN_OUT))
        listing = _listed(self.frame, below, f"../{level - 1}/")
        return self._linked(level, k, listing, below[0].since, below[-1].until)

    def _articles(self, k: int) -> bytes:
        lines = self.lines(k * FAN_OUT, min((k + 1) * FAN_OUT, self.count))

        def page(room: Room) -> bytes:
            listing = "".join(_item(self.frame, line, room) for line in reversed(lines))
            return self._linked(0, k, listing, lines[0].first, lines[-1].first)

        return fitting(page, ROOMS, max_bytes=MAX_PAGE)

    def _linked(self, level: int, k: int, listing: str, since: int, until: int) -> bytes:
        links = self._neighbours(level, k)
        return self._framed(f'{links}<ol class="l">{listing}</ol>{links}', since, until, top=_TOP)

    def _index(self) -> bytes:
        top = levels(self.count) - 1
        below = list(self._below(top, 0))
        listing = f'<ol class="l">{_listed(self.frame, below, f"{top}/")}</ol>'
        return self._framed(listing, below[0].since, below[-1].until, top="../")

    def _framed(self, body: str, since: int, until: int, *, top: str) -> bytes:
        title = self.frame.common.archive
        heading = f'<h1>{title}</h1><p class="by">{_span(since, until)}</p>'
        return self.frame.page(title, f'<main class="t">{heading}{body}</main>', top=top)

    def _neighbours(self, level: int, k: int) -> str:
        words = self.frame.words
        links = []
        if k:
            links.append(f'<a href="{k - 1}.html" rel="prev">{words.older}</a>')
        if k < position(self.count - 1, level):
            links.append(f'<a href="{k + 1}.html" rel="next">{words.newer}</a>')
        return f'<nav role="none">{" ".join(links)}</nav>' if links else ""

    def _below(self, level: int, start: int) -> Iterator["_Below"]:
        """Yield up to 64 pages of `level` from number `start`, with the dates of their edges."""
        width = FAN_OUT ** (level + 1)
        last = min(start + FAN_OUT - 1, position(self.count - 1, level))
        since = self.lines(start * width, start * width + 1)[0].first
        for k in range(start, last + 1):
            end = min((k + 1) * width, self.count)
            edge = self.lines(end - 1, end + 1)  # this page's last and the next one's first
            yield _Below(k, since, edge[0].first, end - k * width)
            since = edge[-1].first


@dataclass(frozen=True, slots=True)
class _Below:
    """Page `k` has `count` articles, first published from `since` to `until`."""

    k: int
    since: int
    until: int
    count: int


def _listed(frame: Frame, below: Sequence[_Below], folder: str) -> str:
    """Return pages as items, the newest first."""
    return "".join(
        f'<li><a href="{folder}{page.k}.html">{_span(page.since, page.until)}</a> '
        f"<small>{frame.words.articles.format(count=number(page.count))}</small></li>"
        for page in reversed(below)
    )


def _item(frame: Frame, line: Line, room: Room) -> str:
    item = line.item
    if isinstance(item, VoidItem):
        return f"<li><span>{frame.words.withdrawn}</span> <small>{day(line.first)}</small></li>"
    title = shown(item.title, item.id, room)
    return (
        f"<li{own_language(frame, item.lang, item.dir)}>"
        f'<a href="{_TOP}{article_path(item.id)}">{escape(title, quote=False)}</a> '
        f"<small>{day(line.first)}</small></li>"
    )


def _span(since: int, until: int) -> str:
    """Return two dates as HTML, or one where they are the same."""
    first, last = day(since), day(until)
    return first if first == last else f"{first} – {last}"
