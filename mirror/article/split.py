"""Cuts one block that is larger than a part: between items, rows, sentences, or words."""

import re
from collections.abc import Iterator

_TOKEN = re.compile(r'<(?:[^>"]|"[^"]*")*>|&[#\w]+;\s*|[^\s<&]{1,200}\s*|\s+|[<&]')
"""A tag, an entity, a word with the space behind it, or 200 characters without a space."""
_TAG_NAME = re.compile(r"</?([a-z0-9]+)")
_VOID = frozenset({"br", "hr", "wbr"})
_ITEM_END = frozenset({"</li>", "</p>", "</tr>", "</dd>", "</blockquote>", "</ul>", "</ol>"})
_SENTENCE_END = re.compile(r"(?:[.!?…۔؟][\"'»”’)\]]*\s+|[。！？]\s*|\n)\Z")
_ID = re.compile(r' id="[^"]*"')


def split_block(block: str, *, max_bytes: int) -> list[str]:
    """Return `block` in pieces of about `max_bytes`, each with its tags closed and reopened.

    A piece ends behind an item or a sentence once it is two thirds full, else behind a
    word. It may be longer by one word and the tags that are closed.
    """
    if len(block) * 4 <= max_bytes or len(block.encode()) <= max_bytes:
        return [block]
    return list(_pieces(block, max_bytes))


def _pieces(block: str, max_bytes: int) -> Iterator[str]:
    piece: list[str] = []
    still_open: list[str] = []
    size = 0
    filled = False
    for token in _TOKEN.findall(block):
        piece.append(token)
        size += len(token.encode())
        filled = filled or not token.startswith("<")
        _follow(still_open, token)
        if filled and still_open and _may_end(token, size, max_bytes):
            yield "".join(piece).rstrip(" ") + _closing(still_open)
            still_open = [_ID.sub("", tag) for tag in still_open]
            piece, filled = list(still_open), False
            size = sum(len(tag) for tag in piece)
    if filled:
        yield "".join(piece)


def _may_end(token: str, size: int, max_bytes: int) -> bool:
    if size >= max_bytes:
        return not token.startswith("<") or token.startswith("</")
    good = token in _ITEM_END or _SENTENCE_END.search(token) is not None
    return good and size * 3 >= max_bytes * 2


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
