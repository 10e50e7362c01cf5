"""From what the settings say of an object store to the library's client for it.

Everything is said by the settings: what other programs' environment variables, or the cloud that
this machine may stand in, would add is not asked.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from mirror.errors import SettingsError
from mirror.formats.paths import is_path

if TYPE_CHECKING:  # they are no classes, and not there when the program runs
    from obstore.store import (
        AzureConfig,
        ClientConfig,
        GCSConfig,
        RetryConfig,
        S3Config,
        S3Credential,
    )

Client: TypeAlias = AzureStore | GCSStore | S3Store

REQUEST_S = 60.0  # a file of 1 MiB over 150 kbit/s; one that trickles is an error, not a wait
CONNECT_S = 10.0
RETRIES = 3
RETRY_S = 30.0  # all tries of a request together: who follows the site tries again by itself
MAX_WAIT_S = 5.0  # between two tries
MAX_CA_BYTES = 1 << 20  # some certificates; a larger file is another file

_BUCKET = re.compile(r"\$web|[A-Za-z0-9][A-Za-z0-9._-]{2,221}", re.ASCII)  # Azure's site: $web
_SWITCH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Family:
    """Which options and secrets a kind of place takes; of `needs` one set must be there."""

    options: tuple[str, ...]
    needs: tuple[tuple[str, ...], ...]
    may: tuple[str, ...] = ()


_SHARED = ("endpoint", "allow_http", "ca", "encoding")
FAMILIES = {
    "s3": Family(
        (*_SHARED, "region", "virtual_hosted_style"),
        (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),),
        ("AWS_SESSION_TOKEN",),
    ),
    "gs": Family(_SHARED, (("GOOGLE_SERVICE_ACCOUNT_KEY",),)),
    "az": Family(
        _SHARED,
        (
            ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_SAS_TOKEN"),
        ),
    ),
}


def open_bucket(
    name: str, to: str, *, secret: Mapping[str, str], options: Mapping[str, str]
) -> Client:
    """Return a client for `s3://BUCKET/FOLDER`, or `gs://…`, or `az://…`; nothing is asked yet.

    Raises:
        SettingsError: an option or a secret is unknown, missing or of no meaning; the message
            names what is known, and never a secret's value.
    """
    scheme, _, rest = to.partition("://")
    bucket, _, folder = rest.partition("/")
    folder = folder.strip("/")
    family = FAMILIES.get(scheme)
    if family is None or not _BUCKET.fullmatch(bucket) or not (is_path(folder) or not folder):
        known = ", ".join(f"{each}://BUCKET/FOLDER" for each in FAMILIES)
        raise SettingsError(f"{name}: to: one of {known} was expected, not {to!r:.100}")
    _check_names(name, family, secret, options)
    asked = _Asked(bucket, folder or None, secret, options, _client(name, options), _retry())
    try:
        if scheme == "s3":
            return _s3(asked)
        return _gs(asked) if scheme == "gs" else _az(asked)
    except (BaseError, ValueError):
        # Not chained: what the library says of a key that it cannot read repeats it.
        raise SettingsError(f"{name}: the options or the secret are not usable together") from None


def _check_names(
    name: str, family: Family, secret: Mapping[str, str], options: Mapping[str, str]
) -> None:
    for each in sorted(options.keys() - set(family.options)):
        known = ", ".join(sorted(family.options))
        raise SettingsError(f"{name}: options.{each}: no such option: expected one of {known}")
    for each in ("allow_http", "virtual_hosted_style"):
        if options.get(each, "true") not in _SWITCH:
            raise SettingsError(f"{name}: options.{each}: true or false was expected")
    if options.get("encoding", "gzip") not in ("gzip", "plain"):
        raise SettingsError(f"{name}: options.encoding: gzip or plain was expected")
    sets = " or ".join(" and ".join(each) for each in family.needs)
    if not any(all(secret.get(each) for each in needed) for needed in family.needs):
        raise SettingsError(f"{name}: secret: {sets} were expected, a NAME=VALUE a line")
    known_names = {each for needed in family.needs for each in needed} | set(family.may)
    if secret.keys() - known_names:
        raise SettingsError(f"{name}: secret: nothing but {', '.join(sorted(known_names))} is read")
    _check_endpoint(name, options)


def _check_endpoint(name: str, options: Mapping[str, str]) -> None:
    endpoint = options.get("endpoint")
    if endpoint is None:
        return
    try:
        url = urlsplit(endpoint)
        good = url.scheme in ("http", "https") and url.hostname and url.port != 0
        good = good and not (url.query or url.fragment or "@" in url.netloc)
    except ValueError:
        good = False
    if not good:
        raise SettingsError(f"{name}: options.endpoint: https://HOST was expected")
    if endpoint.startswith("http:") and not _is_on(options, "allow_http"):
        said = "over http all on the way read and alter what is sent: allow_http permits it"
        raise SettingsError(f"{name}: options.endpoint: {said}")


def _is_on(options: Mapping[str, str], switch: str) -> bool:
    return _SWITCH[options.get(switch, "false")]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a client is made of."""

    bucket: str
    folder: str | None
    secret: Mapping[str, str]
    options: Mapping[str, str]
    client: "ClientConfig"
    retry: "RetryConfig"


def _client(name: str, options: Mapping[str, str]) -> "ClientConfig":
    made: ClientConfig = {
        "allow_http": _is_on(options, "allow_http"),
        "timeout": timedelta(seconds=REQUEST_S),
        "connect_timeout": timedelta(seconds=CONNECT_S),
    }
    if "ca" in options:
        made["root_certificate"] = _read_ca(name, Path(options["ca"]))
    return made


def _retry() -> "RetryConfig":
    return {
        "max_retries": RETRIES,
        "retry_timeout": timedelta(seconds=RETRY_S),
        "backoff": {"max_backoff": timedelta(seconds=MAX_WAIT_S)},
    }


def _read_ca(name: str, file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_CA_BYTES + 1)
    except OSError as e:
        raise SettingsError(f"{name}: options.ca: {file}: not readable: {e.strerror}") from e
    if b"BEGIN CERTIFICATE" not in data or len(data) > MAX_CA_BYTES:
        raise SettingsError(f"{name}: options.ca: {file}: no certificates in PEM")
    return data


def _s3(asked: _Asked) -> S3Store:
    region = asked.options.get("region", "us-east-1")
    hosted = _is_on(asked.options, "virtual_hosted_style")
    host = f"{asked.bucket}.s3.{region}" if hosted else f"s3.{region}"
    credential: S3Credential = {
        "access_key_id": asked.secret["AWS_ACCESS_KEY_ID"],
        "secret_access_key": asked.secret["AWS_SECRET_ACCESS_KEY"],
        "token": asked.secret.get("AWS_SESSION_TOKEN"),
        "expires_at": None,
    }
    config: S3Config = {
        # By the name that counts first: a variable of the environment could say another.
        "aws_endpoint_url_s3": asked.options.get("endpoint", f"https://{host}.amazonaws.com"),
        "region": region,
        "virtual_hosted_style_request": hosted,
        "skip_signature": False,
        # Not all places that are called compatible know it; what goes is a few files a round.
        "disable_bulk_delete": True,
    }
    return S3Store(
        asked.bucket,
        prefix=asked.folder,
        config=config,
        client_options=asked.client,
        retry_config=asked.retry,
        credential_provider=lambda: credential,
    )


def _gs(asked: _Asked) -> GCSStore:
    config: GCSConfig = {
        "service_account_key": asked.secret["GOOGLE_SERVICE_ACCOUNT_KEY"],
        "skip_signature": False,
    }
    if "endpoint" in asked.options:
        config["base_url"] = asked.options["endpoint"]
    return GCSStore(
        asked.bucket,
        prefix=asked.folder,
        config=config,
        client_options=asked.client,
        retry_config=asked.retry,
    )


def _az(asked: _Asked) -> AzureStore:
    config: AzureConfig = {
        "account_name": asked.secret["AZURE_STORAGE_ACCOUNT_NAME"],
        "skip_signature": False,
    }
    if "AZURE_STORAGE_ACCOUNT_KEY" in asked.secret:
        config["account_key"] = asked.secret["AZURE_STORAGE_ACCOUNT_KEY"]
    if "AZURE_STORAGE_SAS_TOKEN" in asked.secret:
        config["sas_key"] = asked.secret["AZURE_STORAGE_SAS_TOKEN"]
    if "endpoint" in asked.options:
        config["endpoint"] = asked.options["endpoint"]
    return AzureStore(
        asked.bucket,
        prefix=asked.folder,
        config=config,
        client_options=asked.client,
        retry_config=asked.retry,
    )
