"""A header by which one newsroom knows this mirror, and which nobody else may see."""

import re
from dataclasses import dataclass, field

from yarl import URL

from mirror.guard import is_loopback, is_onion

NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")  # RFC 9110 section 5.6.2
# What the fetcher or the connection says itself; a second one makes another request of it.
TAKEN = re.compile(
    r"accept|accept-encoding|connection|content-length|expect|host|if-modified-since|if-none-match"
    r"|proxy-.*|te|trailer|transfer-encoding|upgrade|user-agent",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Secret:
    """The header `name: value`, agreed with a newsroom, is for exactly these hosts."""

    name: str
    value: str = field(repr=False)
    hosts: frozenset[str]
    """Each a host, for all its ports, or a host and port, as an address writes them."""

    def __post_init__(self) -> None:
        """Refuse what no request can carry, without telling it.

        Raises:
            ValueError: the name is none or taken, or the value is not printable ASCII.
        """
        if not NAME.fullmatch(self.name) or TAKEN.fullmatch(self.name):
            raise ValueError("secret: the name of a header was expected, and not one in use")
        if not (self.value.isascii() and self.value.isprintable() and self.value.strip()):
            raise ValueError("secret: a value of printable ASCII was expected")

    def is_for(self, url: URL, *, exempt: bool) -> bool:
        """Say whether `url` may be asked with it.

        Over plain http anyone on the way could read it: not sent, unless the operator
        named the host (`exempt`), or no way lies between.
        """
        if not any(_is_at(url, host) for host in self.hosts):
            return False
        host = url.raw_host or ""
        return url.scheme == "https" or exempt or is_loopback(host) or is_onion(host)

    def hidden(self, message: str) -> str:
        """Return `message` without the value, which a server may have sent back."""
        return re.sub(re.escape(self.value), "[secret]", message, flags=re.IGNORECASE)


def _is_at(url: URL, host: str) -> bool:
    try:
        meant = URL(f"http://{host}")
    except ValueError:
        return False
    return meant.raw_host == url.raw_host and meant.explicit_port in (None, url.port)
