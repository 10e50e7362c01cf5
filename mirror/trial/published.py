"""A mirror is tried with what is published already: nothing is written, and little is asked.

Nine files at most, each on a connection of its own; packed, none is larger than a page may be.
Not looked at here: whether what changes is shown in time, which who verifies sees (`mirrors`), and
only who writes sees at once (`try_store`).
"""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mirror.errors import FetchError, FormatError, StateError
from mirror.fetch.answers import PASSING
from mirror.formats import checkpoint, record
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.index import Ref
from mirror.formats.note import Note
from mirror.formats.paths import CHECKPOINT, PROOF, article_folder, revision_path
from mirror.formats.proof import Proof
from mirror.formats.record import INDEX_ID, Doc
from mirror.mirrors.own import BEHIND_S, Own
from mirror.obtain.gather import pictures
from mirror.state import ArticleState, State
from mirror.threads import in_thread
from mirror.trial import offered
from mirror.trial.answer import Answer
from mirror.trial.judge import CURTAIN, Finding, judge, judge_case, judge_missing
from mirror.trial.probe import Probe, nowhere
from mirror.trial.tls import refused
from mirror.trial.wire import Asker

MAX_PICTURE = CURTAIN - 1000  # bytes: its headers come to them, and are what is looked at
MANY = 1 << 53  # leaves, more than any log has


async def try_published(
    url: str, wire: Asker, own: Own, site: Path, *, noise: bytes, now: int
) -> list[Finding]:
    """Return what is found of the mirror at `url`, which ends in a slash.

    `site` is the folder of the operator's own site, `noise` 32 random bytes.

    Raises:
        FetchError: nothing is known of it: it does not answer, refuses all, or nothing is
            published that it could be asked for.
        StateError: the operator's own database is damaged.
    """
    try:
        found = await _read(url, wire, own, site, noise, now)
    except FetchError as e:
        if finding := refused(e):
            return [finding]
        raise
    return [*found, *await offered(url, wire, now=now)]


async def _read(
    url: str, wire: Asker, own: Own, site: Path, noise: bytes, now: int
) -> list[Finding]:
    first = await _asked(wire, url + CHECKPOINT)
    try:
        probe = await in_thread(_probe, own, site, first, noise, now)
    except FormatError as e:  # what we keep ourselves: what the mirror sent was read before
        raise StateError(f"{own.db.path}: damaged: {e}") from e
    if probe is None:
        raise FetchError(f"{url}: no article that it should have is in {site}")
    # One after the other, each on its own connection: as little as one reader asks.
    seen = {path: await _asked(wire, url + path) for path in probe.files if path != CHECKPOINT}
    seen[CHECKPOINT] = first
    if all(400 <= each.status < 500 for each in seen.values()):
        raise FetchError(f"{url}: it shows nothing: status {first.status}")
    return [
        *judge(replace(probe, files=_as_shown(probe.files, seen)), seen),
        judge_missing(await _asked(wire, url + probe.missing)),
        judge_case(await _asked(wire, url + probe.other_case)),
    ]


async def _asked(wire: Asker, url: str) -> Answer:
    answer = await wire.ask(url)
    if answer.status in PASSING or answer.status >= 500:
        raise FetchError(f"{url}: status {answer.status}: asked again later")
    return answer


def _probe(own: Own, site: Path, first: Answer, noise: bytes, now: int) -> Probe | None:
    """Return what a mirror with this checkpoint is asked for; None if nothing can be."""
    state = State(own.db)
    size = min(_leaves(first), state.log().published)
    article = own.article(size)
    if article is None:
        return None
    page = revision_path(article.short, article.rev)
    files = {path: data for path in (CHECKPOINT, page) if (data := _ours(site / path)) is not None}
    if len(files) != 2 or not _is_whole(files[page], article.sha256):
        return None
    files |= _beside(site, article, files[page], noise) | _index(site, state, size)
    files |= _newest(site, article, files[page], now)
    return Probe(files, page, nowhere(noise), f"{article_folder(article.short).upper()}/1.html")


def _leaves(answer: Answer) -> int:
    """Return how many leaves a mirror says that it has; where it says no such thing, no end."""
    body = answer.body() or b""
    try:
        return _checkpoint(body).size if answer.status == 200 else MANY
    except FormatError:
        return MANY


def _beside(site: Path, article: ArticleState, page: bytes, noise: bytes) -> dict[str, bytes]:
    """Return of a page's own files the proof, one signature, and a small picture if it has any."""
    path = revision_path(article.short, article.rev)
    wanted = [path + PROOF, path + (".minisig", ".sig")[noise[0] % 2]]
    read = {each: _ours(site / each) for each in wanted}
    for name in pictures([page]):
        at = f"{article_folder(article.short)}/{name}"
        data = _ours(site / at)
        if data is not None and len(data) <= MAX_PICTURE:
            read[at] = data
            break
    return {each: data for each, data in read.items() if data is not None}


def _newest(site: Path, article: ArticleState, page: bytes, now: int) -> dict[str, bytes]:
    """Return what readers are led to, where each mirror must have it as we do.

    Who puts something into what changes only, as caches do, is seen here and nowhere else.
    """
    path = f"{article_folder(article.short)}/index.html"
    known = now - article.time > BEHIND_S and _ours(site / path) == page
    return {path: page} if known else {}


def _index(site: Path, state: State, size: int) -> dict[str, bytes]:
    """Return the index document of a log of `size` leaves, if it is kept."""
    said = record.parse(Note.parse(state.records(size - 1, size)[0]).text)
    if not isinstance(said, Doc) or said.id != INDEX_ID:
        return {}
    path = Ref(said.length, said.sha256).path
    data = _ours(site / path)
    return {path: data} if data is not None and _is_whole(data, said.sha256) else {}


def _ours(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:  # old index documents go
        return None


def _is_whole(data: bytes, sha256: bytes) -> bool:
    """Return whether our own file is whole: the mirror's would else be called changed."""
    return hashlib.sha256(data).digest() == sha256


def _as_shown(files: Mapping[str, bytes], seen: Mapping[str, Answer]) -> dict[str, bytes]:
    """Return what is to be there, given that its checkpoint and proofs may be others than ours.

    Not checked here is what they say, which is verified whenever the mirror is looked at.
    """
    shown = dict(files)
    for path in files:
        if path == CHECKPOINT or path.endswith(PROOF):
            parse: Callable[[bytes], object] = _checkpoint if path == CHECKPOINT else Proof.parse
            body = seen[path].body() or b""
            with suppress(FormatError):
                parse(body)
                shown[path] = body
    return shown


def _checkpoint(data: bytes) -> Checkpoint:
    if len(data) > checkpoint.MAX_BYTES:
        raise FormatError("checkpoint: too large")
    return Checkpoint.parse(Note.parse(data).text)
