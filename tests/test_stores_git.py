"""What a branch of a repository promises beyond what every store does."""

import datetime
import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import store_git
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from store_git import SECRET, TOKEN, Host

from mirror.errors import SettingsError, StoreError
from mirror.stores.git import GitStore, copy, http

PAGE = "a/o/q/x/w64tnmfzrgi3damf2/1.html"
OTHER = "a/o/q/x/w64tnmfzrgi3damf2/2.html"
CHECKPOINT = "checkpoint"


@pytest.fixture(scope="module")
def shared() -> Iterator[Host]:
    with store_git.running() as host:
        yield host


@pytest.fixture
def host(shared: Host) -> Host:
    shared.empty()
    (shared.folder / "access.log").write_bytes(b"")
    return shared


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return tmp_path / "room"


def beside(host: Host, room: Path) -> GitStore:
    """Return a store that reaches the repository by its path, for what is not about a host."""
    return host.store(room, secret={}, to=f"file://{host.repository}")


def files(room: Path) -> list[bytes]:
    return [each.read_bytes() for each in room.iterdir()]


async def put(store: GitStore, **files: bytes) -> None:
    paths = {"page": PAGE, "other": OTHER, "checkpoint": CHECKPOINT}
    for name, data in files.items():
        await store.put(paths[name], data)
    await store.flush()


@contextmanager
def listening(meet: Callable[[socket.socket], None]) -> Iterator[str]:
    """Let `meet` have each client in turn; yield the address of a repository there."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):  # the end of the block
                while True:
                    client, _ = server.accept()
                    with client, suppress(OSError):
                        meet(client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/git/site.git"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def endless(client: socket.socket) -> None:
    """Answer more than anybody asked for."""
    client.recv(65536)
    client.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\r\n"
    )
    while True:
        client.sendall(b"0" * 65536)


def losing_answers(host: Host) -> Callable[[socket.socket], None]:
    """Return what passes everything on to a host, but never what it answers to a push."""

    def meet(client: socket.socket) -> None:
        with client.makefile("rb") as asked:
            head = [first := asked.readline(), b"Connection: close\r\n"]
            while head[-1].strip():
                head.append(asked.readline())
            lengths = [line for line in head if line.lower().startswith(b"content-length:")]
            body = asked.read(int(lengths[0].split()[1]) if lengths else 0)
        with socket.create_connection(("127.0.0.1", host.port)) as there:
            there.sendall(b"".join(head) + body)
            while said := there.recv(65536):
                if not first.startswith(b"POST"):
                    client.sendall(said)

    return meet


def certificate(folder: Path, *, expired: bool) -> str:
    """Write a certificate of 127.0.0.1 by itself, with its key; return its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    end = now + datetime.timedelta(days=-1 if expired else 1)
    address = x509.SubjectAlternativeName([x509.DNSName("x"), x509.IPAddress(_LOOPBACK)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(end)
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path = folder / "certificate.pem"
    path.write_bytes(made.public_bytes(pem) + private)
    return str(path)


_LOOPBACK = ipaddress.ip_address("127.0.0.1")


async def test_a_batch_is_one_commit_and_two_requests_with_the_look_before(host: Host, room: Path):
    store = host.store(room)
    await put(store, page=b"<p>1", checkpoint=b"1")
    before = len(host.requests())

    assert await store.get(CHECKPOINT) == b"1"
    await put(store, other=b"<p>2", checkpoint=b"2")

    asked = host.requests()[before:]
    assert [line.split()[0] for line in asked] == ["GET", "POST"]
    assert host.read(CHECKPOINT) == b"2"
    assert host.git("rev-list", "--count", "pages") == b"1\n"  # the second has no parent


async def test_with_nothing_new_nothing_is_asked_to_flush_and_one_thing_to_look(
    host: Host, room: Path
):
    store = host.store(room)
    await put(store, page=b"<p>1")
    before = len(host.requests())

    await put(store, page=b"<p>1")
    await store.get(PAGE)

    assert len(host.requests()) == before + 1


async def test_a_change_sends_its_file_and_the_folders_above_it(host: Host, room: Path):
    store = beside(host, room)
    for n in range(300):
        await store.put(f"a/o/q/x/w64tnmfzrgi3dam{n:03}/1.html", b"%d" % n)
    await store.flush()
    before = _objects(host)

    await put(store, page=b"<p>1")

    file_commit_and_root, folders = 3, 5
    assert _objects(host) - before == file_commit_and_root + folders


def _objects(host: Host) -> int:
    words = host.git("count-objects", "-v").decode().split()
    found = dict(zip(words[::2], words[1::2], strict=True))
    return int(found["count:"]) + int(found["in-pack:"])


async def test_history_is_short_and_tells_no_names(
    host: Host, room: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(copy, "MAX_COMMITS", 5)
    store = beside(host, room)
    lengths = []
    for n in range(13):
        await put(store, checkpoint=b"%d" % n)
        lengths.append(int(host.git("rev-list", "--count", "pages")))

    assert lengths == [1, 1, 2, 3, 4, 1, 2, 3, 4, 5, 1, 2, 3]
    who = host.git("log", "--format=%an %ae %cn %ce %s %b", "pages").decode().splitlines()
    assert set(who) == {"mirror mirror@localhost mirror mirror@localhost site "}
    assert {line[-5:] for line in host.git("log", "--format=%ai", "pages").splitlines()} == {
        b"+0000"
    }
    host.git("fsck", "--strict")


async def test_the_own_copy_grows_with_the_site_and_not_with_its_history(host: Host, room: Path):
    store = beside(host, room)
    sizes = []
    for n in range(40):
        await store.put("index.html", b"%d" % n * 4000)
        await put(store, checkpoint=b"%d" % n)
        sizes.append(sum(len(data) for data in files(room)))

    assert sizes[-1] <= 1.5 * sizes[9]


async def test_a_host_is_told_to_serve_the_files_as_they_are(host: Host, room: Path):
    store = host.store(room, folder="docs", domain="news.example")
    await put(store, page=b"<p>1")

    assert host.read(".nojekyll") is None
    assert host.read("docs/.nojekyll") == b""
    assert host.read("docs/CNAME") == host.read("docs/.domains") == b"news.example\n"
    assert host.read(f"docs/{PAGE}") == b"<p>1"
    assert await store.get(PAGE) == b"<p>1"


async def test_files_that_are_removed_leave_no_empty_folder(host: Host, room: Path):
    store = beside(host, room)
    await put(store, page=b"<p>1", other=b"<p>2", checkpoint=b"1")
    folder = PAGE.rpartition("/")[0]

    await store.delete(OTHER)
    await store.flush()
    assert await store.names(folder) == [PAGE]
    await store.delete(PAGE)
    await store.flush()

    assert host.git("ls-tree", "--name-only", "pages") == b".nojekyll\ncheckpoint\n"
    assert await store.names(folder) == []


async def test_what_is_removed_is_in_no_commit_that_the_branch_leads_to(host: Host, room: Path):
    store = beside(host, room)
    for n in range(4):
        await put(store, page=b"<p>1", checkpoint=b"%d" % n)
    assert PAGE.encode() in host.git("log", "--format=", "--name-only", "pages")

    await store.delete(PAGE)
    await store.flush()

    assert host.git("log", "--format=", "--name-only", "pages") == b".nojekyll\ncheckpoint\n"


@pytest.mark.parametrize("looked", [True, False])
async def test_a_branch_that_is_gone_is_noticed_and_filled_by_who_puts(
    host: Host, room: Path, caplog: pytest.LogCaptureFixture, looked: bool
):
    store = host.store(room)
    await put(store, page=b"<p>1", checkpoint=b"1")

    host.git("update-ref", "-d", "refs/heads/pages")
    if not looked:
        with pytest.raises(StoreError, match="pages: branch pages: gone"):
            await put(store, checkpoint=b"2")
    assert await store.get(CHECKPOINT) is None
    assert await store.names(PAGE.rpartition("/")[0]) == []
    await put(store, page=b"<p>1")

    assert host.read(PAGE) == b"<p>1"
    assert host.read(CHECKPOINT) == (None if looked else b"2")
    assert "branch pages is gone" in caplog.text


@pytest.mark.parametrize("looked", [True, False])
async def test_what_others_put_on_the_branch_is_said_and_replaced(
    host: Host, room: Path, caplog: pytest.LogCaptureFixture, looked: bool
):
    store = host.store(room)
    await put(store, page=b"<p>1", checkpoint=b"1")
    theirs = host.git("commit-tree", "-m", "x", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
    host.git("update-ref", "refs/heads/pages", theirs.decode().strip())

    if looked:
        assert await store.get(CHECKPOINT) is None
    await put(store, checkpoint=b"2")

    assert host.read(PAGE) == b"<p>1"
    assert await store.get(CHECKPOINT) == host.read(CHECKPOINT) == b"2"
    assert "has what others put there: it is replaced" in caplog.text


async def test_what_was_withdrawn_while_others_had_the_branch_does_not_come_back(
    host: Host, room: Path
):
    store = host.store(room)
    await put(store, page=b"<p>1", checkpoint=b"1")
    theirs = host.git("commit-tree", "-m", "x", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
    host.git("update-ref", "refs/heads/pages", theirs.decode().strip())
    assert await store.get(PAGE) is None

    for path in await store.names(PAGE.rpartition("/")[0]):
        await store.delete(path)
    await put(store, checkpoint=b"2")

    assert (host.read(PAGE), host.read(CHECKPOINT)) == (None, b"2")


async def test_what_a_host_did_not_take_goes_with_the_next_batch(host: Host, room: Path):
    store = beside(host, room)
    await put(store, checkpoint=b"1")
    away = host.repository.with_name("away.git")

    host.repository.rename(away)
    with pytest.raises(StoreError, match="no repository there"):
        await put(store, page=b"<p>1", checkpoint=b"2")
    away.rename(host.repository)
    assert await store.get(CHECKPOINT) == b"1"
    assert await store.get(PAGE) is None
    await put(store, other=b"<p>2")

    assert [host.read(each) for each in (PAGE, OTHER, CHECKPOINT)] == [b"<p>1", b"<p>2", b"2"]


async def test_a_push_whose_answer_was_lost_is_known_to_have_arrived(host: Host, room: Path):
    with listening(losing_answers(host)) as to, pytest.raises(StoreError, match="pages: "):
        await put(host.store(room, to=to), page=b"<p>1", checkpoint=b"1")
    assert host.read(CHECKPOINT) == b"1"
    before = host.head()

    store = host.store(room)

    assert await store.get(CHECKPOINT) == b"1"
    await put(store, page=b"<p>1", checkpoint=b"1")
    assert host.head() == before


async def test_a_broken_copy_is_begun_anew(host: Host, room: Path):
    store = beside(host, room)
    await put(store, page=b"<p>1", checkpoint=b"1")
    (room / "copy.db").write_bytes(b"no database" * 999)

    with pytest.raises(StoreError, match=r"pages: own copy of the branch: .*: begun anew"):
        await store.get(CHECKPOINT)
    assert await store.get(CHECKPOINT) is None
    await put(store, checkpoint=b"2")

    assert host.read(CHECKPOINT) == await store.get(CHECKPOINT) == b"2"


async def test_other_bytes_under_a_name_that_never_changes_are_refused(host: Host, room: Path):
    store = beside(host, room)
    await put(store, page=b"<p>1")

    with pytest.raises(StoreError, match=f"pages: {PAGE}: already holds other bytes"):
        await put(store, page=b"<p>other", checkpoint=b"1")
    await put(store, checkpoint=b"2")

    assert (host.read(PAGE), host.read(CHECKPOINT)) == (b"<p>1", b"2")


REFUSED = {
    "no such repository": ("git/other.git", {}, "no such repository"),
    "wrong token": ("git/site.git", {"TOKEN": "wrong-token"}, "wrong user or token"),
    "wrong user": ("git/site.git", {"USER": "nobody-here"}, "wrong user or token"),
    "moved": ("moved/site.git", {}, "moved to another address"),
    "broken": ("broken/site.git", {}, "not a git host, or a broken one"),
    "web site": ("page/site.git", {}, "not a git host, or a broken one"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_host_that_refuses_is_named_with_who_must_act(host: Host, room: Path, case: str):
    path, secret, words = REFUSED[case]
    store = host.store(room, secret={**SECRET, **secret}, to=host.address(path))

    with pytest.raises(StoreError, match=f"pages: .*{words}") as looked:
        await store.get(CHECKPOINT)
    with pytest.raises(StoreError, match=f"pages: .*{words}") as sent:
        await put(store, page=b"<p>1")

    for said in (looked, sent):
        assert not {*secret.values(), TOKEN} & set(str(said.value).split())


async def test_a_branch_that_is_protected_shows_with_the_second_batch(host: Host, room: Path):
    host.git("config", "receive.denyNonFastForwards", "true")
    store = host.store(room)
    await put(store, checkpoint=b"1")

    with pytest.raises(StoreError, match="branch pages: refused: it must allow forced pushes"):
        await put(store, checkpoint=b"2")


async def test_what_a_hook_says_is_told_in_one_short_line_without_secrets(host: Host, room: Path):
    hook = host.repository / "hooks" / "pre-receive"
    hook.write_text(
        f"#!/bin/sh\nprintf 'quota \\033[31m\\nfor {TOKEN}\\n'; yes | head -9999; exit 1"
    )
    hook.chmod(0o755)

    with pytest.raises(StoreError, match=r"the host has no room left for it: .*quota") as said:
        await put(host.store(room), checkpoint=b"1")

    text = str(said.value)
    assert text.isprintable()
    assert len(text) < 1000
    assert TOKEN not in text


async def test_a_push_that_is_too_large_for_the_host_is_named(room: Path):
    with store_git.running(limit="20k") as small:
        store = small.store(room)
        await store.put("index.html", bytes(range(256)) * 4)
        await store.flush()

        await store.put("archive.html", b"".join(b"%d " % (n * n) for n in range(20_000)))
        with pytest.raises(StoreError, match="too large for the host"):
            await store.flush()


@pytest.mark.parametrize("expired", [True, False])
async def test_a_certificate_must_be_valid_and_trusted(tmp_path: Path, expired: bool):
    path = certificate(tmp_path, expired=expired)
    trusted = path if expired else ""
    with store_git.running(tls=path) as host:
        store = host.store(tmp_path / "room", ca=trusted) if trusted else host.store(tmp_path / "r")

        words = "has expired: the host must renew it" if expired else "by nobody who is trusted"
        with pytest.raises(StoreError, match=f"pages: its certificate .*{words}"):
            await store.get(CHECKPOINT)

        if not expired:
            trusting = host.store(tmp_path / "room", ca=path)
            await put(trusting, checkpoint=b"1")
            assert host.read(CHECKPOINT) == b"1"


async def test_a_host_that_is_down_or_never_ends_is_an_error(
    host: Host, room: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(http, "SILENT_S", 0.3)
    with listening(endless) as to, pytest.raises(StoreError, match="longer than any"):
        await host.store(room, to=to).get(CHECKPOINT)
    with pytest.raises(StoreError, match="down: connection refused"):
        await host.store(room, to=to).get(CHECKPOINT)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        to = f"http://127.0.0.1:{silent.getsockname()[1]}/git/site.git"
        with pytest.raises(StoreError, match="no answer in time"):
            await host.store(room, to=to).get(CHECKPOINT)


@pytest.mark.parametrize(
    ("to", "secret", "options", "words"),
    [
        ("http://host.example/x.git", SECRET, {}, "https was expected"),
        (f"https://press:{TOKEN}@host.example/x.git", {}, {}, "into its secret file"),
        ("https://host.example:x/x.git", {}, {}, "not the address of a repository"),
        ("https://host.example/x.git", {}, {"brunch": "x"}, "brunch is none"),
        ("https://host.example/x.git", {}, {"branch": "a..b"}, "not the name of a branch"),
        ("https://host.example/x.git", {}, {"folder": "../x"}, "a path in the repository"),
        ("git@host.example:x.git", {}, {}, "KEY_FILE=/"),
        ("git@host.example:x.git", {"KEY_FILE": "/none", "HOST_KEY": "x"}, {}, "not readable"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(
    room: Path,
    to: str,
    secret: Mapping[str, str],
    options: Mapping[str, str],
    words: str,
):
    with pytest.raises(SettingsError, match=f"pages: .*{words}") as refused:
        GitStore("pages", to, room=room, secret=secret, options=options)

    assert TOKEN not in str(refused.value)


async def test_the_password_is_in_no_file_of_the_store(host: Host, room: Path):
    await put(host.store(room), page=b"<p>1")

    assert not [data for data in files(room) if TOKEN.encode() in data]


async def test_over_ssh_one_key_writes_to_one_pinned_host(host: Host, room: Path):
    with store_git.over_ssh(host) as secret:
        to = f"ssh://root@127.0.0.1:{secret['PORT']}{host.repository}"
        store = host.store(room, secret=secret, to=to)
        assert await store.get(CHECKPOINT) is None
        await put(store, page=b"<p>1", checkpoint=b"1")

        assert await store.get(CHECKPOINT) == host.read(CHECKPOINT) == b"1"

        other = (host.folder / "own.pub").read_text().rpartition(" ")[0]
        with pytest.raises(StoreError, match="another key than HOST_KEY: not trusted"):
            await host.store(room, secret={**secret, "HOST_KEY": other}, to=to).get(CHECKPOINT)
        stranger = {**secret, "KEY_FILE": str(host.folder / "machine")}
        with pytest.raises(StoreError, match="refuses the user or the key in KEY_FILE"):
            await host.store(room, secret=stranger, to=to).get(CHECKPOINT)
        with pytest.raises(StoreError, match="pages: the connection was cut"):
            await host.store(room, secret=secret, to=f"{to}-not").get(CHECKPOINT)


@pytest.mark.parametrize("where", ["at a host", "on this disk"])
async def test_what_is_read_for_a_change_does_not_grow_with_the_site(
    host: Host, room: Path, where: str
):
    store = host.store(room) if where == "at a host" else beside(host, room)
    read = []
    for size in (300, 3000):
        for n in range(size):
            await store.put(f"a/{n % 30}/{n % 29}/{n % 31}/w64tnmfzrgi3dam{n:04}/1.html", b"%d" % n)
        await put(store, checkpoint=b"%d" % size)
        before = _read_bytes()
        await put(store, page=b"<p>1", checkpoint=b"one more than %d" % size)
        read.append(_read_bytes() - before)
        await store.delete(PAGE)

    assert read[1] <= 2 * read[0]


def _read_bytes() -> int:
    """Return how many bytes this process has read, from files or sockets alike."""
    return int(Path("/proc/self/io").read_text().split()[1])


async def test_a_repository_on_this_disk_is_written_to_without_a_look_at_its_packs(
    host: Host, room: Path
):
    store = beside(host, room)
    await put(store, page=b"<p>1")
    packs = {each: each.read_bytes() for each in host.repository.glob("objects/pack/pack-*")}
    for each in packs:
        each.chmod(0o644)
        each.write_bytes(b"not to be read")

    await put(store, other=b"<p>2")

    for each, data in packs.items():
        each.write_bytes(data)
    host.git("fsck", "--strict")
    assert (host.read(PAGE), host.read(OTHER)) == (b"<p>1", b"<p>2")


async def test_what_a_repository_on_this_disk_shows_is_on_the_disk(
    host: Host, room: Path, monkeypatch: pytest.MonkeyPatch
):
    synced: list[str] = []

    def fsync(fd: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        os_fsync(fd)

    os_fsync = os.fsync
    monkeypatch.setattr(os, "fsync", fsync)
    await put(beside(host, room), page=b"<p>1")

    kept = host.repository / "objects" / "pack"
    names = [str(Path(each).relative_to(host.repository)) for each in synced]
    assert [name for name in names if "tmp_" not in name] == [
        "objects/pack",
        "refs/heads/pages.lock",
        "refs/heads",
    ]
    assert len([name for name in names if "tmp_" in name]) == len(list(kept.iterdir())) == 2
