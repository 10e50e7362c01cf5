"""The source side: text of pages, feeds, polls, the box, and the replay of half a year.

Each part is a program of its own too: `python -m bench.source_feeds`. No packet leaves.
"""

from bench import source_box, source_feeds, source_loop, source_pages, source_poll, source_replay
from bench.source_sealed import sealed
from bench.table import Row

PARTS = (source_poll, source_box, source_loop, source_feeds, source_pages, source_replay)


def run() -> list[Row]:
    """Measure all parts, one after another."""
    with sealed():
        return [row for part in PARTS for row in part.run()]
