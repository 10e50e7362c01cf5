"""An article as the invented newsroom has it, and how its own system would write it as HTML."""

from dataclasses import dataclass
from html import escape

_ELEMENTS = {"## ": "h2", "> ": "blockquote"}


@dataclass(frozen=True, slots=True)
class Story:
    """An article as the invented newsroom has it; `teaser` stories have their text on a page.

    A paragraph may be a heading (`## `), a quote (`> `), a list (lines of `- `) or a table
    (lines of `| `, the first of them its heads).
    """

    slug: str
    lang: str
    title: str
    author: str
    date: str
    paragraphs: tuple[str, ...]
    caption: str = ""
    teaser: bool = False

    @property
    def html(self) -> str:
        """The body as the newsroom's own system would write it."""
        photo = (
            f'<figure><img src="/photo/{self.slug}.jpg" alt="{escape(self.caption)}">'
            f"<figcaption>{escape(self.caption)}</figcaption></figure>"
            if self.caption
            else ""
        )
        return photo + "".join(map(_block, self.paragraphs))


def _block(text: str) -> str:
    if text.startswith("| "):
        head, *rows = text.split("\n")
        return f"<table>{_row(head, 'th')}{''.join(_row(row, 'td') for row in rows)}</table>"
    if text.startswith("- "):
        items = (escape(line[2:], quote=False) for line in text.split("\n"))
        return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"
    for mark, tag in _ELEMENTS.items():
        if text.startswith(mark):
            return f"<{tag}>{escape(text.removeprefix(mark), quote=False)}</{tag}>"
    return f"<p>{escape(text, quote=False)}</p>"


def _row(line: str, tag: str) -> str:
    cells = (escape(cell.strip(), quote=False) for cell in line.split("|")[1:])
    return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in cells)}</tr>"
