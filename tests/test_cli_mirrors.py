"""What an operator is told of the mirrors: what is thought of each, what is seen, what was."""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import draft
from fetch_servers import LOOPBACK, encrypted
from front_verbs import run
from trial_front import Front, certificate, fronted

from mirror import build
from mirror.article.render.page import Masthead
from mirror.cli import mirrors, status
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
from mirror.trial import Finding, verdicts
from mirror.trial.verdicts import Tried

ORIGIN, FEED = "test.example/news", "https://news.example/feed"


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

    def status(self) -> str:
        self.capsys.readouterr()
        run(status, "status", "-c", self.config)
        return self.capsys.readouterr().out

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
def front(published: Operator) -> Iterator[tuple[str, Front]]:
    """Yield the address of a mirror before the site's folder, and what serves it."""
    with fronted(published.site) as (host, front):
        yield f"http://{host}/", front


@pytest.fixture
def served(front: tuple[str, Front]) -> str:
    return front[0]


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
    assert operator.out.splitlines()[1].endswith("private, not announced")
    assert operator.out.splitlines()[2:] == ["  not announced: not found fit yet"]


def test_mirrors_that_have_no_room_in_the_signed_list_are_named(operator: Operator):
    urls = [f"https://{'m' * 60}{n:03}.example/" for n in range(220)]
    operator.name(*urls)
    countries = tuple(f"R{letter}" for letter in "ABCDEFGH")
    for n, url in enumerate(urls):
        operator.put(Mirror(url, "public", "blocked", now(), n + 1, "", 0, countries))

    assert operator("list", "--json") == DONE

    left = json.loads(operator.out)["left_out"]

    assert operator("list") == DONE
    lines = operator.out.splitlines()
    without = [lines[i - 1].split("  ")[0] for i, line in enumerate(lines) if "no room" in line]
    assert 50 < len(left) < 150
    assert without[:-1] == sorted(left)
    assert lines[-1].startswith(f"{len(left)} of 220 announced mirrors have no room in the signed")


def test_public_addresses_of_stores_are_mirrors_too(operator: Operator):
    store = '\n[[stores]]\nname = "x"\nkind = "folder"\nto = "x"\nrole = "private"\n'
    operator.name(more=f'{store}public = "https://store.example"\n')

    assert operator("list", "--json") == DONE

    [found] = json.loads(operator.out)["mirrors"]

    assert (found["url"], found["role"]) == ("https://store.example/", "private")
    assert (found["state"], found["announced"]) == ("new", None)


COOKIES = Finding("cookies", "bad", "adds cookies to .html", "switch off cookies")


@pytest.mark.parametrize(
    ("found", "role", "reason"),
    [
        ((COOKIES,), "private", "adds cookies to .html: switch off cookies"),
        ((replace(COOKIES, level="poor"),), "spare", ""),
        ((), "private", "not found fit yet"),
    ],
)
def test_a_mirror_that_would_harm_readers_is_said_to_be_announced_to_none_and_why(
    operator: Operator, found: tuple[Finding, ...], role: str, reason: str
):
    store = '\n[[stores]]\nname = "x"\nkind = "folder"\nto = "x"\nrole = "spare"\n'
    operator.name(more=f'{store}public = "https://store.example"\n')
    if found:
        with operator.state.transaction():
            tried = Tried("https://store.example/", found)
            verdicts.keep(operator.state.db, tried, now=now(), jitter=0)
    operator("list", "--json")
    [row] = json.loads(operator.out)["mirrors"]

    assert row["role"] == role
    assert (row["fit"], len(row["faults"])) == (
        {"spare": True}.get(role, False if found else None),
        int(bool(found) and role == "private"),
    )

    assert operator("list") == DONE
    assert operator.out.splitlines()[1:] == ([f"  not announced: {reason}"] if reason else [])


def test_a_mirror_that_works_is_seen_to_work(published: Operator, served: str):
    published.name(served)

    assert published("check") == DONE
    assert published.out.startswith(f"{served}  healthy: works from here\n  from here: works, ")
    assert published.out.endswith("  browsers are answered as they should be\n")
    published("list", "--json")
    assert [each["role"] for each in json.loads(published.out)["mirrors"]] == ["public"]


def test_a_mirror_that_works_and_harms_readers_is_said_to(
    published: Operator, front: tuple[str, Front]
):
    served, habits = front
    habits.habits = frozenset({"adds cookies", "says who"})
    published.name(served)

    assert published("check", served) == PARTLY
    assert "  BAD   cookies     adds cookies to .html" in published.out
    assert "→ switch off cookies" in published.out
    assert "  POOR  server      says: nginx" in published.out
    published("list")
    assert f"{served}  healthy since " in published.out
    assert ", private, not announced: works from here\n" in published.out
    assert "  not announced: adds cookies to .html" in published.out
    published("history")
    assert f"{served} unfit: adds cookies to .html" in published.out
    assert f"    {served}  would harm readers: adds cookies to .html" in published.status()

    habits.habits = frozenset()

    assert published("check", served) == DONE
    assert "would harm readers" not in published.status()
    published("list")
    assert ", public, not announced: works from here\n" in published.out
    assert published.out.endswith("  not announced: the daemon announces it with its next look\n")


def test_who_announces_a_mirror_that_works_is_said_unless_it_was_listed_before(operator: Operator):
    url = "https://a.example/"
    operator.name(url)
    operator.put(Mirror(url, "public", "healthy", 1_795_000_000, None, "works from here"))
    with operator.state.transaction():
        tried = Tried(url, (Finding("cors", "good", "as it should be"),))
        verdicts.keep(operator.state.db, tried, now=now(), jitter=0)
    operator("list")
    daemon = operator.out.splitlines()[1:]
    with operator.state.transaction():
        Mirrors(operator.state.db).note("removed", url, "down for six hours", now=now())
    operator("list")
    before = operator.out.splitlines()[1:]
    with operator.state.transaction():
        operator.state.db.execute("DELETE FROM rotation", ())
    operator.state.close()
    operator("list")

    assert daemon == ["  not announced: the daemon announces it with its next look"]
    assert before == []
    assert operator.out.splitlines()[1:] == [
        "  not announced: no daemon runs: `mirror run` announces it with its first look"
    ]


def test_a_mirror_that_fails_is_told_in_words(published: Operator, served: str):
    gone = f"http://{LOOPBACK}:9/"  # the port of `discard`, which nobody has open
    published.name(served, gone)

    assert published("check") == PARTLY
    assert f"{gone}  suspect: tcp_ip from here: no connection: refused\n" in published.out
    assert re.search(r"  from here: no connection: refused, \d+\.\d s \[tcp_ip\]\n", published.out)

    assert published("check", gone) == FAILED
    assert served not in published.out
    assert f"{gone}  down" in published.out
    assert (
        f"  not tried as by a browser: from here: {gone}checkpoint: no connection" in published.out
    )


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


def test_a_mirror_whose_certificate_has_expired_is_said_to(published: Operator, tmp_path: Path):
    own = certificate(tmp_path / "own", first=-30, last=-1)
    with fronted(published.site, tls=encrypted(own)) as (host, _):
        published.name(f"https://{host}/")
        done = subprocess.run(  # certificates are read when a process begins
            [sys.executable, "-m", "mirror", "mirrors", "check", "-c", str(published.config)],
            env={**os.environ, "SSL_CERT_FILE": str(own)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    published("list")

    assert done.returncode == FAILED
    assert "BAD   certificate" in done.stdout
    assert "certificate has expired\n                    → renew it" in done.stdout
    assert ", private, not announced" in published.out
    assert "certificate has expired: renew it" in published.out.splitlines()[-1]


def test_programs_get_json_of_what_was_seen(published: Operator, served: str):
    published.name(served)

    assert published("check", "--json") == DONE

    found = json.loads(published.out)

    [mirror] = found["mirrors"]
    [seen] = mirror["looks"]
    assert (mirror["state"], mirror["fit"], found["not_heard"]) == ("healthy", True, {})
    assert (seen["vantage"], seen["outcome"]) == ("here", "ok")


def test_history_shows_looks_and_changes_the_latest_first(published: Operator, served: str):
    published.name(served)
    assert published("history") == DONE
    assert "Nothing was seen yet" in published.out
    published("check")

    assert published("history", served.rstrip("/")) == DONE

    lines = published.out.splitlines()

    assert len(lines) == 3
    assert any(f"{served} is fit: nothing found that harms readers" in line for line in lines)
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
