"""Which paragraphs a site repeats: what stands in three articles is a plea or a footer of the site.

Kept are prints, 8 bytes of a digest each (`mirror.article` makes them), with the first three
articles that have them. Size: some 50 bytes a paragraph, bounded below. May be lost: what a site
repeats is then taken for text in the next two articles. Who could abuse it: whoever publishes on
the site three articles that repeat a paragraph of a fourth takes it out of that, too.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from itertools import islice

from mirror.database import Database

REPEATED = 3  # articles: two may quote one sentence, or be one article at two addresses
MAX_OF_ARTICLE = 1_000  # prints: no honest one has a third; one that does may not fill the site's
MAX_OF_SITE = 50_000
"""Rows: two weeks of 100 articles a day. A site that exceeds it loses the prints that it has not
repeated yet; what it does repeat comes soon again."""
MAX_ROWS = 200_000  # of all sites, 20 MB: entries may link to any host; the largest gives way
PIECE = 500  # prints asked for at once; SQLite's limit on old systems is 999


class Ledger:
    """The paragraphs that were seen on each site, in an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def repeated(self, site: str, article: str, prints: Collection[bytes]) -> set[bytes]:
        """Return those of an article's prints that stand in three articles, this one counted.

        So the third that has one is cleaned, and the first two are when they are read again.
        """
        return self.repeated_all(site, {article: prints})[article]

    def repeated_all(
        self, site: str, articles: Mapping[str, Collection[bytes]]
    ) -> dict[str, set[bytes]]:
        """Return the same for the articles of one poll, each of which counts for all others."""
        holders = self._holders(site, {each for prints in articles.values() for each in prints})
        for article, prints in articles.items():
            for each in prints:
                holders[each].add(article)
        return {
            article: {each for each in prints if len(holders[each]) >= REPEATED}
            for article, prints in articles.items()
        }

    def _holders(self, site: str, prints: Collection[bytes]) -> defaultdict[bytes, set[str]]:
        found, left = defaultdict[bytes, set[str]](set), iter(prints)
        while piece := list(islice(left, PIECE)):
            marks = ",".join("?" * len(piece))
            query = f"SELECT print, article FROM paragraph WHERE site=? AND print IN ({marks})"  # noqa: S608
            for each, article in self._db.rows(query, (site, *piece)):
                found[each].add(article)
        return found

    def note(self, site: str, article: str, prints: Collection[bytes]) -> None:
        """Keep, inside a transaction, that an article has these."""
        self.note_all(site, {article: prints})

    def note_all(self, site: str, articles: Mapping[str, Collection[bytes]]) -> None:
        """Keep the same of the articles of one poll."""
        self._db.execute_many(
            "INSERT OR IGNORE INTO paragraph SELECT ?1, ?2, ?3"
            " WHERE (SELECT COUNT(*) FROM paragraph WHERE site=?1 AND print=?2)<?4",
            (
                (site, each, article, REPEATED)
                for article, prints in articles.items()
                for each in islice(prints, MAX_OF_ARTICLE)
            ),
        )
        if self._count(site) > MAX_OF_SITE:
            self._forget(site)
        if (left := self._count()) > MAX_ROWS:
            query = "SELECT site FROM paragraph GROUP BY site ORDER BY COUNT(*) DESC"
            for (largest,) in self._db.rows(query):
                left -= self._forget(largest)
                if left <= MAX_ROWS * 9 // 10:  # less often, and no less thoroughly
                    break

    def _count(self, site: str | None = None) -> int:
        where, values = ("", ()) if site is None else (" WHERE site=?", (site,))
        return int(self._db.row(f"SELECT COUNT(*) FROM paragraph{where}", values)[0])  # noqa: S608

    def _forget(self, site: str) -> int:
        """Forget what a site has not repeated, all if that is not enough; return how many rows."""
        gone = self._db.execute(
            "DELETE FROM paragraph WHERE site=?1 AND print IN (SELECT print FROM paragraph"
            " WHERE site=?1 GROUP BY print HAVING COUNT(*)<?2)",
            (site, REPEATED),
        )
        if not gone or self._count(site) > MAX_OF_SITE:
            gone += self._db.execute("DELETE FROM paragraph WHERE site=?", (site,))
        return gone
