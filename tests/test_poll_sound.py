"""An answer of a worker is taken as it is, or not at all where an address in it is none."""

from dataclasses import replace

import pytest

from mirror.article.article import Article
from mirror.article.entry import Entry, Feed
from mirror.article.extraction.extract import Told
from mirror.article.feeds.chosen import Chosen
from mirror.article.links import host_of
from mirror.box import Refused
from mirror.poll.sound import sound
from mirror.recheck.pictures import server_of

LINK = "https://news.example/1"
ENTRY = Entry("1", LINK, "T", (), "", "", full=True, lang="", picture=f"{LINK}.jpg")
FIGURE = f'<figure><a itemprop="contentUrl" href="{LINK}?a=1&amp;b=2">Photo</a></figure>'
ARTICLE = Article(LINK, "T", (), "", "en", "ltr", (FIGURE, "<p>[words]</p>"), partial=False)
FEED = Feed("T", "en", (ENTRY, replace(ENTRY, link="", picture="")), older=f"{LINK}?page=2")
CHOSEN = Chosen((ENTRY,), 1, 1, "", 0, (f"{LINK}.xml",))
NONE = [
    "https://[bad/",
    "https://exam\u2100ple.com/",
    "file:///etc/passwd",
    "https://a:99999/",
    "/1",
]


@pytest.mark.parametrize(
    "made",
    [ENTRY, ARTICLE, FEED, CHOSEN, Told(ARTICLE), (ARTICLE, "no text"), Refused("no", False)],
)
def test_what_our_jobs_answer_is_taken_as_it_is(made: object):
    assert sound(made) is made


@pytest.mark.parametrize("bad", NONE)
def test_an_answer_with_an_address_that_is_none_is_refused(bad: str):
    figure = FIGURE.replace(f"{LINK}?", f"{bad}?")
    article, entry = replace(ARTICLE, blocks=("<p>", figure)), replace(ENTRY, link=bad)
    for made in (
        replace(ARTICLE, url=bad),
        article,
        (ARTICLE, "no text", article),
        Told(article),
        replace(FEED, entries=(ENTRY, entry)),
        replace(FEED, entries=(replace(ENTRY, picture=bad),)),
        replace(FEED, older=bad),
        replace(CHOSEN, pages=(entry,)),
        replace(CHOSEN, sitemaps=(bad,)),
    ):
        assert sound(made) == Refused("an answer with an address that is none", killed=False)


def test_an_address_that_is_none_has_no_host():
    assert host_of("https://[bad/") == ""
    assert server_of("https://[bad/", source="feed") == server_of("/1", source="feed")
