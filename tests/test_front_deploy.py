"""The guide for operators: its commands run, and its examples are what the verbs print."""

import re
import shlex
from pathlib import Path

import pytest
from front_servers import ROOT
from front_verbs import run

from mirror.cli import front, onion
from mirror.front import Front
from mirror.front.caddy import caddy
from mirror.front.nginx import MODULES, nginx
from mirror.onion.key import address_of
from mirror.onion.torrc import torrc

DEPLOY = ROOT / "deploy"
WRITTEN = re.findall(r"^    mirror (.+)$", (DEPLOY / "README.md").read_text(), re.MULTILINE)
COMMANDS = [each for each in WRITTEN if "--control" not in each]  # test_onion has a tor for it
FRONT = Front(name="news.example", site=Path("/srv/site"), onion=address_of(bytes(32)))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_the_guide_run(tmp_path: Path, command: str):
    told = command.replace("ADDRESS", address_of(bytes(32)))
    told = re.sub(r"--(out|tor-dir) \S+", rf"--\1 {tmp_path}/\1", told)

    assert run(onion if told.startswith("onion") else front, *shlex.split(told)) == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Caddyfile", caddy(FRONT)),
        (
            "nginx.conf",
            nginx(
                Front(name="news.example", site=FRONT.site, onion=FRONT.onion, user="www-data"),
                modules=[Path("/usr/lib/nginx/modules", name) for name in MODULES],
            ),
        ),
        ("torrc", torrc(Path("/var/lib/tor/tamizdat"), to="127.0.0.1:8080")),
    ],
)
def test_the_examples_are_what_the_verbs_print(name: str, text: str):
    assert (DEPLOY / name).read_text() == text
