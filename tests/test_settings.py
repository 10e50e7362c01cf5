"""The settings file: every key explained, and every mistake named with what to do about it."""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mirror.errors import SettingsError
from mirror.settings import MAX_BYTES, Settings

EXAMPLE = Path(__file__).parents[1] / "config" / "mirror.toml"
GOOD = """
[newsroom]
name = "N"
origin = "test.example/news"
[[feeds]]
url = "https://news.example/feed"
"""


def uncommented(text: str) -> str:
    """Return a settings file with the sections in use that it only shows."""
    return re.sub(r"(?m)^#(?=\S)", "", text)


def keys_with_a_comment_above(file: Path) -> set[str]:
    """Return `section.key` and `section` of the lines that have an explanation above them."""
    found, section, before = set(), "", ""
    for line in uncommented(file.read_text()).splitlines():
        if line.startswith("["):
            section = line.strip("[]")
            name = section
        elif "=" in line and not line.startswith("#"):
            name = f"{section}.{line.partition(' = ')[0]}"
        else:
            name = ""
        if name and before.startswith("# "):
            found.add(name)
        before = line or before  # an empty line may follow the explanation of a section
    return found


def every_key(model: type[BaseModel]) -> set[str]:
    sections = {name: _section(field) for name, field in model.model_fields.items()}
    keys = {f"{name}.{key}" for name, section in sections.items() for key in section.model_fields}
    return keys | set(sections)


def _section(field: FieldInfo) -> type[BaseModel]:
    kind = field.annotation
    [section] = get_args(kind) or [kind]
    assert isinstance(section, type)
    assert issubclass(section, BaseModel)
    return section


def load(tmp_path: Path, text: str | bytes) -> Settings:
    file = tmp_path / "mirror.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Settings.load(file)


def refused(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    message = str(caught.value)

    assert message.startswith(f"{tmp_path}/mirror.toml: ")
    assert "\n" not in message
    return message.removeprefix(f"{tmp_path}/mirror.toml: ")


def with_key(section: str, line: str) -> str:
    if f"[{section}]" in GOOD:
        return GOOD.replace(f"[{section}]", f"[{section}]\n{line}")
    return f"{GOOD}\n[{section}]\n{line}\n"


def test_the_example_file_loads_and_explains_every_key():
    loaded = Settings.load(EXAMPLE)
    shown = Settings.parse(uncommented(EXAMPLE.read_text()).encode(), EXAMPLE)

    assert (len(shown.stores), len(shown.mirrors), len(shown.vantages)) == (1, 1, 1)
    assert keys_with_a_comment_above(EXAMPLE) == every_key(type(loaded))


def test_the_example_shows_the_defaults():
    shown, default = (
        Settings.load(EXAMPLE),
        Settings.model_validate(
            {"newsroom": {"name": "x", "origin": "x"}, "feeds": [{"url": "https://x/"}]}
        ),
    )

    assert shown.fetch == default.fetch
    assert shown.publish == default.publish
    assert shown.pictures == default.pictures
    assert shown.schedule == default.schedule
    assert shown.paths == default.paths
    assert shown.box == default.box
    assert shown.newsroom.lang == default.newsroom.lang
    assert shown.feeds[0].text == default.feeds[0].text


def test_what_is_left_out_has_a_default(tmp_path: Path):
    settings = load(tmp_path, GOOD)

    assert settings.newsroom.name == "N"
    assert settings.fetch.timeout_s == 30.0
    assert settings.paths.site == "site"


@pytest.mark.parametrize(
    ("section", "line", "near"),
    [
        ("newsroom", 'nmae = "x"', "newsroom.nmae: no such key, did you mean name?"),
        ("newsroom", 'language = "x"', "newsroom.language: no such key, did you mean lang?"),
        ("fetch", "timeout = 3", "fetch.timeout: no such key, did you mean timeout_s?"),
        ("fetch", "zzz = 3", "fetch.zzz: no such key: expected one of allow_hosts, timeout_s,"),
        ("paths", 'stat = "x"', "paths.stat: no such key, did you mean state?"),
        ("box", "worker = 3", "box.worker: no such key, did you mean workers?"),
        ("fetsh", "parallel = 3", "fetsh: no such key, did you mean fetch?"),
        ("qqq", "parallel = 3", "qqq: no such key: expected one of newsroom, feeds, sites, fetch,"),
    ],
)
def test_an_unknown_key_is_named_with_the_one_near(
    tmp_path: Path, section: str, line: str, near: str
):
    assert refused(tmp_path, with_key(section, line)).startswith(near)


def test_an_unknown_key_of_a_feed_says_which_feed(tmp_path: Path):
    more = f'{GOOD}\n[[feeds]]\nurl = "https://x.example/"\ntxet = "feed"\n'

    assert refused(tmp_path, more) == "feeds.1.txet: no such key, did you mean text?"


@pytest.mark.parametrize(
    ("section", "line", "words"),
    [
        ("fetch", "timeout_s = -1", ["fetch.timeout_s", "greater than 0", "-1"]),
        ("fetch", "timeout_s = 0", ["fetch.timeout_s", "greater than 0"]),
        ("fetch", "timeout_s = nan", ["fetch.timeout_s"]),
        ("fetch", "timeout_s = inf", ["fetch.timeout_s", "600"]),
        ("fetch", 'timeout_s = "30"', ["fetch.timeout_s", "valid number", "'30'"]),
        ("fetch", "parallel = 0", ["fetch.parallel", "greater than or equal to 1", "0"]),
        ("fetch", "parallel = 2.5", ["fetch.parallel", "integer", "2.5"]),
        ("fetch", "parallel = true", ["fetch.parallel", "integer", "True"]),
        ("fetch", 'allow_hosts = "10.0.0.5:80"', ["fetch.allow_hosts", "list"]),
        ("fetch", 'allow_hosts = ["10.0.0.5"]', ["fetch.allow_hosts.0", "10.0.0.5:8080"]),
        ("fetch", 'allow_hosts = ["h:99999"]', ["fetch.allow_hosts.0", "10.0.0.5:8080"]),
        ("fetch", 'allow_hosts = ["h:0"]', ["fetch.allow_hosts.0", "10.0.0.5:8080"]),
        ("fetch", 'allow_hosts = ["a/b:80"]', ["fetch.allow_hosts.0", "10.0.0.5:8080"]),
        ("fetch", 'allow_hosts = ["http://h:80"]', ["fetch.allow_hosts.0", "10.0.0.5:8080"]),
        ("fetch", 'allow_hosts = ["u@h:80"]', ["fetch.allow_hosts.0", "10.0.0.5:8080"]),
        ("fetch", 'allow_hosts = ["::1:80"]', ["fetch.allow_hosts.0", "10.0.0.5:8080"]),
        ("fetch", 'allow_hosts = ["h:٣"]', ["fetch.allow_hosts.0", "10.0.0.5:8080"]),
        ("fetch", 'allow_hosts = ["[::1:80"]', ["fetch.allow_hosts.0", "10.0.0.5:8080"]),
        ("fetch", 'user_agent = "ж"', ["fetch.user_agent"]),
        ("fetch", 'user_agent = "a\\nX: b"', ["fetch.user_agent"]),
        ("publish", "delay_s = -1", ["publish.delay_s", "greater than or equal to 0", "-1"]),
        ("publish", "delay_s = 2592001", ["publish.delay_s", "2592000", "2592001"]),
        ("publish", "delay_s = 1.5", ["publish.delay_s", "integer", "1.5"]),
        ("box", "workers = -1", ["box.workers", "greater than or equal to 0", "-1"]),
        ("paths", "keys = 3", ["paths.keys", "string", "3"]),
    ],
)
def test_a_value_without_meaning_is_named_with_what_was_expected(
    tmp_path: Path, section: str, line: str, words: list[str]
):
    message = refused(tmp_path, with_key(section, line))

    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "N"', "", ["newsroom.name: missing"]),
        ('name = "N"', 'name = ""', ["newsroom.name", "at least 1 character"]),
        ('name = "N"', f'name = "{"x" * 201}"', ["newsroom.name", "at most 200"]),
        ("test.example/news", "Test Example", ["newsroom.origin", "a-z 0-9", "'Test Example'"]),
        ("test.example/news", "", ["newsroom.origin"]),
        ("https://news.example/feed", "news.example/feed", ["feeds.0.url", "not an absolute"]),
        ("https://news.example/feed", "ftp://x/", ["feeds.0.url", "http"]),
        ("https://news.example/feed", "https://u:p@x/", ["feeds.0.url", "password"]),
        ("[newsroom]", "box = 3\n[newsroom]", ["box", "not 3"]),
        ('[[feeds]]\nurl = "https://news.example/feed"', "feeds = []", ["feeds"]),
        ('[[feeds]]\nurl = "https://news.example/feed"', "", ["feeds: missing"]),
        ("url = ", "text = ", ["feeds.0.url: missing", "'auto', 'feed' or 'page'"]),
    ],
)
def test_a_mistake_in_what_must_be_said_is_named(
    tmp_path: Path, old: str, new: str, words: list[str]
):
    message = refused(tmp_path, GOOD.replace(old, new))

    assert [word for word in words if word not in message] == []


def test_a_secret_in_an_address_is_not_repeated(tmp_path: Path):
    message = refused(tmp_path, GOOD.replace("news.example/feed", "u:hunter2@news.example/"))

    assert "hunter2" not in message


def test_all_mistakes_are_told_at_once(tmp_path: Path):
    message = refused(tmp_path, with_key("fetch", "parallel = 0\ntimeout = 3"))

    assert "fetch.parallel" in message
    assert "fetch.timeout" in message


def test_a_feed_that_stands_there_twice_is_refused(tmp_path: Path):
    twice = GOOD + '[[feeds]]\nurl = "https://news.example/feed"\n'

    assert refused(tmp_path, twice) == "feeds: https://news.example/feed: stands there twice"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "newsroom: missing; feeds: missing"),
        ("name = ", "not TOML: "),
        (b"\xff\xfe", "not TOML: "),
        (b'[newsroom]\nname = "\xe9"', "not TOML: "),
        ("[newsroom]\nname = 1\nname = 2", "not TOML: "),
        (b"#" * (MAX_BYTES + 1), "more than 1048576 bytes: not a settings file"),
    ],
)
def test_what_is_no_settings_file_says_why(tmp_path: Path, text: str | bytes, reason: str):
    assert refused(tmp_path, text).startswith(reason)


@pytest.mark.parametrize(("name", "reason"), [("none.toml", "No such file"), (".", "directory")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, reason: str):
    with pytest.raises(SettingsError, match=reason) as caught:
        Settings.load(tmp_path / name)

    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    ("section", "line", "words"),
    [
        ("feeds", 'timezone = "Moon/Base"', ["feeds.0.timezone", "Europe/Moscow", "Moon/Base"]),
        ("feeds", 'lang = "English!"', ["feeds.0.lang"]),
        ("feeds", 'fields = { entry = "it em" }', ["feeds.0.fields.entry"]),
        ("feeds", 'fields = { item = "x" }', ["feeds.0.fields.item: no such key"]),
        ("fetch", 'proxy = "ftp://x:1"', ["fetch.proxy: ", "HOST:PORT was expected"]),
        ("fetch", 'proxy = "socks5h://tor"', ["fetch.proxy: ", "HOST:PORT was expected"]),
        ("fetch", "per_host = 0", ["fetch.per_host"]),
        ("fetch", "robots = 1", ["fetch.robots"]),
        ("pictures", "large_px = 99999", ["pictures.large_px"]),
        ("schedule", "shortest_s = 1", ["schedule.shortest_s"]),
    ],
)
def test_a_mistake_about_a_source_is_named(
    tmp_path: Path, section: str, line: str, words: list[str]
):
    text = with_key(section, line) if section != "feeds" else GOOD + line + "\n"
    message = refused(tmp_path, text)

    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ('number = "(unclosed"', "not a regular expression"),
        ('number = "no group"', "needs one group"),
        ('number = "(a)(b)"', "needs one group"),
        ('text = "div["', "sites.0"),
        ('remove = ["p", ">>>"]', "sites.0"),
        ('host = "https://x"', "sites.0.host"),
    ],
)
def test_a_rule_that_cannot_work_is_named(tmp_path: Path, rule: str, word: str):
    host = "" if rule.startswith("host") else 'host = "news.example"\n'

    assert word in refused(tmp_path, f"{GOOD}[[sites]]\n{host}{rule}\n")


def test_rules_for_one_site_stand_there_once(tmp_path: Path):
    twice = '[[sites]]\nhost = "news.example"\n' * 2

    assert refused(tmp_path, GOOD + twice) == "sites: news.example: stands there twice"


LETTERS = "at most 31 lower-case letters, digits and hyphens were expected"
STORE = '[[stores]]\nname = "x"\nkind = "objects"\nto = "s3://news-copy"\n'


@pytest.mark.parametrize(
    ("section", "word"),
    [
        (STORE.replace('"x"', '"Bad_Name"'), f"stores.0.name: {LETTERS}, not 'Bad_Name'"),
        ('[[vantages]]\nname = "a.b"\n', f"vantages.0.name: {LETTERS}, not 'a.b'"),
        (STORE.replace('"x"', '"cycle"'), "stores.0.name: another name was expected"),
        (STORE.replace("s3:", "sftp:"), "stores.0: to: s3://BUCKET/FOLDER"),
        ('[[vantages]]\nname = "x"\nssh = "u@h"\n', "secret was expected with ssh"),
        ('[[vantages]]\nname = "x"\nssh = "h"\n', "USER@HOST or USER@HOST:PORT"),
        ('[dns]\nserver = "ns1.example"\n', "dns: server: an address was expected"),
        ('[dns]\nserver = "192.0.2.53"\n', "dns: zone, name and key were expected"),
        ('[[mirrors]]\nurl = "ftp://x/"\n', "mirrors.0.url: https://HOST/ was expected"),
        ('[[mirrors]]\nurl = "http://x.example/"\n', "mirrors.0.url: https://HOST/ was expected"),
        (STORE + 'public = "http://x.example/"\n', "or http:// for an .onion"),
        (STORE * 2, "stores: x: stands there twice"),
    ],
)
def test_a_mistake_about_a_place_outside_is_named(tmp_path: Path, section: str, word: str):
    assert word in refused(tmp_path, f"{GOOD}{section}")


def store(name: str, kind: str, to: str, *more: str) -> str:
    lines = f'name = "{name}"', f'kind = "{kind}"', f'to = "{to}"', *more
    return "\n".join(["[[stores]]", *lines, ""])


DAV = 'options = {{ type = "webdav", url = "https://{}.example/" }}'


@pytest.mark.parametrize(
    ("kind", "one", "two"),
    [
        ("folder", ["out"], ["./else/../out/"]),
        ("folder", ["out"], ["out/more"]),
        ("folder", ["out/a/b"], ["out"]),
        ("objects", ["s3://b/site", 'options = { region = "x" }'], ["s3://b/site/"]),
        ("git", ["https://git.example/n"], ["https://git.example/n"]),
        ("rclone", ["far:site", DAV.format("a")], ["far:site", DAV.format("a")]),
    ],
)
def test_two_stores_that_would_write_over_each_other_are_refused(
    tmp_path: Path, kind: str, one: list[str], two: list[str]
):
    both = store("one", kind, *one) + store("far", "folder", "else") + store("two", kind, *two)

    assert refused(tmp_path, GOOD + both) == 'stores.2.to: "one" writes there already'


@pytest.mark.parametrize(
    ("kind", "one", "two"),
    [
        ("folder", ["out"], ["out-2"]),
        ("objects", ["s3://b"], ["s3://b", 'options = { endpoint = "https://s.example" }']),
        ("objects", ["az://b", 'secret = "a.env"'], ["az://b", 'secret = "b.env"']),
        ("git", ["https://git.example/n"], ["https://git.example/n", 'options = { folder = "n" }']),
        ("rclone", ["far:site", DAV.format("a")], ["far:site", DAV.format("b")]),
    ],
)
def test_two_places_that_are_called_alike_are_two(
    tmp_path: Path, kind: str, one: list[str], two: list[str]
):
    load(tmp_path, GOOD + store("one", kind, *one) + store("two", kind, *two))


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "[::1]:80", "localhost", f"{'x' * 56}.onion"])
def test_a_mirror_without_tls_is_in_tor_or_on_this_machine(tmp_path: Path, host: str):
    file = tmp_path / "mirror.toml"
    file.write_text(f'{GOOD}[[mirrors]]\nurl = "http://{host}"\n')

    assert [each.url for each in Settings.load(file).mirrors] == [f"http://{host}/"]


@pytest.mark.parametrize("mistake", ['to = "x"', "options = { secret = 's3cret', n = 1 }"])
def test_what_a_store_is_told_is_not_repeated(tmp_path: Path, mistake: str):
    told = STORE.replace('to = "s3://news-copy"\n', "")
    more = "options = { secret = 's3cret' }\n" if mistake.startswith("to") else 'to = "s3://a"\n'

    assert "s3cret" not in refused(tmp_path, f"{GOOD}{told}{more}{mistake}\n")


def test_a_password_of_a_proxy_is_not_repeated(tmp_path: Path):
    message = refused(tmp_path, with_key("fetch", 'proxy = "http://me:s3cret@x"'))

    assert "s3cret" not in message
