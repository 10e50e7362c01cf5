"""Feeds with hostile values: of fields, and texts that keep a search busy; named by defect."""

from collections.abc import Iterable
from html import escape

from hostile import xss
from hostile.feeds import MAX, MIB, TEXT, atom, body, in_item, item, rss


def same_guid() -> bytes:
    return rss(*(item(7) for _ in range(500)))


def no_names() -> bytes:
    return rss("<item><description>x</description></item>" * 500)


def a_title_of_a_megabyte() -> bytes:
    return in_item(f"<title>{'word ' * (MIB // 5)}</title>")


def a_title_without_spaces() -> bytes:
    return in_item(f"<title>{'x' * 7 * MIB}</title>")


def a_title_of_tags() -> bytes:
    return in_item(f"<title>{escape('<p>x' * 400_000)}</title>")


def a_title_of_open_comments() -> bytes:
    return in_item(f"<title>{escape('<!--' * 400_000)}</title>")


def a_title_of_entities() -> bytes:
    return in_item(f"<title>{escape('&amp;' * 400_000)}</title>")


def a_link_of_a_megabyte() -> bytes:
    return rss(item(1), item(2, link="https://news.example/" + "a/../" * (MIB // 5)))


def a_guid_of_a_megabyte() -> bytes:
    return in_item(f"<guid>{'g' * MIB}</guid>")


def authors() -> bytes:
    return in_item("".join(f"<dc:creator>Author {n}</dc:creator>" for n in range(60_000)))


def an_author_of_brackets() -> bytes:
    return in_item(f"<author>{'(' * MIB}a@b.example{')' * MIB}</author>")


def an_author_of_signs() -> bytes:
    return in_item(f"<author>{'a@' * MIB}</author><author>{'a.' * MIB}</author>")


def categories() -> bytes:
    return in_item("".join(f"<category>c{n}</category>" for n in range(90_000)))


def enclosures() -> bytes:
    return in_item('<enclosure url="https://a.example/1" length="-1" type="x"/>' * 90_000)


def media() -> bytes:
    one = (
        '<media:content url="https://a.example/1.jpg" width="9e999"><media:credit>x</media:credit>'
    )
    return in_item((one + "</media:content>") * 45_000)


def media_groups_nested() -> bytes:
    return in_item("<media:group>" * 90_000)


def contents() -> bytes:
    return in_item("<content:encoded>&lt;p&gt;x</content:encoded>" * 90_000)


def links_ofatom() -> bytes:
    return atom('<link rel="alternate" href="https://news.example/x"/>' * 90_000)


def a_polygon() -> bytes:
    return in_item(f"<georss:polygon>{'1.5 ' * (MAX // 4 - 2000)}</georss:polygon>")


def coordinates() -> bytes:
    return in_item(
        f"<gml:LineString><gml:posList>{'1,' * (MAX // 2 - 2000)}</gml:posList></gml:LineString>"
    )


def times_to_live() -> bytes:
    return rss("<ttl>" + "9" * 5000 + "</ttl><ttl>-1</ttl><ttl>1e999</ttl><ttl>١٢</ttl>", item(1))


def languages() -> bytes:
    hostile = escape('en"><script>')
    return rss(
        f"<language>{hostile}</language>", item(1), f'<item xml:lang="{hostile}">{TEXT}</item>'
    )


def bases_of_script() -> bytes:
    return (
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:base="javascript:{xss.ACT}//">'
        '<title>x</title><entry><title>y</title><link href="z"/><id>1</id>'
        f'<content type="html">{escape("<a href=q>r</a>" + TEXT)}</content></entry></feed>'
    ).encode()


def contents_of_other_types() -> bytes:
    kinds = (
        "image/svg+xml",
        "text/javascript",
        "application/xml",
        "multipart/x",
        "html",
        "\0",
        "text/plain",
    )
    return atom(
        "".join(
            f'<content type="{escape(kind)}" mode="base64" src="javascript:x">PHNjPg==</content>'
            for kind in kinds
            if kind != "\0"
        )
    )


def numbers() -> bytes:
    return in_item(
        "<itunes:duration>"
        + "9:" * MIB
        + "</itunes:duration><itunes:order>"
        + "9" * MIB
        + '</itunes:order><enclosure length="'
        + "9" * MIB
        + '" url="x"/>'
    )


# Text that keeps a search busy.


def a_tag_name_without_an_end() -> bytes:
    return body("<" + "a" * MIB)


def tag_names_without_spaces() -> bytes:
    return body("<a" * 45_000 + "x" * 3 * MIB)


def script_ends_without_brackets() -> bytes:
    return body("<script>" + "</script" * 200_000)


def line_breaks() -> bytes:
    return body("x" + "\n " * MIB)


def cut_marks() -> bytes:
    return body("x" + "… " * MIB)


def _dates() -> Iterable[str]:
    yield from ("Mon, " + "0" * 16_000, "0" * 16_000, "-" * 16_000, "1" + " " * 16_000 + "x")
    yield from (
        "Mon, 16 Nov 2026 " + ":" * 16_000,
        "2026-" * 4000,
        "T" * 16_000,
        "2026-11-16T" * 1500,
    )
    yield from ("0000-00-00", "2026-02-30T25:61:61Z", "9" * 5000, "-1", "2026-11-16T06:30:00+99:99")
    yield from (
        "99999-01-01",
        "١٦ نوفمبر ٢٠٢٦",
        "Mon, 16 Nov 99999999999 06:30:00 GMT",
        "1e999",
        "nan",
    )
    yield from ("16/11/" + "2" * 9000, "W" * 9000, "2026-W" + "0" * 9000, "2026-11-16" + "+" * 9000)
    yield from ("Thu Jan 01 00:00:00 " + "+" * 9000, "한" * 4000, "2026년 " * 2000, "Δευ, " * 2000)
    yield from (
        "január 1" * 900,
        "2004-07-13T" + "9" * 9000,
        "(" * 16_000,
        "Mon, (" * 2500,
        "\\" * 9000,
    )


def dates() -> bytes:
    every = list(_dates())
    kinds = ("pubDate", "dc:date", "a:updated", "a:published")
    return rss(
        *(
            item(n, f"<{kinds[n % 4]}>{escape(every[n // 4 % len(every)])}</{kinds[n % 4]}>")
            for n in range(4 * len(every))
        )
    )


def dates_of_megabytes() -> bytes:
    return rss(
        *(
            item(n, f"<pubDate>{start}{unit * (MIB // len(unit))}</pubDate>")
            for n, (start, unit) in enumerate(
                (
                    ("Mon, ", "0"),
                    ("", "1-"),
                    ("2026-11-16T", "0:"),
                    ("", " "),
                    ("", "Mon, "),
                    ("2", "٢"),
                )
            )
        )
    )
