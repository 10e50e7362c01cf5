"""Feeds of invented news: varied text in four languages, the same bytes every time.

Words are made of syllables and drawn as in real text, few of them often and most seldom.
"""

import random
from functools import cache
from html import escape

VOCABULARY = 4000  # words of a language; an article uses some 400 of them
SYLLABLES = {
    "en": "the in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le",
    "ru": "ст но то на ен ов ни ра во ко ал ли по ре ос пр ро ла ор ер та го ка ло ве де ан ет ие",
    "fa": "ان ای را در می ار ها به اس ست که یا ین ده از بر ند مر تا دا شد ری ود کا یم شا اد سر نا",
    "de": "en er ch de ei ie in te ge un nd ic es be he st ne an re au ss se di sc ein ung ver",
}
SENTENCES = (5, 11)  # of a paragraph
BODY_BYTES = (3000, 6000)


@cache
def _vocabulary(lang: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    draw = random.Random(lang)
    syllables = SYLLABLES[lang].split()
    words = dict.fromkeys(
        "".join(draw.choices(syllables, k=draw.randint(1, 4))) for _ in range(3 * VOCABULARY)
    )
    kept = tuple(words)[:VOCABULARY]
    weights, total = [], 0.0
    for rank in range(1, len(kept) + 1):
        total += 1 / rank
        weights.append(total)
    return kept, tuple(weights)


def _sentence(draw: random.Random, lang: str) -> str:
    words, weights = _vocabulary(lang)
    drawn = draw.choices(words, cum_weights=weights, k=draw.randint(8, 22))
    return " ".join(drawn).capitalize() + "."


def body(number: int, lang: str) -> str:
    """Return the HTML of article `number`, as a newsroom's system writes it."""
    draw = random.Random(f"{lang} {number}")
    wanted, paragraphs, size = draw.randint(*BODY_BYTES), [], 0
    while size < wanted:
        text = " ".join(_sentence(draw, lang) for _ in range(draw.randint(*SENTENCES)))
        if draw.random() < 0.3:
            text = text.replace(". ", f'. <a href="https://example.org/{draw.getrandbits(32)}">', 1)
            text = text.replace(". ", ".</a> ", 1) if "</a>" not in text else text
        paragraphs.append(f"<p>{text}</p>")
        size += len(text.encode())
    paragraphs.insert(2, f"<h2>{_sentence(draw, lang)}</h2>")
    paragraphs.insert(
        1,
        f'<figure><img src="https://example.org/{number}.jpg" alt="">'
        f"<figcaption>{_sentence(draw, lang)} Photo: A. Person</figcaption></figure>",
    )
    return "".join(paragraphs)


def title(number: int, lang: str) -> str:
    """Return the headline of article `number`."""
    return _sentence(random.Random(f"title {lang} {number}"), lang)[:90]


def feed(lang: str, numbers: range) -> bytes:
    """Return an RSS feed with the full text of these articles."""
    items = "".join(
        f"<item><title>{escape(title(number, lang))}</title>"
        f"<link>https://example.org/{lang}/{number}</link>"
        f'<guid isPermaLink="true">https://example.org/{lang}/{number}</guid>'
        f"<pubDate>Mon, 16 Nov 2026 06:30:00 GMT</pubDate><dc:creator>A. Person</dc:creator>"
        f"<content:encoded><![CDATA[{body(number, lang)}]]></content:encoded></item>"
        for number in numbers
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"'
        ' xmlns:content="http://purl.org/rss/1.0/modules/content/"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
        f"<title>News</title><link>https://example.org/{lang}/</link>"
        f"<description>News</description><language>{lang}</language>{items}</channel></rss>"
    ).encode()
