"""An entry that kills its worker, in whole cycles: what is published, told, and tried again."""

import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from fakes import Clock, audited
from hostile import bodies
from hostile.meter import children, read
from newsroom import Item, Newsroom, feed, item, numbered, page

from mirror import build, cli, init
from mirror.box import Box, Limits
from mirror.cycle import run_cycle
from mirror.desk import Desk, Summary
from mirror.formats.paths import article_folder, short_id
from mirror.formats.url import article_id
from mirror.quarantine import Quarantine, Trouble

RSS = "application/rss+xml"
HOUR_S, DAY_S = 3600, 24 * 3600
MIB = 1 << 20
MUCH = Limits(wall_s=60)  # a busy machine is no reason to kill what is honest
LITTLE = Limits(wall_s=60, memory_bytes=16 * MIB)
"""With these an entry kills that is short enough to be cleaned with others in one job."""


class Mirror:
    """A mirror of two feeds, and who types `mirror quarantine` beside it."""

    def __init__(self, folder: Path, newsroom: Newsroom) -> None:
        self.folder, self.newsroom, self.clock = folder, newsroom, Clock(int(time.time()))
        self.capsys: pytest.CaptureFixture[str]
        self.desk: Desk
        wishes = init.Wishes(
            *("N", "test.example/news", [newsroom.url("/a"), newsroom.url("/b")]),
            allow_hosts=[newsroom.address],
        )
        init.make(folder, wishes, now=self.clock.now)
        settings = folder / "mirror.toml"
        settings.write_text(settings.read_text().replace("\nworkers = 0", "\nworkers = 1"))

    def offers(self, *items: Item) -> None:
        self.newsroom.says("/a", feed(*items), content_type=RSS)

    async def cycle(self, *, later_s: int = 60) -> Summary:
        self.clock.now += later_s
        return await run_cycle(self.desk, now=self.clock)

    def operator(self, *words: str) -> str:
        """Return what the verb says, which is done well."""
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["quarantine", *words, "-c", str(self.folder / "mirror.toml")])
        out, err = self.capsys.readouterr()

        assert (ended.value.code, err) == (0, "")
        return out

    @property
    def troubles(self) -> list[Trouble]:
        return Quarantine(self.desk.state.db).rows()

    def has(self, address: str) -> bool:
        """Return whether a reader finds it who only knows the article's own address."""
        name = article_folder(short_id(article_id(address)))
        return (self.folder / "site" / name / "index.html").is_file()

    async def wrong(self) -> list[str]:
        site = self.folder / "site"
        files = {
            path.relative_to(site).as_posix(): path.read_bytes()
            for path in site.rglob("*")
            if path.is_file() and path.suffix not in (".gz", ".br")
        }
        return await audited(files, self.desk.signer.root, now=self.clock.now)


@pytest_asyncio.fixture
async def mirror(
    tmp_path: Path,
    newsroom: Newsroom,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Mirror]:
    monkeypatch.setattr(build, "Box", partial(Box, limits=getattr(request, "param", MUCH)))
    mirror = Mirror(tmp_path / "m", newsroom)
    mirror.capsys = capsys
    newsroom.says("/b", feed(), content_type=RSS)
    async with build.desk(mirror.folder / "mirror.toml") as mirror.desk:
        yield mirror


def in_feed(newsroom: Newsroom) -> Item:
    return item(3, text=bodies.credits_in_credits())


def in_feed_beside_others(newsroom: Newsroom) -> Item:
    return item(3, text=bodies.credits_in_credits().replace("word " * 150_000, "word " * 38_000))


def on_its_page(newsroom: Newsroom) -> Item:
    bad = page("Story number 3").replace("</article>", f"{bodies.credits_in_credits()}</article>")
    link = newsroom.says("/3", bad)
    return Item("Story number 3", link, "urn:story:3", teaser="What it is about.")


def workers() -> set[int]:
    """Return the processes of this one's boxes that live."""
    return {pid for pid in children() if "box_worker" in read(Path(f"/proc/{pid}/cmdline"))}


def id_in(listed: str) -> str:
    """Return the id of the first entry that a list shows."""
    return listed.splitlines()[2].split()[0]


@pytest.mark.parametrize(
    ("mirror", "bomb"),
    [(MUCH, in_feed), (LITTLE, in_feed_beside_others), (MUCH, on_its_page)],
    indirect=["mirror"],
)
async def test_an_entry_that_kills_its_worker_is_left_out_alone_and_not_tried_before_it_is_due(
    mirror: Mirror, newsroom: Newsroom, bomb: Callable[[Newsroom], Item]
):
    mirror.offers()
    await mirror.cycle()
    before = workers()
    four, bad = [item(n) for n in (5, 4, 2, 1)], bomb(newsroom)
    mirror.offers(*four[:2], bad, *four[2:])
    newsroom.says("/b", feed(*numbered(3, start=11)), content_type=RSS)
    first = await mirror.cycle()
    after = workers()
    [trouble] = mirror.troubles

    assert len(before) == 1
    assert before.isdisjoint(after)
    assert (first.new, first.refused, first.quarantined, first.feeds_failed) == (7, 1, 1, 0)
    assert all(mirror.has(each.link) for each in (*four, *numbered(3, start=11)))
    assert not mirror.has(bad.link)
    assert (trouble.kind, trouble.tries) == ("refused", 1)
    assert trouble.name.partition("//")[2] == bad.link.partition("//")[2]
    assert "killed: " in trouble.reason
    assert first.problems == [trouble.reason]
    assert await mirror.wrong() == []

    mirror.offers(item(6), *four[:2], bad, *four[2:])
    second = await mirror.cycle(later_s=HOUR_S // 2)

    alive = workers()

    assert (second.new, second.refused, second.problems) == (1, 0, [])
    assert after <= alive
    assert mirror.troubles == [trouble]

    third = await mirror.cycle(later_s=HOUR_S // 2)

    assert (third.new, third.refused) == (0, 1)
    assert alive.isdisjoint(workers())
    assert [each.tries for each in mirror.troubles] == [2]
    assert await mirror.wrong() == []


async def test_what_killed_its_worker_is_listed_in_words_for_who_never_saw_one(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.offers(item(1), in_feed(newsroom))
    await mirror.cycle()
    title, columns, row, reason, *words = mirror.operator("list").splitlines()

    assert title == "1 in quarantine: left out, while all else is published"
    assert columns.split() == ["ID", "SINCE", "TRIES", "NEXT", "TRY", "KIND", "ENTRY"]
    assert row.split()[2] == "1"
    assert row.split()[-2:] == ["refused", "https://news.example/story/3"]
    assert reason.split(": ")[:2] == [f"          {newsroom.url('/a')}", "killed"]
    assert any(line.startswith("refused: no article could be made of it") for line in words)
    assert any("mirror quarantine retry ID" in line for line in words)


async def test_what_is_retried_and_was_mended_is_published_by_the_next_cycle(
    mirror: Mirror, newsroom: Newsroom
):
    mirror.offers(item(1), on_its_page(newsroom))
    await mirror.cycle()
    name = id_in(mirror.operator("list"))
    mirror.operator("retry", name)
    unmended = await mirror.cycle()

    assert (unmended.new, unmended.refused, unmended.quarantined) == (0, 1, 1)

    newsroom.says("/3", page("Story number 3"))
    asked = newsroom.asked.count("/3")
    idle = await mirror.cycle()

    assert (idle.new, newsroom.asked.count("/3")) == (0, asked)

    mirror.operator("retry", name)
    mended = await mirror.cycle()

    assert (mended.new, mended.refused, mended.quarantined) == (1, 0, 0)
    assert mirror.has(newsroom.url("/3"))
    assert mirror.operator("list") == "0 in quarantine\n"
    assert await mirror.wrong() == []


async def test_what_is_dropped_is_not_tried_again_until_it_is_edited(
    mirror: Mirror, newsroom: Newsroom
):
    bad = on_its_page(newsroom)
    mirror.offers(item(1), bad)
    first = await mirror.cycle()

    assert (first.new, first.quarantined) == (1, 1)

    mirror.operator("drop", id_in(mirror.operator("list")))
    newsroom.says("/3", page("Story number 3"))
    asked = newsroom.asked.count("/3")
    later = []
    for n in (4, 5, 6):
        mirror.offers(item(n), bad)
        later.append(await mirror.cycle(later_s=3 * DAY_S))

    assert [(each.new, each.refused, each.quarantined) for each in later] == [(1, 0, 0)] * 3
    assert newsroom.asked.count("/3") == asked
    assert mirror.operator("list").startswith("0 in quarantine; 1 dropped\n")

    mirror.offers(item(6), Item("Story number 3, edited", bad.link, bad.guid, teaser=bad.teaser))
    edited = await mirror.cycle()

    assert (edited.new, edited.quarantined) == (1, 0)
    assert mirror.has(bad.link)
    assert mirror.operator("list") == "0 in quarantine\n"
    assert await mirror.wrong() == []
