"""The front page: the newest articles, the first of them large."""

from collections.abc import Sequence
from html import escape

from mirror.article.lang import direction
from mirror.article.strings import ui_language
from mirror.pages.fit import MAX_FRONT, ROOMS, cut, fitting
from mirror.pages.frame import Frame, article_path, day, moment, number
from mirror.pages.story import Story

LEADS = 3  # shown with their first sentences: thirty would be more than one connection carries


def front_page(frame: Frame, stories: Sequence[Story], *, issued: int, count: int) -> bytes:
    """Return `index.html`; `stories` are the newest, newest first, of `count` articles."""
    dateline = " · ".join(
        (
            frame.words.as_of.format(time=moment(issued)),
            frame.words.articles.format(count=number(count)),
        )
    )
    return fitting(
        lambda room: _page(frame, [cut(each, room) for each in stories], dateline),
        ROOMS,
        max_bytes=MAX_FRONT,
    )


def _page(frame: Frame, stories: Sequence[Story], dateline: str) -> bytes:
    items = "".join(_item(frame, story, place) for place, story in enumerate(stories))
    listing = f'<ol class="l f">{items}</ol>' if items else ""
    older = f'<nav role="none"><a href="archive/index.html">{frame.common.archive}</a></nav>'
    body = f"<main>{listing}{older}</main>"
    return frame.page("", body, dateline=dateline)


def _item(frame: Frame, story: Story, place: int) -> str:
    lead = story.told.summary if story.told and place < LEADS else ""
    text = f"<p>{escape(lead, quote=False)}</p>" if lead else ""
    return (
        f"<li{own_language(frame, story.lang, story.dir)}>"
        f'<a href="{article_path(story.short)}">{escape(story.title, quote=False)}</a>{text}'
        f"<small>{day(story.first)}</small></li>"
    )


def own_language(frame: Frame, lang: str, dir_: str) -> str:
    """Return the attributes of a text in `lang` on a page that may be in another language."""
    ui = ui_language(frame.lang)
    named = f' lang="{escape(lang)}"' if lang != ui else ""
    return named + (f' dir="{dir_}"' if dir_ != direction(ui) else "")
