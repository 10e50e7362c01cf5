"""The verbs of a verifier: `verify`."""

import argparse
import asyncio
from pathlib import Path

from mirror.check import check
from mirror.check.report import Report
from mirror.check.tell import told
from mirror.cli.terminal import DONE, FAILED, Verbs, add_allow_host, answer, now, plain, verb
from mirror.fetch import Fetcher


def add(verbs: Verbs) -> None:
    """Add the verbs."""
    verify = verb(verbs, "verify", _verify, "check a file, a folder or an address")
    verify.add_argument("target", metavar="TARGET", help="a page, a folder or https://…")
    verify.add_argument(
        "--root", type=Path, required=True, metavar="FILE", help="the root you trust"
    )
    verify.add_argument("--remember", type=Path, metavar="FILE", help="keep what was seen there")
    add_allow_host(verify, "a mirror on a private network or another port")


def _verify(arguments: argparse.Namespace) -> int:
    report = asyncio.run(_check(arguments))
    if arguments.json:
        answer(report.to_json())
    else:
        for line in told(report):
            print(plain(line))
    return DONE if report.ok else FAILED


async def _check(arguments: argparse.Namespace) -> Report:
    async with Fetcher(allow_hosts=arguments.allow_host) as fetcher:
        return await check(
            arguments.target,
            root=arguments.root,
            remember=arguments.remember,
            now=now,
            fetcher=fetcher,
        )
