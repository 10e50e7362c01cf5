"""How much of a page's text is found, and how much else: F1 on 4-word shingles.

Run as `python bench/text.py [FOLDER…]`; a folder holds `ground-truth.json` (name → articleBody,
url) and `html/<name>.html` or `.html.gz`. Precision and recall are means over pages, as
github.com/scrapinghub/article-extraction-benchmark counts them; figures are left out, as there.
"""

import gzip
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

from mirror.article.entry import Entry
from mirror.article.extraction.extract import read_page
from mirror.article.text import visible_text
from mirror.errors import FormatError

PAGES = Path(__file__).parents[2] / "shared" / "data" / "pages"
SHINGLE_WORDS = 4
_WORD = re.compile(r"\w+")
_FIGURE = re.compile(r"<figure\b.*?</figure>", re.DOTALL)


def main() -> None:
    """Print one line for each folder."""
    folders = [Path(name) for name in sys.argv[1:]] or [PAGES / "scrapinghub", PAGES / "fundus"]
    print(f"{'pages':20} count refused   prec recall     F1 page/s")
    for folder in folders:
        print(measured(folder))


def measured(folder: Path) -> str:
    """Return one line of the table."""
    truth = json.loads((folder / "ground-truth.json").read_text())
    precisions, recalls, refused, spent_s = [], [], 0, 0.0
    for name, expected in sorted(truth.items()):
        page = page_bytes(folder / "html", name)
        start = time.process_time()
        text = extracted(page, expected.get("url", ""))
        spent_s += time.process_time() - start
        refused += not text
        precision, recall = scores(expected["articleBody"], text)
        precisions.append(precision)
        recalls.append(recall)
    precision, recall = sum(precisions) / len(truth), sum(recalls) / len(truth)
    f1 = 2 * precision * recall / (precision + recall)
    return (
        f"{folder.name:20} {len(truth):5} {refused:7} {precision:6.3f} {recall:6.3f} {f1:6.3f} "
        f"{len(truth) / spent_s:6.1f}"
    )


def page_bytes(folder: Path, name: str) -> bytes:
    """Return a page as it was served."""
    packed = folder / f"{name}.html.gz"
    if packed.exists():
        return gzip.decompress(packed.read_bytes())
    return (folder / f"{name}.html").read_bytes()


def extracted(page: bytes, url: str) -> str:
    """Return the text of a page's blocks, without figures; "" where the page is refused."""
    entry = Entry("", url, "", (), "", "", full=False, lang="")
    try:
        told = read_page(page, entry=entry, url=url, content_type="text/html", lang="")
    except FormatError:
        return ""
    return "\n".join(visible_text(_FIGURE.sub("", block)) for block in told.article.blocks)


def scores(expected: str, found: str) -> tuple[float, float]:
    """Return precision and recall of `found` on shingles; an empty text has precision 1."""
    true, seen = shingles(expected), shingles(found)
    hits = (true & seen).total()
    return (
        hits / seen.total() if seen else 1.0,
        hits / true.total() if true else 1.0,
    )


def shingles(text: str) -> Counter[tuple[str, ...]]:
    """Return how often each run of words occurs; a shorter text is one run."""
    words = _WORD.findall(text)
    last = max(len(words) - SHINGLE_WORDS, 0)
    runs = (tuple(words[i : i + SHINGLE_WORDS]) for i in range(last + 1))
    return Counter(run for run in runs if run)


if __name__ == "__main__":
    main()
