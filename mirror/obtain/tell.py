"""What came of a fetch, in words that a reader understands."""

from collections.abc import Iterator

from mirror.check.tell import CONFIRMED, MEANINGS, STATUS
from mirror.formats.encoding import encode_time
from mirror.obtain.report import IndexSeen, Obtained

_ENDINGS = {
    **MEANINGS,
    "missing": "no mirror that was asked has it",
    "incomplete": "a part of the article is nowhere to be had",
    "unreachable": "no mirror gave an answer",
    "withdrawn": "the newsroom has withdrawn it, and nothing of it is shown",
    "failed": "gave no usable answer",
    "silent": "was slower than others",
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
    for each in found.refused:
        what = f"{each.what}: " if each.what else ""
        yield f"refused: {each.mirror}: {what}{each.verdict}: {each.detail}"


def _article(found: Obtained) -> Iterator[str]:
    if found.title:
        yield f"“{found.title}”"
    yield f"article {found.id} of {found.origin}"
    if found.time is None or found.confirmed_by is None:
        return
    yield f"revision {found.rev}, signed {encode_time(found.time)}, leaf {found.leaf}"
    yield CONFIRMED[found.confirmed_by].format(k=found.cosigned, n=found.cosigners)
    yield _STATUS[found.status]
    yield f"from {found.mirror}"


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
