"""The index and its catalogue: from a proof and documents to a believed list of articles.

Formats README, section 8, step I. Whoever calls asks several mirrors at once (I1) and stores the
checkpoint that it then believes. Everything raises `VerifyError` and nothing else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from mirror.errors import VerifyError
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.index import AnyItem, Index, Node, Ref, VoidItem
from mirror.formats.record import Doc
from mirror.formats.tlog import is_consistent
from mirror.verify import Checked, Seen, Trust, check_bytes, check_stored, parsed, proof

Status = Literal["current", "superseded", "withdrawn", "status-unknown"]
"""Of a revision; `status-unknown` where no catalogue as new as it was at hand."""


@dataclass(frozen=True, slots=True)
class Newest:
    """`doc` is of the index document that is the newest thing in the tree of `checked`."""

    doc: Doc
    leaf: int
    checked: Checked


@dataclass(frozen=True, slots=True)
class Listed:
    """`index` is the newest thing in its log, which was last known to be so `age_s` ago."""

    index: Index
    newest: Newest
    age_s: int
    stale: bool


def newest(data: bytes, trust: Trust) -> Newest:
    """Return the index record that the proof file `data` shows to be the newest of the open log."""
    proven = proof(data, trust)  # I1
    doc, checked, point = proven.record, proven.checked, proven.checked.checkpoint
    if point.origin != trust.root.open.origin:
        raise VerifyError("revoked-log", f"the index is of {point.origin}, which was closed")
    check_stored(checked, trust.seen)
    if not isinstance(doc, Doc) or doc.t != "index":  # I2
        raise VerifyError("malformed", "index: the proof is of something else")
    if proven.leaf != point.size - 1:
        raise VerifyError("malformed", f"index: leaf {proven.leaf} is not the last of {point.size}")
    if trust.time >= trust.root.expires and checked.confirmed_by != "history":
        # The stored one is still shown, with its age.
        raise VerifyError("expired-root", f"root {trust.root.version}: no new index is believed")
    return Newest(doc, proven.leaf, checked)


def largest(found: Iterable[Newest]) -> Newest:
    """Return the newest of several mirrors' answers, of which there is at least one (I1)."""
    best, *others = sorted(found, key=lambda each: -each.checked.checkpoint.size)
    for other in others:
        if _forks(best.checked.checkpoint, other.checked.checkpoint):
            raise VerifyError("fork", f"two trees of {best.checked.checkpoint.size} leaves")
    return best


def _forks(a: Checkpoint, b: Checkpoint) -> bool:
    return a.size == b.size and a.root != b.root


def index(
    data: bytes, document: bytes, trust: Trust, *, consistency: Sequence[bytes] | None = None
) -> Listed:
    """Return the index `document` that the proof file `data` is of.

    `consistency` shows the stored tree inside this larger one; a quorum makes it needless. A
    stale index is returned and says so: an old list of articles is better than none.
    """
    found_newest = newest(data, trust)
    checked = found_newest.checked
    check_bytes(document, found_newest.doc)
    found = parsed(Index.parse, document)  # I3
    if found.origin != checked.checkpoint.origin:
        raise VerifyError("malformed", f"index: of {found.origin}")
    if found.root > trust.root.version:
        raise VerifyError("too-new", f"index: needs root {found.root}; have {trust.root.version}")
    _check_grown(checked, trust.seen, consistency)  # I5
    age_s = max(0, trust.time - checked.time)  # I4
    return Listed(found, found_newest, age_s, age_s > trust.root.max_age_s)


def _check_grown(checked: Checked, seen: Seen | None, consistency: Sequence[bytes] | None) -> None:
    """I5: nothing that was stored is missing from, or altered in, what replaces it."""
    new = checked.checkpoint
    if seen is None or seen.origin != new.origin or checked.confirmed_by in ("quorum", "history"):
        return
    if not is_consistent(seen.size, seen.root, new.size, new.root, consistency or ()):
        shown = f"the {seen.size} leaves stored before are not shown to be in its {new.size}"
        raise VerifyError("not-in-log", f"{new.origin}: {shown}")


def node(data: bytes, ref: Ref, *, level: int) -> Node:
    """Return the node of the catalogue that `ref` names; items are at level 0.

    Not checked here: that its items are what the log says (`mirror.verify.audit`).
    """
    check_bytes(data, ref)
    found = parsed(Node.parse, data)
    if bool(found.items) != (level == 0):
        raise VerifyError("malformed", f"catalogue: not a node of level {level}")
    return found


def status(doc: Doc, item: AnyItem | None) -> Status:
    """Return what the catalogue's `item` of the same article says of this revision (A5)."""
    if item is None or item.rev < doc.rev:  # no catalogue, or one older than the article
        return "status-unknown"
    if item.rev > doc.rev:
        return "superseded"
    return "withdrawn" if isinstance(item, VoidItem) else "current"
