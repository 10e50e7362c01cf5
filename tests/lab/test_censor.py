"""Each technique of the censor does to a reader what it is said to do."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import censor
from lab.world import Lab, lab

# What curl ends with.
DONE, NO_NAME, REFUSED, TIMEOUT, RESET = 0, 6, 7, 28, 35
WAIT_S = 2.0  # a network of one machine answers in milliseconds
SLOW_S = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """A lab with two mirrors, one of two names, and a server of the censor's friends."""

    lab: Lab
    first: str
    second: str
    page: str

    def get(
        self, url: str, *more: str, wait_s: float = WAIT_S, how: str = "--silent"
    ) -> "list[Seen]":
        """Fetch as a reader; return what came of each address."""
        told = ("--silent", how, "--http1.1", "--cacert", self.lab.ca, "--max-time", wait_s)
        form = "%{exitcode} %{http_code} %{size_download} %{time_total}\n"
        shown = ("--output", "/dev/null", "--write-out", form)
        urls = [word for each in (url, *more) for word in (*shown, each)]
        made = self.lab.run("reader", "curl", *told, *urls)
        return [Seen.of(line) for line in made.stdout.decode().splitlines()]


@dataclass(frozen=True, slots=True)
class Seen:
    """What curl says of one fetch."""

    exit: int
    status: int
    size: int
    seconds: float

    @classmethod
    def of(cls, line: str) -> "Seen":
        words = line.split()
        return cls(int(words[0]), int(words[1]), int(words[2]), float(words[3]))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("site")
    for size in (10, 11, 40, 900):
        (folder / f"{size}k").write_bytes(bytes(size * 1024))
    blocked = tmp_path_factory.mktemp("page")
    (blocked / "10k").write_text("this page is not for you")
    with lab() as made:
        first = made.serve(folder, "one.test", "other.test")
        second = made.serve(folder, "two.test", keep_alive=True)
        yield Place(made, first, second, made.serve(blocked, "page.test"))


def exits(seen: list[Seen]) -> list[int]:
    return [each.exit for each in seen]


def works(place: Place) -> bool:
    """Return whether a reader gets everything: no rule is left."""
    urls = ("https://one.test/10k", "https://other.test/40k", "https://two.test/40k")
    return [each.size for each in place.get(*urls)] == [10240, 40960, 40960]


KILLED = """
import time
from lab.world import lab
with lab() as made:
    print(made.token, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_run_left_is_gone_after_the_next():
    told = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    run = [sys.executable, "-c", KILLED]
    process = subprocess.Popen(run, stdout=subprocess.PIPE, env=told, text=True)
    token = process.stdout.readline().strip() if process.stdout else ""
    process.kill()
    process.communicate()
    with lab() as made:
        networks = subprocess.run(["ip", "netns"], check=True, capture_output=True, text=True)
        during = Path("/etc/netns", made.name("reader")).exists()

    assert token
    assert f"tzlab{token}-" not in networks.stdout
    assert made.name("reader") in networks.stdout
    assert during
    assert [each.name for each in Path("/etc/netns").iterdir() if token in each.name] == []
    assert not Path("/etc/netns", made.name("reader")).exists()
    assert list(Path(tempfile.gettempdir()).glob(f"tzlab{token}-*")) == []


def test_without_a_censor_a_reader_gets_all(place: Place):
    assert works(place)
    assert place.get("http://two.test/10k")[0].status == 200
    assert exits(place.get("https://none.test/")) == [NO_NAME]


def test_a_name_is_reset_and_others_at_that_address_work(place: Place):
    with censor.sni_reset(place.lab, "one.test"):
        seen = place.get("https://one.test/10k", "https://other.test/10k")

    assert exits(seen) == [RESET, DONE]
    assert works(place)


def test_a_name_is_dropped_and_others_at_that_address_work(place: Place):
    with censor.sni_black_hole(place.lab, "one.test"):
        seen = place.get("https://one.test/10k", "https://other.test/10k")

    assert exits(seen) == [TIMEOUT, DONE]
    assert works(place)


def test_an_address_is_dropped(place: Place):
    with censor.address_drop(place.lab, place.first):
        seen = place.get("https://one.test/10k", "https://two.test/10k")

    assert exits(seen) == [TIMEOUT, DONE]
    assert works(place)


def test_an_address_is_refused(place: Place):
    with censor.address_reset(place.lab, place.first):
        seen = place.get("https://one.test/10k", "https://two.test/10k")

    assert exits(seen) == [REFUSED, DONE]
    assert works(place)


def test_a_name_leads_elsewhere(place: Place):
    with censor.dns_poison(place.lab, "one.test", place.page):
        asked = place.lab.must("reader", "getent", "ahostsv4", "one.test")
        seen = place.get("http://one.test/10k", "https://two.test/10k")

    assert place.page.encode() in asked
    assert [each.size for each in seen] == [len("this page is not for you"), 10240]
    assert works(place)


def test_a_name_is_denied(place: Place):
    with censor.dns_nxdomain(place.lab, "one.test"):
        seen = place.get("https://one.test/10k", "https://two.test/10k")

    assert exits(seen) == [NO_NAME, DONE]
    assert works(place)


def test_a_connection_freezes_after_16_kilobytes(place: Place):
    with censor.curtain(place.lab):
        [small] = place.get("https://one.test/10k")
        [large] = place.get("https://one.test/40k")
        apart = place.get("https://one.test/11k", "https://one.test/11k")
        together = place.get("https://two.test/11k", "https://two.test/11k")

    assert (small.exit, small.size) == (DONE, 10240)
    assert large.exit == TIMEOUT
    assert 0 < large.size < censor.CURTAIN
    assert exits(apart) == [DONE, DONE]
    assert exits(together) == [DONE, TIMEOUT]
    assert works(place)


def test_all_is_slow(place: Place):
    with censor.throttle(place.lab):
        small, large = place.get("https://one.test/10k", "https://one.test/40k", wait_s=SLOW_S)

    assert exits([small, large]) == [DONE, DONE]
    assert small.seconds > 0.3
    assert large.seconds > 1.5
    assert works(place)


def test_packets_are_lost_and_sent_again(place: Place):
    with censor.loss(place.lab):
        # A question for the name is sent twice, and both are lost one time in 28.
        tries = (place.get(*3 * ["https://one.test/40k"], wait_s=SLOW_S) for _ in range(4))
        seen = next(each for each in tries if NO_NAME not in exits(each))
        rule = place.lab.must("censor", "nft", "list", "ruleset").decode()
    [lost] = re.findall(r"counter packets (\d+)", rule)

    assert exits(seen) == [DONE, DONE, DONE]
    assert int(lost) > 0
    assert works(place)


def test_many_connections_at_once_are_reset_and_one_after_another_pass(place: Place):
    with censor.handshake_policing(place.lab):
        alone = place.get(*6 * ["https://one.test/10k"])
        # So slow that those which are let through are still open when the others come.
        at_once = at_the_same_time(place, 8 * ["https://one.test/900k"], rate="20k")
        apart = place.get("https://one.test/10k", "https://two.test/10k")

    assert exits(alone) == 6 * [DONE]
    assert sorted(at_once) == 3 * [TIMEOUT] + 5 * [RESET]
    assert exits(apart) == [DONE, DONE]
    assert works(place)


def at_the_same_time(place: Place, urls: list[str], *, rate: str) -> list[int]:
    """Fetch over connections of their own; return what curl ends with for each."""
    many = ("--parallel", "--parallel-immediate", "--parallel-max", len(urls))
    told = ("--silent", "--http1.1", "--cacert", place.lab.ca, "--max-time", 2 * WAIT_S)
    shown = ("--limit-rate", rate, "--write-out", "%{exitcode}\n")
    words = [word for url in urls for word in ("--output", "/dev/null", url)]
    made = place.lab.run("reader", "curl", *told, *many, *shown, *words)
    return [int(word) for word in made.stdout.split()]


def test_all_but_one_address_is_dropped(place: Place):
    with censor.allow_list(place.lab, place.second):
        seen = place.get("https://one.test/10k", "https://two.test/10k")

    assert exits(seen) == [TIMEOUT, DONE]
    assert works(place)


def test_another_server_answers_with_200(place: Place):
    with censor.block_page(place.lab, place.first, by=place.page):
        plain, safe = place.get("http://one.test/10k", "https://one.test/10k")
        [fooled] = place.get("https://one.test/10k", how="--insecure")

    assert (plain.status, plain.size) == (200, len("this page is not for you"))
    assert safe.exit != DONE  # the certificate is another's; a signature tells the rest
    assert (fooled.status, fooled.size) == (200, plain.size)
    assert works(place)


def test_only_names_can_be_asked_for(place: Place):
    with censor.only_dns(place.lab):
        asked = place.lab.must("reader", "getent", "ahostsv4", "one.test")
        seen = place.get("https://one.test/10k")

    assert place.first.encode() in asked
    assert exits(seen) == [TIMEOUT]
    assert works(place)
