"""A newsroom on loopback whose articles the test changes while a mirror polls it."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"
WINDOW = 30  # entries that the feed shows, the newest first
WORDS = (
    *("harbour", "ferry", "council", "bread", "winter", "tram", "letter", "bridge", "teacher"),
    *("паром", "газета", "мост", "хлеб", "зима", "трамвай", "письмо", "учитель", "библиотека"),
)


@dataclass(frozen=True, slots=True)
class Story:
    """Article number `number` in version `version`; the text tells which one it is."""

    number: int
    version: int = 1
    paragraphs: int = 3

    @property
    def marker(self) -> str:
        return f"story {self.number} version {self.version}."

    @property
    def path(self) -> str:
        return f"/story/{self.number}"

    @property
    def html(self) -> str:
        # The words stay the same from version to version: only the marker is edited.
        draw = random.Random(self.number)
        lines = [" ".join(draw.choices(WORDS, k=60)) for _ in range(self.paragraphs)]
        # Digits that do not compress make a long story one of several parts.
        if self.paragraphs > 20:
            lines = [f"{line} {draw.randbytes(120).hex()}" for line in lines]
        return "".join(f"<p>{line}.</p>" for line in (self.marker, *lines))


@dataclass(slots=True)
class Newsroom:
    """What the newsroom has published by now; `before` runs ahead of each answer."""

    stories: dict[int, Story] = field(default_factory=dict)
    before: Callable[["Newsroom"], None] = lambda _: None
    address: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def feed_url(self) -> str:
        return f"http://{self.address}/feed.xml"

    def url(self, number: int) -> str:
        return f"http://{self.address}{Story(number).path}"

    def publish(self, *stories: Story) -> None:
        self.stories |= {story.number: story for story in stories}

    def feed(self) -> bytes:
        with self.lock:
            self.before(self)
            newest = sorted(self.stories.values(), key=lambda story: -story.number)[:WINDOW]
        items = "".join(map(self._item, newest))
        return (
            '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"'
            ' xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
            f"<title>The Fault Line</title><link>http://{self.address}/</link>"
            f"<description>All that breaks</description>{items}</channel></rss>"
        ).encode()

    def _item(self, story: Story) -> str:
        link = self.url(story.number)
        return (
            f"<item><title>Story {story.number}</title><link>{link}</link>"
            f'<guid isPermaLink="true">{link}</guid>'
            "<pubDate>Mon, 16 Nov 2026 06:30:00 GMT</pubDate>"
            f"<content:encoded>{escape(story.html)}</content:encoded></item>"
        )


@contextmanager
def open_newsroom() -> Iterator[Newsroom]:
    """Serve a newsroom on a free port of loopback."""
    room = Newsroom()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = room.feed()
            self.send_response(200)
            self.send_header("Content-Type", "application/rss+xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = _Server((HOST, 0), Answer)
    room.address = f"{HOST}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield room
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        return  # a mirror that was killed while it was answered
