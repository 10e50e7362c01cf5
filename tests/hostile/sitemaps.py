"""Hostile sitemaps, each named by its defect."""

import gzip
import zlib
from html import escape

from hostile import xss
from hostile.feeds import PROLOG, billion_laughs

_SET = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">'


def _urls(*parts: str) -> bytes:
    return (PROLOG + _SET + "".join(parts) + "</urlset>").encode("utf-8", "surrogatepass")


def every_payload() -> bytes:
    return _urls(
        *(
            f"<url><loc>{text}</loc><lastmod>{text}</lastmod><news:news><news:title>{text}</news:title>"
            f"<news:keywords>{text}</news:keywords></news:news></url>"
            for text in (escape(text.replace("\0", "")) for text in xss.markup().values())
        )
    )


def every_address() -> bytes:
    return _urls(
        *(f"<url><loc>{escape(url)}</loc></url>" for url in xss.LINKS.values() if "\0" not in url)
    )


def bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(packer.compress(b"<url/>" * 100_000) for _ in range(500)), packer.flush()])


def bombs_in_a_row() -> bytes:
    return gzip.compress(b"<url>") * 200_000


def bomb_cut() -> bytes:
    return bomb()[:-9]


def entities() -> bytes:
    return billion_laughs()


def addresses() -> bytes:
    return _urls(*(f"<url><loc>https://a.example/{n}</loc></url>" for n in range(120_000)))


def words_about_every_page() -> bytes:
    return _urls(*(_about(n, *(f"{n + m:x}" for m in range(6))) for n in range(50_000)))


def _about(number: int, *words: str) -> str:
    news = f"<news:news><news:keywords>{','.join(words)}</news:keywords></news:news>"
    return f"<url><loc>https://a.example/{number}</loc>{news}</url>"


def index_of_indexes() -> bytes:
    every = "<sitemap><loc>https://a.example/</loc></sitemap>" * 90_000
    return f"{PROLOG}<sitemapindex>{every}</sitemapindex>".encode()


def nested() -> bytes:
    return _urls("<url>" * 300_000)


def dates() -> bytes:
    return _urls(
        *(
            f"<url><loc>https://a.example/{n}</loc><lastmod>{'9' * 5000}</lastmod></url>"
            for n in range(1500)
        )
    )
