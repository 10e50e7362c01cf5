"""The index document of a round, and the nodes of the catalogue that the round changes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mirror.errors import StateError
from mirror.formats.index import MAX_BYTES, NEWEST, Index, Item, Ref, levels
from mirror.signer import listing
from mirror.site import KEEP_INDEX_S, Catalogue
from mirror.state import State


@dataclass(frozen=True, slots=True)
class Imprint:
    """What every index document of a newsroom says of it."""

    origin: str
    root: int
    name: str
    lang: str


def add_document(state: State, imprint: Imprint, numbers: Sequence[int], *, time: int) -> Ref:
    """Keep, inside a round's transaction, what the index is once articles `numbers` changed.

    Raises:
        StateError: no verifier would read it, or articles are missing.
    """
    count = state.count()
    catalogue = Catalogue(
        count, lambda a, b: [article.item for article in state.articles(a, b)], state.nodes
    )
    _add_nodes(state, catalogue, numbers)
    newest = [each.item for each in state.newest(NEWEST)]
    document = Index(
        *(imprint.origin, imprint.root, imprint.name, imprint.lang, time, count),
        tuple(item for item in newest if isinstance(item, Item)),
        catalogue.top,
        tuple(listing.advance(state.db, count=count, now=time)),
    )
    data = bytes(document)
    if len(data) > MAX_BYTES:  # no verifier would read it
        raise StateError(f"index: {len(data)} bytes, at most {MAX_BYTES} may be signed")
    return _keep(state, data)


def _add_nodes(state: State, catalogue: Catalogue, numbers: Sequence[int]) -> None:
    for level in range(levels(catalogue.count)):
        for k, node in catalogue.changed(level, numbers):
            data = bytes(node)
            old = (each.path for each in state.nodes(level, k, k + 1))
            state.add_garbage(old, keep_s=KEEP_INDEX_S)
            state.put_node(level, k, _keep(state, data))


def _keep(state: State, document: bytes) -> Ref:
    ref = Ref(len(document), hashlib.sha256(document).digest())
    state.put_outbox({ref.path: document})
    return ref
