"""The command `mirror`: its verbs, the only place that prints or exits.

Exit codes: 0 done · 1 refused or failed · 2 settings or usage · 3 stopped rather than sign a
fork · 4 done in part · 130 interrupted.
"""

import argparse
import asyncio
import io
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from mirror import build, demo, init
from mirror.check import check
from mirror.check.report import Report
from mirror.check.tell import told
from mirror.cycle import Summary, run_cycle
from mirror.database import InUseError
from mirror.errors import FormatError, MirrorError, SettingsError, StateError
from mirror.fetch import Fetcher
from mirror.formats.paths import article_folder, short_id
from mirror.formats.url import article_id, canonical_url
from mirror.guard import host_and_port

DONE, FAILED, USAGE, FORK, PARTLY, INTERRUPTED = 0, 1, 2, 3, 4, 130
JOINERS = "\u200c\u200d"  # Persian and Hindi words are wrong without them
CLEAR_LINE = "\r\x1b[K"


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
        print(f"mirror: {e}", file=sys.stderr)
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
    _add_init(verbs)
    _add_once(verbs)
    _add_verify(verbs)
    path = _verb(verbs, "path", _path, "print the path of an original's address on any mirror")
    path.add_argument("url", metavar="URL", help="the article's address at the newsroom")
    words = "show it all with a small built-in newsroom"
    run = verbs.add_parser("demo", help=words, description=words)
    run.set_defaults(run=_demo)
    run.add_argument("--out", type=Path, metavar="DIR", help="make it there, and keep it")
    run.add_argument("--once", action="store_true", help="verify and end; do not serve")
    return parser


def _add_init(verbs: Any) -> None:  # noqa: ANN401 - argparse does not export the type
    make = _verb(verbs, "init", _init, "make a mirror's folder: settings, secrets, root")
    make.add_argument("folder", type=Path, metavar="DIR", help="a new or empty folder")
    make.add_argument("--name", required=True, help="the newsroom's name, as readers see it")
    make.add_argument("--origin", required=True, help="the log's name, such as example.org/news")
    again = "may be given several times"
    make.add_argument(
        "--feed", action="append", required=True, metavar="URL", help=f"a feed; {again}"
    )
    make.add_argument("--lang", default="en", help="the language where feeds do not say one")
    _add_allow_host(make, "a source on a private network or another port")


def _add_once(verbs: Any) -> None:  # noqa: ANN401
    once = _verb(verbs, "once", _once, "run one cycle: poll, sign, publish")
    once.add_argument(
        "-c", "--config", type=Path, required=True, metavar="FILE", help="the mirror.toml"
    )


def _add_verify(verbs: Any) -> None:  # noqa: ANN401
    verify = _verb(verbs, "verify", _verify, "check a file, a folder or an address")
    verify.add_argument("target", metavar="TARGET", help="a page, a folder or https://…")
    verify.add_argument(
        "--root", type=Path, required=True, metavar="FILE", help="the root you trust"
    )
    verify.add_argument("--remember", type=Path, metavar="FILE", help="keep what was seen there")
    _add_allow_host(verify, "a mirror on a private network or another port")


def _add_allow_host(verb: argparse.ArgumentParser, words: str) -> None:
    verb.add_argument(
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


def _verb(verbs: Any, name: str, run: Callable[..., int], words: str) -> argparse.ArgumentParser:  # noqa: ANN401
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=words, description=words)
    verb.add_argument("--json", action="store_true", help="answer in JSON")
    verb.set_defaults(run=run)
    return verb


def _init(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.folder
    wishes = init.Wishes(
        name=arguments.name,
        origin=arguments.origin,
        feeds=arguments.feed,
        lang=arguments.lang,
        allow_hosts=arguments.allow_host,
    )
    init.make(folder, wishes, now=int(time.time()))
    if arguments.json:
        _answer({"settings": str(folder / "mirror.toml"), "root": str(folder / "root")})
        return DONE
    print(f"Made {folder}. Next:")
    print(f"  1. Move {folder / 'root'} to another place, offline: its README.txt says why.")
    print(f"  2. Look through {folder / 'mirror.toml'}.")
    print(f"  3. mirror once -c {folder / 'mirror.toml'}")
    return DONE


def _once(arguments: argparse.Namespace) -> int:
    summary = asyncio.run(_cycle(arguments.config))
    if arguments.json:
        _answer(asdict(summary))
    else:
        _show_summary(summary)
    if summary.feeds_failed == summary.feeds:
        return FAILED
    return PARTLY if summary.problems else DONE


async def _cycle(config: Path) -> Summary:
    async with build.desk(config) as desk:
        try:
            return await run_cycle(desk, now=_now, progress=_progress)
        finally:
            _progress("")


def _show_summary(summary: Summary) -> None:
    for problem in (*summary.warnings, *summary.problems):
        print(f"mirror: {_plain(problem)}", file=sys.stderr)
    counts = ("new", "revised", "unchanged", "held", "refused")
    print(", ".join(f"{getattr(summary, name)} {name}" for name in counts))
    print(
        f"{summary.feeds} feeds, of which {summary.feeds_unchanged} unchanged,"
        f" {summary.feeds_failed} failed; log: {summary.log_size} leaves"
    )
    for name, state in summary.stores.items():
        print(f"{name}: {state}")


def _verify(arguments: argparse.Namespace) -> int:
    report = asyncio.run(_check(arguments))
    if arguments.json:
        _answer(report.to_json())
    else:
        for line in told(report):
            print(_plain(line))
    return DONE if report.ok else FAILED


async def _check(arguments: argparse.Namespace) -> Report:
    async with Fetcher(allow_hosts=arguments.allow_host) as fetcher:
        return await check(
            arguments.target,
            root=arguments.root,
            remember=arguments.remember,
            now=_now,
            fetcher=fetcher,
        )


def _path(arguments: argparse.Namespace) -> int:
    try:
        id_ = article_id(arguments.url)
    except FormatError as e:
        raise SettingsError(str(e)) from e
    path = f"{article_folder(short_id(id_))}/index.html"
    if arguments.json:
        _answer({"url": canonical_url(arguments.url), "id": id_.hex(), "path": path})
    else:
        print(path)
    return DONE


def _demo(arguments: argparse.Namespace) -> int:
    return asyncio.run(demo.run(arguments.out, once=arguments.once, say=_say, now=_now))


def _say(line: str) -> None:
    print(_plain(line), flush=True)


def _answer(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _now() -> int:
    return int(time.time())


def _progress(what: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{CLEAR_LINE}{_plain(what)[:100]}")
        sys.stderr.flush()


def _plain(text: str) -> str:
    """Return `text` without what would steer the terminal: feeds choose parts of it."""
    return "".join(c if c.isprintable() or c in JOINERS else "�" for c in text)
