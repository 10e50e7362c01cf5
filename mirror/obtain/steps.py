"""What is asked of one mirror, and how its answer is verified before anybody hears of it.

The steps are those of the formats README, section 8; a step raises `FetchError` where a mirror
does not have something, and `VerifyError` where it is not to be believed.
"""

from dataclasses import dataclass, replace

from mirror import verify
from mirror.check.holding import consistency
from mirror.check.lookup import revision_named
from mirror.check.pages import MAX_PART_BYTES
from mirror.check.places import Place
from mirror.check.survey import follow_roots
from mirror.errors import FetchError, FormatError, VerifyError
from mirror.formats import index, proof, root
from mirror.formats.index import Item, Ref
from mirror.formats.paths import INDEX_PROOF, PROOF, article_folder, revision_path, short_id
from mirror.formats.proof import Proof
from mirror.formats.root import Root
from mirror.verify import Believed, Trust, check_bytes, listing
from mirror.verify.listing import Listed, Newest


@dataclass(frozen=True, slots=True)
class Head:
    """`proof` shows, with the root at hand, what is the newest index."""

    proof: bytes
    newest: Newest


@dataclass(frozen=True, slots=True)
class Promise:
    """`proof` promises a revision, which is at `path`; `page` is it, if it came along."""

    path: str
    proof: bytes
    believed: Believed
    page: bytes | None = None


async def roots_and_proof(place: Place, known: Root) -> tuple[Root, bytes | FetchError]:
    """Return the newest root that a mirror leads to (R2 to R6), and its proof of an index."""
    after = f"trust/{known.version + 1}.root.json"
    found = await place.read_some({INDEX_PROOF: proof.MAX_BYTES, after: root.MAX_BYTES})
    is_newer = isinstance(found[after], bytes)
    return (await follow_roots(place, known) if is_newer else known), found[INDEX_PROOF]


def note_of(proof_file: bytes) -> bytes:
    """Return the checkpoint in a proof as shown, to be kept; b"" where there is none."""
    try:
        return Proof.parse(proof_file).checkpoint
    except FormatError:
        return b""


def is_fresh(newest: Newest, trust: Trust) -> bool:
    """Return whether an index was the newest lately (I4)."""
    return trust.time - newest.checked.time <= trust.root.max_age_s


async def listed(place: Place, head: Head, trust: Trust) -> Listed:
    """Return the index of which `head` has the proof (I3 to I5)."""
    document = Ref(head.newest.doc.length, head.newest.doc.sha256)
    data = await place.read(document.path, min(document.length, index.MAX_BYTES))
    shown = await consistency(place, head.newest.checked, trust)
    return listing.index(head.proof, data, trust, consistency=shown)


async def promise_of_copy(place: Place, short: str, wanted: bytes | str, trust: Trust) -> Promise:
    """Return what a mirror has of an article: `index.html` is asked for its revision (A1)."""
    path = f"{article_folder(short)}/index.html"
    copy = await place.read(path, MAX_PART_BYTES)
    named = revision_named(copy)
    if named is None:
        raise FetchError(f"{path}: names no revision", kind="missing")
    made = await promise(place, f"{article_folder(short)}/{named}", wanted, trust)
    try:
        check_bytes(copy, made.believed.doc)
    except VerifyError:
        return made  # a head for people: a server may have added to it what it adds to pages
    return replace(made, page=copy)


async def promise(place: Place, path: str, wanted: bytes | str, trust: Trust) -> Promise:
    """Return what the proof beside `path` promises (A1, A2)."""
    data = await place.read(path + PROOF, proof.MAX_BYTES)
    believed = verify.promised(data, trust, wanted=wanted)
    doc = believed.doc
    if path != revision_path(short_id(doc.id), doc.rev):
        raise VerifyError("wrong-article", f"this is revision {doc.rev}, another was asked for")
    return Promise(path, data, believed)


async def promise_of_item(place: Place, item: Item, wanted: bytes | str, trust: Trust) -> Promise:
    """Return the proof of the revision that the catalogue has as the newest."""
    made = await promise(place, revision_path(item.id, item.rev), wanted, trust)
    check_item(made.believed, item)
    return made


def check_item(believed: Believed, item: Item) -> None:
    """Refuse a proof that contradicts the catalogue: both are signed, and one is a lie."""
    if (item.leaf, item.sha256) != (believed.leaf, believed.doc.sha256):
        raise VerifyError("not-in-log", f"index: article {item.n} is not what its proof says")


async def page(place: Place, promised: Promise) -> bytes:
    """Return the page that was promised (A3)."""
    data = await place.read(promised.path, promised.believed.doc.length)
    check_bytes(data, promised.believed.doc)
    return data


async def node(place: Place, ref: Ref) -> index.Node:
    """Return a node of the catalogue's lowest level."""
    data = await place.read(ref.path, min(ref.length, index.MAX_BYTES))
    return listing.node(data, ref, level=0)
