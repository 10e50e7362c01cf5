"""An article to HTML files that need nothing else: level L0, for any browser, script or not.

One file per part. Every part, compressed and with an answer's headers, passes where a
connection is frozen after some 12 kB. The bytes depend on the arguments alone.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from mirror.article.article import Article
from mirror.article.render.parts import fits, in_parts
from mirror.article.render.revisions import NEWEST, Revision, listing, stamp
from mirror.article.render.shell import TO_ROOT, in_line, opening, own_words, site_links
from mirror.article.render.shown import shown_blocks
from mirror.article.strings import Strings, strings
from mirror.article.text import plain, shortened

MAX_TAGS = 20
MAX_TAG_CHARS = 60
"""Of the subjects shown: some feeds give each article a hundred search words."""


@dataclass(frozen=True, slots=True)
class Masthead:
    """Whose article a page shows."""

    newsroom: str
    origin: str
    """The name of the log that the article is in."""
    home: str
    """The newsroom's own site, absolute, or ""."""


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What all parts of one revision share."""

    article: Article
    masthead: Masthead
    rev: int
    id_hex: str
    revisions: Sequence[Revision]

    @property
    def words(self) -> Strings:
        return strings(self.article.lang)

    def name(self, part: int) -> str:
        """Return the file name of a part, from 1."""
        return f"{self.rev}.html" if part == 1 else f"{self.rev}-{part}.html"


def render(
    article: Article,
    *,
    masthead: Masthead,
    rev: int,
    id_hex: str,
    revisions: Sequence[Revision] = (),
) -> tuple[bytes, ...]:
    """Return the files of one revision: `<rev>.html`, then `<rev>-2.html` and so on.

    The first part holds the SHA-256 of each other one, so a proof of the first proves all, and
    the list of `revisions` (oldest first, this one last) where there is more than one. Beside
    it are to be the pictures (`picture.files`) and what each listed revision changed.

    Raises:
        FormatError: too large for the parts that the first can list (`parts`).
    """
    sheet = _Sheet(article, masthead, rev, id_hex, revisions)
    shown = shown_blocks(article)
    whole = _file(sheet, shown, part=1, later=())
    if fits(whole):
        return (whole,)
    return in_parts(
        shown,
        whole=len(whole),
        first=lambda blocks, later: _file(sheet, blocks, part=1, later=later),
        other=lambda blocks, part, parts: _file(sheet, blocks, part=part, parts=parts),
    )


def _file(
    sheet: _Sheet,
    blocks: Sequence[str],
    *,
    part: int,
    later: Sequence[bytes] = (),
    parts: int = 1,
) -> bytes:
    """Return one part; `later` are the finished files of the others where this is the first."""
    article = sheet.article
    parts = max(parts, 1 + len(later))
    newsroom = sheet.masthead.newsroom
    pages = [
        opening(
            plain(f"{article.title} · {newsroom}"),
            newsroom=newsroom,
            lang=article.lang,
            dir_=article.dir,
            top=TO_ROOT,
        ),
        '<main class="t" itemscope itemtype="https://schema.org/NewsArticle">'
        f'<h1 itemprop="headline">{escape(in_line(article.title), quote=False)}</h1>',
        _byline(sheet, part, parts),
        '<div itemprop="articleBody">\n',
        "\n".join(blocks),
        "\n</div>",
        _subjects(article) if part == 1 else "",
        _navigation(sheet, part, parts, later),
        _footer(sheet, part),
        "</main></body></html>\n",
    ]
    return "".join(pages).encode()


def _byline(sheet: _Sheet, part: int, parts: int) -> str:
    article, own = sheet.article, _own(sheet.article)
    names = ", ".join(
        f'<span itemprop="author">{escape(in_line(plain(name)))}</span>' for name in article.authors
    )
    when = _time("datePublished", article.published) if article.published else ""
    line = " · ".join(piece for piece in (names, when, _changed(sheet)) if piece)
    html = f'<p class="by">{line}</p>' if line else ""
    if article.partial:
        html += f"<p{own}><strong>{sheet.words.partial}</strong></p>"
    if article.gone:
        date = f'<bdi dir="ltr">{escape(article.gone)}</bdi>'
        html += f"<p{own}><strong>{sheet.words.gone.format(date=date)}</strong></p>"
    if parts > 1:
        label = sheet.words.part.format(part=part, parts=parts)
        html += f'<p class="by"{own}>{label}</p>'
    return html


def _changed(sheet: _Sheet) -> str:
    article = sheet.article
    if article.modified in ("", article.published):
        return ""
    time = _time("dateModified", article.modified)
    return f"<span{_own(article)}>{sheet.words.changed.format(time=time)}</span>"


def _time(property_: str, time: str) -> str:
    return f'<time itemprop="{property_}" datetime="{escape(time)}">{stamp(time)}</time>'


def _subjects(article: Article) -> str:
    """Return a line of the article's tags, in the source's words."""
    if not article.tags:
        return ""
    short = (shortened(plain(tag), max_chars=MAX_TAG_CHARS) for tag in article.tags[:MAX_TAGS])
    tags = ", ".join(f'<span itemprop="keywords">{escape(in_line(tag))}</span>' for tag in short)
    label = f"<span{_own(article)}>{strings(article.lang).subjects}</span>"
    return f'<p class="by">{label}: {tags}</p>'


def _navigation(sheet: _Sheet, part: int, parts: int, later: Sequence[bytes]) -> str:
    """Return the links between parts, with the hashes of the others in the first."""
    if parts == 1:
        return ""
    words = sheet.words
    links = []
    if part > 1:
        links.append(f'<a href="{sheet.name(1)}">{words.first_part}</a>')
    if part < parts:
        links.append(f'<a href="{sheet.name(part + 1)}" rel="next">{words.next_part}</a>')
    items = [
        f'<li><a href="{sheet.name(number)}">{words.part.format(part=number, parts=parts)}</a> '
        f'<small><bdi dir="ltr">SHA-256 {hashlib.sha256(data).hexdigest()}</bdi></small></li>'
        for number, data in enumerate(later, 2)
    ]
    listing = f"<p>{words.parts.format(parts=parts)}</p><ul>{''.join(items)}</ul>" if items else ""
    named = f' aria-label="{words.parts.format(parts=parts)}"'
    return f"<nav{named}{_own(sheet.article)}><p>{' · '.join(links)}</p>{listing}</nav>"


def _footer(sheet: _Sheet, part: int) -> str:
    words, name = sheet.words, sheet.name(part)
    # Only the first part has a record in the log; it holds the hashes of the others.
    suffixes = (".tlog-proof", ".minisig", ".sig") if part == 1 else (".minisig", ".sig")
    beside = " ".join(
        f'<a href="{name}{suffix}"><bdi dir="ltr">{name}{suffix}</bdi></a>' for suffix in suffixes
    )
    history = listing(sheet.revisions, words) if part == 1 else ""
    check = escape(words.check).format(file=f'<bdi dir="ltr">{name}</bdi>')
    return (
        f"<footer{_own(sheet.article)}><p>{words.mirrored.format(rev=sheet.rev)} · "
        f'<a href="{NEWEST}">{words.newest}</a></p>{history}'
        f"{_original(sheet)}{_home(sheet.masthead)}<p>{check} {beside}</p>"
        f'<p>{words.article_id} <bdi dir="ltr">{escape(sheet.id_hex)}</bdi> · '
        f'<bdi dir="ltr">{escape(sheet.masthead.origin)}</bdi></p>'
        f"{site_links(words, TO_ROOT)}</footer>"
    )


def _original(sheet: _Sheet) -> str:
    url = escape(sheet.article.url)
    link = f'<a itemprop="url" href="{url}"><bdi dir="ltr">{url}</bdi></a>'
    return f"<p>{sheet.words.original}: {link}</p>" if url else ""


def _home(masthead: Masthead) -> str:
    if not masthead.home:
        return ""
    home = escape(masthead.home)
    name = f"<bdi>{escape(masthead.newsroom)}</bdi>"
    return f'<p>{name}: <a href="{home}"><bdi dir="ltr">{home}</bdi></a></p>'


def _own(article: Article) -> str:
    """Return the attributes of the page's own words where the article's language has none."""
    return own_words(article.lang, article.dir)
