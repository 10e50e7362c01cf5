"""Rows of a table: what, the number, the target beside it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A number with its unit; `target` as the design states it, "" for a number without one."""

    what: str
    number: str
    target: str = ""


def show(title: str, rows: list[Row]) -> None:
    """Print a table."""
    print(f"\n{title}")
    for row in rows:
        print(f"  {row.what:58} {row.number:>16}   {row.target}".rstrip())
