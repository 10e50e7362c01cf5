"""The verb `quarantine`: entries that no article could be made of, and what is to become of them.

Each word is one transaction beside a daemon, which reads it before its next look at the feed.
"""

import argparse
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from mirror.cli.terminal import DONE, FAILED, Verbs, answer, complain, now, plain, say
from mirror.cli.waiting import MIN_PREFIX, Beside, add_beside
from mirror.errors import SettingsError
from mirror.formats.encoding import encode_time
from mirror.quarantine import Quarantine, Trouble

SHORT = 8  # characters of an id: of 10,000 entries two share one in a hundred mirrors, and are told

WORDS = (
    "",
    "refused: no article could be made of it; killed: reading it took too much time or memory",
    "held: its page could not be had, and is asked for again by itself",
    "dropped: left out on your word",
    "`mirror quarantine retry ID` has one tried at the next look at its feed;",
    "`mirror quarantine drop ID` leaves it out until it is edited",
)


def add(verbs: Verbs) -> None:
    """Add the verb, and its three words."""
    told = "show entries that no article could be made of; try or drop some"
    made = verbs.add_parser("quarantine", help=told, description=told)
    words = made.add_subparsers(required=True, metavar="WORD")
    add_beside(words, "list", _list, "show which, since when and why")
    retry = add_beside(words, "retry", _retry, "try some once more, at the next look at their feed")
    drop = add_beside(words, "drop", _drop, "leave some out for good; tried only when edited")
    for each in (retry, drop):
        each.add_argument("ids", nargs="*", metavar="ID", help="an id, or its beginning")
        each.add_argument("--all", action="store_true", help="all that is shown as in trouble")


def id_of(trouble: Trouble) -> str:
    """Return what an entry is called here: hexadecimal digits, of which the first 8 are shown."""
    return hashlib.sha256(trouble.key.encode()).hexdigest()


def _list(beside: Beside, arguments: argparse.Namespace) -> int:
    troubles = Quarantine(beside.db).rows()
    if arguments.json:
        answer({"quarantine": [_json(each) for each in troubles]})
        return DONE
    dropped = sum(each.kind == "dropped" for each in troubles)
    more = f"; {dropped} dropped" if dropped else ""
    told = ": left out, while all else is published" if len(troubles) > dropped else ""
    say(f"{len(troubles) - dropped} in quarantine{more}{told}")
    if troubles:
        say(f"{'ID':{SHORT}}  {'SINCE':20}  {'TRIES':5}  {'NEXT TRY':20}  {'KIND':7}  ENTRY")
    for each in troubles:
        since, due = encode_time(each.since), _due(each)
        columns = f"{since}  {each.tries:5}  {due:20}  {each.kind:7}"
        say(f"{id_of(each)[:SHORT]}  {columns}  {each.name}".rstrip())
        say(f"{'':{SHORT}}  {_reason(each)}")
    for line in WORDS if troubles else ():
        say(line)
    return DONE


def _reason(trouble: Trouble) -> str:
    """Return the reason without the entry's name, which stands above it."""
    return trouble.reason.replace(f" {trouble.name}:", "", 1)


def _due(trouble: Trouble) -> str:
    if trouble.due is None:
        return "when edited" if trouble.kind == "dropped" else "on your word"
    return "at the next look" if trouble.due <= now() else encode_time(trouble.due)


def _json(trouble: Trouble) -> dict[str, Any]:
    return {
        "id": id_of(trouble)[:SHORT],
        "since": encode_time(trouble.since),
        "tries": trouble.tries,
        "due": None if trouble.due is None else encode_time(trouble.due),
        "kind": trouble.kind,
        "source": trouble.source,
        "name": trouble.name,
        "reason": trouble.reason,
    }


def _retry(beside: Beside, arguments: argparse.Namespace) -> int:
    def retry(quarantine: Quarantine, keys: Sequence[str]) -> str:
        quarantine.retry(keys, now=now())
        daemon = "" if beside.running else ", and no daemon runs now"
        return f"To be tried once more: {len(keys)}, at the next look at their feeds{daemon}."

    return _judge(beside, arguments, "retry", retry)


def _drop(beside: Beside, arguments: argparse.Namespace) -> int:
    def drop(quarantine: Quarantine, keys: Sequence[str]) -> str:
        quarantine.drop(keys)
        return f"Dropped {len(keys)}: left out, and tried again only when edited."

    return _judge(beside, arguments, "drop", drop)


def _judge(
    beside: Beside,
    arguments: argparse.Namespace,
    word: str,
    judge: Callable[[Quarantine, Sequence[str]], str],
) -> int:
    if bool(arguments.ids) == arguments.all:
        raise SettingsError(f"quarantine {word}: either ids or --all was expected")
    quarantine = Quarantine(beside.db)
    with beside.db.transaction():
        troubles = quarantine.rows()
        some = [each for each in troubles if each.kind != "dropped"]
        if arguments.ids:
            some = [_one(name, troubles) for name in arguments.ids]
        line = judge(quarantine, [each.key for each in some]) if some else ""
        left = quarantine.count()
    if not line:
        dropped = "; what was dropped is named by its id" if troubles else ""
        complain(f"nothing is in quarantine{dropped}")
        return FAILED
    if arguments.json:
        ids = [id_of(each)[:SHORT] for each in some]
        answer({"did": word, "ids": ids, "said": line, "quarantined": left})
    else:
        say(line)
    return DONE


def _one(name: str, troubles: Sequence[Trouble]) -> Trouble:
    found = [each for each in troubles if id_of(each).startswith(name.lower())]
    if len(name) < MIN_PREFIX or not found:
        known = "`mirror quarantine list` shows what there is"
        raise SettingsError(f"{plain(name)}: nothing is called so: {known}")
    if len(found) > 1:
        ids = ", ".join(id_of(each)[: len(name) + SHORT] for each in found[:5])
        raise SettingsError(f"{plain(name)}: several are called so: {ids}")
    return found[0]
