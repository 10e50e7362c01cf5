"""The site on IPFS: hashing large files, and what one article changes among 100,000.

The tree is that of a site as it is published: articles in folders of 32, all tiles and bundles,
the catalogue's nodes. First its state is a dict, then the database: what a round reads and writes
there, with files of the size that they have. `index/` and `tile/` are flat, so a round's folders
weigh fifty times what an article's own do: in the CAR, not in the database.
"""

import hashlib
import io
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.meter import written_bytes
from bench.table import Row, show
from mirror.dag import Dag
from mirror.dag.tree import Tree
from mirror.database import Database
from mirror.formats import car, paths, tlog
from mirror.formats.cid import RAW, Cid
from mirror.formats.folders import Node, update
from mirror.formats.index import FAN_OUT, levels
from mirror.formats.unixfs import CHUNK, Link, chunked, file_blocks

LARGE = 256 * CHUNK
ARTICLES = 100_000
TIMES = 15  # medians
FILES = ("index.html", "1.html", "1.html.tlog-proof", "1.html.minisig", "1.html.sig")
HEADS = ("checkpoint", "index.tlog-proof", "index.html", "index.html.minisig", "index.html.sig")


def run() -> list[Row]:
    """Measure large files, then one article in a site of 100,000, without and with a database."""
    return _large() + _delta() + _kept()


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


def _kept() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "state.db")
        db = Database.open(file, origin="bench")
        dag = Dag(db, Path(folder, "site"))
        dag.rebuild()
        site = (
            _articles(range(ARTICLES)) | _log(2 * ARTICLES) | _index(_nodes(ARTICLES)) | _heads(0)
        )
        start = time.process_time()
        for some in _some(sorted(site.items())):
            with db.transaction():
                Tree(db).change(dict(some))
        spent_s = time.process_time() - start
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        rows = [
            Row("the tree in the database, from nothing", f"{spent_s:.0f} s"),
            Row("  an article there", f"{file.stat().st_size / ARTICLES:.0f} B", "≤ 1500 B"),
        ]
        rows += _rounds(dag, db)
        db.close()
    return rows


def _some(items: list[tuple[str, Link]]) -> Iterator[list[tuple[str, Link]]]:
    return (items[start : start + 5000] for start in range(0, len(items), 5000))


def _rounds(dag: Dag, db: Database) -> list[Row]:
    """Publish one article after another; what is measured ends with the bytes of the CAR."""
    spent, written, sizes = [], [], []
    for number in range(TIMES):
        files = _round(number)
        for path, data in files.items():
            file = dag.site / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        generation, before, start = dag.generation(), written_bytes(), time.process_time()
        with db.transaction():
            dag.apply(files)
        between = written_bytes()
        blocks = dag.blocks_since(generation)
        sizes.append(sum(map(len, car.write(_ROOT, blocks))))
        spent.append((time.process_time() - start) * 1000)
        written.append(between - before)
    mean = statistics.mean(written) / 1000
    what = f"{statistics.median(spent):.1f} ms, CAR {statistics.median(sizes) / 1000:.0f} kB"
    return [
        Row("  a round of one article: apply and delta CAR", what, "≤ 20 ms"),
        Row("    written by SQLite, with its checkpoints, mean", f"{mean:.0f} kB", "≤ 60 kB"),
    ]


def _round(number: int) -> dict[str, bytes]:
    size = 2 * (ARTICLES + number)
    tiles = dict(_log(size + 2).items() - _log(size).items())
    first = -(levels(ARTICLES) + 1) * (number + 1)
    index = _index(range(first, first + levels(ARTICLES) + 1))
    paths_ = _articles([ARTICLES + number]) | tiles | index | _heads(number)
    return {path: f"{path} {number}".encode() * 40 for path in paths_}


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
