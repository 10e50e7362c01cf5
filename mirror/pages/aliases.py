"""The page at another address of an article: a link to it, no redirect."""

from html import escape

from mirror.article.render.shell import TO_ROOT
from mirror.formats.index import AnyItem, Item
from mirror.pages.fit import ROOMS, shown
from mirror.pages.frame import Frame, article_path


def alias_page(frame: Frame, item: AnyItem) -> bytes:
    """Return the `index.html` that leads to the article `item`."""
    title = shown(item.title, item.id, ROOMS[0]) if isinstance(item, Item) else item.id
    about = f' lang="{escape(item.lang)}" dir="{item.dir}"' if isinstance(item, Item) else ""
    link = f'<a href="{TO_ROOT}{article_path(item.id)}"{about}>{escape(title, quote=False)}</a>'
    body = (
        f'<main class="t"><p class="by">{frame.words.moved}</p>'
        f'<ul class="l"><li>{link}</li></ul></main>'
    )
    return frame.page(title, body, top=TO_ROOT)
