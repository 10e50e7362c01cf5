"""What a poll is of, what it needs, and what comes of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from mirror.agenda import Agenda, Answer
from mirror.article.article import Article
from mirror.article.entry import Entry
from mirror.article.extraction.siterules import SiteRules
from mirror.article.feeds.fields import AS_IT_SAYS, Reading
from mirror.article.identity import Identity
from mirror.backfill import Order
from mirror.box import Box
from mirror.fetch import Fetcher, Validators
from mirror.ledger import Ledger
from mirror.quarantine import Quarantine
from mirror.recheck import NOTHING, Recheck
from mirror.recheck.pictures import Visit
from mirror.state import FeedState, State


@dataclass(frozen=True, slots=True)
class Source:
    """A feed to be polled, where its articles' text comes from, and how it is read."""

    url: str
    text: Literal["auto", "feed", "page"]
    reading: Reading = AS_IT_SAYS


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
    late: bool = False
    """There was no time left for it in this poll."""
    alert: str = ""
    """What the operator should know of an article that is published all the same."""
    entry: Entry | None = None
    """What its page is to be asked again with; None where the text is the feed's."""
    linked: Entry | None = None
    """What the page of an article that its feed holds is looked for with: it may be removed."""
    page: Validators = NOTHING
    """What the page's server gave to ask again with."""
    prints: tuple[bytes, ...] = ()
    """Of its paragraphs (`mirror.article.repeats`), where they are a page's."""
    ledger: str = ""
    """What the ledger knows it by."""
    recheck: Recheck | None = None
    """The plan by which the page was asked again, if it was not the feed that brought it up."""
    retry_s: int = 0
    """How long the page's server asks to be left alone for."""
    missing: bool = False
    """The page that was asked again is not there."""
    archived: bool = False
    """Its feed has it no longer: an archive brought it up, which sees to what fails itself."""
    visit: Visit | None = None
    """What came of asking for its pictures, where that says something for the next time."""

    @property
    def completes(self) -> bool:
        """Whether it is what was published, and its pictures alone were asked for again."""
        return self.visit is not None and self.visit.plan is not None

    @property
    def site(self) -> str:
        """The host whose page it is from, and the feed that named it; "" if it is from none.

        Each feed's apart: with three pages of its choice one could take paragraphs out of
        another's.
        """
        host = urlsplit(self.entry.link if self.entry else "").hostname
        return f"{host} {self.key.partition(' ')[0]}" if host else ""

    @property
    def name(self) -> str:
        """What people call it: its address, else the strongest name there is."""
        names = sorted(self.identity.keys, key=lambda each: not each.startswith("link "))
        kind, _, rest = names[0].partition(" ")
        return rest if kind == "link" else rest.partition(" ")[2]


@dataclass(frozen=True, slots=True)
class Poll:
    """A feed's outcome: what was found in it, or the sentence why it failed."""

    source: Source
    found: tuple[Found, ...] = ()
    problem: str = ""
    seen: FeedState | None = None
    unchanged: int = 0
    keys: frozenset[str] | None = None
    """Of all entries that it has now; None where they were not looked at."""
    same: bool = False
    """The feed as a whole is what it was at the last poll, so nothing in it was looked at."""
    answer: Answer | None = None
    """What the agenda should know; None where it was not the feed that was asked."""
    order: Order | None = None
    """How far the order to mirror an archive has come, where it was a step of one."""


@dataclass(frozen=True, slots=True)
class Poller:
    """What polling needs; `parallel` pages are asked for, or held, at the same time."""

    sources: Sequence[Source]
    lang: str
    state: State
    fetcher: Fetcher
    box: Box
    parallel: int
    rules: Mapping[str, SiteRules] = field(default_factory=dict)
    """By host."""
    hosts: frozenset[str] = frozenset()
    """The newsroom's: where its feeds may move to."""
    pictures: bool = False
    large_px: int = 0
    kept: Callable[[str], Awaitable[bytes | None]] | None = None
    """What the site has at a path: a picture that was had before its server went down."""

    @property
    def agenda(self) -> Agenda:
        """When each feed is due, and where it is."""
        return Agenda(self.state.db)

    @property
    def quarantine(self) -> Quarantine:
        """The entries that are not to be tried now."""
        return Quarantine(self.state.db)

    @property
    def ledger(self) -> Ledger:
        """The paragraphs that a site repeats."""
        return Ledger(self.state.db)
