"""What a verification found, and, in words for people, what it does not show."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mirror.errors import Verdict
from mirror.verify import Confirmation
from mirror.verify.listing import Status

Found = Verdict | Literal["valid", "missing", "incomplete"]
"""A verdict on something that was looked for. `missing` and `incomplete` (a part of a long article
is missing) say that a copy is not whole: they are no sign of an attack, and no proof either."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found at `subject`, a path of the site, a file or an address."""

    subject: str
    verdict: Found
    detail: str = ""
    confirmed_by: Confirmation | None = None
    status: Status | None = None
    title: str = ""
    rev: int = 0
    leaf: int | None = None
    time: int | None = None
    """When this revision was signed (Unix seconds), by the newsroom's clock."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that one verification of `target` found.

    `articles` has one outcome for each article in its newest revision, and for each older
    revision that is refused; `others` has one for the index, the log and each file beside.
    """

    target: str
    kind: Literal["file", "folder", "address"]
    origin: str
    root_version: int
    articles: tuple[Outcome, ...] = ()
    others: tuple[Outcome, ...] = ()
    revisions: int = 0
    size: int | None = None
    issued: int | None = None
    age_s: int | None = None
    cosigned: int = 0
    """How many of `cosigners` signed the checkpoint that the index was proved against."""
    cosigners: int = 0
    quorum: int = 0
    unvouched: int = 0
    not_shown: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether something was found, and nothing but what is valid."""
        found = self.articles + self.others
        return bool(found) and all(each.verdict == "valid" for each in found)

    @property
    def totals(self) -> Mapping[str, int]:
        """How many articles have each verdict."""
        return dict(Counter[str](each.verdict for each in self.articles))

    @property
    def withdrawn(self) -> int:
        """How many articles the newsroom withdrew."""
        return sum(each.status == "withdrawn" for each in self.articles)

    def to_json(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        shown = asdict(self)
        return {**shown, "ok": self.ok, "totals": self.totals, "withdrawn": self.withdrawn}


def not_shown(report: Report, *, remembered: bool, root: str) -> tuple[str, ...]:
    """Return what a reader of `report` could wrongly take from it, one sentence each."""
    said = [
        "It shows whose words these are, not whether they are true.",
        f"All of it rests on {root}: whoever gave you that file could have chosen the keys. "
        "Compare it with one that you got in another way.",
    ]
    if report.kind == "file":
        said.append(
            "A file alone does not say whether the article was corrected or withdrawn since: "
            "ask a mirror."
        )
    elif report.size is not None:
        said += _of_the_log(report, remembered=remembered)
    if report.kind != "file":
        said.append("Only this one copy was asked: a newer one may exist elsewhere.")
    if report.kind == "folder":
        said.append(
            "The compressed copies (.gz, .br) and the signatures for other tools (.minisig, .sig) "
            "in the folder were not opened."
        )
    if report.unvouched:
        said.append(
            f"{report.unvouched} other files in the folder (the front page, feeds and lists among "
            "them) are for people; nothing here vouches for them."
        )
    return tuple(said)


def _of_the_log(report: Report, *, remembered: bool) -> list[str]:
    said = []
    if not report.quorum:
        said.append(
            "Nobody but the newsroom signed this log, so nobody else saw to it that all readers "
            "are shown the same one."
        )
    elif report.cosigned < report.quorum:
        said.append(
            f"Only {report.cosigned} of the {report.quorum} cosigners that it needs have confirmed "
            "that all readers are shown the same log."
        )
    if not remembered:
        said.append(
            "This was a first visit: nothing from before was at hand to compare with. "
            "With `--remember FILE` the next visit sees whether something was taken back."
        )
    return said
