"""What the few folders above the articles link to, kept in memory: they are searched there."""

from collections.abc import Iterator
from threading import Lock

from mirror.dag.tree import Tree, is_deep, keys, places_of
from mirror.formats.places import leads_to


class Upper:
    """The keys of these folders' links by their places, as of a generation that was built."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._keys: dict[str, frozenset[int]] = {}
        self._known = 0
        self._lock = Lock()

    def places_with(self, number: int) -> list[str]:
        """Return the places whose block links to something with this key."""
        with self._lock:
            self._refresh()
            return [place for place, held in self._keys.items() if number in held]

    def _refresh(self) -> None:
        generation = self._tree.generation()
        # What is being built grows, and is of one generation from its beginning to its end.
        if generation == self._known or not self._tree.built():
            return
        changed = self._tree.changed(self._known)
        if changed is None:
            self._keys.clear()
        for place in self._places() if changed is None else places_of(changed):
            self._keys.pop(place, None)
            node = None if is_deep(place) else self._tree.read(place)
            if node:
                self._keys[place] = frozenset(keys(node))
        self._known = generation

    def _places(self) -> Iterator[str]:
        """Yield the places above the articles, without a look at each article's."""
        yield from self._tree.places("", "a/")
        yield from self._tree.places("a0", "\x7f")
        articles = self._tree.read("a")
        if articles:
            yield from (place for place, _ in leads_to("a", articles.block))
