"""The key of an onion, the torrc, and the control port: what a real tor makes of them."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from free_ports import free_port
from front_servers import running, wait_for
from front_verbs import run
from hypothesis import given
from hypothesis import strategies as st

from mirror.cli import onion
from mirror.errors import FormatError, SettingsError
from mirror.formats.ed25519 import public_of
from mirror.onion.control import add_onion
from mirror.onion.key import OnionKey, address_of, check_address, read_or_make
from mirror.onion.torrc import checked_target, torrc

TO = "127.0.0.1:8080"
# The vector of Tor's own tests: test_build_address in src/test/test_hs_common.c.
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
ADDRESS = "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion"


def tor() -> str:
    found = shutil.which("tor")
    if not found:
        pytest.skip("tor is not installed (apt: tor)")
    return found


def verify(file: Path) -> subprocess.CompletedProcess[str]:
    command = [tor(), "--verify-config", "--hush", "--defaults-torrc", os.devnull, "-f", file]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


# The key.


def test_an_address_is_made_as_tor_makes_it():
    assert address_of(PUBLIC) == ADDRESS
    assert check_address(ADDRESS) == ADDRESS


@given(st.integers(0, 55), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_an_address_with_another_letter_is_refused(at: int, letter: str):
    other = ADDRESS[:at] + letter + ADDRESS[at + 1 :]
    if other == ADDRESS:
        return

    with pytest.raises(FormatError, match="not an address"):
        check_address(other)


@pytest.mark.parametrize(
    "text", ["", ".onion", "x.onion", ADDRESS[:56], ADDRESS.upper(), f"{ADDRESS}.", f"a.{ADDRESS}"]
)
def test_what_is_no_address_is_refused(text: str):
    with pytest.raises(FormatError, match="not an address"):
        check_address(text)


def test_a_key_is_made_once_and_is_its_owners_alone(tmp_path: Path):
    key = read_or_make(tmp_path / "o" / "service")

    assert read_or_make(tmp_path / "o" / "service") == key
    files = [tmp_path / "o/service", *(tmp_path / "o/service").iterdir()]
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
    assert {file.stat().st_mode & 0o177 for file in files[1:]} == {0}
    assert (tmp_path / "o/service/hostname").read_text() == f"{key.address}\n"
    assert key.expanded.hex() not in repr(key)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.chmod(0o640), "others may read it"),
        (lambda file: file.parent.chmod(0o750), "others may read it"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "not a key"),
        (lambda file: file.write_bytes(bytes(96)), "not a key"),
        (lambda file: (file.parent / "hs_ed25519_public_key").unlink(), "No such file"),
    ],
)
def test_a_key_that_is_spoiled_or_shown_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
):
    read_or_make(tmp_path / "service")
    spoil(tmp_path / "service" / "hs_ed25519_secret_key")

    with pytest.raises(SettingsError, match=said):
        read_or_make(tmp_path / "service")


# The torrc.


def test_a_real_tor_takes_the_key_and_the_torrc(tmp_path: Path):
    folder = tmp_path / 'on "ion'
    assert run(onion, "onion", "--tor-dir", folder, "--out", tmp_path / "torrc") == 0
    key = read_or_make(folder / "service")
    with (tmp_path / "torrc").open("a") as file:
        file.write(f"DisableNetwork 1\nLog notice file {tmp_path}/said\n")
    command = [tor(), "-f", tmp_path / "torrc", "--defaults-torrc", os.devnull]

    def words() -> str:
        said = tmp_path / "said"
        return said.read_text() if said.exists() else ""

    assert verify(tmp_path / "torrc").returncode == 0
    with running(command, tmp_path) as process:
        while process.poll() is None and "DisableNetwork is set" not in words():
            time.sleep(0.05)
    assert (folder / "service" / "hostname").read_text() == f"{key.address}\n"
    assert read_or_make(folder / "service") == key
    warnings = [line for line in words().splitlines() if "[warn]" in line]
    assert [line for line in warnings if "running Tor as root" not in line] == []


def test_every_line_of_a_torrc_has_its_reason_above(tmp_path: Path):
    blocks = torrc(tmp_path, to=TO).strip().split("\n\n")

    assert all(block.startswith("#") for block in blocks)
    assert "HiddenServicePoWDefensesEnabled 1" in "\n".join(blocks).splitlines()


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_a_path_adds_no_line_to_a_torrc(text: str):
    plain = torrc(Path("/x"), to=TO).splitlines()
    try:
        made = torrc(Path("/x") / text.lstrip("/"), to=TO)
    except SettingsError:
        return

    assert [line.split(' "')[0] for line in made.splitlines()] == [
        line.split(' "')[0] for line in plain
    ]
    assert made.isprintable() or made.replace("\n", "").isprintable()


@pytest.mark.parametrize("to", ["", "8080", "10.0.0.1:80", "a.example:80", "127.0.0.1", "[::2]:1"])
def test_an_onion_leads_to_this_machine_only(to: str):
    with pytest.raises(SettingsError, match="onion"):
        checked_target(to)


def test_a_persons_file_is_not_overwritten(tmp_path: Path):
    (tmp_path / "torrc").write_text("SocksPort 9050\n")

    with pytest.raises(SettingsError, match="is there already"):
        run(onion, "onion", "--tor-dir", tmp_path / "o", "--out", tmp_path / "torrc")
    assert (tmp_path / "torrc").read_text() == "SocksPort 9050\n"


# The control port of a real tor, whose network is off.


@contextmanager
def controlled(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the control port of a tor that connects to nobody, and its cookie."""
    port = free_port()
    (folder / "tor").mkdir(mode=0o700)
    (folder / "torrc").write_text(
        f"DisableNetwork 1\nSocksPort 0\nControlPort {port}\nCookieAuthentication 1\n"
        f"DataDirectory {folder}/tor\n"
    )
    command = [tor(), "-f", folder / "torrc", "--defaults-torrc", os.devnull]
    with running(command, folder) as process:
        wait_for(port, process, folder)
        yield f"127.0.0.1:{port}", folder / "tor" / "control_auth_cookie"


def test_a_tor_that_runs_is_told_of_the_service_once(tmp_path: Path):
    key = read_or_make(tmp_path / "service")
    with controlled(tmp_path) as (control, cookie):
        assert add_onion(key, control=control, cookie=cookie, to=TO)
        assert add_onion(key, control=control, cookie=cookie, to=TO)


def test_another_cookie_is_refused_before_anything_is_shown(tmp_path: Path):
    key = read_or_make(tmp_path / "service")
    (tmp_path / "cookie").write_bytes(bytes(32))
    with (
        controlled(tmp_path) as (control, _),
        pytest.raises(SettingsError, match="does not know the cookie"),
    ):
        add_onion(key, control=control, cookie=tmp_path / "cookie", to=TO)


@contextmanager
def impostor(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Yield the address of something else at the port, and what it is sent."""
    heard: list[bytes] = []

    def speak() -> None:
        connection, _ = listener.accept()
        with connection:
            heard.append(connection.recv(4096))
            with suppress(OSError):  # cut off: it has heard enough
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                heard.append(connection.recv(4096))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=speak)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", heard
        thread.join()


CHALLENGE = f"250 AUTHCHALLENGE SERVERHASH={'0' * 64} SERVERNONCE={'0' * 64}\r\n".encode()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (CHALLENGE, "does not know the cookie"),
        (b"SSH-2.0-OpenSSH\r\n", "does not speak as tor does"),
        (b"x" * 100_000, "does not speak as tor does"),
        (b"250-more\r\n" * 1000, "has no end"),
        (b"250 OK\r\n", "another form"),
        (b"510 Unrecognized command\r\n", "510 Unrecognized command"),
        (b"", "does not speak as tor does"),
    ],
)
def test_an_impostor_learns_neither_key_nor_cookie(tmp_path: Path, answer: bytes, said: str):
    key = read_or_make(tmp_path / "service")
    (tmp_path / "cookie").write_bytes(os.urandom(32))
    with impostor(answer) as (control, heard), pytest.raises(SettingsError, match=said):
        add_onion(key, control=control, cookie=tmp_path / "cookie", to=TO)

    assert heard[0].startswith(b"AUTHCHALLENGE SAFECOOKIE ")
    assert heard[1:] in ([], [b""])


@pytest.mark.parametrize(
    ("control", "cookie", "said"),
    [
        ("127.0.0.1:1", 32, "control port"),
        ("/none/socket", 32, "control port"),
        ("192.0.2.1:9051", 32, "was expected"),
        ("tor.example:9051", 32, "was expected"),
        ("9051", 32, "not HOST:PORT"),
        ("127.0.0.1:1", 31, "not a cookie"),
        ("127.0.0.1:1", None, "No such file"),
    ],
)
def test_what_cannot_be_a_control_port_is_said(
    tmp_path: Path, control: str, cookie: int | None, said: str
):
    key = read_or_make(tmp_path / "service")
    if cookie is not None:
        (tmp_path / "cookie").write_bytes(bytes(cookie))

    with pytest.raises(SettingsError, match=said):
        add_onion(key, control=control, cookie=tmp_path / "cookie", to=TO)


def test_the_public_key_is_that_of_the_seed():
    seed = bytes(range(32))

    assert OnionKey.of(seed).public == public_of(seed)
