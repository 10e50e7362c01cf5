"""The list of all hostile items: generators of this package, and the files beside it.

An item's name is its defect. What it is (`kind`) says by which job it is read.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from hostile import bodies, feeds, fields, floods, pages, pictures, shapes, sitemaps, values

FILES = Path(__file__).parent / "files"
OLDER = Path(__file__).parents[1] / "data" / "hostile"
TYPES = {"feed": "application/rss+xml", "json": "application/feed+json", "page": "text/html"}


@dataclass(frozen=True, slots=True)
class Item:
    """Hostile bytes of a `kind`: feed, json, partner, page, picture or sitemap."""

    kind: str
    name: str
    make: Callable[[], bytes]

    @property
    def content_type(self) -> str:
        return TYPES.get(self.kind, "application/xml" if self.kind == "partner" else "image/jpeg")


def items() -> list[Item]:
    """Return the whole corpus, the same on every run."""
    return [*_feeds(), *_pages(), *_assets(), *_files()]


def _made(module: ModuleType) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield what the module makes: its public functions that ask for nothing."""
    for name, function in inspect.getmembers(module, inspect.isfunction):
        own = function.__module__ == module.__name__ and not name.startswith("_")
        if own and not inspect.signature(function).parameters:
            yield name, function


def _feeds() -> Iterator[Item]:
    for module in (feeds, floods, shapes, values):
        for name, make in _made(module):
            yield Item("feed", name, make)
    kinds = {"json_feed": "json", "partner": "partner"}
    for name, make in _made(fields):
        yield Item(kinds.get(name, "feed"), f"payloads_in_{name}", make)
    for name, body in _made(bodies):
        yield Item("feed", f"body_of_{name}", lambda body=body: feeds.body(str(body())))


def _pages() -> Iterator[Item]:
    for name, make in _made(pages):
        yield Item("page", name, make)
    for name, body in _made(bodies):
        yield Item(
            "page", f"article_of_{name}", lambda body=body: pages.page(str(body()) + pages.TEXT)
        )


def _assets() -> Iterator[Item]:
    for kind, module in (("picture", pictures), ("sitemap", sitemaps)):
        for name, make in _made(module):
            yield Item(kind, name, make)


def _files() -> Iterator[Item]:
    kinds = {".xml": "feed", ".rss": "feed", ".html": "page", ".json": "json", ".txt": "feed"}
    for path in sorted([*FILES.rglob("*.*"), *OLDER.iterdir()]):
        yield Item(kinds[path.suffix], f"file_{path.stem}", path.read_bytes)
