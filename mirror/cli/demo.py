"""The verb `demo`."""

import argparse
import asyncio
from pathlib import Path

from mirror import demo
from mirror.cli.terminal import Verbs, now, say


def add(verbs: Verbs) -> None:
    """Add the verb."""
    words = "show it all with a small built-in newsroom"
    made = verbs.add_parser("demo", help=words, description=words)
    made.set_defaults(run=_demo)
    made.add_argument("--out", type=Path, metavar="DIR", help="make it there, and keep it")
    made.add_argument("--once", action="store_true", help="verify and end; do not serve")


def _demo(arguments: argparse.Namespace) -> int:
    return asyncio.run(demo.run(arguments.out, once=arguments.once, say=say, now=now))
