"""The verb `source check`: what an operator sees of a newsroom before anything is signed."""

import json
from collections.abc import Iterator
from pathlib import Path

import newsroom as newsrooms
import pytest
from newsroom import Item, Newsroom, feed, item, page

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
        asked = "source", "check", self.newsroom.url(path), "--allow-host", self.newsroom.address
        with pytest.raises(SystemExit) as ended:
            cli.main([str(each) for each in (*asked, *more)])
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


def test_settings_say_how_it_is_looked_at(look: Operator, tmp_path: Path):
    url = look.newsroom.url("/feed")
    file = tmp_path / "mirror.toml"
    rule = '[[sites]]\nhost = "127.0.0.1"\ntext = "article p"\n'
    file.write_text(
        f'[newsroom]\nname = "N"\norigin = "t.example/n"\n[[feeds]]\nurl = "{url}"\n{rule}'
    )

    assert look("/feed", "-c", file) == 0
    assert "the rules for 127.0.0.1 find no text" not in look.out
    assert not (tmp_path / "state.db").exists()


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
