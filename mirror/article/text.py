"""Plain text out of what sources write: no markup, no control characters, no reversed lines."""

import html
import re

_CONTROLS = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
"""What no field may hold: C0 and C1 controls, lone surrogates (not UTF-8), non-characters."""
_ASCII_CONTROLS = bytes((*range(0x09), *range(0x0E, 0x20), 0x7F))
_SPACE = "\t\n\x0c\r"
_BREAKS = "\t\n\x0b\x0c\r\x85\u2028\u2029"
"""Space in the sense of HTML, and line breaks; not U+00A0, which authors set on purpose."""
_RUN = re.compile("  +")
_TAGS = re.compile(r"<!--.*?(?:-->|\Z)|</?[A-Za-z][^<>]*>", re.DOTALL)
_UNSEEN = re.compile(r"(?is)<(script|style)\b.*?(?:</\1[^<>]*>|\Z)")
"""An end tag holds no `<`: the search for its end, from each of many, would be quadratic."""
_ENDLESS = re.compile(r"&#[0-9]{1000,};?")
"""No character has such a number, and from 4300 digits on Python raises."""
_OVERRIDES = re.compile("[\u202d\u202e]")
_EMBEDDINGS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CLOSES = {"\u202c": "\u202a\u202b", "\u2069": "\u2066\u2067\u2068"}


def without_controls(text: str) -> str:
    """Return `text` without the characters that no field and no page may hold."""
    if text.isascii():  # the same, ten times faster
        return text.encode().translate(None, _ASCII_CONTROLS).decode()
    return _CONTROLS.sub("", text)


def single_spaced(text: str, *, breaks: str = _SPACE) -> str:
    """Return `text` with one space for each run of spaces and `breaks`: as a browser shows it."""
    # A regex for the whole takes a hundred times as long where there is nothing to do.
    for char in breaks:
        if char in text:
            text = text.replace(char, " ")
    return _RUN.sub(" ", text) if "  " in text else text


def plain(text: str) -> str:
    """Return `text` as one line: no controls, single spaces, no bidi override.

    U+202D and U+202E show text in another order than it is stored in ("gpj.exe"), so
    they go. Embeddings and isolates stay where each is closed: an open one would turn
    round whatever a page or list shows after this field.
    """
    line = single_spaced(without_controls(text), breaks=_BREAKS).strip(" ")
    if line.isascii() or not _EMBEDDINGS.search(line):
        return line
    line = _OVERRIDES.sub("", line)
    return line if _balanced(line) else _EMBEDDINGS.sub("", line)


def plain_of_html(markup: str) -> str:
    """Return the text of a short piece of HTML, as `plain` does."""
    if "<" in markup:
        markup = _TAGS.sub(" " if "<p" in markup or "<br" in markup else "", markup)
    return plain(unescaped(markup))


def unescaped(text: str) -> str:
    """Return `text` with HTML's character references resolved."""
    return html.unescape(_ENDLESS.sub("\ufffd", text)) if "&" in text else text


def visible_text(markup: str) -> str:
    """Return the text of a body of HTML as one line, for measuring and not for showing."""
    text = unescaped(_TAGS.sub(" ", _UNSEEN.sub(" ", markup)))
    return single_spaced(text, breaks=_BREAKS).strip()


def shortened(text: str, *, max_chars: int) -> str:
    """Return the first words of `text`, with an ellipsis where something was cut.

    Where the cut leaves an embedding or isolate open, all of them go, as in `plain`.
    """
    if len(text) <= max_chars:
        return text
    head = text[: max_chars - 1]
    head = (head[: head.rfind(" ")] if " " in head else head).rstrip(" ,;:")
    return (head if head.isascii() or _balanced(head) else _EMBEDDINGS.sub("", head)) + "…"


def _balanced(line: str) -> bool:
    still_open: list[str] = []
    for char in _EMBEDDINGS.findall(line):
        if char not in _CLOSES:
            still_open.append(char)
        elif not still_open or still_open.pop() not in _CLOSES[char]:
            return False
    return not still_open
