"""Tells the operator what happened, over the services that a file names (apprise).

A message has what the mirror knows of itself and nothing of readers. The addresses have passwords
in them: they stand in the file, go to a child process over a pipe, and come into no message, log
or list of processes.
"""

import asyncio
import json
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mirror.errors import SettingsError
from mirror.threads import in_thread

MAX_FILE = 64 * 1024
MAX_ADDRESSES = 20
WHOLE_S = 45.0  # until the child is killed: twice as long as it gives one address
MAX_TITLE, MAX_LINE, MAX_LINES = 100, 300, 40  # what a telephone shows, and services take
_CHILD = Path(__file__).with_name("child.py")


def read_addresses(file: Path) -> Sequence[str]:
    """Return the addresses in a file, one a line; lines with `#` are remarks.

    Raises:
        SettingsError: not readable, or too much; the message repeats nothing of it.
    """
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_FILE + 1).decode()
    except OSError as e:
        raise SettingsError(f"{file}: the addresses to tell are not readable: {e.strerror}") from e
    except ValueError as e:
        raise SettingsError(f"{file}: the addresses to tell are not text") from e
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    if len(text) > MAX_FILE or len(found) > MAX_ADDRESSES:
        raise SettingsError(f"{file}: at most {MAX_ADDRESSES} addresses were expected")
    return found


async def tell(title: str, lines: Sequence[str], file: Path) -> tuple[bool, str]:
    """Send a message to all addresses in a file; return whether anybody was told, and who not.

    The first is true also where nobody is to be told; the second is in words, "" for nobody.
    Whatever happens is words, and in time: a mirror is not late because a mail server is.
    Addresses of the web stand in it without `https://`, because some services fetch every link
    that they see, and a spare is not to be seen by anybody.
    """
    try:
        addresses = await in_thread(read_addresses, file)
        message = {"title": _line(title, MAX_TITLE), "body": _body(lines), "addresses": addresses}
        outcomes = await _sent(json.dumps(message).encode()) if addresses else {}
    except SettingsError as e:
        return False, f"notify: {e}"
    except ValueError:  # what the child said is no answer
        return False, "notify: not sent: an answer that is to be reported"
    except OSError as e:
        return False, f"notify: not sent: {e.strerror}"
    said = [outcomes.get(n, ("?", "no answer")) for n in range(len(addresses))]
    problems = [
        f"address {n} ({kind}): {problem}" for n, (kind, problem) in enumerate(said, 1) if problem
    ]
    told = len(problems) < len(addresses) or not addresses
    return told, f"notify: {'; '.join(problems)}" if problems else ""


async def _sent(message: bytes) -> Mapping[int, tuple[str, str]]:
    """Return what came of each address that was done with in time."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(_CHILD),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # the library's words, with addresses in them
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        cwd="/",
    )
    lines: list[bytes] = []
    try:
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(WHOLE_S):
                await _talk(process, message, lines)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return {n: (kind, problem) for n, kind, problem in map(json.loads, lines)}


async def _talk(process: asyncio.subprocess.Process, message: bytes, lines: list[bytes]) -> None:
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("started without pipes")
    stdin.write(message)
    await stdin.drain()
    stdin.close()
    while (line := await stdout.readline()) and len(lines) < MAX_ADDRESSES:
        lines.append(line)


def _body(lines: Sequence[str]) -> str:
    shown = [_line(line, MAX_LINE) for line in lines[:MAX_LINES]]
    more = len(lines) - len(shown)
    return "\n".join([*shown, f"and {more} more"] if more else shown) or "-"


def _line(text: str, length: int) -> str:
    """Return one line of what any service shows as it is."""
    bare = re.sub("https?://", "", text).replace("://", ": ")  # nothing that is made a link of
    return "".join(c if c.isprintable() else " " for c in bare)[:length]
