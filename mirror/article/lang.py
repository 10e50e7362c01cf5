"""Language tags as sources write them, and which way a text runs."""

import re
from typing import Literal

Direction = Literal["ltr", "rtl"]

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}\Z")
_RTL_SCRIPTS = frozenset({"Arab", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm", "Rohg", "Mand", "Samr"})
_RTL_LANGUAGES = frozenset(
    # Those whose usual script runs from right to left (CLDR). `ku` is not among them:
    # Kurmanji is written in Latin letters, Sorani has its own code, `ckb`.
    re.findall(
        r"\w+",
        "ar arz ary apc acm ajp aeb ars fa prs he iw yi ji ur ps ckb sdh lrc dv sd ug ks "
        "syr nqo azb mzn glk bal pnb skr rhg haz bgn",
    )
)
_RTL_LETTERS = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+")
_LETTERS = re.compile(r"[^\W\d_]+")


def normalised(tag: str) -> str:
    """Return `tag` as BCP 47 writes it (`en-US`, `zh-Hans`), or "" if it is no such tag."""
    tag = tag.strip().replace("_", "-")
    if not _TAG.match(tag):
        return ""
    first, *rest = tag.split("-")
    return "-".join([first.lower(), *(_subtag(part) for part in rest)])


def direction(tag: str, sample: str = "") -> Direction:
    """Return the direction of text in the language `tag`, or of `sample` if that is plain.

    Many Persian and Arabic sites leave their software's "en-US" in place, so a sample
    most of whose letters run from right to left outweighs the tag.
    """
    if _RTL_LETTERS.search(sample):
        letters, from_right = (
            sum(map(len, pattern.findall(sample))) for pattern in (_LETTERS, _RTL_LETTERS)
        )
        if letters >= 20 and from_right * 2 > letters:
            return "rtl"
    first, *rest = tag.split("-")
    for part in rest:
        if len(part) == 4 and part.isalpha():
            return "rtl" if part in _RTL_SCRIPTS else "ltr"
    return "rtl" if first in _RTL_LANGUAGES else "ltr"


def _subtag(part: str) -> str:
    if part.isalpha() and len(part) == 4:
        return part.title()
    return part.upper() if part.isalpha() and len(part) == 2 else part.lower()
