"""The verb of whoever carries the site as an onion service: `onion`."""

import argparse
from pathlib import Path

from mirror.cli.front import put
from mirror.cli.terminal import DONE, Verbs, answer, complain, say, verb
from mirror.errors import SettingsError
from mirror.onion.control import add_onion
from mirror.onion.key import OnionKey, read_or_make
from mirror.onion.torrc import SERVICE, checked_target, torrc

_TO = "127.0.0.1:8080"


def add(verbs: Verbs) -> None:
    """Add the verb."""
    words = "make an onion service: its key, and what tor must be told"
    onion = verb(verbs, "onion", _run, words)
    onion.add_argument(
        "--tor-dir",
        type=Path,
        default=Path("onion"),
        metavar="DIR",
        help="Tor's folder, with the key (onion)",
    )
    onion.add_argument(
        "--to", default=_TO, metavar="HOST:PORT", help=f"the built-in server ({_TO})"
    )
    onion.add_argument("--out", type=Path, metavar="FILE", help="write the torrc there")
    onion.add_argument(
        "--control",
        metavar="ADDRESS",
        help="tell a tor that runs, by its control port or socket, in place of a torrc",
    )
    onion.add_argument("--cookie", type=Path, metavar="FILE", help="that tor's control_auth_cookie")


def _run(arguments: argparse.Namespace) -> int:
    if bool(arguments.control) != bool(arguments.cookie):
        raise SettingsError("control: both --control and --cookie were expected")
    if arguments.control and arguments.out:
        raise SettingsError("control: a tor that runs reads no torrc: leave --out away")
    folder = arguments.tor_dir.absolute()
    to = checked_target(arguments.to)
    if arguments.control:
        key = read_or_make(folder / SERVICE)
        return _tell(key, to, arguments)
    text = torrc(folder, to=to)
    key = read_or_make(folder / SERVICE)
    if arguments.json:
        answer({"address": key.address, "torrc": text})
    elif arguments.out:
        put(text, arguments.out)
        say(f"http://{key.address}/")
    else:
        put(text, None)
        complain(f"the service will be http://{key.address}/")
    return DONE


def _tell(key: OnionKey, to: str, arguments: argparse.Namespace) -> int:
    defended = add_onion(key, control=arguments.control, cookie=arguments.cookie, to=to)
    if arguments.json:
        answer({"address": key.address, "pow": defended})
        return DONE
    if not defended:
        complain("this tor is too old to defend a service by proof of work: 0.4.9 does")
    say(f"http://{key.address}/")
    return DONE
