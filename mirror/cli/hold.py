"""The verbs of an operator who decides: `hold`, `release`, `approve`, `reject`, `stop`.

Each is one transaction beside a daemon, which reads it before the next round that it signs.
"""

import argparse
from collections.abc import Callable, Sequence

from mirror.cli.terminal import FAILED, Verbs, complain, now
from mirror.cli.waiting import Beside, add_beside
from mirror.errors import SettingsError
from mirror.hold import Switches, Waiting

ID = "an id, its beginning, or an address; ID@WORDS: only if it is not edited since"


def add(verbs: Verbs) -> None:
    """Add the verbs."""
    hold = add_beside(
        verbs, "hold", _hold, "publish only what is approved; or hold some articles", make=True
    )
    release = add_beside(
        verbs, "release", _release, "end holding and stopping; or no longer hold some"
    )
    for made in (hold, release):
        made.add_argument("ids", nargs="*", metavar="ID", help=ID)
    approve = add_beside(
        verbs, "approve", _approve, "publish at the next cycle, whatever the delay"
    )
    reject = add_beside(verbs, "reject", _reject, "drop; propose it again only when it is edited")
    for made in (approve, reject):
        made.add_argument("ids", nargs="*", metavar="ID", help=ID)
        made.add_argument("--all", action="store_true", help="all that waits now")
    stop = add_beside(
        verbs, "stop", _stop, "publish nothing more, approved or not, until released", make=True
    )
    stop.add_argument("--reason", default="", metavar="TEXT", help="for those who look later")


def _no(line: str) -> int:
    complain(line)
    return FAILED


# Verdicts.


def _hold(beside: Beside, arguments: argparse.Namespace) -> int:
    with beside.db.transaction():
        some = beside.chosen(arguments.ids)
        late = beside.being_published(some)
        if not arguments.ids:
            beside.hold.switch_on("hold", now=now())
        elif not late:
            beside.hold.mark([each.n for each in some], held=True, approved=False)
    if late:
        return _no(_too_late(late))
    if some:
        line = f"Held {len(some)}: each waits until it is approved or released."
    else:
        count = len(beside.hold.waiting())
        line = f"Holding: from now on only what is approved is published; {count} waiting now."
    return beside.did(arguments, "hold", some, line)


def _release(beside: Beside, arguments: argparse.Namespace) -> int:
    with beside.db.transaction():
        before = beside.hold.switches()
        some = [each for each in beside.chosen(arguments.ids) if each.held]
        if arguments.ids:
            beside.hold.mark([each.n for each in some], held=False)
        else:
            beside.hold.switch_off()
    on = before.holding is not None or before.stopped is not None
    if arguments.ids and not some:
        return _no("none of these is held by name" + _still(before))
    if not arguments.ids and not on:
        return _no("nothing was held or stopped")
    if some:
        line = f"Released {len(some)}: due when the delay is over" + _still(before) + "."
    else:
        waiting = beside.hold.waiting()
        named = sum(each.held and not each.approved for each in waiting)
        line = f"Released: what waits ({len(waiting)}) goes out when its delay is over"
        line += f", but for {named} held by name." if named else f", {beside.soon}."
    return beside.did(arguments, "release", some, line)


def _approve(beside: Beside, arguments: argparse.Namespace) -> int:
    def approve(some: Sequence[Waiting]) -> str:
        beside.hold.mark([each.n for each in some], approved=True)
        stopped = beside.hold.switches().stopped is not None
        when = "after `mirror release`: all is stopped" if stopped else beside.soon
        return f"Approved {len(some)}: published {when}."

    return _judge(beside, arguments, "approve", approve)


def _reject(beside: Beside, arguments: argparse.Namespace) -> int:
    def reject(some: Sequence[Waiting]) -> str:
        beside.hold.reject(some, now=now())
        return f"Rejected {len(some)}: dropped, and proposed again only when edited."

    return _judge(beside, arguments, "reject", reject)


def _judge(
    beside: Beside,
    arguments: argparse.Namespace,
    name: str,
    judge: Callable[[Sequence[Waiting]], str],
) -> int:
    if bool(arguments.ids) == arguments.all:
        raise SettingsError(f"{name}: either ids or --all was expected")
    with beside.db.transaction():
        some = beside.hold.waiting() if arguments.all else beside.chosen(arguments.ids)
        late = beside.being_published(some)
        if arguments.all:
            some = [each for each in some if each.short not in late]
        line = judge(some) if some and (arguments.all or not late) else ""
    if not line:
        return _no(_too_late(late) if late else "nothing waits")
    return beside.did(arguments, name, some, line)


def _too_late(ids: Sequence[str]) -> str:
    return f"{', '.join(ids)}: being published just now: nothing was changed"


def _still(switches: Switches) -> str:
    if switches.stopped is not None:
        return ", but all is stopped until `mirror release`"
    return ", but all is held until approved" if switches.holding is not None else ""


def _stop(beside: Beside, arguments: argparse.Namespace) -> int:
    with beside.db.transaction():
        beside.hold.switch_on("stop", now=now(), reason=arguments.reason)
    line = "Stopped: nothing more is published until `mirror release`, approved or not"
    more = "; a round that is being signed now is finished." if beside.running else "."
    return beside.did(arguments, "stop", [], line + more)
