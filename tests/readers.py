"""A reader for tests: what it wants, of which mirrors, and what it says of each."""

from pathlib import Path

from liars import Served

from mirror.obtain import Obtained, Wanted, Web, obtain
from tests.sites import DAY, NOW, Newsroom

ONE, TWO, THREE = (f"https://news.example/{i}" for i in (1, 2, 3))
PARTS = (b"part two", b"part three")


def newsroom(*, now: int = NOW, **options: object) -> Newsroom:
    """Return a newsroom with an edited article, a withdrawn one, and a long one."""
    room = Newsroom(**{"signs_files": True, **options})
    room.root = room.sign_root(room.make_root(expires=now + 365 * DAY))
    room.files["trust/1.root.json"] = bytes(room.root)
    room.publish({ONE: "one", TWO: "two"}, time=now - 3600)
    room.publish(
        {ONE: "one, edited", THREE: "three"}, time=now - 60, withdraw=[TWO], parts={THREE: PARTS}
    )
    return room


async def fetched(
    folder: Path,
    room: Newsroom,
    target: str,
    *mirrors: Served | str,
    now: int = NOW,
    web: Web | None = None,
    total_s: float = 30.0,
    **options: object,
) -> Obtained:
    """Return what `mirror fetch` finds, asking these mirrors in this order."""
    root = folder / "root.json"
    if not root.exists():
        root.write_bytes(bytes(room.root))
    via = tuple(each if isinstance(each, str) else each.url for each in mirrors)
    hosts = [each.split("/")[2] for each in via if each.startswith("http")]
    wanted = Wanted(target, **{"root": root, "via": via, **options})
    return await obtain(wanted, web=web or Web(hosts), now=lambda: now, total_s=total_s)


def reasons(found: Obtained, mirror: Served | str) -> list[tuple[str, str]]:
    """Return what was asked of a mirror in vain, and the word for why."""
    url = mirror if isinstance(mirror, str) else mirror.url
    return [(each.what, each.verdict) for each in found.refused if each.mirror == url]


def article_of(found: Obtained) -> bytes:
    return found.files[found.path]
