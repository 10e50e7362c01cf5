"""Tables in hostile markup: which hold rows of data, and what of those is kept."""

import re
from collections.abc import Callable, Sequence
from html import escape

from lxml import etree

from mirror.article.cleaning.figure import alternative
from mirror.article.cleaning.shape import text_of

_DOUBTFUL = ("table", "img", "iframe", "h1", "h2", "h3")
"""What most tables of layout hold, and few of data."""
_MARKS = frozenset({"caption", "thead", "th"})
"""What only an author who means a table writes."""
MAX_CELL_CHARS = 500
"""Of a cell where a table is in doubt: a cell of a layout holds an article, or a column of
teasers; the longest of data is a remark."""
MIN_ROWS = 3
"""Of a table in doubt that nothing marks as one: pictures stand beside their text in one row."""
MAX_ICON_PX = 32
"""As its author declares it: what is smaller than any picture that is taken is a flag, a medal or
an arrow, and stands for a word."""
_DIGITS = re.compile(r"[1-9][0-9]?\Z")  # a span of 99 columns is no table any more
_PX = re.compile(r"\s*([0-9]{1,4})(?:\.[0-9]*)?\s*(?:px)?\s*\Z")


def is_table(table: etree._Element) -> bool:
    """Return whether a table holds rows of data; old pages use tables for layout."""
    rows = _rows(table)
    if max(map(len, rows), default=0) < 2:
        return False
    if next(table.iterdescendants(*_DOUBTFUL), None) is None:
        return True
    return _is_data(table, rows)


def _is_data(table: etree._Element, rows: Sequence[Sequence[etree._Element]]) -> bool:
    """Return whether a table that holds pictures, headings or tables is one all the same."""
    full = [row for row in rows if len(row) > 1]
    if table.get("role", "").lower() in ("presentation", "none") or len(full) < 2:
        return False
    marked = any(child.tag in _MARKS for child in table) or any(
        cell.tag == "th" for row in rows for cell in row
    )
    if not marked and not _is_regular(rows):
        return False
    return all(len(text_of(cell).strip()) <= MAX_CELL_CHARS for row in rows for cell in row)


def _is_regular(rows: Sequence[Sequence[etree._Element]]) -> bool:
    """Return whether rows are alike, and say more than they show: a gallery does not."""
    cells = [cell for row in rows for cell in row]
    if len(rows) < MIN_ROWS or any(len(row) != len(rows[0]) for row in rows):
        return False
    if any(next(cell.iterdescendants("table", "iframe"), None) is not None for cell in cells):
        return False
    shown = sum(next(cell.iterdescendants("img"), None) is not None for cell in cells)
    told = sum(bool(text_of(cell).strip()) for cell in cells)
    return 2 * shown <= len(cells) <= 2 * told


def table_html(
    table: etree._Element,
    inner: Callable[[etree._Element], str],
    language: Callable[[etree._Element], str],
) -> str:
    """Return a table as a block, or "" if it is empty; `inner` writes what is in a cell."""

    def cell_html(cell: etree._Element) -> str:
        spans = "".join(
            f' {name}="{cell.get(name)}"'
            for name in ("colspan", "rowspan")
            if _DIGITS.match(cell.get(name, ""))
        )
        _name_icons(cell)
        return f"<{cell.tag}{spans}{language(cell)}>{inner(cell)}</{cell.tag}>"

    rows = [f"<tr>{''.join(map(cell_html, row))}</tr>" for row in _rows(table) if row]
    caption = next((inner(part) for part in table.iterchildren("caption")), "")
    head = f"<caption>{caption}</caption>" if caption else ""
    return f"<table>{head}{''.join(rows)}</table>" if rows else ""


def _rows(table: etree._Element) -> list[list[etree._Element]]:
    """Return the cells of each row, but for those of tables in a cell, which shows them."""
    found: list[list[etree._Element]] = []
    left = list(table)[::-1]
    while left:  # into no row: forty tables inside each other would be walked forty times
        element = left.pop()
        if element.tag == "tr":
            found.append([cell for cell in element if cell.tag in ("td", "th")])
        elif element.tag != "table":
            left += list(element)[::-1]
    return found


def _name_icons(cell: etree._Element) -> None:
    """Put in place of an icon what it stands for, where the cell does not say so itself."""
    icons = [img for img in cell.iter("img") if _is_small(img)]
    said = escape(text_of(cell)) if icons else ""
    for img in icons:
        img.text = f" {alternative(img, said)} "
        img.tag = "span"


def _is_small(img: etree._Element) -> bool:
    sizes = (_PX.match(img.get(name, "")) for name in ("width", "height"))
    return any(size and int(size[1]) <= MAX_ICON_PX for size in sizes)
