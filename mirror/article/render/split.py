"""Cuts one block that is larger than a part: between items, rows, sentences, or words."""

import re
from collections.abc import Iterator

from mirror.errors import FormatError

_TOKEN = re.compile(r'<(?:[^>"]|"[^"]*")*>|&[#\w]+;\s*|[^\s<&]{1,200}\s*|\s+|[<&]')
"""A tag, an entity, a word with the space behind it, or 200 characters without a space."""
_TAG_NAME = re.compile(r"</?([a-z0-9]+)")
_VOID = frozenset({"br", "hr", "wbr"})
_ITEM_END = frozenset({"</li>", "</p>", "</tr>", "</dd>", "</blockquote>", "</ul>", "</ol>"})
_SENTENCE_END = re.compile(r"(?:[.!?…۔؟][\"'»”’)\]]*\s+|[。！？]\s*|\n)\Z")
_ID = re.compile(r' id="[^"]*"')


def split_block(block: str, *, max_bytes: int) -> Iterator[str]:
    """Yield `block` in pieces of about `max_bytes`, each with its tags closed and reopened.

    A piece ends behind an item or a sentence once it is two thirds full, else behind a
    word. It may be longer by one word and the tags that are closed.

    Raises:
        FormatError: the tags to reopen would fill more than a quarter of a piece.
    """
    if len(block) * 4 <= max_bytes or len(block.encode()) <= max_bytes:
        yield block
        return
    yield from _pieces(block, max_bytes)


def _pieces(block: str, max_bytes: int) -> Iterator[str]:
    piece: list[str] = []
    still_open: list[str] = []
    size = 0
    filled = False
    for token in _TOKEN.findall(block):
        piece.append(token)
        size += len(token) if token.isascii() else len(token.encode())
        if token[0] == "<":
            _follow(still_open, token)
        else:
            filled = True
        if filled and size * 3 >= max_bytes * 2 and still_open and _may_end(token, size, max_bytes):
            yield "".join(piece).rstrip(" ") + _closing(still_open)
            still_open = [_ID.sub("", tag) for tag in still_open]
            piece, filled = list(still_open), False
            size = sum(len(tag.encode()) for tag in piece)
            if size * 4 > max_bytes:  # a long tag in each of many pieces would fill the memory
                raise FormatError("article: refused: open tags fill a quarter of a piece")
    if filled:
        yield "".join(piece)


def _may_end(token: str, size: int, max_bytes: int) -> bool:
    """Return whether a piece, two thirds full, may end behind `token`."""
    if size >= max_bytes:
        return not token.startswith("<") or token.startswith("</")
    return token in _ITEM_END or _SENTENCE_END.search(token) is not None


def _follow(still_open: list[str], token: str) -> None:
    match = _TAG_NAME.match(token)
    if not match or match[1] in _VOID:
        return
    if token.startswith("</"):
        still_open.pop()
    else:
        still_open.append(token)


def _closing(still_open: list[str]) -> str:
    names = [match[1] for tag in still_open if (match := _TAG_NAME.match(tag))]
    return "".join(f"</{name}>" for name in reversed(names))
