"""The front page and the list of mirrors: for people, made anew with every index document."""

from html import escape

from mirror.article.lang import direction
from mirror.article.page import HEAD, TO_ROOT, Masthead
from mirror.article.strings import strings
from mirror.formats.encoding import encode_time
from mirror.formats.index import AnyItem, Index, Item
from mirror.formats.paths import article_folder

TRUST_FILES = ("minisign.pub", "allowed_signers", "log.vkey", "policy")
CHECK = """\
mirror verify 1.html --root {root}.root.json
minisign -Vm 1.html -p minisign.pub
signify-openbsd -V -p minisign.pub -m 1.html -x 1.html.minisig
ssh-keygen -Y verify -f allowed_signers -I {origin} -n article@mirror -s 1.html.sig < 1.html
"""
"""With each tool that a reader may have; only the first also says that the public log has it."""


def front_page(index: Index, *, masthead: Masthead) -> bytes:
    """Return `index.html`: the newest articles, each a link to its page."""
    items = "".join(map(_line, index.newest))
    words = strings(index.lang)
    body = (
        f"<main><ul>{items}</ul></main>"
        f'<footer><nav><a href="mirrors.html">{words.mirrors}</a></nav></footer>'
    )
    return _shell(masthead.newsroom, index.lang, body)


def mirrors_page(index: Index, *, masthead: Masthead) -> bytes:
    """Return `mirrors.html`: where else the same site can be read, and how to check it."""
    mirrors = "".join(
        f'<li><a href="{escape(each.url)}"><bdi dir="ltr">{escape(each.url)}</bdi></a></li>'
        for each in index.mirrors
    )
    words = strings(index.lang)
    names = (f"{index.root}.root.json", *TRUST_FILES)
    files = "".join(
        f'<li><a href="trust/{name}"><bdi dir="ltr">trust/{name}</bdi></a></li>' for name in names
    )
    listing = f"<ul>{mirrors}</ul>" if mirrors else ""
    check = escape(words.check).format(file='<bdi dir="ltr">1.html</bdi>')
    commands = escape(CHECK.format(root=index.root, origin=index.origin), quote=False)
    body = (
        f"<main><h1>{words.mirrors}</h1>{listing}<p>{check}</p>"
        f'<pre dir="ltr">{commands}</pre><ul>{files}</ul></main>'
    )
    return _shell(masthead.newsroom, index.lang, body)


def alias_page(item: AnyItem, *, masthead: Masthead) -> bytes:
    """Return the `index.html` at another address of an article: a link to it, no redirect."""
    title = item.title if isinstance(item, Item) else item.id
    lang = item.lang if isinstance(item, Item) else ""
    target = f"{TO_ROOT}{article_folder(item.id)}/index.html"
    link = f'<main><p><a href="{target}" dir="auto">{escape(title)}</a></p></main>'
    return _shell(masthead.newsroom, lang, link, top=TO_ROOT)


def _line(item: Item) -> str:
    when = encode_time(item.time)
    return (
        f'<li><a href="{article_folder(item.id)}/index.html" lang="{escape(item.lang)}"'
        f' dir="{item.dir}">{escape(item.title)}</a> <small><time datetime="{when}">'
        f'<bdi dir="ltr">{when[:10]}</bdi></time></small></li>'
    )


def _shell(newsroom: str, lang: str, body: str, *, top: str = "") -> bytes:
    name = escape(newsroom)
    return (
        f'<!doctype html><html lang="{escape(lang)}" dir="{direction(lang)}">'
        f"<head>{HEAD}<title>{name}</title></head><body>"
        f'<header><a href="{top}index.html" dir="auto">{name}</a></header>{body}</body></html>\n'
    ).encode()
