"""What a page says of the article's other states: corrections stay visible."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from mirror.article.strings import Strings

NEWEST = "index.html"
"""Beside every revision: a copy of the newest one."""
MAX_LISTED = 20
"""Of the newest revisions, beside the first: a broken feed may revise an article 1,000 times."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One signed state of an article, and the clock's time (`YYYY-MM-DDTHH:MM:SSZ`) of it."""

    rev: int
    time: str


def stamp(time: str) -> str:
    """Return a time (`YYYY-MM-DDTHH:MM:SSZ`) as people read it."""
    return f'<bdi dir="ltr">{escape(time[:10])} {escape(time[11:16])} UTC</bdi>'


def listing(revisions: Sequence[Revision], words: Strings) -> str:
    """Return a list of `revisions`, oldest first, each with a link to what it changed; or "".

    Those between the first and the newest may be missing: a long list shows none of them.
    """
    if len(revisions) < 2:
        return ""
    first, *others = revisions
    newest = others[-MAX_LISTED:]
    items = [
        f'<li><a href="{first.rev}.html">{stamp(first.time)}</a></li>',
        *(["<li>…</li>"] if newest[0].rev > first.rev + 1 else []),
        *(_item(revision, words) for revision in newest),
    ]
    return f"<p>{words.revisions}:</p><ul>{''.join(items)}</ul>"


def _item(revision: Revision, words: Strings) -> str:
    rev = revision.rev
    return (
        f'<li><a href="{rev}.html">{stamp(revision.time)}</a> '
        f'<a href="{rev}.diff.html">{words.what_changed}</a></li>'
    )
