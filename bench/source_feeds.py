"""The collected feeds, read by ours and by feedparser as it comes: how many, how fast."""

import io
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import feedparser

from bench.source_sealed import sealed
from bench.table import Row, show
from mirror.article.feeds.feed import parse_feed
from mirror.errors import FormatError

DATA = Path(__file__).parents[2] / "shared" / "data" / "feeds"
URL = "https://news.example/feed"
TARGET = "≥ 600 /CPU-s"
ROUNDS = 3
WORKERS = 2
SLOW_S = 10.0
"""Longer than any honest feed takes; such a one is named."""

Reader = Callable[[bytes], int]
"""From the bytes of a feed to the number of its entries."""


@dataclass(slots=True)
class Reading:
    """What one program made of all feeds."""

    ends: Counter[str] = field(default_factory=Counter)
    entries: int = 0
    spent_s: float = 0.0
    refused: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)

    def take(self, name: str, body: bytes, reader: Reader) -> None:
        """Read one feed and note how that ended."""
        start = time.process_time()
        try:
            self.entries += reader(body)
            self.ends["read"] += 1
        except FormatError as e:
            self.ends["refused"] += 1
            self.refused.append(f"{name}: {e}")
        except Exception as e:  # noqa: BLE001 - to crash is what is counted
            self.ends["crashed"] += 1
            self.refused.append(f"{name}: {type(e).__name__}: {e}")
        spent = time.process_time() - start
        self.spent_s += spent
        if spent > SLOW_S:
            self.slow.append(f"{name}: {spent:.0f} s")

    @property
    def rate(self) -> float:
        """Entries for each second of processor time."""
        return self.entries / self.spent_s


def ours(body: bytes) -> int:
    """Read a feed as the box does."""
    return len(parse_feed(body, url=URL, content_type="").entries)


def plain(body: bytes) -> int:
    """Read a feed with feedparser as it comes: it cleans HTML and resolves links."""
    found = feedparser.parse(io.BytesIO(body))
    if not found.version and not found.entries:
        raise FormatError("not a feed")
    return len(found.entries)


def run() -> list[Row]:
    """Read each feed with both, in turn, several times."""
    if not DATA.is_dir():
        return [Row("feeds: the collected data is not beside the repository", "left out")]
    with ProcessPoolExecutor(WORKERS) as pool:
        rounds = list(pool.map(read_all, range(ROUNDS)))
    mine, theirs = rounds[0]
    rate = statistics.median(mine.rate for mine, _ in rounds)
    beside = statistics.median(theirs.rate for _, theirs in rounds)
    each = statistics.median(mine.rate / theirs.rate for mine, theirs in rounds)
    return [
        Row(f"feeds, {mine.ends.total()}: read, refused, crashed", _ends(mine), "0 crashed"),
        *(Row(f"    {line:.90}", "") for line in (*mine.refused, *mine.slow)),
        Row("  peer: feedparser as it comes", _ends(theirs)),
        *(Row(f"    {line:.90}", "") for line in theirs.slow),
        Row(f"  {mine.entries:,} entries, ours", f"{rate:,.0f} /CPU-s", TARGET),
        Row(f"  {theirs.entries:,} entries, feedparser as it comes", f"{beside:,.0f} /CPU-s"),
        Row("  ours beside it", f"{each:.1f} ×"),
    ]


def read_all(_: int) -> tuple[Reading, Reading]:
    """Return what both made of all feeds."""
    mine, theirs = Reading(), Reading()
    with sealed():
        for name, body in _feeds():
            mine.take(name, body, ours)
            theirs.take(name, body, plain)
    return mine, theirs


def _feeds() -> Iterator[tuple[str, bytes]]:
    for path in sorted(DATA.rglob("*")):
        if path.is_file():
            yield path.relative_to(DATA).as_posix(), path.read_bytes()


def _ends(reading: Reading) -> str:
    return ", ".join(str(reading.ends[end]) for end in ("read", "refused", "crashed"))


if __name__ == "__main__":
    show("feeds", run())
