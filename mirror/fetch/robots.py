"""What a site asks robots to leave alone: https://www.rfc-editor.org/rfc/rfc9309.

A hostile file must cost little, and it is read in this process. Given to the library as it
is, 100 kB took 23 s (3,000 agents with 3,000 rules, each kept for each), and 36,000 patterns with
wildcards take 2 s for every address that is asked about. So only what concerns this robot
reaches it, written anew line by line, and no more than a site for people needs.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

from protego import Protego
from yarl import URL

from mirror.fetch.turns import paused
from mirror.fetch.words import FailedError
from mirror.threads import in_thread

MAX_ROBOTS_BYTES = 500 * 1024  # RFC 9309 section 2.5: what must be read at least
MAX_RULES = 5000  # for this robot; large sites have some hundreds
MAX_WILD = 1000  # wildcards in them: each costs up to 10 µs for every address asked about
MAX_CHARS = 1000  # of a pattern
MATCHED_CHARS = 2048  # of an address: rules are about folders, and the time grows with both
MAX_ORIGINS = 256
# Bytes of all origins together, roughly: measured, a line takes 0.3 to 3 kB and its characters
# four times themselves, so that 256 files made for it would take 2 GB.
MAX_KEPT_BYTES = 16_000_000
LINE_BYTES, PER_BYTE = 1000, 5
FRESH_S = 24 * 3600  # RFC 9309 section 2.4
RETRY_S = 60  # so that one cycle's requests do not all wait for a server that is down
MAX_DELAY_S = 10.0

# The fields as people spell them, with a colon or without: those that the library reads, too.
LINE = re.compile(
    r"^[ \t]*(?:(?P<agent>user[- ]?agent)|(?P<disallow>diss?all?ow|diasllow|disallaw)"
    r"|(?P<allow>allow)|(?P<delay>crawl[- ]delay))(?:[ \t]*:|[ \t])(?P<value>[^\n#]*)",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What one file asks of one robot, also `delay_s` seconds between requests."""

    delay_s: float = 0.0
    size: int = 0
    """Bytes that it takes in memory, roughly."""
    _parsed: Protego | None = None

    @classmethod
    def parse(cls, body: bytes, token: str) -> Self:
        """Read a file for the robot whose product token is `token`; what is no rule is passed over.

        Raises:
            FailedError: more rules than anyone needs.
        """
        lines = list(_lines(_text(body), token.lower()))
        if len(lines) > MAX_RULES or sum(line.count("*") for line in lines) > MAX_WILD:
            raise FailedError(f"more than {MAX_RULES} rules, or {MAX_WILD} wildcards in them")
        parsed = Protego.parse("\n".join(lines))
        delay_s = parsed.crawl_delay(token) or 0.0
        size = LINE_BYTES * len(lines) + PER_BYTE * sum(len(line.encode()) for line in lines)
        return cls(min(delay_s, MAX_DELAY_S), size, parsed)

    def allows(self, url: URL, token: str) -> bool:
        """Say whether the robot may ask for `url`, judged by its first 2,048 characters."""
        if self._parsed is None:
            return True
        # The host is of no matter here, and may be one that the library cannot read.
        asked = f"http://host{url.raw_path_qs}"[:MATCHED_CHARS]
        return bool(self._parsed.can_fetch(asked, token))


def _text(body: bytes) -> str:
    text = body.decode("utf-8-sig", errors="replace").replace("\r", "\n")
    # A line that the limit has cut says something else: `Disallow: /a` of `Disallow: /ads`.
    return text.rpartition("\n")[0] if len(body) >= MAX_ROBOTS_BYTES else text


def _lines(text: str, token: str) -> Iterator[str]:
    """Yield this robot's groups and those for all, in one spelling; unknown fields end none."""
    ours, heads = False, False
    for found in LINE.finditer(text):
        # Of what is left no character ends a line, so that no value becomes a field.
        value = "%20".join(found["value"].split())
        if not found["agent"]:
            heads = False
            if ours:  # without its value, where it has none or an endless one: it ends the heads
                yield f"{_field(found)}: {value if len(value) <= MAX_CHARS else ''}"
            continue
        ours = ours and heads
        heads = True
        name = value.partition("/")[0].partition("%20")[0].lower()
        if value == "*" or name.rstrip("*") == token:
            ours = True
            yield f"User-agent: {'*' if value == '*' else token}"


def _field(found: re.Match[str]) -> str:
    if found["delay"]:
        return "Crawl-delay"
    return "Allow" if found["allow"] else "Disallow"


@dataclass(slots=True)
class _Kept:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    rules: Rules | None = None
    until: float = 0.0
    problem: str = ""


class Robots:
    """The rules of each origin, asked for once a day with `read`, and kept in memory."""

    def __init__(
        self,
        token: str,
        read: Callable[[URL], Awaitable[bytes]],
        now: Callable[[], float],
    ) -> None:
        self._token = token
        self._read = read
        self._now = now
        self._kept: OrderedDict[URL, _Kept] = OrderedDict()

    async def ask(self, url: URL, limit: asyncio.Timeout) -> float:
        """Return how many seconds must lie between requests to the host of `url`.

        The rules themselves are had within a time limit of their own, not within `limit`.

        Raises:
            FailedError: `url` is disallowed, or whether it is cannot be known.
        """
        origin = url.origin()
        kept = self._kept.setdefault(origin, _Kept())
        self._kept.move_to_end(origin)
        if not self._is_fresh(kept):
            with paused(limit):
                async with kept.lock:
                    if not self._is_fresh(kept):  # nobody else has asked meanwhile
                        await self._refresh(origin, kept)
            self._forget()
        if kept.rules is None:
            raise FailedError(kept.problem)
        if not kept.rules.allows(url, self._token):
            said = f"disallowed by {origin}/robots.txt: agree with the newsroom, then "
            raise FailedError(said + "set fetch.robots = false", kind="robots")
        return kept.rules.delay_s

    def _is_fresh(self, kept: _Kept) -> bool:
        # A clock that was set back must not make a day longer.
        return 0 <= kept.until - self._now() <= FRESH_S

    async def _refresh(self, origin: URL, kept: _Kept) -> None:
        """Ask again; what cannot be had leaves the old rules in force, section 2.4."""
        address = origin / "robots.txt"
        try:
            body = await self._read(address)
            kept.rules = await in_thread(Rules.parse, body, self._token)
        except FailedError as e:
            if not 400 <= e.status < 500:  # section 2.3.1.4: unreachable, so all is disallowed
                kept.problem = f"{address}: {e}"
                kept.until = self._now() + RETRY_S
                return
            kept.rules = Rules()  # section 2.3.1.3: unavailable, so all is allowed
        kept.until = self._now() + FRESH_S

    def _forget(self) -> None:
        """Drop the origins not asked about for longest, until what is left is bounded."""
        size = sum(each.rules.size for each in self._kept.values() if each.rules)
        while len(self._kept) > MAX_ORIGINS or (size > MAX_KEPT_BYTES and len(self._kept) > 1):
            _, dropped = self._kept.popitem(last=False)
            size -= dropped.rules.size if dropped.rules else 0
