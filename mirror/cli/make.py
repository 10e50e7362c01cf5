"""The verbs that need no mirror yet: `init` makes one, and `path`."""

import argparse
from pathlib import Path

from mirror import init
from mirror.cli.terminal import DONE, Verbs, add_allow_host, answer, now, verb
from mirror.errors import FormatError, SettingsError
from mirror.formats.paths import article_folder, short_id
from mirror.formats.url import article_id, canonical_url


def add(verbs: Verbs) -> None:
    """Add the verbs."""
    _add_init(verbs)
    path = verb(verbs, "path", _path, "print the path of an original's address on any mirror")
    path.add_argument("url", metavar="URL", help="the article's address at the newsroom")


def _add_init(verbs: Verbs) -> None:
    make = verb(verbs, "init", _init, "make a mirror's folder: settings, secrets, root")
    make.add_argument("folder", type=Path, metavar="DIR", help="a new or empty folder")
    make.add_argument("--name", required=True, help="the newsroom's name, as readers see it")
    make.add_argument("--origin", required=True, help="the log's name, such as example.org/news")
    again = "may be given several times"
    make.add_argument(
        "--feed", action="append", required=True, metavar="URL", help=f"a feed; {again}"
    )
    make.add_argument("--lang", default="en", help="the language where feeds do not say one")
    add_allow_host(make, "a source on a private network or another port")


def _init(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.folder
    wishes = init.Wishes(
        name=arguments.name,
        origin=arguments.origin,
        feeds=arguments.feed,
        lang=arguments.lang,
        allow_hosts=arguments.allow_host,
    )
    init.make(folder, wishes, now=now())
    if arguments.json:
        answer({"settings": str(folder / "mirror.toml"), "root": str(folder / "root")})
        return DONE
    print(f"Made {folder}. Next:")
    print(f"  1. Move {folder / 'root'} to another place, offline: its README.txt says why.")
    print(f"  2. Look through {folder / 'mirror.toml'}.")
    print(f"  3. mirror once -c {folder / 'mirror.toml'}")
    print(f"  4. mirror run -c {folder / 'mirror.toml'}")
    return DONE


def _path(arguments: argparse.Namespace) -> int:
    try:
        id_ = article_id(arguments.url)
    except FormatError as e:
        raise SettingsError(str(e)) from e
    path = f"{article_folder(short_id(id_))}/index.html"
    if arguments.json:
        answer({"url": canonical_url(arguments.url), "id": id_.hex(), "path": path})
    else:
        print(path)
    return DONE
