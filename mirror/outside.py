"""From settings to the places outside that follow the site: stores, and an IPFS node."""

import asyncio
import base64
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mirror import build
from mirror.copier import Copier
from mirror.dag import Dag
from mirror.database import Database
from mirror.errors import SettingsError
from mirror.follow import Follower, follow_always, follow_once
from mirror.settings import Settings
from mirror.settings.outside import StoreSettings
from mirror.settings.sections import Ipfs
from mirror.stores import Store
from mirror.stores.dir import DirStore
from mirror.stores.git import GitStore
from mirror.stores.ipfs import IpfsStore
from mirror.stores.objects import ObjectStore
from mirror.stores.patience import in_own_thread
from mirror.stores.rclone import RcloneStore

logger = logging.getLogger(__name__)

MAX_SECRET_BYTES = 64 * 1024  # some lines; a larger file is another file


@dataclass(frozen=True, slots=True)
class Following:
    """A place that follows the site, with the database that it alone uses."""

    follower: Follower
    db: Database
    dag: Dag

    @property
    def name(self) -> str:
        """For logs and summaries."""
        return self.follower.name

    @property
    def hangs(self) -> bool:
        """Whether it is still being asked something, though nobody waits any more."""
        return isinstance(self.follower, Copier) and self.follower.store.owes

    async def once(self, *, now: Callable[[], int]) -> str:
        """Bring it to the present site; return in words what came of it."""
        return await follow_once(self.follower, self.db, now=now)

    async def always(self, *, now: Callable[[], int]) -> None:
        """Keep it at the present site until cancelled."""
        await follow_always(self.follower, self.db, self.dag, now=now)


async def follow_all(
    stores: Sequence[Following],
    *,
    now: Callable[[], int],
    progress: Callable[[str], None] = lambda _: None,
    most_s: float | None = None,
) -> dict[str, str]:
    """Bring all to the present site, at once; return in words what came of each.

    One that takes longer than `most_s` is left where it is, and goes on from there next time.
    """
    progress(", ".join(each.name for each in stores))
    async with asyncio.TaskGroup() as group:
        tasks = {each.name: group.create_task(_once(each, now, most_s)) for each in stores}
    return {name: task.result() for name, task in tasks.items()}


async def _once(store: Following, now: Callable[[], int], most_s: float | None) -> str:
    try:
        async with asyncio.timeout(most_s):
            return await store.once(now=now)
    except TimeoutError:
        return f"failed: not done in {most_s:.0f} s: it goes on from there next time"


@contextmanager
def followers(
    path: Path,
    settings: Settings,
    *,
    now: Callable[[], int],
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Sequence[Following]]:
    """Open all places that the settings at `path` name, each with a database of its own.

    Raises:
        SettingsError: a file with a secret, or what a place is told, is not usable.
    """
    shown: dict[str, str] = {}

    def tell(name: str, words: str) -> None:
        shown[name] = words
        progress("; ".join(f"{each} {how}" for each, how in shown.items()))

    with ExitStack() as stack:
        opened: list[Following] = []
        for make in _makers(path.parent, settings, now, tell):
            db = build.database_beside(path, settings)
            stack.callback(db.close)
            dag = Dag(db, path.parent / settings.paths.site)
            opened.append(Following(make(dag, db), db, dag))
        yield opened


def _makers(
    folder: Path,
    settings: Settings,
    now: Callable[[], int],
    tell: Callable[[str, str], None],
) -> list[Callable[[Dag, Database], Follower]]:
    made: list[Callable[[Dag, Database], Follower]] = []
    if settings.ipfs.api:
        made.append(partial(_node, settings.ipfs, folder, now=now))
    for each in settings.stores:
        store, shown = store_of(each, folder), partial(tell, each.name)
        made.append(partial(Copier, store, now=now, progress=shown))
    return made


def store_of(
    settings: StoreSettings, folder: Path, *, warn: Callable[[str], None] = logger.warning
) -> Store:
    """Return the store that a section of the settings, whose file is in `folder`, names.

    `warn` is told what its operator should mend.

    Raises:
        SettingsError: its secret, or what it is told, is not usable.
    """
    secret = read_secret(folder / settings.secret, warn=warn) if settings.secret else {}
    room = (folder / "stores" / settings.name).absolute()  # rclone runs in it
    options = dict(settings.options)
    if settings.kind != "rclone" and "ca" in options:  # as all paths of the settings
        options["ca"] = str(folder / options["ca"])
    if settings.kind == "folder":
        return DirStore(folder / settings.to, name=settings.name, in_thread=in_own_thread)
    if settings.kind == "objects":
        return ObjectStore(settings.name, settings.to, secret=secret, options=options)
    kind = GitStore if settings.kind == "git" else RcloneStore
    return kind(settings.name, settings.to, room=room, secret=secret, options=options)


def read_secret(file: Path, *, warn: Callable[[str], None] = logger.warning) -> Mapping[str, str]:
    """Return the credentials in a file, a NAME=VALUE a line.

    Raises:
        SettingsError: not readable, or not of that form; the message repeats nothing of it.
    """
    lines = [line.strip() for line in _secret_text(file, warn).splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    if not pairs or not all(name.strip().isidentifier() and mark for name, mark, _ in pairs):
        raise SettingsError(f"{file}: lines of NAME=VALUE were expected")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _secret_text(file: Path, warn: Callable[[str], None] = logger.warning) -> str:
    try:
        with file.open("rb") as stream:
            mode, data = os.fstat(stream.fileno()).st_mode, stream.read(MAX_SECRET_BYTES + 1)
    except (OSError, ValueError) as e:
        words = e.strerror if isinstance(e, OSError) else "no path of a file"
        raise SettingsError(f"{file}: the secret is not readable: {words}") from e
    if mode & 0o077:
        warn(f"{file}: others on this machine may read this secret: chmod 600")
    if len(data) > MAX_SECRET_BYTES:
        raise SettingsError(f"{file}: over {MAX_SECRET_BYTES} bytes: no secret is so long")
    text = data.decode(errors="replace")  # an error would have the bytes, and a log show them
    if "\ufffd" in text:
        raise SettingsError(f"{file}: the secret is not text")
    return text


def _node(node: Ipfs, folder: Path, dag: Dag, db: Database, *, now: Callable[[], int]) -> IpfsStore:
    secret = _authorization(folder / node.secret) if node.secret else ""
    return IpfsStore(dag, db, api=node.api, gateway=node.gateway, secret=secret, now=now)


def _authorization(file: Path) -> str:
    """Return the header for a secret as Kubo's `API.Authorizations` has it."""
    kind, _, secret = _secret_text(file).strip().partition(":")
    if not secret.isascii():
        kind = ""
    if kind == "basic" and ":" in secret:
        return f"Basic {base64.b64encode(secret.encode()).decode()}"
    if kind == "bearer" and secret.isprintable() and secret:
        return f"Bearer {secret}"
    raise SettingsError(f"{file}: basic:USER:PASSWORD or bearer:TOKEN was expected")
