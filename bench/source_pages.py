"""The text of pages, beside what three other programs find: F1, and the seed line by line."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.rivals import RIVALS, Extractor
from bench.source_sealed import sealed
from bench.table import Row, show
from bench.text import extracted, page_bytes, scores
from mirror.article.feeds.feed import Entry
from mirror.article.jobs import read_page
from mirror.article.text import visible_text

DATA = Path(__file__).parents[2] / "shared" / "data"
TARGETS = {"scrapinghub": "≥ 0.960", "fundus": "≥ 0.945"}
OURS = "ours"
EXTRACTORS: dict[str, Extractor] = {OURS: extracted, **RIVALS}
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over the pages of a folder, and the processor time that each took."""

    pages: int
    refused: int
    precision: float
    recall: float
    each_s: float
    asked: tuple[str, ...]
    """Where the program wanted to go."""

    @property
    def f1(self) -> float:
        """The harmonic mean of the means, as the benchmark counts."""
        return 2 * self.precision * self.recall / (self.precision + self.recall)


def run() -> list[Row]:
    """Measure ours and the others on the collected pages, and on the seed."""
    if not DATA.is_dir():
        return [Row("pages: the collected data is not beside the repository", "left out")]
    with ProcessPoolExecutor(WORKERS) as pool:
        found = {
            (folder, name): pool.submit(quality, DATA / "pages" / folder, name)
            for folder in TARGETS
            for name in EXTRACTORS
        }
        rows = [
            row for key, future in found.items() for row in _rows(*key, quality=future.result())
        ]
    return [*rows, *_seed()]


def _rows(folder: str, name: str, *, quality: Quality) -> Iterator[Row]:
    what = f"{folder}, {quality.pages} pages: " if name == OURS else "  peer: "
    yield Row(f"{what}{name}, F1", f"{quality.f1:.3f}", TARGETS[folder] if name == OURS else "")
    yield Row(
        "    precision, recall, refused; each page",
        f"{quality.precision:.3f} {quality.recall:.3f} {quality.refused:2};"
        f" {quality.each_s * 1000:3.0f} ms",
    )
    if quality.asked:
        yield Row(f"    wanted to go to {quality.asked[0]:.40}", f"{len(quality.asked)} times")


def quality(folder: Path, name: str) -> Quality:
    """Return what one program finds in the pages of a folder."""
    truth = json.loads((folder / "ground-truth.json").read_text())
    extractor, precisions, recalls, refused, spent_s = EXTRACTORS[name], [], [], 0, 0.0
    with sealed() as asked:
        for page, expected in sorted(truth.items()):
            data = page_bytes(folder / "html", page)
            start = time.process_time()
            text = extractor(data, expected.get("url", ""))
            spent_s += time.process_time() - start
            refused += not text
            precision, recall = scores(expected["articleBody"], text)
            precisions.append(precision)
            recalls.append(recall)
    means = sum(precisions) / len(truth), sum(recalls) / len(truth)
    return Quality(len(truth), refused, *means, spent_s / len(truth), tuple(asked))


def _seed() -> Iterator[Row]:
    truth = json.loads((DATA / "seed" / "ground_truth.json").read_text())
    page = (DATA / "seed" / "page_reconstructed.html").read_bytes()
    wanted = "8/8, yes, yes, 0/21"
    yield Row("the seed: paragraphs, caption, credit, boilerplate", _ours_of(page, truth), wanted)
    for name, extractor in RIVALS.items():
        lines = [line.strip() for line in extractor(page, "").splitlines() if line.strip()]
        yield Row(f"  peer: {name}, caption and credit anywhere", _marks(lines, lines, truth))


def _ours_of(page: bytes, truth: dict[str, str]) -> str:
    """Judge our own: caption and credit count only as fields of the figure."""
    entry = Entry("", "", "", (), "", "", full=False, lang="")
    told = read_page(
        page, entry=entry, url="https://x.example/1", content_type="text/html", lang=""
    )
    article = told.article
    figures = [block for block in article.blocks if block.startswith("<figure")]
    lines = [visible_text(block) for block in article.blocks if block not in figures]
    return _marks(lines, [visible_text(each) for each in figures], truth)


def _marks(lines: list[str], captions: list[str], truth: dict[str, str]) -> str:
    caption, credit = truth["caption"].rsplit(". ", 1)
    kept = sum(paragraph in lines for paragraph in truth["body"])
    left = sum(any(line in found for found in lines) for line in truth["boiler"])
    yes = [
        "yes" if any(part in found for found in captions) else "no" for part in (caption, credit)
    ]
    return f"{kept}/{len(truth['body'])}, {', '.join(yes)}, {left}/{len(truth['boiler'])}"


if __name__ == "__main__":
    show("pages", run())
