"""The words of the pages for people, in the languages of their readers; one module each."""

from collections.abc import Mapping

from mirror.article.strings import ui_language
from mirror.pages.words.ar import WORDS as AR
from mirror.pages.words.be import WORDS as BE
from mirror.pages.words.en import WORDS as EN
from mirror.pages.words.fa import WORDS as FA
from mirror.pages.words.form import Words
from mirror.pages.words.ru import WORDS as RU
from mirror.pages.words.tr import WORDS as TR
from mirror.pages.words.uk import WORDS as UK
from mirror.pages.words.zh_hans import WORDS as ZH_HANS
from mirror.pages.words.zh_hant import WORDS as ZH_HANT

TABLE: Mapping[str, Words] = {
    "en": EN,
    "ru": RU,
    "fa": FA,
    "ar": AR,
    "be": BE,
    "uk": UK,
    "zh-Hans": ZH_HANS,
    "zh-Hant": ZH_HANT,
    "tr": TR,
}


def words(lang: str) -> Words:
    """Return the words of a page for readers of `lang`."""
    return TABLE[ui_language(lang)]
