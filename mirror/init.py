"""What `mirror init` makes: a settings file, the secrets, and root 1 in the site."""

import dataclasses
import secrets
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from mirror.errors import SettingsError
from mirror.files import sync_folder, write_durably
from mirror.formats import ed25519, root
from mirror.keys import Keys, write_secret
from mirror.settings import Settings

ROOT_VALID_S = 366 * 24 * 3600  # a root is renewed once a year, or its index is refused
MAX_AGE_S = 3 * 24 * 3600  # an index older than this is called stale
ROOT_NOTE = """\
root.pem is the offline secret of this mirror: it says which keys may sign.

It does not belong on this machine. Move it now to a USB stick or a card that is kept apart
from the machine that runs the mirror, and delete it here. The mirror never needs it; it is
needed once a year, and when a key was stolen.

1.root.json is public. Give it, or its key phrase, to readers and verifiers by another way than
the mirrors themselves: whoever has it can check every article.
"""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator said on the command line about the new mirror."""

    name: str
    origin: str
    feeds: Collection[str]
    lang: str = "en"
    allow_hosts: Collection[str] = ()


def make(folder: Path, wishes: Wishes, *, now: int) -> None:
    """Make a mirror's folder: settings, secrets, the root and its public half in the site.

    Raises:
        SettingsError: the folder holds something already or cannot be made, or a value has
            no meaning; then nothing was made.
    """
    settings = folder / "mirror.toml"
    text = _settings_text(wishes).encode()
    Settings.parse(text, settings)
    try:
        if folder.exists() and any(folder.iterdir()):
            raise SettingsError(f"{folder}: is not empty, and nothing in it will be overwritten")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _make(folder, Keys.make(wishes.origin), text, now=now)
        except OSError:
            _clear(folder)
            raise
    except OSError as e:
        raise SettingsError(f"{folder}: cannot be made: {e.strerror}") from e


def _clear(folder: Path) -> None:
    """Remove what was begun in a folder that was empty, so that it can be tried again."""
    for each in folder.iterdir():
        if each.is_dir():
            shutil.rmtree(each, ignore_errors=True)
        else:
            each.unlink(missing_ok=True)


def _make(folder: Path, keys: Keys, text: bytes, *, now: int) -> None:
    write_durably(folder / "mirror.toml", text)
    keys.save(folder / "keys")
    seed = secrets.token_bytes(ed25519.KEY_SIZE)
    offline = folder / "root"
    offline.mkdir(mode=0o700)
    write_secret(offline / "root.pem", seed)
    write_durably(offline / "README.txt", ROOT_NOTE.encode())
    first = first_root(keys, seed, now=now)
    write_durably(offline / "1.root.json", bytes(first))
    trust = folder / "site" / "trust"
    trust.mkdir(parents=True)
    for path, data in root.trust_files(first).items():
        write_durably(trust / path, data)
    for made in (folder / "keys", trust.parent, folder):
        sync_folder(made)


def first_root(keys: Keys, seed: bytes, *, now: int) -> root.Root:
    """Return root 1 of a new origin, signed by the one root secret `seed`."""
    roles = {
        "root": root.Role((ed25519.public_of(seed),), 1),
        "snapshot": root.Role((keys.public("log"),), 1),
        "targets": root.Role((keys.public("articles"),), 1),
        "timestamp": root.Role((keys.public("clock"),), 1),
    }
    unsigned = root.Root(
        version=1,
        expires=now + ROOT_VALID_S,
        roles=roles,
        logs=(keys.log_entry,),
        minisign=keys.public("minisign"),
        ssh=keys.public("ssh"),
        max_age_s=MAX_AGE_S,
    )
    return dataclasses.replace(unsigned, signatures=root.sign(unsigned, [seed]))


EXAMPLE_HOST = "themoscowtimes.com"
"""The newsroom of the example: of another's pages nothing is known."""


def _settings_text(wishes: Wishes) -> str:
    """Return the example file with these values in it, its explanations kept."""
    text = example().read_text(encoding="utf-8")
    head, _, rest = text.partition("# One such section for each feed")
    section, known, rest = rest.partition("# What is known of the pages")
    sites, marker, tail = rest.partition("# How sources are asked.")
    known = known + sites if any(EXAMPLE_HOST in url for url in wishes.feeds) else ""
    head = _with(head, "name", _quoted(wishes.name))
    head = _with(head, "origin", _quoted(wishes.origin))
    head = _with(head, "lang", _quoted(wishes.lang))
    head = _with(head, "home", '""')
    sections = [_with(section, "url", _quoted(url)) for url in wishes.feeds]
    more = [part[part.index("[[feeds]]") :] for part in sections[1:]]
    hosts = ", ".join(map(_quoted, wishes.allow_hosts))
    tail = _with(tail, "allow_hosts", f"[{hosts}]")
    feeds = "".join([*sections[:1], *more])
    return f"{head}# One such section for each feed{feeds}{known}{marker}{tail}"


def _with(text: str, key: str, value: str) -> str:
    lines = text.split("\n")
    at = next(i for i, line in enumerate(lines) if line.startswith(f"{key} = "))
    lines[at] = f"{key} = {value}"
    return "\n".join(lines)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def example() -> Path:
    """Return the file that explains every key, with The Moscow Times in it."""
    packaged = Path(str(resources.files("mirror") / "mirror.toml"))
    return packaged if packaged.exists() else Path(__file__).parents[1] / "config" / "mirror.toml"
