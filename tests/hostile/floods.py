"""Feeds of eight megabytes of one thing, each named by it."""

from hostile.feeds import END, MAX, PROLOG, RSS, filled, in_item, item, rss


def document_type_of_spaces() -> bytes:
    return b"<!DOCTYPE" + b" " * (MAX - 100)


def document_type_of_brackets() -> bytes:
    return b"<!DOCTYPE rss [" + b"] " * (MAX // 2 - 100)


def comments_before_the_root() -> bytes:
    return f"{PROLOG}{filled('<!---->', MAX - 3000)}{RSS}{item(1)}{END}".encode()


def comments_never_closed() -> bytes:
    return rss(item(1), filled("<!--"))


def comments_in_an_item() -> bytes:
    return in_item(filled("<!-- -->", 190_000 * 8))


def instructions() -> bytes:
    return in_item(filled("<?a?>", 190_000 * 5))


def instructions_never_closed() -> bytes:
    return rss(item(1), filled("<?"))


def character_data() -> bytes:
    return in_item("<description>" + filled("<![CDATA[]]>", 190_000 * 12) + "</description>")


def character_data_never_closed() -> bytes:
    return in_item("<description>" + filled("<![CDATA["))


def character_data_ends() -> bytes:
    return in_item("<description>" + filled("]]>", MAX - 4000) + "</description>")


def less_than_signs() -> bytes:
    return rss(item(1), filled("<"))


def ampersands() -> bytes:
    return in_item("<description>" + filled("&", MAX - 4000) + "</description>")


def references() -> bytes:
    return in_item("<description>" + filled("&#x26;&amp;lt;", MAX - 4000) + "</description>")


def references_never_ended() -> bytes:
    return in_item("<description>" + filled("&a", MAX - 4000) + "</description>")


def quotes() -> bytes:
    return in_item("<description a=" + filled("\"'", MAX - 4000) + "</description>")


def zeros() -> bytes:
    return rss(item(1), filled("\0"), item(2))


def spaces() -> bytes:
    return b" \n" * (MAX // 2 - 10)


def marks_only() -> bytes:
    return b"\xef\xbb\xbf" * 100_000 + rss(item(1))


def tags_never_ended() -> bytes:
    return rss(item(1), filled("<item", 190_000 * 5))


def end_tags() -> bytes:
    return rss(item(1), filled("</item>", 190_000 * 7))


def slashes() -> bytes:
    return rss(item(1), "<item " + filled("/ ", MAX - 4000))


def declarations() -> bytes:
    return rss(item(1), filled("<!a ", 190_000 * 4))
