"""The verb `mirrors`: where readers find the site, whether they do, and what was seen of it.

Each word works beside a daemon, which looks at the mirrors by itself.
"""

import argparse
import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mirror import build
from mirror.build.mirrors import addresses, mirrors_named, trials_of, watch_of
from mirror.cli.store import show_findings
from mirror.cli.terminal import DONE, FAILED, PARTLY, Verbs, answer, count, now, progress, say
from mirror.cli.waiting import Beside, add_beside
from mirror.errors import SettingsError
from mirror.formats.encoding import encode_time
from mirror.mirrors import Mirror, Mirrors, Probe
from mirror.mirrors.own import Own
from mirror.mirrors.states import WORDS
from mirror.mirrors.vantage import Vantage
from mirror.mirrors.watch import Round, keep_known, known, look
from mirror.rotate.plan import LISTED
from mirror.settings import Settings
from mirror.signer import listing
from mirror.trial.rounds import try_due
from mirror.trial.verdicts import Tried, Verdict, verdicts

MOST = 50  # lines of history: a screen or two

NONE = "no mirror: no `public` address of a store, and no [[mirrors]]"


def add(verbs: Verbs) -> None:
    """Add the verb, and its four words."""
    told = "show whether readers find the site, and what was seen of each mirror"
    made = verbs.add_parser("mirrors", help=told, description=told)
    words = made.add_subparsers(required=True, metavar="WORD")
    add_beside(words, "list", _list, "show the mirrors, and what is thought of each and why")
    check = add_beside(
        words, "check", _check, "look at mirrors now, as programs and browsers would"
    )
    check.add_argument("urls", nargs="*", metavar="URL", help="these only")
    history = add_beside(words, "history", _history, "show what was seen, and what was done")
    history.add_argument("url", nargs="?", metavar="URL", help="of this mirror only")
    history.add_argument("--most", type=count, default=MOST, metavar="N", help="lines, the newest")
    shrink = add_beside(words, "shrink", _shrink, "let the signed list lose most mirrors, once")
    shrink.add_argument("--to", type=count, required=True, metavar="N", help="as few as these")


def _list(beside: Beside, arguments: argparse.Namespace) -> int:
    rows, known = _rows(beside, arguments), verdicts(beside.db)
    left = listing.left_out(beside.db, now=now())
    if arguments.json:
        answer({"mirrors": [_json(each, known) for each in rows], "left_out": left})
        return DONE
    if not rows:
        say(f"The settings name {NONE}.")
    roles = dict(addresses(Settings.load(arguments.config)))
    once_listed = {url for _, did, url, _ in Mirrors(beside.db).changes() if did in LISTED}
    for each in rows:
        announced = "announced" if each.announced is not None else "not announced"
        since = f" since {encode_time(each.since)}" if each.since else ""
        said = f": {each.reason}" if each.reason else ""
        say(f"{each.url}  {each.state}{since}, {each.role}, {announced}{said}")
        if each.role != roles[each.url]:
            why = "not announced" if each.announced is None else "would harm readers"
            say(f"  {why}: {_verdict(each, known).reason}")
        elif _is_next(each) and each.url not in once_listed:
            say(f"  not announced: {_who(beside)}")
        if each.url in left:
            say("  no reader is told of it: the signed list has no room")
    if left:
        say(listing.shortage(beside.db, now=now()))
    return DONE


def _is_next(mirror: Mirror) -> bool:
    """Return whether nothing more is waited for: it works, harms nobody and is no spare."""
    return mirror.role == "public" and mirror.state == "healthy" and mirror.announced is None


def _who(beside: Beside) -> str:
    if beside.running:
        return "the daemon announces it with its next look"
    return "no daemon runs: `mirror run` announces it with its first look"


def _verdict(mirror: Mirror, known: Mapping[str, Verdict]) -> Verdict:
    return known.get(mirror.url, Verdict(mirror.url))


def _rows(beside: Beside, arguments: argparse.Namespace) -> list[Mirror]:
    """Return the mirrors of the settings as they are now; nothing is written."""
    named = mirrors_named(Settings.load(arguments.config), beside.db)
    return known(Mirrors(beside.db).rows(), named, now=now())


def _json(mirror: Mirror, known: Mapping[str, Verdict]) -> dict[str, Any]:
    verdict = _verdict(mirror, known)
    return {
        "url": mirror.url,
        "state": mirror.state,
        "since": encode_time(mirror.since) if mirror.since else None,
        "role": mirror.role,
        "announced": None if mirror.announced is None else encode_time(mirror.announced),
        "blocked_in": list(mirror.blocked_in),
        "reason": mirror.reason,
        "due": encode_time(mirror.due) if mirror.due else None,
        "fit": verdict.fit,
        "faults": [asdict(each) for each in verdict.faults],
        "not_tried": verdict.problem,
    }


def _check(beside: Beside, arguments: argparse.Namespace) -> int:
    settings = Settings.load(arguments.config)
    rows = keep_known(beside.db, mirrors_named(settings, beside.db), now=now())
    if not rows and not arguments.urls:
        raise SettingsError(f"{arguments.config}: {NONE}")
    urls = [_known(each, rows).url for each in arguments.urls] or [each.url for each in rows]
    own = Own(beside.db, build.newest_root(beside.site / "trust"))
    progress(", ".join(urls))
    try:
        found, tried = asyncio.run(_looked(beside, arguments.config, settings, own, urls))
    finally:
        progress("")
    rows = keep_known(beside.db, mirrors_named(settings, beside.db), now=now())
    rows = [each for each in rows if each.url in urls]
    known = verdicts(beside.db)
    if arguments.json:
        answer(_seen_json(rows, found, known))
    else:
        _show(rows, found, tried, watch_of(arguments.config, settings, own).places)
    works = sum(each.outcome == "ok" for each in found.probes)
    fit = all(_verdict(each, known).fit for each in rows)
    if works == len(found.probes) and works and fit and not found.unheard:
        return DONE
    return PARTLY if works else FAILED


async def _looked(
    beside: Beside, config: Path, settings: Settings, own: Own, urls: Collection[str]
) -> tuple[Round, list[Tried]]:
    """Look at mirrors as a program of a reader's would, then as his browser would."""
    watch, trials = watch_of(config, settings, own), trials_of(config, settings, own)
    found = await look(beside.db, watch, only=urls, now=now, sleep=_at_once)
    named = dict(addresses(settings))
    return found, await try_due(beside.db, trials, named, only=urls, now=now)


async def _at_once(_: float) -> None:
    """Wait for nothing: a person does."""


def _show(
    rows: Sequence[Mirror], found: Round, tried: Sequence[Tried], places: Sequence[Vantage]
) -> None:
    shown = {each.name: each.shown for each in places}
    for row in rows:
        say(f"{row.url}  {row.state}" + (f": {row.reason}" if row.reason else ""))
        for each in found.probes:
            if each.url == row.url:
                say(f"  from {shown[each.vantage]}: {_seen(each)}")
        for trial in tried:
            if trial.url == row.url:
                _show_trial(trial)
    for name, reason in found.unheard.items():
        say(f"{shown[name]} was not heard: {reason}")


def _show_trial(trial: Tried) -> None:
    faults = [each for each in trial.findings if each.level != "good"]
    if trial.problem:
        say(f"  not tried as by a browser: {trial.problem}")
    elif not faults:
        say("  browsers are answered as they should be")
    show_findings(faults, before="  ")


def _seen(probe: Probe) -> str:
    took = f"{probe.took_ms / 1000:.1f} s"
    if probe.outcome == "ok":
        return f"works, {took}"
    detail = probe.detail or WORDS[probe.outcome]
    return f"{detail}, {took} [{probe.outcome}]"


def _seen_json(
    rows: Sequence[Mirror], found: Round, known: Mapping[str, Verdict]
) -> dict[str, Any]:
    return {
        "mirrors": [
            {**_json(row, known), "looks": [_probe(e) for e in found.probes if e.url == row.url]}
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
