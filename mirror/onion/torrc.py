"""The file that a tor of one's own is started with, each line with its reason."""

from pathlib import Path

from mirror.errors import SettingsError
from mirror.guard import host_and_port

SERVICE = "service"
"""The service's folder in Tor's."""


def torrc(folder: Path, *, to: str) -> str:
    """Return the configuration of a tor that carries the service and nothing else.

    `folder` is Tor's; the service's key is in `SERVICE` below it. `to` is the `HOST:PORT` of the
    built-in server, on this machine.

    Raises:
        SettingsError: a path that Tor would read as something else, or no place of this machine.
    """
    lines = [line.format(folder=_quoted(folder), to=checked_target(to)) for line in _LINES]
    return "\n".join((*lines, ""))


def checked_target(to: str) -> str:
    """Return `to` if it is a port of this machine: beyond it the way would not be encrypted.

    Raises:
        SettingsError: it is not.
    """
    try:
        host, _ = host_and_port(to)
    except ValueError as e:
        raise SettingsError(f"onion: {e}") from e
    if host not in ("127.0.0.1", "::1", "localhost"):
        raise SettingsError(f"onion: {to!r:.100}: 127.0.0.1:PORT was expected")
    return to.replace("localhost", "127.0.0.1")


def _quoted(folder: Path) -> str:
    """Return a path for between quotation marks, where Tor reads escapes as C does."""
    text = str(folder)
    if not folder.is_absolute() or not text.isprintable():
        raise SettingsError(f"{text!r:.200}: a whole path without control characters was expected")
    return text.replace("\\", "\\\\").replace('"', '\\"')


_LINES = (
    "# An onion service for readers, made by `mirror onion`; start it with `tor -f` this file.",
    "",
    "# What Tor remembers: its guards above all. Lost, it picks others, which helps who watches.",
    'DataDirectory "{folder}/data"',
    "",
    "# The service and its key. Port 80 of the onion is the built-in server, on this machine.",
    'HiddenServiceDir "{folder}/service"',
    "HiddenServiceVersion 3",
    "HiddenServicePort 80 {to}",
    "",
    "# Under a flood, who has worked more for it comes first: readers' Tor does so unasked.",
    "HiddenServicePoWDefensesEnabled 1",
    "# Streams that one circuit may have open: a page is one, a program opens few at a time.",
    "HiddenServiceMaxStreams 32",
    "HiddenServiceMaxStreamsCloseCircuit 1",
    "",
    "# Three hops from here, too: with one, the machine is found by whoever runs a relay.",
    "HiddenServiceNonAnonymousMode 0",
    "HiddenServiceSingleHopMode 0",
    "",
    "# Nothing else: no proxy, no control port, no relay for others.",
    "SocksPort 0",
    "ControlPort 0",
    "ORPort 0",
    "ExitRelay 0",
    "",
    "# No addresses in the log, which tells what a person should know, and is not kept in a file.",
    "SafeLogging 1",
    "# Of what readers do at the service, as one who opens too many streams, not even the time.",
    "Log [*,~rend]notice [rend]err stderr",
    "HeartbeatPeriod 0",
    "# Other programs of the same user cannot read the key out of Tor's memory.",
    "DisableDebuggerAttachment 1",
    "# The disk is written to only where something is lost otherwise.",
    "AvoidDiskWrites 1",
)
