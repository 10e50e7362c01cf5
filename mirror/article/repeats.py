"""What an article shares with other articles of its site: donation letters that no rule foresaw.

`prints` is what a ledger keeps of each article. What it has seen in three different ones is
no article's own, and `without` leaves it out.
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from mirror.article.article import Article
from mirror.article.cleaning.select import letters
from mirror.article.text import visible_text

MIN_LETTERS = 25
"""Of a block that may go by itself: a shorter one ("He agreed.") is written three times by
chance, and goes only beside one that goes."""
MIN_LEFT_CHARS = 200
"""As of a page (`extract`): what would leave less is the article and not what surrounds it."""
MAX_GONE = 0.5
"""Of the text: three copies of one article are not three articles."""

_KINDS = re.compile(r"<(?:p|ul|ol|blockquote|h[2-4])[\s>]")


@dataclass(frozen=True, slots=True)
class _Block:
    text: str
    key: str
    """Its letters, "" where it never goes."""

    @property
    def print(self) -> bytes:
        return hashlib.blake2b(self.key.encode(), digest_size=8).digest() if self.key else b""

    @property
    def is_long(self) -> bool:
        return len(self.key) >= MIN_LETTERS


def prints(article: Article) -> tuple[bytes, ...]:
    """Return for each block 8 bytes that tell its letters, b"" for what is never left out.

    Markup, punctuation and case do not count. Pictures, tables and code have none: one picture
    serves many articles.
    """
    return tuple(block.print for block in _blocks(article))


def without(article: Article, repeated: Collection[bytes], *, own: str) -> tuple[Article, bool]:
    """Return the article without blocks whose prints are `repeated`, and whether too many are.

    What the feed's own body (`own`, HTML as it came) holds too is the article's. If less than
    200 characters or half of the text would be left, nothing goes and the second is True.
    """
    blocks = _blocks(article)
    gone = _gone(blocks, repeated, visible_text(own))
    if not gone:
        return article, False
    lost = sum(len(blocks[index].text) for index in gone)
    total = sum(len(block.text) for block in blocks)
    if total - lost < MIN_LEFT_CHARS or lost > MAX_GONE * total:
        return article, True
    kept = (block for index, block in enumerate(article.blocks) if index not in gone)
    return replace(article, blocks=tuple(kept)), False


def _blocks(article: Article) -> list[_Block]:
    return [_Block(*_text(block)) for block in article.blocks]


def _text(block: str) -> tuple[str, str]:
    if block.startswith("<figure"):
        return "", ""
    text = visible_text(block)
    return text, letters(text) if _KINDS.match(block) else ""


def _gone(blocks: Sequence[_Block], repeated: Collection[bytes], own: str) -> set[int]:
    """Return the places of long blocks that are repeated, and of the short ones beside them."""
    held = letters(own)
    candidates = {index for index, block in enumerate(blocks) if block.print in repeated}
    gone = {
        index for index in candidates if blocks[index].is_long and blocks[index].key not in held
    }
    short = {
        index
        for index in candidates
        if blocks[index].key and not blocks[index].is_long and blocks[index].text not in own
    }
    for order in (sorted(short), sorted(short, reverse=True)):
        gone.update(_beside(order, gone))
    return gone


def _beside(order: Sequence[int], gone: Collection[int]) -> Iterator[int]:
    """Yield those that are next to one that goes, or to one yielded before."""
    near = set(gone)
    for index in order:
        if index - 1 in near or index + 1 in near:
            near.add(index)
            yield index
