"""The command `mirror`: its verbs, the only place that prints or exits.

Exit codes: 0 done · 1 refused or failed · 2 settings or usage · 3 stopped rather than sign a
fork · 4 done in part · 130 interrupted.
"""

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence
from importlib import metadata

from mirror.cli import (
    check,
    fetch,
    front,
    hold,
    make,
    mirrors,
    onion,
    quarantine,
    run,
    source,
    status,
    store,
    waiting,
    withdraw,
)
from mirror.cli.terminal import FAILED, FORK, INTERRUPTED, USAGE, complain
from mirror.database import InUseError
from mirror.errors import MirrorError, SettingsError, StateError


def main(argv: Sequence[str] | None = None) -> None:
    """Run the verb that the command line names, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name in another script is no reason to die
            stream.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        code = arguments.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except MirrorError as e:
        complain(str(e))
        code = _code_of(e)
    except BrokenPipeError:  # `mirror verify … | head`
        # What is left would be written at the end, and fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    except OSError as e:
        if e.filename is not None:
            raise  # a bug: what opens files converts its errors
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"mirror: the answer cannot be written: {e.strerror}", file=sys.stderr)
        code = FAILED
    sys.exit(code)


def _code_of(e: MirrorError) -> int:
    if isinstance(e, StateError):
        return FAILED if isinstance(e, InUseError) else FORK
    return USAGE if isinstance(e, SettingsError) else FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mirror",
        description="Mirror a newsroom: every article signed, logged, checkable.",
        epilog="Exit codes: 0 done, 1 refused or failed, 2 settings or usage, 3 stopped rather "
        "than sign a fork, 4 done in part, 130 interrupted.",
    )
    version = f"tamizdat {metadata.version('tamizdat')}"
    parser.add_argument("--version", action="version", version=version)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for each in (make, source, run, status, quarantine, waiting, hold, withdraw, store, mirrors):
        each.add(verbs)
    for each in (front, onion, check, fetch):
        each.add(verbs)
    return parser
