"""One article asked of a place: is it the newsroom's, and what has become of it since."""

import re
from dataclasses import replace

from mirror import verify
from mirror.check.pages import MAX_BYTES, examine
from mirror.check.places import Folder, Place, maybe
from mirror.check.report import Outcome
from mirror.check.survey import Survey
from mirror.errors import FetchError, VerifyError
from mirror.formats import index, proof
from mirror.formats.index import FAN_OUT, AnyItem, Item, levels, position
from mirror.formats.paths import PROOF, revision_path, short_id, short_of
from mirror.verify import Believed, check_bytes, listing
from mirror.verify.listing import Listed, Status

_NAMED = re.compile(rb'href="([1-9][0-9]{0,15}\.html)\.tlog-proof"')
_PART = re.compile(r"((?:.*/)?[1-9][0-9]{0,15})-[1-9][0-9]{0,4}\.html", re.DOTALL)
_BESIDE = re.compile(r"(\.minisig|\.sig|\.tlog-proof)\Z")


async def look_up(survey: Survey, path: str, *, online: bool) -> None:
    """Add what is found of the article at `path`; a mirror is asked for its index as well."""
    if online:
        await survey.look_at_index()
    page = await _page_of(survey.place, path)
    try:
        outcome = await _page_or_proof(survey, page, path)
    except FetchError as e:
        outcome = Outcome(path, "missing", str(e))
    except VerifyError as e:
        outcome = Outcome(path, e.verdict, e.detail)
    if outcome.verdict == "valid" and path not in survey.vouched:
        # What was verified is another file of the article: it says nothing of this one.
        outcome = Outcome(path, "not-in-log", "nothing that was signed vouches for this file")
    survey.articles.append(outcome)


def first_part(path: str) -> str:
    """Return the page that lists `path` as one of its parts, or `path` itself."""
    part = _PART.fullmatch(path)
    return f"{part[1]}.html" if part else path


def revision_named(copy: bytes) -> str | None:
    """Return the name of the revision that an `index.html` says it is a copy of (A1)."""
    named = _NAMED.findall(copy)
    return named[-1].decode() if named else None


async def _page_of(place: Place, path: str) -> str:
    """Return the file that has the record for `path`: for a part or a signature, another one."""
    page = _BESIDE.sub("", path)
    first = first_part(page)
    if first != page and await maybe(place, page + PROOF, proof.MAX_BYTES) is None:
        return first
    return page


async def loose_pages(survey: Survey, folder: Folder) -> None:
    """Add every page of `folder` that has a proof: a log that lacks files hides no article."""
    for path in folder.paths():
        if path.endswith(f".html{PROOF}"):
            await look_up(survey, path.removesuffix(PROOF), online=False)


async def _page_or_proof(survey: Survey, page: str, path: str) -> Outcome:
    try:
        return await _page(survey, page)
    except FetchError:
        if not path.endswith(PROOF):
            raise
    found = verify.proof(await survey.place.read(path, proof.MAX_BYTES), survey.trust)
    survey.vouched.add(path)
    detail = "of the proof alone: what it proves is not beside it"
    return Outcome(path, "valid", detail, found.checked.confirmed_by, leaf=found.leaf)


async def _page(survey: Survey, path: str) -> Outcome:
    short, copy, asked = short_of(path), None, path
    folder, _, name = path.rpartition("/")
    if short and name == "index.html":
        # A head for people: it names the revision that it is a copy of, and nothing else is taken.
        copy = await survey.place.read(path, MAX_BYTES)
        named = revision_named(copy)
        if named is None:
            raise FetchError(f"{path}: names no revision")
        path = f"{folder}/{named}"
    page = await examine(survey.place, path, survey.trust, wanted=short)
    believed = page.believed
    doc = believed.doc
    if short and path != revision_path(short, doc.rev):
        raise VerifyError("wrong-article", f"this is revision {doc.rev}, another was asked for")
    if copy is not None:
        check_bytes(copy, doc)
        survey.vouched.add(asked)
    survey.revisions += 1
    survey.vouched.update(page.vouched)
    survey.others += page.flaws
    found = Outcome(
        path,
        "incomplete" if page.lacks else "valid",
        ", ".join(page.lacks),
        believed.checked.confirmed_by,
        "status-unknown",
        rev=doc.rev,
        leaf=believed.leaf,
        time=doc.time,
    )
    return (
        found
        if survey.listed is None
        else await _since(survey.place, survey.listed, found, believed)
    )


async def _since(place: Place, listed: Listed, found: Outcome, believed: Believed) -> Outcome:
    """Return `found` with what the catalogue says of the article today (A5)."""
    item = await item_of(place, listed, believed.doc.n)
    if item is None:
        return found
    status: Status = listing.status(believed.doc, item)
    if item.id != short_id(believed.doc.id):
        raise VerifyError("not-in-log", f"index: article {item.n} is another one")
    if not isinstance(item, Item):
        return replace(found, status=status)
    if status == "current":
        # Both are signed; an index that names other bytes for this revision is a lie.
        if (item.leaf, item.sha256) != (believed.leaf, believed.doc.sha256):
            raise VerifyError("not-in-log", f"index: article {item.n} is not what its proof says")
        if listed.newest.checked.confirmed_by == "quorum":
            found = replace(found, confirmed_by="quorum")
    return replace(found, status=status, title=item.title)


async def item_of(place: Place, listed: Listed, n: int) -> AnyItem | None:
    """Return the catalogue's item of article `n`; None where the index is older than it.

    Raises:
        FetchError: a node of the catalogue is not there.
        VerifyError: the catalogue is not the one that was signed, or does not lead to it.
    """
    if n >= listed.index.count:
        return None
    level = levels(listed.index.count) - 1
    refs = listed.index.catalogue
    while True:
        at = position(n, level) % FAN_OUT
        if at >= len(refs):
            raise VerifyError("malformed", f"catalogue: no way to article {n}")
        data = await place.read(refs[at].path, min(refs[at].length, index.MAX_BYTES))
        node = listing.node(data, refs[at], level=level)
        if level == 0:
            break
        refs, level = node.nodes, level - 1
    item = dict(enumerate(node.items)).get(n % FAN_OUT)
    if item is None or item.n != n:
        raise VerifyError("malformed", f"catalogue: no article {n} where it belongs")
    return item
