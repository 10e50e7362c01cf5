"""What came of an attempt to obtain an article."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from mirror.obtain.race import Refused, Word
from mirror.verify import Confirmation
from mirror.verify.listing import Status

Ending = Word | Literal["valid", "incomplete", "withdrawn", "unreachable"]
"""What came of it; `unreachable`: no mirror gave anything; `withdrawn`: nothing is shown."""


@dataclass(frozen=True, slots=True)
class IndexSeen:
    """The newest index of all that was shown, and by which mirror."""

    mirror: str
    size: int
    issued: int
    """Unix seconds, by the newsroom's clock."""
    age_s: int | None
    """Since it was last known to be the newest; None where nobody says when."""
    stale: bool
    confirmed_by: Confirmation


@dataclass(frozen=True, slots=True)
class Obtained:
    """What was found of the article `id` (its 20 characters): all of it verified, or nothing.

    `files` are by their path in the site; nothing is in them that a root does not vouch for.
    """

    id: str
    origin: str
    root_version: int
    verdict: Ending = "missing"
    """`valid`; `incomplete` if a part is nowhere to be had; else why there is nothing."""
    detail: str = ""
    status: Status = "status-unknown"
    title: str = ""
    path: str = ""
    rev: int = 0
    leaf: int | None = None
    time: int | None = None
    """When this revision was signed (Unix seconds), by the newsroom's clock."""
    confirmed_by: Confirmation | None = None
    cosigned: int = 0
    """How many of `cosigners` have signed what vouches for it."""
    cosigners: int = 0
    mirror: str = ""
    """Who gave the page."""
    lacks: tuple[str, ...] = ()
    """Parts and pictures that were not to be had."""
    index: IndexSeen | None = None
    refused: tuple[Refused, ...] = ()
    took_s: float = 0.0
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        """Whether there is an article to read, whole and not withdrawn."""
        return self.verdict == "valid" and self.status != "withdrawn"

    def to_json(self) -> dict[str, Any]:
        """Return all but the bytes of the files, as `--json` prints it."""
        shown = asdict(self)
        return {"ok": self.ok, **shown, "files": sorted(self.files)}
