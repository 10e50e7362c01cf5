"""How an article reaches a reader in the lab: over mirrors, a gateway, an onion, in a pocket."""

import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from front_servers import program
from kubo import binary

from lab.onion import PROXY, Relays, onion
from lab.published import ARTICLE, ONE, Site
from lab.world import Lab, lab
from mirror.front import Front, Listen
from mirror.front.caddy import caddy
from mirror.front.nginx import nginx

GATEWAY, PAGE, FORGER = "gateway.test", "page.test", "forger.test"
GATEWAY_PORT = 8080
CELL_S = 20.0  # who has waited so long for an article on a fast line does not get it
START_S = 90.0  # on a machine that has other work: in two or three on one that has none


@dataclass(frozen=True, slots=True)
class Scene:
    """A lab in which the site is served in every way, and a reader who has been there before."""

    lab: Lab
    site: Site
    first: str
    """The address of the first mirror, `ONE`."""
    second: str
    page: str
    """The address of a server that answers with a block page."""
    forger: str
    """The address of one that has a certificate for the first mirror, and changed its files."""
    memory: Path
    """What a reader remembers who has read the list of mirrors before there was a censor."""
    relays: Relays | None = None
    onion: str = ""
    """The site's address on the network of `relays`."""
    tor_s: float = CELL_S
    """How long an article is waited for that is to come over that network."""

    @property
    def gateway(self) -> str:
        """The site's base address at the gateway."""
        return f"https://{GATEWAY}/ipfs/{self.site.cid}/"

    @property
    def over_tor(self) -> tuple[str, ...]:
        """How `mirror fetch` asks the onion service and no other."""
        return ("--via", self.onion, "--only-via", "--proxy", PROXY)

    def fetch(self, out: Path, *more: str, limit_s: float = CELL_S) -> dict[str, Any]:
        """Run `mirror fetch`, saving below `out`."""
        where = ("--root", str(self.site.root), "--json", "--out", str(out))
        return self._verb("fetch", ARTICLE, *where, *more, limit_s=limit_s)

    def verify(self, path: Path) -> dict[str, Any]:
        """Run `mirror verify` on what is on the disk."""
        return self._verb("verify", str(path), "--root", str(self.site.root))

    def _verb(self, *words: str, limit_s: float = CELL_S) -> dict[str, Any]:
        return ask(self.lab, do="verb", words=words, limit_s=limit_s)

    def look(self, url: str, *, proxy: str = "") -> str:
        """Return how it looks at the reader's to who watches over mirrors."""
        told = {"url": url, "page": self.site.page, "proxy": proxy}
        made = ask(self.lab, do="look", **told, **self.site.own)
        return str(made.get("outcome", "throttled"))


@contextmanager
def with_onion(scene: Scene) -> Iterator[Scene]:
    """Let the site be on a Tor network, too, and its reader's Tor have found it once."""
    web = scene.lab.serve(scene.site.folder, "onion.test")
    with onion(scene.lab, web) as (relays, url):
        made = replace(scene, relays=relays, onion=url)
        end = time.monotonic() + START_S
        while made.fetch(scene.lab.folder / "out", *made.over_tor).get("code") != 0:
            assert time.monotonic() < end, "the service is not found"
            time.sleep(0.5)
        yield made


def seat_reader(made: Lab) -> None:
    """Let there be somebody to `ask` in the reader's network."""
    here = made.folder / "reader"
    trusting = ("env", f"SSL_CERT_FILE={made.ca}", f"PYTHONPATH={os.pathsep.join(sys.path)}")
    made.start("reader", *trusting, sys.executable, Path(__file__).with_name("reader.py"), here)
    end = time.monotonic() + START_S
    while not here.exists():
        assert time.monotonic() < end, "the reader has not started"
        time.sleep(0.05)


def ask(made: Lab, *, limit_s: float = CELL_S, **asked: object) -> dict[str, Any]:
    """Have the reader do something (`lab.reader`); return {} if it takes too long."""
    with socket.socket(socket.AF_UNIX) as there:
        there.settimeout(limit_s)
        there.connect(str(made.folder / "reader"))
        there.sendall(json.dumps(asked).encode() + b"\n")
        got = bytearray()
        try:
            while chunk := there.recv(1 << 16):
                got += chunk
        except TimeoutError:
            return {}
    assert got, (made.folder / "log").read_text(errors="replace")[-3000:]
    return dict(json.loads(got))


@contextmanager
def scene(site: Site) -> Iterator[Scene]:
    """Serve the site in a lab of its own."""
    with lab() as made:
        first, second = _nginx(made, site, "one.test"), _caddy(made, site, "two.test")
        page = made.serve(_pages(made.folder / "page"), PAGE)
        forger = made.serve(_forged(site.folder, made.folder / "forged"), FORGER, "one.test")
        made.answer("one.test", first)
        _gateway(made, site)
        seat_reader(made)
        memory = made.folder / "memory"
        scene = Scene(made, site, first, second, page, forger, memory)
        learnt = scene.fetch(made.folder / "out", "--via", ONE, "--remember", str(memory))
        assert learnt["code"] == 0, learnt
        yield scene


def _front(made: Lab, site: Site, name: str) -> Front:
    """Return what an operator's server is configured by."""
    stem = made.folder / name
    made.authority.issue(stem, name)
    own = Path(f"{stem}.pem"), Path(f"{stem}.key")
    listen = Listen(made.new_address(), 443)
    return Front(name=name, site=site.folder, certificate=own, listen=listen)


def _nginx(made: Lab, site: Site, name: str) -> str:
    front, folder = _front(made, site, name), made.folder / f"{name}.d"
    folder.mkdir()
    (folder / "conf").write_text(nginx(front))
    said = f"pid {folder}/pid; user root; daemon off;"
    where = ("-e", "/dev/null", "-p", folder, "-c", folder / "conf", "-g", said)
    return _started(made, front, program("nginx"), *where)


def _caddy(made: Lab, site: Site, name: str) -> str:
    front, folder = _front(made, site, name), made.folder / f"{name}.d"
    folder.mkdir()
    (folder / "conf").write_text(caddy(front))
    home = ("env", f"HOME={folder}", f"XDG_DATA_HOME={folder}", f"XDG_CONFIG_HOME={folder}")
    told = ("run", "--adapter", "caddyfile", "--config", folder / "conf")
    return _started(made, front, *home, program("caddy"), *told)


def _started(made: Lab, front: Front, *command: object) -> str:
    made.start("world", *command)
    made.wait_for("world", front.listen.host, front.listen.port)
    made.answer(front.name, front.listen.host)
    return front.listen.host


def _pages(folder: Path) -> Path:
    """Write a block page: the server shows it for whatever it is asked."""
    folder.mkdir()
    folder.joinpath("index.html").write_text("this page is not for you")
    return folder


def _forged(site: Path, folder: Path) -> Path:
    """Copy a site, with other words in each article."""
    shutil.copytree(site, folder)
    for file in folder.rglob("*.html"):
        file.write_bytes(file.read_bytes().replace(b"word1 ", b"lie 1 "))
    return folder


def _gateway(made: Lab, site: Site) -> None:
    """Start a gateway: a Kubo without a network, behind TLS."""
    repository, address = made.folder / "ipfs", made.new_address()
    shutil.copytree(site.ipfs, repository)
    config = json.loads((repository / "config").read_bytes())
    config["Addresses"]["Gateway"] = f"/ip4/{address}/tcp/{GATEWAY_PORT}"
    (repository / "config").write_text(json.dumps(config))
    home = ("env", f"IPFS_PATH={repository}", f"HOME={repository}", "IPFS_TELEMETRY=off")
    made.start("world", *home, binary(), "daemon", "--offline")
    made.authority.issue(made.folder / GATEWAY, GATEWAY)
    file = made.folder / "gateway.conf"
    file.write_text(_tls(made.folder, address))
    made.start("world", "nginx", "-c", file, "-e", made.folder / "nginx.log")
    made.wait_for("world", address, 443)
    made.wait_for("world", address, GATEWAY_PORT)
    made.answer(GATEWAY, address)


def _tls(folder: Path, address: str) -> str:
    return f"""
        daemon off;
        user root;
        worker_processes 1;
        pid {folder}/gateway.pid;
        events {{}}
        http {{
            access_log off;
            keepalive_timeout 0;
            server {{
                listen {address}:443 ssl;
                server_name {GATEWAY};
                ssl_certificate {folder}/{GATEWAY}.pem;
                ssl_certificate_key {folder}/{GATEWAY}.key;
                location / {{ proxy_pass http://{address}:{GATEWAY_PORT}; }}
            }}
        }}
    """
