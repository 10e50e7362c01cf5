"""What all pages of an edition share: the masthead, the language, and how a date is shown."""

from dataclasses import dataclass
from html import escape

from mirror.article.lang import direction
from mirror.article.render.page import Masthead
from mirror.article.render.shell import LISTS_HEAD, opening, site_links
from mirror.article.strings import Strings, strings, ui_language
from mirror.formats.encoding import encode_time
from mirror.formats.paths import article_folder
from mirror.pages.words import words
from mirror.pages.words.form import Words


@dataclass(frozen=True, slots=True)
class Frame:
    """The pages are a newsroom's, for readers of `lang`; their own words are in the nearest."""

    masthead: Masthead
    lang: str

    @property
    def words(self) -> Words:
        """The words that only these pages have."""
        return words(self.lang)

    @property
    def common(self) -> Strings:
        """The words that articles have too."""
        return strings(self.lang)

    def page(self, title: str, body: str, *, top: str = "", dateline: str = "") -> bytes:
        """Return a page: masthead, `dateline`, `body` and the links to the other pages.

        `title` is text, all else HTML; `top` leads to the site's root.
        """
        lang, newsroom = ui_language(self.lang), self.masthead.newsroom
        line = f'<div class="by">{dateline}</div>' if dateline else ""
        head = opening(
            f"{title} · {newsroom}" if title else newsroom,
            newsroom=newsroom,
            lang=lang,
            dir_=direction(lang),
            top=top,
            head=LISTS_HEAD + _feeds(top),
            below=line + site_links(self.common, top),
        )
        return f"{head}{body}{self._home()}</body></html>\n".encode()

    def _home(self) -> str:
        if not self.masthead.home:
            return ""
        return f"<footer><p>{self.words.own_site}: {link(self.masthead.home)}</p></footer>"


def _feeds(top: str) -> str:
    """Return what leads a feed reader that was given a page's address to the feeds."""
    return (
        f'<link rel="alternate" type="application/atom+xml" href="{top}feed.xml">'
        f'<link rel="alternate" type="application/feed+json" href="{top}feed.json">'
    )


def link(url: str) -> str:
    """Return an address as a link where a browser can open it, else as text."""
    shown = f'<bdi dir="ltr">{escape(url)}</bdi>'
    if not url.startswith(("https://", "http://")):
        return shown
    return f'<a href="{escape(url)}">{shown}</a>'


def article_path(short: str) -> str:
    """Return the path under which people find an article's newest revision."""
    return f"{article_folder(short)}/index.html"


def day(seconds: int) -> str:
    """Return a date as HTML; ISO, because it is the same in all nine languages."""
    when = encode_time(seconds)[:10]
    return f'<bdi dir="ltr"><time>{when}</time></bdi>'


def moment(seconds: int) -> str:
    """Return a date and time as HTML."""
    when = encode_time(seconds)
    return f'<time datetime="{when}"><bdi dir="ltr">{when[:10]} {when[11:16]} UTC</bdi></time>'


def number(value: int) -> str:
    """Return a number as HTML that keeps its digits in order in any text."""
    return f'<bdi dir="ltr">{value}</bdi>'
