"""`mirror fetch`: what it says, what it saves, and with which exit code it ends."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from liars import HOST, black_hole, nobody
from readers import ONE, THREE, TWO, newsroom

from mirror import cli
from mirror.cli.terminal import DONE, FAILED, USAGE
from mirror.formats.encoding import encode_time
from mirror.formats.paths import INDEX_PROOF, PROOF, short_id
from tests.sites import article_id, path_of

NEWEST, LONG = path_of(ONE, 2), path_of(THREE)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder from a thread: the command runs a loop itself."""
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"{HOST}:{server.server_port}"
        finally:
            server.shutdown()


class Reader:
    """`mirror fetch` as a shell runs it, of one newsroom, into one folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.now = int(time.time())
        self.room = newsroom(now=self.now)
        self.site = self.room.write(folder)
        self.out = folder / "out"
        self.said = self.complained = ""

    def __call__(self, verb: str, *arguments: object) -> int:
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([verb, *map(str, arguments)])
        self.said, self.complained = self.capsys.readouterr()
        return ended.value.code

    def fetch(self, target: str, *more: object) -> int:
        root = self.folder / "root.json"
        return self("fetch", target, "--root", root, "--out", self.out, *more)

    def saved(self) -> dict[str, bytes]:
        found = (each for each in self.out.rglob("*") if each.is_file())
        return {each.relative_to(self.out).as_posix(): each.read_bytes() for each in found}


@pytest.fixture
def reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Reader:
    return Reader(tmp_path, capsys)


def at(host: str) -> tuple[str, ...]:
    return "--via", f"http://{host}/", "--allow-host", host


def test_an_article_is_saved_and_verifies_without_a_network(reader: Reader):
    with served(reader.site) as host:
        code = reader.fetch(THREE, *at(host))
    said, signed = reader.said, encode_time(reader.now - 60)

    assert code == DONE
    assert said.startswith("VALID: these are the newsroom's own bytes")
    assert f"“On {THREE}”" in said
    assert f"revision 1, signed {signed}, leaf 4 of the log" in said
    assert "confirmed by the newsroom's signatures alone" in said
    assert f"the page came from http://{host}/" in said
    assert f"index of {signed}, known to be the newest 0 h 1 min ago" in said
    parts = [LONG.replace(".html", f"-{number}.html") for number in (2, 3)]
    beside = [path + suffix for path in (LONG, *parts) for suffix in ("", ".minisig", ".sig")]
    assert set(reader.saved()) == {*beside, LONG + PROOF, "trust/1.root.json"}
    assert all(reader.room.files[path] == data for path, data in reader.saved().items())
    assert reader("verify", reader.out / LONG, "--root", reader.folder / "root.json") == DONE
    assert reader.said.count("VALID") == 1


def test_a_run_takes_no_longer_than_was_said(reader: Reader):
    with black_hole() as silent:
        start = time.monotonic()
        code = reader.fetch(
            ONE, "--via", silent, "--allow-host", silent.split("/")[2], "--within", 1
        )

    assert code == FAILED
    assert time.monotonic() - start < 6


def test_an_answer_in_json_has_everything_but_the_bytes(reader: Reader):
    with served(reader.site) as host, nobody() as dead:
        code = reader.fetch(ONE, *at(host), "--via", dead, "--json")
    found = json.loads(reader.said)

    assert code == DONE
    assert (found["ok"], found["verdict"], found["status"]) == (True, "valid", "current")
    assert (found["id"], found["rev"]) == (short_id(article_id(ONE)), 2)
    assert found["mirror"] == f"http://{host}/"
    assert found["index"]["size"] == 7
    assert found["files"] == sorted(reader.saved())
    assert found["folder"] == str(reader.out)
    assert found["refused"][0]["mirror"] == dead
    assert found["refused"][0]["verdict"] == "failed"


def test_what_nobody_has_saves_nothing_and_fails(reader: Reader):
    with nobody() as dead:
        code = reader.fetch(ONE, "--via", dead, "--allow-host", dead.split("/")[2])

    assert code == FAILED
    assert reader.said.startswith("UNREACHABLE: no mirror gave an answer")
    assert f"no usable answer: {dead}: article: a/" in reader.said
    assert "name a mirror with --via ADDRESS, or a carried copy with --via FOLDER" in reader.said
    assert reader.said.endswith("nothing was saved\n")
    assert not reader.out.exists()


def test_a_mirror_that_does_not_answer_is_not_called_a_liar(reader: Reader):
    with served(reader.site) as host, nobody() as dead:
        code = reader.fetch(ONE, "--via", dead, *at(host), "--allow-host", dead.split("/")[2])

    assert code == DONE
    assert f"no usable answer: {dead}: index: index.tlog-proof: no connection" in reader.said
    assert "not believed" not in reader.said
    assert "--via" not in reader.said


def test_an_article_that_was_never_published_sends_nobody_to_other_mirrors(reader: Reader):
    with served(reader.site) as host:
        code = reader.fetch(f"{ONE}/never", *at(host))

    assert code == FAILED
    assert reader.said.startswith("MISSING: not in the newsroom's index: never published")
    assert f"does not have it: http://{host}/: article: a/" in reader.said
    assert "--via" not in reader.said


def test_a_forged_page_is_named_and_nothing_of_it_saved(reader: Reader):
    file = reader.site / NEWEST
    file.write_bytes(file.read_bytes().replace(b"edited", b"forged"))
    with served(reader.site) as host:
        code = reader.fetch(ONE, *at(host))

    assert code == FAILED
    assert reader.said.startswith("TAMPERED: the newsroom's index has it, and no mirror ")
    assert "that was asked gave it: altered" in reader.said
    assert f"not believed: http://{host}/: page: tampered: " in reader.said
    assert reader.said.endswith("nothing was saved\n")
    assert not reader.out.exists()


def test_a_withdrawn_article_is_shown_only_to_whoever_insists(reader: Reader):
    with served(reader.site) as host:
        code = reader.fetch(TWO, *at(host))
        said, saved = reader.said, reader.out.exists()
        insisted = reader.fetch(TWO, *at(host), "--even-withdrawn")

    assert (code, saved) == (FAILED, False)
    assert said.startswith("WITHDRAWN: the newsroom has withdrawn it")
    assert f"On {TWO}" not in said
    assert insisted == DONE
    assert "THE NEWSROOM HAS WITHDRAWN IT" in reader.said
    assert path_of(TWO) in reader.saved()


def test_a_status_that_nothing_tells_is_said_to_be_unknown(reader: Reader):
    (reader.site / INDEX_PROOF).unlink()
    with served(reader.site) as host:
        code = reader.fetch(ONE, *at(host))

    assert code == DONE
    assert "STATUS UNKNOWN" in reader.said
    assert "no index was to be had" in reader.said


def test_a_carried_folder_is_enough(reader: Reader):
    assert reader.fetch(ONE, "--via", reader.site, "--only-via") == DONE
    assert f"from {reader.site}" in reader.said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("news", "--via", "."), "an article's address or its 20 characters were expected"),
        ((ONE,), "none that can be asked: name one with --via ADDRESS"),
        ((ONE, "--via", "/nowhere"), "no address of a mirror and no folder"),
        ((ONE, "--via", ".", "--proxy", "x"), "SCHEME://[USER:PASSWORD@]HOST:PORT was expected"),
        ((ONE, "--via", ".", "--allow-host", "x"), "not HOST:PORT"),
        ((ONE, "--root", "/nowhere", "--via", "."), "/nowhere: the root is not readable"),
        ((ONE, "--root", __file__, "--via", "."), f"{__file__}: no root.json of a newsroom: mal"),
    ],
)
def test_what_is_missing_or_wrong_on_the_command_line_is_said(
    reader: Reader, arguments: tuple[str, ...], words: str
):
    target, *more = arguments

    assert reader.fetch(target, *more) == USAGE
    assert words in reader.complained


def test_a_folder_that_cannot_be_written_is_named(reader: Reader):
    reader.out.write_text("a file")

    assert reader.fetch(ONE, "--via", reader.site) == USAGE
    assert f"{reader.out}" in reader.complained


def test_what_was_remembered_stands_in_for_the_root(reader: Reader):
    memory = reader.folder / "memory"
    via = "--via", reader.site, "--remember", memory
    first = reader.fetch(ONE, *via)
    second = reader("fetch", ONE, "--out", reader.out, *via)

    assert (first, second) == (DONE, DONE)
    assert memory.exists()


def test_a_proxys_password_can_be_hidden_and_is_never_said(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
):
    with nobody() as dead:
        monkeypatch.setenv("MIRROR_PROXY", dead.replace("http://", "http://user:hush@"))
        code = reader.fetch(ONE, "--via", "https://m.example/")

    assert code == FAILED
    assert "cannot be reached" in reader.said
    assert "hush" not in reader.said + reader.complained
