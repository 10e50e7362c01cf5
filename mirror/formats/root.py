"""The root: who may sign what, said by keys that are kept offline.

Format: TUF 1.0.34 `root.json` (https://theupdateframework.github.io/specification/), the whole
file in OLPC canonical JSON, with one more field in `signed`, `x-mirror`: formats README, section 7.
Only parsing and making are here; whether a root may follow another, `mirror.verify` decides.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mirror.errors import FormatError
from mirror.formats import ed25519, minisig, sshsig
from mirror.formats.checkpoint import check_origin
from mirror.formats.encoding import (
    HASH_SIZE,
    decode_base64,
    decode_hex,
    decode_json,
    decode_time,
    encode_base64,
    encode_time,
    fields,
    is_int,
)
from mirror.formats.note import COSIGNATURE, ED25519, Key

MAX_BYTES = 64 * 1024
SPEC_VERSION = "1.0.34"
ROLES = ("root", "snapshot", "targets", "timestamp")
MAX_ENTRIES = 64  # of any list in a root: signers, logs, cosigners, scripts, mirrors


@dataclass(frozen=True, slots=True)
class Role:
    """At least `threshold` of these public keys (32 bytes each, in order) must sign."""

    keys: tuple[bytes, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class Final:
    """A closed log ended with `size` leaves and this `root`."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Log:
    """The log `origin`, its three keys, and who must have cosigned it."""

    origin: str
    log: Key
    articles: Key
    clock: Key
    cosigners: tuple[Key, ...] = ()
    quorum: int = 0
    final: Final | None = None

    def __post_init__(self) -> None:
        check_origin(self.origin)
        named = (
            (self.log, self.origin, ED25519),
            (self.articles, f"{self.origin}/articles", ED25519),
            (self.clock, f"{self.origin}/clock", COSIGNATURE),
        )
        if any((key.name, key.type) != (name, type_) for key, name, type_ in named):
            raise FormatError(f"root: the keys of {self.origin} have other names or types")
        if any(key.type != COSIGNATURE for key in self.cosigners):
            raise FormatError("root: a cosigner's key is of another type")
        publics = [key.public for key in (self.clock, *self.cosigners)]
        if len(set(publics)) != len(publics):
            raise FormatError("root: a cosigner stands twice, or is the clock")
        if not 0 <= self.quorum <= len(self.cosigners):
            raise FormatError("root: the quorum is larger than the number of cosigners")

    def to_json(self) -> dict[str, Any]:
        """Return the object that stands for this log."""
        shown: dict[str, Any] = {
            "articles": str(self.articles),
            "clock": str(self.clock),
            "cosigners": [str(key) for key in self.cosigners],
            "log": str(self.log),
            "origin": self.origin,
            "quorum": self.quorum,
        }
        if self.final:
            shown["final"] = {"root": encode_base64(self.final.root), "size": self.final.size}
        return shown


@dataclass(frozen=True, slots=True)
class Root:
    """What the holders of the root keys say; `signatures` are by public key, not verified yet."""

    version: int
    expires: int
    roles: Mapping[str, Role]
    logs: tuple[Log, ...]
    minisign: bytes
    ssh: bytes
    max_age_s: int
    code: tuple[bytes, ...] = ()
    mirrors: tuple[str, ...] = ()
    signatures: tuple[tuple[str, bytes], ...] = ()

    @property
    def open(self) -> Log:
        """The one log that new articles go to."""
        return next(log for log in self.logs if log.final is None)

    @property
    def signed(self) -> bytes:
        """The bytes that the signatures are of."""
        return _canonical(self._signed())

    def __bytes__(self) -> bytes:
        signatures = [{"keyid": id_, "sig": sig.hex()} for id_, sig in self.signatures]
        return _canonical({"signatures": signatures, "signed": self._signed()})

    def _signed(self) -> dict[str, Any]:
        keys = {key for role in self.roles.values() for key in role.keys}
        return {
            "_type": "root",
            "consistent_snapshot": True,
            "expires": encode_time(self.expires),
            "keys": {key_id(key): _tuf_key(key) for key in keys},
            "roles": {
                name: {"keyids": [key_id(key) for key in role.keys], "threshold": role.threshold}
                for name, role in self.roles.items()
            },
            "spec_version": SPEC_VERSION,
            "version": self.version,
            "x-mirror": {
                "code": [each.hex() for each in self.code],
                "logs": [log.to_json() for log in self.logs],
                "max_age_s": self.max_age_s,
                "minisign": minisig.public_line(self.minisign),
                "mirrors": list(self.mirrors),
                "ssh": sshsig.public_line(self.ssh),
            },
        }

    @classmethod
    def parse(cls, data: bytes) -> "Root":
        """Read a `root.json`, without verifying its signatures.

        Raises:
            FormatError: too large, or not byte for byte what `bytes()` would write.
        """
        if len(data) > MAX_BYTES:
            raise FormatError(f"root: more than {MAX_BYTES} bytes")
        try:
            root = _build(decode_json(data))
        except (TypeError, AttributeError) as e:
            raise FormatError("root: a value of another type than its key demands") from e
        if bytes(root) != data:
            raise FormatError("root: not canonical JSON with exactly the fields of a root")
        return root


def key_id(public: bytes) -> str:
    """Return TUF's name of a key: the SHA-256 of its canonical JSON, in hexadecimal."""
    return hashlib.sha256(_canonical(_tuf_key(public))).hexdigest()


def sign(root: Root, seeds: list[bytes]) -> tuple[tuple[str, bytes], ...]:
    """Return the signatures of the holders of `seeds`, for `dataclasses.replace`."""
    signed = root.signed
    return tuple((key_id(ed25519.public_of(seed)), ed25519.sign(seed, signed)) for seed in seeds)


def policy(log: Log) -> bytes:
    """Return the log's keys and quorum as https://c2sp.org/tlog-policy, for other tools."""
    names = [f"cosigner-{i}" for i in range(1, len(log.cosigners) + 1)]
    lines = [f"log {log.log}"]
    lines += [f"witness {name} {key}" for name, key in zip(names, log.cosigners, strict=True)]
    if log.quorum:
        lines += [f"group cosigners {log.quorum} {' '.join(names)}", "quorum cosigners"]
    else:
        lines.append("quorum none")
    return "\n".join([*lines, ""]).encode()


def trust_files(trusted: Root) -> dict[str, bytes]:
    """Return the files of a site's `trust/` that belong to a root, by name."""
    origin = trusted.open.origin
    return {
        f"{trusted.version}.root.json": bytes(trusted),
        "policy": policy(trusted.open),
        "minisign.pub": minisig.public_file(trusted.minisign, origin=origin),
        "allowed_signers": sshsig.allowed_signers(trusted.ssh, origin=origin),
        "log.vkey": f"{trusted.open.log}\n".encode(),
    }


def _tuf_key(public: bytes) -> dict[str, Any]:
    return {"keytype": "ed25519", "keyval": {"public": public.hex()}, "scheme": "ed25519"}


def _build(value: object) -> Root:
    signatures, signed = fields(value, "signatures", "signed")
    kind, _, expires, keys, roles, _, version, extra = fields(
        signed,
        *("_type", "consistent_snapshot", "expires", "keys", "roles"),
        *("spec_version", "version", "x-mirror"),
    )
    code, logs, max_age_s, mini, mirrors, ssh = fields(
        extra, "code", "logs", "max_age_s", "minisign", "mirrors", "ssh"
    )
    if kind != "root" or not (is_int(version) and version and is_int(max_age_s)):
        raise FormatError("root: not a root with a version from 1")
    publics = {id_: _public(key) for id_, key in keys.items()}
    found = _roles(roles, publics), _logs(logs)
    _check_open(*found)
    return Root(
        version,
        decode_time(expires),
        *found,
        minisig.public_of(mini),
        sshsig.public_of(ssh),
        max_age_s,
        tuple(decode_hex(each, size=HASH_SIZE) for each in _list(code)),
        tuple(map(_text, _list(mirrors))),
        tuple(map(_signature, _list(signatures))),
    )


def _public(key: object) -> bytes:
    _, value, _ = fields(key, "keytype", "keyval", "scheme")
    return decode_hex(fields(value, "public")[0], size=ed25519.KEY_SIZE)


def _roles(value: object, publics: Mapping[str, bytes]) -> dict[str, Role]:
    found = {}
    for name, role in zip(ROLES, fields(value, *ROLES), strict=True):
        ids, threshold = fields(role, "keyids", "threshold")
        missing = [id_ for id_ in _list(ids) if id_ not in publics]
        if missing or len(set(ids)) != len(ids) or not is_int(threshold):
            raise FormatError(f"root: role {name}: a key is unknown or stands twice")
        if not 1 <= threshold <= len(ids):
            raise FormatError(f"root: role {name}: threshold {threshold} of {len(ids)} keys")
        found[name] = Role(tuple(publics[id_] for id_ in ids), threshold)
    return found


def _logs(value: object) -> tuple[Log, ...]:
    logs = tuple(map(_log, _list(value)))
    if sum(log.final is None for log in logs) != 1:
        raise FormatError("root: exactly one log must be open")
    if len({log.origin for log in logs}) != len(logs):
        raise FormatError("root: an origin stands twice")
    return logs


def _check_open(roles: Mapping[str, Role], logs: Sequence[Log]) -> None:
    """Section 7: the open log's keys are the keys of the TUF roles that carry them."""
    log = next(log for log in logs if log.final is None)
    for role, key in (("snapshot", log.log), ("targets", log.articles), ("timestamp", log.clock)):
        if roles[role].keys != (key.public,):
            raise FormatError(f"root: the key of role {role} is not the open log's")


def _log(value: object) -> Log:
    closed = isinstance(value, dict) and "final" in value
    names = ("articles", "clock", "cosigners", "final", "log", "origin", "quorum")
    shown = fields(value, *(name for name in names if closed or name != "final"))
    articles, clock, cosigners, *final, log, origin, quorum = shown
    if not is_int(quorum):
        raise FormatError("root: a quorum is a number")
    return Log(
        origin,
        Key.parse(log),
        Key.parse(articles),
        Key.parse(clock),
        tuple(map(Key.parse, _list(cosigners))),
        quorum,
        _final(final[0]) if final else None,
    )


def _final(value: object) -> Final:
    root, size = fields(value, "root", "size")
    if not is_int(size):
        raise FormatError("root: a size is a number")
    return Final(size, decode_base64(root, size=HASH_SIZE))


def _signature(value: object) -> tuple[str, bytes]:
    id_, sig = fields(value, "keyid", "sig")
    decode_hex(id_, size=HASH_SIZE)
    return id_, decode_hex(sig, size=ed25519.SIGNATURE_SIZE)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_ENTRIES:
        raise FormatError(f"root: a list of at most {MAX_ENTRIES} was expected")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise FormatError("root: a text was expected")
    return value


_ESCAPED = re.compile(r'["\\]')


def _canonical(value: object) -> bytes:
    """Return OLPC canonical JSON: keys sorted, no space, only quote and backslash escaped."""
    try:
        return _shown(value).encode()
    except UnicodeEncodeError as e:
        raise FormatError("root: text with a lone surrogate") from e


def _shown(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return '"' + _ESCAPED.sub(r"\\\g<0>", value) + '"'
        case list():
            return "[" + ",".join(map(_shown, value)) + "]"
        case dict():
            pairs = (f"{_shown(key)}:{_shown(value[key])}" for key in sorted(value))
            return "{" + ",".join(pairs) + "}"
        case _:
            raise TypeError(f"no canonical JSON for {type(value).__name__}")
