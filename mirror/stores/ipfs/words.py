"""What a node says, or a proxy before it, without the secret that it was sent.

Either may repeat a header that it does not like, and errors stand in logs and the database.
"""

import base64
from collections.abc import Collection

from mirror.stores.words import forms, redacted, without

LEAST = 3  # characters: what is shorter stands in half of all words, and its gaps would tell it


def parts(authorization: str) -> frozenset[str]:
    """Return all that must not be shown of a header `Authorization`, in each way to write it."""
    scheme, _, rest = authorization.partition(" ")
    user, _, password = _login(rest).partition(":") if scheme.lower() == "basic" else ("", "", "")
    known = (authorization, rest or scheme, rest.rstrip("="), user, password)
    words = [each for each in known if len(each) >= LEAST]
    pair = [f"{user}:{password}"] if password else []
    return frozenset(form for each in [*words, *pair] for form in forms(each, user=user))


def last(words: str, hidden: Collection[str], *, count: int) -> str:
    """Return the end of `words` on one line; it is cut after the secret is gone, not amid it."""
    return without(redacted(words, hidden)[-count:], ())


def _login(encoded: str) -> str:
    try:
        return base64.b64decode(encoded).decode()
    except ValueError:
        return ""
