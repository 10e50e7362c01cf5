"""The verb `source check`: what an operator sees of a newsroom before anything is signed."""

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any

import newsroom as newsrooms
import pytest
from fetch_proxies import Seen, ssh_socks
from newsroom import PARAGRAPH, Item, Newsroom, feed, item, page

from mirror import cli

RSS = "application/rss+xml"


@pytest.fixture
def newsroom() -> Iterator[Newsroom]:
    with newsrooms.running() as newsroom:
        newsroom.says("/story", page("A teaser", text="The whole story."))
        teaser = Item("A teaser", newsroom.url("/story"), "urn:t", teaser="Only…")
        dead = Item("Dead", newsroom.url("/dead"), "urn:d", teaser="Only…")
        newsroom.says("/feed", feed(item(1), teaser, dead), content_type=RSS)
        yield newsroom


class Operator:
    """Who looks at addresses of one newsroom."""

    def __init__(self, newsroom: Newsroom, capsys: pytest.CaptureFixture[str]) -> None:
        self.newsroom, self.capsys = newsroom, capsys
        self.out = self.err = ""

    def __call__(self, path: str, *more: object) -> int:
        return self.at(self.newsroom.url(path), "--allow-host", self.newsroom.address, *more)

    def at(self, *asked: object) -> int:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(each) for each in ("source", "check", *asked)])
        self.out, self.err = self.capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code


@pytest.fixture
def look(newsroom: Newsroom, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(newsroom, capsys)


def test_a_feed_is_shown_with_what_each_entry_would_become(look: Operator):
    assert look("/feed") == 0
    assert "3 entries" in look.out
    assert "1 of them have the whole text" in look.out
    assert "characters from the feed" in look.out
    assert "characters from its page" in look.out
    assert f"not mirrored: {look.newsroom.url('/feed')}: {look.newsroom.url('/dead')}" in look.out
    assert "status 404" in look.out
    assert "Nothing was signed" in look.out


def test_a_page_that_names_its_feeds_is_as_good(look: Operator):
    links = '<link rel="alternate" type="application/rss+xml" href="/gone">'
    links += '<link rel="alternate" type="application/rss+xml" title="All" href="feed">'
    look.newsroom.says("/gone", "no feed")
    look.newsroom.says("/", f"<html><head>{links}</head><body>News</body></html>")

    assert look("/") == 0
    assert look.out.startswith(look.newsroom.url("/feed"))
    assert f"also named there: {look.newsroom.url('/gone')}" in look.out


def test_a_page_without_feeds_says_so(look: Operator):
    assert look("/story") == 1
    assert "an HTML page, not a feed; it names no feed either" in look.err


def test_an_address_that_does_not_answer_is_named(look: Operator):
    assert look("/dead") == 1
    assert "status 404" in look.err


def test_programs_get_json(look: Operator):
    assert look("/feed", "--json", "--most", "1") == 0
    shown = json.loads(look.out)
    [first] = shown["found"]

    assert (shown["entries"], shown["whole"]) == (3, 1)
    assert (first["title"], first["from"], first["partial"]) == ("Story number 1", "feed", False)


def test_the_newest_entries_are_looked_at_wherever_they_stand(look: Operator):
    dates = [f"{day} Nov 2026 06:30:00 GMT" for day in (16, 17, 18)]
    some = [item(number, date=date) for number, date in enumerate(dates)]
    look.newsroom.says("/feed", feed(*some), content_type=RSS)
    assert look("/feed", "--json", "--most", "1") == 0
    [found] = json.loads(look.out)["found"]

    assert found["title"] == "Story number 2"


def test_the_text_may_be_had_from_elsewhere_to_compare(look: Operator):
    assert look("/feed", "--text", "feed") == 0
    assert "from its page" not in look.out


def test_the_pages_that_readers_would_get_are_kept_where_asked(look: Operator, tmp_path: Path):
    assert look("/feed", "--out", tmp_path / "out") == 0
    names = sorted(each.name for each in (tmp_path / "out").iterdir())

    assert names == ["1.html", "2.html"]
    assert "The whole story." in (tmp_path / "out" / "2.html").read_text()


def test_a_browser_is_shown_the_first_page(look: Operator, monkeypatch: pytest.MonkeyPatch):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)

    assert look("/feed", "--open") == 0
    assert [address.startswith("file:///") for address in opened] == [True]


def settings(folder: Path, url: str, *, fetch: str = "", more: str = "") -> Path:
    named = f'[newsroom]\nname = "N"\norigin = "t.example/n"\n[[feeds]]\nurl = "{url}"\n'
    file = folder / "mirror.toml"
    file.write_text(f"{named}{more}\n[fetch]\n{fetch}\n")
    return file


def test_settings_say_how_it_is_looked_at(look: Operator, tmp_path: Path):
    own = f'<p class="own">The whole story. {PARAGRAPH * 3}</p>'
    story = page("A teaser").replace("<p>", f"{own}<p>", 1)
    look.newsroom.says("/story", story)
    seen = []
    for number, rule in enumerate(['text = ".own"', 'text = "article blockquote"']):
        more = f'[[sites]]\nhost = "127.0.0.1"\n{rule}\n'
        file = settings(tmp_path, look.newsroom.url("/feed"), more=more)
        assert look("/feed", "-c", file, "--out", tmp_path / str(number)) == 0
        kept = (tmp_path / str(number) / "2.html").read_text()
        seen.append(("The whole story." in kept, "1. The harbour" in kept))
        missed = "the rules for 127.0.0.1 find no text" in look.out
        assert missed == ("blockquote" in rule)

    assert seen == [(True, False), (True, True)]
    assert not (tmp_path / "state.db").exists()


@contextmanager
def elsewhere(opened: AbstractAsyncContextManager[Seen]) -> Iterator[Seen]:
    """Keep a proxy open in a thread with a loop of its own: the command runs one itself."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxy")
    thread.start()

    def wait(work: Coroutine[None, None, Any]) -> Any:  # noqa: ANN401
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    try:
        seen = wait(opened.__aenter__())
        try:
            yield seen
        finally:
            wait(opened.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.mark.parametrize("with_settings", [False, True])
def test_who_sits_behind_a_censor_looks_over_a_proxy(
    look: Operator, tmp_path: Path, *, with_settings: bool
):
    url = "http://news.example/feed"
    look.newsroom.says("/feed", feed(item(1)), content_type=RSS)
    down = 'proxy = "socks5h://127.0.0.1:9"'
    more = ("-c", settings(tmp_path, url, fetch=down)) if with_settings else ()
    with elsewhere(ssh_socks({("news.example", 80): look.newsroom.address})) as seen:
        assert look.at(url, "--proxy", f"socks5h://{seen.address}", *more) == 0

    assert "Story number 1" in look.out
    assert set(seen.targets) == {("news.example", 80)}


def test_the_proxy_of_the_settings_can_be_left_out(look: Operator, tmp_path: Path):
    down = 'proxy = "socks5h://127.0.0.1:9"'
    file = settings(tmp_path, look.newsroom.url("/feed"), fetch=down)

    assert look("/feed", "-c", file) == 1
    assert "proxy 127.0.0.1:9: cannot be reached" in look.err
    assert look("/feed", "-c", file, "--proxy", "") == 0


@pytest.mark.parametrize("text", ["127.0.0.1:9050", "ftp://127.0.0.1:1", "socks5h://me:hush@:1"])
def test_what_is_no_proxy_is_refused_without_repeating_it(look: Operator, text: str):
    assert look("/feed", "--proxy", text) == 2
    assert "SCHEME://[USER:PASSWORD@]HOST:PORT was expected" in look.err
    assert "hush" not in look.err


def test_a_private_address_is_refused_unless_it_is_named(
    newsroom: Newsroom, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        cli.main(["source", "check", newsroom.url("/feed")])

    assert ended.value.code == 1
    assert "refused" in capsys.readouterr().err
    assert newsroom.asked == []


@pytest.mark.parametrize("address", ["", "not an address", "ftp://news.example/feed"])
def test_what_is_no_address_is_named(address: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        cli.main(["source", "check", address])

    assert ended.value.code == 2
    assert "an address, https://…, was expected" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_named(look: Operator, tmp_path: Path):
    (tmp_path / "file").write_text("no folder")

    assert look("/feed", "--out", tmp_path / "file") == 2
    assert f"{tmp_path / 'file'}: cannot be written" in look.err


def test_what_a_feed_says_does_not_steer_the_terminal(look: Operator):
    evil = item(1, title="\x1b[2J\x1b]0;owned\x07 title")
    look.newsroom.says("/feed", feed(evil).replace("\x1b", "&#27;"), content_type=RSS)
    look("/feed")

    assert "\x1b" not in look.out + look.err
