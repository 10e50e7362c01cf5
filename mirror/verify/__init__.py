"""The verifier: from bytes and a root to a verdict, in the numbered steps of the specification.

Formats README, section 8: steps C, P and A are here, each cited where it is done. R, the roots, is
`roots`; I, the index, `listing`; U, the whole log at once, `audit`, all in this package. Whoever
calls reads the clock, asks mirrors and keeps what was verified. Everything raises `VerifyError`
and nothing else.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from mirror.errors import FormatError, VerifyError
from mirror.formats import checkpoint as checkpoint_format
from mirror.formats import record, tlog
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.index import Item, Ref
from mirror.formats.note import Key, Note, timestamp
from mirror.formats.paths import short_id
from mirror.formats.proof import Proof
from mirror.formats.record import Doc, Record, TooNewError
from mirror.formats.root import Log, Root

FUTURE_S = 5 * 60  # a clock may be this much ahead of the verifier's

Confirmation = Literal["quorum", "history", "signatures", "unconfirmed"]
"""Who vouches that others are shown the same log: cosigners; this verifier's own memory; nobody
but the newsroom, where the root asks for nobody else; nobody yet, where it does."""

_T = TypeVar("_T")
_B = TypeVar("_B", bytes, str)
_PART = re.compile(
    rb'<li><a href="([0-9]+)-([0-9]+)\.html">[^<]*</a> '
    rb'<small><bdi dir="ltr">SHA-256 ([0-9a-f]{64})</bdi></small></li>'
)
_AFTER_BODY = b"\n</div><nav"  # no body holds a nav: what follows the last one is the page's own


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest checkpoint that a verifier stored; at `time` (Unix seconds) it was current."""

    origin: str
    size: int
    root: bytes
    time: int


@dataclass(frozen=True, slots=True)
class Checked:
    """`checkpoint` is signed by `log`; `cosigned` of its cosigners signed too.

    `time` (Unix seconds) is when it was known to be the newest, 0 where no line says so.
    """

    checkpoint: Checkpoint
    log: Log
    cosigned: int
    time: int
    confirmed_by: Confirmation


@dataclass(frozen=True, slots=True)
class Trust:
    """What a verifier believes before it looks: a root, the time, and what it stored.

    The memos spare a second look at bytes verified before under the same belief: thousands
    of proofs share one checkpoint. They grow with what is verified.
    """

    root: Root
    now: int
    seen: Seen | None = None
    checkpoints: dict[bytes, Checked] = field(default_factory=dict, compare=False, repr=False)
    records: dict[tuple[str, bytes], Record] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def time(self) -> int:
        """The later of the device's clock and the newest verified time (C6)."""
        return max(self.now, self.seen.time) if self.seen else self.now


@dataclass(frozen=True, slots=True)
class Proven:
    """`record` is signed by the newsroom and is leaf `leaf` of the tree of `checked`."""

    record: Record
    leaf: int
    checked: Checked


@dataclass(frozen=True, slots=True)
class Believed:
    """The newsroom published the article `doc`, at leaf `leaf`; who has it, has its very bytes."""

    doc: Doc
    leaf: int
    checked: Checked


def checkpoint(data: bytes, trust: Trust) -> Checked:
    """Return the signed checkpoint in `data`, if it can stand beside the stored one.

    Not checked here: that a larger tree contains the stored one, which needs tiles (`index`).
    """
    checked = _checked(data, trust)
    check_stored(checked, trust.seen)
    return checked


def _checked(data: bytes, trust: Trust) -> Checked:
    if data not in trust.checkpoints:
        trust.checkpoints[data] = _check(data, trust)
    return trust.checkpoints[data]


def _check(data: bytes, trust: Trust) -> Checked:
    if len(data) > checkpoint_format.MAX_BYTES:
        raise VerifyError("malformed", f"checkpoint: more than {checkpoint_format.MAX_BYTES} bytes")
    note = parsed(Note.parse, data)  # C1
    point = parsed(Checkpoint.parse, note.text)  # C2
    log = next((log for log in trust.root.logs if log.origin == point.origin), None)
    if log is None:
        raise VerifyError("unknown-key", f"the root knows no log {point.origin}")
    stamps, final = _signers(note, log), log.final
    is_final = final is not None and (point.size, point.root) == (final.size, final.root)
    if log.log not in stamps and not is_final:  # C4
        raise VerifyError("unknown-key", f"checkpoint of {point.origin}: not signed by its log key")
    cosigned = sum(key in stamps for key in log.cosigners)  # C5: distinct, the root saw to that
    has_quorum = 0 < log.quorum <= cosigned
    if final and not is_final and not (has_quorum and point.size < final.size):  # C7
        # Whoever stole the log's key can sign any tree; the root's holders named the last one.
        raise VerifyError("revoked-log", f"{log.origin} was closed with {final.size} leaves")
    time = _time(stamps, log, trust.time + FUTURE_S)
    return Checked(point, log, cosigned, time, _confirmation(point, log, trust, has_quorum))


def _signers(note: Note, log: Log) -> dict[Key, list[int]]:
    """Return who of the log's keys signed, with the times that their lines name (C3)."""
    keys = {(key.name, key.id): key for key in (log.log, log.clock, *log.cosigners)}
    stamps: dict[Key, list[int]] = {}
    for line in note.signatures:
        key = keys.get((line.name, line.id))
        if key is None:
            continue  # another witness's, or a key not made yet: says nothing to this verifier
        if not key.accepts(note.text, line.blob):
            raise VerifyError("bad-signature", f"checkpoint of {log.origin}: {line.name}")
        stamps.setdefault(key, []).append(timestamp(line.blob))
    return stamps


def _time(stamps: dict[Key, list[int]], log: Log, latest: int) -> int:
    """Return when the checkpoint was the newest, as far as lines up to `latest` say (C6)."""
    keys = log.cosigners if log.quorum else (log.clock,)
    times = (max((t for t in stamps.get(key, ()) if t <= latest), default=0) for key in keys)
    return sorted(times, reverse=True)[max(log.quorum, 1) - 1]


def _confirmation(point: Checkpoint, log: Log, trust: Trust, has_quorum: bool) -> Confirmation:
    if has_quorum:
        return "quorum"
    seen = trust.seen
    if seen and (seen.origin, seen.size, seen.root) == (point.origin, point.size, point.root):
        return "history"
    return "unconfirmed" if log.quorum else "signatures"


def check_stored(checked: Checked, seen: Seen | None) -> None:
    """C8; sizes of two origins say nothing about each other."""
    new = checked.checkpoint
    if seen is None or seen.origin != new.origin or new.size > seen.size:
        return
    sizes = f"{new.size} leaves now, {seen.size} before"
    if new.size < seen.size:
        later = checked.time > seen.time
        raise VerifyError("rollback" if later else "behind", f"{new.origin}: {sizes}")
    if new.root != seen.root:
        raise VerifyError("fork", f"{new.origin}: two trees of {new.size} leaves")


def proof(data: bytes, trust: Trust) -> Proven:
    """Return what the proof file `data` proves.

    Not checked here: the stored checkpoint (C8). A proof is for ever, its tree may be old.
    """
    found = parsed(Proof.parse, data)  # P1
    checked = _checked(found.checkpoint, trust)
    leaf = tlog.leaf_hash(found.record)  # P2
    try:
        size = checked.checkpoint.size
        root = tlog.root_from_inclusion(leaf, found.leaf, size, found.hashes)
    except FormatError as e:
        raise VerifyError("not-in-log", str(e)) from e
    if root != checked.checkpoint.root:  # P3
        raise VerifyError("not-in-log", f"leaf {found.leaf} of {checked.checkpoint.origin}")
    # P4 holds: C7 lets no tree of a closed log be larger than `final`, P3 no leaf outside.
    return Proven(leaf_record(found.record, checked.log, trust), found.leaf, checked)


def leaf_record(leaf: bytes, log: Log, trust: Trust) -> Record:
    """Return the record that `leaf` of `log` is: strict, and signed by its article key (P5).

    Not checked here: that it is a leaf of that log.
    """
    key = log.origin, tlog.leaf_hash(leaf)
    if key not in trust.records:
        trust.records[key] = _open(leaf, log)
    return trust.records[key]


def _open(leaf: bytes, log: Log) -> Record:
    if len(leaf) > record.MAX_BYTES:
        raise VerifyError("malformed", f"record: more than {record.MAX_BYTES} bytes")
    note = parsed(Note.parse, leaf)
    if len(note.signatures) != 1:
        raise VerifyError("malformed", "record: not exactly one signature")
    [line] = note.signatures
    if (line.name, line.id) != (log.articles.name, log.articles.id):
        raise VerifyError("unknown-key", "record: not signed by the article key")
    if not log.articles.accepts(note.text, line.blob):
        raise VerifyError("bad-signature", "record: the article key's signature is not of it")
    return parsed(record.parse, note.text)


def article(
    page: bytes, proof_file: bytes, trust: Trust, *, wanted: bytes | str | None
) -> Believed:
    """Return what the newsroom says of `page`; `wanted` is as in `promised`.

    Not checked here: whether it is the newest revision, or was withdrawn (`listing.status`).
    """
    believed = promised(proof_file, trust, wanted=wanted)
    check_bytes(page, believed.doc)
    return believed


def promised(proof_file: bytes, trust: Trust, *, wanted: bytes | str | None) -> Believed:
    """Return the article that `proof_file` promises, before its bytes are fetched.

    `wanted` is all that the asker knows of it: its id (32 bytes, from the original's address),
    the 20 characters of a path, or None for a lone file whose name says nothing.

    Not checked here: the bytes (`check_bytes`), which are read up to one more than `length`.
    """
    proven = proof(proof_file, trust)  # A1
    doc = proven.record
    if not isinstance(doc, Doc) or doc.t != "doc":  # A2
        raise VerifyError("wrong-article", "the proof is not of an article")
    if wanted not in (None, doc.id, short_id(doc.id)):
        raise VerifyError("wrong-article", f"this is {short_id(doc.id)}, another was asked for")
    return Believed(doc, proven.leaf, proven.checked)


def check_bytes(data: bytes, said: Doc | Item | Ref) -> None:
    """Refuse `data` unless it has the length and the SHA-256 that were `said` (A3, I3, I6)."""
    if len(data) != said.length:
        raise VerifyError("tampered", f"{len(data)} bytes, not the {said.length} that were signed")
    if hashlib.sha256(data).digest() != said.sha256:
        raise VerifyError("tampered", "the SHA-256 is not the one that was signed")


def parts(page: bytes, rev: int) -> tuple[bytes, ...]:
    """Return the SHA-256 of parts 2, 3, … of revision `rev`, whose first part is `page`.

    They are in the list of links below the text; the first part is signed, and so is the list.
    """
    _, after, tail = page.rpartition(_AFTER_BODY)
    found = _PART.findall(tail) if after else []
    for number, (of, part, _) in enumerate(found, 2):
        if (of, part) != (b"%d" % rev, b"%d" % number):
            raise VerifyError("malformed", "article: its parts are not numbered from 2")
    return tuple(bytes.fromhex(sha256.decode()) for _, _, sha256 in found)


def check_part(data: bytes, sha256: bytes) -> None:
    """Refuse `data` unless it is the part that the first part named."""
    if hashlib.sha256(data).digest() != sha256:
        raise VerifyError("tampered", "the SHA-256 is not the one that the first part names")


def parsed(parse: Callable[[_B], _T], data: _B) -> _T:
    """Return what `parse` reads from `data`; what it refuses is `malformed` or `too-new`."""
    try:
        return parse(data)
    except TooNewError as e:
        raise VerifyError("too-new", str(e)) from e
    except FormatError as e:
        raise VerifyError("malformed", str(e)) from e
