"""The list of mirrors in the index: what it is to be, and which loss is not signed unasked.

What is announced is in table `mirror`. What the newest index says is kept in table `status`, by the
transaction that appends it, and is what the next one is held against: lists that lost most of
their mirrors at once were published 253 times where nobody compared them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mirror.agenda import Agenda
from mirror.database import Database
from mirror.errors import StateError
from mirror.formats.encoding import encode_json
from mirror.formats.index import MAX_MIRRORS, Kind, Mirror
from mirror.mirrors import Mirror as State
from mirror.mirrors import Mirrors

MAX_LIST_BYTES = 24 * 1024  # of an index's 64 kB: thirty of the longest items need 26, the rest 7
MAX_NAMED = 3  # of the mirrors that have no room, in a line for the operator
STEADY_S = 24 * 3600
PERMIT_S = 24 * 3600  # a permission that lies about for longer would be for another loss
_SIGNED, _PERMIT = ".index", ".shrink"  # in table `status`; with a dot, as no store's name has


@dataclass(frozen=True, slots=True)
class Signed:
    """The newest index counts `count` articles and lists `mirrors`."""

    count: int = 0
    mirrors: tuple[Mirror, ...] = ()


def signed(db: Database) -> Signed:
    """Return what the newest index says; nothing, where no index ever listed a mirror."""
    _, value = Agenda(db).noted(_SIGNED) or (0, {})
    rows: Iterable[Any] = value.get("mirrors", ())
    listed = (Mirror(url, kind, since, tuple(countries)) for url, kind, since, countries in rows)
    return Signed(value.get("count", 0), tuple(listed))


def announced(db: Database, *, now: int) -> tuple[Mirror, ...]:
    """Return the list as the mirrors' states have it now, in the order of announcement.

    Where not all fit into an index, it is of those that are of the most use to readers.
    """
    before = {each.url: each.blocked_in for each in signed(db).mirrors}
    states = {each.url: each for each in Mirrors(db).announced()}
    mirrors = []
    for url, each in states.items():
        countries = _blocked_in(each, before.get(url, ()), now)
        mirrors.append(Mirror(url, kind_of(url), each.announced or 0, countries))
    room, fitting = MAX_LIST_BYTES, set[str]()
    for mirror in sorted(mirrors, key=lambda each: _uselessness(states[each.url])):
        size = len(encode_json(mirror.to_json())) + 1
        if size <= room and len(fitting) < MAX_MIRRORS:
            room -= size
            fitting.add(mirror.url)
    return tuple(each for each in mirrors if each.url in fitting)


def left_out(db: Database, *, now: int) -> list[str]:
    """Return the addresses that are announced and that the list has no room for, oldest first."""
    urls = [each.url for each in Mirrors(db).announced()]
    if {each.url for each in signed(db).mirrors}.issuperset(urls):  # as a rule, and soon known
        return []
    listed = {each.url for each in announced(db, now=now)}
    return [each for each in urls if each not in listed]


def shortage(db: Database, *, now: int) -> str:
    """Return of which mirrors readers are not told, for the operator; "" if the list has all."""
    left = left_out(db, now=now)
    if not left:
        return ""
    named, more = ", ".join(left[:MAX_NAMED]), len(left) - MAX_NAMED
    return (
        f"{len(left)} of {len(Mirrors(db).announced())} announced mirrors have no room in the"
        f" signed list, and no reader is told of {named}{f' and {more} more' if more > 0 else ''}:"
        " let the settings name fewer, or make some private"
    )


def _uselessness(each: State) -> tuple[bool, bool, int, str]:
    """Return what puts those first that stand, then the blocked, which work elsewhere, then others.

    Of equals, the latest announced is known to the fewest censors. Not asked is what readers are
    told for a day longer (`_blocked_in`): one that is cut off loses that, and would come and go.
    """
    fails = each.state in ("down", "lying")
    blocked = each.state == "blocked" or bool(each.blocked_in)
    return fails, blocked, -(each.announced or 0), each.url


def _blocked_in(each: State, before: tuple[str, ...], now: int) -> tuple[str, ...]:
    """Return where readers are told that it does not work; a country leaves after a good day.

    Some filters work by the hour, and each word taken back is a new index for everybody.
    """
    steady = each.state == "healthy" and each.since <= now - STEADY_S
    return each.blocked_in if steady else tuple(sorted({*each.blocked_in, *before}))


def kind_of(url: str) -> Kind:
    """Return how a reader reaches an address."""
    parts = urlsplit(url)
    if (parts.hostname or "").endswith(".onion"):
        return "onion"
    return "gateway" if parts.path.startswith(("/ipfs/", "/ipns/")) else "https"


def is_loss(before: int, after: int) -> bool:
    """Return whether `after` mirrors are less than half of those `before`."""
    return 2 * after < before


def next_list(db: Database, *, now: int) -> tuple[Mirror, ...]:
    """Return the list to sign: what is announced, or the last one where that is a loss.

    So no article waits for an operator who has to say that the loss is meant (`permit`).
    """
    before, after = signed(db).mirrors, announced(db, now=now)
    return before if _is_refused(db, before, after, now=now) else after


def refusal(db: Database, *, now: int) -> str:
    """Return why what is announced is not signed, for the operator; "" if nothing is in its way."""
    before, after = signed(db).mirrors, announced(db, now=now)
    if not _is_refused(db, before, after, now=now):
        return ""
    return (
        f"{len(after)} of {len(before)} mirrors would be left: the list stays as it was signed;"
        f" `mirror mirrors shrink --to {len(after)}` signs the shorter one"
    )


def _is_refused(
    db: Database, before: Sequence[Mirror], after: Sequence[Mirror], *, now: int
) -> bool:
    least = permitted(db, now=now)
    meant = least is not None and len(after) >= least
    # One that is announced and does not fit is not lost: no replacement would end that refusal.
    return is_loss(len(before), len(Mirrors(db).announced())) and not meant


def is_due(db: Database, *, now: int) -> bool:
    """Return whether the list to sign is another than the one that was signed last."""
    changed = next_list(db, now=now) != signed(db).mirrors
    return changed and db.row("SELECT 1 FROM article LIMIT 1") is not None


def permit(db: Database, *, to: int, now: int) -> None:
    """Let, inside a transaction, the next list be one of no less than `to` mirrors, for a day."""
    Agenda(db).note(_PERMIT, to, now=now)


def permitted(db: Database, *, now: int) -> int | None:
    """Return to how few mirrors the list may fall, if the operator said so lately."""
    at, least = Agenda(db).noted(_PERMIT) or (0, None)
    return least if abs(now - at) < PERMIT_S else None


def advance(db: Database, *, count: int, now: int) -> Sequence[Mirror]:
    """Return the list for an index that counts `count` articles; keep both, in its transaction.

    Raises:
        StateError: articles that the last index counted are missing from the database.
    """
    last = signed(db)
    if count < last.count:
        told = f"{count} articles, and the last index counts {last.count}"
        raise StateError(f"{db.path}: {told}: restore the newest copy")
    mirrors = next_list(db, now=now)
    if is_loss(len(last.mirrors), len(mirrors)):  # what was permitted was one loss
        db.execute("DELETE FROM status WHERE name=?", (_PERMIT,))
    rows = [(each.url, each.kind, each.since, each.blocked_in) for each in mirrors]
    Agenda(db).note(_SIGNED, {"count": count, "mirrors": rows}, now=now)
    return mirrors
