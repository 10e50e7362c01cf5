"""From one address to the next: what a redirect leads to, and whether that is for good."""

from dataclasses import dataclass

import aiohttp
from yarl import URL

from mirror import guard
from mirror.fetch.words import FailedError

MAX_HOPS = 5  # more is a loop: real feeds need one or two

REDIRECTS = frozenset({301, 302, 303, 307, 308})
PERMANENT = frozenset({301, 308})


@dataclass(frozen=True, slots=True)
class Hop:
    """An address to be asked, and how it came to that."""

    url: URL
    moved: bool = False
    """Redirects led here, and all were permanent."""
    first: bool = True
    trusted: bool = True
    """The chain has not left the hosts of the secret."""

    def after(self, response: aiohttp.ClientResponse, *, trusted: bool) -> "Hop":
        """Return where a redirect leads.

        Raises:
            FailedError: nowhere, or from https to http.
        """
        permanent = response.status in PERMANENT and (self.first or self.moved)
        return Hop(_target(self.url, response), moved=permanent, first=False, trusted=trusted)


def parse(text: str, base: URL | None = None) -> URL:
    """Return an address without its fragment.

    Raises:
        FailedError: it is none.
    """
    try:
        url = URL(text) if base is None else base.join(URL(text))
    except ValueError as e:
        raise FailedError("refused: not an address", kind="refused") from e
    return url.with_fragment(None)


def _target(url: URL, response: aiohttp.ClientResponse) -> URL:
    location = response.headers.get("Location")
    if location is None:
        raise FailedError(f"status {response.status}: a redirect to nowhere")
    to = parse(location, url)
    # An onion address is its server's key: there, http is encrypted as well.
    if url.scheme == "https" and to.scheme == "http" and not guard.is_onion(to.raw_host or ""):
        raise FailedError("refused: a redirect from https to http", kind="refused")
    return to
