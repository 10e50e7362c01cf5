"""Snapshots of feeds, replayed: what the log has in the end, also when the mirror is killed."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from replay_driver import position
from replay_newsroom import Snapshot, captured, invented, names

from mirror import init
from mirror.formats.note import Note
from mirror.formats.record import Doc, parse
from mirror.state import State

HOST = "127.0.0.1"
ORIGIN = "replay.example"
DRIVER = Path(__file__).with_name("replay_driver.py")
KILLS = 4
SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
FEEDS = ("bbc", "feed_novaya", "verstka", "meduza")
CAPTURED = 12  # snapshots of each: all are in `python -m bench source`
STUCK_S = 60.0


@dataclass(slots=True)
class Show:
    """Serves to the mirror in `folder` the snapshot that its position says."""

    cycles: Sequence[tuple[str, Snapshot]]
    """A feed's path, and what it is in that cycle."""
    folder: Path = Path()
    address: str = ""
    asked: int = 0
    turn: threading.Condition = field(default_factory=threading.Condition)

    def answer(self, path: str) -> bytes | None:
        number = position(self.folder)
        with self.turn:
            self.asked += 1
            self.turn.notify_all()
        if number == len(self.cycles) or self.cycles[number][0] != path:
            return None
        return self.cycles[number][1].body

    def times(self) -> list[tuple[int, str]]:
        return [(each.time, f"http://{self.address}{path}") for path, each in self.cycles]


@pytest.fixture
def memory() -> Iterator[Path]:
    """Return a folder in memory where there is one: a kill loses nothing on either."""
    shm = Path("/dev/shm")
    place = str(shm) if shm.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="mirror-replay-", dir=place) as folder:
        yield Path(folder)


@pytest.fixture
def show() -> Iterator[Show]:
    shown = Show([])

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = shown.answer(self.path)
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "application/rss+xml")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            return

    server = _Server((HOST, 0), Answer)
    shown.address = f"{HOST}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield shown
    server.shutdown()
    thread.join()
    server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        return  # a mirror that was killed while it was answered


def make(folder: Path, show: Show) -> None:
    """Make a mirror that takes the text of the feeds, and `CYCLES` beside it."""
    urls = [f"http://{show.address}{path}" for path in dict.fromkeys(p for p, _ in show.cycles)]
    wishes = init.Wishes("Replay", ORIGIN, urls, allow_hosts=[show.address])
    init.make(folder, wishes, now=show.cycles[0][1].time)
    settings = folder / "mirror.toml"
    settings.write_text(
        settings.read_text()
        .replace('\ntext = "auto"', '\ntext = "feed"')
        .replace("\nworkers = 0", "\nworkers = 1")
    )
    (folder.parent / "cycles.json").write_text(json.dumps(show.times()))


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, DRIVER, folder, folder.parent / "cycles.json"])


def run(folder: Path, show: Show) -> None:
    show.folder = folder
    assert start(folder).wait() == 0
    assert position(folder) == len(show.cycles)


def kill(folder: Path, show: Show, draw: random.Random) -> None:
    """Run the mirror and kill it: some questions later, anywhere in what it does then."""
    show.folder = folder
    share = len(show.cycles) // KILLS
    with start(folder) as process:
        with show.turn:
            wanted = show.asked + draw.randint(1, share)
            end = time.monotonic() + STUCK_S
            while show.asked < wanted and process.poll() is None:
                assert time.monotonic() < end, "stuck"
                show.turn.wait(0.1)
        assert process.poll() is None, "ended by itself"
        time.sleep(draw.uniform(0, 0.3))
        process.kill()


def assert_same_end(memory: Path, show: Show) -> list[Doc]:
    """Replay once in one go and once with kills; return what the log of both has."""
    print(f"{KILLS} kills, SEED={SEED}")
    draw = random.Random(SEED)
    whole, cut = memory / "whole", memory / "cut"
    make(whole, show)
    shutil.copytree(whole, cut)
    run(whole, show)
    at = []
    for _ in range(KILLS):
        kill(cut, show, draw)
        at.append(position(cut))
    run(cut, show)
    print(f"killed in the cycles {at} of {len(show.cycles)}")

    assert log(cut) == log(whole), f"SEED={SEED}"
    assert tree(cut / "site") == tree(whole / "site"), f"SEED={SEED}"
    found = [parse(Note.parse(record).text) for record in log(whole)]
    return [doc for doc in found if isinstance(doc, Doc) and doc.t == "doc"]


def log(folder: Path) -> list[bytes]:
    """Return the signed records of the log, which have times in them."""
    state = State.open(folder / "state.db", origin=ORIGIN)
    records = state.records(0, state.log().size)
    state.close()
    return records


def tree(site: Path) -> Mapping[str, bytes]:
    """Return the SHA-256 of every file by its path; what was staged is no part of a site."""
    return {
        path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).digest()
        for path in site.rglob("*")
        if path.is_file() and ".staging" not in path.parts
    }


def counts(docs: Sequence[Doc]) -> tuple[int, int]:
    """Return how many articles and how many further revisions there are."""
    return len({doc.n for doc in docs}), len([doc for doc in docs if doc.rev > 1])


def test_a_replay_cut_by_kills_ends_in_the_same_log_and_site(memory: Path, show: Show):
    snapshots, truth = invented(SEED)
    show.cycles = [("/feed", each) for each in snapshots]

    docs = assert_same_end(memory, show)

    assert counts(docs) == truth, f"SEED={SEED}"
    assert [doc.time for doc in docs] == sorted(doc.time for doc in docs)
    assert {doc.time for doc in docs} <= {each.time for each in snapshots}


def test_a_replay_of_real_feeds_cut_by_kills_ends_in_the_same_log_and_site(
    memory: Path, show: Show, shared_data: Path
):
    feeds = {
        f"/{name}": captured(shared_data / "replay" / f"{name}.tar.xz", CAPTURED) for name in FEEDS
    }
    cycles = [(path, each) for path, snapshots in feeds.items() for each in snapshots]
    show.cycles = sorted(cycles, key=lambda each: each[1].time)

    docs = assert_same_end(memory, show)

    assert counts(docs)[0] == sum(len(names(each)) for each in feeds.values())
