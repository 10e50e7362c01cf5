"""The verb that fills in an archive: alone, beside a daemon, ended and begun again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from newsroom import Newsroom, feed, item, page

from mirror import cli
from mirror.backfill import Backfills, Order
from mirror.cli import backfill as verb
from mirror.cli import terminal
from mirror.database import Database, in_use
from mirror.state import State

RSS, XML = "application/rss+xml", "application/xml"
ORIGIN = "test.example/news"


class Operator:
    """Who types verbs about one mirror of a newsroom that was never polled."""

    def __init__(
        self, folder: Path, newsroom: Newsroom, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.newsroom, self.capsys = folder, newsroom, capsys
        self.config = folder / "mirror.toml"
        self.out = self.err = ""
        named = ("--name", "N", "--origin", ORIGIN, "--feed", newsroom.url("/feed"))
        assert self.run("init", folder, *named, "--allow-host", newsroom.address) == 0
        text = self.config.read_text()
        self.config.write_text(text.replace("port = 8080", "port = 0"))

    def run(self, *arguments: object) -> int:
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(each) for each in arguments])
        self.out, self.err = self.capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code

    def __call__(self, *more: object) -> int:
        return self.run("source", "backfill", "-c", self.config, *more)

    def started(self, *verb: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "mirror", *map(str, verb), "-c", str(self.config)]
        with (self.folder / "log").open("w") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    @contextmanager
    def daemon(self) -> Iterator[None]:
        with self.started("run") as process:
            try:
                self.wait_for(lambda: in_use(self.folder / "state.db"))
                yield
            finally:
                process.terminate()
                process.wait()

    def wait_for(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not done():
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.05)

    @contextmanager
    def database(self) -> Iterator[Database]:
        with closing(Database.beside(self.folder / "state.db", origin=ORIGIN)) as db:
            yield db

    def orders(self) -> list[Order]:
        if not (self.folder / "state.db").exists():
            return []
        with self.database() as db:
            return Backfills(db).rows()

    def titles(self) -> list[str]:
        with self.database() as db:
            return [each.title for each in State(db).articles(0, 1000)]


@pytest.fixture
def operator(tmp_path: Path, newsroom: Newsroom, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(tmp_path / "m", newsroom, capsys)


def says_archive(newsroom: Newsroom, pages: int) -> None:
    """Let `/feed` be the newest of some pages with two entries each."""
    for number in range(pages):
        first = 2 * (pages - number)
        older = f"/feed/{number + 1}" if number + 1 < pages else ""
        link = f'<a:link xmlns:a="http://www.w3.org/2005/Atom" rel="prev-archive" href="{older}"/>'
        text = feed(item(first), item(first - 1)).replace("<channel>", f"<channel>{link}")
        newsroom.says(f"/feed/{number}" if number else "/feed", text, content_type=RSS)


def stories(count: int) -> list[str]:
    return [f"Story number {number}" for number in range(1, count + 1)]


def test_the_archive_of_each_feed_is_filled_in_before_anything_was_polled(
    operator: Operator, newsroom: Newsroom
):
    says_archive(newsroom, 2)
    code = operator()

    assert code == 0
    assert verb.ADVICE in operator.out
    assert f"{newsroom.url('/feed')}: done" in operator.out
    assert "4 articles, 0 were known, 0 could not be made" in operator.out
    assert operator.titles() == stories(4)


def test_the_answer_for_programs_has_all_counts(operator: Operator, newsroom: Newsroom):
    urls = [newsroom.says(f"/story/{n}", page(f"Story number {n}")) for n in (1, 2)]
    gone = newsroom.url("/story/3")
    rows = "".join(f"<url><loc>{url}</loc></url>" for url in [*urls, gone, "https://x.example/"])
    newsroom.says("/sitemap.xml", f"<urlset>{rows}</urlset>", content_type=XML)
    code = operator(newsroom.url("/sitemap.xml"), "--json", "--since", "2026-01-01")
    [told] = json.loads(operator.out)

    assert code == 0
    assert told["problem"].endswith("status 404: not found")
    del told["problem"]
    assert told == {
        "url": newsroom.url("/sitemap.xml"),
        "feed": newsroom.url("/feed"),
        "since": "2026-01-01",
        "state": "done",
        "looked": 1,
        "pages": 1,
        "entries": 3,
        "dealt": 3,
        "new": 2,
        "failed": 1,
        "missed": 0,
        "lost": [],
        "foreign": 1,
    }


def test_what_was_not_had_is_said_and_had_when_it_is_ordered_again(
    operator: Operator, newsroom: Newsroom
):
    says_archive(newsroom, 2)
    kept = newsroom.answers.pop("/feed/1")
    first = operator()
    said = operator.out
    newsroom.answers["/feed/1"] = kept
    second = operator()

    assert (first, second) == (terminal.PARTLY, terminal.DONE)
    assert "not had: 0 articles' pages and 1 pages of the archive" in said
    assert "last problem: " in said
    assert sorted(operator.titles()) == stories(4)


def test_an_address_that_is_not_the_newsrooms_is_refused(operator: Operator):
    for url in ("https://other.example/sitemap.xml", "file:///etc/passwd", "sitemap.xml"):
        code = operator(url)

        assert code == terminal.USAGE
        assert f"{url}: on none of the newsroom's hosts, which are 127.0.0.1" in operator.err
    assert operator.orders() == []


def test_a_date_that_is_none_is_refused(operator: Operator):
    code = operator("--since", "yesterday")

    assert code == terminal.USAGE
    assert "not a date such as 2026-11-22" in operator.err


def test_an_order_that_is_left_is_listed_cancelled_and_obeyed_by_the_next_cycles(
    operator: Operator, newsroom: Newsroom
):
    says_archive(newsroom, 1)
    left = operator("--no-wait")
    listed = operator("--list")
    said = operator.out
    cancelled = operator("--cancel", newsroom.url("/feed"))

    assert (left, listed, cancelled) == (0, 0, 0)
    assert "looking through the archive: 0 pages, 0 entries" in said
    assert "No archive was ordered." in operator.out
    assert operator.orders() == []


def test_killed_at_any_moment_it_goes_on_from_there(operator: Operator, newsroom: Newsroom):
    says_archive(newsroom, 4)
    done = False
    for more in (3, 4, 4):
        if done:  # a busy machine looked too late to kill it
            break
        enough = len(newsroom.asked) + more
        with operator.started("source", "backfill") as process:
            operator.wait_for(
                lambda enough=enough, process=process: (
                    len(newsroom.asked) >= enough or process.poll() is not None
                )
            )
            process.kill()
        done = process.returncode == 0 or any(order.done for order in operator.orders())
    code = 0 if done else operator()
    pages = [path for path in newsroom.asked if path != "/robots.txt"]
    root = operator.folder / "site" / "trust" / "1.root.json"

    assert code == 0
    assert operator.titles() == stories(8)
    assert len(pages) <= 2 * 4 + 3  # twice each, and again what was under way
    assert operator.run("verify", operator.folder / "site", "--root", root) == 0


def test_interrupted_it_says_that_the_order_stays(operator: Operator, newsroom: Newsroom):
    says_archive(newsroom, 4)
    with operator.started("source", "backfill") as process:
        operator.wait_for(lambda: len(newsroom.asked) > 1)
        process.send_signal(signal.SIGINT)
        code = process.wait()

    assert code == terminal.INTERRUPTED
    assert "the order stays" in (operator.folder / "log").read_text()
    [order] = operator.orders()
    assert order.done == 0


def test_beside_a_daemon_the_daemon_does_it(operator: Operator, newsroom: Newsroom):
    newsroom.says("/feed", feed(item(9)), content_type=RSS)
    newsroom.says("/archive", feed(item(2), item(1)), content_type=RSS)
    with operator.daemon():
        operator.wait_for(lambda: "/feed" in newsroom.asked)
        code = operator(newsroom.url("/archive"), "--json")
        [told] = json.loads(operator.out)

    assert code == 0
    assert (told["state"], told["new"]) == ("done", 2)
    assert operator.titles() == ["Story number 9", *stories(2)]


def test_the_bar_tells_how_far_it_is():
    order = Order("u", "s", kind="feed", looked=3, total=200, entries=50, new=40)
    late = Order("u", "s", total=4, tries=2, at=int(time.time()) + 90)

    assert verb._line([order]) == "[#####---------------]  25%  50 of 200 entries, 40 new"
    assert "; tried again in " in verb._line([late])
    assert os.linesep not in verb._line([order, late])
