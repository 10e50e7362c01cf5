"""Feeds of a hostile shape: too deep, too wide, too many; each named by its defect."""

from hostile.feeds import END, MIB, PROLOG, RSS, atom, in_item, item, rss


def elements_nested() -> bytes:
    return rss(item(1), "<a>" * 95_000, "</a>" * 95_000)


def items_nested() -> bytes:
    return rss("<item>" * 95_000, "</item>" * 95_000)


def channels_nested() -> bytes:
    return rss("<channel>" * 95_000, end="")


def titles_nested() -> bytes:
    return rss("<item>", "<title>" * 60_000 + "x" + "</title>" * 60_000, "</item>")


def divisions_nested_in_xhtml() -> bytes:
    text = "<div>" * 90_000 + "x" + "</div>" * 90_000
    return atom(
        f'<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">{text}</div></content>'
    )


def bases_nested() -> bytes:
    return rss("<item>" + "".join(f'<a xml:base="{"x" * 30}/">' for _ in range(60_000)) + "</item>")


def languages_nested() -> bytes:
    return rss("<item>" + '<a xml:lang="en-Latn-GB">' * 90_000 + "</item>")


def attributes() -> bytes:
    return rss("<item " + " ".join(f'a{n}="{n}"' for n in range(50_000)) + ">", "</item>")


def attributes_without_values() -> bytes:
    return rss("<item " + " ".join(f"a{n}" for n in range(200_000)) + ">", "</item>")


def attributes_without_quotes() -> bytes:
    return rss("<item " + " ".join(f"a{n}={n}" for n in range(100_000)) + ">", "</item>")


def attributes_without_spaces() -> bytes:
    return rss("<item" + "".join(f' a{n}="{n}"b{n}=""' for n in range(100_000)) + ">", "</item>")


def attributes_just_allowed() -> bytes:
    row = " ".join(f'a{n}="{"x" * 55}"' for n in range(249))
    return rss(*(f"<item {row}><title>Story {n}</title></item>" for n in range(480)))


def namespaces() -> bytes:
    names = " ".join(f'xmlns:n{n}="http://a.example/{n}"' for n in range(100_000))
    return f"{PROLOG}<rss {names}><channel>{item(1)}</channel></rss>".encode()


def namespaces_one_an_element() -> bytes:
    return rss(*(f'<n{n}:a xmlns:n{n}="http://a.example/{n}"/>' for n in range(60_000)))


def namespaces_nested() -> bytes:
    return rss(*(f'<a xmlns="http://a.example/{n}">' for n in range(90_000)))


def element_names() -> bytes:
    return in_item("".join(f"<name{n}>x</name{n}>" for n in range(90_000)))


def an_element_name_of_a_megabyte() -> bytes:
    return in_item(f"<{'a' * MIB}>x</{'a' * MIB}>")


def items() -> bytes:
    return rss("<item/>" * 190_000)


def items_of_two_hundred_thousand_tags() -> bytes:
    return rss("<item><title/></item>" * 66_000)


def items_behind_a_long_prefix() -> bytes:
    prefix = "p" * 60
    opening = RSS.replace("<rss ", f'<rss xmlns:{prefix}="http://purl.org/rss/1.0/" ')
    one = f"<{prefix}:item><title>x</title></{prefix}:item>"
    return (PROLOG + opening + one * 45_000 + END).encode()


def items_behind_a_prefix_of_other_letters() -> bytes:
    opening = RSS.replace("<rss ", '<rss xmlns:é·="http://purl.org/rss/1.0/" ')
    return (PROLOG + opening + "<é·:item><title>x</title></é·:item>" * 45_000 + END).encode()


def items_that_end_at_the_next_bracket() -> bytes:
    return rss("<item" * 60_000)


def entries_in_upper_case() -> bytes:
    return rss("<ENTRY><TITLE>x</TITLE></ENTRY>" * 45_000)


def items_of_rdf() -> bytes:
    return (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns="http://purl.org/rss/1.0/"><channel><items><rdf:Seq>'
        + '<rdf:li resource="x"/>' * 60_000
        + "</rdf:Seq></items></channel>"
        + "<item><title>x</title></item>" * 30_000
        + "</rdf:RDF>"
    ).encode()


def entries_of_sixteen_kilobytes() -> bytes:
    return rss(
        *(item(n, f'<enclosure url="{"u" * 8000}" type="{"t" * 8000}"/>') for n in range(470))
    )
