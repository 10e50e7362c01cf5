"""Chooses among all blocks of a page those that are the article.

The whole page is made into clean blocks, as a feed's body is; kept are those whose letters
are in the lines that `maintext` found, and the figures between and just above them. So a
paragraph keeps its links and emphasis, and a figure its caption and credit.
"""

import re
from collections.abc import Sequence
from html import escape, unescape

from mirror.article.strings import EMBED_WORDS
from mirror.article.text import plain

GRAM = 12
"""Letters compared at once: three words of a European language, a clause in Chinese."""
STRIDE = 3
"""Every third place of a block is enough to tell how much of it was found."""
MIN_FOUND = 0.75
"""Of a block: trafilatura leaves out notes and buttons inside a paragraph."""
MAX_REPEATED = 0.5
"""Of a block, in blocks kept already: some pages hold their text twice, once for scripts."""
MIN_COVERED = 0.7
"""Of the lines' letters: where the blocks hold fewer, the lines themselves are used."""
LEAD_DISTANCE = 8
"""Blocks between a lead picture and the first paragraph: title, byline, date, share bar."""

_TAG = re.compile(r"<[^>]*>")
_LINK = re.compile(r"<a [^>]*>.*?</a>", re.DOTALL)
_FIGURE = re.compile(r"<figure.*?</figure>", re.DOTALL)
_EMBED = re.compile(rf'<p><a href="[^"]*">(?:{"|".join(map(re.escape, EMBED_WORDS))}): ')
"""What stands for a player or a page inside the page (`figure`)."""
_WORDS = re.compile(r"\W+")


def article_blocks(blocks: Sequence[str], lines: Sequence[str], *, title: str) -> list[str]:
    """Return the blocks of the article, in the page's order."""
    heading = letters(title)
    keys = [_key(block, heading) for block in blocks]
    wanted = [letters(line) for line in lines]
    text = "".join(wanted)
    kept = _exact(keys, set(wanted))
    kept = _with_similar(keys, kept, _grams(text, 1))
    if sum(len(keys[index]) for index in kept) < MIN_COVERED * len(text):
        # As text: no tree of ours has seen what turns or hides in them.
        texts = (plain(line) for line in lines)
        return [f"<p>{escape(text, quote=False)}</p>" for text in texts if text]
    kept = [index for index in kept if not _is_pointer(blocks[index])]
    while kept and _announces(blocks[kept[-1]]):
        kept.pop()
    return [blocks[index] for index in _with_figures(blocks, kept)]


def letters(text: str) -> str:
    """Return the letters and digits of a text: the key by which lines and blocks are compared."""
    return _WORDS.sub("", text).casefold()


def _key(block: str, heading: str) -> str:
    """Return the letters of a block; none of a figure and of the title, which are never text."""
    if block.startswith(("<figure", "<table")):  # pictures in cells, too
        block = _FIGURE.sub("", block)
    key = letters(unescape(_TAG.sub("", block)))
    return "" if key == heading else key


def _grams(key: str, stride: int) -> set[str]:
    return {key[i : i + GRAM] for i in range(0, len(key) - GRAM + 1, stride)}


def _exact(keys: Sequence[str], wanted: set[str]) -> list[int]:
    """Return the blocks that are a wanted line; of two alike, the one nearest to the others."""
    found = [index for index, key in enumerate(keys) if key and key in wanted]
    if not found:
        return []
    middle = found[len(found) // 2]
    best: dict[str, int] = {}
    for index in found:
        known = best.get(keys[index], index)
        best[keys[index]] = min(index, known, key=lambda place: abs(place - middle))
    return sorted(best.values())


def _with_similar(keys: Sequence[str], kept: Sequence[int], wanted: set[str]) -> list[int]:
    """Return `kept` and the blocks that are mostly wanted and not yet there."""
    seen: set[str] = set()
    for index in kept:
        seen |= _grams(keys[index], 1)
    chosen = set(kept)
    for index, key in enumerate(keys):
        grams = _grams(key, STRIDE)
        if index in chosen or not grams:
            continue
        new = len(grams & seen) <= MAX_REPEATED * len(grams)
        if new and len(grams & wanted) >= MIN_FOUND * len(grams):
            chosen.add(index)
            seen |= _grams(key, 1)
    return sorted(chosen)


def _with_figures(blocks: Sequence[str], kept: Sequence[int]) -> list[int]:
    """Return `kept` and the figures among them: beside a kept block, or with a caption."""
    if not kept:
        return []
    chosen = set(kept)
    for index in range(kept[0], kept[-1] + 1):
        beside = chosen & {index - 1, index + 1}
        captioned = _is_figure(blocks[index]) and (beside or "<figcaption>" in blocks[index])
        if captioned or (beside and _EMBED.match(blocks[index])):
            chosen.add(index)
    # The lead picture: the nearest one above the first paragraph.
    above = range(kept[0] - 1, max(kept[0] - 1 - LEAD_DISTANCE, -1), -1)
    lead = next((index for index in above if _is_figure(blocks[index])), None)
    return sorted(chosen if lead is None else chosen | {lead})


def _is_pointer(block: str) -> bool:
    """Return whether a paragraph is one link and nothing else: "Read also: …"."""
    rest = _LINK.sub("", block)
    return block.startswith("<p") and rest != block and len(letters(_TAG.sub("", rest))) <= 12


def _announces(block: str) -> bool:
    """Return whether a last block introduces something that was not kept."""
    text = _TAG.sub("", block).rstrip()
    return block.startswith("<h") or (text.endswith(":") and len(text) <= 60)


def _is_figure(block: str) -> bool:
    return block.startswith("<figure")
