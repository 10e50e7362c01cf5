"""A place as rclone is told of it: by the environment of its process, which nobody else reads."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

from mirror.errors import SettingsError, StoreError
from mirror.stores.rclone import webdav
from mirror.stores.rclone.run import STALL_S, Answer, Limits, program, run
from mirror.stores.rclone.words import explain
from mirror.stores.words import forms, without

CONNECT_S = 15  # to a place that does not answer at all
PASSWORDS = frozenset(
    (
        "api_password",
        "client_certificate_password",
        "file_password",
        "folder_password",
        "key_file_pass",
        "library_key",
        "mailbox_password",
        "otp_secret_key",
        "pass",
        "password",
        "password2",
        "plex_password",
        "secret",
    )
)
"""The options that rclone wants obscured, as `rclone config providers` has them."""
PASSWORDS_OF = frozenset((("filen", "api_key"),))
"""Options that only one kind of place wants so."""
CREDENTIALS = frozenset(
    (
        "access_grant",
        "access_token",
        "api_key",
        "api_secret",
        "app_token",
        "application_credential_secret",
        "auth_token",
        "authorization",
        "bearer_token",
        "client_access_token",
        "client_refresh_token",
        "client_salted_key_pass",
        "client_secret",
        "config_credentials",
        "connection_string",
        "cookies",
        "key",
        "key_pem",
        "link_password",
        "master_key",
        "master_keys",
        "mnemonic",
        "passphrase",
        "permanent_token",
        "plex_token",
        "private_access_key",
        "private_key",
        "refresh_token",
        "resource_key",
        "sas_url",
        "secret_access_key",
        "service_account_credentials",
        "session_id",
        "session_token",
        "sse_customer_key",
        "sse_customer_key_base64",
        "token",
        "trust_token",
    )
)
"""The options besides that let in whoever has them. `rclone config providers` calls them sensitive,
and so it calls those that only say who or where, as `user`, `host` and `account`: not here."""
UNMARKED = frozenset(("api_token", "headers", "ibm_api_key", "sas_token", "web_token"))
"""Options that let in likewise, without that mark: `headers` is for cookies and tokens, and two are
what places call theirs and rclone has not, so that they would stand in the settings unused."""

_SECRET = PASSWORDS | CREDENTIALS | UNMARKED
_LEAST = 8  # characters of a part of a secret: shorter ones are words as "Bearer" and "https"

_REMOTE = re.compile(r"([A-Za-z0-9_]+):([^\0\n]*)", re.ASCII)
_OPTION = re.compile(r"[A-Za-z0-9_.]+", re.ASCII)
_USERINFO = re.compile(r"://[^/@]*:[^/@]*@")
_RSA = ("rsa-sha2-512", "rsa-sha2-256")
_FILES = ("config", "ca_cert")  # rclone is told of these, not its remote
_ALWAYS = {
    "LC_ALL": "C.UTF-8",
    "RCLONE_ASK_PASSWORD": "false",
    "RCLONE_BUFFER_SIZE": "0",  # the files are small, and on this machine's disk
    "RCLONE_CONTIMEOUT": f"{CONNECT_S}s",
    "RCLONE_LOW_LEVEL_RETRIES": "1",
    "RCLONE_RETRIES": "1",  # the store is tried again as a whole, later and later
    "RCLONE_S3_NO_CHECK_BUCKET": "true",  # made where `to` has a slip, and asked for each time
    "RCLONE_S3_NO_HEAD": "true",  # with its hash it is sent, which the place compares
    "RCLONE_SFTP_SET_MODTIME": "false",  # one more question for each file, for what nobody reads
    "RCLONE_SFTP_SHELL_TYPE": "none",  # looks for a shell that most places do not give
    "RCLONE_STATS_LOG_LEVEL": "NOTICE",
    "RCLONE_TIMEOUT": f"{STALL_S:.0f}s",
    "RCLONE_USE_JSON_LOG": "true",
    "RCLONE_WEBDAV_PACER_MIN_SLEEP": "0",  # four connections are few enough
}


class Remote:
    """One place; `root` is `REMOTE:PATH/`. Its files are looked for in `room`.

    `readable` is how a file is read there in one request; "" where there is no such way.
    """

    def __init__(
        self,
        name: str,
        to: str,
        *,
        room: Path,
        secret: Mapping[str, str],
        options: Mapping[str, str],
    ) -> None:
        match = _REMOTE.fullmatch(to)
        if match is None:
            raise SettingsError(f"{name}: to: a remote's name, a colon and a path were expected")
        remote, path = match.groups()
        # With the slash, rclone does not ask whether the folder is perhaps a file.
        self.root = f"{remote}:{path.rstrip('/')}/" if path.strip("/") else to
        self._name = name
        self._room = room
        self._program = program()
        self._prefix = f"RCLONE_CONFIG_{remote.upper()}_"
        user = secret.get("user") or options.get("user", "")
        self._secrets = _hidden(secret.values(), user=user)
        _check_values(name, secret=secret, options=options)
        _check_host(name, room, options)
        kind = options.get("type", "")
        self._plain = {
            key: value
            for key, value in secret.items()
            if key in PASSWORDS or (kind, key) in PASSWORDS_OF
        }
        told = {key: value for key, value in options.items() if key not in _FILES}
        told |= {key: value for key, value in secret.items() if key not in self._plain}
        self._environment = _ALWAYS | dict(self._files(options)) | self._options(told)
        self.readable = self._read_plainly(self.root, webdav.reading(options, secret))

    async def run(
        self,
        *words: str,
        told: str,
        limits: Limits,
    ) -> Answer:
        """Run rclone for this place; `told` is its input.

        Raises:
            StoreError: it cannot run, stands still, or gives more than it may.
        """
        await self._obscure()
        return await self._run(words, told, limits)

    def failed(self, what: str, answer: Answer) -> StoreError:
        """Return the error that says why a run, which was to do `what`, failed."""
        errors = answer.errors or (f"rclone ended with status {answer.status}",)
        reason = next((said for said in map(explain, errors) if said), "failed")
        return StoreError(f"{self._name}: {what}: {reason}: {without(errors[0], self._secrets)}")

    async def _run(self, words: tuple[str, ...], told: str, limits: Limits) -> Answer:
        try:
            return await run(
                self._program,
                words,
                told=told.encode(),
                environment=self._environment,
                room=self._room,
                limits=limits,
            )
        except StoreError as e:
            raise StoreError(f"{self._name}: {e}") from e

    async def _obscure(self) -> None:
        """Write the passwords as rclone wants them, which hides them from a glance only."""
        while self._plain:
            key, value = next(iter(self._plain.items()))
            answer = await self._run(("obscure", "-"), value, Limits())
            obscured = answer.output.decode("ascii", "replace").strip()
            if answer.status or not obscured:
                raise StoreError(f"{self._name}: {key}: no password that rclone takes")
            self._secrets |= set(forms(obscured))
            self._environment |= self._options({key: obscured})
            self._plain.pop(key, None)

    def _read_plainly(self, root: str, told: Mapping[str, str]) -> str:
        remote, _, path = root.partition(":")
        name = f"{remote}_read"
        prefix = f"RCLONE_CONFIG_{name.upper()}_"
        self._environment |= {prefix + key.upper(): value for key, value in told.items()}
        return f"{name}:{path}" if told else ""

    def _options(self, told: Mapping[str, str]) -> dict[str, str]:
        return {self._prefix + key.upper(): value for key, value in told.items()}

    def _files(self, options: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        # The operator's own file has other places and their passwords: none unless named.
        yield "RCLONE_CONFIG", str(self._room / options.get("config", "/dev/null"))
        yield "RCLONE_CACHE_DIR", str(self._room / "cache")
        # For every remote: also one of the configuration file, or one behind another.
        known_hosts = _known_hosts(self._room, options)
        yield "RCLONE_SFTP_KNOWN_HOSTS_FILE", str(known_hosts)
        yield "RCLONE_SFTP_HOST_KEY_ALGORITHMS", " ".join(_algorithms(known_hosts))
        if "ca_cert" in options:
            yield "RCLONE_CA_CERT", str(self._room / options["ca_cert"])


def _hidden(secrets: Iterable[str], *, user: str) -> set[str]:
    parts = (part for each in secrets for part in (each, *_parts(each)))
    return {form for part in parts for form in forms(part, user=user)}


def _parts(secret: str) -> Iterator[str]:
    """Yield what of a secret may be told alone: a text in its JSON, a value in its address."""
    try:
        values = list(_texts(json.loads(secret)))
    except (ValueError, RecursionError):
        values = [each.partition("=")[2] or each for each in re.split("[?&;,]", secret)]
        values += [unquote(each) for each in values]
    found = (each for each in values if len(each) >= _LEAST)
    return (each for each in found if not each.startswith(("http://", "https://")))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _known_hosts(room: Path, options: Mapping[str, str]) -> Path:
    return room / options.get("known_hosts_file", "known_hosts")


def _algorithms(known_hosts: Path) -> Iterator[str]:
    """Yield the kinds of key to ask the host for: of another kind, its key would look changed."""
    try:
        lines = known_hosts.read_text("ascii", "replace").splitlines()
    except OSError:
        return
    fields = (line.split() for line in lines if not line.startswith(("#", "@")))
    kinds = sorted({field[1] for field in fields if len(field) > 2})
    for kind in kinds:
        yield from _RSA if kind == "ssh-rsa" else (kind,)


def _check_values(name: str, *, secret: Mapping[str, str], options: Mapping[str, str]) -> None:
    if "type" not in options and "config" not in options:
        raise SettingsError(f"{name}: options: `type` was expected, such as sftp, webdav or ftp")
    for key, value in (*options.items(), *secret.items()):
        if not _OPTION.fullmatch(key):
            raise SettingsError(f"{name}: options: not the name of an option: {key!r:.40}")
        if "\0" in value:
            raise SettingsError(f"{name}: {key}: holds a byte that no setting can hold")
    for key, value in options.items():
        # In either case of letters: rclone is told of all by the environment, in capitals.
        if key.lower() in _SECRET or _USERINFO.search(value):
            raise SettingsError(f"{name}: options: {key}: a password belongs in the secret's file")


def _check_host(name: str, room: Path, options: Mapping[str, str]) -> None:
    file = _known_hosts(room, options)
    if options.get("type") == "sftp" and not file.is_file():
        where = f"-p {options.get('port', '22')} {options.get('host', 'HOST')}"
        raise SettingsError(
            f"{name}: {file}: the host's key was expected: get it with `ssh-keyscan {where}`, and"
            f" compare what `ssh-keygen -lf` says of it with what the place's owner says"
        )
