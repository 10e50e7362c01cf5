"""Feeds with every payload of `xss` in one of their fields; named by the field."""

import json
from html import escape

from hostile import feeds, xss

PAYLOADS = xss.markup()
WORDS = [*xss.ELEMENTS.values(), *xss.MUTATIONS.values(), *xss.TEXTS.values()]


def _each(template: str, payloads: list[str]) -> bytes:
    """Return a feed with an item for each payload, written into `template` and escaped once."""
    return feeds.rss(
        *(
            f"<item><guid>{number}</guid><link>https://news.example/{number}</link>"
            + template.format(escape(payload.replace("\0", "")), number=number)
            + "</item>"
            for number, payload in enumerate(payloads)
        )
    )


def _full(payload: str) -> str:
    return payload + feeds.TEXT


def title() -> bytes:
    return _each("<title>{}</title>", WORDS)


def title_as_character_data() -> bytes:
    parts = (
        f"<item><guid>{n}</guid><title><![CDATA[{w}]]></title></item>" for n, w in enumerate(WORDS)
    )
    return feeds.rss(*parts)


def title_as_markup() -> bytes:
    return feeds.rss(
        *(f"<item><guid>{n}</guid><title>{w}</title></item>" for n, w in enumerate(WORDS))
    )


def author() -> bytes:
    return _each(
        "<title>Story {number}</title><author>{0}</author><dc:creator>{0}</dc:creator>", WORDS
    )


def guid() -> bytes:
    return _each(
        '<guid isPermaLink="true">{0}</guid><title>x</title>', [*WORDS, *xss.LINKS.values()]
    )


def link() -> bytes:
    texts = [*xss.LINKS.values(), *xss.TEXTS.values()]
    return _each("<link>{}</link><title>Story {number}</title><description>x</description>", texts)


def summary() -> bytes:
    return _each(
        "<title>Story {number}</title><description>{}</description>", list(PAYLOADS.values())
    )


def content() -> bytes:
    texts = list(map(_full, PAYLOADS.values()))
    return _each("<title>Story {number}</title><content:encoded>{}</content:encoded>", texts)


def content_before_text() -> bytes:
    """Return the payloads one after the other in one body: what one leaves open, the next meets."""
    return feeds.body("\n".join(PAYLOADS.values()))


def content_inside_everything() -> bytes:
    around = (
        "<figure><img src=/a.jpg><figcaption>{}</figcaption><span class=credit>{}</span></figure>",
        "<table><caption>{}</caption><tr><th>{}<td>{}</table>",
        "<ul><li>{}<li><ol><li>{}</ol></ul><dl><dt>{}<dd>{}</dl>",
        "<blockquote>{}</blockquote><pre>{}</pre><h2>{}</h2><q>{}</q>",
        "<a href=https://a.example/>{}</a><ruby>{}<rt>{}</ruby><abbr title=x>{}</abbr>",
    )
    texts = [
        _full(around[number % len(around)].replace("{}", payload))
        for number, payload in enumerate(PAYLOADS.values())
    ]
    return _each("<title>Story {number}</title><content:encoded>{}</content:encoded>", texts)


def content_as_attributes() -> bytes:
    inside = (
        '<img src="/{n}.jpg" alt="three words {p}" title="{p}">'
        '<abbr title="{p}">x</abbr><p lang="{p}" dir="{p}" id="{p}" class="{p}">y</p>'
        '<iframe src="https://a.example/" title="{p}"></iframe><a href="#{p}" name="{p}">z</a>'
        '<ol start="{p}"><li id="{p}">q</ol><table><tr><td colspan="{p}">r<td>s</table>'
    )
    texts = [_full(inside.format(n=n, p=escape(text))) for n, text in enumerate(WORDS)]
    return _each("<title>Story {number}</title><content:encoded>{}</content:encoded>", texts)


def content_escaped_twice() -> bytes:
    texts = [_full(escape(payload)) for payload in PAYLOADS.values()]
    return _each("<title>Story {number}</title><content:encoded>{}</content:encoded>", texts)


def content_as_xhtml() -> bytes:
    return feeds.rss(
        *(
            f"<item><guid>{n}</guid><title>Story {n}</title><a:content type='xhtml'><div xmlns="
            f"'http://www.w3.org/1999/xhtml'>{payload}{feeds.TEXT}</div></a:content></item>"
            for n, payload in enumerate(PAYLOADS.values())
        )
    )


def category() -> bytes:
    return _each("<title>Story {number}</title><category domain='{0}'>{0}</category>", WORDS)


def enclosure() -> bytes:
    texts = [*xss.LINKS.values(), *WORDS]
    return _each(
        "<title>Story {number}</title><enclosure url='{0}' type='image/jpeg' length='{0}'/>"
        "<media:content url='{0}' medium='image'><media:credit>{0}</media:credit>"
        "<media:description>{0}</media:description></media:content><itunes:image href='{0}'/>",
        texts,
    )


def language() -> bytes:
    return b"".join(
        (
            feeds.rss("<language>" + escape(xss.ATTRIBUTES["lang"]) + "</language>")[
                : -len(feeds.END)
            ],
            _each("<title>Story {number}</title><dc:language>{}</dc:language>", WORDS),
        )
    )


def dates() -> bytes:
    return _each("<title>Story {number}</title><pubDate>{0}</pubDate><dc:date>{0}</dc:date>", WORDS)


def channel() -> bytes:
    return feeds.rss(
        *(
            f"<title>{escape(w)}</title><link>{escape(w)}</link><description>{escape(w)}</description>"
            for w in WORDS
            if "\0" not in w
        ),
        feeds.item(1),
    )


def json_feed() -> bytes:
    """Return a JSON Feed with every payload in every field of an item."""
    return json.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": xss.ELEMENTS["script"],
            "home_page_url": xss.LINKS["plain"],
            "language": xss.ATTRIBUTES["lang"],
            "items": [
                {
                    "id": f"{number} {payload}",
                    "url": payload if number % 2 else f"https://news.example/{number}",
                    "title": payload,
                    "content_html": _full(payload),
                    "summary": payload,
                    "image": payload,
                    "date_published": payload,
                    "authors": [{"name": payload, "url": payload}],
                    "tags": [payload],
                    "attachments": [{"url": payload, "mime_type": "image/jpeg"}],
                    "language": payload,
                }
                for number, payload in enumerate(PAYLOADS.values())
            ],
        }
    ).encode()


def partner() -> bytes:
    """Return a feed in plain XML, as a partner might send it, with payloads in every field."""
    return (
        feeds.PROLOG
        + "<export>"
        + "".join(
            f"<story code='{n}'><head>{w}</head><url>{w if n % 3 == 0 else f'https://news.example/{n}'}"
            f"</url><text>{w}{escape(feeds.TEXT)}</text><by>{w}</by><day>{w}</day><topic>{w}</topic>"
            f"<image src='{w}'/></story>"
            for n, w in (
                (n, escape(w.replace(chr(0), ""))) for n, w in enumerate(PAYLOADS.values())
            )
        )
        + "</export>"
    ).encode("utf-8", "surrogatepass")
