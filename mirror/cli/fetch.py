"""The verb of a reader: `fetch`."""

import argparse
import asyncio
import os
from pathlib import Path

from mirror.cli.terminal import DONE, FAILED, Verbs, add_allow_host, answer, now, number, say, verb
from mirror.errors import SettingsError
from mirror.fetch import Proxy
from mirror.files import write_durably
from mirror.formats.paths import in_write_order
from mirror.obtain import TOTAL_S, Obtained, Wanted, Web, obtain
from mirror.obtain.tell import told

PROXY = "MIRROR_PROXY"


def add(verbs: Verbs) -> None:
    """Add the verb."""
    made = verb(verbs, "fetch", _fetch, "get an article from any mirror, verified")
    made.add_argument(
        "target",
        metavar="URL|ID",
        help="the article's original address, its 20 characters, or its address on any mirror",
    )
    made.add_argument(
        "--root", type=Path, metavar="FILE", help="the root you trust; default: the remembered one"
    )
    made.add_argument(
        "--via",
        nargs="+",
        action="extend",
        default=[],
        metavar="MIRROR",
        help="mirrors, or folders, to ask before those of the signed lists (after the URL)",
    )
    made.add_argument("--only-via", action="store_true", help="ask no others than those")
    made.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="where it is saved; default: here"
    )
    made.add_argument(
        "--remember",
        type=Path,
        metavar="FILE",
        help="keep there what was believed of the log, and beside it the mirrors; no article",
    )
    made.add_argument(
        "--proxy",
        default=os.environ.get(PROXY, ""),
        type=_proxy,
        metavar="URL",
        help="what everything goes through, such as socks5h://127.0.0.1:9050; .onion needs it; "
        f"one with a password stands better in ${PROXY}, where other users of the machine do not "
        "see it",
    )
    made.add_argument(
        "--even-withdrawn", action="store_true", help="also what the newsroom has withdrawn"
    )
    made.add_argument(
        "--within",
        type=number(1, 3600),
        default=TOTAL_S,
        metavar="S",
        help=f"seconds, all in all ({TOTAL_S:.0f})",
    )
    add_allow_host(made, "a mirror on a private network or another port")


def _proxy(text: str) -> str:
    try:
        if text:
            Proxy.parse(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from e
    return text


def _fetch(arguments: argparse.Namespace) -> int:
    wanted = Wanted(
        arguments.target,
        root=arguments.root,
        via=tuple(arguments.via),
        remember=arguments.remember,
        only_via=arguments.only_via,
        even_withdrawn=arguments.even_withdrawn,
    )
    web = Web(arguments.allow_host, arguments.proxy)
    found = asyncio.run(obtain(wanted, web=web, now=now, total_s=arguments.within))
    _save(found, arguments.out)
    if arguments.json:
        answer({**found.to_json(), "folder": str(arguments.out)})
    else:
        for line in told(found):
            say(line)
        if found.path:
            say(f"saved as {arguments.out / found.path}")
    wanted_so = arguments.even_withdrawn and found.verdict == "valid"
    return DONE if found.ok or wanted_so else FAILED


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
