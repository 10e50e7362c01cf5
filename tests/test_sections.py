"""The settings' file is written for its operator: nothing of what he wrote is lost."""

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import SettingsError
from mirror.sections import read_text, replace_settings, with_store, without_store

EXAMPLE = (Path(__file__).parents[1] / "config/mirror.toml").read_text()
ONE = {"name": "one", "kind": "folder", "to": "out/one"}
TWO = {
    "name": "two",
    "kind": "objects",
    "to": "s3://two",
    "options": {"endpoint": "https://s.example"},
}
WORDS = st.text(st.characters(codec="utf-8"), max_size=30)


def stores(text: str) -> list[dict[str, object]]:
    return tomllib.loads(text).get("stores", [])


def test_a_store_is_written_below_everything():
    text = with_store(with_store(EXAMPLE, ONE), TWO)

    assert text.startswith(EXAMPLE)
    assert stores(text) == [ONE, TWO]


def test_a_store_that_was_written_and_taken_out_leaves_no_trace():
    one = with_store(EXAMPLE, ONE)

    assert without_store(one, "one") == EXAMPLE
    assert without_store(with_store(one, TWO), "two") == one
    assert without_store(without_store(with_store(one, TWO), "one"), "two") == EXAMPLE


@given(WORDS, st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), WORDS))
def test_what_is_written_is_read_back(to: str, options: dict[str, str]):
    section = {"name": "one", "to": to, "options": options}
    text = with_store(EXAMPLE, section)

    assert stores(text) == [section]
    assert without_store(text, "one") == EXAMPLE


@pytest.mark.parametrize(
    "written",
    [
        '[[stores]] # mine\n# why\nname = "one" # first\n\nto = "x"\n',
        '[[ stores ]]\nto = "x"\nname = "one"\n[stores.options]\nregion = "r"\n',
        "  [[stores]]\n  name = 'one'\n  options = { region = \"[[stores]]\" }\n",
        '[[stores]]\r\nname = "one"\r\n',
    ],
)
def test_comments_stay_where_a_person_wrote_the_section(written: str):
    before, behind = "# head\n[watch]\nevery_s = 60\n\n", '# of two\n[[stores]]\nname = "two"\n'
    text = without_store(before + written + behind, "one")

    assert tomllib.loads(text) == {"watch": {"every_s": 60}, "stores": [{"name": "two"}]}
    for comment in ("# head\n", "# of two\n", *(["# why\n"] if "# why" in written else [])):
        assert comment in text


@pytest.mark.parametrize(
    "text",
    [
        'stores = [{ name = "one" }]\n',
        '[[stores]]\nname = "one"\nto = """\n[x]\n"""\n',
        '[[stores]]\nname = "one"\na = [\n[1]]\n',
        '[[stores]]\nname = "two"\n',
        "[[stores]]\n",
    ],
)
def test_what_only_a_person_takes_apart_is_left_to_one(text: str):
    with pytest.raises(SettingsError, match="stores: one: no section that can be taken out"):
        without_store(text, "one")


def test_the_file_is_replaced_whole_with_its_permissions(tmp_path: Path):
    target, link = tmp_path / "real.toml", tmp_path / "mirror.toml"
    target.write_text(EXAMPLE)
    target.chmod(0o600)
    link.symlink_to(target)
    (tmp_path / "real.toml.new").write_text("left by a power cut")
    replace_settings(link, with_store(EXAMPLE, ONE))

    assert link.is_symlink()
    assert stores(read_text(link)) == [ONE]
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["mirror.toml", "real.toml"]


def test_what_are_no_settings_is_not_written(tmp_path: Path):
    file = tmp_path / "mirror.toml"
    file.write_text(EXAMPLE)
    for section in ({"name": "one"}, {**ONE, "kind": "other"}, {**ONE, "more": "x"}):
        with pytest.raises(SettingsError):
            replace_settings(file, with_store(EXAMPLE, section))

    assert file.read_text() == EXAMPLE


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"mirror\.toml: not readable"):
        read_text(tmp_path / "mirror.toml")
    with pytest.raises(SettingsError, match=r"mirror\.toml: not written"):
        replace_settings(tmp_path / "mirror.toml", EXAMPLE)
    (tmp_path / "bytes").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="bytes: not text"):
        read_text(tmp_path / "bytes")


def test_a_disk_that_fails_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "mirror.toml"
    file.write_text(EXAMPLE)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match="not written: No space left"):
        replace_settings(file, with_store(EXAMPLE, ONE))

    assert file.read_text() == EXAMPLE
