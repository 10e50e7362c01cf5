"""The site that is fetched in the lab: published by the real signer, and added to a real Kubo."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from fakes import keys
from kubo import Kubo

from mirror import init
from mirror.article.article import Article
from mirror.article.identity import Identity
from mirror.article.picture import Picture
from mirror.article.render.page import Masthead
from mirror.dag import Dag
from mirror.formats.paths import revision_path, short_id
from mirror.formats.root import trust_files
from mirror.formats.url import article_id
from mirror.mirrors import Mirror, Mirrors
from mirror.press import Press
from mirror.signer import Draft, Signer
from mirror.state import State
from mirror.stores.dir import DirStore

ORIGIN = "news.test/log"
ARTICLE = "https://news.test/1"
ONE, TWO = "https://one.test/", "https://two.test/"


@dataclass(frozen=True, slots=True)
class Site:
    """A published site: `folder` is what mirrors serve, `page` the path of the wanted article."""

    folder: Path
    root: Path
    db: Path
    page: str
    ipfs: Path
    """The repository of a Kubo that has it, under `cid`."""
    cid: str

    @property
    def own(self) -> dict[str, str]:
        """Where an operator has what he holds mirrors against."""
        return {"db": str(self.db), "origin": ORIGIN, "trust": str(self.root.parent)}


def _story(number: int) -> Article:
    """Return an article with two pictures, as large as may be; the first has three pages too."""
    length = 99 if number == 1 else 9
    words = [
        f"<p>word1 {' '.join(f'word{i * j % 9973}' for i in range(2, 90))}</p>"
        for j in range(length)
    ]
    urls = [f"https://news.test/{number}-{i}.jpg" for i in (1, 2)]
    shown = [f'<figure><img src="{url}"></figure>' for url in urls]
    webp = [os.urandom(11_900) for _ in urls]
    return Article(
        url=f"https://news.test/{number}",
        title=f"Story {number}",
        authors=("Ada Marsh",),
        published="2026-11-16T06:30:00Z",
        lang="en",
        dir="ltr",
        blocks=(*shown, *words),
        partial=False,
        pictures=tuple(Picture(url, data, 480, 320) for url, data in zip(urls, webp, strict=True)),
    )


def _identity(number: int) -> Identity:
    id_ = article_id(f"https://news.test/{number}")
    return Identity((f"guid {number}",), id_)


async def _publish(folder: Path) -> None:
    """Publish with the real signer, both mirrors being announced."""
    now, mine = int(time.time()), keys(ORIGIN)
    state = State.open(folder / "state.db", origin=ORIGIN)
    root = init.first_root(mine, bytes(32), now=now - 3600)
    signer = Signer(mine, state, root, Masthead("A newsroom", ORIGIN, ""), "en")
    trust = folder / "site" / "trust"
    trust.mkdir(parents=True)
    for name, data in trust_files(root).items():
        (trust / name).write_bytes(data)
    with state.transaction():
        for url in (ONE, TWO):
            Mirrors(state.db).put(Mirror(url, "public", "healthy", now, now))
    press = Press(signer, DirStore(folder / "site"), Dag(state.db, folder / "site"))
    await press.settle()
    drafts = [Draft(_story(n), _identity(n), "https://news.test/feed", None) for n in (1, 2, 3)]
    assert signer.append(drafts, now=now) == {}
    await press.publish(now=lambda: now)
    state.close()


def publish(folder: Path) -> Site:
    """Return a new site in `folder`."""
    asyncio.run(_publish(folder))
    repository = folder / "ipfs"
    repository.mkdir()
    kubo = Kubo(repository).make()
    cid = kubo.run("add", "-rQ", str(folder / "site"))
    site, page = folder / "site", revision_path(short_id(article_id(ARTICLE)), 1)
    return Site(site, site / "trust" / "1.root.json", folder / "state.db", page, repository, cid)
