"""The verb that takes an article away: what it does, beside a daemon too, and what it says."""

import copy
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import newsroom as newsrooms
import pytest
from free_ports import free_port
from kubo import Kubo
from newsroom import Answer, Newsroom, feed, item
from operators import ORIGIN, RSS, WORDS, Operator, address, short

from mirror import removal
from mirror.cli import terminal
from mirror.cli import withdraw as verb
from mirror.dag import Dag
from mirror.database import Database
from mirror.formats.cid import Cid
from mirror.formats.paths import article_folder
from mirror.stores import patience
from mirror.withdrawal import Withdrawals


class Rooms:
    """Mirrors that have published a round, made once and copied for each test."""

    def __init__(self, folder: Path, newsroom: Newsroom) -> None:
        self.folder, self.newsroom = folder, newsroom
        self.made: dict[str, Operator] = {}

    def room(self, kind: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
        for each in (self.newsroom.answers, self.newsroom.asked, self.newsroom.statuses):
            each.clear()
        if kind not in self.made:
            self.made[kind] = self.make(kind, capsys)
        shutil.copytree(self.made[kind].folder, folder)
        operator = copy.copy(self.made[kind])
        operator.folder, operator.capsys = folder, capsys
        operator.says(WORDS)
        assert operator.left()
        return operator

    def make(self, kind: str, capsys: pytest.CaptureFixture[str]) -> Operator:
        operator = Operator(self.folder / kind, self.newsroom, capsys)
        if kind == "stored":
            public = self.newsroom.url("/first/")
            add(operator, "stores", name="first", kind="folder", to="out/first", public=public)
        assert operator("once") == 0
        return operator


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rooms]:
    with newsrooms.running() as newsroom:
        yield Rooms(tmp_path_factory.mktemp("rooms"), newsroom)


@pytest.fixture
def operator(tmp_path: Path, rooms: Rooms, capsys: pytest.CaptureFixture[str]) -> Operator:
    return rooms.room("plain", tmp_path / "m", capsys)


@pytest.fixture
def stored(tmp_path: Path, rooms: Rooms, capsys: pytest.CaptureFixture[str]) -> Operator:
    """Return an operator with a store that readers find below `/first/` of the newsroom's host."""
    return rooms.room("stored", tmp_path / "m", capsys)


def test_an_article_is_named_by_any_address_that_it_has(operator: Operator):
    names = (
        f"http://news.example/story/2?utm_source=x#{'a' * 5}",
        short(2),
        short(2).upper(),
        f"https://mirror.example/x/{article_folder(short(2))}/index.html?y",
        f"{article_folder(short(2))}/1.html",
    )
    for name in names:
        assert operator("withdraw", name, "--code", "legal", "--dry-run") == 0
        assert operator.out.startswith(short(2)), name


def test_it_is_gone_and_each_place_says_so(operator: Operator):
    assert operator("withdraw", address(2), "--code", "legal") == 0

    log, site, summary, said = operator.out.splitlines()

    assert log == "log: says so: leaf 4 says that revision 1 is withdrawn: legal"
    assert (site.startswith("site "), "removed: nothing of it is left" in site) == (True, True)
    assert summary == "Withdrawn: all 2 of your places, asked just now, say that it is gone."
    assert said == verb.REMAINS
    assert operator.left() == []


def test_the_site_is_valid_and_says_which_article_was_withdrawn(operator: Operator):
    assert operator("withdraw", short(2), "--code", "safety") == 0
    root = operator.folder / "root" / "1.root.json"

    assert operator.run("verify", operator.folder / "site", "--root", root, "--json") == 0

    found = {each["subject"]: each for each in json.loads(operator.out)["articles"]}
    gone = found[f"{article_folder(short(2))}/1.html"]
    assert (gone["verdict"], gone["status"]) == ("valid", "withdrawn")
    assert sorted(each["status"] for each in found.values()) == ["current", "current", "withdrawn"]


def test_beside_a_daemon_it_obeys_and_its_server_and_node_are_asked(operator: Operator, node: Kubo):
    cid = pinning(operator, node)
    with operator.daemon():
        code = operator("withdraw", address(2), "--code", "legal", "--json")

    told = json.loads(operator.out)
    assert cid not in node.run("refs", "local"), "the node is told to collect at once"
    assert (code, told["removed"], told["code"]) == (0, True, "legal")
    server = told["places"][2]
    assert server["place"] == f"server 127.0.0.1:{operator.port}"
    assert server["detail"] == f"it answers 404 for {article_folder(short(2))}/1.html"
    assert operator.left() == []


def test_what_a_daemon_has_not_done_in_time_is_said(operator: Operator):
    lock = operator.folder / "state.db"
    held = Database.open(lock, origin=ORIGIN)  # as a daemon in a long cycle has it
    try:
        code = operator("withdraw", short(2), "--code", "legal", "--wait", "0.1")
    finally:
        held.close()

    assert code == terminal.PARTLY
    assert operator.out.startswith("log: not yet: the next cycle says it\nsite ")
    assert ": not yet: " in operator.out.splitlines()[1]
    assert "Ordered, and not done yet: 0 of your 2 places say so." in operator.out
    assert operator.left()
    assert operator("once") == 0
    assert operator.left() == []


def test_a_file_that_somebody_put_beside_it_is_not_passed_over(operator: Operator):
    copy = operator.folder / "site" / article_folder(short(2)) / "1.html~"
    copy.write_text(WORDS)

    assert operator("withdraw", short(2), "--code", "legal", "--wait", "0") == terminal.PARTLY
    assert f"not yet: it has {article_folder(short(2))}/1.html~\n" in operator.out
    copy.unlink()
    assert operator("withdraw", short(2), "--code", "legal") == 0
    assert "withdrawn already (legal)" in operator.err


def test_an_ipfs_node_that_does_not_follow_is_said(operator: Operator):
    operator.set('api = ""', f'api = "http://127.0.0.1:{free_port()}"')

    code = operator("withdraw", short(2), "--code", "legal", "--wait", "0")

    assert code == terminal.PARTLY
    assert re.search(r"ipfs:http://127\S+: not yet: it does not show baf\w+ yet", operator.out)


# Places outside, which are asked themselves.


def page(number: int) -> str:
    return f"{article_folder(short(number))}/1.html"


def add(operator: Operator, section: str, **values: str) -> None:
    lines = [f'{key} = "{value}"' for key, value in values.items()]
    text = operator.config.read_text()
    operator.config.write_text("\n".join([text, f"[[{section}]]", *lines, ""]))


def withdraw(operator: Operator, *more: object) -> int:
    return operator("withdraw", short(2), "--code", "legal", *more)


def lines(operator: Operator, start: str) -> list[str]:
    return [line for line in operator.out.splitlines() if line.startswith(start)]


def test_a_store_and_its_address_are_asked_themselves(stored: Operator):
    assert withdraw(stored) == 0

    [store], [public] = lines(stored, "store "), lines(stored, "http")
    assert re.fullmatch(
        r"store first: removed: it shows the site of \S+ UTC; it lists and gives nothing of it",
        store,
    )
    assert public == f"{stored.newsroom.url('/first/')}: removed: readers get none of it"
    notice = f"{article_folder(short(2))}/index.html"
    assert stored.newsroom.asked[-2:] == [f"/first/{page(2)}", f"/first/{notice}"]


def test_stores_that_said_they_removed_a_page_and_have_it_are_told_again(stored: Operator):
    add(stored, "stores", name="second", kind="folder", to="out/second")
    assert withdraw(stored) == 0
    copies = [stored.folder / "out" / name / page(2) for name in ("first", "second")]
    for each in copies:
        each.write_text(WORDS)

    assert withdraw(stored, "--wait", "0") == terminal.PARTLY
    assert lines(stored, "store ") == [
        f"store {name}: not yet: it lists {page(2)}" for name in ("first", "second")
    ]
    assert "not gone from everywhere yet: 3 of your 5 places say so." in stored.out
    assert withdraw(stored) == 0
    assert not any(each.exists() for each in copies)


def test_an_address_that_still_shows_it_is_said_whatever_the_store_says(stored: Operator):
    body = (stored.folder / "site" / page(2)).read_bytes()
    caching = {"Cache-Control": "max-age=86400"}
    stored.newsroom.answers[f"/first/{page(2)}"] = Answer(body, headers=caching)

    assert withdraw(stored, "--wait", "0", "--json") == terminal.PARTLY
    told = json.loads(stored.out)
    found = {each["place"]: each for each in told["places"]}
    assert told["removed"] is False
    assert found["store first"]["answer"] == "removed"
    public = found[stored.newsroom.url("/first/")]
    assert (public["answer"], public["decides"]) == ("not yet", True)
    assert "out of a cache, which may keep it for 24 hours or longer" in public["detail"]


def test_a_cache_that_lets_go_in_time_is_waited_for(
    stored: Operator, monkeypatch: pytest.MonkeyPatch
):
    path = f"/first/{page(2)}"
    body = (stored.folder / "site" / page(2)).read_bytes()
    stored.newsroom.answers[path] = Answer(body)
    monkeypatch.setattr(removal, "AGAIN_S", 0.1)

    def let_go() -> None:
        while stored.newsroom.asked.count(path) < 2:
            time.sleep(0.01)
        stored.newsroom.answers.pop(path)

    cache = threading.Thread(target=let_go, daemon=True)
    cache.start()

    assert withdraw(stored) == 0
    cache.join()
    assert stored.newsroom.asked.count(path) > 1


def test_an_address_that_is_down_is_not_confirmed(operator: Operator):
    host = f"127.0.0.1:{free_port()}"
    add(operator, "stores", name="a", kind="folder", to="out/a", public=f"http://{host}/")

    assert withdraw(operator, "--wait", "0", "--allow-host", host) == terminal.PARTLY
    [public] = lines(operator, f"http://{host}/: not confirmed: ")
    assert "no connection" in public
    assert lines(operator, "store a: removed: ")


def test_a_place_that_never_answers_delays_no_other(
    stored: Operator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(patience, "GRACE_S", 0.1)
    monkeypatch.setattr(removal, "LEAST_S", 1.0)
    for name in "abc":
        add(stored, "stores", name=name, kind="folder", to=f"out/{name}")
    assert withdraw(stored) == 0
    notices = [stored.folder / "out" / name / article_folder(short(2)) for name in "abc"]
    for folder in notices:  # as a dead network disk: whoever opens it waits for ever
        (folder / "index.html").unlink()
        os.mkfifo(folder / "index.html")
    begun = time.monotonic()
    code = withdraw(stored, "--wait", "0")
    took_s = time.monotonic() - begun
    for folder in notices:
        with suppress(OSError):
            os.close(os.open(folder / "index.html", os.O_WRONLY | os.O_NONBLOCK))

    assert code == terminal.PARTLY
    for name in "abc":
        assert f"store {name}: not confirmed: no whole answer in 1 s" in stored.out
    assert lines(stored, "store first: removed: ")
    assert took_s < 30


def test_a_store_whose_secret_is_gone_is_not_confirmed(stored: Operator):
    assert withdraw(stored) == 0
    add(stored, "stores", name="b", kind="objects", to="s3://b-bucket", secret="none.env")

    assert withdraw(stored, "--wait", "0") == terminal.PARTLY
    assert "no place outside follows: " in stored.err
    assert lines(stored, "store first: removed: ")
    assert lines(stored, "store b: not yet: it follows later")


def test_copies_of_others_are_told_and_decide_nothing(operator: Operator):
    body = (operator.folder / "site" / page(2)).read_bytes()
    operator.newsroom.says(f"/late/{page(2)}", body)
    operator.newsroom.fails(f"/no/{page(2)}", 503)
    for name in ("late", "done", "no"):
        add(operator, "mirrors", url=operator.newsroom.url(f"/{name}/"))

    assert withdraw(operator) == 0
    late, done, no = lines(operator, "copy ")
    assert f"/late/: remains: {page(2)}: readers get it still" in late
    assert "/done/: gone: readers get none of it" in done
    assert "/no/: not known: " in no
    assert verb.FOLLOW in operator.out
    assert sum(path == f"/late/{page(2)}" for path in operator.newsroom.asked) == 1


# An IPFS node.


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Kubo]:
    made = Kubo(tmp_path / "kubo").make().start()
    try:
        yield made
    finally:
        made.kill()


def pinning(operator: Operator, node: Kubo) -> str:
    """Let a node follow; return the CID of the article's page, which it has."""
    operator.set('api = ""', f'api = "{node.api}"')
    assert operator("once") == 0
    cid = str(Cid.of((operator.folder / "site" / page(2)).read_bytes()))
    assert cid in node.run("refs", "local")
    return cid


def test_an_ipfs_node_says_itself_that_it_has_no_block_of_it(operator: Operator, node: Kubo):
    cid = pinning(operator, node)

    assert withdraw(operator) == 0
    [said] = lines(operator, "ipfs:")
    assert re.fullmatch(r"ipfs:\S+: removed: it shows baf\w+, and has none of its blocks", said)
    assert cid not in node.run("refs", "local")


def test_an_ipfs_node_on_which_somebody_pinned_it_still_has_it(operator: Operator, node: Kubo):
    cid = pinning(operator, node)
    root = re.findall(r"^ipfs:\S+: (baf\w+)$", operator.out, re.MULTILINE)[0]
    folder = node.run("resolve", f"/ipfs/{root}/{article_folder(short(2))}").removeprefix("/ipfs/")
    node.run("pin", "add", folder)
    node.run("files", "cp", f"/ipfs/{cid}", "/kept")

    assert withdraw(operator, "--wait", "0") == terminal.PARTLY
    [said] = lines(operator, "ipfs:")
    assert f": not yet: it has {page(2)}, which is {cid}: pinned there by {folder}" in said
    node.run("pin", "rm", folder)
    assert withdraw(operator, "--wait", "0") == terminal.PARTLY
    assert "no pin keeps it" in operator.out, "the node's own files do"
    node.run("files", "rm", "-r", "/kept")
    assert withdraw(operator) == 0
    assert cid not in node.run("refs", "local")


def test_an_ipfs_node_that_our_records_believe_and_that_is_down_is_not_confirmed(
    operator: Operator,
):
    api = f"http://127.0.0.1:{free_port()}"
    assert withdraw(operator) == 0
    operator.set('api = ""', f'api = "{api}"')
    db = Database.beside(operator.folder / "state.db", origin=ORIGIN)
    generation, _ = Dag(db, operator.folder / "site").head()
    with db.transaction():
        values = (f"ipfs:{api}", "peer", generation + 9)
        db.execute("INSERT INTO ipfs VALUES(?,?,NULL,?,0,NULL,0,0,NULL,0)", values)
    db.close()

    assert withdraw(operator, "--wait", "0") == terminal.PARTLY
    assert re.search(r"ipfs:\S+: not confirmed: .*not reached: is Kubo running there", operator.out)


def test_what_would_go_is_shown_and_stays(operator: Operator):
    assert operator("withdraw", short(2), "--code", "legal", "--dry-run") == 0

    first, *paths = operator.out.splitlines()

    assert first == f"{short(2)}  revision 1  Story number 2"
    assert f"{article_folder(short(2))}/1.html.tlog-proof" in paths
    assert operator.left()
    assert operator("withdraw", short(2), "--code", "legal", "--dry-run", "--json") == 0
    assert set(paths) == set(json.loads(operator.out)["files"])


def test_what_nobody_published_is_not_withdrawn(operator: Operator):
    for name in ("https://news.example/none", "a" * 20, "x", "ftp://x/y"):
        assert operator("withdraw", name, "--code", "legal") == terminal.USAGE
        assert operator.err.startswith("mirror: ")
        assert operator.out == ""


def test_what_only_waits_is_to_be_rejected(operator: Operator):
    assert operator("hold") == 0
    operator.newsroom.says("/feed", feed(item(9)), content_type=RSS)
    assert operator("once") == 0

    for name in (address(9), short(9)):
        assert operator("withdraw", name, "--code", "legal") == terminal.USAGE
        assert f"it only waits: `mirror reject {short(9)}`" in operator.err


def test_nothing_is_withdrawn_without_a_reason_that_the_log_knows(operator: Operator):
    for wrong in ((), ("--code", "whim")):
        assert operator("withdraw", short(2), *wrong) == terminal.USAGE

    db = Database.beside(operator.folder / "state.db", origin=ORIGIN)
    assert Withdrawals(db).pending() == []
    db.close()
