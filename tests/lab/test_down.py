"""A mirror that is down is not called blocked, and one that is blocked is: seen from both sides."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from lab import censor
from lab.published import Site, publish
from lab.transports import ask, seat_reader
from lab.world import RESOLVER, Lab, lab

DOWN = ("stopped", "busy", "expired", "gone")
BLOCKED = ("reset", "hole", "dropped", "refused", "denied", "page")
ROUND_S = 60
CONTROL, RELAY = 1081, 1082


def url_of(name: str) -> str:
    return f"https://{name}.test/"


class Country:
    """Mirrors that are watched from two places behind the censor, and from a control outside."""

    def __init__(self, made: Lab, site: Site) -> None:
        self.lab, self.site = made, site
        self.addresses: dict[str, str] = {}
        self.servers = {}
        self.at = int(time.time())

    def serve(self, *names: str) -> None:
        for name in names:
            self.addresses[name] = self.lab.serve(self.site.folder, f"{name}.test")
            self.servers[name] = self.lab.started[-1]

    def look(self) -> dict[str, tuple[str, str]]:
        """Look at all mirrors once; return the state of each, and the reason."""
        self.at += ROUND_S
        proxies = {"control": f"socks5h://127.0.0.1:{CONTROL}"}
        proxies["relay"] = f"socks5h://127.0.0.1:{RELAY}"
        urls = [url_of(name) for name in self.servers]
        made = ask(self.lab, do="watch", mirrors=urls, at=self.at, **proxies, **self.site.own)
        return {name: tuple(made[url_of(name)]) for name in self.servers}

    def stop(self, name: str) -> None:
        self.lab.stop(self.servers[name])

    def refuse_all(self, name: str) -> None:
        """Have a server answer 503, as one that has too much to do."""
        self._again(name, "root ", "return 503; root ")

    def let_expire(self, name: str) -> None:
        self.lab.authority.issue(self.lab.folder / f"{name}.test", f"{name}.test", days=-1)
        self._again(name, "", "")

    def _again(self, name: str, old: str, new: str) -> None:
        file = self.lab.folder / f"{name}.test.conf"
        file.write_text(file.read_text().replace(old, new))
        self.stop(name)
        self.lab.start("world", "nginx", "-c", file, "-e", self.lab.folder / "nginx.log")
        self.lab.wait_for("world", self.addresses[name], 443)

    def forget(self, name: str) -> None:
        """Let nobody have an address for a name."""
        del self.lab.hosts[f"{name}.test"]
        self.lab.answer("other.test", self.addresses["fine"])

    @contextmanager
    def censored(self) -> Iterator[None]:
        where = self.addresses
        with ExitStack() as stack:
            for held in (
                censor.sni_reset(self.lab, "reset.test"),
                censor.sni_black_hole(self.lab, "hole.test"),
                censor.address_drop(self.lab, where["dropped"]),
                censor.address_reset(self.lab, where["refused"]),
                censor.dns_nxdomain(self.lab, "denied.test"),
                censor.block_page(self.lab, where["page"], by=where["fine"]),
            ):
                stack.enter_context(held)
            yield


@pytest.fixture
def country(tmp_path: Path) -> Iterator[Country]:
    site = publish(tmp_path)
    with lab() as made:
        outside = Path("/etc/netns") / made.name("world")
        outside.mkdir(parents=True)
        outside.joinpath("resolv.conf").write_text(f"nameserver {RESOLVER}\n")
        country = Country(made, site)
        country.serve("fine", *DOWN, *BLOCKED)
        seat_reader(made)
        inside = Path("/run/netns") / made.name("reader")
        for namespace, port in (("world", CONTROL), ("reader", RELAY)):
            proxy = Path(__file__).with_name("socks.py")
            made.start(namespace, sys.executable, "-I", proxy, inside, port)
            made.wait_for("reader", "127.0.0.1", port)
        yield country


def test_what_is_down_is_not_called_blocked_and_what_is_blocked_is(country: Country):
    before = country.look()
    country.stop("stopped")
    country.refuse_all("busy")
    country.let_expire("expired")
    country.forget("gone")
    with country.censored():
        first = country.look()
        second = country.look()

    assert {state for state, _ in before.values()} == {"healthy"}, before
    assert {name: first[name][0] for name in (*DOWN, *BLOCKED)} == dict.fromkeys(
        (*DOWN, *BLOCKED), "suspect"
    )
    assert {name: second[name][0] for name in DOWN} == dict.fromkeys(DOWN, "down"), second
    assert {name: second[name][0] for name in BLOCKED} == dict.fromkeys(BLOCKED, "blocked"), second
    assert second["fine"][0] == "healthy"
