"""An article as lines for a terminal, and what an edit of it changes."""

import difflib
import html
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mirror.article.article import Article
from mirror.formats.paths import revision_path

MAX_LINES = 5000  # on either side of a comparison, which is quadratic where lines are alike
_TAG = re.compile(r'<(?:"[^"]*"|[^">])*>')
_ENDS = re.compile(r"<br ?/?>|</(?:p|h[1-6]|li|dt|dd|tr|caption|figcaption|blockquote|pre)>")
_LINK = re.compile(
    r'<a\b(?:"[^"]*"|[^">])*?\bhref="([^"]*)"(?:"[^"]*"|[^">])*>(.*?)</a>', re.DOTALL
)
_TITLE = re.compile(r'<h1 itemprop="headline">(.*?)</h1>', re.DOTALL)
_BODY = '<div itemprop="articleBody">\n'
_BODY_END = "\n</div>"


def lines_of(title: str, blocks: str) -> list[str]:
    """Return the title and the text of clean blocks; where a link leads stands behind its words."""
    marked = _LINK.sub(r"\2 [\1]", blocks)
    ended = _ENDS.sub("\n", marked)
    lines = (" ".join(html.unescape(_TAG.sub("", line)).split()) for line in ended.split("\n"))
    return [title, *(line for line in lines if line)]


def article_lines(article: Article) -> list[str]:
    """Return the article's title and text."""
    return lines_of(article.title, "\n".join(article.blocks))


def published_lines(site: Path, short: str, rev: int) -> list[str] | None:
    """Return the title and text of a published revision, None if the site does not have it."""
    pages = list(_parts(site, short, rev))
    titles = _TITLE.findall(pages[0]) if pages else []
    bodies = [page.partition(_BODY)[2].rpartition(_BODY_END)[0] for page in pages]
    return lines_of(html.unescape(titles[0]), "\n".join(bodies)) if titles else None


def _parts(site: Path, short: str, rev: int) -> Iterator[str]:
    for part in itertools.count(1):
        file = site / revision_path(short, rev, part=part)
        if not file.is_file():
            return
        yield file.read_text()


def changes(old: Sequence[str] | None, new: Sequence[str]) -> list[str]:
    """Return what an edit changes, a line for a paragraph, or the sentence why it is not shown."""
    if old is None:
        return ["(no comparison: the published text is not in the site)"]
    if max(len(old), len(new)) > MAX_LINES:
        return [f"(no comparison: more than {MAX_LINES} lines)"]
    return list(difflib.unified_diff(old, new, "published", "waiting", n=1, lineterm=""))
