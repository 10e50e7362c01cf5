"""The command: what it answers, where, and with which exit code."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import brotli
import pytest
from newsroom import Answer, Item, Newsroom, feed, item, numbered, page

from mirror import cli
from mirror.cli import terminal
from mirror.formats.paths import article_folder, short_id
from mirror.formats.url import article_id

RSS = "application/rss+xml"
ORIGIN = "test.example/news"
MIRROR = str(Path(sys.executable).with_name("mirror"))


class Command:
    """`mirror` as a shell runs it, and the folder of one mirror."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.out = self.err = ""

    def __call__(self, *arguments: object) -> int:
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(each) for each in arguments])
        self.out, self.err = self.capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code

    def init(self, newsroom: Newsroom, *feeds: str) -> None:
        named = [word for url in feeds for word in ("--feed", url)]
        more = ["--name", "N", "--origin", ORIGIN, "--allow-host", newsroom.address]
        assert self("init", self.folder, *named, *more) == 0

    def timeout(self, seconds: float) -> None:
        file = self.folder / "mirror.toml"
        file.write_text(file.read_text().replace("timeout_s = 30.0", f"timeout_s = {seconds}"))

    def once(self, *more: str) -> int:
        return self("once", "-c", self.folder / "mirror.toml", *more)

    def verify(self, *more: str) -> int:
        root = self.folder / "root" / "1.root.json"
        return self("verify", self.folder / "site", "--root", root, *more)

    def site(self) -> dict[str, bytes]:
        site = self.folder / "site"
        files = [each for each in site.rglob("*") if each.is_file()]
        return {str(each.relative_to(site)): each.read_bytes() for each in files}


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path / "m", capsys)


# Bad input, end to end.


def bad_feeds(newsroom: Newsroom) -> dict[str, str]:
    """Return the address of each bad feed with words that its error must have."""
    bomb = b" " * (50 << 20)
    entity = '<!DOCTYPE r [<!ENTITY a "aaa"><!ENTITY b "&a;&a;">]>'
    says = newsroom.says
    newsroom.answers["/long"] = Answer(b"<rss>", more_mib=200, headers={"Content-Type": RSS})
    newsroom.answers["/slow"] = Answer(b"<rss version='2.0'>" * 99, pause_s=60)
    far = {name: {"location": f"http://{name}/feed"} for name in ("10.0.0.1", "169.254.169.254")}
    for name, headers in far.items():
        says(f"/to/{name}", b"", **headers)
        newsroom.answers[f"/to/{name}"] = Answer(b"", 302, {"Location": headers["location"]})
    newsroom.answers["/to/loopback"] = Answer(b"", 301, {"Location": "http://[::ffff:7f00:1]/"})
    newsroom.answers["/to/file"] = Answer(b"", 301, {"Location": "file:///etc/passwd"})
    newsroom.answers["/loop"] = Answer(b"", 302, {"Location": "/loop"})
    return {
        says("/html", page("No feed")): "an HTML page, not a feed",
        says("/text", "Hello, this is no feed.", content_type=RSS): "not XML",
        says("/json", '{"stories": []}', content_type=RSS): "JSON",
        says("/empty", b"", content_type=RSS): "empty",
        newsroom.url("/long"): "too large: more than 8388608 bytes",
        says("/gzip", gzip.compress(bomb), content_encoding="gzip"): "too large",
        says("/br", brotli.compress(bomb, quality=1), content_encoding="br"): "too large",
        says("/entity", feed(item(1)).replace("<rss", f"{entity}<rss"), content_type=RSS): "ENTITY",
        newsroom.url("/to/10.0.0.1"): "10.0.0.1 is not a public address",
        newsroom.url("/to/169.254.169.254"): "169.254.169.254 is not a public address",
        newsroom.url("/to/loopback"): "not a public address",
        newsroom.url("/to/file"): "neither http nor https",
        newsroom.url("/loop"): "redirects",
        newsroom.url("/slow"): "too slow: not done in 2 s",
        newsroom.fails("/503", 503): "status 503",
        says("/private", feed(item(7, link="http://10.0.0.1/x", html="")), content_type=RSS): (
            "10.0.0.1 is not a public address"
        ),
    }


def test_every_bad_feed_is_named_with_its_reason_and_stops_no_other(
    command: Command, newsroom: Newsroom
):
    bad = bad_feeds(newsroom)
    charset = feed(item(8, text="naïve")).replace("utf-8", "windows-1251").encode("latin-1")
    good = newsroom.says("/good", feed(*numbered(2)), content_type=RSS)
    odd = newsroom.says("/charset", charset, content_type=f"{RSS}; charset=no-such-charset")
    command.init(newsroom, good, odd, *bad)
    command.timeout(2)
    code = command.once()
    said = {url: [line for line in command.err.splitlines() if url in line] for url in bad}

    assert code == terminal.PARTLY
    assert [f"{url}: {bad[url]}" for url in bad if bad[url] not in " ".join(said[url])] == []
    assert [url for url in bad if len(said[url]) != 1] == []
    assert len(command.err.splitlines()) == len(bad)
    assert command.out.startswith("3 new, 0 revised, 0 unchanged, 1 held, 0 refused\n")
    assert command.verify() == 0

    before = command.site()
    for number, url in enumerate(bad, 20):
        path = url.removeprefix(f"http://{newsroom.address}")
        newsroom.says(path, feed(item(number)), content_type=RSS)
    newsroom.says("/good", feed(), content_type=RSS)

    assert command.once() == terminal.DONE
    assert (command.out.split(",")[0], command.err) == (f"{len(bad)} new", "")
    assert command.verify() == 0
    assert {p for p in before if p.startswith("a/") and p not in command.site()} == set()


def test_if_all_feeds_fail_the_command_fails(command: Command, newsroom: Newsroom):
    urls = [newsroom.fails("/a"), newsroom.says("/b", b"", content_type=RSS)]
    command.init(newsroom, *urls)

    assert command.once() == terminal.FAILED
    assert [url in command.err for url in urls] == [True, True]
    assert list(command.site()) == [path for path in command.site() if path.startswith("trust/")]


def test_a_feed_on_a_private_address_is_refused_before_a_packet_leaves(
    command: Command, newsroom: Newsroom
):
    code = command(
        *("init", command.folder, "--name", "N", "--origin", ORIGIN),
        *("--feed", newsroom.says("/feed", feed(item(1)))),
    )

    assert code == 0
    assert command.once() == terminal.FAILED
    assert newsroom.asked == []
    assert f"{newsroom.url('/feed')}: refused" in command.err


# Exit codes.


def test_a_whole_cycle_is_done(command: Command, newsroom: Newsroom):
    command.init(newsroom, newsroom.says("/feed", feed(*numbered(2)), content_type=RSS))

    assert command.once() == terminal.DONE
    assert command.err == ""
    assert command.out.startswith("2 new, 0 revised, 0 unchanged, 0 held, 0 refused\n")
    assert "log: 3 leaves\n" in command.out
    assert command.out.endswith(f"dir:{command.folder / 'site'}: written\n")


def test_a_database_older_than_the_site_stops_it_with_3(command: Command, newsroom: Newsroom):
    command.init(newsroom, newsroom.says("/feed", feed(item(1)), content_type=RSS))
    command.once()
    shutil.copy(command.folder / "state.db", command.folder / "old.db")
    newsroom.says("/feed", feed(item(2)), content_type=RSS)
    command.once()
    before = command.site()
    shutil.copy(command.folder / "old.db", command.folder / "state.db")
    newsroom.says("/feed", feed(item(3)), content_type=RSS)

    assert command.once() == terminal.FORK
    assert command.err.startswith("mirror: ")
    assert "restore the newest database" in command.err
    assert command.site() == before


def test_a_lost_database_stops_it_with_3(command: Command, newsroom: Newsroom):
    command.init(newsroom, newsroom.says("/feed", feed(item(1)), content_type=RSS))
    command.once()
    before = command.site()
    (command.folder / "state.db").unlink()

    assert command.once() == terminal.FORK
    assert command.site() == before


def test_a_damaged_database_stops_it_with_3(command: Command, newsroom: Newsroom):
    command.init(newsroom, newsroom.says("/feed", feed(*numbered(30)), content_type=RSS))
    command.once()
    data = (command.folder / "state.db").read_bytes()
    (command.folder / "state.db").write_bytes(data[:8192] + b"\xff" * (len(data) - 8192))

    assert command.once() == terminal.FORK
    assert "state.db" in command.err


def test_a_second_one_at_the_same_time_is_refused_with_1(command: Command, newsroom: Newsroom):
    command.init(newsroom, newsroom.says("/feed", feed(item(1)), content_type=RSS))
    program = (
        "import fcntl,sys,time;f=open(sys.argv[1],'ab');fcntl.flock(f,fcntl.LOCK_EX);"
        "print(flush=True);time.sleep(60)"
    )
    lock = str(command.folder / "state.db.lock")
    with subprocess.Popen([sys.executable, "-c", program, lock], stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        code = command.once()
        other.kill()

    assert code == terminal.FAILED
    assert "in use" in command.err


def test_an_interrupted_one_ends_with_130_and_no_traceback(command: Command, newsroom: Newsroom):
    newsroom.answers["/slow"] = Answer(b"x" * 99, pause_s=60)
    command.init(newsroom, newsroom.url("/slow"))
    arguments = [MIRROR, "once", "-c", str(command.folder / "mirror.toml")]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE) as running:
        while not newsroom.asked:
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=10)

    assert (running.returncode, err) == (terminal.INTERRUPTED, b"")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["once"],
        ["once", "-c", "/nowhere/mirror.toml"],
        ["path"],
        ["path", "no address"],
        ["path", "mailto:x@example.org"],
        ["verify", "/nowhere", "--root", "/nowhere"],
        ["verify", "/", "--root", "/nowhere", "--allow-host", "no port"],
        ["verify", "/"],
        ["init", "/dev/null", "--name", "N", "--origin", "o", "--feed", "https://x.example/"],
        ["init", "/dev/null/x", "--name", "N", "--origin", "o", "--feed", "https://x.example/"],
        ["demo", "--out", "/dev/null"],
    ],
)
def test_wrong_usage_is_2_and_said_on_stderr_only(command: Command, arguments: list[str]):
    assert command(*arguments) == terminal.USAGE
    assert (command.out, command.err != "") == ("", True)


def test_a_mistake_in_the_settings_is_2_and_names_what_is_near(
    command: Command, newsroom: Newsroom
):
    command.init(newsroom, newsroom.url("/feed"))
    file = command.folder / "mirror.toml"
    file.write_text(file.read_text().replace("parallel =", "paralel ="))

    assert command.once() == terminal.USAGE
    assert command.err == (f"mirror: {file}: fetch.paralel: no such key, did you mean parallel?\n")


def test_keys_of_another_mirror_are_a_settings_error(command: Command, newsroom: Newsroom):
    command.init(newsroom, newsroom.url("/feed"))
    other = Command(command.folder.parent / "other", command.capsys)
    other.init(newsroom, newsroom.url("/feed"))
    shutil.rmtree(command.folder / "keys")
    shutil.copytree(other.folder / "keys", command.folder / "keys")

    assert command.once() == terminal.USAGE
    assert "names other keys" in command.err


def test_a_full_disk_fails_and_signs_nothing(
    command: Command, newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
):
    command.init(newsroom, newsroom.says("/feed", feed(*numbered(2)), content_type=RSS))
    before = command.site()
    with monkeypatch.context() as patch:
        patch.setattr("mirror.stores.dir.SPARE", 1 << 60)

        assert command.once() == terminal.FAILED
        assert "disk full" in command.err

    assert command.site() == before
    assert command.once() == terminal.DONE
    assert command.verify() == 0


# Answers.


def test_the_path_of_an_address_is_where_its_article_is(command: Command, newsroom: Newsroom):
    link = "https://News.Example/story/1?utm_source=rss&b=2#top"
    command.init(newsroom, newsroom.says("/feed", feed(item(1, link=link)), content_type=RSS))
    command.once()

    assert command("path", "http://news.example/story/1?b=2&fbclid=x") == 0

    [path] = command.out.split()

    assert "Story number 1" in command.site()[path].decode()
    assert path == f"{article_folder(short_id(article_id(link)))}/index.html"


def test_every_verb_answers_in_json(command: Command, newsroom: Newsroom):
    url = newsroom.says("/feed", feed(*numbered(2)), content_type=RSS)
    init = ["init", command.folder, "--name", "N", "--origin", ORIGIN, "--feed", url]
    answers = []
    for arguments in (
        [*init, "--allow-host", newsroom.address],
        ["once", "-c", command.folder / "mirror.toml"],
        ["verify", command.folder / "site", "--root", command.folder / "root" / "1.root.json"],
        ["path", "https://news.example/story/1"],
    ):
        assert command(*arguments, "--json") == 0
        answers.append(json.loads(command.out))
    init_, once, verify, path = answers

    assert init_["settings"] == str(command.folder / "mirror.toml")
    assert (once["new"], once["log_size"], once["problems"]) == (2, 3, [])
    assert (verify["ok"], verify["totals"]) == (True, {"valid": 2})
    assert path["id"] == article_id("https://news.example/story/1").hex()


def test_an_answer_in_json_is_one_although_a_feed_failed(command: Command, newsroom: Newsroom):
    command.init(newsroom, newsroom.fails("/feed"))

    assert command.once("--json") == terminal.FAILED
    assert "503" in json.loads(command.out)["problems"][0]


STEERING = "evil\x1b[2J\x07\x9b31m\u202egpj.exe\x00\x7f"


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_nothing_that_steers_a_terminal_gets_there_from_a_feed(
    command: Command, newsroom: Newsroom, more: list[str]
):
    held = Item(STEERING, link=newsroom.url("/a%1b%9b\x9b"), guid=STEERING, teaser="…")
    nowhere = Item(STEERING, guid=STEERING + "2", teaser="…")
    items = (item(1, title=STEERING, guid=STEERING + "1"), held, nowhere)
    body = feed(*items).replace("\x00", "&#0;").replace("\x1b", "&#27;")
    command.init(newsroom, newsroom.says("/feed", body, content_type=RSS))
    code = command.once(*more)
    shown = command.out + command.err
    command.verify(*more)
    shown += command.out + command.err

    assert code in (terminal.PARTLY, terminal.FAILED)
    assert {c for c in shown if not c.isprintable()} <= {"\n"}


def test_a_reader_of_the_output_who_leaves_is_no_error(command: Command):
    run = subprocess.run(
        f"{MIRROR} path https://news.example/1 | true; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )

    assert b"Traceback" not in run.stderr
    assert b"Exception" not in run.stderr


def test_json_for_a_terminal_holds_nothing_that_steers_it(capsys: pytest.CaptureFixture[str]):
    terminal.answer({"title": "a\x9b2Jb\x7f “ц”"})
    out = capsys.readouterr().out

    assert "\\u009b2Jb\\u007f “ц”" in out
    assert json.loads(out) == {"title": "a\x9b2Jb\x7f “ц”"}
