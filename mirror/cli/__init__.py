"""The command `mirror`: its verbs, the only place that prints or exits.

Exit codes: 0 done · 1 refused or failed · 2 settings or usage · 3 stopped rather than sign a
fork · 4 done in part · 130 interrupted.
"""

import argparse
import io
import logging
import os
import sys
from collections.abc import Collection, Sequence
from importlib import import_module, metadata

from mirror.cli.terminal import FAILED, FORK, INTERRUPTED, USAGE, complain
from mirror.database import InUseError
from mirror.errors import MirrorError, SettingsError, StateError

VERBS = {
    "make": ("init", "path"),
    "demo": ("demo",),
    "source": ("source",),
    "run": ("once", "run", "serve"),
    "status": ("status",),
    "quarantine": ("quarantine",),
    "waiting": ("waiting",),
    "hold": ("hold", "release", "approve", "reject", "stop"),
    "withdraw": ("withdraw",),
    "store": ("store",),
    "mirrors": ("mirrors",),
    "front": ("front",),
    "onion": ("onion",),
    "check": ("verify",),
    "fetch": ("fetch",),
}
"""What each module adds, in the order of the help. Only the module of the verb that is typed is
imported: `verify` and `hold` start in a third of the time that all of them take."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the verb that the command line names, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name in another script is no reason to die
            stream.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if argv is None else argv
    arguments = parser(_modules(words)).parse_args(words)
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


def _modules(words: Sequence[str]) -> Collection[str]:
    """Return the module of the verb that is typed, or all of them: for the help, and for slips."""
    typed = next(iter(words), "")
    return [name for name, verbs in VERBS.items() if typed in verbs] or VERBS


def parser(modules: Collection[str]) -> argparse.ArgumentParser:
    """Return what reads the command line, with the verbs of some modules."""
    made = argparse.ArgumentParser(
        prog="mirror",
        description="Mirror a newsroom: every article signed, logged, checkable.",
        epilog="Exit codes: 0 done, 1 refused or failed, 2 settings or usage, 3 stopped rather "
        "than sign a fork, 4 done in part, 130 interrupted.",
    )
    version = f"tamizdat {metadata.version('tamizdat')}"
    made.add_argument("--version", action="version", version=version)
    verbs = made.add_subparsers(required=True, metavar="VERB")
    for name in modules:
        import_module(f"mirror.cli.{name}").add(verbs)
    return made
