"""Snapshots of feeds, replayed: what the log has in the end, also when the mirror is killed.

`make test` replays half a year of the quietest of four newsrooms, and the first snapshots of the
others; with `REPLAY=whole`, half a year of all of them, and it is killed ten times as often.
"""

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
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import zip_longest
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
WHOLE = os.environ.get("REPLAY") == "whole"
KILLS = 40 if WHOLE else 4
SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
ALL = 1 << 20
FEEDS = {"bbc": 12, "feed_novaya": 12, "verstka": ALL, "meduza": 12}
"""How many snapshots of each, of those that differ: of all 4,553 a replay takes minutes."""
STUCK_S = 60.0


@dataclass(slots=True)
class Show:
    """Serves to the mirror in `folder` the snapshot that its position says."""

    address: str
    folder: Path = Path()
    cycles: Sequence[tuple[str, Snapshot]] = ()
    """A feed's path, and what it is in that cycle."""
    reached: int = -1
    """The cycle that asked last."""
    killing: bool = False
    """The last cycle gets no answer: a mirror that is to be killed does not end by itself."""
    turn: threading.Condition = field(default_factory=threading.Condition)

    def answer(self, path: str) -> bytes | None:
        number = position(self.folder)
        with self.turn:
            self.reached = number
            self.turn.notify_all()
            self.turn.wait_for(lambda: not self.killing or number < len(self.cycles) - 1)
        if number == len(self.cycles) or self.cycles[number][0] != path:
            return None
        return self.cycles[number][1].body

    def start(self) -> subprocess.Popen[bytes]:
        times = [(each.time, f"http://{self.address}{path}") for path, each in self.cycles]
        file = self.folder.with_suffix(".json")
        file.write_text(json.dumps(times))
        return subprocess.Popen([sys.executable, DRIVER, self.folder, file])

    def kill(self, cycle: int, after_s: float) -> int:
        """Run the mirror and kill it so long after it has come to a cycle; return where it was."""
        with self.turn:
            self.killing, self.reached = True, -1
        with self.start() as process:
            self._wait_for(cycle)
            time.sleep(after_s)
            assert process.poll() is None, "ended by itself"
            process.kill()
        with self.turn:
            self.killing = False
            self.turn.notify_all()
        return position(self.folder)

    def _wait_for(self, cycle: int) -> None:
        with self.turn:
            while (before := self.reached) < cycle:
                came = self.turn.wait_for(lambda before=before: self.reached != before, STUCK_S)
                assert came, f"stuck in cycle {before}"


@contextmanager
def showing() -> Iterator[Show]:
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
    shown = Show(f"{HOST}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield shown
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        return  # a mirror that was killed while it was answered


@pytest.fixture
def shows() -> Iterator[tuple[Show, Show]]:
    """Yield one for a mirror that is left alone and one for its twin, which is killed.

    In memory where there is some: a kill loses nothing on either.
    """
    shm = Path("/dev/shm")
    place = str(shm) if shm.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="mirror-replay-", dir=place) as folder,
        showing() as alone,
        showing() as killed,
    ):
        alone.folder, killed.folder = Path(folder, "alone"), Path(folder, "killed")
        yield alone, killed


def make(alone: Show, killed: Show, cycles: Sequence[tuple[str, Snapshot]]) -> None:
    """Make two mirrors with the same keys that take the text of the feeds."""
    alone.cycles = killed.cycles = cycles
    urls = [f"http://{alone.address}{path}" for path in dict.fromkeys(path for path, _ in cycles)]
    wishes = init.Wishes("Replay", ORIGIN, urls, allow_hosts=[alone.address])
    init.make(alone.folder, wishes, now=cycles[0][1].time)
    shutil.copytree(alone.folder, killed.folder)
    settings = (alone.folder / "mirror.toml").read_text()
    # There is nothing but the feeds: to look for pages again would be half of the time.
    for old, new in (('text = "auto"', 'text = "feed"'), ("recheck = true", "recheck = false")):
        settings = settings.replace(f"\n{old}", f"\n{new}")
    settings = settings.replace("\nworkers = 0", "\nworkers = 1")
    for show in (alone, killed):
        text = settings.replace(alone.address, show.address)
        (show.folder / "mirror.toml").write_text(text)


def assert_same_end(alone: Show, killed: Show, cycles: Sequence[tuple[str, Snapshot]]) -> list[Doc]:
    """Replay once in one go and once with kills; return what the log of both has."""
    print(f"{len(cycles)} snapshots, {KILLS} kills, SEED={SEED}")
    draw = random.Random(SEED)
    make(alone, killed, cycles)
    with ExitStack() as stack:
        whole = stack.enter_context(alone.start())
        stack.callback(whole.kill)
        at = [
            killed.kill(cycle, draw.uniform(0, 0.3))
            for cycle in sorted(draw.randrange(len(cycles)) for _ in range(KILLS))
        ]
        assert killed.start().wait() == 0
        assert whole.wait() == 0
    print(f"killed in the cycles {at}")

    assert position(alone.folder) == position(killed.folder) == len(cycles)
    for number, (one, other) in enumerate(zip_longest(log(alone.folder), log(killed.folder))):
        assert one == other, f"leaf {number}, SEED={SEED}"
    files = tree(alone.folder / "site")
    assert tree(killed.folder / "site") == files, f"SEED={SEED}"
    print(f"{len(log(alone.folder))} leaves and {len(files)} files, the same in both")
    found = [parse(Note.parse(record).text) for record in log(alone.folder)]
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


def test_a_replay_cut_by_kills_ends_in_the_same_log_and_site(shows: tuple[Show, Show]):
    snapshots, truth = invented(SEED)

    docs = assert_same_end(*shows, [("/feed", each) for each in snapshots])

    assert counts(docs) == truth, f"SEED={SEED}"
    assert [doc.time for doc in docs] == sorted(doc.time for doc in docs)
    assert {doc.time for doc in docs} <= {each.time for each in snapshots}


def test_a_replay_of_real_feeds_cut_by_kills_ends_in_the_same_log_and_site(
    shows: tuple[Show, Show], shared_data: Path
):
    feeds = {
        f"/{name}": captured(shared_data / "replay" / f"{name}.tar.xz", ALL if WHOLE else count)
        for name, count in FEEDS.items()
    }
    cycles = [(path, each) for path, snapshots in feeds.items() for each in snapshots]

    docs = assert_same_end(*shows, sorted(cycles, key=lambda each: each[1].time))

    expected = sum(len(names(each)) for each in feeds.values())

    # Over half a year one title is written in two ways, which is no other article.
    assert 0 <= expected - counts(docs)[0] <= WHOLE
