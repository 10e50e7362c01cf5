"""The errors of the whole program: six leaves, by who must act.

::

    MirrorError
    ├── SettingsError    the operator: fix the file named in the message           exit 2
    ├── FetchError       nobody: the next cycle tries again
    │   └── ExcessError  (obtain) a mirror sent more than an answer may have
    ├── StoreError       nobody: the other stores go on; tried again
    ├── StateError       the operator: the daemon stops rather than sign a fork    exit 3
    │   └── InUseError   (database) another process has the database; nothing is wrong   exit 1
    ├── FormatError      the sender of the bytes (also a ValueError)
    └── VerifyError      the reader: do not believe this                           exit 1

A message is `subject: what: detail`, lower case, no full stop, so that it composes.
"""

from typing import Literal

Verdict = Literal[
    "malformed",
    "bad-signature",
    "unknown-key",
    "wrong-article",
    "tampered",
    "not-in-log",
    "revoked-log",
    "fork",
    "rollback",
    "expired-root",
    "too-new",
    "stale",
    "behind",
]
"""Why something is not believed; the words of the specification (formats/README.md, section 8)."""


class MirrorError(Exception):
    """Something failed that the program foresaw; `str()` of it is for people."""


class SettingsError(MirrorError):
    """The operator must fix the file that the message names."""


Failure = Literal["failed", "later", "challenge", "robots", "missing", "gone", "refused"]
"""What a source that gives nothing means: an accident; 429 or 503; an anti-bot page; robots.txt
says no; 404; 410; what is the same tomorrow: a rule of ours, or another status of 400 and more."""


class FetchError(MirrorError):
    """A source did not give what was asked; it is tried again later.

    `kind` says what that means, `retry_s` how many seconds the server asks to be left alone for.
    """

    def __init__(self, message: str, *, kind: Failure = "failed", retry_s: int = 0) -> None:
        super().__init__(message)
        self.kind: Failure = kind
        self.retry_s = retry_s


class StoreError(MirrorError):
    """A store did not keep or give bytes; other stores go on, this one is tried again."""


class StateError(MirrorError):
    """To go on could sign a fork; the daemon stops and the operator decides."""


class FormatError(MirrorError, ValueError):
    """Bytes are not in the form that their format demands."""


class VerifyError(MirrorError):
    """Something is not to be believed, and `verdict` is the reason in one word."""

    def __init__(self, verdict: Verdict, detail: str) -> None:
        super().__init__(f"{verdict}: {detail}")
        self.verdict: Verdict = verdict
        self.detail = detail
