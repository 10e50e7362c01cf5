"""What became of a matrix since another: ways that are lost, and ways that fail in another way."""

from lab.matrix import Cell, Matrix

SLOWER, LATER_S = 3.0, 8.0
"""What a cell may take more than the kept one: a machine with other work is two or three times
slower, and its labs run at once."""


def lost(before: Matrix, after: Matrix) -> list[str]:
    """Return in which cells the article came before and does not now, or comes far later."""
    return [
        f"{name}: {key}: {worse}"
        for name, row in before.items()
        for key, cell in row.items()
        if (worse := _worse(cell, after[name][key]))
    ]


def _worse(before: Cell, after: Cell) -> str:
    if not before.ok:
        return ""
    if not after.ok:
        return f"{after.outcome}, was ok"
    # A try on a line with losses takes as long as it takes.
    late = after.tries == 1 and after.seconds > before.seconds * SLOWER + LATER_S
    return f"{after.seconds:.1f} s, was {before.seconds:.1f} s" if late else ""


def changed(before: Matrix, after: Matrix) -> list[str]:
    """Return the cells that fail as before, and for another reason."""
    return [
        f"{name}: {key}: {after[name][key].outcome}, was {cell.outcome}"
        for name, row in before.items()
        for key, cell in row.items()
        if not (cell.ok or after[name][key].ok) and cell.outcome != after[name][key].outcome
    ]
