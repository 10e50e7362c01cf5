"""What an operator is told of the mirrors: what is thought of each, what is seen, what was."""

import argparse
import functools
import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import draft
from fetch_servers import LOOPBACK

from mirror import build
from mirror.agenda import Agenda
from mirror.article.render.page import Masthead
from mirror.cli import mirrors
from mirror.cli.terminal import DONE, FAILED, PARTLY, now
from mirror.errors import SettingsError
from mirror.init import Wishes, make
from mirror.keys import Keys
from mirror.mirrors import Mirror, Mirrors
from mirror.press import Press
from mirror.settings import Settings
from mirror.signer import Signer, listing
from mirror.state import State
from mirror.stores.dir import DirStore
from mirror.trial import UNFIT

ORIGIN, FEED = "test.example/news", "https://news.example/feed"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class Operator:
    """Who types `mirror mirrors` about one mirror, whose `db` a daemon may have open."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.config, self.capsys = folder / "mirror.toml", capsys
        make(folder, Wishes("N", ORIGIN, [FEED]), now=now())
        settings = Settings.load(self.config)
        self.site = folder / settings.paths.site
        self.state = State.open(folder / settings.paths.state, origin=ORIGIN)
        self.out = self.err = ""

    async def publish(self) -> None:
        keys = Keys.load(self.config.parent / "keys", origin=ORIGIN)
        trusted = build.newest_root(self.site / "trust")
        signer = Signer(keys, self.state, trusted, Masthead("N", ORIGIN, ""), "en")
        signer.append([draft(signer, n) for n in range(3)], now=now())
        await Press(signer, DirStore(self.site)).publish(now=now)

    def name(self, *urls: str, more: str = "") -> None:
        sections = "".join(f'\n[[mirrors]]\nurl = "{url}"\n' for url in urls)
        with self.config.open("a") as file:
            file.write(sections + more)

    def __call__(self, word: str, *more: str) -> int:
        parser = argparse.ArgumentParser()
        mirrors.add(parser.add_subparsers())
        arguments = parser.parse_args(["mirrors", word, "-c", str(self.config), *more])
        self.capsys.readouterr()
        code: int = arguments.run(arguments)
        self.out, self.err = self.capsys.readouterr()
        return code

    def put(self, mirror: Mirror) -> None:
        with self.state.transaction():
            Mirrors(self.state.db).put(mirror)


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Operator]:
    operator = Operator(tmp_path / "m", capsys)
    yield operator
    operator.state.close()


@pytest.fixture
async def published(operator: Operator) -> Operator:
    await operator.publish()
    return operator


@pytest.fixture
def served(published: Operator) -> Iterator[str]:
    """Yield the address of a mirror: the site's folder behind a web server of another make."""
    handler = functools.partial(Quiet, directory=str(published.site))
    server = http.server.ThreadingHTTPServer((LOOPBACK, 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://{LOOPBACK}:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_who_names_no_mirror_is_told_where_to_name_one(operator: Operator):
    assert operator("list") == DONE
    assert "[[mirrors]]" in operator.out


def test_each_mirror_is_one_line_with_state_role_and_reason(operator: Operator):
    operator.name("https://a.example/", "https://b.example/")
    operator.put(
        Mirror("https://a.example/", "spare", "blocked", 1_795_000_000, 1, "blocked in RU: x")
    )

    assert operator("list") == DONE
    assert operator.out.splitlines()[0] == (
        "https://a.example/  blocked since 2026-11-18T11:06:40Z, public, announced:"
        " blocked in RU: x"
    )
    assert operator.out.splitlines()[1].startswith("https://b.example/  new since 20")
    assert operator.out.splitlines()[1].endswith("public, not announced")


def test_public_addresses_of_stores_are_mirrors_too(operator: Operator):
    store = '\n[[stores]]\nname = "x"\nkind = "folder"\nto = "x"\nrole = "private"\n'
    operator.name(more=f'{store}public = "https://store.example"\n')

    assert operator("list", "--json") == DONE

    [found] = json.loads(operator.out)["mirrors"]

    assert (found["url"], found["role"]) == ("https://store.example/", "private")
    assert (found["state"], found["announced"]) == ("new", None)


@pytest.mark.parametrize(
    ("word", "role"),
    [
        (f"{UNFIT}: scripts", "private"),
        ("good", "spare"),
        ("poor: caching", "spare"),
        ("", "spare"),
    ],
)
def test_a_store_that_would_harm_readers_is_announced_to_none(
    operator: Operator, word: str, role: str
):
    store = '\n[[stores]]\nname = "x"\nkind = "folder"\nto = "x"\nrole = "spare"\n'
    operator.name(more=f'{store}public = "https://store.example"\n')
    with operator.state.transaction():
        Agenda(operator.state.db).note("x tested", word, now=now())
    operator("list", "--json")

    assert [each["role"] for each in json.loads(operator.out)["mirrors"]] == [role]

    assert operator("list") == DONE
    assert ("`mirror store test x`" in operator.out) == (role == "private")


def test_a_mirror_that_works_is_seen_to_work(published: Operator, served: str):
    published.name(served)

    assert published("check") == DONE
    assert published.out.startswith(f"{served}  healthy: works from here\n  from here: works, ")


def test_a_mirror_that_fails_is_told_in_words(published: Operator, served: str):
    gone = f"http://{LOOPBACK}:9/"  # the port of `discard`, which nobody has open
    published.name(served, gone)

    assert published("check") == PARTLY
    assert f"{gone}  suspect: tcp_ip from here: no connection: refused\n" in published.out
    assert re.search(r"  from here: no connection: refused, \d+\.\d s \[tcp_ip\]\n", published.out)

    assert published("check", gone) == FAILED
    assert served not in published.out
    assert f"{gone}  down" in published.out


def test_a_place_that_does_not_work_is_named_and_not_its_password(published: Operator, served: str):
    vantage = (
        f'\n[[vantages]]\nname = "relay"\ncountry = "RU"\nproxy = "http://u:hush@{LOOPBACK}:9"\n'
    )
    published.name(served, more=f'{vantage}\n[[vantages]]\nname = "out"\ncontrol = true\n')

    assert published("check") == PARTLY
    assert "relay (RU) was not heard: " in published.out
    assert "cannot be reached" in published.out
    assert "hush" not in published.out + published.err
    assert "from out: works" in published.out


def test_programs_get_json_of_what_was_seen(published: Operator, served: str):
    published.name(served)

    assert published("check", "--json") == DONE

    found = json.loads(published.out)

    [mirror] = found["mirrors"]
    [seen] = mirror["looks"]
    assert (mirror["state"], found["not_heard"]) == ("healthy", {})
    assert (seen["vantage"], seen["outcome"]) == ("here", "ok")


def test_history_shows_looks_and_changes_the_latest_first(published: Operator, served: str):
    published.name(served)
    assert published("history") == DONE
    assert "Nothing was seen yet" in published.out
    published("check")

    assert published("history", served.rstrip("/")) == DONE

    lines = published.out.splitlines()

    assert len(lines) == 2
    assert any(f"{served} is healthy: works from here" in line for line in lines)
    assert any(f"{served} from here: works, 0." in line for line in lines)
    assert published("history", "--most", "1", "--json") == DONE
    assert len(json.loads(published.out)["looks"]) == 1


def test_a_shorter_list_is_signed_on_a_word_that_says_how_short(operator: Operator):
    assert operator("shrink", "--to", "2") == DONE
    assert "2 mirrors or more" in operator.out
    assert listing.permitted(operator.state.db, now=now()) == 2


@pytest.mark.parametrize("given", ["-1", "x", "1.5", "²", "9" * 5000])
def test_what_is_no_number_of_things_is_named(operator: Operator, given: str):
    with pytest.raises(SystemExit):
        operator("history", f"--most={given}")
    assert "argument --most: a whole number was expected" in operator.capsys.readouterr().err


@pytest.mark.parametrize("word", ["check", "history"])
def test_an_address_that_is_no_mirror_is_refused(operator: Operator, word: str):
    with pytest.raises(SettingsError, match="not a mirror of the settings"):
        operator(word, "https://other.example/")
