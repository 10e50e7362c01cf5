"""Verbs of the command line, run in this process."""

import argparse
from types import ModuleType


def run(module: ModuleType, *arguments: object) -> int:
    """Run a verb that `module` adds; return its exit code."""
    parser = argparse.ArgumentParser()
    module.add(parser.add_subparsers(required=True))
    parsed = parser.parse_args([str(each) for each in arguments])
    code: int = parsed.run(parsed)
    return code
