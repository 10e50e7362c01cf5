"""The repository itself, asked and written over HTTP, ssh or a path, with dulwich."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dulwich.client import GitClient, SSHGitClient
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository, SendPackError
from dulwich.objects import ObjectID
from dulwich.pack import UnpackedObject
from dulwich.refs import Ref

from mirror.errors import SettingsError, StoreError
from mirror.guard import is_loopback, is_onion
from mirror.stores.git import files, http, ssh
from mirror.stores.git.copy import Sending
from mirror.stores.words import forms, without

MAX_SAID = 300  # characters of what a host says to a push, which may be pages of advice
AGENT = {"User-Agent": "git/2.0 (mirror)"}  # hosts refuse a push by what does not begin so
# A host that speaks another protocol, or none: dulwich raises what its parsing meets.
_BROKEN = (GitProtocolError, ValueError, AssertionError, KeyError, EOFError)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a repository is, with what is needed to write to it."""

    to: str
    scheme: str
    host: str
    port: int | None
    path: str
    login: str
    ca: str
    secret: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, to: str, *, secret: Mapping[str, str], ca: str) -> "Address":
        """Read the address of a repository: `https://…`, `ssh://…`, `user@host:path`, `file://…`.

        Raises:
            SettingsError: it, or the secret for it, is not usable; the message has no secret.
        """
        whole = to if "://" in to else "ssh://{}/{}".format(*to.split(":", 1))
        try:
            url = urlsplit(whole)
            port = url.port
        except ValueError as e:
            raise SettingsError("to: not the address of a repository") from e
        if url.password is not None or (url.username is not None and url.scheme != "ssh"):
            raise SettingsError("to: a user or password belongs into its secret file")
        host = url.hostname or ""
        if url.scheme == "http" and secret and not (is_loopback(host) or is_onion(host)):
            raise SettingsError("to: over http anyone could read the password: https was expected")
        path = url.path if "://" in to else url.path[1:]
        login = url.username or ""
        return cls(to, url.scheme, host, port, path, login, ca, secret)


class Remote:
    """One branch of a repository."""

    def __init__(self, name: str, address: Address, branch: str) -> None:
        self._name = name
        self._address = address
        self._branch = branch
        self._ref = Ref(f"refs/heads/{branch}".encode())
        self._seen: ObjectID | None = None
        """What the branch had when it was last asked for, or written."""

    def head(self) -> ObjectID | None:
        """Return the commit that the branch has, hexadecimal, or None: there is no such branch.

        Raises:
            StoreError: no answer.
        """
        with self._client() as (client, path):
            # Version 2 of the protocol asks twice.
            self._seen = client.get_refs(path, protocol_version=0).refs.get(self._ref)
        return self._seen

    def push(self, sending: Sending, *, over: Callable[[bytes | None], bool]) -> bool:
        """Bring the branch to a commit, whatever it has; return False if `over` refuses that.

        `over` is asked with what the branch has at that moment.

        Raises:
            StoreError: not done, or perhaps done and the answer lost.
        """
        seen, self._seen = self._seen, None
        if seen and self._address.scheme.startswith("http"):
            with suppress(_OtherError, _RefusedError):  # it may have changed since: asked below
                self._push(sending, over, {self._ref: seen})
                return True
        try:
            self._push(sending, over, None)
        except _OtherError:
            return False
        except _RefusedError as e:
            raise self._failed(str(e)) from e
        return True

    def _push(
        self,
        sending: Sending,
        over: Callable[[bytes | None], bool],
        known: Mapping[Ref, ObjectID] | None,
    ) -> None:
        said: list[bytes] = []

        def update(refs: dict[Ref, ObjectID]) -> dict[Ref, ObjectID]:
            if not over(refs.get(self._ref)):
                raise _OtherError
            return {self._ref: sending.id}

        def pack(
            have: Set[ObjectID],
            want: Set[ObjectID],
            *,
            ofs_delta: bool = False,
            progress: Callable[[bytes], None] | None = None,
        ) -> tuple[int, Iterator[UnpackedObject]]:
            return sending.count(), sending.objects()

        with self._client(said) as (client, path):
            if isinstance(client, http.Client):
                client.known = known
            result = client.send_pack(path, update, pack, progress=said.append)
        if problem := (result.ref_status or {}).get(self._ref):
            raise self._refused(problem, said)
        self._seen = sending.id

    @contextmanager
    def _client(self, said: list[bytes] | None = None) -> Iterator[tuple[GitClient, bytes]]:
        try:
            with self._connected() as (client, path):
                yield client, path
        except (http.RefusedError, ssh.RefusedError) as e:
            raise self._failed(str(e)) from e
        except NotGitRepository as e:
            raise self._failed("no repository there") from e
        except SendPackError as e:
            raise self._refused(_text(e.args[0] if e.args else b""), said or []) from e
        except HangupException as e:
            raise self._failed(f"the connection was cut{_after(e.stderr_lines or [])}") from e
        except _BROKEN as e:
            raise self._failed(f"not a git host, or a broken one: {_text(str(e))}") from e
        except OSError as e:
            raise self._failed(e.strerror or type(e).__name__) from e

    @contextmanager
    def _connected(self) -> Iterator[tuple[GitClient, bytes]]:
        at, path = self._address, self._address.path.encode()
        if at.scheme == "file":
            yield files.Client(), path
            return
        if at.scheme == "ssh":
            with ssh.Vendor(at.secret) as vendor:
                user = at.login or at.secret.get("USER") or "git"
                yield SSHGitClient(at.host, at.port, user, vendor=vendor), path
            return
        user, token = at.secret.get("USER", "git"), at.secret.get("TOKEN", "")
        client, pool = http.client(at.to, user=user, token=token, ca=at.ca, headers=AGENT)
        try:
            yield client, path
        finally:
            pool.clear()

    def _refused(self, problem: str, said: list[bytes]) -> "_RefusedError":
        text = f"{_text(problem)}{_after(said)}"
        words = next((word for known, word in _PROBLEMS.items() if known in text), "")
        return _RefusedError(f"branch {self._branch}: refused: {words}{text}")

    def _failed(self, text: str) -> StoreError:
        secret = self._address.secret
        known = [v for k, v in secret.items() if k in ("TOKEN", "USER") and len(v) > 2]
        hidden = {each for v in known for each in forms(v, user=secret.get("USER", "git"))}
        return StoreError(f"{self._name}: {without(text, hidden)}")


_PROBLEMS = {
    "non-fast-forward": "it must allow forced pushes: ",
    "protected branch": "it must be taken from the protected branches: ",
    "GH006": "it must be taken from the protected branches: ",
    "quota": "the host has no room left for it: ",
    "exceeds": "too large for the host: ",
    "currently checked out": "the repository must be a bare one: ",
}


class _RefusedError(Exception):
    """The host has the push, and does not do it."""


class _OtherError(Exception):
    """The branch has something that is not to be replaced unseen."""


def _after(lines: Sequence[bytes]) -> str:
    text = _text(b" ".join(lines))
    return f": {text}" if text else ""


def _text(said: bytes | str) -> str:
    """Return what a host says as one short line that a terminal can show."""
    text = said.decode("ascii", "replace") if isinstance(said, bytes) else said
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line[: 4 * MAX_SAID]  # cut to its length once the secrets are out: half of one is one
