"""The demo: a small invented newsroom on loopback, mirrored through the real path and verified."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from mirror import build, init
from mirror.check import check
from mirror.check.tell import told
from mirror.cycle import run_cycle
from mirror.dag import Dag
from mirror.database import Database
from mirror.demo import articles
from mirror.demo.photo import photo
from mirror.demo.story import Story
from mirror.desk import Summary
from mirror.errors import SettingsError
from mirror.serve import serve

ORIGIN = "demo.invalid"
HOST = "127.0.0.1"


async def run(
    out: Path | None, *, once: bool, say: Callable[[str], None], now: Callable[[], int]
) -> int:
    """Mirror the demo's newsroom, then its correction, verify, and serve unless `once`.

    Returns 0 only if everything was verified as valid.
    """
    with contextlib.ExitStack() as stack:
        made = out or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mirror-demo-")))
        if not await _made_and_valid(made, say=say, now=now):
            return 1
        await _serve(made, once=once, say=say)
    return 0


async def _made_and_valid(out: Path, *, say: Callable[[str], None], now: Callable[[], int]) -> bool:
    stories = list(articles.STORIES)
    async with _newsroom(stories) as address:
        feeds = [f"http://{address}/{lang}.xml" for lang in articles.LANGUAGES]
        wishes = init.Wishes(name=articles.NAME, origin=ORIGIN, feeds=feeds, allow_hosts=[address])
        init.make(out, wishes, now=now())
        say(f"{articles.NAME}, an invented newsroom, publishes its feeds at {', '.join(feeds)}")
        _say_summary(await _cycle(out, now), say)
        stories[0] = articles.CORRECTED
        say("The newsroom corrects an article.")
        _say_summary(await _cycle(out, now), say)
    root = out / "root" / "1.root.json"
    report = await check(str(out / "site"), root=root, remember=None, now=now, fetcher=None)
    for line in told(report):
        say(line)
    return report.ok


async def _cycle(out: Path, now: Callable[[], int]) -> Summary:
    async with build.desk(out / "mirror.toml") as desk:
        return await run_cycle(desk, now=now)


def _say_summary(summary: Summary, say: Callable[[str], None]) -> None:
    for problem in summary.problems:
        say(f"  problem: {problem}")
    counts = f"{summary.new} new, {summary.revised} revised, {summary.unchanged} unchanged"
    say(f"  mirrored: {counts}; the log has {summary.log_size} leaves")


@asynccontextmanager
async def _newsroom(stories: list[Story]) -> AsyncIterator[str]:
    """Serve the newsroom on a free port of loopback; yield `host:port`."""

    async def feed(request: web.Request) -> web.Response:
        lang = request.match_info["lang"]
        text = articles.feed(tuple(stories), lang, base=f"http://{request.host}")
        return web.Response(text=text, content_type="application/rss+xml")

    async def page(request: web.Request) -> web.Response:
        slug = request.match_info["slug"]
        found = [story for story in stories if story.slug == slug]
        if not found:
            raise web.HTTPNotFound
        return web.Response(text=articles.page(found[0]), content_type="text/html")

    async def picture(_: web.Request) -> web.Response:
        return web.Response(body=photo(), content_type="image/jpeg")

    app = web.Application()
    pages = [web.get("/{lang}.xml", feed), web.get("/{slug}", page)]
    app.add_routes([*pages, web.get("/photo/{slug}.jpg", picture)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    try:
        yield f"{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _serve(out: Path, *, once: bool, say: Callable[[str], None]) -> None:
    database = Database.beside(out / "state.db", origin=ORIGIN)
    try:
        dag = Dag(database, out / "site")
        async with serve(out / "site", host=HOST, port=0, blocks=dag) as address:
            say(f"  the same site for IPFS: {address}/ipfs/{dag.root()}?format=car")
            if once:
                return
            say(f"Open {address}/ in a browser. Ctrl-C ends it. To check it from elsewhere:")
            host = address.removeprefix("http://")
            root = out / "root" / "1.root.json"
            say(f"  mirror verify {address}/ --root {root} --allow-host {host}")
            await asyncio.Event().wait()
    except OSError as e:
        raise SettingsError(f"{HOST}: cannot serve there: {e.strerror}") from e
    finally:
        database.close()
