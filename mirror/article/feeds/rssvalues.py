"""Values out of feedparser's dictionaries, which hold whatever type the feed wants.

An element by the name of a list, such as `<links>`, puts a text in that list's place.
"""

from typing import Any, TypeVar

_T = TypeVar("_T")


def value_in(item: Any, name: str, kind: type[_T]) -> _T:  # noqa: ANN401 - of feedparser
    """Return the value itself, or an empty one of its kind where it is missing or another.

    Not by `item.get`, which warns and guesses `updated` from `published`.
    """
    value = dict.get(item, name)
    return value if isinstance(value, kind) else kind()


def text_in(item: Any, name: str) -> str:  # noqa: ANN401
    """Return a text, or ""."""
    return value_in(item, name, str)


def dicts_in(item: Any, name: str) -> list[dict[str, Any]]:  # noqa: ANN401
    """Return the dictionaries in a list, or none."""
    return [each for each in value_in(item, name, list) if isinstance(each, dict)]
