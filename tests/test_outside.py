"""Places outside as the settings name them: their secrets, and that none delays another."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from copier_site import Site, making, no_time
from newsroom import Newsroom, feed, item
from operators import RSS, Operator, short

from mirror.agenda import Agenda
from mirror.cli import terminal, withdraw
from mirror.copier import Copier
from mirror.dag import Dag
from mirror.database import Database
from mirror.errors import SettingsError
from mirror.formats.paths import CHECKPOINT, article_folder
from mirror.outside import Following, follow_all, read_secret, store_of
from mirror.settings.outside import StoreSettings
from mirror.stores import patience
from mirror.stores.dir import DirStore
from mirror.stores.patience import in_own_thread

SECRET = "hunter2-and-more"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with making(tmp_path) as site:
        yield site


@pytest.fixture
def operator(tmp_path: Path, newsroom: Newsroom, capsys: pytest.CaptureFixture[str]) -> Operator:
    operator = Operator(tmp_path / "m", newsroom, capsys)
    assert operator("once") == 0
    return operator


def add_stores(operator: Operator, *names: str) -> None:
    text = operator.config.read_text()
    for name in names:
        text += f'\n[[stores]]\nname = "{name}"\nkind = "folder"\nto = "out/{name}"\n'
    operator.config.write_text(text)


@contextmanager
def dead_folder(folder: Path) -> Iterator[Path]:
    """Make a folder that answers as a dead network disk does: never."""
    folder.mkdir(parents=True)
    os.mkfifo(folder / CHECKPOINT)
    try:
        yield folder
    finally:
        with suppress(OSError):  # whoever still waits for it may end
            os.close(os.open(folder / CHECKPOINT, os.O_WRONLY | os.O_NONBLOCK))


@pytest.fixture
def following(site: Site) -> Iterator[Callable[[Path], Following]]:
    """Yield what makes a folder follow the site, with a database of its own as each has."""
    with ExitStack() as stack:

        def make(folder: Path) -> Following:
            db = Database.beside(site.beside.path, origin=site.signer.keys.origin)
            stack.callback(db.close)
            store = DirStore(folder, name=folder.name, in_thread=in_own_thread)
            dag = Dag(db, site.folder)
            return Following(Copier(store, dag, db, now=site.clock, sleep=no_time), db, dag)

        yield make


def same(operator: Operator, name: str) -> bool:
    """Return whether a store's folder is the site, byte for byte."""
    left_out = ("-x.staging", "-x*.gz", "-x*.br")
    command = ["diff", "-rq", *left_out, "site", f"out/{name}"]
    return subprocess.run(command, cwd=operator.folder, capture_output=True).returncode == 0


def wait_for(found: Callable[[], object], operator: Operator) -> None:
    end = time.monotonic() + 60
    while not found():
        assert time.monotonic() < end, (operator.folder / "log").read_text()
        time.sleep(0.1)


# Secrets.


def kept(tmp_path: Path, data: bytes, mode: int = 0o600) -> Path:
    file = tmp_path / "far.env"
    file.write_bytes(data)
    file.chmod(mode)
    return file


def test_a_secret_is_lines_of_names_and_values(tmp_path: Path):
    file = kept(tmp_path, b"# mine\n\nKEY=a=b c\r\n SECRET = x\nEMPTY=\n")

    assert read_secret(file) == {"KEY": "a=b c", "SECRET": "x", "EMPTY": ""}


@pytest.mark.parametrize(
    "data",
    [
        SECRET.encode(),
        f"KEY {SECRET}".encode(),
        f"{SECRET} = x".encode(),
        f"KEY=1\n={SECRET}".encode(),
        SECRET.encode() + b"\xff",
        f"KEY={SECRET}\n".encode() * 9000,
        b"",
        b"# nothing\n",
    ],
)
def test_a_secret_of_another_form_is_refused_and_not_repeated(tmp_path: Path, data: bytes):
    file = kept(tmp_path, data)
    with pytest.raises(SettingsError) as raised:
        read_secret(file)
    e: BaseException | None = raised.value

    assert str(e).startswith(f"{file}: ")
    while e:
        assert SECRET not in str(e) + repr(e.args)
        e = e.__cause__ or e.__context__


def test_a_secret_that_is_not_there_is_named(tmp_path: Path):
    for file in (tmp_path / "none", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(SettingsError, match="the secret is not readable"):
            read_secret(file)


@pytest.mark.parametrize(("mode", "said"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1)])
def test_a_secret_that_others_may_read_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, said: int
):
    file = kept(tmp_path, b"KEY=hunter2-and-more\n", mode)
    read_secret(file)

    lines = [line for line in caplog.messages if "may read this secret: chmod 600" in line]
    assert len(lines) == said
    assert SECRET not in caplog.text


async def test_a_folder_is_beside_the_settings(tmp_path: Path):
    store = store_of(StoreSettings(name="first", kind="folder", to="out"), tmp_path)
    await store.put("feed/1.json", b"x")
    await store.flush()

    assert store.name == "first"
    assert (tmp_path / "out/feed/1.json").read_bytes() == b"x"


# One dead place delays no other.


async def test_a_place_that_never_answers_delays_no_other(
    site: Site,
    following: Callable[[Path], Following],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(patience, "GRACE_S", 0.1)
    with dead_folder(tmp_path / "dead") as dead:
        places = [following(each) for each in (dead, tmp_path / "good", tmp_path / "also")]
        words = await follow_all(places, now=site.clock, most_s=6)

    root = str(site.dag.root())
    assert words == {
        "dead": "failed: not done in 6 s: it goes on from there next time",
        "good": root,
        "also": root,
    }
    assert places[0].hangs
    assert not places[1].hangs


async def test_a_place_that_never_answers_is_named_in_time(
    site: Site,
    following: Callable[[Path], Following],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(patience, "GRACE_S", 0.1)
    with dead_folder(tmp_path / "dead") as dead:
        store = following(dead)
        store.follower.store._call_s = 0.1  # type: ignore[attr-defined]
        word = await store.once(now=site.clock)
        again = await store.once(now=site.clock)

    assert word == "failed: dead: no answer in 0 s: is it reachable?"
    assert again == "failed: dead: not asked: it still owes the answer before"
    assert Agenda(site.beside).noted("dead") == (site.clock.now, again)


async def test_what_follows_always_ends_when_it_is_told_to(
    site: Site,
    following: Callable[[Path], Following],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(patience, "GRACE_S", 0.1)
    with dead_folder(tmp_path / "dead") as dead:
        places = [following(each) for each in (dead, tmp_path / "good")]
        tasks = [asyncio.create_task(each.always(now=site.clock)) for each in places]
        for _ in range(600):
            if not (tmp_path / "good" / CHECKPOINT).exists():
                await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        ended, left = await asyncio.wait(tasks, timeout=10)

    assert len(ended) == 2
    assert not left


def test_a_daemon_with_a_dead_store_mirrors_reloads_and_ends(operator: Operator):
    add_stores(operator, "dead", "good")
    operator.set("interval_s = 900", "interval_s = 60")
    log = operator.folder / "log"
    command = [sys.executable, "-m", "mirror", "run", "-c", str(operator.config)]
    with dead_folder(operator.folder / "out/dead"), log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            wait_for(lambda: same(operator, "good"), operator)
            operator.newsroom.says("/feed", feed(item(9)), content_type=RSS)
            add_stores(operator, "late")
            process.send_signal(signal.SIGHUP)
            wait_for(lambda: "settings were reloaded" in log.read_text(), operator)
            wait_for(lambda: same(operator, "late"), operator)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
            process.wait()

    assert operator("status") == 0
    assert "  good      as the site is\n" in operator.out
    assert "  late      as the site is\n" in operator.out


# The verbs.


def test_once_brings_all_stores_to_the_site_and_names_what_came_of_each(operator: Operator):
    add_stores(operator, "first", "second")
    (operator.folder / "out").mkdir()
    (operator.folder / "out/second").write_text("no folder")

    assert operator("once") == terminal.PARTLY
    assert "first: as the site is\n" in operator.out
    assert "second: failed: second: " in operator.out
    assert same(operator, "first")
    assert operator("status") == 0
    assert "  second    failed: second: " in operator.out


def test_a_withdrawn_article_is_gone_from_every_store_when_it_is_said(operator: Operator):
    add_stores(operator, "first", "second")
    assert operator("once") == 0
    assert operator("withdraw", short(2), "--code", "legal") == 0

    lines = operator.out.splitlines()
    assert lines[2].startswith("store first: removed: it shows the site of ")
    assert lines[3].startswith("store second: removed: it shows the site of ")
    for name in ("first", "second"):
        folder = operator.folder / "out" / name / article_folder(short(2))
        assert [each.name for each in folder.iterdir() if each.suffix == ".html"] == ["index.html"]
        assert same(operator, name)


def test_a_store_that_can_not_follow_in_time_is_said(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(patience, "GRACE_S", 0.1)
    monkeypatch.setattr(withdraw, "LEAST_S", 2.0)
    add_stores(operator, "first", "dead")
    with dead_folder(operator.folder / "out/dead"):
        code = operator("withdraw", short(2), "--code", "legal", "--wait", "1")

    assert code == terminal.PARTLY
    assert "store first: removed: " in operator.out
    assert "store dead: not yet: it follows later: nothing is known of it yet" in operator.out
