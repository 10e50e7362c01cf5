"""Places behind rclone: what a batch costs, what goes wrong, and that no secret is told."""

import asyncio
import base64
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
import store_ftp
import store_sftp
import store_webdav
from aiohttp import web
from lab.authority import Authority
from small_disk import small_disk
from store_places import Place
from store_sftp import Sshd
from store_webdav import PASSWORD, Nginx

import mirror.stores.rclone as rclone_module
from mirror.errors import SettingsError, StoreError
from mirror.outside import store_of
from mirror.settings.outside import StoreSettings
from mirror.stores import Store, write
from mirror.stores.rclone import RcloneStore
from mirror.stores.rclone.remote import CREDENTIALS, PASSWORDS, PASSWORDS_OF, UNMARKED, Remote
from mirror.stores.rclone.run import STALL_S, Answer, program
from mirror.stores.rclone.webdav import failure, folders, reading
from mirror.stores.rclone.words import explain
from mirror.stores.words import forms, without

A = "a/b/c/d/" + 17 * "e"
PAGE = f"{A}/1.html"
SITE = {PAGE: b"page", f"{A}/1.html.tlog-proof": b"proof", "index.html": b"i", "checkpoint": b"c"}


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return tmp_path / "stores" / "far"


@pytest.fixture
def sshd() -> Iterator[Sshd]:
    with store_sftp.running() as server:
        yield server


@pytest.fixture
def nginx() -> Iterator[Nginx]:
    with store_webdav.running() as server:
        yield server


@pytest.fixture(params=[store_sftp, store_webdav, store_ftp], ids=["sftp", "webdav", "ftp"])
def place(request: pytest.FixtureRequest, room: Path) -> Iterator[Place]:
    with request.param.place(room) as place:
        yield place


def sftp(server: Sshd, room: Path, *, to: str = "far:site", **told: str) -> RcloneStore:
    return RcloneStore("far", to, room=room, secret={}, options=server.options() | told)


def webdav(server: Nginx, room: Path, *, password: str = PASSWORD, **told: str) -> RcloneStore:
    secret = {"pass": password}
    return RcloneStore("far", "far:", room=room, secret=secret, options=server.options() | told)


async def put(store: Store, path: str = PAGE, data: bytes = b"x") -> None:
    await store.put(path, data)
    await store.flush()


async def why(store: Store, path: str = PAGE, data: bytes = b"x") -> str:
    """Return why nothing is kept."""
    with pytest.raises(StoreError) as caught:
        await put(store, path, data)
    return str(caught.value)


async def test_new_bytes_of_the_same_size_reach_readers_at_once(place: Place):
    store = place.make()
    await write(store, SITE)
    await put(store, "checkpoint", b"d")

    assert {path: place.read(path) for path in SITE} == SITE | {"checkpoint": b"d"}


async def test_a_batch_may_put_and_remove_and_the_last_word_holds(place: Place):
    store = place.make()
    await write(store, SITE)
    await store.put("index.html", b"new")
    await store.delete("index.html")
    await store.delete("checkpoint")
    await store.put("checkpoint", b"kept")
    await store.delete("never/was")
    await store.flush()

    assert place.read("index.html") is None
    assert place.read("checkpoint") == b"kept"
    assert await store.names(A) == [PAGE, f"{A}/1.html.tlog-proof"]
    assert await store.names("never") == []


async def test_an_empty_file_is_another_thing_than_none(place: Place):
    store = place.make()
    await put(store, PAGE, b"")

    assert await store.get(PAGE) == b""
    assert await store.get(f"{A}/2.html") is None
    assert await store.get("never/was") is None


async def test_what_a_batch_needs_here_is_private_and_gone_after_it(place: Place, room: Path):
    store = place.make()
    await store.put(PAGE, bytes(rclone_module.MAX_HELD + 1))
    modes = modes_of(room)
    await store.flush()

    assert modes == {0o700}
    assert batches(room) == []


def modes_of(folder: Path) -> set[int]:
    return {stat.S_IMODE(each.stat().st_mode) for each in (folder, *folder.iterdir())}


def batches(room: Path) -> list[str]:
    return [each.name for each in room.glob("put-*")]


async def test_settings_named_from_the_folder_one_is_in_lead_to_the_same_room(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    store = store_of(
        StoreSettings(name="far", kind="rclone", to="far:site", options=sshd.options()), Path()
    )
    await put(store)

    assert await store.get(PAGE) == b"x"


async def test_what_a_killed_process_left_is_removed(room: Path, tmp_path: Path):
    (room / f"put-{ended_process()}-x").mkdir(parents=True)
    (room / f"put-{os.getpid()}-x").mkdir()
    store = local(room, tmp_path / "far")
    await put(store)

    assert batches(room) == [f"put-{os.getpid()}-x"]


def ended_process() -> int:
    """Return the number of a process that is no more."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def local(room: Path, folder: Path, **told: str) -> RcloneStore:
    options = {"type": "local", **told}
    return RcloneStore("far", f"far:{folder}", room=room, secret={}, options=options)


async def test_a_file_that_does_not_come_over_is_an_error(room: Path, tmp_path: Path):
    store = local(room, tmp_path / "far")
    await store.put("kept", bytes(rclone_module.MAX_HELD + 1))  # written down, for it is large
    await store.put(PAGE, b"x")
    lose(room, "kept")
    with pytest.raises(StoreError, match="far: not kept: 1 of 2 files sent"):
        await store.flush()


def lose(room: Path, name: str) -> None:
    [file] = room.glob(f"put-*/{name}")
    file.unlink()


async def test_one_change_costs_the_same_however_much_is_there(nginx: Nginx, room: Path):
    for number in range(3000):
        folder = nginx.site / "a" / str(number % 50)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
        (folder / f"{number}.html").write_bytes(b"page")
    store = webdav(nginx, room)
    await put(store, "a/7/7.html", b"edit")
    asked = nginx.asked()

    assert nginx.read("a/7/7.html") == b"edit"
    assert [line.split()[0] for line in asked] == ["MKCOL", "PUT", "PROPFIND"]


async def test_a_look_that_finds_nothing_new_is_one_request(nginx: Nginx, room: Path):
    store = webdav(nginx, room)
    await put(store, "checkpoint", b"c")
    before = len(nginx.asked())

    assert await store.get("checkpoint") == b"c"
    assert await store.get("index.html") is None
    assert [line.split()[0] for line in nginx.asked()[before:]] == ["GET", "GET"]


async def test_a_new_article_costs_few_requests_however_deep_it_is(nginx: Nginx, room: Path):
    store, costs = webdav(nginx, room), []
    for place in ("b/c/d", "b/c/e", "b/x/y"):
        before = len(nginx.asked())
        await put(store, f"a/{place}/{'e' * 17}/1.html", b"x")
        costs.append([line.split()[0] for line in nginx.asked()[before:]])
    again = webdav(nginx, room)
    before = len(nginx.asked())
    await put(again, f"a/b/x/z/{'e' * 17}/1.html", b"x")
    costs.append([line.split()[0] for line in nginx.asked()[before:]])

    sent = ["MKCOL", "PUT", "PROPFIND"]
    assert costs == [[*["MKCOL"] * new, *sent] for new in (5, 2, 3, 5)]


async def test_a_folder_that_is_lost_meanwhile_is_made_again(nginx: Nginx, room: Path):
    store = webdav(nginx, room)
    await put(store, f"a/b/c/d/{'e' * 17}/1.html", b"x")
    nginx.empty()
    await put(store, f"a/b/c/d/{'f' * 17}/1.html", b"x")

    assert nginx.read(f"a/b/c/d/{'f' * 17}/1.html") == b"x"


@pytest.mark.parametrize(
    "told",
    [
        {"type": "sftp"},
        {"vendor": "sharepoint-ntlm"},
        {"bearer_token": "x"},
        {"unix_socket": "/x"},
        {"config": "/x"},
    ],
)
def test_a_place_that_lets_in_in_another_way_is_read_in_rclones_own(told: dict[str, str]):
    plain = {"type": "webdav", "url": "https://far.example/", "vendor": "other", "user": "desk"}

    assert reading(plain, {"pass": PASSWORD})["url"] == "https://far.example/"
    assert reading(plain | told, {"pass": PASSWORD}) == {}


def test_many_folders_are_left_to_rclone_which_makes_some_at_once():
    paths = [f"a/b/c/{letter}/e/1.html" for letter in "de"]

    assert folders(paths, known=["a", "a/b"])[:2] == ["a/b/c", "a/b/c/d"]
    assert folders(paths, known=[]) == []
    assert folders(["a/b/c/d/e/2.html", "index/00.json"], known=[]) == []


@pytest.mark.parametrize("output", [b"", b"[]", b'{"results":[1]}'])
def test_folders_of_which_rclone_says_nothing_are_not_made(output: bytes):
    assert failure(output) == "rclone gave no answer"


async def test_a_file_of_this_size_is_not_read_to_its_end(
    room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = local(room, tmp_path / "far")
    await put(store, PAGE, bytes(200_000))
    monkeypatch.setattr(rclone_module, "MAX_FILE", 100_000)
    with pytest.raises(StoreError, match=f"{PAGE}: failed: more than 100000 bytes"):
        await store.get(PAGE)


async def test_a_place_that_is_full_by_its_own_word_is_told_before(sshd: Sshd, room: Path):
    store = sftp(sshd, room)
    await store.reserve(1)
    with pytest.raises(StoreError, match=r"far: disk full: \d+ bytes free"):
        await store.reserve(1 << 60)


# What the operator must mend.


async def test_a_host_is_asked_for_the_kind_of_key_that_is_known(sshd: Sshd, room: Path):
    sshd.pin("second")
    await put(sftp(sshd, room))

    assert (sshd.site / PAGE).read_bytes() == b"x"


async def test_another_host_key_is_refused_before_anything_is_sent(sshd: Sshd, room: Path):
    sshd.make_key("user2")
    sshd.pin("user2")

    assert "far: not kept: another host key than the one in known_hosts" in await why(
        sftp(sshd, room)
    )
    assert list(sshd.site.iterdir()) == []


async def test_an_unknown_host_is_refused(sshd: Sshd, room: Path):
    sshd.known_hosts.write_text(sshd.known_hosts.read_text().replace("127.0.0.1", "127.0.0.2"))

    assert "known_hosts has no key of this host: get it with `ssh-keyscan" in await why(
        sftp(sshd, room)
    )


def test_sftp_without_a_pinned_host_key_is_refused(room: Path):
    options = {"type": "sftp", "host": "far.example", "port": "2222"}
    with pytest.raises(SettingsError, match=r"known_hosts: .*ssh-keyscan -p 2222 far.example"):
        RcloneStore("far", "far:site", room=room, secret={}, options=options)


async def test_a_key_or_password_that_is_not_let_in(sshd: Sshd, nginx: Nginx, room: Path):
    sshd.make_key("user2")
    bare = {key: value for key, value in sshd.options().items() if key != "key_file"}
    stores = [
        sftp(sshd, room, key_file=str(sshd.folder / "user2")),
        RcloneStore("far", "far:site", room=room, secret={"pass": "x"}, options=bare),
        webdav(nginx, room, password="wrong"),
    ]
    for store in stores:
        assert (await why(store)).startswith("far: not kept: not let in: the user, password or key")
        with pytest.raises(StoreError, match=f"far: {PAGE}: not let in"):
            await store.get(PAGE)
        with pytest.raises(StoreError, match="far: a: not let in"):
            await store.names("a")


async def test_ftp_says_that_too(room: Path):
    with store_ftp.running() as server:
        options = server.options()
        store = RcloneStore("far", "far:", room=room, secret={"pass": "x"}, options=options)

        assert "far: not kept: not let in" in await why(store)


async def test_a_thousand_files_do_not_try_a_wrong_password_a_thousand_times(
    nginx: Nginx, room: Path
):
    store = webdav(nginx, room, password="wrong")
    for number in range(500):
        await store.put(f"a/{number}.html", b"x")
    with pytest.raises(StoreError, match="not let in"):
        await store.flush()

    assert len(nginx.asked()) < 250  # what four connections ask before the program is ended


async def test_a_folder_that_is_not_the_users(sshd: Sshd, nginx: Nginx, room: Path):
    if not store_sftp.is_root():
        pytest.skip("only root can take a folder from a server")
    os.chown(nginx.site, 0, 0)

    assert "far: not kept: not permitted" in await why(sftp(sshd, room, to="far:"))
    assert "far: not kept: not permitted" in await why(webdav(nginx, room))


async def test_a_full_disk_is_called_so_and_holds_all_once_there_is_room(sshd: Sshd, room: Path):
    with small_disk(sshd.site) as grow:
        store = sftp(sshd, room)
        for _ in range(2):
            words = await why_many(store)

            assert "far: not kept: disk full: " in words
        await (await asyncio.create_subprocess_exec(*grow)).wait()
        for number in range(20):
            await store.put(f"a/{number}.html", bytes(100_000))
        await store.flush()

        assert {file.name for file in sshd.site.rglob("*.*")} == {f"{n}.html" for n in range(20)}


async def why_many(store: Store) -> str:
    for number in range(20):
        await store.put(f"a/{number}.html", bytes(100_000))
    with pytest.raises(StoreError) as caught:
        await store.flush()
    return str(caught.value)


async def test_a_full_disk_is_called_so_over_ftp_too(room: Path):
    with store_ftp.running() as server, small_disk(server.site):
        options = server.options()
        secret = {"pass": store_ftp.PASSWORD}
        store = RcloneStore("far", "far:", room=room, secret=secret, options=options)

        assert "far: not kept: disk full: the place needs room" in await why_many(store)


async def test_a_server_that_fails_over_webdav_is_told_apart(nginx: Nginx, room: Path):
    with small_disk(nginx.site):
        assert "far: not kept: the server fails" in await why_many(webdav(nginx, room))


async def test_nobody_there(room: Path, nginx: Nginx):
    store = webdav(nginx, room, url=f"http://127.0.0.1:{store_sftp.free_port()}/")

    assert "far: not kept: nobody listens there" in await why(store)
    with pytest.raises(StoreError, match="nobody listens there"):
        await store.get(PAGE)


async def test_an_address_that_takes_no_files(room: Path, nginx: Nginx):
    store = webdav(nginx, room, url=f"http://127.0.0.1:{nginx.public}/")

    assert "far: not kept: the server takes no files at this address" in await why(store)


async def test_a_certificate_must_hold(room: Path):
    with store_webdav.made() as nginx:
        said = await with_certificates(nginx, room)
        kept = nginx.site.joinpath(PAGE).read_bytes()

    assert kept == b"x"
    assert "far: not kept: a certificate that does not hold" in said["unknown"]
    assert "far: not kept: no TLS there" in said["plain"]
    assert "far: not kept: expired certificate: the place's owner must renew it" in said["old"]


async def with_certificates(nginx: Nginx, room: Path) -> dict[str, str]:
    """Put a page over TLS; return why it is not kept where something is wrong."""
    authority = Authority(nginx.folder / "authority.pem")
    for name, days in (("good", 1), ("old", -1)):
        authority.issue(nginx.folder / name, "127.0.0.1", days=days)
    url = f"https://127.0.0.1:{nginx.port}/"
    told = {"url": url, "ca_cert": str(nginx.folder / "authority.pem")}
    said = {}
    for name in ("good", "old"):
        (nginx.folder / "nginx.conf").write_text(nginx.settings(tls=name))
        with store_webdav.serving(nginx):
            if name == "good":
                await put(webdav(nginx, room, **told))
                said["unknown"] = await why(webdav(nginx, room, url=url))
                said["plain"] = await why(
                    webdav(nginx, room, url=url.replace(str(nginx.port), str(nginx.public)))
                )
            else:
                said["old"] = await why(webdav(nginx, room, **told))
    return said


# What hangs.


@asynccontextmanager
async def hanging() -> AsyncIterator[str]:
    """Serve an address that takes whatever is sent and never answers."""

    taken: list[asyncio.StreamWriter] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)
        with suppress(ConnectionError):
            while await reader.read(1 << 16):
                pass
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.close()
        for writer in taken:
            writer.transport.abort()
        await asyncio.sleep(0)  # in which they are closed


def hung(room: Path, url: str, *, stall_s: float = STALL_S) -> RcloneStore:
    options = {"type": "webdav", "url": url, "user": "desk"}
    secret = {"pass": PASSWORD}
    return RcloneStore("far", "far:", room=room, secret=secret, options=options, stall_s=stall_s)


def children(pid: int | str = "self") -> list[int]:
    """Return the processes that a process has started."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread that has just ended
            found += (task / "children").read_text().split()
    return [int(word) for word in found]


def file_of(pid: int, name: str) -> str:
    """Return what the system tells of a process: its `cmdline`, its `environ`; "" if it is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode()
    except OSError:
        return ""


async def a_copy(pid: int | str = "self") -> int:
    """Return the process that runs the copy, once it does."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for child in children(pid):
            if "rclone\0copy\0" in file_of(child, "cmdline"):
                return child
        await asyncio.sleep(0.01)
    raise AssertionError("no copy was started")


async def gone(pid: int) -> bool:
    """Return whether a process ends soon."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if file_of(pid, "cmdline") == "":  # so it is as soon as it has ended
            return True
        await asyncio.sleep(0.01)
    return False


async def test_a_place_that_hangs_is_given_up_and_nothing_goes_on(room: Path):
    async with hanging() as url:
        before = children()
        for work in (put, lambda store: store.get(PAGE), lambda store: store.names("a")):
            with pytest.raises(StoreError, match="far: no answer: nothing moved for 1 s"):
                await work(hung(room, url, stall_s=1))

        assert children() == before


async def test_a_place_that_is_slow_but_moves_is_waited_for(room: Path):
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "PROPFIND":
            return web.Response(status=207, text=FOUND, content_type="text/xml")
        response = web.StreamResponse(headers={"Content-Length": "500000"})
        await response.prepare(request)
        for _ in range(10):
            await response.write(bytes(50_000))
            await asyncio.sleep(0.4)
        return response

    async with serving(answer) as url:
        assert await hung(room, url, stall_s=3).get("checkpoint") == bytes(500_000)


FOUND = """<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"><D:response>
<D:href>/checkpoint</D:href><D:propstat><D:prop><D:getcontentlength>500000</D:getcontentlength>
<D:resourcetype/></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>
</D:response></D:multistatus>"""


@asynccontextmanager
async def serving(
    answer: Callable[[web.Request], object],
) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)  # type: ignore[arg-type]
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def test_a_cancelled_batch_leaves_no_process_and_no_file(room: Path):
    async with hanging() as url:
        task = asyncio.create_task(put(hung(room, url), "checkpoint"))
        child = await a_copy()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert file_of(child, "cmdline") == ""
        assert batches(room) == []


KILLED = """
import asyncio, pathlib, sys
from mirror.stores.rclone import RcloneStore
async def main():
    options = {"type": "webdav", "url": sys.argv[2]}
    store = RcloneStore("far", "far:", room=pathlib.Path(sys.argv[1]), secret={}, options=options)
    await store.put("checkpoint", b"x")
    await store.flush()
asyncio.run(main())
"""


async def test_it_ends_with_a_daemon_that_is_killed(room: Path):
    async with hanging() as url:
        daemon = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, room, url)
        child = await a_copy(daemon.pid)
        daemon.kill()
        await daemon.wait()

        assert await gone(child)


# What must not be told.


async def test_no_secret_is_on_a_command_line(room: Path):
    async with hanging() as url:
        task = asyncio.create_task(put(hung(room, url), "checkpoint"))
        child = await a_copy()
        line, environment = file_of(child, "cmdline"), file_of(child, "environ")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    obscured = next(
        word.partition("=")[2]
        for word in environment.split("\0")
        if word.startswith("RCLONE_CONFIG_FAR_PASS=")
    )

    assert PASSWORD not in line
    assert obscured not in line
    assert PASSWORD not in environment


async def test_a_server_that_repeats_the_password_is_not_quoted(room: Path):
    async def answer(request: web.Request) -> web.Response:
        header = request.headers["Authorization"]
        said = f"{header} {PASSWORD} {quote(PASSWORD)} {json.dumps(PASSWORD)} and more"
        return web.Response(status=500, reason="No", text=said)

    async with serving(answer) as url:
        words = await why(hung(room, url))

    assert "and more" in words
    for form in ("drei", quote(PASSWORD), base64.b64encode(f"desk:{PASSWORD}".encode()).decode()):
        assert form not in words


def test_whatever_way_a_secret_is_written_it_is_hidden():
    secret = 'a/b"c d&é\\'
    words = " ".join(forms(secret, user="desk"))

    assert set(without(f"{words} end", set(forms(secret, user="desk")))) <= set("… end")


def test_a_password_among_the_options_is_refused(room: Path):
    for options in ({"pass": "x"}, {"url": "https://desk:x@far.example/"}):
        with pytest.raises(
            SettingsError, match="a password belongs in the secret's file"
        ) as caught:
            RcloneStore("far", "far:", room=room, secret={}, options={"type": "webdav", **options})

        assert "x@" not in str(caught.value)


@pytest.mark.parametrize("key", sorted(CREDENTIALS | UNMARKED | {"Bearer_Token", "PASS"}))
def test_a_credential_among_the_options_is_refused(room: Path, key: str):
    options = {"type": "webdav", key: "s3cret"}
    said = f"far: options: {key}: a password belongs in the secret's file"
    with pytest.raises(SettingsError, match=f"^{said}$"):
        RcloneStore("far", "far:", room=room, secret={}, options=options)

    RcloneStore("far", "far:", room=room, secret={key: "s3cret"}, options={"type": "webdav"})


HARMLESS = """
    access_key_id account account_id api_url app_id apple_id application_credential_id
    application_credential_name base_folder_uuid client_id client_uid cloud_name compartment
    deleted_id device_id domain drive_id email host impersonate impersonate_admin msi_client_id
    msi_mi_res_id msi_object_id namenode namespace plex_username project_number public_key
    root_folder_id root_folder_slug root_id service_principal_name spn sse_customer_key_md5
    sse_kms_key_id team_drive tenant tenant_domain tenant_id url user user_id user_project
    username workspace_id
"""  # Who, where, or the sum of a key: none lets anybody in, and rclone calls them sensitive.


def test_what_says_only_who_or_where_may_stand_among_the_options(room: Path):
    options = dict.fromkeys((*HARMLESS.split(), "key_file", "client_credentials"), "desk")
    RcloneStore("far", "far:", room=room, secret={}, options={"type": "webdav", **options})


def test_all_that_rclone_calls_sensitive_is_known_as_one_or_the_other():
    marked = {name for _, name, told in providers() if told["Sensitive"] or told["IsPassword"]}
    harmless = set(HARMLESS.split())
    secret = PASSWORDS | {name for _, name in PASSWORDS_OF} | CREDENTIALS

    assert marked == secret | harmless
    assert not (secret | UNMARKED) & harmless


async def test_a_credential_in_the_secrets_file_is_sent_and_not_quoted(room: Path):
    async def answer(request: web.Request) -> web.Response:
        said = f"{request.headers['Authorization']} {request.headers['X-Own']} and more"
        return web.Response(status=500, reason="No", text=said)

    secret = {"bearer_token": "s3cret/token", "headers": "X-Own,own s3cret"}
    async with serving(answer) as url:
        options = {"type": "webdav", "url": url}
        words = await why(RcloneStore("far", "far:", room=room, secret=secret, options=options))

    assert "Bearer … … and more" in words
    assert "s3cret" not in words


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ({"token": '{"access_token":"ya29.s3cret","token_type":"Bearer"}'}, "Bearer ya29.s3cret"),
        ({"config_credentials": '{"a":[{"privateKey":"s3\\ncret-key"}]}'}, "key cret-key"),
        ({"sas_url": "https://far.example/c?sp=r&sig=s3cret%2Bs3cret%3D"}, "s3cret+s3cret="),
        ({"connection_string": "AccountName=desk;AccountKey=s3cretkey=="}, "key s3cretkey=="),
        ({"token": "[" * 50_000, "key": "s3cretkey"}, "key s3cretkey"),
    ],
)
def test_a_part_of_a_credential_is_hidden_too(room: Path, secret: dict[str, str], told: str):
    remote = Remote("far", "far:", room=room, secret=secret, options={"type": "local"})
    answer = Answer(1, b"", (f"https://far.example/c said {told}",))

    said = str(remote.failed("a", answer))
    assert "cret" not in said
    assert "https://far.example/c said" in said


def providers() -> Iterator[tuple[str, str, dict[str, bool]]]:
    """Yield each kind of place with each of its options, as rclone has them."""
    made = subprocess.run([program(), "config", "providers"], check=True, capture_output=True)
    for kind in json.loads(made.stdout):
        for option in kind["Options"]:
            yield kind["Name"], option["Name"], option


def test_all_passwords_that_rclone_wants_obscured_are_known():
    wanted: Mapping[bool, set[tuple[str, str]]] = {True: set(), False: set()}
    for kind, name, told in providers():
        wanted[told["IsPassword"]].add((kind, name))
    always = {name for _, name in wanted[True]} - {name for _, name in wanted[False]}

    assert always == PASSWORDS
    assert {each for each in wanted[True] if each[1] not in always} == PASSWORDS_OF


# What it is told, and by whom.


async def test_the_operators_own_settings_of_rclone_are_not_used(
    room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "rclone.conf"
    file.write_text(f"[far]\ntype = alias\nremote = {tmp_path / 'elsewhere'}\n")
    monkeypatch.setenv("RCLONE_CONFIG", str(file))
    monkeypatch.setenv("RCLONE_CONFIG_FAR_TYPE", "memory")
    monkeypatch.setenv("RCLONE_DRY_RUN", "true")
    await put(local(room, tmp_path / "here"))
    named = RcloneStore("far", "far:site", room=room, secret={}, options={"config": str(file)})
    await put(named)

    assert (tmp_path / "here" / PAGE).read_bytes() == b"x"
    assert (tmp_path / "elsewhere" / "site" / PAGE).read_bytes() == b"x"


@pytest.mark.parametrize("to", ["", "far", ":sftp,pass=x:site", "a-b:c", "far:a\nb"])
def test_a_place_that_has_no_name_is_refused(room: Path, to: str):
    with pytest.raises(SettingsError, match="far: to: a remote's name"):
        RcloneStore("far", to, room=room, secret={}, options={"type": "local"})


@pytest.mark.parametrize("told", [{}, {"type": "local", "a b": "c"}, {"type": "a\0b"}])
def test_options_that_are_none_are_refused(room: Path, told: dict[str, str]):
    with pytest.raises(SettingsError, match="far: "):
        RcloneStore("far", "far:", room=room, secret={}, options=told)


async def test_a_kind_that_rclone_does_not_have_is_named(room: Path):
    store = RcloneStore("far", "far:", room=room, secret={}, options={"type": "nosuch"})

    assert "no remote that rclone knows" in await why(store)


# As rclone 1.75 writes them; what a machine without a network, or another server, would say.
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("dial tcp 192.0.2.1:22: connect: network is unreachable", "no way there"),
        ("dial tcp 192.0.2.1:22: connect: no route to host", "no way there"),
        ("dial tcp: lookup far.example on 127.0.0.1:53: no such host", "no such host"),
        ("dial tcp 192.0.2.1:22: i/o timeout", "no answer"),
        ("read tcp 192.0.2.1:22: connection reset by peer", "cut off"),
        ("Insufficient Storage: 507 Insufficient Storage", "disk full"),
        ("552 Requested file action aborted: exceeded storage allocation", "disk full"),
        ("googleapi: Error 403: The user's Drive storage quota has been exceeded", "disk full"),
    ],
)
def test_what_goes_wrong_elsewhere_has_a_name_too(words: str, reason: str):
    assert (explain(f"Failed to copy: {words}") or "").startswith(reason)
