"""Which article an entry is: names that hold, whatever a feed repeats, leaves out or shrinks to."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.article.extraction.siterules import SiteRules
from mirror.article.feeds.feed import Entry, Feed
from mirror.article.identity import Identity, identify, named_by, rules_for
from mirror.formats.url import article_id, urn_id

URL = "https://news.example/feed"
SCOPE = hashlib.sha256(URL.encode()).hexdigest()[:16]
OTHER = "https://other.example/feed"


def entry(
    guid: str = "", link: str = "", title: str = "", html: str = "<p>x</p>", date: str = ""
) -> Entry:
    return Entry(guid, link, title, (), date, html, True, "en")


def identities(*entries: Entry, url: str = URL, feeds: tuple[str, ...] = ()) -> list[Identity]:
    return [identity for identity, _ in identify(Feed("", "", entries), url=url, feeds=feeds)]


def leads_to(known: list[Identity], identity: Identity) -> int | None:
    """Return the number of the article that the first known key was stored for."""
    aliases: dict[str, int] = {}
    for number, each in enumerate(known):
        for key in each.keys:
            aliases.setdefault(key, number)
    return next((aliases[key] for key in identity.keys if key in aliases), None)


def test_an_entry_with_guid_and_link_has_every_name():
    [found] = identities(entry("urn:1", "https://news.example/1", "One"))

    assert found.keys == (
        f"guid {SCOPE} urn:1",
        "link https://news.example/1",
        "title https://news.example/1 One",
    )
    assert found.id == article_id("https://news.example/1")


def test_the_id_is_made_from_the_address_that_people_have():
    [found] = identities(entry("g", "http://NEWS.example:80/a/../1?utm_source=rss#x", "One"))

    assert found.id == article_id("https://news.example/1")


@pytest.mark.parametrize(
    "same",
    [
        entry("1", title="One"),
        entry("https://news.example/?p=1", title="One"),
        entry(title="One"),
        entry(html="<p>words</p>"),
    ],
)
def test_a_name_without_a_link_is_only_its_feeds_own(same: Entry):
    one, two = (identities(same, url=url)[0] for url in (URL, "https://news.example/other"))

    assert one.id != two.id
    assert set(one.keys).isdisjoint(two.keys)


@pytest.mark.parametrize("guid", [f"{URL} 1", f"guid {URL} 1", f"{SCOPE} 1", f"guid {SCOPE} 1"])
def test_no_guid_spells_the_name_of_another_feeds_entry(guid: str):
    [named] = identities(entry("1"))
    [spelt] = identities(entry(guid), url=OTHER)

    assert set(named.keys).isdisjoint(spelt.keys)


def test_two_feeds_that_carry_one_article_meet_by_its_link():
    one, two = (
        identities(entry(guid, "https://news.example/1", "One"), url=url, feeds=(URL, OTHER))[0]
        for guid, url in (("1", URL), ("2", "https://news.example/other"))
    )

    assert one.id == two.id
    assert leads_to([one], two) == 0


@pytest.mark.parametrize("link", ["https://NEWS.example/1", "http://news.example:8080/1"])
def test_a_link_on_another_feeds_host_is_no_name(link: str):
    [victim] = identities(entry("1", link, "One"), feeds=(URL, OTHER))
    [found] = identities(entry("1", link, "One"), url=OTHER, feeds=(URL, OTHER))

    assert set(victim.keys).isdisjoint(found.keys)
    assert victim.id != found.id


def test_entries_with_links_on_another_feeds_host_are_told_apart():
    found = identities(
        *(entry("", f"https://news.example/{n}", "T") for n in range(3)),
        url=OTHER,
        feeds=(URL, OTHER),
    )

    assert len({each.id for each in found}) == 3


def test_a_link_on_a_host_of_no_other_feed_is_a_name():
    [found] = identities(entry("1", "https://www.other.example/1"), url=OTHER, feeds=(URL, OTHER))

    assert found.id == article_id("https://www.other.example/1")


def test_a_changed_slug_is_the_same_article():
    [old] = identities(entry("urn:1", "https://news.example/old-slug", "One"))
    [new] = identities(entry("urn:1", "https://news.example/new-slug", "One"))

    assert leads_to([old], new) == 0


def test_a_changed_guid_with_the_same_link_is_the_same_article():
    [old] = identities(entry("urn:1", "https://news.example/1", "One"))
    [new] = identities(entry("urn:2", "https://news.example/1", "One"))

    assert leads_to([old], new) == 0


def test_entries_that_all_have_one_link_are_told_apart_by_guid():
    found = identities(*(entry(f"urn:{n}", "https://news.example/", f"T{n}") for n in range(3)))

    assert len({each.id for each in found}) == 3
    assert [each.id for each in found] == [urn_id(f"guid {SCOPE} urn:{n}") for n in range(3)]


def test_entries_that_have_one_link_and_no_guid_are_told_apart_by_title():
    found = identities(*(entry("", "https://news.example/", f"T{n}") for n in range(3)))

    assert len({each.id for each in found}) == 3
    assert len({key for each in found for key in each.keys}) == 3


def test_entries_that_all_have_one_guid_are_told_apart_by_link():
    found = identities(*(entry("same", f"https://news.example/{n}", "T") for n in range(3)))

    assert [each.keys[0] for each in found] == [f"link https://news.example/{n}" for n in range(3)]


def test_entries_with_one_title_are_told_apart_by_date_then_text():
    dated = identities(entry(title="Daily", date="2026-11-01"), entry(title="Daily", date="x"))
    texts = identities(entry(title="Daily", html="a"), entry(title="Daily", html="b"))

    assert len({each.id for each in dated}) == 2
    # The very same guid, link, title and date: one entry listed twice, the first is meant.
    assert len({each.id for each in texts}) == 1


def test_an_entry_listed_twice_is_one_article():
    twice = [entry("urn:1", "https://news.example/1", "One")] * 2
    [found] = identities(*twice)

    assert found.id == article_id("https://news.example/1")


def test_an_entry_with_text_only_has_a_name():
    [found] = identities(entry(html="<p>words</p>"))

    assert len(found.keys) == 1


def test_a_link_that_is_no_web_address_is_no_name():
    found = identities(
        entry("g1", "javascript:alert(1)", "One"),
        entry("g2", "https://u:p@news.example/2", "Two"),
        entry("g3", "mailto:x@example.org", "Three"),
    )

    assert [each.keys for each in found] == [(f"guid {SCOPE} g{n}",) for n in (1, 2, 3)]


def test_a_feed_of_one_link_that_shrinks_to_one_entry_makes_no_new_article():
    old = identities(*(entry("", "https://news.example/", f"T{n}") for n in range(3)))
    [left] = identities(entry("", "https://news.example/", "T2"))

    assert leads_to(old, left) == 2


def test_an_article_whose_link_is_given_to_another_stays_itself():
    [alone] = identities(entry("", "https://news.example/", "T0"))
    both = identities(
        entry("", "https://news.example/", "T0"), entry("", "https://news.example/", "T1")
    )

    assert [leads_to([alone], each) for each in both] == [0, None]


def test_an_empty_feed_has_no_identity():
    assert identities() == []


TEXTS = st.sampled_from(["", "a", "b", "urn:1", "https://news.example/1", "\ud800", "x\x00"])
LINKS = st.sampled_from(["", "https://news.example/", "https://news.example/1", "nonsense", "//"])


@given(st.lists(st.builds(entry, TEXTS, LINKS, TEXTS, TEXTS, TEXTS), max_size=8))
def test_no_two_entries_of_a_feed_share_an_id_or_a_name(entries: list[Entry]):
    found = identities(*entries)
    names = [key for each in found for key in each.keys]

    assert len({each.id for each in found}) == len(found)
    assert len(set(names)) == len(names)
    assert all(each.keys and len(each.id) == 32 for each in found)


@given(st.lists(st.builds(entry, TEXTS, LINKS, TEXTS), max_size=6), st.randoms())
def test_the_order_of_a_feed_changes_nobodys_name(entries: list[Entry], random: object):
    shuffled = sorted(entries, key=lambda _: random.random())  # type: ignore[attr-defined]

    assert set(identities(*entries)) == set(identities(*shuffled))


RULES = {"news.example": SiteRules("news.example", number=r"-(a?\d+)/?$")}


def ruled(*entries: Entry) -> list[Identity]:
    found = identify(Feed("", "", entries), url=URL, rules=RULES)
    return [identity for identity, _ in found]


def test_what_a_rule_finds_in_an_address_goes_before_all_other_names():
    [found] = ruled(entry("g", "https://www.news.example/2026/one-word-56901", "One"))

    assert found.keys[0] == "number news.example 56901"


def test_a_changed_slug_leads_to_the_same_article():
    before = ruled(entry("g1", "https://news.example/the-first-slug-56901", "One"))
    [after] = ruled(entry("g2", "https://news.example/the-second-slug-56901", "Two"))

    assert leads_to(before, after) == 0


def test_two_entries_with_one_number_are_not_joined_by_it():
    first, second = ruled(
        entry("g1", "https://news.example/one-7", "One"),
        entry("g2", "https://news.example/two-7", "Two"),
    )

    assert set(first.keys).isdisjoint(second.keys)


def test_a_rule_is_its_sites_own():
    [other] = ruled(entry("g", "https://other.example/one-7", "One"))
    [under] = ruled(entry("g", "https://ru.news.example/one-7", "One"))

    assert not other.keys[0].startswith("number ")
    assert under.keys[0] == "number news.example 7"


def test_an_address_without_a_number_has_its_other_names():
    [found] = ruled(entry("g", "https://news.example/about", "One"))

    assert found.keys[0] == f"guid {SCOPE} g"


def test_a_long_path_is_not_looked_at():
    assert named_by(RULES["news.example"], "/" + "a" * 600 + "-7") == ""


def test_no_rules_are_for_what_is_no_address():
    assert rules_for(RULES, "") is None
