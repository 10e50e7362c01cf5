"""From a settings file to a desk that works, and what is refused on the way."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from fakes import NOW

from mirror import build
from mirror.database import InUseError
from mirror.errors import SettingsError, StateError
from mirror.formats import root
from mirror.init import Wishes, make
from mirror.state import State
from mirror.stores.dir import DirStore

ORIGIN = "test.example/news"
WISHES = Wishes(
    name="A newsroom",
    origin=ORIGIN,
    feeds=["https://news.example/a", "https://news.example/b"],
    lang="fa",
    allow_hosts=["10.0.0.5:8080"],
)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    make(tmp_path / "m", WISHES, now=NOW)
    return tmp_path / "m"


def change(folder: Path, old: str, new: str) -> None:
    file = folder / "mirror.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


async def opened(folder: Path) -> None:
    async with build.desk(folder / "mirror.toml"):
        pass


async def test_a_desk_is_what_the_settings_say(made: Path):
    change(made, 'text = "auto"', 'text = "page"')
    change(made, "parallel = 4", "parallel = 7")
    async with build.desk(made / "mirror.toml") as desk:
        sources = [(source.url, source.text) for source in desk.poller.sources]
        site = desk.site

        assert sources == [(url, "page") for url in WISHES.feeds]
        assert (desk.poller.lang, desk.poller.parallel) == ("fa", 7)
        assert isinstance(site, DirStore)
        assert site.folder == made / "site"
        assert desk.state is desk.signer.state is desk.poller.state
        assert desk.signer.masthead.newsroom == "A newsroom"
        assert desk.signer.root.open.origin == ORIGIN


async def test_paths_are_relative_to_the_file_and_not_to_the_caller(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    await opened(Path("..") / "m")

    assert (made / "state.db").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_the_site_and_the_state_may_be_in_different_places(made: Path, tmp_path: Path):
    shutil.move(made / "site", tmp_path / "www")
    (tmp_path / "var").mkdir()
    change(made, 'site = "site"', f'site = "{tmp_path}/www"')
    change(made, 'state = "state.db"', 'state = "../var/s.db"')
    async with build.desk(made / "mirror.toml") as desk:
        await desk.site.put("checkpoint", b"x")
        await desk.site.flush()

    assert (tmp_path / "www" / "checkpoint").read_bytes() == b"x"
    assert (tmp_path / "var" / "s.db").exists()


async def test_whatever_happens_the_database_is_closed(made: Path):
    with pytest.raises(KeyError):
        async with build.desk(made / "mirror.toml"):
            raise KeyError
    await opened(made)


async def test_two_desks_at_once_are_refused(made: Path):
    async with build.desk(made / "mirror.toml"):
        with pytest.raises(InUseError):
            await opened(made)


async def test_another_origin_in_the_settings_is_refused(made: Path):
    await opened(made)
    change(made, ORIGIN, "test.example/other")
    with pytest.raises(SettingsError, match=r"newsroom\.origin: .* an origin never changes"):
        await opened(made)


async def test_another_origins_database_is_refused(made: Path):
    State.open(made / "state.db", origin="test.example/other").close()
    with pytest.raises(StateError, match=r"state\.db: it is the log test.example/other"):
        await opened(made)


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ("keys", "keys/articles.pem: no readable secret"),
        ("keys/clock.pem", "keys/clock.pem: no readable secret"),
        ("site", "site/trust: no root.json"),
        ("site/trust/1.root.json", "site/trust: no root.json"),
        ("mirror.toml", "mirror.toml: not readable"),
    ],
)
async def test_what_is_missing_is_named(made: Path, lost: str, words: str):
    shutil.rmtree(made / lost) if (made / lost).is_dir() else (made / lost).unlink()
    with pytest.raises(SettingsError, match=words):
        await opened(made)


async def test_a_root_that_is_none_is_named(made: Path):
    (made / "site" / "trust" / "1.root.json").write_bytes(b"{}")
    with pytest.raises(SettingsError, match=r"1\.root\.json"):
        await opened(made)


async def test_a_database_where_none_can_be_is_named(made: Path):
    change(made, 'state = "state.db"', 'state = "nowhere/state.db"')
    with pytest.raises(SettingsError, match=r"nowhere/state\.db"):
        await opened(made)


def test_the_newest_root_counts_and_not_the_longest_name(made: Path):
    trust = made / "site" / "trust"
    first = root.Root.parse((trust / "1.root.json").read_bytes())
    for version in (2, 9, 10):
        newer = dataclasses.replace(first, version=version)
        (trust / f"{version}.root.json").write_bytes(bytes(newer))
    (trust / "x.root.json").write_bytes(b"")
    (trust / "11.root.json.bak").write_bytes(b"")

    assert build.newest_root(trust).version == 10


@pytest.mark.parametrize("name", ["articles", "log", "clock", "minisign", "ssh"])
async def test_a_secret_of_another_mirror_is_refused(made: Path, tmp_path: Path, name: str):
    make(tmp_path / "other", WISHES, now=NOW)
    shutil.copy(tmp_path / "other" / "keys" / f"{name}.pem", made / "keys" / f"{name}.pem")

    with pytest.raises(SettingsError, match="root 1 names other keys"):
        await opened(made)


@pytest.mark.parametrize(("old", "new"), [("keys", "site/keys"), ("state.db", "site/a/state.db")])
async def test_secrets_and_state_are_not_kept_where_they_would_be_published(
    made: Path, old: str, new: str
):
    shutil.copytree(made / "keys", made / "site" / "keys")
    change(made, f'= "{old}"', f'= "{new}"')

    with pytest.raises(SettingsError, match="inside the site, which is published"):
        await opened(made)
