"""The verb `store`: an operator adds places once, and is told what is wrong with each."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import newsroom as newsrooms
import pytest
from fetch_servers import encrypted
from newsroom import Newsroom, feed, item
from operators import ORIGIN, RSS, WORDS, Operator, short
from trial_front import Front, certificate, fronted

from mirror.agenda import Agenda
from mirror.cli import terminal
from mirror.database import Database
from mirror.formats.paths import CHECKPOINT, article_folder
from mirror.inventory import LEAST
from mirror.settings import Settings

FAST = ("--wait", "0.1")


class Keeper(Operator):
    """An operator with a copy of a mirror that has published three articles."""

    def __init__(
        self, folder: Path, made: Path, newsroom: Newsroom, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shutil.copytree(made, folder)
        self.folder, self.newsroom, self.capsys = folder, newsroom, capsys
        self.out = self.err = ""
        self.says(WORDS)

    def store(self, word: str, *more: object) -> int:
        return self.run("store", word, *more, "-c", self.config)

    def add(self, *more: object, name: str = "far") -> int:
        return self.store("add", name, "--kind", "folder", "--to", f"out/{name}", *more, *FAST)

    def json(self, word: str, *more: object) -> dict:
        self.store(word, *more, "--json")
        return json.loads(self.out)

    def far(self, path: str) -> Path:
        return self.folder / "out/far" / path

    @property
    def page(self) -> str:
        return f"{article_folder(short(1))}/1.html"


@pytest.fixture(scope="module")
def newsroom() -> Iterator[Newsroom]:
    with newsrooms.running() as newsroom:
        yield newsroom


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, newsroom: Newsroom) -> Path:
    """Return the folder of a mirror that has published once."""
    folder = tmp_path_factory.mktemp("made") / "m"
    newsroom.says("/feed", feed(item(3), item(2, text=WORDS), item(1)), content_type=RSS)
    named = "--name", "N", "--origin", ORIGIN, "--feed", newsroom.url("/feed")
    mirror("init", folder, *named, "--allow-host", newsroom.address)
    mirror("once", "-c", folder / "mirror.toml")
    return folder


@pytest.fixture(scope="module")
def made_with_store(made: Path) -> Path:
    """Return the folder of one that has also filled the store `far`."""
    folder = made.with_name("with-store")
    shutil.copytree(made, folder)
    config = folder / "mirror.toml"
    mirror("store", "add", "far", "--kind", "folder", "--to", "out/far", "-c", config)
    mirror("once", "-c", config)
    return folder


def mirror(*arguments: object) -> None:
    command = [sys.executable, "-m", "mirror", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def keeper(
    tmp_path: Path, made: Path, newsroom: Newsroom, capsys: pytest.CaptureFixture[str]
) -> Keeper:
    return Keeper(tmp_path / "m", made, newsroom, capsys)


@pytest.fixture
def follows(
    tmp_path: Path, made_with_store: Path, newsroom: Newsroom, capsys: pytest.CaptureFixture[str]
) -> Keeper:
    return Keeper(tmp_path / "m", made_with_store, newsroom, capsys)


# Adding.


def test_a_store_is_tried_and_then_written_below_all_that_stood_there(keeper: Keeper):
    before = keeper.config.read_text()
    keeper.config.chmod(0o640)
    with fronted(keeper.folder / "out/far") as (host, _):
        public = f"http://{host}/"
        assert keeper.add("--public", public, "--role", "spare", "--allow-host", host) == 0
    [store] = Settings.load(keeper.config).stores

    assert (store.name, store.kind, store.to) == ("far", "folder", "out/far")
    assert (store.public, store.role, store.secret, store.options) == (public, "spare", "", {})
    assert keeper.config.read_text().startswith(before)
    assert keeper.config.stat().st_mode & 0o777 == 0o640
    assert not list(keeper.folder.glob("mirror.toml.*"))
    assert "good  cors" in keeper.out
    assert "Added far" in keeper.out


def test_a_store_that_does_not_do_is_not_added(keeper: Keeper):
    before = keeper.config.read_text()
    with fronted(keeper.folder / "out/far", "adds scripts") as (host, _):
        asked = "--public", f"http://{host}/", "--allow-host", host
        assert keeper.add(*asked) == 1
        assert "BAD   bytes       .html: a script was put in" in keeper.out
        assert "→ switch off what injects it" in keeper.out
        assert "Not added, and nothing written" in keeper.out
        assert keeper.config.read_text() == before
        keeper("status")
        assert "far" not in keeper.out

        assert keeper.add(*asked, "--untested") == 0
    assert len(Settings.load(keeper.config).stores) == 1


def test_a_store_that_could_do_better_is_added_and_said_to(keeper: Keeper):
    with fronted(keeper.folder / "out/far", "says who") as (host, _):
        assert keeper.add("--public", f"http://{host}/", "--allow-host", host) == 4
    assert len(Settings.load(keeper.config).stores) == 1


def test_a_name_that_is_there_is_refused_and_so_is_what_has_no_meaning(keeper: Keeper):
    assert keeper.add() == 0
    before = keeper.config.read_text()

    assert keeper.add() == 2
    assert "stores: far: stands there already" in keeper.err
    assert keeper.add(name="Not a name") == 2
    assert keeper.add("--secret", "none.env", name="other") == 2
    assert "none.env" in keeper.err
    assert keeper.add("--option", "key", name="other") == 2
    assert keeper.config.read_text() == before


def test_options_and_secrets_are_written_as_they_were_said(keeper: Keeper):
    (keeper.folder / "keys/far.env").write_text("AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\n")
    said = "--option", "endpoint=https://s3.example", "--option", "region=eu-1"
    told = "--kind", "objects", "--to", "s3://news-copy", "--secret", "keys/far.env", *said
    assert keeper.store("add", "far", *told, "--untested") == 0
    [store] = Settings.load(keeper.config).stores

    assert store.options == {"endpoint": "https://s3.example", "region": "eu-1"}
    assert store.secret == "keys/far.env"
    assert store.role == "public"


def test_a_secret_that_others_may_read_is_said_once_and_to_a_person(
    keeper: Keeper, caplog: pytest.LogCaptureFixture
):
    file = keeper.folder / "keys/far.env"
    file.write_text("KEY=x\n")
    file.chmod(0o640)
    said = f"mirror: {file}: others on this machine may read this secret: chmod 600\n"
    assert keeper.add("--secret", "keys/far.env") == 0
    assert keeper.err == said
    for word, *more in (("test", *FAST), ("remove", "--erase")):
        keeper.store(word, "far", *more)
        assert keeper.err == said
    assert not caplog.messages


def test_what_cannot_be_opened_is_not_added_even_untested(keeper: Keeper):
    before = keeper.config.read_text()
    to = ":sftp,host=h:path"

    assert keeper.store("add", "far", "--kind", "rclone", "--to", to, "--untested") == 2
    assert keeper.config.read_text() == before


def test_a_second_store_stands_behind_the_first(keeper: Keeper):
    assert keeper.add(name="one") == 0
    assert keeper.add(name="two") == 0

    assert [each.name for each in Settings.load(keeper.config).stores] == ["one", "two"]


def test_a_store_that_would_write_into_another_is_not_added(keeper: Keeper):
    assert keeper.add(name="one") == 0
    before = keeper.config.read_text()
    (keeper.folder / "link").symlink_to("out")
    for to in ("out/one/more", "link/one"):
        assert keeper.add("--to", to, "--untested", name="two") == 2
        said = f'mirror: {keeper.config}: stores.1.to: "one" writes there already\n'
        assert keeper.err == said

    assert keeper.config.read_text() == before


# Testing.


@pytest.mark.parametrize(
    ("habit", "code", "word"),
    [
        ("", 0, "as it should be"),
        ("answers all", 1, "not to be announced: missing, case"),
        ("keeps connections", 4, "works; not as it could: connection"),
    ],
)
def test_a_store_is_tried_again_whenever_asked(keeper: Keeper, habit: str, code: int, word: str):
    with fronted(keeper.folder / "out/far", habit) as (host, front):
        told = "--public", f"http://{host}/", "--untested"
        assert keeper.add(*told) == 0
        assert keeper.store("test", "far", "--allow-host", host, *FAST) == code
        assert keeper.out.splitlines()[-1] == f"far: {word}"
        assert keeper.json("test", "far", "--allow-host", host, *FAST)["findings"]
        assert _nothing_left(front)
    assert word in keeper.json("list")["stores"][0]["tested"]


@pytest.mark.parametrize(
    ("last", "code", "words"),
    [(30, 0, "far: as it should be"), (-1, 1, "has expired\n                  → renew it")],
)
def test_a_certificate_that_has_expired_is_named_with_what_to_do(
    keeper: Keeper, tmp_path: Path, last: int, code: int, words: str
):
    own = certificate(tmp_path / "own", first=-30, last=last)
    with fronted(keeper.folder / "out/far", tls=encrypted(own)) as (host, _):
        assert keeper.add("--public", f"https://{host}/", "--untested") == 0
        told = "store", "test", "far", "--allow-host", host, *FAST, "-c", keeper.config
        done = subprocess.run(  # certificates are read when a process begins
            [sys.executable, "-m", "mirror", *map(str, told)],
            env={**os.environ, "SSL_CERT_FILE": str(own)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert done.returncode == code, done.stderr
    assert words in done.stdout
    assert ("not to be announced: certificate" in done.stdout) is bool(code)


def test_what_a_test_finds_is_what_the_daemon_goes_by(keeper: Keeper):
    with fronted(keeper.folder / "out/far", "stale") as (host, _):
        url = f"http://{host}/"
        assert keeper.add("--public", url, "--untested") == 0
        assert keeper.store("test", "far", "--allow-host", host, *FAST) == 1
    assert keeper.run("mirrors", "list", "-c", keeper.config) == 0
    assert "  not announced: stale: the old page still after" in keeper.out

    assert keeper.store("test", "far", "--allow-host", host, *FAST) == 1  # nobody answers
    keeper.run("mirrors", "list", "-c", keeper.config)
    assert "  not announced: stale: the old page still after" in keeper.out

    config = keeper.config.read_text()
    with fronted(keeper.folder / "out/far") as (other, _):
        keeper.config.write_text(config.replace(host, other))
        assert keeper.store("test", "far", "--allow-host", other, *FAST) == 0
    assert keeper.run("mirrors", "list", "-c", keeper.config) == 0
    assert keeper.out.splitlines()[0].endswith("public, not announced")


def _nothing_left(front: Front) -> bool:
    return not [each for each in front.folder.rglob("*") if each.is_file()]


def test_a_store_that_is_not_in_the_settings_is_not_found(keeper: Keeper):
    for word in ("test", "audit", "repair", "remove"):
        assert keeper.store(word, "far") == 2
        assert "stores: far: no such store: there is none" in keeper.err


# Looking.


def test_a_store_that_was_never_reached_holds_nothing(keeper: Keeper):
    assert keeper.store("list") == 0
    assert "no stores" in keeper.out

    assert keeper.add() == 0
    [row] = keeper.json("list")["stores"]

    assert (row["holds"], row["last"], row["behind"]) == ("nothing yet", "never", None)


def test_what_a_store_holds_and_how_far_behind_it_is_is_listed(follows: Keeper):
    [row] = follows.json("list")["stores"]

    assert row["size"] == row["leaves"] == 4
    assert row["behind"] == 0
    assert "as the site is" in row["holds"]
    assert "bafy" in row["last"]
    assert follows.store("list") == 0
    assert re.search(r"\n  last    \S+Z as the site was then\n", follows.out)
    assert "as it should be" in row["tested"]
    follows("status")
    assert "\n  far       as the site is\n" in follows.out
    state = follows.folder / "state.db"
    with closing(Database.beside(state, origin=ORIGIN)) as db, db.transaction():
        Agenda(db).note("far", f"bafy{55 * 'a'}", now=1)
    follows("status")
    assert "\n  far       as the site was, and follows\n" in follows.out

    follows.far(CHECKPOINT).unlink()
    follows.far(CHECKPOINT).mkdir()
    follows.says("An edit")
    assert follows("once") == 4
    assert follows.store("list") == 0
    assert "4 of 6 leaves" in follows.out
    assert "files behind" in follows.out
    assert "failed: far: checkpoint" in follows.out


def test_a_password_in_an_address_is_not_listed(keeper: Keeper):
    to = "https://name:hunter2@git.example/pages.git"
    assert keeper.store("add", "far", "--kind", "git", "--to", to, "--untested") == 2
    assert "hunter2" not in keeper.out + keeper.err
    with keeper.config.open("a") as file:
        file.write(f'\n[[stores]]\nname = "far"\nkind = "git"\nto = "{to}"\n')
    assert keeper.store("list") == 0
    assert "hunter2" not in keeper.out
    assert "https://…@git.example/pages.git" in keeper.out


def test_an_audit_finds_what_is_missing_or_wrong_and_a_repair_writes_it(
    follows: Keeper, monkeypatch: pytest.MonkeyPatch
):
    later = terminal.now() + 3600
    monkeypatch.setattr("mirror.cli.copies.now", lambda: later)
    all_files = "--share", "1", "--rate", "1e6"
    assert follows.store("audit", "far", *all_files) == 0
    count = follows.json("audit", "far", *all_files)["looked"]

    assert count > LEAST

    signature, page = follows.far(f"{follows.page}.sig"), follows.far(follows.page)
    was = page.read_bytes(), signature.read_bytes()
    page.write_bytes(b"other")
    signature.unlink()

    assert follows.store("audit", "far", *all_files) == 4
    assert f"store   wrong      {follows.page}\n" in follows.out
    assert f"store   missing    {follows.page}.sig\n" in follows.out
    assert "mirror store repair far" in follows.out

    assert follows.store("repair", "far", *all_files) == 0
    assert (page.read_bytes(), signature.read_bytes()) == was
    assert follows.json("audit", "far", *all_files)["found"] == []


def test_an_audit_looks_at_the_public_address_too(follows: Keeper, monkeypatch: pytest.MonkeyPatch):
    later = terminal.now() + 3600
    monkeypatch.setattr("mirror.cli.copies.now", lambda: later)
    with fronted(follows.folder / "out/far", "adds scripts", "drops endings") as (host, _):
        public = f'to = "out/far"\npublic = "http://{host}/"'
        follows.set('to = "out/far"', public)
        told = "--share", "1", "--rate", "1e6", "--allow-host", host
        assert follows.store("audit", "far", *told) == 4
        assert f"public  wrong      {follows.page}\n" in follows.out
        assert f"public  missing    {follows.page}.sig" in follows.out
        assert "The store has them right" in follows.out


def test_an_audit_of_one_per_cent_of_a_small_site_looks_at_some(follows: Keeper):
    shown = follows.json("audit", "far", "--rate", "1e6")

    assert 0 < shown["looked"] <= LEAST


def test_what_was_never_sent_is_not_audited(keeper: Keeper):
    assert keeper.add() == 0
    assert keeper.store("audit", "far") == 1
    assert "far: not filled yet" in keeper.err


def test_a_store_whose_holdings_are_forgotten_is_filled_anew(follows: Keeper):
    follows.far(f"{follows.page}.minisig").unlink()
    assert follows("once") == 0
    assert not follows.far(f"{follows.page}.minisig").exists()

    assert follows.store("repair", "far", "--all") == 0
    assert follows.json("list")["stores"][0]["holds"] == "nothing yet"
    assert follows("once") == 0
    assert follows.far(f"{follows.page}.minisig").exists()


# Removing.


def test_a_store_is_taken_out_of_the_settings_and_its_files_stay(follows: Keeper):
    assert follows.add(name="two") == 0
    before = follows.config.read_text()
    assert follows.store("remove", "far") == 0
    text = follows.config.read_text()

    assert [each.name for each in Settings.load(follows.config).stores] == ["two"]
    assert {line for line in before.splitlines() if line.startswith("#")} <= set(text.splitlines())
    assert follows.far(CHECKPOINT).is_file()

    assert follows.store("remove", "two") == 0
    assert follows.json("list")["stores"] == []

    assert follows.add() == 0
    assert follows.json("list")["stores"][0]["holds"] == "nothing yet"


def test_an_erased_store_has_nothing_of_the_site_and_all_else(follows: Keeper):
    follows.far("own.txt").write_text("the provider's")
    assert follows.store("remove", "far", "--erase") == 0

    assert [each.name for each in follows.far("").rglob("*") if each.is_file()] == ["own.txt"]
    assert "files are removed there" in follows.out
    assert Settings.load(follows.config).stores == []


def test_nothing_is_erased_under_a_daemon_that_would_fill_it_again(follows: Keeper):
    with closing(Database.open(follows.folder / "state.db", origin=ORIGIN)):
        assert follows.store("remove", "far", "--erase") == 2
        assert "a daemon runs, and would fill it again: stop it" in follows.err
        assert follows.store("remove", "far") == 0
        assert "it writes there until it is told to reload" in follows.err
    assert follows.far(CHECKPOINT).is_file()


@pytest.mark.parametrize("given", ["0", "1.1", "nan", "much"])
def test_a_share_that_is_none_is_named(keeper: Keeper, given: str):
    assert keeper.store("audit", "far", "--share", given) == 2
    assert "argument --share: a number from 1e-06 to 1 was expected" in keeper.err
