"""Verify a file, a folder or an address: what is asked of which place, and the report of it."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from mirror.check.lookup import look_up, loose_pages
from mirror.check.places import Address, Folder, Place
from mirror.check.remember import Memory, keep, keep_evidence, recall
from mirror.check.report import Report, not_shown
from mirror.check.survey import Survey, follow_roots
from mirror.errors import SettingsError
from mirror.fetch import Fetcher
from mirror.formats import root as root_format
from mirror.formats.paths import short_of
from mirror.formats.root import Root
from mirror.verify import Trust
from mirror.verify.roots import pinned_root

Kind = Literal["file", "folder", "address"]

_IN_SITE = re.compile(r"(.*?)(a/[a-z2-7]/[a-z2-7]/[a-z2-7]/[a-z2-7]{17}/[^/]*)", re.ASCII)
_BESIDE = re.compile(r"(\.minisig|\.sig)?(\.gz|\.br)?$")  # for other tools, and for servers


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
    memory = await asyncio.to_thread(lambda: recall(remember, _pinned(root)))
    place, path, kind = await asyncio.to_thread(_locate, target, fetcher)
    found = memory.root if kind == "file" else await follow_roots(place, memory.root)
    survey = Survey(place, Trust(found, now(), memory.seen))
    if path:
        await look_up(survey, path, online=kind == "address")
    else:
        await survey.look()
        if survey.held is None and isinstance(place, Folder):
            await loose_pages(survey, place)
    report = await asyncio.to_thread(_report, target, kind, survey)
    if remember:
        await asyncio.to_thread(_learn, remember, memory, survey)
    said = not_shown(report, remembered=memory.seen is not None, root=str(root))
    return replace(report, not_shown=said)


def _pinned(file: Path) -> Root:
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
        base, path = _split(target.partition("#")[0])
        if short_of(path):
            return Address(base, fetcher), path, "address"
        whole = base if path in ("", "index.html") else f"{base}{path}/"
        return Address(whole, fetcher), "", "address"
    file = Path(target)
    if file.is_dir():
        return Folder(file), "", "folder"
    if not file.is_file():
        raise SettingsError(f"{target}: no such file or folder")
    base, path = _split(file.resolve().as_posix())
    return Folder(Path(base)), path, "file"


def _split(target: str) -> tuple[str, str]:
    """Return the site that `target` is in, with a slash at the end, and the path in it."""
    match = _IN_SITE.fullmatch(target)
    if match:
        return match[1], match[2] + ("index.html" if match[2].endswith("/") else "")
    base, slash, name = target.rpartition("/")
    return base + slash, name


def _report(target: str, kind: Kind, survey: Survey) -> Report:
    newest, listed, trust = survey.newest, survey.listed, survey.trust
    folder = survey.place if kind == "folder" and isinstance(survey.place, Folder) else None
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
        unvouched=_unvouched(folder, survey.vouched) if folder else 0,
    )


def _unvouched(folder: Folder, vouched: set[str]) -> int:
    """Return how many files nothing vouches for, nor for the file that they belong to."""
    return sum(_BESIDE.sub("", path) not in vouched for path in folder.paths())


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
