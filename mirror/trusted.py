"""The newest root that the site's folder has: the operator's own, and checked by nobody here."""

from pathlib import Path

from mirror.errors import FormatError, SettingsError
from mirror.formats import root


def newest_root(folder: Path) -> root.Root:
    """Return the highest-numbered root in a site's `trust/`.

    Not checked here: its signatures. The folder is the operator's own.

    Raises:
        SettingsError: there is none, or it is not readable.
    """
    numbers = [int(name) for each in folder.glob("*.root.json") if (name := _number(each))]
    if not numbers:
        raise SettingsError(f"{folder}: no root.json: was this folder made by `mirror init`?")
    path = folder / f"{max(numbers)}.root.json"
    try:
        return root.Root.parse(path.read_bytes())
    except (OSError, FormatError) as e:
        raise SettingsError(f"{path}: {e}") from e


def _number(path: Path) -> str:
    name = path.name.removesuffix(".root.json")
    return name if name.isdecimal() else ""
