"""The article: the cleaned document made from an entry; what is rendered and signed."""

import hashlib
import re
from dataclasses import dataclass

from mirror.article.lang import Direction
from mirror.article.picture import Picture

NO_BREAK = "\u00a0"
"""A space for typesetters: that a headline gained one is no edit, and no other name."""
_LABEL = re.compile(r'(<a itemprop="contentUrl" href="[^"]*"(?: title="[^"]*")?>)[^<]*')
"""The words of a picture's link: the program's, in the reader's language, and not the source's."""


@dataclass(frozen=True, slots=True)
class Article:
    """The text of one original, as clean blocks that are safe to show in any page."""

    url: str
    """The original's canonical address, "" if it has none."""
    title: str
    authors: tuple[str, ...]
    published: str
    """The source's own date, `YYYY-MM-DDTHH:MM:SSZ`, or "" where it gave none."""
    lang: str
    """BCP 47, or "" if nobody said."""
    dir: Direction
    blocks: tuple[str, ...]
    """Clean HTML, one top-level element each: p, h2 to h4, ul, ol, dl, blockquote, figure,
    table, pre or hr."""
    partial: bool
    """Only a teaser or a cut text."""
    tags: tuple[str, ...] = ()
    """Its subjects in the source's words, plain."""
    modified: str = ""
    """When the source says that it was last changed, as `published`."""
    stated: str = ""
    """The day (`YYYY-MM-DD`) that the article's own page says it was published, or ""."""
    gone: str = ""
    """The day since which the source no longer has it, "" while it has."""
    pictures: tuple[Picture, ...] = ()
    """Those of the pictures in `blocks` that could be had, or may come."""

    @property
    def digest(self) -> bytes:
        """SHA-256 over what makes an edit: title, authors, language, blocks and the page's day.

        A feed's dates are left out (a real one moves them with every answer), and so are the
        program's own words in a block: a better translation must not revise an archive.
        A picture counts by its address at the source: one that could not be had once is no edit.
        Each field is preceded by its length, so that no two articles share one input.
        """
        sha256 = hashlib.sha256()
        blocks = [
            _LABEL.sub(r"\1", block) if "contentUrl" in block else block for block in self.blocks
        ]
        more = [field for field in (self.stated, self.gone) if field]
        for fields in ([self.title], self.authors, [self.lang], blocks, *([more] if more else [])):
            sha256.update(b"%d;" % len(fields))
            for field in fields:
                raw = field.replace(NO_BREAK, " ").encode()
                sha256.update(b"%d:%b" % (len(raw), raw))
        return sha256.digest()
