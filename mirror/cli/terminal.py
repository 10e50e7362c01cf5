"""What all verbs share: their exit codes, and how they speak."""

import argparse
import json
import math
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mirror.fetch import Proxy
from mirror.guard import host_and_port

DONE, FAILED, USAGE, FORK, PARTLY, INTERRUPTED = 0, 1, 2, 3, 4, 130
JOINERS = "\u200c\u200d"  # Persian and Hindi words are wrong without them
_ROOT = re.compile("baf[a-z2-7]{56}")
_STEERING = re.compile("[\x7f-\x9f]")
CLEAR_LINE = "\r\x1b[K"
CLEAR_SCREEN = "\x1b[H\x1b[2J"

MAX_DIGITS = 10  # of a number of things: more are a slip, and cost time to read

Verbs = Any  # argparse does not export the type


def verb(
    verbs: Verbs, name: str, run: Callable[..., int], words: str, *, json: bool = True
) -> argparse.ArgumentParser:
    """Add a verb that answers, in words or in JSON."""
    made: argparse.ArgumentParser = verbs.add_parser(name, help=words, description=words)
    if json:
        made.add_argument("--json", action="store_true", help="answer in JSON")
    made.set_defaults(run=run)
    return made


def add_allow_host(made: argparse.ArgumentParser, words: str) -> None:
    """Let a verb ask hosts that it would refuse."""
    made.add_argument(
        "--allow-host",
        action="append",
        default=[],
        type=_host,
        metavar="HOST:PORT",
        help=f"{words}; may be given several times",
    )


def _host(text: str) -> str:
    try:
        host_and_port(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from e
    return text


def proxy(text: str) -> str:
    """Check a command-line argument that is the address of a proxy, or empty for none."""
    try:
        if text:
            Proxy.parse(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from e
    return text


def number(least: float, most: float) -> Callable[[str], float]:
    """Return what reads an argument that is a number from `least` to `most`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"a number from {least:g} to {most:g} was expected")
        return value

    return read


def count(text: str) -> int:
    """Return an argument that is a number of things.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) < MAX_DIGITS):
        raise argparse.ArgumentTypeError("a whole number was expected")
    return int(text)


def add_config(made: argparse.ArgumentParser) -> None:
    """Let a verb be told which mirror it is about."""
    made.add_argument(
        "-c", "--config", type=Path, required=True, metavar="FILE", help="the mirror.toml"
    )


def say(line: str) -> None:
    """Print a line at once."""
    print(plain(line), flush=True)


def complain(line: str) -> None:
    """Print a line for a person beside the answer."""
    print(f"mirror: {plain(line)}", file=sys.stderr)


def clear() -> None:
    """Empty the screen, where a person looks at one."""
    if sys.stdout.isatty():
        sys.stdout.write(CLEAR_SCREEN)


def answer(value: object) -> None:
    """Print an answer for programs."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # JSON escapes what is below a space, and not the other characters that steer a terminal.
    print(_STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def came_of(name: str, word: object, *, whole: str = "as the site is") -> str:
    """Return what came of a round of the store `name`, for people.

    `whole`: what they are told in place of the root of the whole site, unless of an IPFS node,
    which is asked for it.
    """
    said = str(word)
    return whole if _ROOT.fullmatch(said) and not name.startswith("ipfs:") else said


def now() -> int:
    """Return the time, in Unix seconds."""
    return int(time.time())


def progress(what: str) -> None:
    """Show what is being done, in place of what was; nothing where no person looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{CLEAR_LINE}{plain(what)[:100]}")
        sys.stderr.flush()


def plain(text: str) -> str:
    """Return `text` without what would steer the terminal: feeds choose parts of it."""
    return "".join(c if c.isprintable() or c in JOINERS else "�" for c in text)
