"""What every page of a site begins with: its policy, its style sheet and its masthead.

There are two sheets, for articles and for lists, each one kB: a sheet is a part of its page,
because a second request may not pass where connections are frozen. Both are newspapers: one
column of 36 rem to read, as many columns as there is room for to choose from.
"""

import base64
import hashlib
import re
from html import escape

from mirror.article.lang import Direction
from mirror.article.strings import Strings, strings, ui_language

TO_ROOT = "../../../../../"
"""Pages live at `a/<x>/<y>/<z>/<rest>/<rev>.html`: five folders below the site's root."""
EXIT = "about:blank"
"""Where the first link of a page leads: nothing is asked of anybody, no script is needed."""

_BASE = (
    "body{max-width:62rem;padding:1rem;background:#fffdf8;color:#111;"
    "font:1.1rem/1.6 Georgia,serif;overflow-wrap:anywhere}"
    "body,.t{margin:auto}"
    ".t,.f p{max-width:36rem}"
    "a{color:inherit}"
    "h1,h2,.l a{line-height:1.25}"
    "header{text-align:center;border-block-end:4px double}"
    "header>a{display:block;font:700 min(9vw,3.2rem)/1.4 Georgia,serif}"
    "header a,.l a{text-decoration:none}"
    "nav{display:flex;flex-wrap:wrap;gap:0 1em;justify-content:center}"
    "nav:first-child{justify-content:end}"
    "nav a,footer a{display:inline-block;padding:.8rem 0;min-width:44px}"
    "nav,footer,small,.by,figure{font:.95rem system-ui,sans-serif;opacity:.8}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}"
    "@media print{nav{display:none}}"
)
_ARTICLE = (
    "div>p:first-child{font-size:1.2em}"
    "figure,footer{border-block-start:1px solid;margin:1em 0}"
    "footer p{margin:1ex 0}"
    "blockquote{border-inline-start:3px solid;margin:0;padding:0 1em}"
    "figure>a{display:block;padding:.8em 0}"
    "pre,table{display:block;overflow:auto}"
    "td,th{border:1px solid;overflow-wrap:normal}"
    "div{overflow:clip}"
)
_LISTS = (
    "header>*+*,footer,.l li{border-block-start:1px solid #999}"
    ".l{list-style:none;padding:0}"
    ".l li{padding:0 0 1em}"
    ".l a{display:block;font-weight:700;padding:.9rem 0 .5rem}"
    ".f{display:grid;grid:auto/repeat(auto-fill,minmax(17rem,1fr));gap:0 2rem}"
    ".f :first-child{grid-column:1/-1;border:0}"
    ".f :first-child>a{font-size:2em}"
    ".f p{margin:0}"
)
_MARK = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_MARKS = re.compile(f"({_MARK}{{6}}){_MARK}+")


def in_line(text: str) -> str:
    """Return `text` with at most six marks on a letter, which is more than any language needs.

    A hundred of them stand over the lines above and below: over the way off the page, too.
    """
    return _MARKS.sub(r"\1", text)


def head(sheet: str) -> str:
    """Return the elements of a head that permit and hold `sheet`, and nothing else."""
    permitted = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    return (
        '<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src '
        f"'none'; style-src 'sha256-{permitted}'; img-src 'self'; base-uri 'none'; "
        "form-action 'none'\">"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="x-dns-prefetch-control" content="off">'
        f'<meta name="referrer" content="no-referrer"><style>{sheet}</style>'
    )


ARTICLE_HEAD = head(_BASE + _ARTICLE)
LISTS_HEAD = head(_BASE + _LISTS)


def opening(
    title: str,
    *,
    newsroom: str,
    lang: str,
    dir_: Direction,
    top: str = "",
    head: str = ARTICLE_HEAD,
    below: str = "",
) -> str:
    """Return a page's HTML up to its masthead; `top` leads to the site's root.

    `below` stands below the newsroom's name. The first thing on the page is a way off it. The page
    that is titled as the newsroom is named is the front page, and its masthead the heading.
    """
    leave = f'<a href="{EXIT}" rel="noreferrer"><b>{strings(lang).leave}</b></a>'
    here = 'role="heading" aria-level="1"' if title == newsroom else f'href="{top}index.html"'
    return (
        f'<!doctype html><html lang="{escape(lang)}" dir="{dir_}"><head>{head}'
        f"<title>{escape(title, quote=False)}</title></head><body><header>"
        f'<nav role="none"{own_words(lang, dir_)}>{leave}</nav>'
        f'<a {here} dir="auto">{escape(newsroom)}</a>{below}</header>'
    )


def site_links(words: Strings, top: str) -> str:
    """Return the links to the pages for people; `top` leads to the site's root."""
    pages = (
        ("index.html", words.front),
        ("archive/index.html", words.archive),
        ("mirrors.html", words.mirrors),
        ("check.html", words.how_to_check),
        ("feed.xml", words.feed),
    )
    links = " ".join(f'<a href="{top}{path}">{word}</a>' for path, word in pages)
    return f"<nav>{links}</nav>"


def own_words(lang: str, dir_: Direction) -> str:
    """Return the attributes of a page's own words where its language `lang` has none."""
    own = ui_language(lang)
    if own.split("-")[0] == lang.split("-")[0]:
        return ""
    return f' lang="{own}" dir="ltr"' if dir_ == "rtl" else f' lang="{own}"'
