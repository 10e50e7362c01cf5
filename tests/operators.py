"""An operator who types verbs about one mirror of a newsroom with three articles."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from free_ports import free_port
from newsroom import Newsroom, feed, item

from mirror import cli
from mirror.formats.paths import short_id
from mirror.formats.url import article_id

RSS = "application/rss+xml"
ORIGIN = "test.example/news"
WORDS = "Nobody was to read this"


def address(number: int) -> str:
    return f"https://news.example/story/{number}"


def short(number: int) -> str:
    return short_id(article_id(address(number)))


class Operator:
    """Who types verbs about one mirror of a newsroom with three articles."""

    def __init__(
        self, folder: Path, newsroom: Newsroom, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.newsroom, self.capsys = folder, newsroom, capsys
        self.out = self.err = ""
        named = ("--name", "N", "--origin", ORIGIN, "--feed", newsroom.url("/feed"))
        assert self.run("init", folder, *named, "--allow-host", newsroom.address) == 0
        self.port = free_port()
        self.set("port = 8080", f"port = {self.port}")
        self.says(WORDS)

    @property
    def config(self) -> Path:
        return self.folder / "mirror.toml"

    def set(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def says(self, text: str) -> None:
        items = [item(3), item(2, text=text), item(1)]
        self.newsroom.says("/feed", feed(*items), content_type=RSS)

    def run(self, *arguments: object) -> int:
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(each) for each in arguments])
        self.out, self.err = self.capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code

    def __call__(self, name: str, *more: object) -> int:
        return self.run(name, "-c", self.config, *more)

    def left(self) -> list[str]:
        files = (path for path in (self.folder / "site").rglob("*") if path.is_file())
        return [path.name for path in files if WORDS.encode() in path.read_bytes()]

    @contextmanager
    def daemon(self) -> Iterator[None]:
        command = [sys.executable, "-m", "mirror", "run", "-c", str(self.config)]
        with (
            (self.folder / "log").open("w") as log,
            subprocess.Popen(command, stdout=log, stderr=log) as process,
        ):
            try:
                end = time.monotonic() + 30
                while not self.answers():
                    assert time.monotonic() < end, (self.folder / "log").read_text()
                    time.sleep(0.1)
                yield
            finally:
                process.terminate()
                process.wait()

    def answers(self) -> bool:
        with closing(socket.socket()) as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0
