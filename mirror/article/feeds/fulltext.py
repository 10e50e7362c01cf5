"""Whether a feed's body is the whole text or a teaser: what counts as evidence.

Fetching a page in vain costs a request; publishing a teaser as the article costs the
reader the article. So doubt means "teaser", and `text = "feed"` in the settings is there
for the newsroom that knows better.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mirror.article.text import visible_text

MIN_CONTENT_CHARS = 600
"""Of a field made for full text (content:encoded, Atom content, yandex:full-text): the
length of a news brief; a lead paragraph, which some feeds put there, is shorter."""
MIN_SUMMARY_CHARS = 1500
"""Of a description: made for a teaser, so it needs more evidence than a field for full text."""
MIN_SUMMARY_BLOCKS = 3
"""A long description in one piece is an abstract; a text has paragraphs."""

_BLOCK = re.compile(r"<(?:p|h[1-6]|li|blockquote)\b|<br\s*/?>\s*<br", re.IGNORECASE)
_CUT = re.compile(
    r"(?:…|\.\.\.|\[…\]|\[\.\.\.\]|&hellip;|read more|continue reading|read the full story|"
    r"full story|keep reading|читать далее|читать дальше|читать полностью|подробнее|далее|"
    r"чытаць далей|читати далі|devamını oku|ادامه مطلب|اقرأ المزيد|阅读全文|閱讀全文)"
    r"[\s.»›>→\]…:]*\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Body:
    """One text of an entry: `content` from a field for full text, else `summary`."""

    html: str
    kind: str
    lang: str = ""


def best_body(bodies: Iterable[Body]) -> tuple[Body, bool]:
    """Return the longest of an entry's texts, and whether it looks like the whole article.

    Of equals the first is taken, so the better kinds come first in `bodies`.
    """
    best, text = Body("", "summary"), ""
    for body in bodies:
        visible = visible_text(body.html)
        if len(visible) > len(text):
            best, text = body, visible
    return best, _is_full(best, text)


def _is_full(body: Body, text: str) -> bool:
    if _CUT.search(text[-60:]):
        return False
    if body.kind == "content":
        return len(text) >= MIN_CONTENT_CHARS
    return len(text) >= MIN_SUMMARY_CHARS and len(_BLOCK.findall(body.html)) >= MIN_SUMMARY_BLOCKS
