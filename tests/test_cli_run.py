"""`mirror run`, `serve` and `status` as processes: their signals, their words, their codes."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stdout
from pathlib import Path

import pytest
from free_ports import free_port
from kubo import Kubo
from newsroom import Answer, Newsroom, feed, item, numbered

from mirror import cli, init
from mirror.cli import terminal

RSS = "application/rss+xml"
MIRROR = str(Path(sys.executable).with_name("mirror"))


class Mirror:
    """A mirror's folder, and the command on it."""

    def __init__(self, folder: Path, newsroom: Newsroom) -> None:
        self.folder, self.port = folder, free_port()
        url = newsroom.says("/feed", feed(*numbered(2)), content_type=RSS)
        wishes = init.Wishes("N", "test.example/news", [url], "en", [newsroom.address])
        init.make(folder, wishes, now=terminal.now())
        self.set(f"port = {self.port}", "port = 8080")
        self.set("interval_s = 10", "interval_s = 900")
        self.set("workers = 1", "workers = 0")

    def __call__(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [MIRROR, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    @property
    def config(self) -> Path:
        return self.folder / "mirror.toml"

    def set(self, new: str, old: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    @contextmanager
    def running(self, verb: str = "run") -> Iterator[subprocess.Popen[str]]:
        log = (self.folder / "log").open("w")
        command = [MIRROR, verb, "-c", str(self.config)]
        with log, subprocess.Popen(command, stdout=log, stderr=log, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def get(self, path: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as got:
                return got.status, got.read()
        except urllib.error.HTTPError as e:
            with e:
                return e.code, e.read()
        except OSError:
            return 0, b""

    def note(self, name: str) -> str:
        notes = self.status().get("notes", {})
        assert isinstance(notes, dict)
        return str(notes.get(name, ""))

    def status(self) -> dict[str, object]:
        """Return the verb's answer, without a process of its own: some tests wait for a change."""
        told = io.StringIO()
        with redirect_stdout(told), pytest.raises(SystemExit):
            cli.main(["status", "-c", str(self.config), "--json"])
        found: dict[str, object] = json.loads(told.getvalue())
        return found


@pytest.fixture
def mirror(tmp_path: Path, newsroom: Newsroom) -> Mirror:
    return Mirror(tmp_path / "m", newsroom)


def until(true: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def children_of(process: subprocess.Popen[str]) -> list[int]:
    text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in text.split()]


def server_of(process: subprocess.Popen[str]) -> int:
    [server] = [
        pid for pid in children_of(process) if b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return server


def ended(process: subprocess.Popen[str], number: int) -> tuple[int, float]:
    start = time.monotonic()
    process.send_signal(number)
    return process.wait(timeout=20), time.monotonic() - start


def test_it_mirrors_serves_and_says_so(mirror: Mirror):
    with mirror.running() as process:
        # The page is shown before the cycle that made it has ended; till then all is not well.
        until(lambda: mirror.get("/-/health")[0] == 200)
        page, health = mirror.get("/"), mirror.get("/-/health")
        status = mirror("status", "-c", mirror.config)
        code, took = ended(process, signal.SIGTERM)

    assert b"Story number 2" in page[1]
    assert (health[0], json.loads(health[1])["leaves"]) == (200, 3)
    assert status.returncode == terminal.DONE
    assert "test.example/news: well; the daemon is running" in status.stdout
    assert (code, took < 10) == (terminal.DONE, True)
    assert mirror.get("/") == (0, b"")
    assert mirror.status()["running"] is False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_ten_seconds_though_a_feed_hangs(
    mirror: Mirror, newsroom: Newsroom, number: int
):
    newsroom.answers["/feed"] = Answer(b"x" * 99, pause_s=60)
    with mirror.running() as process:
        until(lambda: newsroom.asked)
        code, took = ended(process, number)

    assert (code, took < 10) == (terminal.DONE, True)
    assert "Traceback" not in mirror.log


def test_a_second_daemon_is_refused_in_clear_words(mirror: Mirror):
    with mirror.running():
        until(lambda: mirror.get("/")[0] == 200)
        second = mirror("run", "-c", mirror.config)
        once = mirror("once", "-c", mirror.config)

    assert second.returncode == once.returncode == terminal.FAILED
    assert "state.db: in use: another daemon or `mirror once` runs on it" in second.stderr


def test_a_reload_takes_the_new_settings(mirror: Mirror, newsroom: Newsroom):
    with mirror.running() as process:
        until(lambda: mirror.get("/")[0] == 200)
        url = newsroom.says("/other", feed(item(9)), content_type=RSS)
        mirror.set(f'[[feeds]]\nurl = "{url}"\n[fetch]', "[fetch]")
        process.send_signal(signal.SIGHUP)
        until(lambda: b"Story number 9" in mirror.get("/")[1])
        code, _ = ended(process, signal.SIGTERM)

    assert code == terminal.DONE
    assert "the settings were reloaded" in mirror.log


def test_a_reload_of_broken_settings_goes_on_with_the_old_ones(mirror: Mirror, newsroom: Newsroom):
    with mirror.running() as process:
        until(lambda: mirror.get("/")[0] == 200)
        mirror.set("interval_s = -1", "interval_s = 10")
        process.send_signal(signal.SIGHUP)
        until(lambda: "the old ones go on" in mirror.log)
        newsroom.says("/feed", feed(*numbered(3)), content_type=RSS)
        until(lambda: b"Story number 3" in mirror.get("/")[1])
        code, _ = ended(process, signal.SIGTERM)

    assert code == terminal.DONE
    assert "schedule.interval_s" in mirror.log


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port at which somebody else listens."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one.getsockname()[1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('state = "state.db"', 'state = "nowhere/state.db"'),
        ('keys = "keys"', 'keys = "nowhere"'),
        ('site = "site"', 'site = "nowhere"'),
        ('origin = "test.example/news"', 'origin = "test.example/other"'),
        ('secret = ""', 'secret = "nowhere"\napi = "http://127.0.0.1:9"'),
        ("port = ", "port"),
    ],
)
def test_a_reload_of_settings_that_do_not_work_does_not_end_it(
    mirror: Mirror, taken: int, old: str, new: str
):
    with mirror.running() as process:
        until(lambda: mirror.get("/")[0] == 200)
        if new == "port":
            old, new = f"port = {mirror.port}", f"port = {taken}"
        mirror.set(new.partition("\n")[0], old)
        if "api" in new:
            mirror.set(new.partition("\n")[2], 'api = ""')
        process.send_signal(signal.SIGHUP)
        said = "reloaded" if "port" in new else "the old ones go on"
        until(lambda: said in mirror.log)
        if "port" in new:
            until(lambda: "the server ended with status 2" in mirror.log)
        else:
            until(lambda: mirror.get("/")[0] == 200)
        code, _ = ended(process, signal.SIGTERM)

    assert code == terminal.DONE


def test_a_server_that_is_killed_comes_back_whatever_the_file_says_now(mirror: Mirror):
    with mirror.running() as process:
        until(lambda: mirror.get("/")[0] == 200)
        mirror.config.write_text("half of a fi")
        os.kill(server_of(process), signal.SIGKILL)
        until(lambda: mirror.get("/")[0] == 0)
        until(lambda: mirror.get("/")[0] == 200)


def test_a_port_that_is_taken_ends_it_with_2(mirror: Mirror):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", mirror.port))
        taken.listen()
        with mirror.running() as process:
            code = process.wait(timeout=30)

    assert code == terminal.USAGE
    assert f"127.0.0.1:{mirror.port}: cannot serve there" in mirror.log
    assert "Traceback" not in mirror.log


def test_a_daemon_that_is_killed_leaves_no_server_behind(mirror: Mirror):
    with mirror.running() as process:
        until(lambda: mirror.get("/")[0] == 200)
        process.kill()
        process.wait()
        until(lambda: mirror.get("/")[0] == 0, seconds=5)


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.3, 0.6])
def test_a_server_whose_daemon_was_killed_before_it_was_up_ends(mirror: Mirror, after_s: float):
    """The kernel tells it only from the moment on that it asked to be told."""
    with mirror.running() as process:
        until(lambda: len(children_of(process)) > 0)
        children = children_of(process)
        time.sleep(after_s)
        process.kill()
        process.wait()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), seconds=10)

    assert mirror.get("/") == (0, b"")


def test_a_server_that_is_killed_is_started_again(mirror: Mirror):
    with mirror.running() as process:
        until(lambda: mirror.get("/")[0] == 200)
        os.kill(server_of(process), signal.SIGKILL)
        until(lambda: mirror.get("/")[0] == 0)
        until(lambda: mirror.get("/")[0] == 200)

    assert "the server ended with status -9" in mirror.log


def test_no_port_is_no_server(mirror: Mirror):
    mirror.set("port = 0", f"port = {mirror.port}")
    with mirror.running() as process:
        until(lambda: (mirror.folder / "site" / "checkpoint").exists())
        children = children_of(process)
        code, _ = ended(process, signal.SIGTERM)

    assert len(children) == 1  # the worker that read the feed
    assert code == terminal.DONE


def test_the_server_runs_alone(mirror: Mirror):
    assert mirror("once", "-c", mirror.config).returncode == terminal.DONE

    with mirror.running("serve") as process:
        until(lambda: mirror.get("/")[0] == 200)
        once = mirror("once", "-c", mirror.config)
        code, _ = ended(process, signal.SIGTERM)

    assert once.returncode == code == terminal.DONE
    assert f"serving http://127.0.0.1:{mirror.port}/" in mirror.log


def test_no_address_of_a_reader_is_logged(mirror: Mirror):
    with mirror.running():
        until(lambda: mirror.get("/")[0] == 200)
        for path in ("/", "/nothing", "/%00", "/-/health"):
            mirror.get(path)
        with closing(socket.create_connection(("127.0.0.1", mirror.port))) as raw:
            raw.sendall(b"\x16\x03\x01 garbage\r\n\r\n")
            raw.recv(4096)

    assert "GET" not in mirror.log
    assert mirror.log.count("127.0.0.1") == mirror.log.count(f"http://127.0.0.1:{mirror.port}/")


# Status.


def test_a_status_without_a_database_says_what_makes_one(mirror: Mirror):
    status = mirror("status", "-c", mirror.config)

    assert status.returncode == terminal.USAGE
    assert "no database yet: `mirror once` or `mirror run` makes it" in status.stderr


def test_a_status_names_the_feed_that_fails(mirror: Mirror, newsroom: Newsroom):
    newsroom.fails("/feed", 503)
    mirror("once", "-c", mirror.config)
    status = mirror("status", "-c", mirror.config)

    assert status.returncode == terminal.FAILED
    assert "NOT WELL" in status.stdout
    assert f"FAILED: {newsroom.url('/feed')}: status 503" in status.stdout
    assert status.stdout.count("status 503") == 1


def test_a_watched_status_for_programs_is_json_each_time(mirror: Mirror):
    mirror("once", "-c", mirror.config)
    command = [MIRROR, "status", "-c", str(mirror.config), "--watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        decoder, text = json.JSONDecoder(), ""
        while text.count("\n}\n") < 2:
            text += process.stdout.readline()
        process.kill()
    first, end = decoder.raw_decode(text)
    second, _ = decoder.raw_decode(text[end:].lstrip())

    assert first["ok"] is second["ok"] is True


def test_a_watched_status_goes_on_until_interrupted(mirror: Mirror):
    mirror("once", "-c", mirror.config)
    command = [MIRROR, "status", "-c", str(mirror.config), "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(20)]
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        code = process.wait(timeout=10)

    assert sum("test.example/news: well" in line for line in lines) >= 2
    assert code == terminal.INTERRUPTED


# Beside it.


def front_page(node: Kubo, root: str) -> bytes:
    try:
        return node.get(f"ipfs/{root}/index.html") if root.startswith("bafy") else b""
    except urllib.error.HTTPError as e:
        with e:
            return b""


def test_it_brings_the_site_to_an_ipfs_node_and_goes_on_without_it(
    mirror: Mirror, newsroom: Newsroom, tmp_path: Path
):
    node = Kubo(tmp_path / "ipfs").make().start()
    name = f"ipfs:{node.api}"
    mirror.set(f'api = "{node.api}"', 'api = ""')
    mirror.set(f'gateway = "{node.gateway}"', 'gateway = ""')
    try:
        with mirror.running() as process:
            until(lambda: mirror.get("/")[0] == 200)
            # What the folder held before there was a front page may come first.
            until(lambda: b"Story number 2" in front_page(node, mirror.note(name)))
            node.kill()
            newsroom.says("/feed", feed(*numbered(3)), content_type=RSS)
            until(lambda: b"Story number 3" in mirror.get("/")[1])
            until(lambda: mirror.note(name).startswith("failed"))
            code, took = ended(process, signal.SIGTERM)
    finally:
        node.kill()

    assert (code, took < 10) == (terminal.DONE, True)


def test_once_publishes_to_an_ipfs_node_and_says_so(mirror: Mirror, tmp_path: Path):
    node = Kubo(tmp_path / "ipfs").make().start()
    mirror.set(f'api = "{node.api}"', 'api = ""')
    try:
        there = mirror("once", "-c", mirror.config, "--json")
    finally:
        node.kill()
    gone = mirror("once", "-c", mirror.config)
    root = json.loads(there.stdout)["stores"][f"ipfs:{node.api}"]

    assert there.returncode == terminal.DONE
    assert root.startswith("bafy")
    assert gone.returncode == terminal.PARTLY
    assert f"ipfs:{node.api}: failed: ipfs:{node.api}: " in gone.stdout


def test_what_is_approved_beside_a_running_daemon_goes_out(mirror: Mirror):
    assert mirror("hold", "-c", mirror.config).returncode == terminal.DONE

    with mirror.running():
        until(lambda: mirror.get("/")[0] == 404)
        until(lambda: "2 waiting" in mirror("waiting", "-c", mirror.config).stdout)
        before = mirror.get("/")[0]
        assert mirror("approve", "-c", mirror.config, "--all").returncode == terminal.DONE
        until(lambda: b"Story number 2" in mirror.get("/")[1])

    assert before == 404
