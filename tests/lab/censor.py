"""What a censor does, one function each: the rule holds for the block, and is gone after it."""

import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab.world import CENSOR, RESOLVER, Lab, dnsmasq

CURTAIN = 16 * 1024  # bytes of one connection's answers that pass
LYING_PORT = 5353
POLICE_PORT = 4433
_HOOKS = {
    "forward": "type filter hook forward priority 0",
    "prerouting": "type nat hook prerouting priority -100",
}


@contextmanager
def rules(lab: Lab, hook: str, *lines: str) -> Iterator[None]:
    """Have nftables apply `lines` to what passes."""
    table = f"lab{secrets.token_hex(4)}"  # of its own: several may hold at once
    chain = "".join(f"    {line}\n" for line in (f"{_HOOKS[hook]};", *lines))
    told = f"table ip {table} {{\n  chain {hook} {{\n{chain}  }}\n}}\n"
    lab.must("censor", "nft", "-f", "-", told=told)
    try:
        yield
    finally:
        lab.must("censor", "nft", "delete", "table", "ip", table)


@contextmanager
def _in_forward(lab: Lab, *words: object) -> Iterator[None]:
    lab.must("censor", "iptables", "-I", "FORWARD", *words)
    try:
        yield
    finally:
        lab.must("censor", "iptables", "-D", "FORWARD", *words)


def _naming(name: str) -> tuple[str, ...]:
    """Match the first packet of TLS, which says in clear whom it is for."""
    return ("-p", "tcp", "--dport", "443", "-m", "string", "--string", name, "--algo", "bm")


@contextmanager
def sni_reset(lab: Lab, name: str) -> Iterator[None]:
    """Reset connections to a name; others at that address go on."""
    with _in_forward(lab, *_naming(name), "-j", "REJECT", "--reject-with", "tcp-reset"):
        yield


@contextmanager
def sni_black_hole(lab: Lab, name: str) -> Iterator[None]:
    """Drop what names a name: the handshake is never answered."""
    with _in_forward(lab, *_naming(name), "-j", "DROP"):
        yield


@contextmanager
def address_drop(lab: Lab, *addresses: str) -> Iterator[None]:
    """Drop all to some addresses."""
    with rules(lab, "forward", f"ip daddr {{ {', '.join(addresses)} }} drop;"):
        yield


@contextmanager
def address_reset(lab: Lab, *addresses: str) -> Iterator[None]:
    """Refuse connections to some addresses."""
    to = f"ip daddr {{ {', '.join(addresses)} }}"
    with rules(lab, "forward", f"{to} meta l4proto tcp reject with tcp reset;"):
        yield


@contextmanager
def dns_poison(lab: Lab, name: str, address: str) -> Iterator[None]:
    """Answer a name with another address, whichever resolver is asked."""
    with _lying(lab, name, f"--address=/{name}/{address}"):
        yield


@contextmanager
def dns_nxdomain(lab: Lab, name: str) -> Iterator[None]:
    """Answer that there is no such name, whichever resolver is asked."""
    with _lying(lab, name, f"--address=/{name}/"):
        yield


@contextmanager
def _lying(lab: Lab, name: str, lie: str) -> Iterator[None]:
    here = CENSOR["c0"]
    truth = lab.folder / "truth"
    lines = (f"{address} {each}\n" for each, address in lab.hosts.items() if each != name)
    truth.write_text("".join(lines))
    told = (lie, f"--addn-hosts={truth}")
    process = lab.start("censor", *dnsmasq(here, *told, port=LYING_PORT))
    try:
        lab.wait_for("censor", here, LYING_PORT)
        with rules(lab, "prerouting", f"udp dport 53 redirect to :{LYING_PORT};"):
            yield
    finally:
        lab.stop(process)


@contextmanager
def curtain(lab: Lab, size: int = CURTAIN) -> Iterator[None]:
    """Let so many bytes of answers through on each connection, and then nothing more."""
    with rules(lab, "forward", f"meta l4proto tcp ct reply bytes > {size} drop;"):
        yield


@contextmanager
def throttle(lab: Lab, rate: str = "128kbit") -> Iterator[None]:
    """Slow down all that goes to the reader."""
    shape = ("tbf", "rate", rate, "burst", "4kb", "latency", "400ms")
    lab.must("censor", "tc", "qdisc", "add", "dev", "c0", "root", *shape)
    try:
        yield
    finally:
        lab.must("censor", "tc", "qdisc", "del", "dev", "c0", "root")


@contextmanager
def loss(lab: Lab, percent: int = 10) -> Iterator[None]:
    """Drop packets by chance, both ways."""
    with rules(lab, "forward", f"numgen random mod 100 < {percent} counter drop;"):
        yield


@contextmanager
def handshake_policing(lab: Lab, most: int = 3) -> Iterator[None]:
    """Reset connections to a name of which `most` are open already."""
    program = Path(__file__).with_name("police.py")
    process = lab.start("censor", sys.executable, "-I", program, POLICE_PORT, most)
    try:
        lab.wait_for("censor", "0.0.0.0", POLICE_PORT)
        with rules(lab, "prerouting", f'iifname "c0" tcp dport 443 redirect to :{POLICE_PORT};'):
            yield
    finally:
        lab.stop(process)


@contextmanager
def allow_list(lab: Lab, *addresses: str) -> Iterator[None]:
    """Drop all but what goes to some addresses, and to the resolver."""
    allowed = ", ".join((*addresses, RESOLVER))
    with rules(lab, "forward", f"ip daddr != {{ {allowed} }} ct direction original drop;"):
        yield


@contextmanager
def block_page(lab: Lab, address: str, by: str) -> Iterator[None]:
    """Have the server at `by` answer in the name of the one at `address`."""
    with rules(lab, "prerouting", f"ip daddr {address} tcp dport {{ 80, 443 }} dnat to {by};"):
        yield


@contextmanager
def only_dns(lab: Lab) -> Iterator[None]:
    """Drop all but questions to one resolver."""
    with ExitStack() as stack:
        asked = f"ip daddr {RESOLVER} udp dport 53 accept;"
        answered = f"ip saddr {RESOLVER} udp sport 53 accept;"
        stack.enter_context(rules(lab, "forward", asked, answered, "drop;"))
        yield
