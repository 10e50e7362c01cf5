"""Which pages of a sitemap an archive is made of, and which of them come next."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from mirror.article.entry import Entry
from mirror.article.feeds.chosen import Choice, chosen, date_of
from mirror.article.feeds.sitemap import Sitemap

OWN = ("a.example", "b.example")
DAYS = ["", *(f"2026-01-0{day}T00:00:00Z" for day in range(1, 7))]


def page(number: int, *, host: str = OWN[0], published: str = "", updated: str = "") -> Entry:
    link = f"https://{host}/{number}"
    return Entry("", link, "", (), published, "", full=False, lang="", updated=updated)


def links(pages: Sequence[Entry]) -> list[str]:
    return [each.link for each in pages]


def test_pages_of_other_hosts_and_from_before_are_left_out():
    pages = (
        page(1, host="evil.example"),
        page(2, host="a.example.evil.example"),
        page(3, published=DAYS[1]),
        page(4, host=OWN[1], published=DAYS[3]),
        page(5),
    )
    got = chosen(Sitemap(pages, ("https://a.example/2.xml",)), Choice(OWN, DAYS[2], most=9))

    assert (links(got.pages), got.foreign) == (links([pages[4], pages[3]]), 2)
    assert (got.count, got.newest, got.end) == (2, DAYS[3], 2)
    assert got.sitemaps == ("https://a.example/2.xml",)


def test_a_date_of_change_stands_for_the_one_of_publication():
    assert date_of(page(1, published=DAYS[1], updated=DAYS[2])) == DAYS[1]
    assert date_of(page(1, updated=DAYS[2])) == DAYS[2]


def test_what_leaves_the_sitemap_takes_no_page_from_its_place():
    pages = tuple(page(n, published=DAYS[n]) for n in range(1, 7))
    first = chosen(Sitemap(pages, ()), Choice(OWN, most=3))
    then = Choice(OWN, offset=first.end, count=first.count, most=3)
    second = chosen(Sitemap(pages[2:], ()), then)

    assert links(first.pages) == links(pages[:3])
    assert links(second.pages) == links(pages[3:])


@given(
    st.lists(st.sampled_from(DAYS)),
    st.integers(1, 7),
)
def test_some_at_a_time_come_all_of_them_the_oldest_first(days: list[str], most: int):
    sitemap = Sitemap(tuple(page(n, updated=day) for n, day in enumerate(days)), ())
    choice, came = Choice(OWN, most=most), list[Entry]()
    while True:
        got = chosen(sitemap, choice)
        came += got.pages
        if got.end >= got.count:
            break
        choice = Choice(OWN, offset=got.end, count=got.count, most=most)

    assert sorted(links(came)) == sorted(links(sitemap.pages))
    assert [date_of(each) for each in came] == sorted(days)


def test_nothing_is_chosen_where_none_is_asked_for():
    got = chosen(Sitemap((page(1), page(2)), ()), Choice(OWN))

    assert (got.pages, got.count, got.end) == ((), 2, 0)
