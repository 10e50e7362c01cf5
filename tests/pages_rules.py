"""What every page for people keeps to, and a site of many articles to look at."""

import base64
import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fakes import MemoryStore, open_signer, quiet_desk

from mirror.article.article import Article
from mirror.article.identity import Identity
from mirror.article.render.page import Masthead
from mirror.cycle import publish
from mirror.formats.root import trust_files
from mirror.pages.frame import Frame
from mirror.pages.story import Story, Told
from mirror.signer import Draft, Signer

LANGUAGES = ("en", "ru", "fa", "ar", "be", "uk", "zh-Hans", "zh-Hant", "tr")
MASTHEAD = Masthead("The Harbour", "mirror.example/harbour", "https://harbour.example/")
EVIL = "</title></a><script>alert('x')</script>\"' onmouseover=\"x\" & ]]> <!-- {x} \x0b"
VOID_TAGS = frozenset({"meta", "link", "br", "hr", "wbr"})
UNKNOWN_TAGS = {"script", "img", "iframe", "svg", "form", "base", "object", "embed", "input"}


class Page(HTMLParser):
    """A page taken apart; `flaws` is what no page may have."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.flaws: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self._style = ""
        text = data.decode()
        self.feed(text)
        self.close()
        self.html = text
        if self._open:
            self.flaws.append(f"never closed: {self._open}")
        self._check_policy()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if tag in UNKNOWN_TAGS or len(set(names)) != len(names):
            self.flaws.append(f"<{tag} {names}>")
        if any(name.startswith("on") or name in ("style", "src", "srcset") for name in names):
            self.flaws.append(f"<{tag} {names}>")
        given = {name: value or "" for name, value in attrs}
        if given.get("dir", "ltr") not in ("ltr", "rtl", "auto"):
            self.flaws.append(f"dir={given['dir']}")
        if "href" in given:
            self.links.append(given["href"])
        if tag == "p" and "p" in self._open:
            self.flaws.append("a p in a p")
        if tag not in VOID_TAGS:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.flaws.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self._style = data
        else:
            self.texts.append(data)

    def _check_policy(self) -> None:
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'; "
            "base-uri 'none'; form-action 'none'"
        )
        if f'content="{policy}"' not in self.html or len(self._style.encode()) > 1024:
            self.flaws.append("the policy is not of this sheet, or the sheet is too large")
        if not self.html.startswith("<!doctype html><html lang="):
            self.flaws.append("no doctype or language")
        if re.search(r"(?:margin|padding|border)-(?:left|right|top|bottom)", self._style):
            self.flaws.append("a sheet with a physical direction")

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def broken_links(files: Mapping[str, bytes], paths: Iterable[str]) -> list[str]:
    """Return the links of pages at `paths` that lead nowhere in the site, or have a query."""
    broken = []
    for path in paths:
        for link in Page(files[path]).links:
            parts = urlsplit(link)
            if link == "about:blank" or parts.scheme in ("http", "https"):
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), parts.path))
            if parts.query or parts.scheme or unquote(target) not in files:
                broken.append(f"{path}: {link}")
    return broken


def frame(lang: str = "en", newsroom: str = "The Harbour") -> Frame:
    return Frame(Masthead(newsroom, MASTHEAD.origin, MASTHEAD.home), lang)


def story(n: int, *, title: str = "", summary: str = "", lang: str = "en") -> Story:
    short = hashlib.sha256(b"%d" % n).hexdigest().translate(str.maketrans("0189", "abcd"))[:20]
    told = Told(summary or f"Summary {n}.", f"https://harbour.example/{n}", ("Ada Marsh",))
    dir_ = "rtl" if lang in ("fa", "ar") else "ltr"
    times = 1_795_000_000 + 3600 * n, 1_795_000_000 + 3600 * n + 60
    return Story(short, n, 2, *times, title or f"Story {n}", lang, dir_, told)


def draft(signer: Signer, number: int, *, text: str = "", title: str = "") -> Draft:
    """Return article `number`, new or as a revision, with a text of its own."""
    identity = Identity((f"guid {number}",), hashlib.sha256(b"%d" % number).digest())
    article = Article(
        url=f"https://news.example/{number}",
        title=title or f"Story {number}",
        authors=("Ada Marsh",),
        published="2026-11-16T06:30:00Z",
        lang="en",
        dir="ltr",
        blocks=(f"<p>{text or f'The text of story {number}.'}</p>", f"<p>More of {number}.</p>"),
        partial=False,
    )
    return Draft(article, identity, "https://news.example/feed", signer.state.find(identity.keys))


async def publish_all(signer: Signer, store: MemoryStore, *drafts: Draft, now: int) -> None:
    """Publish `drafts` in one round, as a cycle does."""
    signer.append(drafts, now=now)
    await publish(quiet_desk(signer, store), now=lambda: now)


def opened(folder: Path) -> tuple[Signer, MemoryStore]:
    """Return a signer and a store that has the root's files, as `init` makes them."""
    signer = open_signer(folder)
    files = trust_files(signer.root)
    return signer, MemoryStore({f"trust/{name}": data for name, data in files.items()})
