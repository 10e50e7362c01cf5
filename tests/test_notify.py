"""What the operator is told, at real receivers on loopback."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from fetch_servers import site

from mirror import notify
from mirror.errors import SettingsError
from mirror.notify import MAX_LINES, read_addresses, tell

PASSWORD = "a-password-nobody-sees"


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Receiver:
    """A service at `host` that keeps what it is sent, and refuses it under /no."""

    host: str = ""
    got: list[dict[str, object]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def handler(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        self.was_asked.set()
        if request.path == "/slow":
            await asyncio.sleep(60)
        if request.path == "/moved":
            raise web.HTTPFound("/elsewhere")
        if request.path == "/no":
            return web.Response(status=401)
        self.got.append(await request.json())
        return web.Response()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with site(receiver.handler) as host:
        receiver.host = host
        yield receiver


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes a file of addresses."""

    def write(*addresses: str) -> Path:
        file = tmp_path / "notify"
        file.write_text("\n".join(["# who is told", *addresses, ""]))
        return file

    return write


def address(receiver: Receiver, path: str = "") -> str:
    return f"json://operator:{PASSWORD}@{receiver.host}/{path}"


@asynccontextmanager
async def mail() -> AsyncIterator[tuple[str, list[str]]]:
    """Take mail as a server does; yield where, and what came."""
    letters: list[str] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        say("220 mail.example")
        while line := (await reader.readline()).decode().strip():
            verb = line.split()[0].upper()
            if verb == "DATA":
                say("354 go on")
                letters.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            say({"EHLO": "250 mail.example", "QUIT": "221 bye"}.get(verb, "250 ok"))
            if verb == "QUIT":
                break
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", letters


async def test_every_address_of_the_file_is_told(receiver: Receiver, told: Callable[..., Path]):
    file = told(address(receiver, "one"), address(receiver, "two"))

    assert await tell("a mirror is blocked", ["in RU: https://copy.example/"], file) == (True, "")

    assert sorted(receiver.asked) == ["POST /one", "POST /two"]
    assert receiver.got[0]["title"] == "a mirror is blocked"
    assert receiver.got[0]["message"] == "in RU: copy.example/"
    assert receiver.got[0]["attachments"] == []


async def test_mail_is_told_too(told: Callable[..., Path]):
    async with mail() as (host, letters):
        where = f"mailto://{host}?from=mirror@news.example&to=desk@news.example&mode=insecure"
        assert await tell("a mirror is down", ["copy.example"], told(where)) == (True, "")

    [letter] = letters
    assert "Subject: a mirror is down" in letter
    assert "copy.example" in letter
    assert "github" not in letter


async def test_who_was_not_told_is_said_by_number_and_kind_only(
    receiver: Receiver, told: Callable[..., Path]
):
    file = told(
        address(receiver, "no"),
        f"nonsense://{PASSWORD}",
        f"json://x:{PASSWORD}@127.0.0.1:1/",
        address(receiver, "yes"),
        address(receiver, "moved"),
        PASSWORD,
    )

    _, said = await tell("t", ["l"], file)

    assert said == (
        "notify: address 1 (json): refused: 401; "
        "address 2 (nonsense): not an address that apprise knows; "
        "address 3 (json): not reached, or refused; "
        "address 5 (json): refused: 302; "
        "address 6 (?): not an address that apprise knows"
    )
    assert "GET /elsewhere" not in receiver.asked
    assert len(receiver.got) == 1


async def test_a_service_that_hangs_delays_nothing_for_long(
    receiver: Receiver, told: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(notify, "WHOLE_S", 4.0)
    file = told(address(receiver, "slow"), address(receiver, "yes"))
    start = time.monotonic()

    assert await tell("t", ["l"], file) == (True, "notify: address 1 (?): no answer")
    assert time.monotonic() - start < 15
    assert len(receiver.got) == 1


async def test_the_password_is_in_no_list_of_processes(
    receiver: Receiver, told: Callable[..., Path]
):
    sending = asyncio.create_task(tell("t", ["l"], told(address(receiver, "slow"))))
    await receiver.was_asked.wait()

    shown = _shown_by_processes()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    assert any(b"notify" in each for each in shown)
    assert not any(PASSWORD.encode() in each for each in shown)
    assert not any(b"notify/child.py" in each for each in _shown_by_processes())


def _shown_by_processes() -> list[bytes]:
    """Return the command lines and environments of the processes that this one started."""
    mine = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    files = [Path(f"/proc/{pid}/{name}") for pid in mine for name in ("cmdline", "environ")]
    return [file.read_bytes() for file in files]


async def test_a_message_is_short_lines_that_any_service_shows(
    receiver: Receiver, told: Callable[..., Path]
):
    lines = ["\x1b[31mred\nand httphttp://s://a.example", "x" * 9999, *map(str, range(100))]

    assert await tell("t" * 9999, lines, told(address(receiver))) == (True, "")

    [got] = receiver.got
    shown = str(got["message"]).split("\n")
    assert len(str(got["title"])) <= 100
    assert shown[0] == " [31mred and https: a.example"
    assert max(map(len, shown)) <= 300
    assert (len(shown), shown[-1]) == (MAX_LINES + 1, f"and {102 - MAX_LINES} more")


async def test_a_file_with_nobody_in_it_tells_nobody(told: Callable[..., Path]):
    assert await tell("t", ["l"], told()) == (True, "")


@pytest.mark.parametrize("text", [b"\xff\xfe", b"x" * 70_000, b"json://x\n" * 21])
def test_a_file_of_something_else_is_refused_without_repeating_it(tmp_path: Path, text: bytes):
    file = tmp_path / "notify"
    file.write_bytes(text)

    with pytest.raises(SettingsError, match=f"^{file}: [a-z0-9 ]+$"):
        read_addresses(file)
