"""The demo's newsroom: four articles written for it, of which one is corrected later.

Everything in them is invented, the town included.
"""

from dataclasses import dataclass
from html import escape

NAME = "The Harbour Courier"
LANGUAGES = ("en", "ru", "fa")


@dataclass(frozen=True, slots=True)
class Story:
    """An article as the invented newsroom has it; `teaser` stories have their text on a page."""

    slug: str
    lang: str
    title: str
    author: str
    date: str
    paragraphs: tuple[str, ...]
    caption: str = ""
    teaser: bool = False

    @property
    def html(self) -> str:
        """The body as the newsroom's own system would write it."""
        photo = (
            f'<figure><img src="/photo/{self.slug}.jpg" alt="{escape(self.caption)}">'
            f"<figcaption>{escape(self.caption)}</figcaption></figure>"
            if self.caption
            else ""
        )
        return photo + "".join(f"<p>{escape(text, quote=False)}</p>" for text in self.paragraphs)


STORIES = (
    Story(
        "night-ferry",
        "en",
        "The Night Ferry Runs Again, With One Passenger",
        "Ada Marsh",
        "Mon, 16 Nov 2026 06:30:00 GMT",
        (
            "The night ferry between the old harbour and Gull Island sailed on Sunday for the "
            "first time in eleven weeks. It carried a crew of four, forty crates of bread and, "
            "as the harbour office counted, one passenger.",
            "“I wanted to see whether it would really go,” said the passenger, a retired teacher "
            "named Piet Holm, who had bought his ticket in September and kept it in a book.",
            "The line was stopped on 30 August, after the island’s only landing stage was closed "
            "for repairs. The works were announced for three weeks. They took almost four times "
            "as long, because the piles that the city had ordered were too short.",
            "The harbour office would not say who had measured the water. A spokeswoman said that "
            "the depth “had been taken from a map of 1968, and the sea bed has opinions of its "
            "own.”",
            "From today the ferry leaves at 23:40 each night but Saturday. The fare is unchanged.",
        ),
        caption="The ferry at the old harbour on Sunday night. Ada Marsh / Harbour Courier",
    ),
    Story(
        "biblioteka",
        "ru",
        "Библиотека на Канатной улице открылась после потопа",
        "Вера Ланская",
        "Tue, 17 Nov 2026 09:10:00 GMT",
        (
            "Городская библиотека на Канатной улице снова открыта. Весной её подвал залило "
            "водой из лопнувшей трубы, и тысяча двести книг пришлось сушить по одной: сначала "
            "в пожарной части, затем в школьном спортзале, а самые упрямые тома — в пекарне "
            "напротив.",
            "«Больше всего боялись за газеты, — рассказывает хранительница отдела периодики "
            "Нина Орлова. — Книгу можно переиздать, а подшивка вечерней газеты за 1931 год "
            "у нас одна на весь мир».",
            "Спасти удалось почти всё. Восемь книг признаны безнадёжными, ещё тридцать одну "
            "читатели принесли из дома взамен утраченных, иногда с надписью на первой "
            "странице.",
            "Теперь каталог и старые газеты переснимают, а копии хранят в трёх разных городах. "
            "«Одной полки мало, — говорит Орлова. — Мы это выучили босиком, по колено в воде».",
        ),
    ),
    Story(
        "nan-va-namak",
        "fa",
        "نانوایی محله بندر تا نیمه‌شب باز می‌ماند",
        "نیلوفر رستگار",
        "Wed, 18 Nov 2026 15:45:00 GMT",
        (
            "نانوایی کوچک خیابان فانوس از این هفته تا نیمه‌شب باز است. صاحب آن، مریم دریایی، "
            "می‌گوید کارگران شیفت شب بندر سال‌ها نان سرد خورده‌اند و «نان سرد، شب را درازتر می‌کند».",
            "در شب نخست صف تا کنار اسکله رسید. به گفته خانم دریایی ۴۱۰ نان فروخته شد، یعنی دو "
            "برابر یک روز معمولی، و آخرین نان ساعت ۲۳:۵۵ به راننده کشتی شبانه رسید.",
            "شورای شهر با باز بودن نانوایی تا ساعت ۲۴ موافقت کرده است، به این شرط که پس از ساعت "
            "ده شب کسی در خیابان بوق نزند. «بوی نان از هر بوقی بلندتر است»، این را یکی از "
            "همسایه‌ها می‌گوید.",
            "قیمت نان تغییر نکرده است.",
        ),
    ),
    Story(
        "water-meters",
        "en",
        "City Council Refuses to Publish Water Readings, So Residents Do",
        "Tom Adeyemi",
        "Thu, 19 Nov 2026 12:00:00 GMT",
        (
            "When the city council took the weekly water readings off its site in October, it "
            "said that the figures “could be misunderstood.” Since Monday anybody can "
            "misunderstand them again: sixty-two households on the eastern slope publish their "
            "own.",
            "Each morning at seven the volunteers take a sample from the kitchen tap, measure it "
            "with a kit that costs less than a cinema ticket, and write the result on a board "
            "outside the pharmacy. In the evening somebody photographs the board.",
            "The readings so far are unremarkable, which the volunteers consider to be the "
            "point. “We did not start because we thought that the water was bad,” said Ines "
            "Calder, who keeps the board. “We started because it was none of our business any "
            "more.”",
            "The council did not answer questions that this newspaper sent on Tuesday and again "
            "on Wednesday. A council member, who asked not to be named, said that the figures "
            "would return “as soon as the form for publishing them has been approved.”",
            "A spare board is kept at the fire station. If the first one should disappear, the "
            "volunteers say, it will be copied before the ink of the order is dry.",
        ),
        teaser=True,
    ),
)

CORRECTED = Story(
    STORIES[0].slug,
    STORIES[0].lang,
    STORIES[0].title.replace("One Passenger", "Two Passengers"),
    STORIES[0].author,
    STORIES[0].date,
    (
        *STORIES[0].paragraphs[:4],
        "From today the ferry leaves at 23:40 each night but Saturday. The fare is unchanged.",
        "Correction: an earlier version of this article counted one passenger. The harbour "
        "office has found a second, who had slept under a bench.",
    ),
    caption=STORIES[0].caption,
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
