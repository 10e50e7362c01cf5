"""An article as lines for a terminal, and what an edit of it changes."""

import difflib
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mirror.article.article import Article
from mirror.article.render.readback import read_back
from mirror.article.render.shown import shown_blocks
from mirror.formats.paths import revision_path
from mirror.pages.changes import lines

MAX_LINES = 5000  # on either side of a comparison, which is quadratic where lines are alike
_LINK = re.compile(
    r'<a\b(?:"[^"]*"|[^">])*?\bhref="([^"]*)"(?:"[^"]*"|[^">])*>(.*?)</a>', re.DOTALL
)


def lines_of(title: str, blocks: str) -> list[str]:
    """Return the title and the text of clean blocks; where a link leads stands behind its words."""
    return [title, *lines(_LINK.sub(r"\2 [\1]", blocks))]


def article_lines(article: Article) -> list[str]:
    """Return the article's title and text."""
    return lines_of(article.title, "\n".join(shown_blocks(article)))


def published_lines(site: Path, short: str, rev: int) -> list[str] | None:
    """Return the title and text of a published revision, None if the site does not have it."""
    article = read_back(list(_parts(site, short, rev)))
    return lines_of(article.title, "\n".join(article.blocks)) if article else None


def _parts(site: Path, short: str, rev: int) -> Iterator[bytes]:
    for part in itertools.count(1):
        file = site / revision_path(short, rev, part=part)
        if not file.is_file():
            return
        yield file.read_bytes()


def changes(old: Sequence[str] | None, new: Sequence[str]) -> list[str]:
    """Return what an edit changes, a line for a paragraph, or the sentence why it is not shown."""
    if old is None:
        return ["(no comparison: the published text is not in the site)"]
    if max(len(old), len(new)) > MAX_LINES:
        return [f"(no comparison: more than {MAX_LINES} lines)"]
    return list(difflib.unified_diff(old, new, "published", "waiting", n=1, lineterm=""))
