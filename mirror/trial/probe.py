"""The files that a place is tried with: one of each kind, under paths that nobody can guess."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from mirror.formats.paths import ID_SIZE, article_folder

WORDS = 2600  # some 20 kB, and 5 kB compressed: as a long article, on both sides of the curtain
_VOCABULARY = 300
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True, slots=True)
class Probe:
    """What is there, byte for byte, and what must not be."""

    files: Mapping[str, bytes]
    page: str
    missing: str
    other_case: str
    """Where a place that ignores case shows the page."""
    head: str = ""
    """Of `files`, the one that is overwritten; "" for none."""
    later: bytes = b""
    """What it is overwritten with."""


def make_probe(noise: bytes) -> Probe:
    """Return the probe that 32 random bytes make."""
    folder = article_folder(_short(noise, "probe"))
    page = f"{folder}/1.html"
    picture = b"RIFF\x00\x23\x00\x00WEBPVP8 " + _bytes(noise, "picture", 9000)
    signed = base64.b64encode(_bytes(noise, "signature", 64)) + b"\n"
    files = {
        page: _page(noise, "page"),
        f"{page}.minisig": b"untrusted comment: -\n" + signed,
        f"{page}.sig": b"-----BEGIN SSH SIGNATURE-----\n" + signed,
        f"{folder}/{hashlib.sha256(picture).hexdigest()}.webp": picture,
        f"{folder}/000.p/7": _bytes(noise, "tile", 7 * 32),
        f"index/{hashlib.sha256(noise).hexdigest()}.json": b'{"v":1,"items":[]}' + b" " * 300,
        f"{page}.tlog-proof": b"c2sp.org/tlog-proof@v1\n" + signed,
        f"{folder}/checkpoint": b"probe\n1\n" + signed,
        f"{folder}/index.html": _page(noise, "head"),
    }
    head = f"{folder}/index.html"
    upper = f"{folder.upper()}/1.html"
    return Probe(files, page, nowhere(noise), upper, head, _page(noise, "later"))


def nowhere(noise: bytes) -> str:
    """Return the path of an article that was never there."""
    return f"{article_folder(_short(noise, 'missing'))}/1.html"


def _short(noise: bytes, use: str) -> str:
    return base64.b32encode(_bytes(noise, use, 13)).decode().lower()[:ID_SIZE]


def _bytes(noise: bytes, use: str, size: int) -> bytes:
    return hashlib.shake_256(use.encode() + noise).digest(size)


def _page(noise: bytes, use: str) -> bytes:
    """Return a page with what services that improve pages like to alter."""
    known = [_bytes(noise, f"word {n}", 3).hex()[: 3 + n % 4] for n in range(_VOCABULARY)]
    order = _bytes(noise, use, 2 * WORDS)
    picked = [
        known[int.from_bytes(order[at : at + 2]) % _VOCABULARY] for at in range(0, 2 * WORDS, 2)
    ]
    text = "\n".join(f"<p>  {' '.join(picked[at : at + 100])}  </p>" for at in range(0, WORDS, 100))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{known[0]}</title><style>p {{ color: #333333; }}</style></head>\n<body>\n"
        f'<!-- {known[1]} -->\n<a href="mailto:a@example.org">a@example.org</a>\n'
        f'<a href="http://example.org/">{known[2]}</a>\n{text}\n</body></html>\n'
    ).encode()
