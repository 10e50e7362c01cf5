"""The demo's newsroom: its articles, of which one is corrected later, its pages and its feeds.

Everything in them is invented, the town included.
"""

from dataclasses import replace
from html import escape

from mirror.demo import english, others
from mirror.demo.story import Story

NAME = "The Harbour Courier"
LANGUAGES = ("zh-Hans", "ar", "fa", "ru", "en")
STORIES = (*english.STORIES, *others.STORIES)
CORRECTED = replace(
    STORIES[0],
    title=STORIES[0].title.replace("One Passenger", "Two Passengers"),
    paragraphs=(
        *STORIES[0].paragraphs,
        "Correction: an earlier version of this article counted one passenger. The harbour "
        "office has found a second, who had slept under a bench.",
    ),
)


def page(story: Story) -> str:
    """Return the story's page on the newsroom's own site, with the furniture of such pages."""
    return (
        f'<!doctype html><html lang="{story.lang}"><head><meta charset="utf-8">'
        f"<title>{escape(story.title)} - {NAME}</title></head><body>"
        "<nav><a href='/'>Home</a> <a href='/sport'>Sport</a> <a href='/tides'>Tides</a></nav>"
        f"<article><h1>{escape(story.title)}</h1><p class='byline'>By {escape(story.author)}</p>"
        f"{story.html}</article><aside><p>Subscribe to our letter from the harbour!</p></aside>"
        f"<footer>© {NAME}</footer></body></html>"
    )


def feed(stories: tuple[Story, ...], lang: str, *, base: str) -> str:
    """Return the newsroom's RSS feed in one language; `base` is its site's address."""
    chosen = [story for story in reversed(stories) if story.lang == lang]
    items = "".join(_item(story, base) for story in chosen)
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
        f"<title>{NAME}</title><link>{base}/</link><language>{lang}</language>"
        "<description>News of a small town</description>"
        f"{items}</channel></rss>"
    )


def _item(story: Story, base: str) -> str:
    link = f"{base}/{story.slug}"
    teaser = escape(story.paragraphs[0][:120] + "…")
    full = "" if story.teaser else f"<content:encoded>{escape(story.html)}</content:encoded>"
    return (
        f"<item><title>{escape(story.title)}</title><link>{link}</link>"
        f'<guid isPermaLink="true">{link}</guid><pubDate>{story.date}</pubDate>'
        f"<dc:creator>{escape(story.author)}</dc:creator>"
        f"<description>{teaser}</description>{full}</item>"
    )
