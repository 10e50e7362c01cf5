"""The verb of a reader: `fetch`."""

import argparse
import asyncio
import os
from pathlib import Path

from mirror.check import pinned
from mirror.cli.terminal import (
    DONE,
    FAILED,
    Verbs,
    add_allow_host,
    answer,
    now,
    number,
    proxy,
    say,
    verb,
)
from mirror.errors import SettingsError, VerifyError
from mirror.files import write_durably
from mirror.formats.paths import in_write_order
from mirror.obtain import TOTAL_S, Obtained, Wanted, Web, obtain
from mirror.obtain.tell import told

PROXY = "MIRROR_PROXY"
WHAT = """Get an article from whichever mirror has it, and save it with its proof. No mirror is
believed: only what the newsroom has signed is saved, and who showed something else is named."""
ENDS = "Exit code: 0 the whole article is saved; 1 it is not, or not all of it; 2 usage."


def add(verbs: Verbs) -> None:
    """Add the verb."""
    made = verb(verbs, "fetch", _fetch, "get an article from any mirror, verified")
    made.description = WHAT
    made.epilog = ENDS
    made.add_argument(
        "target",
        metavar="URL|ID",
        help="the article's address on the newsroom's own site or on any mirror, blocked or not, or"
        " the 20 characters of its id",
    )
    _add_trust(made)
    _add_mirrors(made)
    _add_saving(made)
    made.add_argument(
        "--within",
        type=number(1, 3600),
        default=TOTAL_S,
        metavar="S",
        help=f"give up after so many seconds in all; default: {TOTAL_S:.0f}",
    )
    add_allow_host(made, "a mirror on a private network or another port")


def _add_trust(made: argparse.ArgumentParser) -> None:
    trust = made.add_argument_group("whom to believe")
    trust.add_argument(
        "--root",
        type=Path,
        metavar="FILE",
        help="the newsroom's root.json, from somebody you trust: it says whose signatures count;"
        " needed once, with --remember",
    )
    trust.add_argument(
        "--remember",
        type=Path,
        metavar="FILE",
        help="keep there the root and what the log was, and beside it the mirrors: then an older or"
        " another log is noticed; nothing of what you read is kept",
    )


def _add_mirrors(made: argparse.ArgumentParser) -> None:
    mirrors = made.add_argument_group("whom to ask")
    mirrors.add_argument(
        "--via",
        nargs="+",
        action="extend",
        default=[],
        metavar="MIRROR",
        help="addresses of mirrors, or folders with a copy, to ask before those that the root and"
        " the newsroom's signed lists name; stands after the URL",
    )
    mirrors.add_argument("--only-via", action="store_true", help="ask no others than those")
    mirrors.add_argument(
        "--proxy",
        default=os.environ.get(PROXY, ""),
        type=proxy,
        metavar="URL",
        help="the proxy that everything goes through, such as socks5h://127.0.0.1:9050; .onion"
        f" needs one; one with a password stands better in ${PROXY}, where other users of the"
        " machine do not see it",
    )


def _add_saving(made: argparse.ArgumentParser) -> None:
    saving = made.add_argument_group("what to save")
    saving.add_argument(
        "--out",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="the folder in which it is saved, in folders of its own; default: this one",
    )
    saving.add_argument(
        "--even-withdrawn", action="store_true", help="save also what the newsroom has withdrawn"
    )


def _fetch(arguments: argparse.Namespace) -> int:
    wanted = Wanted(
        arguments.target,
        root=arguments.root,
        via=tuple(arguments.via),
        remember=arguments.remember,
        only_via=arguments.only_via,
        even_withdrawn=arguments.even_withdrawn,
    )
    if arguments.root:
        _check_root(arguments.root)
    web = Web(arguments.allow_host, arguments.proxy)
    found = asyncio.run(obtain(wanted, web=web, now=now, total_s=arguments.within))
    _save(found, arguments.out)
    if arguments.json:
        answer({**found.to_json(), "folder": str(arguments.out)})
    else:
        for line in told(found):
            say(line)
        say(f"saved as {arguments.out / found.path}" if found.path else "nothing was saved")
    wanted_so = arguments.even_withdrawn and found.verdict == "valid"
    return DONE if found.ok or wanted_so else FAILED


def _check_root(file: Path) -> None:
    """Return if a file is a root.json.

    Raises:
        SettingsError: it is none, or is not signed by those that it names.
    """
    try:
        pinned(file)
    except VerifyError as e:
        raise SettingsError(f"{file}: no root.json of a newsroom: {e}") from e


def _save(found: Obtained, out: Path) -> None:
    """Write what a page refers to before the page, and its proof after it."""
    for batch in in_write_order(found.files):
        for path in batch:
            file = out / path
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                write_durably(file, found.files[path])
            except OSError as e:
                raise SettingsError(f"{file}: not written: {e.strerror}") from e
