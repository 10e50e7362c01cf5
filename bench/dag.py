"""The site on IPFS: hashing large files, and what one article changes among 100,000.

The tree is that of a site as it is published: articles in folders of 32, all tiles and bundles,
the catalogue's nodes. Its state is a dict, so the figures are without a database's.
"""

import hashlib
import io
import statistics
import time
from collections.abc import Iterator, Mapping

from bench.table import Row, show
from mirror.formats import car, paths, tlog
from mirror.formats.cid import RAW, Cid
from mirror.formats.index import FAN_OUT, levels
from mirror.formats.unixfs import CHUNK, Link, Node, chunked, file_blocks, update

LARGE = 256 * CHUNK
ARTICLES = 100_000
TIMES = 15  # medians
FILES = ("index.html", "1.html", "1.html.tlog-proof", "1.html.minisig", "1.html.sig")
HEADS = ("checkpoint", "index.tlog-proof", "index.html", "index.html.minisig", "index.html.sig")


def run() -> list[Row]:
    """Measure large files, then one article in a site of 100,000."""
    return _large() + _delta()


def _large() -> list[Row]:
    data = bytearray(LARGE)
    rates = {
        "peer: SHA-256 alone": _rate(lambda: hashlib.sha256(data)),
        "file → blocks": _rate(lambda: [None for _ in file_blocks(chunked(data))]),
        "file → blocks → CAR": _rate(lambda: [None for _ in car.write(_ROOT, _blocks(data))]),
    }
    whole = b"".join(car.write(_ROOT, _blocks(data)))
    rates["CAR → blocks, verified"] = _rate(
        lambda: [None for _ in car.read(io.BytesIO(whole).read)[1]]
    )
    targets = {"file → blocks": "≥ 0.4 GB/s"}
    return [Row(what, f"{rate:.2f} GB/s", targets.get(what, "")) for what, rate in rates.items()]


def _delta() -> list[Row]:
    state: dict[str, Node] = {}
    site = _articles(range(ARTICLES)) | _log(2 * ARTICLES) | _index(_nodes(ARTICLES)) | _heads(0)
    start = time.process_time()
    _apply(state, site)
    rows = [
        Row(f"tree of {len(site):,} paths, from nothing", f"{time.process_time() - start:.1f} s")
    ]
    rows.append(Row("  its folders' blocks", f"{_total(state) / 1e6:.0f} MB in {len(state):,}"))
    article = _articles([ARTICLES])
    tiles = dict(_log(2 * ARTICLES + 2).items() - _log(2 * ARTICLES).items())
    index = _index(range(-levels(ARTICLES) - 1, 0))
    return [
        *rows,
        *_one(state, "one article's own folder", article, "≤ 20 ms, ≤ 20 kB"),
        *_one(state, "  with heads", article | _heads(1)),
        *_one(state, "  with heads and tiles", article | _heads(1) | tiles),
        *_one(state, "  with heads, tiles and index: a round", article | _heads(1) | tiles | index),
        *_one(state, "  the tiles alone", tiles),
        *_one(state, "  the index alone", index),
    ]


def _one(
    state: Mapping[str, Node], what: str, changes: Mapping[str, Link], target: str = ""
) -> list[Row]:
    spent = []
    for _ in range(TIMES):
        start = time.process_time()
        found = update(state.get, changes)
        pieces = b"".join(car.write(found.root.cid, found.blocks.items()))
        spent.append((time.process_time() - start) * 1000)
    size = sum(map(len, found.blocks.values()))
    assert len(pieces) > size
    number = f"{statistics.median(spent):.1f} ms, {size / 1000:.1f} kB"
    return [Row(f"{what} ({len(found.blocks)} folders)", number, target)]


def _rate(work) -> float:  # noqa: ANN001 - any call
    start = time.process_time()
    work()
    return LARGE / (time.process_time() - start) / 1e9


def _blocks(data: bytearray) -> Iterator[tuple[Cid, bytes | bytearray | memoryview]]:
    return ((block.link.cid, block.data) for block in file_blocks(chunked(data)))


def _apply(state: dict[str, Node], changes: Mapping[str, Link]) -> None:
    for place, node in update(state.get, changes).nodes.items():
        if node:
            state[place] = node


def _total(state: Mapping[str, Node]) -> int:
    return sum(len(node.block) for node in state.values())


def _invented(what: object) -> Link:
    return Link(Cid(RAW, hashlib.sha256(repr(what).encode()).digest()), 5000)


def _articles(numbers: range | list[int]) -> dict[str, Link]:
    folders = (
        paths.article_folder(paths.short_id(hashlib.sha256(b"%d" % number).digest()))
        for number in numbers
    )
    return {f"{folder}/{name}": _invented((folder, name)) for folder in folders for name in FILES}


def _log(size: int) -> dict[str, Link]:
    """Return the tiles and bundles of a log, without the partial ones that larger ones replaced."""
    files, level = {}, 0
    while size:
        for n in range(-(-size // tlog.WIDTH)):
            width = min(tlog.WIDTH, size - n * tlog.WIDTH)
            files[paths.tile_path(level, n, width)] = _invented((level, n, width))
            if level == 0:
                files[paths.bundle_path(n, width)] = _invented((n, width))
        level, size = level + 1, size >> tlog.HEIGHT
    return files


def _nodes(count: int) -> range:
    """Return the catalogue's nodes and the index document, by numbers."""
    return range(sum(-(-count // FAN_OUT ** (level + 1)) for level in range(levels(count))) + 1)


def _index(numbers: range) -> dict[str, Link]:
    names = (hashlib.sha256(b"index %d" % number).hexdigest() for number in numbers)
    return {f"index/{name}.json": _invented(name) for name in names}


def _heads(time: int) -> dict[str, Link]:
    return {name: _invented((name, time)) for name in HEADS}


_ROOT = Cid(RAW, bytes(32))


def main() -> None:
    """Print the table."""
    show("dag", run())


if __name__ == "__main__":
    main()
