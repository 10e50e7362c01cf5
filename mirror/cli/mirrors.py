"""The verb `mirrors`: where readers find the site, whether they do, and what was seen of it.

Each word works beside a daemon, which looks at the mirrors by itself.
"""

import argparse
import asyncio
from collections.abc import Sequence
from typing import Any

from mirror import build
from mirror.build.mirrors import mirrors_named, unfit_stores, watch_of
from mirror.cli.terminal import DONE, FAILED, PARTLY, Verbs, answer, count, now, progress, say
from mirror.cli.waiting import Beside, add_beside
from mirror.errors import SettingsError
from mirror.formats.encoding import encode_time
from mirror.mirrors import Mirror, Mirrors, Probe
from mirror.mirrors.own import Own
from mirror.mirrors.states import WORDS
from mirror.mirrors.vantage import Vantage
from mirror.mirrors.watch import Round, keep_known, known, look
from mirror.settings import Settings
from mirror.signer import listing

MOST = 50  # lines of history: a screen or two

NONE = "no mirror: no `public` address of a store, and no [[mirrors]]"


def add(verbs: Verbs) -> None:
    """Add the verb, and its four words."""
    told = "show whether readers find the site, and what was seen of each mirror"
    made = verbs.add_parser("mirrors", help=told, description=told)
    words = made.add_subparsers(required=True, metavar="WORD")
    add_beside(words, "list", _list, "show the mirrors, and what is thought of each and why")
    check = add_beside(words, "check", _check, "look at mirrors now, from all vantage points")
    check.add_argument("urls", nargs="*", metavar="URL", help="these only")
    history = add_beside(words, "history", _history, "show what was seen, and what was done")
    history.add_argument("url", nargs="?", metavar="URL", help="of this mirror only")
    history.add_argument("--most", type=count, default=MOST, metavar="N", help="lines, the newest")
    shrink = add_beside(words, "shrink", _shrink, "let the signed list lose most mirrors, once")
    shrink.add_argument("--to", type=count, required=True, metavar="N", help="as few as these")


def _list(beside: Beside, arguments: argparse.Namespace) -> int:
    rows = _rows(beside, arguments)
    if arguments.json:
        answer({"mirrors": [_json(each) for each in rows]})
        return DONE
    if not rows:
        say(f"The settings name {NONE}.")
    unfit = unfit_stores(Settings.load(arguments.config), beside.db)
    for each in rows:
        announced = "announced" if each.announced is not None else "not announced"
        since = f" since {encode_time(each.since)}" if each.since else ""
        said = f": {each.reason}" if each.reason else ""
        say(f"{each.url}  {each.state}{since}, {each.role}, {announced}{said}")
        if each.url in unfit:
            say(f"  private, for it would do readers harm: `mirror store test {unfit[each.url]}`")
    return DONE


def _rows(beside: Beside, arguments: argparse.Namespace) -> list[Mirror]:
    """Return the mirrors of the settings as they are now; nothing is written."""
    named = mirrors_named(Settings.load(arguments.config), beside.db)
    return known(Mirrors(beside.db).rows(), named, now=now())


def _json(mirror: Mirror) -> dict[str, Any]:
    return {
        "url": mirror.url,
        "state": mirror.state,
        "since": encode_time(mirror.since) if mirror.since else None,
        "role": mirror.role,
        "announced": None if mirror.announced is None else encode_time(mirror.announced),
        "blocked_in": list(mirror.blocked_in),
        "reason": mirror.reason,
        "due": encode_time(mirror.due) if mirror.due else None,
    }


def _check(beside: Beside, arguments: argparse.Namespace) -> int:
    settings = Settings.load(arguments.config)
    rows = keep_known(beside.db, mirrors_named(settings, beside.db), now=now())
    if not rows and not arguments.urls:
        raise SettingsError(f"{arguments.config}: {NONE}")
    urls = [_known(each, rows).url for each in arguments.urls] or [each.url for each in rows]
    own = Own(beside.db, build.newest_root(beside.site / "trust"))
    watch = watch_of(arguments.config, settings, own)
    progress(", ".join(urls))
    try:
        found = asyncio.run(look(beside.db, watch, only=urls, now=now, sleep=_at_once))
    finally:
        progress("")
    rows = [each for each in Mirrors(beside.db).rows() if each.url in urls]
    if arguments.json:
        answer(_looked(rows, found))
    else:
        _show(rows, found, watch.places)
    works = sum(each.outcome == "ok" for each in found.probes)
    if works == len(found.probes) and works and not found.unheard:
        return DONE
    return PARTLY if works else FAILED


async def _at_once(_: float) -> None:
    """Wait for nothing: a person does."""


def _show(rows: Sequence[Mirror], found: Round, places: Sequence[Vantage]) -> None:
    shown = {each.name: each.shown for each in places}
    for row in rows:
        say(f"{row.url}  {row.state}" + (f": {row.reason}" if row.reason else ""))
        for each in found.probes:
            if each.url == row.url:
                say(f"  from {shown[each.vantage]}: {_seen(each)}")
    for name, reason in found.unheard.items():
        say(f"{shown[name]} was not heard: {reason}")


def _seen(probe: Probe) -> str:
    took = f"{probe.took_ms / 1000:.1f} s"
    if probe.outcome == "ok":
        return f"works, {took}"
    detail = probe.detail or WORDS[probe.outcome]
    return f"{detail}, {took} [{probe.outcome}]"


def _looked(rows: Sequence[Mirror], found: Round) -> dict[str, Any]:
    return {
        "mirrors": [
            {**_json(row), "looks": [_probe(e) for e in found.probes if e.url == row.url]}
            for row in rows
        ],
        "not_heard": found.unheard,
    }


def _probe(probe: Probe) -> dict[str, Any]:
    return {
        "vantage": probe.vantage,
        "at": encode_time(probe.at),
        "outcome": probe.outcome,
        "detail": probe.detail,
        "took_ms": probe.took_ms,
    }


def _history(beside: Beside, arguments: argparse.Namespace) -> int:
    mirrors, rows = Mirrors(beside.db), _rows(beside, arguments)
    urls = [_known(arguments.url, rows).url] if arguments.url else [each.url for each in rows]
    looks = [each for url in urls for each in mirrors.history(url)]
    changes = [each for each in mirrors.changes() if not arguments.url or each[2] in urls]
    if arguments.json:
        did = [
            {"at": encode_time(at), "did": what, "url": url, "reason": reason}
            for at, what, url, reason in changes[: arguments.most]
        ]
        newest = sorted(looks, key=lambda each: -each.at)[: arguments.most]
        answer({"looks": [{"url": e.url, **_probe(e)} for e in newest], "changes": did})
        return DONE
    lines = [(at, f"{url} {what}: {reason}") for at, what, url, reason in changes]
    lines += [(each.at, f"{each.url} from {each.vantage}: {_seen(each)}") for each in looks]
    for at, line in sorted(lines, key=lambda each: -each[0])[: arguments.most]:
        say(f"{encode_time(at)}  {line}")
    if not lines:
        say("Nothing was seen yet: `mirror mirrors check` looks now.")
    return DONE


def _shrink(beside: Beside, arguments: argparse.Namespace) -> int:
    with beside.db.transaction():
        listing.permit(beside.db, to=arguments.to, now=now())
    line = f"The next list may be of {arguments.to} mirrors or more; so permitted for a day."
    if arguments.json:
        answer({"did": "shrink", "to": arguments.to, "said": line})
    else:
        say(line)
    return DONE


def _known(url: str, rows: Sequence[Mirror]) -> Mirror:
    wanted = url if url.endswith("/") else f"{url}/"
    for each in rows:
        if each.url == wanted:
            return each
    raise SettingsError(f"{url!r:.200}: not a mirror of the settings: see `mirror mirrors list`")
