"""What a front is told: the same as the built-in server does, and nothing that a word slips in."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from front_verbs import run
from hypothesis import given
from hypothesis import strategies as st

from mirror import labels
from mirror.cli import front as verb
from mirror.errors import SettingsError
from mirror.formats.paths import is_path
from mirror.front import Front, Listen
from mirror.front.caddy import caddy
from mirror.front.kinds import (
    CACHING,
    FORMS,
    KINDS,
    POLICIES,
    SITE,
    VARYING,
)
from mirror.front.nginx import nginx
from mirror.onion.key import address_of
from mirror.serve import headers

ONION = address_of(bytes(32))
FOLDERS = ["", "a/", "a/o/q/x/w64tnmfzrgi3damf2/", "a/1/q/x/w64tnmfzrgi3damf2/", "index/", "tile/"]
FOLDERS += ["tile/0/", "tile/entries/", "feed/", "feed.d/", "trust/", "archive/", "a.html/"]
NAMES = ["1", "12-3", "01", "0f" * 32, "checkpoint", "index", "feed", "x.d", "1.diff", "root", "A"]
ENDINGS = [".html", ".json", ".xml", ".css", ".js", ".webp", ".epub", ".car", ".tar", ".zim", ""]
ENDINGS += [".html.minisig", ".html.sig", ".html.tlog-proof", ".root.json", ".tlog-proof", ".HTML"]
ENDINGS += [".html.gz", ".json.br", ".tar.gz", ".gz", ".br", ".p/7", ".txt"]
PATHS = st.builds("".join, st.tuples(*map(st.sampled_from, (FOLDERS, NAMES, ENDINGS))))


def first(rules: Sequence[tuple[str, str]], path: str) -> str:
    return next(value for pattern, value in rules if re.search(pattern, f"/{path}"))


# One table.


@given(PATHS)
def test_a_front_says_of_each_file_what_the_built_in_server_says(path: str):
    kind = next(each for each in KINDS if re.search(each.pattern, f"/{path}"))

    assert kind.type == labels.type_of(path)
    assert kind.packed == labels.is_packed(path)
    assert bool(first(VARYING, path)) == labels.is_packed(path)
    assert first(CACHING, path) == labels.caching_of(path)
    assert bool(re.search(FORMS, f"/{path}")) == headers.is_form(path)
    if not path.endswith(".html"):
        assert first(POLICIES, path) == headers.policy_of(path, b"")


@given(st.one_of(PATHS, st.text("a.-_/%~ ", max_size=12)))
def test_only_what_a_site_may_hold_is_looked_for(path: str):
    asked = re.fullmatch(SITE, f"/{path}") is not None

    assert asked == (is_path(path) or (path.endswith("/") and is_path(path[:-1])) or not path)


# No word slips in.


def words(config: str) -> list[str]:
    """Return the words of a configuration, as nginx and Caddy cut them, without comments."""
    found = re.findall(r'"(?:[^"\\]|\\.)*"|#[^\n]*|[{};]|(?:[^\s{};"]|\{[^\s{}]*\})+', config)
    return [word for word in found if not word.startswith("#")]


SITES = st.text(max_size=30).map(lambda text: Path(f"/{text}"))


@given(SITES)
def test_a_path_is_one_word_whatever_is_in_it(path: Path):
    plain = Front(name="news.example", site=Path("/x"))
    try:
        other = Front(name="news.example", site=path)
    except SettingsError:
        return

    for write in (nginx, caddy):
        expected, found = words(write(plain)), words(write(other))
        differ = [(a, b) for a, b in zip(expected, found, strict=True) if a != b]
        assert differ in ([('"/x"', found[expected.index('"/x"')])], [])


@given(st.sampled_from(["name", "upstream", "onion", "acme", "user"]), st.text(min_size=1))
def test_a_word_that_is_not_of_its_form_is_refused(what: str, text: str):
    named = {"name": "news.example", "upstream": "http://127.0.0.1:8080", what: text}
    try:
        front = Front(**named)
    except SettingsError:
        return

    assert set(getattr(front, what)) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-_")


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("name", ""),
        ("name", "localhost"),
        ("name", "127.0.0.1"),
        ("name", "news.example; include /etc/passwd"),
        ("name", "news.example {"),
        ("name", "*.example"),
        ("name", "News.example"),
        ("name", f"{'a' * 64}.example"),
        ("name", "news.example\n"),
        ("upstream", "http://127.0.0.1:8080/path"),
        ("upstream", "https://127.0.0.1:8080"),
        ("upstream", "http://127.0.0.1"),
        ("upstream", "http://user@127.0.0.1:80"),
        ("upstream", "http://$host:80"),
        ("onion", "news.onion"),
        ("onion", f"{ONION}\n"),
        ("acme", "http://acme.example/dir"),
        ("acme", "https://acme.example/dir?x=1"),
        ("acme", "https://acme.example/ dir"),
        ("user", "www-data;"),
        ("user", "root\n"),
    ],
)
def test_what_could_mean_something_else_is_refused(what: str, text: str):
    named = {"name": "news.example", "upstream": "http://127.0.0.1:8080", what: text}

    with pytest.raises(SettingsError, match=f"{what}: .* expected"):
        Front(**named)


@pytest.mark.parametrize("path", ["x", "/a$b", "/a`b", "/{env.HOME}", "/a\\b", "/a\nb", "/a\x7fb"])
def test_a_path_that_would_be_expanded_is_refused(path: str):
    with pytest.raises(SettingsError, match="whole path"):
        Front(name="news.example", site=Path(path))


@pytest.mark.parametrize(
    "text", ["", "0", "65536", "x", "1.2.3.4", ":1", "a.example:1", "1;", "::1:1"]
)
def test_where_to_listen_is_a_port_and_perhaps_an_address(text: str):
    with pytest.raises(SettingsError, match="listen"):
        Listen.parse(text)


@pytest.mark.parametrize("text", ["443", "127.0.0.1:8443", "[::1]:8443"])
def test_where_to_listen_reads_back(text: str):
    assert str(Listen.parse(text)) == text


# The verb.


def test_the_verb_writes_what_it_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asked = ("front", "caddy", "--site", tmp_path, "--name", "news.example", "--onion", ONION)

    assert run(verb, *asked) == 0
    printed = capsys.readouterr().out
    assert run(verb, *asked, "--out", tmp_path / "Caddyfile") == 0
    assert (tmp_path / "Caddyfile").read_text() == printed
    assert run(verb, *asked, "--out", tmp_path / "Caddyfile") == 0


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asked = ("front", "caddy", "--name", "news.example", "--site")
    assert run(verb, *asked, tmp_path) == 0
    there = capsys.readouterr().err
    assert run(verb, *asked, tmp_path / "none") == 0

    assert not there
    assert capsys.readouterr().err.startswith(f"mirror: {tmp_path}/none: no such folder yet: ")


def test_the_verb_overwrites_nobodys_file(tmp_path: Path):
    (tmp_path / "nginx.conf").write_text("events {}\n")
    asked = ("front", "nginx", "--site", tmp_path, "--name", "news.example")

    with pytest.raises(SettingsError, match="is there already"):
        run(verb, *asked, "--out", tmp_path / "nginx.conf")
    assert (tmp_path / "nginx.conf").read_text() == "events {}\n"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("nginx", "--acme", "https://acme.example/dir"), "nginx asks for no certificate"),
        (("caddy", "--cert", "chain.pem"), "both --cert and --key"),
        (("caddy", "--cert", "c", "--key", "k", "--acme", "https://a.example/d"), "not both"),
        (("caddy", "--onion", ONION.replace("a", "b", 1)), "not an address"),
    ],
)
def test_what_does_not_go_together_is_refused(more: tuple[str, ...], said: str):
    with pytest.raises(SettingsError, match=said):
        run(verb, "front", *more, "--site", "/srv/site", "--name", "news.example")


def test_modules_are_used_where_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asked = ("front", "nginx", "--site", "/srv", "--name", "news.example", "--modules", tmp_path)
    run(verb, *asked)
    without = capsys.readouterr().out
    (tmp_path / "ngx_http_brotli_static_module.so").touch()
    run(verb, *asked)
    with_brotli = capsys.readouterr().out

    assert "brotli" not in without
    assert "brotli_static on;" in with_brotli
    assert f'load_module "{tmp_path}/ngx_http_brotli_static_module.so";' in with_brotli
