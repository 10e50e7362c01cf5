"""The pages of a repository's branch, which many hosts serve.

A batch is one commit, so that readers see all of it or nothing. The branch is this store's alone:
what others put there is noticed, said and replaced at once by all that was sent before. Its history
is short (`copy.MAX_COMMITS`) and tells no names; its times are those of the log, in UTC.
"""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from dulwich.refs import check_ref_format

from mirror.errors import SettingsError, StoreError
from mirror.formats.paths import check_path, is_path
from mirror.stores.git import ssh
from mirror.stores.git.copy import Copy, Opened
from mirror.stores.git.remote import Address, Remote
from mirror.stores.patience import in_own_thread
from mirror.threads import in_thread

logger = logging.getLogger(__name__)

OPTIONS = frozenset({"branch", "folder", "domain", "ca"})
MAX_HELD = 8_000_000  # bytes of files in memory between two flushes
NO_JEKYLL = ".nojekyll"
"""Without it GitHub's builder rewrites pages and drops names that begin with `_`. It stands beside
the site: no path of a site begins with a dot."""


class GitStore:
    """A branch of a repository at `to`.

    Options: `branch` ("pages"); `folder` in it; `domain`, the own name under which the host serves
    it (GitHub's `CNAME`, Codeberg's `.domains`); `ca`, a file with the certificates to trust.
    The secret has, for https, TOKEN (a token or password) and where the host wants it USER; for
    ssh, KEY_FILE, the path of a private key without a passphrase, and HOST_KEY, the host's public
    key as `ssh-keyscan` shows it without the name. `room` is the store's own.
    """

    whole = True
    """A flush is a commit: its readers see all of it at once."""

    def __init__(
        self,
        name: str,
        to: str,
        *,
        room: Path,
        secret: Mapping[str, str],
        options: Mapping[str, str],
        now: Callable[[], float] = time.time,
    ) -> None:
        """Raise SettingsError if what it is told is not usable."""
        self.name = name
        self._branch = options.get("branch", "pages")
        folder = options.get("folder", "").strip("/")
        _check_options(name, self._branch, folder, options)
        try:
            address = Address.parse(to, secret=secret, ca=options.get("ca", ""))
            if address.scheme == "ssh":
                ssh.check(secret)
        except SettingsError as e:
            raise SettingsError(f"{name}: {e}") from e
        self._copy = Copy(name, room, folder=folder)
        self._remote = Remote(name, address, self._branch)
        self._beside = _beside(options.get("domain", ""))
        self._now = now
        self._put: dict[str, bytes | None] = {}
        self._size = 0

    async def put(self, path: str, data: bytes) -> None:
        """Keep `data` under `path` with the next `flush`."""
        if self._put.get(check_path(path), data) is None:
            await self._note()  # that it was removed: what is there now is not kept
        self._put[path] = data
        self._size += len(data)
        if self._size > MAX_HELD:
            await self._note()

    async def get(self, path: str) -> bytes | None:
        """Return what the branch has under `path`, or None: nothing, or not what was sent there."""
        return await in_own_thread(self._read, check_path(path))

    async def delete(self, path: str) -> None:
        """Remove `path` with the next `flush`."""
        self._put[check_path(path)] = None

    async def names(self, folder: str) -> list[str]:
        """Return the paths of all files right in `folder`."""
        return await in_thread(self._names, check_path(folder))

    async def flush(self) -> None:
        """Send everything put as one commit; nothing new is no request."""
        changes, self._put, self._size = self._put, {}, 0
        await in_own_thread(self._send, changes)

    async def reserve(self, size: int) -> None:
        """Return: no host tells beforehand what it has room for."""

    async def _note(self) -> None:
        changes, self._put, self._size = self._put, {}, 0
        await in_thread(self._stage, changes)

    def _read(self, path: str) -> bytes | None:
        with self._copy.alone() as copy:
            return copy.read(path) if self._is_ours(copy) else None

    def _names(self, folder: str) -> list[str]:
        with self._copy.alone() as copy:
            return [path for path in copy.names(folder) if is_path(path)]

    def _stage(self, changes: Mapping[str, bytes | None]) -> None:
        with self._copy.alone() as copy:
            copy.stage(changes)

    def _is_ours(self, copy: Opened) -> bool:
        """Return whether the branch has what was sent to it."""
        head, known = self._remote.head(), copy.known()
        if head is not None and head == known.base:
            return True
        if head is not None and head == known.pending:  # whose answer was lost
            copy.arrived(head)
            return True
        self._forsake(copy, head)
        return False

    def _forsake(self, copy: Opened, head: bytes | None) -> None:
        """Note that the branch is not as it was left."""
        if copy.known().base:
            what = "has what others put there: it is replaced" if head else "is gone"
            logger.warning("%s: branch %s %s", self.name, self._branch, what)
        if head:
            copy.replaced()
        else:
            copy.gone()

    def _send(self, changes: Mapping[str, bytes | None]) -> None:
        with self._copy.alone() as copy:
            copy.stage({**self._beside, **changes} if changes else changes)
            if not self._push(copy) and not self._push(copy):
                raise StoreError(f"{self.name}: branch {self._branch}: others change it meanwhile")

    def _push(self, copy: Opened) -> bool:
        """Return whether the branch has all that was put; if not, all of it is to be sent."""
        known, heads = copy.known(), list[bytes | None]()
        sending = copy.commit(now=int(self._now()))
        if sending is None:
            return True

        def over(head: bytes | None) -> bool:
            heads.append(head)
            expected = known.base, known.pending
            return known.base is None or (head is not None and head in expected)

        if not self._remote.push(sending, over=over):
            self._forsake(copy, heads[-1])
            if heads[-1] is None:  # whoever puts must know: this batch is not all there was
                raise StoreError(f"{self.name}: branch {self._branch}: gone")
            return False
        copy.arrived(sending.id)
        return True


def _check_options(name: str, branch: str, folder: str, options: Mapping[str, str]) -> None:
    if unknown := sorted(set(options) - OPTIONS):
        raise SettingsError(f"{name}: options: {unknown[0]} is none of a git store's")
    good = branch.isascii() and branch.isprintable()
    if not good or not check_ref_format(f"refs/heads/{branch}".encode()):  # type: ignore[arg-type]
        raise SettingsError(f"{name}: options: branch: not the name of a branch")
    if folder and not is_path(folder):
        raise SettingsError(f"{name}: options: folder: a path in the repository was expected")


def _beside(domain: str) -> Mapping[str, bytes]:
    """Return the files that tell hosts how to serve the branch."""
    name = f"{domain}\n".encode() if domain else b""
    return {NO_JEKYLL: b"", **({"CNAME": name, ".domains": name} if domain else {})}
