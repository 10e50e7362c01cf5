"""Hostile pages, each named by its defect; the article in them is honest where there is one."""

import json
import random

from hostile import xss

MIB = 1 << 20
MAX = 5 * MIB - 2000
PARAGRAPH = (
    "The harbour office counted the boats again on Tuesday and found one more than the week "
    "before, which nobody on the quay would own to having brought there by night. "
)
TEXT = "".join(f"<p>{number}. {PARAGRAPH}</p>" for number in range(1, 9))


def page(inside: str = TEXT, *, head: str = "", before: str = "", after: str = "") -> bytes:
    """Return a page with the article `inside`."""
    return (
        f'<!doctype html><html lang="en"><head><title>Boats</title>{head}</head><body>'
        f"{before}<main><article><h1>Boats</h1>{inside}</article></main>{after}</body></html>"
    ).encode("utf-8", "surrogatepass")


def _linked(value: str) -> str:
    return f'<script type="application/ld+json">{value}</script>'


def every_payload() -> bytes:
    return page("".join(f"<p>{PARAGRAPH}</p>{text}" for text in xss.markup().values()))


def every_payload_in_the_head() -> bytes:
    return page(head="".join(xss.ELEMENTS.values()) + "".join(xss.MUTATIONS.values()))


def every_payload_in_the_title() -> bytes:
    every = "".join(xss.markup().values()).replace('"', "&quot;")
    return page(
        head=f'<meta property="og:title" content="{every}"><meta name=author content="{every}">'
    )


def every_payload_in_linked_data() -> bytes:
    texts = list(xss.markup().values())
    article = {
        "@type": "NewsArticle",
        "headline": texts[0],
        "author": [{"name": text} for text in texts],
        "datePublished": texts[1],
        "image": texts,
        "url": texts[-1],
    }
    return page(head=_linked(json.dumps(article).replace("</", "<\\/")))


def linked_data_that_ends_its_script() -> bytes:
    return page(head=_linked('{"@type":"Article","headline":"</script><script>' + xss.ACT + '"}'))


def linked_data_nested() -> bytes:
    return page(head=_linked("[" * 240_000 + "]" * 240_000))


def linked_data_nested_in_objects() -> bytes:
    return page(head=_linked('{"@graph":' * 40_000 + "1" + "}" * 40_000))


def linked_data_nested_almost_too_deep() -> bytes:
    def deep(depth: int) -> str:
        value = "[" * depth + "]" * depth
        return _linked('{"@type":"Article","isAccessibleForFree":' + value + "}")

    return page(head="".join(map(deep, range(800, 1000, 2))))


def linked_data_of_a_million_nodes() -> bytes:
    return page(head=_linked("[" + "{}," * 160_000 + "{}]") * 10)


def linked_data_of_keys() -> bytes:
    keys = ",".join('"a":1' for _ in range(80_000))
    return page(head=_linked('{"@type":"Article",' + keys + "}") * 9)


def linked_data_of_names() -> bytes:
    names = ",".join(f'"n{n}"' for n in range(55_000))
    return page(head=_linked('{"@type":"Article","author":[' + names + "]}") * 9)


def linked_data_of_numbers() -> bytes:
    numbers = ('"@type":["Article",1,null]', '"headline":[[1]]', '"author":{"name":{"x":1}}')
    more = (
        '"datePublished":1e999',
        '"isAccessibleForFree":' + "9" * 4000,
        '"image":-' + "9" * 9000,
    )
    return page(
        head=_linked("{" + ",".join(numbers + more) + "}") + _linked("NaN") + _linked("[Infinity]")
    )


def linked_data_of_escapes() -> bytes:
    words = '"\\ud800\\udfff\\u0000\\u202e\\uffff"'
    return page(head=_linked('{"@type":"Article","headline":' + words + ',"author":' + words + "}"))


def linked_data_with_parents() -> bytes:
    names = ("__proto__", "@context", "constructor", "@reverse", "@id")
    return page(head=_linked("{" + ",".join(f'"{n}":{{"@type":"Article"}}' for n in names) + "}"))


def descriptions() -> bytes:
    return page(head="".join(f'<meta property="og:title" content="{n}">' for n in range(25_000)))


def a_description_of_four_megabytes() -> bytes:
    return page(head=f'<meta property="og:title" content="{"&amp;lt;" * 500_000}">')


def titles() -> bytes:
    return page(head="<title>x</title>" * 12_000, before="<h1>y</h1>" * 2000)


def a_title_of_four_megabytes() -> bytes:
    return page(head=f"<title>{'word ' * 800_000}</title>")


def links_in_the_head() -> bytes:
    return page(head='<link rel="alternate" href="x">' * 25_000)


def five_megabytes() -> bytes:
    chance = random.Random(3)
    words = [f"{chance.randrange(10**9):x}" for _ in range(5000)]
    text = "".join(f"<p>{' '.join(chance.choices(words, k=300))}</p>" for _ in range(1900))
    return page(text[:MAX])


def one_paragraph() -> bytes:
    chance = random.Random(4)
    return page(f"<p>{' '.join(f'{chance.randrange(10**9):x}' for _ in range(500_000))}</p>")


def one_word() -> bytes:
    return page(f"<p>{'x' * 4_900_000}</p>" + TEXT)


def chinese() -> bytes:
    return page("".join(f"<p>{'汉字新闻' * 400}。</p>" for _ in range(1000)))


def one_emoji_makes_every_copy_wide() -> bytes:
    return page(TEXT + f"<p>👩{'word ' * 800_000}</p>")


def the_same_paragraph() -> bytes:
    return page(TEXT * 700)


def thirty_thousand_tags() -> bytes:
    return page("".join(f"<p>{n} {PARAGRAPH}" for n in range(14_000)))


def thirty_thousand_links() -> bytes:
    return page(TEXT + "".join(f'<p><a href="/{n}">Read also {n}</a>' for n in range(14_000)))


def thirty_thousand_divisions() -> bytes:
    return page(TEXT + ("<div>" * 100 + "x" + "</div>" * 100) * 149)


def thirty_thousand_empty_paragraphs() -> bytes:
    return page(TEXT + "<p></p>" * 14_900)


def thirty_thousand_words_in_bold() -> bytes:
    return page("<p>" + "<b>word</b> " * 14_900)


def comments() -> bytes:
    return page(TEXT + "<!---->" * 29_000)


def a_comment_of_four_megabytes() -> bytes:
    return page(TEXT + f"<!--{'- ' * 2_200_000}-->")


def comments_never_closed() -> bytes:
    return page("<!--" * 29_000 + TEXT)


def frames() -> bytes:
    return (
        b"<html><frameset cols=50%><frame src=x><noframes>" + TEXT.encode() + b"</frameset></html>"
    )


def plain_text_at_once() -> bytes:
    return b"<plaintext>" + TEXT.encode() * 100


def no_element() -> bytes:
    return b"\0" * 100_000


def nothing_closed() -> bytes:
    return ("<html><body><main><article>" + TEXT.replace("</p>", "<b><i><a href=x>") * 50).encode()


def bodies() -> bytes:
    return page(TEXT + "<html><head><title>x</title></head><body><main><article>" * 4000)


def a_base_in_the_head() -> bytes:
    return page(TEXT + '<p><a href="x">y</a>', head=f'<base href="javascript:{xss.ACT}//">')


def refreshing() -> bytes:
    return page(head=xss.ELEMENTS["meta_refresh"] + xss.ELEMENTS["meta_refresh_javascript"])


def hidden_everything() -> bytes:
    return page('<div style="display:none">' + TEXT + "</div>")


def dates() -> bytes:
    texts = (
        "9" * 5000,
        "2026-11-16T" * 5000,
        "-" * MIB,
        "16." * 100_000,
        "\0",
        "2026-02-30",
        "nov " * 9000,
    )
    return page(
        "".join(f"<p><time datetime='{text}'>{text}</time>" for text in texts) + TEXT,
        head="".join(
            f"<meta property='article:published_time' content='{text}'>" for text in texts
        ),
    )


def dates_in_addresses() -> bytes:
    return page(TEXT + "".join(f'<a href="/2026/11/16/{"1" * 500}/{n}">x</a>' for n in range(3000)))


def copyright_lines() -> bytes:
    return page(TEXT, after="<p>© " + "2" * 900_000 + "</p><p>Copyright " + "20" * 400_000 + "</p>")


def white_space() -> bytes:
    return page(TEXT + "<p>x" + " \t\n" * 1_500_000 + "y</p>")


def no_break_spaces() -> bytes:
    return page(TEXT + "<p>x" + "\u00a0" * 1_500_000 + "y</p>")


def utf_16() -> bytes:
    return page(xss.ELEMENTS["script"] + TEXT).decode().encode("utf-16")


def utf_16_of_half_a_character() -> bytes:
    return page().decode().encode("utf-16-le")[:-1]


def utf_7() -> bytes:
    return page(
        "+ADw-script+AD4-" + xss.ACT + "+ADw-/script+AD4-" + TEXT, head="<meta charset=utf-7>"
    )


def hz() -> bytes:
    return page(f"~{{<script>{xss.ACT}</script>~}}" + TEXT, head="<meta charset=hz-gb-2312>")


def iso_2022() -> bytes:
    text = page(TEXT, head="<meta charset=iso-2022-jp>")
    return text.replace(b"<h1>", b"\x1b$B<script>" + xss.ACT.encode() + b"\x1b(B\xff<h1>")


def windows_1252_marks() -> bytes:
    return page(TEXT).replace(b"boats", b"\x81\x8d\x8f\x90\x9dboats")


def marks_in_the_middle() -> bytes:
    return page(TEXT.replace("boats", "bo\ufeffats\ufffe"))


def overlong() -> bytes:
    return page(TEXT).replace(
        b"boats", b"\xc0\xbcscript\xc0\xbe\xe0\x80\xbcx\xf0\x80\x80\xbc\xed\xa0\x80"
    )


def a_picture() -> bytes:
    return b"\x89PNG\r\n\x1a\n" + random.Random(5).randbytes(MIB)


def noise() -> bytes:
    return b"<p>" + random.Random(6).randbytes(4 * MIB)


def json_instead() -> bytes:
    return b"[" * 5_000_000


def xml_instead() -> bytes:
    return b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><x>&c;</x>'
