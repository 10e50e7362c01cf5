"""The verb of whoever serves readers: `front`."""

import argparse
from pathlib import Path

from mirror.cli.terminal import DONE, Verbs, complain, say, verb
from mirror.errors import FormatError, SettingsError
from mirror.files import write_durably
from mirror.front import Front, Listen
from mirror.front.caddy import caddy
from mirror.front.nginx import MODULES, nginx
from mirror.onion.key import check_address

MADE = "made by `mirror"
_MODULES = Path("/usr/lib/nginx/modules")


def add(verbs: Verbs) -> None:
    """Add the verb."""
    words = "print the configuration of a server for readers"
    front = verb(verbs, "front", _front, words, json=False)
    front.add_argument("program", choices=("caddy", "nginx"), help="which server")
    what = front.add_mutually_exclusive_group(required=True)
    what.add_argument("--site", type=Path, metavar="DIR", help="the site's folder, to serve")
    what.add_argument("--upstream", metavar="URL", help="or the built-in server, to stand before")
    front.add_argument("--name", required=True, metavar="HOST", help="the name readers ask for")
    front.add_argument("--onion", metavar="ADDRESS", help="the onion to tell Tor Browser of")
    front.add_argument("--acme", metavar="URL", help="for caddy: whom to ask for a certificate")
    front.add_argument("--cert", type=Path, metavar="FILE", help="or the certificate's chain")
    front.add_argument("--key", type=Path, metavar="FILE", help="and its key")
    front.add_argument(
        "--listen", default="443", metavar="[ADDRESS:]PORT", help="where readers connect"
    )
    front.add_argument("--user", default="www-data", help="for nginx: whose rights it has")
    front.add_argument(
        "--modules", type=Path, default=_MODULES, metavar="DIR", help="for nginx: where they are"
    )
    front.add_argument("--out", type=Path, metavar="FILE", help="write it there")


def _front(arguments: argparse.Namespace) -> int:
    is_nginx = arguments.program == "nginx"
    if is_nginx and arguments.acme:
        raise SettingsError("acme: nginx asks for no certificate by itself: name --cert and --key")
    if bool(arguments.cert) != bool(arguments.key):
        raise SettingsError("cert: both --cert and --key were expected")
    front = Front(
        name=arguments.name,
        site=arguments.site and arguments.site.absolute(),
        upstream=arguments.upstream or "",
        onion=_onion(arguments.onion),
        acme=arguments.acme or "",
        certificate=arguments.cert and (arguments.cert.absolute(), arguments.key.absolute()),
        listen=Listen.parse(arguments.listen),
        user=arguments.user if is_nginx else "",
    )
    found = [path for name in MODULES if (path := arguments.modules.absolute() / name).exists()]
    if front.site and not front.site.is_dir():
        complain(f"{front.site}: no such folder yet: readers would be told that nothing is there")
    put(nginx(front, modules=found) if is_nginx else caddy(front), arguments.out)
    return DONE


def _onion(address: str | None) -> str:
    try:
        return check_address(address) if address else ""
    except FormatError as e:
        raise SettingsError(str(e)) from e


def put(text: str, out: Path | None) -> None:
    """Print a configuration, or write it to a file that was not there or was made so before.

    Raises:
        SettingsError: the file is a person's work, or cannot be written.
    """
    if out is None:
        print(text, end="")
        return
    try:
        if out.exists() and MADE not in out.read_text(errors="replace").partition("\n")[0]:
            raise SettingsError(f"{out}: is there already, and was not {MADE} …`")
        write_durably(out, text.encode())
    except OSError as e:
        raise SettingsError(f"{out}: cannot be written: {e.strerror}") from e
    say(f"wrote {out}")
