"""What waits, what was proposed and what is switched, as values; and how the room is shared."""

from collections.abc import Iterable
from dataclasses import dataclass

from mirror.article.article import Article
from mirror.article.identity import Identity


@dataclass(frozen=True, slots=True)
class Switches:
    """What the operator set for all: since when, in Unix seconds, or None."""

    holding: int | None = None
    """Only what is approved is published."""
    stopped: int | None = None
    """Nothing is published, approved or not."""
    reason: str = ""
    """The operator's own words for the stop."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An article, or the next revision of one, that may be published with the short id `short`."""

    article: Article
    identity: Identity
    source: str
    short: str
    held: bool = False
    """Until it is approved or released by name."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proposal that was not published yet, without its text. `n` orders them."""

    n: int
    short: str
    since: int
    held: bool
    """Until it is approved or released, whatever the switches say."""
    approved: bool
    going: bool
    """It is being published now."""
    published: bool
    """It was, and the process ended before it could note so here."""
    problem: str
    """Why no page can be made of it, "" if nobody knows of a reason."""
    source: str
    digest: bytes
    title: str
    url: str
    size: int
    rev: int
    """The revision that it becomes: 1 is a new article."""

    def due(self, switches: Switches, *, delay_s: int) -> int | None:
        """Return from when on it may be published; None: not before the operator acts."""
        if switches.stopped is not None or self.problem:
            return None
        if self.approved:
            return self.since
        return None if self.held or switches.holding is not None else self.since + delay_s


class Room:
    """How much waits of each feed, and how much more of it may: half of what others leave."""

    def __init__(self, held: Iterable[tuple[str, int, int]], count: int, size: int) -> None:
        self._most = count, size
        self._held = {source: (count, size) for source, count, size in held}

    def take(self, source: str, grown: int, *, new: bool) -> bool:
        """Return whether a feed has room for `grown` bytes more; take it if so."""
        count, size = self._held.get(source, (0, 0))
        after = count + new, size + grown
        if grown > 0 and not self._fits(source, after):
            return False
        self._held[source] = after
        return True

    def _fits(self, source: str, after: tuple[int, int]) -> bool:
        others = [held for each, held in self._held.items() if each != source]
        return all(
            2 * own <= most - sum(held[n] for held in others)
            for n, (own, most) in enumerate(zip(after, self._most, strict=True))
        )
