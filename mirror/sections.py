"""Writing `mirror.toml` for its operator: a section comes or goes, all else stays as it was."""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

import tomlkit

from mirror.errors import SettingsError
from mirror.files import sync_folder
from mirror.settings import Settings

_HEADER = re.compile(r"\s*\[")
_STORES = re.compile(r"\s*\[\[\s*stores\s*\]\]\s*(?:#.*)?")
_BELOW = re.compile(r"\s*\[\[?\s*stores\s*\.")
_KEPT = re.compile(r"\s*(?:#.*)?")


def with_store(text: str, section: Mapping[str, str | Mapping[str, str]]) -> str:
    """Return the text of the settings with a `[[stores]]` section more, at its end."""
    table = tomlkit.table()
    for key, value in section.items():
        table[key] = value if isinstance(value, str) else _inline(value)
    stores = tomlkit.aot()
    stores.append(table)
    written = tomlkit.document()
    written["stores"] = stores
    between = "\n" if not text or text.endswith("\n") else "\n\n"
    return f"{text}{between}{tomlkit.dumps(written)}"


def _inline(value: Mapping[str, str]) -> tomlkit.items.InlineTable:
    table = tomlkit.inline_table()
    table.update(value)
    return table


def without_store(text: str, name: str) -> str:
    """Return the text of the settings without the keys of the store `name`; comments stay.

    Raises:
        SettingsError: it is not there, or is written in a way that only a person takes apart.
    """
    lines = text.splitlines(keepends=True)
    for start, end in _sections(lines):
        block = lines[start:end]
        if _name_of("".join(block)) == name:
            left = [line for line in block if _KEPT.fullmatch(line.rstrip("\r\n"))]
            if lines[start - 1 : start] == ["\n"] and (not left or left[0] == "\n"):
                start -= 1
            new = "".join([*lines[:start], *left, *lines[end:]])
            if _parsed(new) == _without(_parsed(text), name):
                return new
            break
    raise SettingsError(f"stores: {name}: no section that can be taken out: do it by hand")


def _sections(lines: list[str]) -> list[tuple[int, int]]:
    """Return where each `[[stores]]` begins and ends."""
    starts = [n for n, line in enumerate(lines) if _STORES.fullmatch(line.rstrip("\r\n"))]
    ends = [n for n, line in enumerate(lines) if _HEADER.match(line) and not _BELOW.match(line)]
    return [(n, next((end for end in ends if end > n), len(lines))) for n in starts]


def _name_of(block: str) -> str | None:
    try:
        [section] = tomllib.loads(block)["stores"]
    except (tomllib.TOMLDecodeError, KeyError, ValueError):
        return None
    name = section.get("name")
    return name if isinstance(name, str) else None


def _parsed(text: str) -> dict[str, object] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _without(value: dict[str, object] | None, name: str) -> dict[str, object] | None:
    stores = value.get("stores") if value else None
    if not isinstance(value, dict) or not isinstance(stores, list):
        return None
    left = [each for each in stores if each.get("name") != name]
    return {key: each for key, each in value.items() if key != "stores"} | (
        {"stores": left} if left else {}
    )


def read_text(path: Path) -> str:
    """Return the text of the settings' file.

    Raises:
        SettingsError: not readable, or not text.
    """
    try:
        return path.read_bytes().decode()
    except OSError as e:
        raise SettingsError(f"{path}: not readable: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise SettingsError(f"{path}: not text") from e


def replace_settings(path: Path, text: str) -> Settings:
    """Write the settings' file whole or not at all, and return what it says now.

    Its permissions stay, and where it is a link, its target is written.

    Raises:
        SettingsError: the text is not one of settings, or cannot be written: nothing is changed.
    """
    data = text.encode()
    settings = Settings.parse(data, path)
    try:
        target = path.resolve(strict=True)
        part = target.with_name(f"{target.name}.new")
        part.unlink(missing_ok=True)
        mode = stat.S_IMODE(target.stat().st_mode)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        sync_folder(target.parent)
    except OSError as e:
        raise SettingsError(f"{path}: not written: {e.strerror}") from e
    return settings
