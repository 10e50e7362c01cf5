"""From feed to page: whatever a feed is made of, it is refused in words or harmless when published.

Some hundred examples run in `make test`. `FUZZ=20` makes them twenty times as many, and `make fuzz`
repeats that for as long as it is told; what it finds is kept as an `@example`, or in `hostile`.
"""

import os
from dataclasses import dataclass, replace
from html import escape

from hostile import feeds, fields, pages, xss
from hostile.judge import flaws
from hostile.through import ID, MASTHEAD, PARTNER, URL
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mirror.article.article import Article
from mirror.article.cleaning.clean import clean
from mirror.article.extraction.extract import from_entry, from_page
from mirror.article.feeds.feed import Entry, Feed, parse_feed
from mirror.article.feeds.fields import AS_IT_SAYS
from mirror.article.render.page import render
from mirror.errors import FormatError

FUZZ = int(os.environ.get("FUZZ", "1"))
BASE = "https://news.example/a/"
PAYLOADS = tuple(xss.markup().values())
PIECES = (
    *(
        "<",
        ">",
        "</",
        "/>",
        "&",
        ";",
        "=",
        '"',
        "'",
        "<!--",
        "-->",
        "--!>",
        "]]>",
        "<![CDATA[",
        "<?",
        "?>",
    ),
    *(
        "<p>",
        "</p>",
        "<b>",
        "</b>",
        "<i>",
        "</i>",
        "<a href='#x'>",
        "<a href=/y>",
        "</a>",
        "<br>",
        "<br><br>",
    ),
    *(
        "<table>",
        "<tr>",
        "<td>",
        "</td>",
        "</table>",
        "<ul>",
        "<li id=x>",
        "</ul>",
        "<dl>",
        "<dt>",
        "<dd>",
    ),
    *(
        "<figure>",
        "<img src=/a.jpg alt='one two three'>",
        "<figcaption>",
        "</figure>",
        "<pre>",
        "</pre>",
    ),
    *(
        "<blockquote>",
        "</blockquote>",
        "<h1>",
        "</h1>",
        "<h4>",
        "</h4>",
        "<span lang=ru>",
        "</span>",
    ),
    *(
        "<svg>",
        "</svg>",
        "<math>",
        "<mtext>",
        "<style>",
        "</style>",
        "<script>",
        "</script>",
        "<title>",
    ),
    *(
        "<template>",
        "<noscript>",
        "</noscript>",
        "<select>",
        "<option>",
        "<iframe src=/z title=t>",
        "<form>",
    ),
    *(
        "<div class=credit>",
        "</div>",
        "<ruby>",
        "<rt>",
        "<abbr title='a&quot;b'>",
        "<q>",
        "<bdo dir=rtl>",
    ),
    *(
        "<ol start=3>",
        "</ol>",
        "<hr>",
        "<wbr>",
        "<caption>",
        "<th colspan=2>",
        "<video src=/v>",
        "<p id=x>",
    ),
    *(
        "&lt;",
        "&#0;",
        "&#1;",
        "&#xD800;",
        "&#11;",
        "&#133;",
        "&#x202e;",
        "&amp;lt;",
        "&nbsp;",
        "&#x2067;",
    ),
    *(
        "\u202e",
        "\u2067",
        "\u2069",
        "\u202c",
        "\0",
        "\x0b",
        "\x85",
        "\u2028",
        "\ufeff",
        "\ufffe",
        "\U0001fffe",
    ),
)
WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
TRICKS = st.builds(
    lambda tag, name, value: f'<{tag} {name}="{escape(value)}">x</{tag}>',
    st.sampled_from(("a", "a", "p", "b", "li", "td", "span", "h2", "abbr", "blockquote", "figure")),
    st.sampled_from(("href", "href", "onclick", "onfocus", "style", "src", "id", "class", "title")),
    st.sampled_from((*xss.LINKS.values(), xss.ACT)) | WORDS,
)
"""Elements that an article keeps, with what must not pass: else a cleaner that lets one attribute
through is not found in thousands of examples."""
HOSTILE = st.lists(
    TRICKS
    | st.sampled_from(PIECES)
    | st.sampled_from(PAYLOADS)
    | st.sampled_from(tuple(xss.TEXTS.values()))
    | WORDS,
    max_size=12,
).map("".join)
LINKS = st.sampled_from(tuple(xss.LINKS.values())) | HOSTILE | st.just("https://news.example/1")
DATES = (
    st.sampled_from(("Mon, 16 Nov 2026 06:30:00 GMT", "2026-11-16T06:30:00+99:99", "9" * 5000))
    | HOSTILE
)
LANGS = st.sampled_from(("", "en", "fa", "ru", "zh-Hant", 'x"><script>', "en_US", "x" * 99))
CARRIERS = (
    feeds.rss(feeds.item(1), feeds.item(2)),
    fields.json_feed()[:40_000],
    fields.partner()[:30_000],
)


@dataclass(frozen=True, slots=True)
class Field:
    """The text of an element, and how it is written: escaped, raw or as character data."""

    name: str
    text: str
    form: str

    def __str__(self) -> str:
        text = {
            "escaped": escape(self.text),
            "raw": self.text,
            "twice": escape(escape(self.text)),
            "cdata": f"<![CDATA[{self.text}]]>",
        }[self.form]
        return f"<{self.name}>{text}</{self.name.split()[0]}>"


FORMS = st.sampled_from(("escaped", "escaped", "cdata", "raw", "twice"))
NAMES = st.sampled_from(
    (
        *("title", "description", "content:encoded", "author", "dc:creator", "category", "guid"),
        *(
            "a:content type='html'",
            "a:content type='xhtml'",
            "a:summary",
            "media:description",
            "dc:language",
        ),
    )
)
FIELDS = st.one_of(
    st.builds(Field, st.sampled_from(("description", "content:encoded")), HOSTILE, FORMS),
    st.builds(Field, NAMES, HOSTILE, FORMS),
    st.builds(Field, st.sampled_from(("link", "guid", "comments")), LINKS, FORMS),
    st.builds(Field, st.sampled_from(("pubDate", "dc:date", "a:updated")), DATES, FORMS),
)
FEEDS = st.builds(
    lambda parts, lang: feeds.rss(f"<language>{escape(lang)}</language>", *parts),
    st.lists(
        st.lists(FIELDS, max_size=6).map(lambda f: f"<item>{''.join(map(str, f))}</item>"),
        max_size=4,
    ),
    LANGS,
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return a valid feed of some format with some of its bytes changed, moved or gone."""
    body = bytearray(draw(st.sampled_from(CARRIERS)))
    for _ in range(draw(st.integers(1, 8))):
        place = draw(st.integers(0, len(body)))
        size = draw(st.integers(0, 40))
        new = draw(
            st.binary(max_size=8)
            | st.sampled_from(PIECES).map(lambda p: p.encode("utf-8", "replace"))
        )
        body[place : place + size] = new
    return bytes(body)


def fuzzed(examples: int) -> settings:
    """Return `FUZZ` times as many examples; a long run has others each time, in CI too."""
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    few = settings(max_examples=FUZZ * examples, deadline=None, suppress_health_check=quiet)
    return settings(few, derandomize=False) if FUZZ > 1 else few


def published(article: Article) -> tuple[bytes, ...]:
    """Return an article's pages, none if it is refused; the same for the same article."""
    try:
        files = render(article, masthead=MASTHEAD, rev=1, id_hex=ID)
    except FormatError:
        return ()
    assert render(article, masthead=MASTHEAD, rev=1, id_hex=ID) == files
    return files


def parsed(body: bytes, reading: object = AS_IT_SAYS) -> Feed | None:
    """Return the feed, None if it is refused; the same for the same bytes."""
    options = {"url": URL, "content_type": "", "reading": reading}
    try:
        feed = parse_feed(body, **options)  # type: ignore[arg-type]
    except FormatError:
        return None
    assert parse_feed(body, **options) == feed  # type: ignore[arg-type]
    return feed


def made(entry: Entry) -> Article | None:
    """Return the entry's article, None if it is refused."""
    try:
        return from_entry(entry, lang="en")
    except FormatError:
        return None


def check(feed: Feed | None) -> None:
    for entry in feed.entries if feed else ():
        article = made(entry)
        assert [
            flaw for page in (published(article) if article else ()) for flaw in flaws(page)
        ] == []


@fuzzed(150)
@given(FEEDS)
@example(feeds.rss("<item><title>x</title><description>&amp;#1;y&amp;#11;z</description></item>"))
@example(
    feeds.rss(
        "<item><title>x</title><description>&lt;a href='mailto:&lt;b&gt;'&gt;y</description></item>"
    )
)
def test_a_feed_is_refused_in_words_or_harmless_when_published(body: bytes):
    check(parsed(body))


@fuzzed(100)
@given(mutated(), st.sampled_from((AS_IT_SAYS, PARTNER)))
def test_bytes_that_were_changed_are_refused_in_words_or_harmless(body: bytes, reading: object):
    check(parsed(body, reading))


@fuzzed(60)
@given(st.binary(max_size=400))
@example(b"\xff\xfe<\0r\0s\0s\0>\0")
@example(b'{"items":[{"id":' + b"9" * 5000 + b"}]}")
def test_bytes_of_any_kind_are_refused_in_words_or_harmless(body: bytes):
    check(parsed(body))


@fuzzed(150)
@given(HOSTILE, LANGS)
@example("<a href=#x>1</a><p id=x>2</p><p id=x>3</p>", "en")
@example("<a id=x href=#x><p>1</p><p>2</p></a>", "en")
@example("<p>a\x0bb&#133;c</p><pre>&#13;x&#1;</pre>", "en")
def test_what_was_cleaned_once_is_clean(markup: str, lang: str):
    try:
        blocks = clean(markup, base=BASE, lang=lang)
    except FormatError:
        return
    # A figure is a picture no more: what it says would be a paragraph the second time.
    texts = [block for block in blocks if "<figure" not in block]
    once = clean("\n".join(texts), base=BASE, lang=lang)

    assert clean("\n".join(once), base=BASE, lang=lang) == once


@fuzzed(40)
@given(HOSTILE, HOSTILE, LINKS)
@example("", "<template><p>\u202egnp.exe\u202c and \u202dmore\u202c</p>", "x")
def test_a_page_is_refused_in_words_or_harmless_when_published(head: str, body: str, url: str):
    entry = Entry("1", BASE, "", (), "", "", full=False, lang="")
    page = pages.page(body + pages.TEXT, head=head, before=f"<base href='{url}'>")
    try:
        article = from_page(page, entry=entry, url=BASE, content_type="text/html", lang="en")
    except FormatError:
        return

    assert [flaw for file in published(article) for flaw in flaws(file)] == []
    assert published(replace(article, blocks=())) != ()
