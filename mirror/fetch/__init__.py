"""HTTP GET for hostile servers: no private address, no unbounded body, no endless answer."""

from mirror.fetch.answers import Fetched, Unchanged, Validators
from mirror.fetch.client import USER_AGENT, Fetcher
from mirror.fetch.proxy import Proxy
from mirror.fetch.secret import Secret

__all__ = ["USER_AGENT", "Fetched", "Fetcher", "Proxy", "Secret", "Unchanged", "Validators"]
