"""Stores outside: one change among many files, nothing changed, fifty articles to ten places.

Beside `rclone`, with the same trees, in the same run. Wall clock, on this machine: what a reader
waits for. A call is one of the store's: a flush of many files is one of them, and for object
storage a request for each file; requests are counted where they go over HTTP.
"""

import asyncio
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import corpus, githost, remotes
from bench.newsroom import serving
from bench.table import Row
from bench.tree import Counted, Tree, filled, followed, now, tree_of
from mirror import build, init
from mirror.cycle import run_cycle
from mirror.formats.paths import INDEX_PROOF
from mirror.outside import followers
from mirror.settings import Settings
from mirror.stores.dir import DirStore
from mirror.stores.patience import in_own_thread
from mirror.stores.rclone.run import program

SIZES = (10_000, 100_000)
TIMES = 5  # medians
PLACES, ARTICLES = 10, 50


def run() -> list[Row]:
    """Measure places of each kind and size, a first upload, then ten folders behind a newsroom."""
    rows: list[Row] = []
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
            rows += _folder(Path(name), size)
        with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
            rows += _served(Path(name), size)
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
        rows += _first(Path(name), SIZES[0])
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name:
        rows += _many(Path(name))
    return rows


def _folder(folder: Path, size: int) -> list[Row]:
    """Measure a folder that has all but the change, and rclone's copy of the same."""
    with tree_of(folder, size) as tree:
        store = filled(tree, DirStore(folder / "ours", name="ours"), folder / "ours")
        subprocess.run(["/bin/cp", "-rlT", tree.site, folder / "theirs"], check=True)
        what = f"folder with {size:,} files: one more"
        rows = _compared(tree, store, str(folder / "theirs"), tree.add, what=what)
        rows += _compared(tree, store, None, lambda: None, what="  nothing new", most="≤ 1")
        publish = tree.publish
        rows += _compared(
            *(tree, store, None, lambda: asyncio.run(publish(tree.signer.state.count()))),
            what="  a round with one article",
            most="",
        )
    return rows


def _compared(
    tree: Tree,
    store: Counted,
    theirs: str | None,
    change: Callable[[], object],
    *,
    what: str,
    most: str = "≤ 10",
    asked: Callable[[], int] | None = None,
) -> list[Row]:
    """Return how long a change takes, its calls and requests; beside rclone if that has a copy."""
    spent, flat = list[float](), "" if what.startswith(" ") else "flat"
    for _ in range(TIMES):
        change()
        store.calls, before = 0, asked() if asked else 0
        spent.append(followed(tree, store))
    rows = [Row(what, _ms(spent), flat), Row("    calls of the store", f"{store.calls}", most)]
    if asked:
        rows.append(Row("    requests over HTTP", f"{asked() - before}", most))
        before = asked()
    if theirs:
        rows.append(Row("    rclone sync", _ms([_rclone("sync", tree.site, theirs)])))
        if asked:
            rows.append(Row("      its requests", f"{asked() - before}"))
    return rows


def _served(folder: Path, size: int) -> list[Row]:
    """Measure places behind servers that have all but the change, and rclone's copies there."""
    rows: list[Row] = []
    with tree_of(folder, size) as tree:
        for kind in remotes.SERVED:
            with remotes.serving(kind, folder / kind) as there:
                store = filled(tree, there.store, there.ours)
                subprocess.run(["/bin/cp", "-rlT", tree.site, there.theirs], check=True)
                what = f"{kind} with {size:,} files: one more"
                # Without times to compare, rclone sends all anew: an hour.
                peer, asked = None if kind == "webdav" else there.peer, there.asked
                rows += _compared(tree, store, peer, tree.add, what=what, asked=asked)
                what = "  nothing new"
                rows += _compared(
                    tree, store, None, lambda: None, what=what, most="≤ 1", asked=asked
                )
        rows += _git(tree, folder, size)
    return rows


def _git(tree: Tree, folder: Path, size: int) -> list[Row]:
    """Measure a repository on this disk, and one at a host."""
    store = Counted(remotes.repository(folder))
    rows = [Row(f"git: first upload of {size:,} files", f"{followed(tree, store):.1f} s")]
    rows += _compared(tree, store, None, tree.add, what=f"git with {size:,} files: one more")
    rows += _compared(tree, store, None, lambda: None, what="  nothing new", most="≤ 1")
    with githost.serving(folder) as (to, spent):
        store = Counted(remotes.hosted(to, folder / "hosted"))
        followed(tree, store)
        rows += _hosted(tree, store, spent, what=f"git host with {size:,} files: one more")
        rows += _compared(
            *(tree, store, None, lambda: None),
            what="  nothing new",
            most="≤ 1",
            asked=lambda: spent.requests,
        )
    return rows


def _hosted(tree: Tree, store: Counted, spent: githost.Spent, *, what: str) -> list[Row]:
    """Return what one more file takes, without what the host's own git does, and that beside.

    Before it takes a push, git goes through all folders of the commit that the branch has.
    """
    ours, theirs, asked = list[float](), list[float](), 0
    for _ in range(TIMES):
        tree.add()
        asked, before = spent.requests, spent.wall_s
        whole = followed(tree, store)
        theirs.append(spent.wall_s - before)
        ours.append(whole - theirs[-1])
    return [
        Row(what, _ms(ours), "flat"),
        Row("    and the host's own git", _ms(theirs)),
        Row("    requests over HTTP", f"{spent.requests - asked}", "≤ 10"),
    ]


def _first(folder: Path, size: int) -> list[Row]:
    """Measure the first upload to object storage and to a folder."""
    rows: list[Row] = []
    with tree_of(folder, size) as tree, remotes.serving("s3", folder) as there:
        near = DirStore(folder / "near", name="near", in_thread=in_own_thread)
        for kind, store, theirs in (
            ("object storage", there.store, there.peer),
            ("folder", near, str(folder / "peer")),
        ):
            peer = _rclone("copy", tree.site, theirs)
            ours = followed(tree, Counted(store))
            rows += [
                Row(f"{kind}: first upload of {size:,} files", f"{ours:.1f} s"),
                Row("  rclone copy", f"{peer:.1f} s"),
                Row("  ours against rclone's", f"{ours / peer:.2f} ×", "≤ 1.2 ×"),
            ]
    return rows


def _many(folder: Path) -> list[Row]:
    """Measure from the poll that sees fifty articles until ten folders have them all."""
    web, mirror = folder / "web", folder / "mirror"
    web.mkdir()
    (web / "feed.xml").write_bytes(corpus.feed("en", range(ARTICLES)))
    with serving(web) as (address, _):
        wishes = init.Wishes("Bench", "bench.example", [f"http://{address}/feed.xml"])
        init.make(mirror, wishes, now=now())
        settings = mirror / "mirror.toml"
        text = settings.read_text().replace(
            "allow_hosts = []", f"allow_hosts = {json.dumps([address])}"
        )
        for number in range(PLACES):
            text += f'\n[[stores]]\nname = "s{number}"\nkind = "folder"\nto = "out/{number}"\n'
        settings.write_text(text)
        spent = asyncio.run(_followed_by_all(settings, web))
    return [
        Row(
            f"{ARTICLES} new articles to {PLACES} folders, from the poll",
            f"{spent:.1f} s",
            "≤ 60 s",
        )
    ]


async def _followed_by_all(path: Path, web: Path) -> float:
    settings = Settings.load(path)
    async with build.desk(path, settings) as desk:
        await run_cycle(desk, now=now)
        with followers(path, settings, now=now) as stores:
            works = [asyncio.create_task(each.always(now=now)) for each in stores]
            await _until_all_have_it(path.parent)
            await asyncio.sleep(1)  # the newsroom's Last-Modified has whole seconds
            (web / "new").write_bytes(corpus.feed("en", range(ARTICLES, 2 * ARTICLES)))
            (web / "new").replace(web / "feed.xml")
            start = time.monotonic()
            summary = await run_cycle(desk, now=now)
            assert summary.new == ARTICLES
            await _until_all_have_it(path.parent)
            spent = time.monotonic() - start
            for work in works:
                work.cancel()
            await asyncio.wait(works)
    return spent


async def _until_all_have_it(folder: Path) -> None:
    wanted = (folder / "site" / INDEX_PROOF).read_bytes()
    shown = [folder / "out" / str(number) / INDEX_PROOF for number in range(PLACES)]
    for _ in range(10_000):
        if all(each.exists() and each.read_bytes() == wanted for each in shown):
            return
        await asyncio.sleep(0.05)


def _rclone(verb: str, site: Path, to: str) -> float:
    left_out = ("--exclude", "*.gz", "--exclude", "*.br", "--exclude", ".staging/**")
    command = [program(), verb, str(site), str(to), *left_out, "--config", "/dev/null"]
    start = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - start


def _ms(spent: Sequence[float]) -> str:
    return f"{statistics.median(spent) * 1000:,.0f} ms"
