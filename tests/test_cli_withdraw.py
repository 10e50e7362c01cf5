"""The verb that takes an article away: what it does, beside a daemon too, and what it says."""

import json
import re
from pathlib import Path

import pytest
from free_ports import free_port
from newsroom import Newsroom, feed, item
from operators import ORIGIN, RSS, WORDS, Operator, address, short

from mirror.cli import terminal
from mirror.cli import withdraw as verb
from mirror.dag import Dag
from mirror.database import Database
from mirror.formats.paths import article_folder
from mirror.withdrawal import Withdrawals


@pytest.fixture
def operator(tmp_path: Path, newsroom: Newsroom, capsys: pytest.CaptureFixture[str]) -> Operator:
    operator = Operator(tmp_path / "m", newsroom, capsys)
    assert operator("once") == 0
    assert operator.left()
    return operator


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

    log, site, said = operator.out.splitlines()

    assert log == "log: removed: leaf 4 says that revision 1 is withdrawn: legal"
    assert (site.startswith("site "), "removed: nothing of it is left" in site) == (True, True)
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


def test_beside_a_daemon_it_obeys_and_its_server_is_asked(operator: Operator):
    with operator.daemon():
        code = operator("withdraw", address(2), "--code", "legal", "--json")

    told = json.loads(operator.out)
    assert (code, told["removed"], told["code"]) == (0, True, "legal")
    server = told["places"][2]
    assert server["place"] == f"server 127.0.0.1:{operator.port}"
    assert server["detail"] == f"answers 404 for {article_folder(short(2))}/1.html"
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
    assert operator.left()
    assert operator("once") == 0
    assert operator.left() == []


def test_a_file_that_somebody_put_beside_it_is_not_passed_over(operator: Operator):
    copy = operator.folder / "site" / article_folder(short(2)) / "1.html~"
    copy.write_text(WORDS)

    assert operator("withdraw", short(2), "--code", "legal", "--wait", "0") == terminal.PARTLY
    assert f"1 files are there, {article_folder(short(2))}/1.html~ first" in operator.out
    copy.unlink()
    assert operator("withdraw", short(2), "--code", "legal") == 0
    assert "withdrawn already (legal)" in operator.err


def test_an_ipfs_node_that_does_not_follow_is_said(operator: Operator):
    operator.set('api = ""', f'api = "http://127.0.0.1:{free_port()}"')

    code = operator("withdraw", short(2), "--code", "legal", "--wait", "0")

    assert code == terminal.PARTLY
    assert re.search(r"ipfs:http://127\S+: not yet: does not show baf\w+ yet", operator.out)


def test_an_ipfs_node_that_has_followed_is_said(operator: Operator):
    api = f"http://127.0.0.1:{free_port()}"
    assert operator("withdraw", short(2), "--code", "legal") == 0
    operator.set('api = ""', f'api = "{api}"')
    db = Database.beside(operator.folder / "state.db", origin=ORIGIN)
    generation, _ = Dag(db, operator.folder / "site").head()
    with db.transaction():
        values = (f"ipfs:{api}", "peer", generation + 9)
        db.execute("INSERT INTO ipfs VALUES(?,?,NULL,?,0,NULL,0,0,NULL,0)", values)
    db.close()

    assert operator("withdraw", short(2), "--code", "legal", "--wait", "0") == 0
    assert "removed: shows baf" in operator.out


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
