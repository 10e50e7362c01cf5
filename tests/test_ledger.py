"""Paragraphs that a site repeats: from which article on, on which site, and within what room."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror import ledger
from mirror.database import Database
from mirror.ledger import MAX_OF_ARTICLE, Ledger
from tests.cost import within

SITE = "news.example"
PLEA, OTHER = b"please g", b"another!"
ARTICLES = st.dictionaries(
    st.sampled_from("abcde"), st.frozensets(st.sampled_from([b"1", b"2", b"3"]))
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = Database.open(tmp_path / "state.db", origin="test")
    yield db
    db.close()


def note(db: Database, article: str, *prints: bytes, site: str = SITE) -> None:
    with db.transaction():
        Ledger(db).note(site, article, prints)


def count(db: Database, site: str = "%") -> int:
    found: int = db.row("SELECT COUNT(*) FROM paragraph WHERE site LIKE ?", (site,))[0]
    return found


def test_the_third_article_is_cleaned_and_the_first_two_when_they_are_read_again(db: Database):
    found = []
    for article in ("one", "two", "three", "four"):
        own = article.encode()
        found.append(Ledger(db).repeated(SITE, article, [PLEA, own]))
        note(db, article, PLEA, own)
    again = [Ledger(db).repeated(SITE, article, [PLEA, b"own"]) for article in ("one", "two")]

    assert found == [set(), set(), {PLEA}, {PLEA}]
    assert again == [{PLEA}, {PLEA}]


def test_an_article_counts_once_however_often_it_is_noted(db: Database):
    for _ in range(5):
        note(db, "one", PLEA, PLEA)
    note(db, "two", PLEA)

    assert Ledger(db).repeated(SITE, "one", [PLEA]) == set()
    assert Ledger(db).repeated(SITE, "two", [PLEA]) == set()
    assert Ledger(db).repeated(SITE, "three", [PLEA]) == {PLEA}


def test_what_one_site_repeats_is_another_sites_text(db: Database):
    for article in ("one", "two", "three"):
        note(db, article, PLEA)

    assert Ledger(db).repeated("other.example", "four", [PLEA]) == set()


def test_of_each_print_three_articles_are_kept(db: Database):
    for n in range(50):
        note(db, str(n), PLEA)

    assert count(db) == 3


def test_a_first_poll_cleans_all_that_it_brings(db: Database):
    brought = {str(n): [PLEA, b"own %d" % n] for n in range(20)}

    assert Ledger(db).repeated_all(SITE, brought) == {each: {PLEA} for each in brought}
    assert Ledger(db).repeated_all(SITE, {}) == {}


@given(ARTICLES, ARTICLES)
def test_an_article_is_cleaned_of_what_three_articles_have_and_of_nothing_else(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, frozenset[bytes]],
    brought: dict[str, frozenset[bytes]],
):
    db = Database.open(tmp_path_factory.getbasetemp() / "ledger.db", origin="test")
    with db.transaction():
        db.execute("DELETE FROM paragraph")
        for article, prints in before.items():
            Ledger(db).note(SITE, article, prints)
    found = Ledger(db).repeated_all(SITE, brought)
    with db.transaction():
        Ledger(db).note_all(SITE, brought)
    pairs = {(a, p) for some in (before, brought) for a, prints in some.items() for p in prints}
    often = {each for each in (b"1", b"2", b"3") if sum(p == each for _, p in pairs) >= 3}

    assert found == {article: often & prints for article, prints in brought.items()}
    assert all(Ledger(db).repeated(SITE, a, p) == found[a] for a, p in brought.items())
    db.close()


def test_an_article_of_very_many_paragraphs_is_noted_in_part(db: Database):
    note(db, "one", *(n.to_bytes(8) for n in range(5 * MAX_OF_ARTICLE)))

    assert count(db) == MAX_OF_ARTICLE


def test_a_site_without_room_keeps_what_it_repeats(db: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ledger, "MAX_OF_SITE", 100)
    for n in range(200):
        note(db, str(n), PLEA, n.to_bytes(8), site=SITE)
        note(db, str(n), PLEA, site="other.example")

    assert Ledger(db).repeated(SITE, "new", [PLEA]) == {PLEA}
    assert count(db, SITE) <= 100
    assert count(db, "other.example") == 3


def test_a_site_that_repeats_too_much_begins_anew(db: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ledger, "MAX_OF_SITE", 100)
    for article in ("one", "two", "three", "four"):
        note(db, article, *(n.to_bytes(8) for n in range(50)))

    assert count(db) <= 100


def test_of_too_many_sites_the_largest_gives_way(db: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ledger, "MAX_ROWS", 60)
    for article in ("one", "two", "three"):
        note(db, article, PLEA)
    for n in range(40):
        note(db, "one", n.to_bytes(8), site="large.example")
    for n in range(40):
        note(db, "one", OTHER, site=f"{n}.example")

    assert count(db) <= 60
    assert Ledger(db).repeated(SITE, "four", [PLEA]) == {PLEA}
    assert count(db, "large.example") == 0


def test_many_sites_that_repeat_all_they_have_give_way_too(
    db: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ledger, "MAX_ROWS", 60)
    for n in range(50):
        for article in ("one", "two", "three"):
            note(db, article, PLEA, site=f"{n}.example")

            assert count(db) <= 60


def test_a_poll_costs_milliseconds_when_the_ledger_is_full(db: Database):
    rows = [(f"{n % 4}.example", n.to_bytes(8), str(n // 30)) for n in range(196_000)]
    with db.transaction():
        db.execute_many("INSERT INTO paragraph VALUES(?,?,?)", rows)
    brought = {f"new {n}": [(n * 30 + k).to_bytes(8) for k in range(30)] for n in range(20)}

    with within(0.2):
        Ledger(db).repeated_all("1.example", brought)
        with db.transaction():
            Ledger(db).note_all("1.example", brought)
