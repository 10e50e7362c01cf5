"""A small newsroom on loopback: feeds and pages as a test sets them, in a thread of its own.

Its own thread and loop, so that a test may call the command, which runs a loop itself.
"""

import asyncio
import itertools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from html import escape

from aiohttp import web

HOST = "127.0.0.1"
MIB = 1 << 20
PARAGRAPH = (
    "The harbour office counted the boats again on Tuesday and found one more than the week "
    "before, which nobody on the quay would own to having brought there by night. "
)
TEXT = "".join(f"<p>{number}. {PARAGRAPH}</p>" for number in range(1, 9))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers with: `body`, then `more` MiB of it; a byte each `pause_s` if set."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    more_mib: int = 0
    pause_s: float = 0.0


@dataclass(slots=True)
class Newsroom:
    """`answers` by path; whoever asks with the ETag that an answer has is told 304."""

    address: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://{self.address}{path}"

    def says(self, path: str, body: str | bytes, **headers: str) -> str:
        """Let `path` answer with `body`; return its address. `content_type=…` and the like."""
        named = {name.replace("_", "-").title(): value for name, value in headers.items()}
        raw = body.encode() if isinstance(body, str) else body
        self.answers[path] = Answer(raw, headers={"Content-Type": "text/html", **named})
        return self.url(path)

    def fails(self, path: str, status: int = 503) -> str:
        self.answers[path] = Answer(b"no", status=status)
        return self.url(path)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        found = self.answers.get(request.path, Answer(b"nothing here", status=404))
        etag = found.headers.get("Etag")
        if etag and request.headers.get("If-None-Match") == etag:
            self.statuses.append(304)
            return web.Response(status=304)
        self.statuses.append(found.status)
        if not (found.more_mib or found.pause_s):
            return web.Response(body=found.body, status=found.status, headers=found.headers)
        response = web.StreamResponse(status=found.status, headers=found.headers)
        await response.prepare(request)
        with suppress(ConnectionError):
            for byte in found.body if found.pause_s else ():
                await response.write(bytes([byte]))
                await asyncio.sleep(found.pause_s)
            for _ in range(found.more_mib):
                await response.write(b" " * MIB)
        return response


@dataclass(frozen=True, slots=True)
class Item:
    """One `<item>`; an empty field is left out."""

    title: str = ""
    link: str = ""
    guid: str = ""
    html: str = ""
    date: str = ""
    teaser: str = ""

    def __str__(self) -> str:
        guid = f'<guid isPermaLink="false">{escape(self.guid)}</guid>' if self.guid else ""
        fields = {"title": self.title, "link": self.link, "pubDate": self.date}
        fields |= {"description": self.teaser, "content:encoded": self.html}
        shown = "".join(f"<{k}>{escape(text)}</{k}>" for k, text in fields.items() if text)
        return f"<item>{shown}{guid}</item>"


def feed(*items: Item, title: str = "A newsroom") -> str:
    """Return an RSS 2.0 feed, the first item first."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
        f"<title>{escape(title)}</title><link>https://news.example/</link>"
        f"<description>d</description>{''.join(map(str, items))}</channel></rss>"
    )


def item(number: int, *, text: str = "", **fields: str) -> Item:
    """Return the item of a full-text article with its own guid and link."""
    return Item(
        **{
            "title": f"Story number {number}",
            "link": f"https://news.example/story/{number}",
            "guid": f"urn:story:{number}",
            "html": f"<p>{text or f'Story {number}.'}</p>{TEXT}",
            **fields,
        }
    )


def page(title: str, *, text: str = "") -> str:
    """Return an article's page as a newsroom's site has it."""
    return (
        f'<!doctype html><html lang="en"><head><title>{escape(title)}</title></head><body>'
        f"<nav><a href='/'>Home</a></nav><main><article><h1>{escape(title)}</h1>"
        f"<p>{escape(text)}</p>{TEXT}</article></main></body></html>"
    )


@contextmanager
def running() -> Iterator[Newsroom]:
    """Serve a newsroom on a free port of loopback."""
    newsroom = Newsroom()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="newsroom")
    thread.start()

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", newsroom.answer)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await runner.setup()
        await web.TCPSite(runner, HOST, 0).start()
        newsroom.address = f"{HOST}:{runner.addresses[0][1]}"
        return runner

    runner = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield newsroom
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def numbered(count: int, start: int = 1) -> list[Item]:
    """Return full-text items, the newest first as feeds have them."""
    return [item(number) for number in itertools.islice(itertools.count(start), count)][::-1]
