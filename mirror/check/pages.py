"""One article in a copy of a site: its page, its parts, and what vouches for them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mirror.check.places import Place
from mirror.check.report import Found, Outcome
from mirror.errors import FetchError, FormatError
from mirror.formats import minisig, proof, sshsig
from mirror.formats.encoding import encode_time
from mirror.formats.paths import PROOF, short_of
from mirror.formats.record import Doc
from mirror.formats.root import Root
from mirror.verify import Believed, Trust, article, check_part, parts

MAX_BYTES = 16 * 1024 * 1024  # of a page whose length nothing has said yet
MAX_PART_BYTES = 1024 * 1024  # of a part: 12,000 compress to this at the very most
_BESIDE = {PROOF: proof.MAX_BYTES, ".minisig": minisig.MAX_BYTES, ".sig": sshsig.MAX_BYTES}
_TOOLS = (".minisig", ".sig")

Files = Mapping[str, bytes | FetchError]


@dataclass(frozen=True, slots=True)
class Page:
    """The files at `vouched` are what the newsroom published as `believed`.

    `lacks` names the parts that are not there; `flaws` the signatures for other tools that
    are not of these bytes, which no program needs.
    """

    believed: Believed
    vouched: tuple[str, ...]
    lacks: tuple[str, ...]
    flaws: tuple[Outcome, ...]


async def examine(
    place: Place, path: str, trust: Trust, *, wanted: bytes | str | None, length: int = MAX_BYTES
) -> Page:
    """Return the article whose first part is at `path`; `wanted` as in `verify.promised`.

    The signatures for other tools are checked too: three more a part, which takes longer than
    all the rest (`examine_one_of_many` leaves them to those tools).

    Raises:
        FetchError: the page or its proof is not there.
        VerifyError: it is not to be believed.
    """
    found = await place.read_some({path: length, **_limits([path], *_TOOLS, PROOF)})
    page = await _believe(place, path, found, trust, wanted)
    later = page.vouched[2:]
    if later:
        found = {**found, **await place.read_some(dict.fromkeys(later, MAX_PART_BYTES))}
        found |= await place.read_some(_limits(later, *_TOOLS))
    good, flaws = _signatures([path, *later], found, page.believed, trust.root)
    return replace(page, vouched=page.vouched + good, flaws=flaws)


async def examine_one_of_many(
    place: Place, path: str, trust: Trust, *, doc: Doc, copy: str | None
) -> Page:
    """Return the article at `path`, of which the log says `doc`.

    `copy` is the path of a head for people that should have the same bytes, if it is there.

    Not checked here: the signatures for other tools (`examine`).
    """
    length = min(doc.length, MAX_BYTES)
    limits = {path: length, **_limits([path], PROOF)}
    found = await place.read_some(limits | ({copy: length} if copy else {}))
    page = await _believe(place, path, found, trust, doc.id)
    copied = found.get(copy or "")
    if copy is None or not isinstance(copied, bytes):
        return page
    if copied == found[path]:
        return replace(page, vouched=(*page.vouched, copy))
    return replace(page, flaws=(Outcome(copy, "tampered", "no copy of the newest revision"),))


async def _believe(
    place: Place, path: str, found: Files, trust: Trust, wanted: bytes | str | None
) -> Page:
    page, proof_file = _had(found[path]), _had(found[path + PROOF])
    believed = article(page, proof_file, trust, wanted=wanted)
    hashes = parts(page, believed.doc.rev)
    stem = path.removesuffix(".html")
    names = [f"{stem}-{number}.html" for number in range(2, len(hashes) + 2)]
    later = await place.read_some(dict.fromkeys(names, MAX_PART_BYTES)) if names else {}
    lacks = []
    for name, sha256 in zip(names, hashes, strict=True):
        data = later[name]
        if isinstance(data, FetchError):
            lacks.append(name)
        else:
            check_part(data, sha256)
    there = [name for name in names if name not in lacks]
    return Page(believed, (path, path + PROOF, *there), tuple(lacks), ())


def _limits(names: Iterable[str], *suffixes: str) -> dict[str, int]:
    return {name + suffix: _BESIDE[suffix] for name in names for suffix in suffixes}


def _had(data: bytes | FetchError) -> bytes:
    if isinstance(data, FetchError):
        raise data
    return data


def _signatures(
    names: Iterable[str], found: Files, believed: Believed, root: Root
) -> tuple[tuple[str, ...], tuple[Outcome, ...]]:
    """Return which signature files for other tools are good, and the outcomes of the others."""
    good, flaws = [], []
    for name in names:
        for suffix in _TOOLS:
            signature = found[name + suffix]
            if isinstance(signature, FetchError):
                continue  # a copy need not have it: no program asks
            comment = _comment(name, believed)
            verdict, detail = _judge(suffix, signature, _had(found[name]), root, comment)
            if verdict == "valid":
                good.append(name + suffix)
            else:
                flaws.append(Outcome(name + suffix, verdict, detail))
    return tuple(good), tuple(flaws)


def _comment(name: str, believed: Believed) -> str | None:
    """Return the words that a person must read beside a minisign signature, where known."""
    doc, origin = believed.doc, believed.checked.checkpoint.origin
    if short_of(name) is None:
        return None
    return f"path={name} origin={origin} leaf={believed.leaf} time={encode_time(doc.time)}"


def _judge(
    suffix: str, signature: bytes, data: bytes, root: Root, comment: str | None
) -> tuple[Found, str]:
    try:
        if suffix == ".sig":
            accepted = sshsig.SshSignature.parse(signature).accepts(root.ssh, data)
        else:
            mini = minisig.MiniSignature.parse(signature)
            if comment not in (None, mini.trusted):
                return "wrong-article", f"its comment is not `{comment}`"
            accepted = mini.accepts(root.minisign, data)
    except FormatError as e:
        return "malformed", str(e)
    return ("valid", "") if accepted else ("bad-signature", "not of these bytes by the root's key")
