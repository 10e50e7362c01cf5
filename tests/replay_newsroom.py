"""Snapshots of a newsroom's feed: invented ones with a known truth, and the first of real ones.

The invented newsroom does what real ones do: it edits titles and texts, moves dates, reorders,
changes slugs, and lists entries that have one link and no guid.
"""

import random
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from itertools import islice
from pathlib import Path

from newsroom import feed, item

from mirror.article.feeds.feed import fingerprint

START = 1_795_000_000
STEP_S = 1200
SNAPSHOTS = 30
SHOWN = 30
PINNED = 2  # entries that share their link with each other all the time
LIVE = "https://news.example/live"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A feed as it was at `time`."""

    time: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Story:
    """An article as the newsroom has it now; without a `slug` it has the live page's link."""

    number: int
    slug: str
    date: int
    title_version: int = 1
    text_version: int = 1

    def __str__(self) -> str:
        title = f"Story {self.number}" + ", as it is known now" * (self.title_version - 1)
        return str(
            item(
                self.number,
                title=title,
                text=f"Told for the {self.text_version}. time.",
                link=f"https://news.example/{self.slug}" if self.slug else LIVE,
                guid=f"urn:story:{self.number}" if self.slug else "",
                date=formatdate(self.date, usegmt=True),
            )
        )


class Invented:
    """A newsroom that counts what it does: `new` articles, and `edits` of a title or a text."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.now = START
        self.new = self.edits = 0
        self.stories: list[Story] = []
        self.publish(SHOWN)

    def publish(self, count: int) -> None:
        for _ in range(count):
            pinned = self.new < PINNED
            slug = "" if pinned or self.draw.random() < 0.1 else f"story-{self.new}"
            self.stories.append(Story(self.new, slug, self.now))
            self.new += 1
        recent = self.stories[PINNED:][-(SHOWN - PINNED) :]
        self.stories = self.stories[:PINNED] + recent

    def go_on(self) -> None:
        """Publish, edit, move dates and change slugs, each story one thing at most."""
        self.now += STEP_S
        before = self.new
        self.publish(self.draw.choice((0, 1, 1, 2, 5)))
        for at, story in enumerate(self.stories):
            if story.number < before:  # what nobody has seen yet can not be edited
                self.stories[at] = self._changed(story, self.draw.random())

    def _changed(self, story: Story, chance: float) -> Story:
        if chance < 0.02:
            self.edits += 1
            return replace(story, text_version=story.text_version + 1)
        if chance < 0.04 and story.slug:  # the title is the only name of those without a slug
            self.edits += 1
            return replace(story, title_version=story.title_version + 1)
        if chance < 0.06 and story.slug:
            return replace(story, slug=f"{story.slug}-{self.now}")
        if chance < 0.5:
            return replace(story, date=self.now)
        return story

    def snapshot(self) -> Snapshot:
        shown = list(reversed(self.stories))
        if self.draw.random() < 0.5:
            self.draw.shuffle(shown)
        return Snapshot(self.now, feed(*shown).encode())  # type: ignore[arg-type]


def invented(seed: int) -> tuple[list[Snapshot], tuple[int, int]]:
    """Return thirty snapshots of thirty entries, and how many articles and edits are in them."""
    newsroom = Invented(seed)
    snapshots = [newsroom.snapshot()]
    for _ in range(SNAPSHOTS - 1):
        newsroom.go_on()
        snapshots.append(newsroom.snapshot())
    return snapshots, (newsroom.new, newsroom.edits)


def captured(archive: Path, count: int) -> list[Snapshot]:
    """Return the first `count` snapshots that are not the one before but for their date."""
    return list(islice(_changes(archive), count))


def names(snapshots: Sequence[Snapshot]) -> set[bytes]:
    """Return what tells a feed's articles apart: links, or titles where all links are the same."""
    found: set[bytes] = set()
    for snapshot in snapshots:
        items = re.findall(rb"<item[ >].*?</item>", snapshot.body, re.DOTALL)
        links = {_field(b"link", item) for item in items}
        field = b"link" if len(links) > 1 else b"title"
        found |= {_field(field, item) for item in items}
    return found


def _field(name: bytes, item: bytes) -> bytes:
    found = re.search(rb"<%b>(.*?)</%b>" % (name, name), item, re.DOTALL)
    return found[1].strip() if found else b""


def _changes(archive: Path) -> Iterator[Snapshot]:
    last = b""
    with tarfile.open(archive, "r|xz") as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is None:
                continue
            body = file.read()
            print_ = fingerprint(body)
            if print_ != last:
                yield Snapshot(int(Path(member.name).stem.rpartition("_")[2]), body)
            last = print_
