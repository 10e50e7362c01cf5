import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import FormatError
from mirror.formats.url import MAX_URL, article_id, canonical_url, urn_id

PARTS = st.sampled_from(
    [
        *("a", "a=1", "b=%20", "", "?", "=", "'", "é", "%zz", "a b", "\t", "&amp;", "ref=1"),
        *("utm_source=x", "UTM_source=x", "?utm_x=1", "fbclid=1", "gclid", "yclid=", "mc_cid=1"),
        *("mc_eid=1", "igshid=1", "ref_src=1"),
    ]
)
ADDRESSES = st.builds(
    "{}{}{}{}{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTPS:", "https:\\\\", " http://", "https:///"]),
    st.sampled_from(
        ["example.com", "EXAMPLE.com", "пример.рф", "[::1]", "127.1", "a.b.", "xn--e1afmkfd"]
    ),
    st.sampled_from(["", ":80", ":443", ":8080", ":"]),
    st.sampled_from(["", "/", "/a/../b", "/a b", "/é", "/%7Ea", "\\x", "//"]),
    st.sampled_from(["", "?", "??", "???"]),
    st.lists(PARTS, max_size=4).map("&".join),
    st.sampled_from(["", "#", "#frag?x"]),
)


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        ("https://example.com", "https://example.com/"),
        ("http://example.com/a", "https://example.com/a"),
        ("HTTP://EXAMPLE.COM/A", "https://example.com/A"),
        ("  https://example.com/a\n", "https://example.com/a"),
        ("https://exa\tmple.com/a\nb", "https://example.com/ab"),
        ("https:example.com/a", "https://example.com/a"),
        ("https:\\\\example.com\\a", "https://example.com/a"),
        ("https://example.com/a/./b/../c", "https://example.com/a/c"),
        ("https://example.com/a/%2e%2e/c", "https://example.com/c"),
        ("https://example.com//a//", "https://example.com//a//"),
        ("https://example.com/é ü", "https://example.com/%C3%A9%20%C3%BC"),
        ("https://example.com/%c3%a9", "https://example.com/%c3%a9"),
        ("https://example.com/a;b=c", "https://example.com/a;b=c"),
        ("https://example.com:443/", "https://example.com/"),
        ("http://example.com:80/", "https://example.com/"),
        ("http://example.com:443/", "https://example.com/"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("https://example.com:08443/", "https://example.com:8443/"),
        ("https://example.com:/", "https://example.com/"),
        (
            "https://пример.рф/новости",
            "https://xn--e1afmkfd.xn--p1ai/%D0%BD%D0%BE%D0%B2%D0%BE%D1%81%D1%82%D0%B8",
        ),
        ("https://ПРИМЕР.рф/", "https://xn--e1afmkfd.xn--p1ai/"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("https://ｅｘａｍｐｌｅ.com/", "https://example.com/"),
        ("https://0x7f.1/", "https://127.0.0.1/"),
        ("https://[0:0::1]/", "https://[::1]/"),
        ("https://example.com./", "https://example.com./"),
        ("https://@example.com/", "https://example.com/"),
        ("https://example.com/#part", "https://example.com/"),
        ("https://example.com/?#part", "https://example.com/"),
        ("https://example.com/?", "https://example.com/"),
        ("https://example.com/?a=1&b=2", "https://example.com/?a=1&b=2"),
        ("https://example.com/?b=2&a=1", "https://example.com/?b=2&a=1"),
        ("https://example.com/?a='b c'", "https://example.com/?a=%27b%20c%27"),
        ("https://example.com/?a=1&&b", "https://example.com/?a=1&&b"),
        ("https://example.com/??a", "https://example.com/??a"),
        ("https://example.com/???", "https://example.com/???"),
        ("https://example.com/??utm_source=x", "https://example.com/??utm_source=x"),
        ("https://example.com/?utm_source=rss&utm_medium=x", "https://example.com/"),
        ("https://example.com/?utm_=1&id=5&utm_source", "https://example.com/?id=5"),
        ("https://example.com/?id=5&", "https://example.com/?id=5&"),
        ("https://example.com/?utm_a=1&", "https://example.com/"),
        ("https://example.com/?utm_source=a#utm", "https://example.com/"),
        ("https://example.com/?UTM_SOURCE=a", "https://example.com/?UTM_SOURCE=a"),
        ("https://example.com/?utm%5Fsource=a", "https://example.com/?utm%5Fsource=a"),
        ("https://example.com/?xutm_source=a", "https://example.com/?xutm_source=a"),
        ("https://example.com/?utm", "https://example.com/?utm"),
        ("https://example.com/?fbclid=1&gclid=2&yclid=3", "https://example.com/"),
        ("https://example.com/?mc_cid=1&mc_eid=2&igshid=3&ref_src=4", "https://example.com/"),
        ("https://example.com/?fbclid", "https://example.com/"),
        ("https://example.com/?fbclidx=1&ref=2", "https://example.com/?fbclidx=1&ref=2"),
        ("https://example.com/utm_source=a", "https://example.com/utm_source=a"),
    ],
)
def test_an_address_has_one_form(address: str, canonical: str):
    assert canonical_url(address) == canonical
    assert canonical_url(canonical) == canonical


@given(ADDRESSES)
def test_the_one_form_of_an_address_is_its_own(address: str):
    try:
        canonical = canonical_url(address)
    except FormatError:
        return
    assert canonical_url(canonical) == canonical
    assert canonical.isascii()
    assert canonical.startswith("https://")
    assert "#" not in canonical


@given(st.text() | st.text().map("https://a/{}".format) | st.text().map("https://a/?{}".format))
def test_any_text_is_an_address_or_a_format_error(address: str):
    try:
        canonical = canonical_url(address)
    except FormatError:
        return
    assert canonical_url(canonical) == canonical


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "/a",
            "example.com",
            "//example.com/",
            "https://",
            "https://exa mple.com/",
            "https://a:99999/",
        ),
        *("https://[::1", "https://a/\ud800", "https://%00/", "https://1.2.3.256/"),
        *(
            "ftp://example.com/",
            "javascript:alert(1)",
            "data:,x",
            "file:///etc/passwd",
            "mailto:a@b",
            "urn:a:b",
        ),
        *(
            "https://user@example.com/",
            "https://user:pass@example.com/",
            "https://:pass@example.com/",
        ),
    ],
)
def test_an_address_that_no_article_has_is_refused(address: str):
    with pytest.raises(FormatError, match="address"):
        canonical_url(address)


def test_an_address_that_is_too_long_is_refused_in_either_form():
    room = MAX_URL - len("https://a/")

    assert len(canonical_url("https://a/" + "b" * room)) == MAX_URL
    with pytest.raises(FormatError, match="more than"):
        canonical_url("https://a/" + "b" * (room + 1))
    with pytest.raises(FormatError, match="percent-encoded"):
        canonical_url("https://a/" + "я" * (room // 2))


def test_an_id_is_the_hash_of_the_one_form():
    assert (
        article_id("HTTP://example.com?utm_source=x")
        == hashlib.sha256(b"https://example.com/").digest()
    )


def test_an_id_of_an_identity_is_no_id_of_an_address():
    assert urn_id("a") == hashlib.sha256(b"urn:tamizdat:a").digest()
    assert len(urn_id("\ud800")) == 32
