"""Sitemaps: which pages a site says it has, and that a hostile one costs little."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.article.entry import Entry
from mirror.article.feeds.sitemap import MAX_SITEMAP_BYTES, Sitemap, parse_sitemap
from mirror.errors import FormatError
from tests.cost import within

URL = "https://h.example/sitemap.xml"
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    ' xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"'
    ' xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">'
)
NEWS = f"""{HEAD}
<url><loc>
  https://h.example/news/101?a=1&amp;b=2 </loc><image:image><image:loc>https://h.example/1.jpg
</image:loc></image:image><lastmod>2026-11-17T08:00+03:00</lastmod>
<news:news><news:publication><news:name>The Harbour</news:name><news:language>en</news:language>
</news:publication><news:publication_date>2026-11-16</news:publication_date>
<news:title>No ferry, &amp;amp; no bread</news:title><news:keywords>sea, ice,</news:keywords>
</news:news></url>
<url><loc>/news/102</loc><changefreq>daily</changefreq></url>
<url><loc>javascript:alert(1)</loc></url><url/><url><loc/></url></urlset>"""


def read(xml: str | bytes) -> Sitemap:
    return parse_sitemap(xml.encode() if isinstance(xml, str) else xml, url=URL)


def page(link: str, **fields: object) -> Entry:
    values = {"title": "", "published": "", "lang": "", **fields}
    return Entry(guid="", link=link, authors=(), html="", full=False, **values)


def test_pages_of_news_are_entries_without_a_text():
    assert read(NEWS) == Sitemap(
        pages=(
            page(
                "https://h.example/news/101?a=1&b=2",
                title="No ferry, & no bread",
                published="2026-11-16T00:00:00Z",
                updated="2026-11-17T05:00:00Z",
                lang="en",
                tags=("sea", "ice"),
            ),
            page("https://h.example/news/102"),
        ),
        sitemaps=(),
    )


def test_an_index_lists_sitemaps():
    xml = (
        '<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        "<sitemap><loc>https://h.example/2026-11.xml.gz</loc><lastmod>2026-11-16</lastmod>"
        "</sitemap><sitemap><loc>ftp://h.example/</loc></sitemap></sitemapindex>"
    )

    assert read(xml) == Sitemap(pages=(), sitemaps=("https://h.example/2026-11.xml.gz",))


def test_a_packed_sitemap_is_read_also_in_several_members():
    body = NEWS.encode()

    assert read(gzip.compress(body)) == read(NEWS)
    assert read(gzip.compress(body[:300]) + gzip.compress(body[300:]) + b"\0\0") == read(NEWS)


@pytest.mark.parametrize("charset", ["utf-16", "windows-1251"])
def test_another_charset_is_read_as_declared(charset: str):
    xml = NEWS.replace("UTF-8", charset).replace("bread", "хлеб")

    assert read(xml.encode(charset)).pages[0].title == "No ferry, & no хлеб"


def test_without_namespaces_and_with_bare_ampersands_it_is_read_too():
    xml = "<urlset><url><loc>https://h.example/?a=1&b=2</loc></url></urlset>"

    assert [each.link for each in read(xml).pages] == ["https://h.example/?a=1&b=2"]


def test_a_sitemap_that_was_cut_is_read_as_far_as_it_goes():
    assert [each.link for each in read(NEWS[: NEWS.index("<changefreq>")]).pages][:1] == [
        "https://h.example/news/101?a=1&b=2"
    ]


def test_an_empty_sitemap_lists_nothing():
    assert read(HEAD + "</urlset>") == Sitemap((), ())
    assert read("<sitemapindex/>") == Sitemap((), ())


def test_beyond_the_standards_number_of_pages_the_rest_is_left_out():
    urls = "".join(f"<url><loc>https://h.example/{number}</loc></url>" for number in range(50_010))

    assert len(read(f"{HEAD}{urls}</urlset>").pages) == 50_000


def test_the_addresses_of_all_pages_have_a_limit_together():
    slug = "й" * 300  # takes three times as much in an address
    urls = "".join(f"<url><loc>https://h.example/{slug}</loc></url>" for _ in range(12_000))
    pages = read(f"{HEAD}{urls}</urlset>").pages

    assert sum(len(each.link) for each in pages) <= 8 * 1024 * 1024
    assert len(pages) > 4000


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "unreadable|wrong kind"),
        (b"https://h.example/1", "wrong kind"),
        (b"<html><body><url/></body>", "wrong kind"),
        (b"<rss><channel/></rss>", "wrong kind"),
        (b"\x1f\x8b\x08", "not valid gzip"),
        (b"\x1f\x8b" + b"x" * 100, "not valid gzip"),
        (gzip.compress(NEWS.encode())[:-20], "not valid gzip: it was cut"),
        (gzip.compress(b" " * 100_000_000), "more than 8388608 bytes"),
        (gzip.compress(b" " * 5_000_000) * 2, "more than 8388608 bytes"),
        (gzip.compress(b"") * 100_000, "wrong kind"),
        (b" " * (MAX_SITEMAP_BYTES + 1), "more than 8388608 bytes"),
        (b'<!DOCTYPE a [<!ENTITY x "ha">]><urlset/>', "<!ENTITY"),
        ('<!DOCTYPE a [<!ENTITY x "ha">]><urlset/>'.encode("utf-16"), "<!ENTITY"),
        (b"<urlset>" + b"<a/>" * 1_100_000, "more than 1000000 tags"),
        (b"<urlset><url " + b'a="1" ' * 300 + b"/>", "more than 250 attributes"),
    ],
)
def test_what_is_no_sitemap_or_would_hurt_is_refused_with_the_reason(body: bytes, reason: str):
    said = rf"^sitemap: .*{reason}|^sitemap: (?:{reason})"

    with within(2), pytest.raises(FormatError, match=said):
        read(body)


@pytest.mark.parametrize(
    "inside",
    [
        "<url>" * 900_000,
        "<url>" + "<a/>" * 900_000 + "</url>",
        "<a/>" * 400_000 + "<url/>" * 400_000,
        "<url><loc>" + "x" * 8_000_000 + "</loc></url>",
        "<url><news:news><news:title>" + "&amp;" * 900_000 + "</news:title></news:news></url>",
    ],
    ids=["nested", "children", "siblings", "long", "references"],
)
def test_a_hostile_sitemap_is_done_in_time(inside: str):
    with within(8):
        assert read(f"{HEAD}{inside}</urlset>").pages == ()


@given(st.binary(max_size=500) | st.text(max_size=300).map(lambda text: f"<urlset>{text}</urlset>"))
def test_whatever_comes_is_a_sitemap_or_a_format_error(body: str | bytes):
    try:
        sitemap = read(body)
    except FormatError:
        return
    assert all(each.link.startswith(("http://", "https://")) for each in sitemap.pages)
