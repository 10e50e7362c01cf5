"""The kept matrix as a table for people, with the reason of each cell that cannot work.

Run as a program it measures, prints the table, and keeps it in `matrix.json` and `docs/lab.md`.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lab.compare import changed, lost
from lab.matrix import KEPT, TECHNIQUES, TRANSPORTS, Cell, Matrix, kept, measure, text

ROOT = Path(__file__).parents[2]
PAGE, README = ROOT / "docs" / "lab.md", ROOT / "README.md"
HEAD = "| the censor | against |"

WHY = {
    "SNI reset": "every handshake that names it is reset; a name unknown to the censor passes",
    "SNI black hole": "every handshake that names it is dropped; another is asked beside it",
    "address drop": "nothing reaches its address; one elsewhere is needed",
    "address reset": "every connection to its address is refused; one elsewhere is needed",
    "DNS poisoning": "its name leads to another server, which has no certificate for it",
    "NXDOMAIN": "its name is denied; another name is needed",
    "16 kB curtain": (
        "gateways send pages as they are, of up to 33 kB here, which do not fit into what passes of"
        " a connection, and our mirrors send them packed, in 12 kB at most; Tor has one connection"
        " for everything, which ends with what passes: a bridge that changes connections is needed"
    ),
    "allow-list": "only what stands at an address that is let through is reached",
    "block page": "another server answers for its address, and has no certificate for its name",
    "man in the middle": "what comes is not what the newsroom signed, and is refused as `tampered`",
    "only DNS": "no connection to anywhere; an edition in the DNS is to come",
    "shutdown": "nothing passes: what is in a pocket is left",
}
"""Of a technique: why some cells of its row cannot work, whatever was built here."""


def table(matrix: Matrix) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    titles = [each.title for each in TRANSPORTS]
    yield f"{HEAD} {' | '.join(titles)} |"
    yield f"| --- | --- |{' --- |' * len(titles)}"
    for each in TECHNIQUES:
        cells = " | ".join(map(_shown, matrix[each.name].values()))
        yield f"| {each.name} | {each.aim} | {cells} |"


def _shown(cell: Cell) -> str:
    if not cell.ok:
        return f"no: `{cell.outcome}`"
    again = f", {cell.tries} tries" if cell.tries > 1 else ""
    return f"yes, {cell.seconds:.1f} s{again}"


def page(matrix: Matrix) -> str:
    """Return the page about the lab."""
    reasons = [
        f"- **{name}**, {', '.join(_failing(row))}: {WHY[name]}."
        for name, row in matrix.items()
        if _failing(row)
    ]
    lines = (INTRODUCTION, *table(matrix), "", "## What cannot work, and why", "", *reasons)
    return "\n".join(lines) + "\n"


def _failing(row: Mapping[str, Cell]) -> list[str]:
    return [each.title for each in TRANSPORTS if not row[each.key].ok]


def with_table(readme: str, matrix: Matrix) -> str:
    """Return the README with the table in place of the one that it has."""
    start = readme.index(HEAD)
    end = readme.index("\n\n", start)
    return readme[:start] + "\n".join(table(matrix)) + readme[end:]


INTRODUCTION = """\
# What reaches a reader past a censor

`make lab` made this page: it measures on three networks inside one machine, a reader's, a censor's
and the world's (`tests/lab/`). Each cell is `mirror fetch` in the reader's network, asking one
mirror and no other, under one technique; "yes" means that the article, with its three pages and two
pictures, lay on the disk and `mirror verify` believed it. "Both, of the signed list" is a reader
who has read before and asks the mirrors that he remembers. The first mirror is nginx and the second
Caddy, as `mirror front` configures them; the gateway is Kubo behind a plain nginx; the onion
service is on a Tor network of the lab's own, of which no technique blocks the relays, as a censor
may. The words for what went wrong are OONI's and those of `mirror mirrors`. Packets are lost by
chance: there a reader tries up to six times.
"""


def main() -> None:
    """Measure, print and keep."""
    try:
        found = measure()
    except pytest.skip.Exception as e:
        sys.exit(f"the lab does not run here: {e}")
    before = kept() if KEPT.exists() else {}
    KEPT.write_text(text(found))
    PAGE.write_text(page(found))
    README.write_text(with_table(README.read_text(), found))
    print("\n".join(table(found)))
    for line in lost(before, found):
        print(f"WORSE: {line}")
    for line in changed(before, found):
        print(f"CHANGED: {line}")


if __name__ == "__main__":
    main()
