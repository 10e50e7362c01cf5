"""What came of a fetch, in words that a reader understands."""

from collections.abc import Iterator

from mirror.check.tell import CONFIRMED, MEANINGS, STATUS
from mirror.formats.encoding import encode_time
from mirror.obtain.race import LIES, NO_ANSWER, Refused, Word
from mirror.obtain.report import IndexSeen, Obtained

_ENDINGS = {
    **MEANINGS,
    "missing": "no mirror that was asked has it",
    "incomplete": "a part of the article is nowhere to be had",
    "malformed": "what mirrors showed is no file of the newsroom's: a block page, or damaged",
    "unreachable": "no mirror gave an answer",
    "withdrawn": "the newsroom has withdrawn it, and nothing of it is shown",
    "failed": "gave no usable answer",
    "silent": "was slower than others",
}
_OTHERS = (
    "others may have it: name a mirror with --via ADDRESS, or a carried copy with --via FOLDER"
)
_ELSEWHERE = {"unreachable", "incomplete", *LIES} - {"fork"}  # two histories: no mirror helps
_REFUSED: dict[Word, str] = {
    "missing": "does not have it",
    "failed": "no usable answer",
    "silent": "no answer yet",
    "behind": "out of date",
    "stale": "out of date",
}
_STATUS = {
    **STATUS,
    "current": "it is the newest revision in the newest index that was found",
    "superseded": "A NEWER REVISION EXISTS, and no mirror that was asked has it",
    "withdrawn": "THE NEWSROOM HAS WITHDRAWN IT since",
    "status-unknown": "STATUS UNKNOWN: whether it was changed or withdrawn since is not known",
}


def told(found: Obtained) -> Iterator[str]:
    """Yield the lines: what it is and who vouches for it, the index, who was refused and why."""
    yield f"{found.verdict.upper()}: {found.detail or _ENDINGS[found.verdict]}"
    yield from _article(found)
    yield _index(found.index)
    for path in found.lacks:
        yield f"not had: {path}"
    yield from map(_refused, found.refused)
    if found.verdict in _ELSEWHERE or (found.verdict == "missing" and found.title):
        yield _OTHERS


def _refused(each: Refused) -> str:
    """Return whose answer to what was not taken and why: a mirror that is dead is no liar."""
    lied = "not believed" if each.verdict in LIES else "not taken"
    what = f"{each.what}: " if each.what else ""
    detail = each.detail.removeprefix(each.mirror)
    word = "" if each.verdict in NO_ANSWER else f"{each.verdict}: "
    return f"{_REFUSED.get(each.verdict, lied)}: {each.mirror}: {what}{word}{detail}"


def _article(found: Obtained) -> Iterator[str]:
    if found.title:
        yield f"“{found.title}”"
    yield f"article {found.id} of {found.origin}"
    if found.time is None or found.confirmed_by is None:
        return
    yield f"revision {found.rev}, signed {encode_time(found.time)}, leaf {found.leaf} of the log"
    yield CONFIRMED[found.confirmed_by].format(k=found.cosigned, n=found.cosigners)
    yield _STATUS[found.status]
    yield f"the page came from {found.mirror}"


def _index(index: IndexSeen | None) -> str:
    if index is None:
        return "no index was to be had: nothing says what is new"
    if index.age_s is None:
        known = "nobody says when it was the newest"
    else:
        hours, minutes = divmod(index.age_s // 60, 60)
        span = f"{hours // 24} days" if hours >= 48 else f"{hours} h {minutes} min"
        known = f"known to be the newest {span} ago"
    old = "; STALE: newer articles and corrections may be withheld" if index.stale else ""
    return f"index of {encode_time(index.issued)}, {known}, from {index.mirror}{old}"
