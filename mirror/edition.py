"""What is published of the log as it stands: a function of the database, and of what is signed.

Called before and after the signing of a checkpoint, and again after a crash: with the same bytes.
"""

from collections.abc import Sequence

from mirror.article.front import front_page, mirrors_page
from mirror.formats.encoding import encode_time
from mirror.formats.index import Index
from mirror.formats.paths import CHECKPOINT, article_folder, revision_path, short_id
from mirror.formats.record import Doc
from mirror.signer import Signer
from mirror.site import log_files, parsed, proof_files
from mirror.state import LogState

REFRESH_S = 3600  # how old the clock's word gets while nothing is new


def unsigned_files(signer: Signer) -> dict[str, bytes]:
    """Return what a checkpoint of the appended leaves refers to, and no site has yet."""
    log = signer.state.log()
    files = signer.state.outbox()
    files |= log_files(
        signer.state.read_tile, signer.state.records, old=log.published, new=log.size
    )
    return files


def signed_files(signer: Signer) -> dict[str, bytes]:
    """Return the proofs, pages for people and heads that belong to the checkpoint."""
    log = signer.state.log()
    records = signer.state.records(log.published, log.size)
    files = proof_files(
        *(signer.state.read_tile, records),
        first=log.published,
        size=log.size,
        checkpoint=log.checkpoint,
    )
    return files | _pages(signer, log, records) | {CHECKPOINT: log.checkpoint}


def _pages(signer: Signer, log: LogState, records: Sequence[bytes]) -> dict[str, bytes]:
    outbox = signer.state.outbox()
    index = Index.parse(outbox[log.index_ref])
    front = front_page(index, masthead=signer.masthead)
    until = f" size={log.size} expires={encode_time(log.time + signer.root.max_age_s)}"
    files = {"index.html": front, "mirrors.html": mirrors_page(index, masthead=signer.masthead)}
    files |= signer.keys.sign_file(
        "index.html", front, leaf=log.index_leaf, time=log.time, more=until
    )
    for record in map(parsed, records):
        if isinstance(record, Doc) and record.t == "doc":
            short = short_id(record.id)
            newest = outbox[revision_path(short, record.rev)]
            files[f"{article_folder(short)}/index.html"] = newest
    return files


def refreshed_files(signer: Signer, *, now: int, shown: bytes | None = None) -> dict[str, bytes]:
    """Return the heads with the clock's newer word, or nothing while it is fresh enough.

    The clock says, when nothing is new, that nothing is: a mirror that shows an
    older word is late or withholds. `shown` is the site's last head, the index's proof:
    where it has an older word than was signed, a crash came between, and it is said again.
    """
    log = signer.state.log()
    if not log.size:
        return {}
    if now - log.cosigned >= REFRESH_S:
        signer.cosign(log, time=now)
        log = signer.state.log()
    elif shown is None or shown.endswith(log.checkpoint):
        return {}
    proof = proof_files(
        *(signer.state.read_tile, signer.state.records(log.index_leaf, log.size)),
        first=log.index_leaf,
        size=log.size,
        checkpoint=log.checkpoint,
    )
    return {CHECKPOINT: log.checkpoint, **proof}
