"""The revisions of an article that readers can have, as the log's records tell them."""

from collections.abc import Iterator

from mirror.article.render.revisions import MAX_LISTED, Revision
from mirror.errors import StateError
from mirror.formats.encoding import encode_time
from mirror.formats.record import Doc, Void
from mirror.site import parsed
from mirror.state import ArticleState, State
from mirror.withdrawal import Withdrawals


def newest_doc(state: State, held: ArticleState) -> int | str:
    """Return the leaf of an article's newest revision, which a void names."""
    if not held.void:
        return held.leaf
    [leaf] = state.records(held.leaf, held.leaf + 1)
    void = parsed(leaf)
    if not isinstance(void, Void):
        raise StateError(f"{state.path}: leaf {held.leaf} is no withdrawal: restore a backup")
    return void.prev


def revisions(state: State, held: ArticleState) -> list[Revision]:
    """Return the revisions of `held`, oldest first: the newest ones, and the first of all.

    Those that were withdrawn are no more; what a page lists it also links to.
    """
    if held.void:
        return []
    found = []
    for doc in standing(state, held.short, held.leaf):
        found.append(Revision(doc.rev, encode_time(doc.time)))
        if len(found) > MAX_LISTED:
            break
    if found[-1].rev > 1 and Withdrawals(state.db).find(held.short) is None:
        found.append(Revision(1, encode_time(held.first)))
    return found[::-1]


def standing(state: State, short: str, leaf: int | str | None) -> Iterator[Doc]:
    """Yield the revision of the article `short` at `leaf` and those before, but none withdrawn."""
    order = Withdrawals(state.db).find(short)
    while isinstance(leaf, int):
        [record] = state.records(leaf, leaf + 1)
        doc = parsed(record)
        # No later one is signed before a withdrawal is done.
        if not isinstance(doc, Doc) or (order and order.done and doc.time <= order.done):
            return
        yield doc
        leaf = doc.prev
