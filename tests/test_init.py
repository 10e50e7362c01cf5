"""What `mirror init` makes: whole or not at all, and never over anything."""

import os
import stat
from pathlib import Path

import pytest
from fakes import NOW
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirror import build, init
from mirror.errors import SettingsError
from mirror.formats.root import Root
from mirror.init import Wishes, make
from mirror.keys import NAMES, Keys
from mirror.settings import Settings
from mirror.verify.roots import pinned_root

WISHES = Wishes(name="A newsroom", origin="test.example/news", feeds=["https://news.example/feed"])


def wishes(**changes: object) -> Wishes:
    shown = {
        "name": WISHES.name,
        "origin": WISHES.origin,
        "feeds": WISHES.feeds,
        "lang": WISHES.lang,
        "allow_hosts": WISHES.allow_hosts,
    }
    return Wishes(**{**shown, **changes})  # type: ignore[arg-type]


def all_files(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_mirror_is_settings_secrets_and_a_root_in_the_site(tmp_path: Path):
    make(tmp_path / "m", WISHES, now=NOW)

    assert all_files(tmp_path / "m") == {
        "mirror.toml",
        *(f"keys/{name}.pem" for name in NAMES),
        *("root/root.pem", "root/1.root.json", "root/README.txt"),
        *("site/trust/1.root.json", "site/trust/policy", "site/trust/minisign.pub"),
        *("site/trust/allowed_signers", "site/trust/log.vkey"),
    }


def test_the_settings_that_were_written_are_the_wishes(tmp_path: Path):
    feeds = ["https://news.example/a?x=1&y=2", "https://news.example/b", "http://10.0.0.5:8080/c"]
    wished = wishes(feeds=feeds, lang="ru", allow_hosts=["10.0.0.5:8080", "[::1]:80"])
    make(tmp_path, wished, now=NOW)
    settings = Settings.load(tmp_path / "mirror.toml")

    assert settings.newsroom.name == "A newsroom"
    assert settings.newsroom.origin == "test.example/news"
    assert settings.newsroom.lang == "ru"
    assert settings.newsroom.home == ""
    assert [feed.url for feed in settings.feeds] == feeds
    assert settings.fetch.allow_hosts == ["10.0.0.5:8080", "[::1]:80"]


def test_the_explanations_are_kept(tmp_path: Path):
    make(tmp_path, wishes(feeds=["https://a.example/", "https://b.example/"]), now=NOW)
    text = (tmp_path / "mirror.toml").read_text()

    assert "Moscow" not in text
    assert text.count("# The feed's address.") == 2
    assert text.count("# How sources are asked.") == 1


def test_what_is_known_of_a_newsrooms_pages_is_kept(tmp_path: Path):
    url = "https://www.themoscowtimes.com/rss/all"
    make(tmp_path, wishes(feeds=[url]), now=NOW)
    settings = Settings.load(tmp_path / "mirror.toml")

    assert [site.host for site in settings.sites] == ["themoscowtimes.com"]
    assert settings.sites[0].text


@pytest.mark.parametrize(
    "name",
    [
        'She said "no"',
        "back\\slash \\u0041",
        "'''",
        '"""',
        "ё🗞 ﷽ 新聞",
        "tag \U000e0041 private \U0010ffff joiner \u200d",
        "# How sources are asked.",
        '[[feeds]] url = "https://evil.example/"',
        "${HOME} %s {}",
    ],
)
def test_an_odd_name_comes_back_as_it_was(tmp_path: Path, name: str):
    make(tmp_path, wishes(name=name), now=NOW)

    assert Settings.load(tmp_path / "mirror.toml").newsroom.name == name


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=200))
def test_any_name_comes_back_as_it_was(tmp_path: Path, name: str):
    file = tmp_path / "mirror.toml"
    file.write_text(init._settings_text(wishes(name=name)), encoding="utf-8")

    assert Settings.load(file).newsroom.name == name


def test_secrets_are_for_their_owner_only(tmp_path: Path):
    old = os.umask(0)
    try:
        make(tmp_path / "m", WISHES, now=NOW)
    finally:
        os.umask(old)

    assert mode(tmp_path / "m" / "keys") == mode(tmp_path / "m" / "root") == 0o700
    assert mode(tmp_path / "m" / "root" / "root.pem") == 0o600
    assert {mode(each) for each in (tmp_path / "m" / "keys").iterdir()} == {0o600}


def test_the_root_names_the_keys_and_is_signed(tmp_path: Path):
    make(tmp_path, WISHES, now=NOW)
    data = (tmp_path / "site" / "trust" / "1.root.json").read_bytes()
    keys = Keys.load(tmp_path / "keys", origin=WISHES.origin)

    assert data == (tmp_path / "root" / "1.root.json").read_bytes()
    assert pinned_root(data).open == keys.log_entry
    assert pinned_root(data).expires == NOW + init.ROOT_VALID_S
    assert Root.parse(data) == build.newest_root(tmp_path / "site" / "trust")


def test_the_offline_secret_says_where_it_belongs(tmp_path: Path):
    make(tmp_path, WISHES, now=NOW)

    assert "does not belong on this machine" in (tmp_path / "root" / "README.txt").read_text()


def test_two_mirrors_share_no_secret(tmp_path: Path):
    make(tmp_path / "a", WISHES, now=NOW)
    make(tmp_path / "b", WISHES, now=NOW)
    one, two = (Keys.load(tmp_path / name / "keys", origin="x").seeds.values() for name in "ab")

    assert set(one).isdisjoint(two)


@pytest.mark.parametrize("holds", ["mirror.toml", "keys/x", ".hidden", "other"])
def test_nothing_is_overwritten(tmp_path: Path, holds: str):
    (tmp_path / holds).parent.mkdir(exist_ok=True)
    (tmp_path / holds).write_text("mine")
    with pytest.raises(SettingsError, match=f"{tmp_path}: is not empty"):
        make(tmp_path, WISHES, now=NOW)

    assert all_files(tmp_path) == {holds}
    assert (tmp_path / holds).read_text() == "mine"


def test_a_second_time_is_refused_and_changes_nothing(tmp_path: Path):
    make(tmp_path, WISHES, now=NOW)
    before = {name: (tmp_path / name).read_bytes() for name in all_files(tmp_path)}
    with pytest.raises(SettingsError, match="not empty"):
        make(tmp_path, WISHES, now=NOW)

    assert {name: (tmp_path / name).read_bytes() for name in all_files(tmp_path)} == before


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"origin": "Not An Origin"}, "newsroom.origin"),
        ({"origin": ""}, "newsroom.origin"),
        ({"name": ""}, "newsroom.name"),
        ({"name": "two\nlines"}, "newsroom.name"),
        ({"name": '[[feeds]]\nurl = "https://evil.example/"'}, "newsroom.name"),
        ({"name": "bell \x07 escape \x1b[31m del \x7f c1 \x9b"}, "newsroom.name"),
        ({"lang": "english language"}, "newsroom.lang"),
        ({"feeds": []}, "feeds"),
        ({"feeds": ["no address"]}, "feeds.0.url"),
        ({"feeds": ["https://a.example/", "https://a.example/"]}, "twice"),
        ({"allow_hosts": ["10.0.0.5"]}, "fetch.allow_hosts.0"),
        ({"allow_hosts": ["a/b:80"]}, "fetch.allow_hosts.0"),
        ({"name": "bytes \udcff"}, "not TOML"),
    ],
)
@pytest.mark.parametrize("exists", [False, True])
def test_a_wish_without_meaning_leaves_nothing_behind(
    tmp_path: Path, changes: dict[str, object], word: str, exists: bool
):
    folder = tmp_path / "m"
    if exists:
        folder.mkdir()
    with pytest.raises(SettingsError, match=word):
        make(folder, wishes(**changes), now=NOW)

    assert folder.exists() == exists
    assert all_files(tmp_path) == set()

    make(folder, WISHES, now=NOW)


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_place_where_no_folder_can_be_is_an_error_that_names_it(tmp_path: Path, name: str):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SettingsError, match=f"{tmp_path}/file"):
        make(tmp_path / name, WISHES, now=NOW)

    assert (tmp_path / "file").read_text() == "mine"
