"""Whether to sign at all: a root that has ended, or a database that is not the newest, must not."""

from mirror.errors import FormatError, SettingsError, StateError
from mirror.formats import tlog
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.encoding import encode_time
from mirror.formats.note import Note
from mirror.formats.root import Root
from mirror.state import State

ROOT_WARNING_S = 30 * 24 * 3600  # the holders of a root are not reached in a day


def check_root(root: Root, *, now: int) -> list[str]:
    """Return warnings if the root ends soon; `Signer.check_root`."""
    until = encode_time(root.expires)
    if now >= root.expires:
        raise SettingsError(
            f"root {root.version} ended {until}, and it is {encode_time(now)}: a new root"
            " must be signed, or this machine's clock set right"
        )
    if now < root.expires - ROOT_WARNING_S:
        return []
    return [f"root {root.version} ends {until}: have a new one signed before"]


def check_not_behind(state: State, name: str, published: bytes | None) -> None:
    """Return if this database signed the checkpoint in store `name`; `Signer.check_not_behind`."""
    log = state.log()
    signed = state.last_signing()
    if signed:
        _check_known(state, f"{state.path}.signed", signed)
    if published is None:
        if log.published:
            what = f"empty, but {log.published} leaves were published there"
            raise StateError(f"{name}: {what}: mount its disk, or copy it from a mirror")
        return
    try:
        checkpoint = Checkpoint.parse(Note.parse(published).text)
    except FormatError as e:
        raise StateError(f"{name}: its checkpoint is not readable: {e}") from e
    _check_known(state, name, checkpoint)
    if checkpoint.size < log.published:  # what came after is in no outbox any more
        what = f"{checkpoint.size} leaves, and {log.published} were published there"
        raise StateError(f"{name}: it shows {what}: restore the newest site")


def _check_known(state: State, name: str, checkpoint: Checkpoint) -> None:
    log = state.log()
    here = f"{state.path}: it has {log.size} leaves of {log.origin}"
    if checkpoint.origin != log.origin or checkpoint.size > log.size:
        what = f"{checkpoint.size} of {checkpoint.origin}"
        raise StateError(f"{here}, but {name} shows {what}: restore the newest database")
    here_root = log.root  # of the present size: mostly that is the one asked about
    if checkpoint.size != log.size:
        here_root = tlog.range_root(state.read_tile, 0, checkpoint.size)
    if here_root != checkpoint.root:
        raise StateError(f"{here}, but {name} shows another tree of {checkpoint.size}")
