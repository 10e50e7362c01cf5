"""A verification's report in words that a journalist understands."""

from collections.abc import Iterator

from mirror.check.report import Outcome, Report
from mirror.formats.encoding import encode_time

MEANINGS = {
    "valid": "these are the newsroom's own bytes, and its public log has them",
    "missing": "not in this copy: half-copied, or taken away; ask another mirror",
    "incomplete": "a part of the article is not in this copy; ask another mirror",
    "malformed": "not in the form that it must have: damaged, or not made by this program",
    "bad-signature": "a signature does not fit the bytes: do not believe it",
    "unknown-key": "signed by somebody the root does not name: do not believe it",
    "wrong-article": "genuine, but another article than the one asked for",
    "tampered": "the bytes were changed after they were signed: do not believe them",
    "not-in-log": "the newsroom's public log does not have it: do not believe it",
    "revoked-log": "made after the log was closed, with keys that may be stolen: do not believe it",
    "fork": "two different histories were shown: keep both files, and tell the newsroom",
    "rollback": "something that was published before was taken back: keep the files as evidence",
    "expired-root": "the root is too old to believe a new index; get the next root.json",
    "too-new": "made by a newer version of this program: update it",
    "stale": "genuine, but old: a mirror that is out of date or that withholds what is new",
    "behind": "genuine, but older than what was seen before; ask another mirror",
}
CONFIRMED = {
    "quorum": "confirmed by {k} of {n} independent cosigners",
    "history": "confirmed by what was seen at an earlier visit",
    "signatures": "confirmed by the newsroom's signatures alone",
    "unconfirmed": "too few cosigners have confirmed it so far",
}
STATUS = {
    "current": "it is the newest revision in this copy's index",
    "superseded": "a newer revision exists: the newsroom has changed it since",
    "withdrawn": "the newsroom has withdrawn it since",
    "status-unknown": "whether it was changed or withdrawn since is not known here",
}
SHOWN = 20  # articles listed one by one; `--json` has all


def told(report: Report) -> Iterator[str]:
    """Yield the lines of a report: each problem, the total, and what was not shown."""
    yield f"{report.target}: log {report.origin}, root {report.root_version}"
    if report.size is not None and report.issued is not None:
        yield f"index of {encode_time(report.issued)}, {_age(report.age_s)}; {report.size} leaves"
    if len(report.articles) == 1:
        yield from _article(report, report.articles[0])
    elif len(report.articles) <= SHOWN:
        yield from (f"{each.verdict}: {_named(each)}" for each in report.articles)
    yield from _problems(report)
    yield ""
    yield _total(report)
    for verdict in sorted(report.totals):
        yield f"  {report.totals[verdict]:>6} {verdict}: {MEANINGS[verdict]}"
    if report.withdrawn:
        yield f"  {report.withdrawn:>6} of them withdrawn by the newsroom"
    yield ""
    yield "What this does not show:"
    for sentence in report.not_shown:
        yield f"  - {sentence}"


def _problems(report: Report) -> Iterator[str]:
    bad = [each for each in (*report.others, *report.articles) if each.verdict != "valid"]
    for each in bad[:SHOWN]:
        yield f"{each.subject}: {each.verdict}: {each.detail or MEANINGS[each.verdict]}"
    if len(bad) > SHOWN:
        yield f"… and {len(bad) - SHOWN} more; --json lists all"


def _total(report: Report) -> str:
    articles = len(report.articles)
    count = "1 article" if articles == 1 else f"{articles} articles"
    if report.revisions > articles:
        count += f", {report.revisions} revisions"
    if report.ok:
        confirmed = {each.confirmed_by for each in report.articles if each.confirmed_by}
        how = "; ".join(sorted(CONFIRMED[each] for each in confirmed))
        return f"VALID: {count}; {how.format(k=report.cosigned, n=report.cosigners)}"
    return f"NOT VALID: {count} looked at"


def _article(report: Report, outcome: Outcome) -> Iterator[str]:
    yield _named(outcome)
    if outcome.time is not None:
        signed = encode_time(outcome.time)
        yield f"revision {outcome.rev}, signed {signed}, leaf {outcome.leaf} of {report.origin}"
    if outcome.status:
        yield STATUS[outcome.status]


def _named(outcome: Outcome) -> str:
    return f"“{outcome.title}”, {outcome.subject}" if outcome.title else outcome.subject


def _age(age_s: int | None) -> str:
    if age_s is None:
        return "age unknown"
    hours, minutes = divmod(max(age_s, 0) // 60, 60)
    return f"{hours // 24} days old" if hours >= 48 else f"{hours} h {minutes} min old"
