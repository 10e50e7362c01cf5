"""Verify a file, a folder or an address: what is asked of which place, and the report of it."""

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from mirror.check.lookup import first_part, look_up, loose_pages
from mirror.check.pages import MAX_BYTES
from mirror.check.places import Address, Folder, Place
from mirror.check.remember import Memory, keep, keep_evidence, recall
from mirror.check.report import Outcome, Report, not_shown
from mirror.check.survey import Survey, follow_roots
from mirror.errors import FormatError, SettingsError
from mirror.fetch import Fetcher
from mirror.formats import minisig
from mirror.formats import root as root_format
from mirror.formats.paths import DIFF, is_head, short_of
from mirror.formats.root import Root
from mirror.verify import Trust
from mirror.verify.roots import pinned_root

Kind = Literal["file", "folder", "address"]

_IN_SITE = re.compile(
    r"(.*/|)(a/[a-z2-7]/[a-z2-7]/[a-z2-7]/[a-z2-7]{17}/[^/]*)", re.ASCII | re.DOTALL
)
_BESIDE = re.compile(r"(\.minisig|\.sig)?(\.gz|\.br)?$")  # for other tools, and for servers
MAX_PICTURE = 100_000  # the larger form, for people; the one that programs show has 12,000


async def check(
    target: str,
    *,
    root: Path,
    remember: Path | None,
    now: Callable[[], int],
    fetcher: Fetcher | None,
) -> Report:
    """Return what verifying `target`, a file, a folder or an address, shows.

    `root` is the file of the pinned root. `remember` is the file that keeps what was believed
    (`mirror.check.remember`), read before and written after; evidence of a fork is put beside it.

    Raises:
        SettingsError: the target, the root or the memory is not there or not readable.
        VerifyError: the root is not signed by its holders, or contradicts the memory.
    """
    memory = await asyncio.to_thread(lambda: recall(remember, pinned(root)))
    place, path, kind = await asyncio.to_thread(_locate, target, fetcher)
    found = memory.root if kind == "file" else await follow_roots(place, memory.root)
    survey = Survey(place, Trust(found, now(), memory.seen))
    paths: list[str] = []
    if path:
        await look_up(survey, path, online=kind == "address")
    else:
        await survey.look()
        if isinstance(place, Folder):
            if survey.held is None:
                await loose_pages(survey, place)
            paths = await asyncio.to_thread(lambda: list(place.paths()))
            await asyncio.to_thread(_judge_strangers, survey, place, paths)
    report = await asyncio.to_thread(_report, target, kind, survey, paths)
    if remember:
        await asyncio.to_thread(_learn, remember, memory, survey)
    said = not_shown(report, remembered=memory.seen is not None, root=str(root))
    return replace(report, not_shown=said)


def pinned(file: Path) -> Root:
    """Return the root in a file that somebody trusts.

    Raises:
        SettingsError: the file is not readable.
        VerifyError: what it holds is no root that its holders signed.
    """
    try:
        with file.open("rb") as stream:
            return pinned_root(stream.read(root_format.MAX_BYTES + 1))
    except OSError as e:
        raise SettingsError(f"{file}: the root is not readable: {e.strerror}") from e


def _locate(target: str, fetcher: Fetcher | None) -> tuple[Place, str, Kind]:
    """Return where the site is, the path of one article in it or "" for all, and the kind."""
    if target.startswith(("http://", "https://")):
        if fetcher is None:
            raise SettingsError(f"{target}: asking an address was not allowed")
        base, path = _split(_address(target))
        if short_of(path):
            return Address(base, fetcher), path, "address"
        if path not in ("", "index.html") or "?" in base:
            # Another site could lie below such an address than what the address itself shows.
            raise SettingsError(f"{target}: no article's address; that of a whole site ends in /")
        return Address(base, fetcher), "", "address"
    file = Path(target)
    try:
        if file.is_dir():
            return Folder(file), "", "folder"
        if not file.is_file():
            raise SettingsError(f"{target}: no such file or folder")
    except OSError as e:
        raise SettingsError(f"{target:.100}: not readable: {e.strerror}") from e
    base, path = _split(file.resolve().as_posix())
    return Folder(Path(base)), path, "file"


def _address(target: str) -> str:
    address = target.partition("#")[0]
    scheme, _, rest = address.partition("://")
    host, slash, _ = rest.partition("/")
    if not host:
        raise SettingsError(f"{target}: no host in it")
    return address if slash else f"{scheme}://{host}/"


def _split(target: str) -> tuple[str, str]:
    """Return the site that `target` is in, with a slash at the end, and the path in it."""
    match = _IN_SITE.fullmatch(target)
    if match:
        return match[1], match[2] + ("index.html" if match[2].endswith("/") else "")
    base, slash, name = target.rpartition("/")
    return base + slash, name


def _report(target: str, kind: Kind, survey: Survey, paths: list[str]) -> Report:
    newest, listed, trust = survey.newest, survey.listed, survey.trust
    return Report(
        target,
        kind,
        trust.root.open.origin,
        trust.root.version,
        tuple(survey.articles),
        tuple(survey.others),
        survey.revisions,
        size=newest.checked.checkpoint.size if newest else None,
        issued=listed.index.issued if listed else None,
        age_s=listed.age_s if listed and listed.newest.checked.time else None,
        cosigned=newest.checked.cosigned if newest else 0,
        cosigners=len(trust.root.open.cosigners),
        quorum=trust.root.open.quorum,
        unvouched=_unvouched(paths, survey.vouched),
    )


def _judge_strangers(survey: Survey, folder: Folder, paths: list[str]) -> None:
    """Add what pretends to be the newsroom's and is not: pages, and copies of the root's keys."""
    refused = {each.subject for each in survey.articles} - survey.vouched
    for path in paths if survey.held else ():
        if not short_of(path) or is_head(path):
            continue
        if path.endswith(".webp"):
            _judge_picture(survey, folder, path)
        elif path.endswith(".html"):
            _judge_stranger(survey, path, refused)
    for name, expected in root_format.trust_files(survey.trust.root).items():
        held = folder.read_now(f"trust/{name}", root_format.MAX_BYTES)
        if held not in (None, expected):
            detail = "not what the root says; do not use it"
            survey.others.append(Outcome(f"trust/{name}", "tampered", detail))
        elif held:
            survey.vouched.add(f"trust/{name}")


def _judge_picture(survey: Survey, folder: Folder, path: str) -> None:
    """Check that a picture's name is its hash (A4); that a page names it only a reader asks."""
    data = folder.read_now(path, MAX_PICTURE)
    name = path.rpartition("/")[2].removesuffix(".webp")
    if data is not None and hashlib.sha256(data).hexdigest() == name:
        survey.vouched.add(path)
    else:
        survey.others.append(Outcome(path, "tampered", "its bytes are not those of its name"))


def _judge_stranger(survey: Survey, path: str, refused: set[str]) -> None:
    if path in survey.vouched or {path, first_part(path)} & refused:
        return
    if _is_signed(survey, path):
        if path.endswith(DIFF):
            survey.vouched.add(path)
    else:
        detail = "no record of it, and no signature of the newsroom's for this path: forged"
        survey.others.append(Outcome(path, "not-in-log", detail))


def _is_signed(survey: Survey, path: str) -> bool:
    """Return whether `path` is signed for its place.

    So is a page of what an edit changed, which no log records, and what was copied before the
    log that records it.
    """
    place = survey.place
    if not isinstance(place, Folder):
        return False
    data = place.read_now(path, MAX_BYTES)
    signature = place.read_now(f"{path}.minisig", minisig.MAX_BYTES)
    try:
        mini = minisig.MiniSignature.parse(signature or b"")
    except FormatError:
        return False
    named = f"path={path} origin={survey.trust.root.open.origin} "
    accepted = mini.accepts(survey.trust.root.minisign, data or b"")
    return accepted and mini.trusted.startswith(named)


def _unvouched(paths: list[str], vouched: set[str]) -> int:
    """Return how many files nothing vouches for, nor for the file that they belong to."""
    return sum(_BESIDE.sub("", path) not in vouched for path in paths)


def _learn(remember: Path, memory: Memory, survey: Survey) -> None:
    """Keep the root, and the checkpoint if its index is believed, or the evidence against it."""
    new = Memory(survey.trust.root, memory.checkpoint, memory.time)
    if survey.listed:
        checked = survey.listed.newest.checked
        new = Memory(survey.trust.root, survey.note, max(checked.time, memory.time))
    keep(remember, memory, new)
    lies = {each.verdict for each in survey.others} & {"fork", "rollback"}
    for verdict in sorted(lies):
        keep_evidence(remember, memory, survey.note, verdict)
