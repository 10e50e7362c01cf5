"""What an operator is told of entries in trouble, and what comes of a word on them."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mirror.cli import quarantine
from mirror.cli.quarantine import id_of
from mirror.cli.terminal import DONE, FAILED, now
from mirror.database import Database
from mirror.errors import SettingsError
from mirror.init import Wishes, make
from mirror.quarantine import Quarantine, Trouble
from mirror.settings import Settings

ORIGIN, FEED = "test.example/news", "https://news.example/feed"
LINK = "https://news.example/1"
REFUSED = Trouble("guid 1", FEED, LINK, b"d", "refused", "page: no text")
HELD = replace(REFUSED, key="guid 2", name="Second", kind="held", reason="status 500")
FIRST, SECOND = (id_of(each)[:8] for each in (REFUSED, HELD))


class Operator:
    """Who types `mirror quarantine` about one mirror, whose `db` a daemon may have open."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.config, self.capsys = folder / "mirror.toml", capsys
        make(folder, Wishes("N", ORIGIN, [FEED]), now=now())
        self.path = folder / Settings.load(self.config).paths.state
        self.db = Database.open(self.path, origin=ORIGIN)
        self.out = self.err = ""

    def __call__(self, word: str, *more: str) -> int:
        parser = argparse.ArgumentParser()
        quarantine.add(parser.add_subparsers())
        arguments = parser.parse_args(["quarantine", word, "-c", str(self.config), *more])
        self.capsys.readouterr()
        code: int = arguments.run(arguments)
        self.out, self.err = self.capsys.readouterr()
        return code

    def put(self, *troubles: Trouble, at: int | None = None) -> None:
        with self.db.transaction():
            Quarantine(self.db).put(troubles, now=at or now())

    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in sorted(Quarantine(self.db).rows(), key=lambda each: each.key)]


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Operator]:
    operator = Operator(tmp_path / "m", capsys)
    yield operator
    operator.db.close()


def test_what_is_in_trouble_is_shown_with_its_reason_below(operator: Operator):
    operator.put(REFUSED)
    operator.put(HELD, at=now() + 1)

    assert operator("list") == DONE

    title, columns, *rows = operator.out.splitlines()

    assert title == "2 in quarantine: left out, while all else is published"
    assert columns.split()[0] == "ID"
    assert rows[0].split()[0] == FIRST
    assert rows[0].split()[-2:] == ["refused", LINK]
    assert rows[1].split() == ["page:", "no", "text"]
    assert (rows[2].split()[0], rows[3].strip()) == (SECOND, "status 500")
    assert [line.partition(":")[0] for line in rows[5:8]] == ["refused", "held", "dropped"]


def test_a_reason_is_shown_without_the_name_above_it(operator: Operator):
    operator.put(replace(REFUSED, reason=f"{FEED}: {LINK}: page: no text"))
    operator("list")

    assert operator.out.splitlines()[3].strip() == f"{FEED}: page: no text"


def test_nothing_in_trouble_is_said_in_a_line(operator: Operator):
    assert operator("list") == DONE
    assert operator.out == "0 in quarantine\n"


def test_programs_are_told_all_of_it(operator: Operator):
    operator.put(REFUSED)
    operator("list", "--json")
    [row] = json.loads(operator.out)["quarantine"]

    assert (row["id"], row["kind"], row["source"], row["tries"]) == (FIRST, "refused", FEED, 1)
    assert (row["name"], row["reason"]) == (LINK, "page: no text")
    assert row["since"] < row["due"]


def test_when_each_is_tried_is_said(operator: Operator):
    for n in range(4):
        operator.put(REFUSED, at=now() + n)
    operator.put(replace(HELD, key="late"), at=now() - 10**6)
    operator.put(HELD)
    operator("drop", SECOND)
    operator("list")

    assert operator.out.startswith("2 in quarantine; 1 dropped: left out, ")
    assert all(each in operator.out for each in ("on your word", "at the next look", "when edited"))


def test_nothing_that_a_source_sent_steers_the_terminal(operator: Operator):
    operator.put(replace(REFUSED, name="\x1b[2J\x9b1m", reason="status\x1b]0;x\x07 500\nwell"))
    operator("list")

    assert not set(operator.out) & set("\x1b\x9b\x07")
    assert operator.out.splitlines()[4:5] == [""]

    operator("list", "--json")

    assert not set(operator.out) & set("\x1b\x9b\x07")


def test_some_are_tried_once_more(operator: Operator):
    operator.put(REFUSED, HELD)

    assert operator("retry", FIRST[:4]) == DONE
    assert operator.out.startswith("To be tried once more: 1, at the next look at their feeds")
    assert not Quarantine(operator.db).blocks("guid 1", b"d", now=now())
    assert Quarantine(operator.db).blocks("guid 2", b"d", now=now())


def test_some_are_dropped_and_may_be_tried_by_name_only(operator: Operator):
    operator.put(REFUSED, HELD)

    assert operator("drop", FIRST.upper()) == DONE
    assert operator.out == "Dropped 1: left out, and tried again only when edited.\n"
    assert operator.kinds == ["dropped", "held"]

    operator("retry", "--all")

    assert operator.kinds == ["dropped", "held"]

    operator("retry", FIRST)

    assert operator.kinds == ["refused", "held"]


def test_all_are_dropped_at_once(operator: Operator):
    operator.put(REFUSED, HELD)

    assert operator("drop", "--all", "--json") == DONE

    said = json.loads(operator.out)

    assert (said["did"], said["quarantined"]) == ("drop", 0)
    assert sorted(said["ids"]) == sorted([FIRST, SECOND])
    assert operator.kinds == ["dropped", "dropped"]


def test_a_word_on_nothing_fails(operator: Operator):
    assert operator("drop", "--all") == FAILED
    assert operator.err == "mirror: nothing is in quarantine\n"


@pytest.mark.parametrize("arguments", [(), ("--all", FIRST)])
def test_a_word_is_on_some_or_on_all(operator: Operator, arguments: tuple[str, ...]):
    operator.put(REFUSED)
    with pytest.raises(SettingsError, match="retry: either ids or --all was expected"):
        operator("retry", *arguments)


@pytest.mark.parametrize("name", ["ffffffff", FIRST[:3], "", LINK])
def test_a_name_of_nothing_is_named_and_nothing_is_done(operator: Operator, name: str):
    operator.put(REFUSED, HELD)
    with pytest.raises(SettingsError, match=f"{name}: nothing is called so: `mirror quarantine"):
        operator("drop", SECOND, name)

    assert operator.kinds == ["refused", "held"]


def test_a_name_of_several_says_how_to_tell_them_apart(operator: Operator):
    alike: dict[str, Trouble] = {}
    for n in range(10_000):
        new = replace(REFUSED, key=f"guid {n}")
        if (old := alike.setdefault(id_of(new)[:4], new)) != new:
            break
    operator.put(old, new)
    with pytest.raises(SettingsError, match="several are called so: ") as raised:
        operator("drop", id_of(new)[:4])

    assert id_of(old)[:12] in str(raised.value)
    assert id_of(new)[:12] in str(raised.value)
    assert operator("drop", id_of(new)[:12]) == DONE
    assert sorted(operator.kinds) == ["dropped", "refused"]
