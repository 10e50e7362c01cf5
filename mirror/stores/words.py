"""What places say, fit to be shown: without the secrets they were sent, on one short line."""

import base64
import html
import json
import re
from collections.abc import Collection, Iterator
from urllib.parse import quote, quote_plus

MAX_DETAIL = 300  # characters: a server's answer may be a whole page
_HIDDEN = "…"
_TAG = re.compile(r"<[^<>]{0,200}>")


def without(words: str, secrets: Collection[str]) -> str:
    """Return `words` on one line, short, and with nothing of the `secrets` in it."""
    bare = _TAG.sub(" ", redacted(words, secrets))  # many servers answer with a page
    shown = "".join(c if c.isprintable() else " " for c in bare)
    return " ".join(shown.split())[:MAX_DETAIL]


def redacted(words: str, secrets: Collection[str]) -> str:
    """Return `words` with nothing of the `secrets` in it."""
    for secret in sorted(secrets, key=len, reverse=True):  # one may hold another
        words = words.replace(secret, _HIDDEN)
    return words


def forms(secret: str, *, user: str = "") -> Iterator[str]:
    """Yield the ways in which a program or a server may write `secret`, if it is one."""
    for word in {secret, *secret.splitlines()} - {""}:
        yield word
        yield from (quote(word, safe=safe) for safe in ("", "/", "$&+,/:;=@", "$&+,;="))
        yield quote_plus(word)
        yield html.escape(word)
        yield from (json.dumps(word, ensure_ascii=plain)[1:-1] for plain in (True, False))
        yield from (base64.b64encode(each.encode()).decode() for each in (word, f"{user}:{word}"))
